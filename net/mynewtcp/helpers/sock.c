// SPDX-License-Identifier: GPL-2.0
/* struct sock: fields behind unions and bit fields, locks, memory, wakeups. */

/* References and locks */

__newtcp void newtcp_sock_hold(struct sock *sk)
{
	sock_hold(sk);
}

__newtcp void newtcp_sock_put(struct sock *sk)
{
	sock_put(sk);
}

__newtcp bool newtcp_sock_hold_not_zero(struct sock *sk)
{
	return refcount_inc_not_zero(&sk->sk_refcnt);
}

__newtcp void newtcp_sock_put_not_last(struct sock *sk)
{
	__sock_put(sk);
}

__newtcp void newtcp_lock_sock(struct sock *sk)
{
	lock_sock(sk);
}

__newtcp void newtcp_bh_lock_sock(struct sock *sk)
{
	bh_lock_sock(sk);
}

__newtcp void newtcp_bh_lock_sock_nested(struct sock *sk)
{
	bh_lock_sock_nested(sk);
}

/* Lockdep's third level: a connection, while its listener is locked. */
__newtcp void newtcp_bh_lock_sock_child(struct sock *sk)
{
	spin_lock_nested(&sk->sk_lock.slock, SINGLE_DEPTH_NESTING + 1);
}

__newtcp void newtcp_bh_unlock_sock(struct sock *sk)
{
	bh_unlock_sock(sk);
}

__newtcp bool newtcp_sock_owned_by_user(const struct sock *sk)
{
	return sock_owned_by_user_nocheck(sk);
}

__newtcp bool newtcp_sk_add_backlog(struct sock *sk, struct sk_buff *skb,
				    unsigned int limit)
{
	/* In the backlog the route says which namespace the packet is in. */
	return skb_dst_force(skb) && sk_add_backlog(sk, skb, limit) == 0;
}

__newtcp bool newtcp_sk_flush_backlog(struct sock *sk)
{
	return sk_flush_backlog(sk);
}

__newtcp bool newtcp_tsq_test_and_set(struct sock *sk, unsigned int bit)
{
	return test_and_set_bit(bit, &sk->sk_tsq_flags);
}

__newtcp bool newtcp_tsq_test_and_clear(struct sock *sk, unsigned int bit)
{
	if (!test_bit(bit, &sk->sk_tsq_flags))
		return false;
	return test_and_clear_bit(bit, &sk->sk_tsq_flags);
}

/* Identity */

__newtcp struct net *newtcp_sock_net(const struct sock *sk)
{
	return sock_net(sk);
}

__newtcp u16 newtcp_sk_family(const struct sock *sk)
{
	return READ_ONCE(sk->sk_family);
}

__newtcp u8 newtcp_sk_state(const struct sock *sk)
{
	return smp_load_acquire(&sk->sk_state); /* pairs with inet_sk_state_store() */
}

__newtcp void newtcp_sk_set_state(struct sock *sk, int state)
{
	inet_sk_set_state(sk, state);
}

__newtcp bool newtcp_sk_ipv6only(const struct sock *sk)
{
	return sk->sk_ipv6only;
}

__newtcp bool newtcp_sk_flag(const struct sock *sk, enum sock_flags flag)
{
	return sock_flag(sk, flag);
}

__newtcp void newtcp_sk_assign_flag(struct sock *sk, enum sock_flags flag,
				    bool on)
{
	sock_valbool_flag(sk, flag, on);
}

__newtcp int newtcp_sk_bound_ifindex(const struct sock *sk)
{
	return READ_ONCE(sk->sk_bound_dev_if);
}

__newtcp void newtcp_sk_set_bound_ifindex(struct sock *sk, int ifindex)
{
	WRITE_ONCE(sk->sk_bound_dev_if, ifindex);
}

__newtcp u32 newtcp_sk_mark(const struct sock *sk)
{
	return READ_ONCE(sk->sk_mark);
}

__newtcp u8 newtcp_sk_reuse(const struct sock *sk)
{
	return sk->sk_reuse;
}

__newtcp bool newtcp_sk_reuseport(const struct sock *sk)
{
	return sk->sk_reuseport;
}

__newtcp u32 newtcp_sk_uid(const struct sock *sk)
{
	return __kuid_val(sk_uid(sk));
}

__newtcp u8 newtcp_sk_userlocks(const struct sock *sk)
{
	return sk->sk_userlocks;
}

__newtcp struct sock *newtcp_socket_sk(const struct socket *sock)
{
	return sock->sk;
}

/* Addresses and ports. IPv4 and IPv6 in one form: 16 bytes, IPv4 mapped. */

