// SPDX-License-Identifier: GPL-2.0
/* The beginning of a socket, by socket(2) or by a listener, and its end. */

/* What a socket has while it is connected: an object of a cache of its own. */

__newtcp bool newtcp_residents_create(unsigned int size)
{
	newtcp_residents = kmem_cache_create("NEW_TCP_connection", size, 0,
					     SLAB_HWCACHE_ALIGN | SLAB_ACCOUNT,
					     NULL);
	return newtcp_residents;
}

__newtcp void newtcp_residents_destroy(void)
{
	kmem_cache_destroy(newtcp_residents);
}

__newtcp void *newtcp_resident_alloc(gfp_t gfp)
{
	return kmem_cache_alloc(newtcp_residents, gfp);
}

/* What stands for a connection without a socket, for softirqs; kfree() frees it.
 * The size is a constant where this is inlined, which spares the search for
 * the cache of that size.
 */
__newtcp void *newtcp_mini_alloc(size_t size)
{
	return kmalloc(size, GFP_ATOMIC);
}

/*
 * For a process that owns the socket: as the socket's user allows, who may be
 * where memory is reclaimed; without waiting in a BPF program.
 */
__newtcp gfp_t newtcp_sk_gfp(const struct sock *sk)
{
	gfp_t gfp = READ_ONCE(sk->sk_allocation);

	if (has_current_bpf_ctx() || !gfpflags_allow_blocking(gfp))
		return GFP_ATOMIC | __GFP_NOWARN;
	return gfp;
}

/* The same, and certain if it may wait. */
__newtcp gfp_t newtcp_sk_gfp_certain(const struct sock *sk)
{
	gfp_t gfp = newtcp_sk_gfp(sk);

	return gfpflags_allow_blocking(gfp) ? gfp | __GFP_NOFAIL : gfp;
}

/* What is left of it while it sleeps. Nothing is lost without it. */
__newtcp u8 *newtcp_record_alloc(unsigned int octets)
{
	return kmalloc(octets, GFP_NOWAIT | __GFP_NOWARN | __GFP_ACCOUNT);
}

__newtcp void newtcp_record_free(u8 *record)
{
	kfree(record);
}

__newtcp void newtcp_resident_free(void *resident)
{
	kmem_cache_free(newtcp_residents, resident);
}

__newtcp void newtcp_socket_init(struct socket *sock,
				 const struct proto_ops *ops)
{
	sock->state = SS_UNCONNECTED;
	sock->ops = ops;
}

__newtcp int newtcp_socket_state(const struct socket *sock)
{
	return sock->state;
}

__newtcp int newtcp_socket_type(const struct socket *sock)
{
	return sock->type;
}

__newtcp void newtcp_socket_detach(struct socket *sock)
{
	sock->sk = NULL;
}

/*
 * Options of SOL_SOCKET come to us first, who hand most of them back: the core
 * gives some of them to protocols that it knows by name only.
 */
__newtcp void newtcp_socket_customize(struct socket *sock)
{
	set_bit(SOCK_CUSTOM_SOCKOPT, &sock->flags);
	set_bit(SOCK_SUPPORT_ZC, &sock->flags);
}

/* What every socket of the protocol gets, whichever door it came through. */
__newtcp void newtcp_sk_setup(struct sock *sk)
{
	struct net *net = sock_net(sk);

	if (sk->sk_socket)
		newtcp_socket_customize(sk->sk_socket);
	sock_set_flag(sk, SOCK_RCU_FREE);
	sock_set_flag(sk, SOCK_USE_WRITE_QUEUE);
	sk->sk_write_space = sk_stream_write_space;
	WRITE_ONCE(sk->sk_sndbuf, READ_ONCE(net->mynewtcp.sysctl_wmem[1]));
	WRITE_ONCE(sk->sk_rcvbuf, READ_ONCE(net->mynewtcp.sysctl_rmem[1]));
}