__newtcp void newtcp_sk_local(const struct sock *sk, struct in6_addr *addr,
			      u16 *port)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		*addr = sk->sk_v6_rcv_saddr;
	else
#endif
		ipv6_addr_set_v4mapped(READ_ONCE(sk->sk_rcv_saddr), addr);
	*port = READ_ONCE(sk->sk_num);
}

__newtcp void newtcp_sk_remote(const struct sock *sk, struct in6_addr *addr,
			       u16 *port)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		*addr = sk->sk_v6_daddr;
	else
#endif
		ipv6_addr_set_v4mapped(READ_ONCE(sk->sk_daddr), addr);
	*port = ntohs(READ_ONCE(sk->sk_dport));
}

__newtcp void newtcp_sk_set_local_addr(struct sock *sk,
				       const struct in6_addr *addr)
{
	__be32 v4 = ipv6_addr_v4mapped(addr) ? addr->s6_addr32[3] : 0;

#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		sk->sk_v6_rcv_saddr = *addr;
		inet6_sk(sk)->saddr = *addr;
		if (!ipv6_addr_v4mapped(addr))
			v4 = ipv6_addr_any(addr) ? 0 : LOOPBACK4_IPV6;
	}
#endif
	inet_sk(sk)->inet_saddr = v4;
	inet_sk(sk)->inet_rcv_saddr = v4;
}

__newtcp void newtcp_sk_set_local_port(struct sock *sk, u16 port)
{
	inet_sk(sk)->inet_num = port;
	inet_sk(sk)->inet_sport = htons(port);
}

/* The port is someone else's now; getsockname(2) still names it. */
__newtcp void newtcp_sk_clear_port(struct sock *sk)
{
	inet_sk(sk)->inet_num = 0;
}

__newtcp void newtcp_sk_set_remote(struct sock *sk,
				   const struct in6_addr *addr, u16 port)
{
	inet_sk(sk)->inet_dport = htons(port);
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		sk->sk_v6_daddr = *addr;
#endif
	inet_sk(sk)->inet_daddr = !ipv6_addr_v4mapped(addr) ?
		(ipv6_addr_any(addr) ? 0 : LOOPBACK4_IPV6) :
		addr->s6_addr32[3];
}

__newtcp void newtcp_sk_reset_saddr(struct sock *sk)
{
	inet_reset_saddr(sk);
}

/* Errors, shutdown, time-outs, buffers */

__newtcp int newtcp_sk_err(const struct sock *sk)
{
	return READ_ONCE(sk->sk_err);
}

__newtcp void newtcp_sk_set_err(struct sock *sk, int err)
{
	WRITE_ONCE(sk->sk_err, err);
}

__newtcp void newtcp_sk_set_err_soft(struct sock *sk, int err)
{
	WRITE_ONCE(sk->sk_err_soft, err);
}

__newtcp int newtcp_sock_error(struct sock *sk)
{
	return sock_error(sk);
}

__newtcp u8 newtcp_sk_shutdown(const struct sock *sk)
{
	return READ_ONCE(sk->sk_shutdown);
}

__newtcp void newtcp_sk_set_shutdown(struct sock *sk, u8 mask)
{
	WRITE_ONCE(sk->sk_shutdown, mask);
}

__newtcp long newtcp_sndtimeo(const struct sock *sk, bool noblock)
{
	return sock_sndtimeo(sk, noblock);
}

__newtcp long newtcp_rcvtimeo(const struct sock *sk, bool noblock)
{
	return sock_rcvtimeo(sk, noblock);
}

__newtcp long newtcp_lingertime(const struct sock *sk)
{
	return READ_ONCE(sk->sk_lingertime);
}

__newtcp int newtcp_sndbuf(const struct sock *sk)
{
	return READ_ONCE(sk->sk_sndbuf);
}

__newtcp int newtcp_rcvbuf(const struct sock *sk)
{
	return READ_ONCE(sk->sk_rcvbuf);
}

__newtcp void newtcp_set_sndbuf(struct sock *sk, int bytes)
{
	WRITE_ONCE(sk->sk_sndbuf, bytes);
}

__newtcp void newtcp_set_rcvbuf(struct sock *sk, int bytes)
{
	WRITE_ONCE(sk->sk_rcvbuf, bytes);
}

__newtcp bool newtcp_is_net_admin(const struct sock *sk)
{
	return sockopt_ns_capable(sock_net(sk)->user_ns, CAP_NET_ADMIN);
}