/* The inet fields of a socket made through PF_INET_NEW_TCP. */
__newtcp void newtcp_inet_setup(struct sock *sk, int protocol)
{
	struct net *net = sock_net(sk);
	struct inet_sock *inet = inet_sk(sk);

	sk->sk_protocol = protocol;
	sk->sk_backlog_rcv = sk->sk_prot->backlog_rcv;
	sk->sk_txrehash = READ_ONCE(net->core.sysctl_txrehash);
	inet_clear_bit(IS_ICSK, sk);
	inet_clear_bit(NODEFRAG, sk);
	inet_set_bit(MC_LOOP, sk);
	inet_set_bit(MC_ALL, sk);
	inet->pmtudisc = READ_ONCE(net->ipv4.sysctl_ip_no_pmtu_disc) ?
		IP_PMTUDISC_DONT : IP_PMTUDISC_WANT;
	inet->uc_ttl = -1;
	inet->mc_ttl = 1;
	atomic_set(&inet->inet_id, get_random_u16());
}

__newtcp void newtcp_inet6_setup(struct sock *sk, struct ipv6_pinfo *np)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct net *net = sock_net(sk);

	inet_sk(sk)->pinet6 = np;
	np->hop_limit = -1;
	np->mcast_hops = IPV6_DEFAULT_MCASTHOPS;
	np->pmtudisc = IPV6_PMTUDISC_WANT;
	inet6_set_bit(MC6_LOOP, sk);
	inet6_set_bit(MC6_ALL, sk);
	inet6_assign_bit(REPFLOW, sk,
			 READ_ONCE(net->ipv6.sysctl.flowlabel_reflect) &
			 FLOWLABEL_REFLECT_ESTABLISHED);
	sk->sk_ipv6only = READ_ONCE(net->ipv6.sysctl.bindv6only);
#endif
}

__newtcp int newtcp_bpf_inet_sock_create(struct sock *sk)
{
	return BPF_CGROUP_RUN_PROG_INET_SOCK(sk);
}

__newtcp int newtcp_bpf_pre_connect(struct sock *sk,
				    struct sockaddr_unsized *addr, int len)
{
	sock_owned_by_me(sk);
	if (sk->sk_family == AF_INET6 && addr->sa_family == AF_INET6)
		return BPF_CGROUP_RUN_PROG_INET6_CONNECT(sk, addr, &len);
	return BPF_CGROUP_RUN_PROG_INET4_CONNECT(sk, addr, &len);
}

__newtcp void newtcp_set_destruct(struct sock *sk,
				  void (*destruct)(struct sock *sk))
{
	sk->sk_destruct = destruct;
}

/* What sk_clone() copies from the listener and the child must not share. */
__newtcp void newtcp_child_reset(struct sock *child, const struct sock *parent,
				 struct ipv6_pinfo *np)
{
	struct inet_sock *inet = inet_sk(child);

	child->sk_rx_dst = NULL;
	child->sk_rx_dst_ifindex = 0;
	child->sk_err_soft = 0;
	child->sk_tsq_flags = 0;
	RCU_INIT_POINTER(inet->inet_opt, NULL);
	RCU_INIT_POINTER(inet->mc_list, NULL);
	inet->mc_index = 0;
	atomic_set(&inet->inet_id, get_random_u16());
	sock_set_flag(child, SOCK_RCU_FREE);
#if IS_ENABLED(CONFIG_IPV6)
	inet->pinet6 = NULL;
	RCU_INIT_POINTER(inet->ipv6_fl_list, NULL);
	if (child->sk_family == AF_INET6) {
		inet->pinet6 = np;
		memcpy(np, inet6_sk(parent), sizeof(*np));
		np->ipv6_mc_list = NULL;
		np->ipv6_ac_list = NULL;
		np->pktoptions = NULL;
		np->rxpmtu = NULL;
		RCU_INIT_POINTER(np->opt, NULL);
		np->dst_cookie = 0;
		np->flow_label = 0;
	}
#endif
}

__newtcp void newtcp_sk_set_txhash(struct sock *sk)
{
	sk_set_txhash(sk);
}

__newtcp struct rb_root *newtcp_sent_root(struct sock *sk)
{
	return &sk->tcp_rtx_queue;
}

__newtcp struct timer_list *newtcp_sk_timer(struct sock *sk)
{
	return &sk->sk_timer;
}

__newtcp struct sock *newtcp_sk_of_timer(struct timer_list *timer)
{
	return container_of(timer, struct sock, sk_timer);
}

/* The last step of a socket's life, when only the C part is left. */
__newtcp void newtcp_sock_destruct(struct sock *sk)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		inet6_sock_destruct(sk);
		return;
	}
#endif
	inet_sock_destruct(sk);
}

/* Frees a child that has no destructor yet; its two references go at once. */
__newtcp void newtcp_child_free(struct sock *child)
{
	sk_free(child);
}