/* The user waits for room to write. */
__newtcp bool newtcp_has_nospace(const struct sock *sk)
{
	const struct socket *sock = READ_ONCE(sk->sk_socket);

	return sock && test_bit(SOCK_NOSPACE, &sock->flags);
}

/* Nobody below the socket spaces out its packets, and somebody asked for it. */
__newtcp bool newtcp_wants_pacing(const struct sock *sk)
{
	return smp_load_acquire(&sk->sk_pacing_status) == SK_PACING_NEEDED;
}

/* SO_MAX_PACING_RATE in bytes per second, all ones for none. */
__newtcp u64 newtcp_max_pacing_rate(const struct sock *sk)
{
	unsigned long rate = READ_ONCE(sk->sk_max_pacing_rate);

	return rate == ~0UL ? ~0ULL : rate;
}

/* What sch_fq and those who look at the socket go by. */
__newtcp void newtcp_set_pacing_rate(struct sock *sk, u64 rate)
{
	unsigned long value = min_t(u64, rate, ~0UL);

	if (READ_ONCE(sk->sk_pacing_rate) != value)
		WRITE_ONCE(sk->sk_pacing_rate, value);
}

__newtcp void newtcp_set_rcvlowat(struct sock *sk, int bytes)
{
	WRITE_ONCE(sk->sk_rcvlowat, bytes);
}

__newtcp int newtcp_rcvlowat(const struct sock *sk)
{
	return READ_ONCE(sk->sk_rcvlowat);
}

__newtcp int newtcp_rmem_alloc(const struct sock *sk)
{
	return atomic_read(&sk->sk_rmem_alloc);
}

__newtcp bool newtcp_stream_memory_free(const struct sock *sk)
{
	return sk_stream_memory_free(sk);
}

__newtcp bool newtcp_stream_is_writeable(const struct sock *sk)
{
	return sk_stream_is_writeable(sk);
}

__newtcp void newtcp_set_max_ack_backlog(struct sock *sk, u32 n)
{
	WRITE_ONCE(sk->sk_max_ack_backlog, n);
}

__newtcp void newtcp_set_ack_backlog(struct sock *sk, u32 n)
{
	WRITE_ONCE(sk->sk_ack_backlog, n);
}

/* Waiting and waking */

__newtcp wait_queue_head_t *newtcp_sk_sleep(struct sock *sk)
{
	return sk_sleep(sk);
}

__newtcp void newtcp_init_wait(struct wait_queue_entry *wait)
{
	*wait = (struct wait_queue_entry) {
		.private = current,
		.func = woken_wake_function,
		.entry = LIST_HEAD_INIT(wait->entry),
	};
}

__newtcp bool newtcp_signal_pending(void)
{
	return signal_pending(current);
}

__newtcp int newtcp_intr_errno(long timeo)
{
	return sock_intr_errno(timeo);
}

/* Whether SIGIO is to report data, since someone waits for it. */
__newtcp void newtcp_waiting_for_data(struct sock *sk, bool on)
{
	if (on)
		sk_set_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	else
		sk_clear_bit(SOCKWQ_ASYNC_WAITDATA, sk);
}

__newtcp void newtcp_state_change(struct sock *sk)
{
	void (*wake)(struct sock *sk) = READ_ONCE(sk->sk_state_change);

	wake(sk);
}

__newtcp void newtcp_data_ready(struct sock *sk)
{
	void (*wake)(struct sock *sk) = READ_ONCE(sk->sk_data_ready);

	wake(sk);
}

/*
 * Tell writers that there is room, if one has been turned away before: either
 * the writer sees the room or this sees its SOCK_NOSPACE.
 */
__newtcp void newtcp_write_space(struct sock *sk)
{
	void (*wake)(struct sock *sk) = READ_ONCE(sk->sk_write_space);

	smp_mb(); /* pairs with newtcp_set_nospace() */
	if (sk->sk_socket && test_bit(SOCK_NOSPACE, &sk->sk_socket->flags))
		wake(sk);
}

__newtcp void newtcp_set_nospace(struct sock *sk)
{
	sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	if (sk->sk_socket)
		set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	smp_mb__after_atomic(); /* pairs with newtcp_write_space() */
}

__newtcp void newtcp_wake_async(struct sock *sk, int how, int band)
{
	sk_wake_async(sk, how, band);
}

__newtcp void newtcp_poll_wait(struct file *file, struct socket *sock,
			       poll_table *wait)
{
	sock_poll_wait(file, sock, wait);
}

__newtcp void newtcp_sock_orphan(struct sock *sk)
{
	sock_orphan(sk);
}

__newtcp void newtcp_xfrm_free_policy(struct sock *sk)
{
	xfrm_sk_free_policy(sk);
}
