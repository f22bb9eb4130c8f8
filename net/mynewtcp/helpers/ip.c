// SPDX-License-Identifier: GPL-2.0
/* IP output, what is asked of a route, policy, socket options of the IP layers. */

__newtcp u8 newtcp_sk_tos(const struct sock *sk)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		return READ_ONCE(inet6_sk(sk)->tclass);
#endif
	return READ_ONCE(inet_sk(sk)->tos);
}

/* Flow label and scope of connect(2), as RFC 3493 sockets take them. */
__newtcp int newtcp_connect6_scope(struct sock *sk, u32 flowinfo, u32 scope,
				   bool link_local)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct ip6_flowlabel *label;
	__be32 info = 0;

	if (inet6_test_bit(SNDFLOW, sk)) {
		info = htonl(flowinfo) & IPV6_FLOWINFO_MASK;
		if (info & IPV6_FLOWLABEL_MASK) {
			label = fl6_sock_lookup(sk, info);
			if (IS_ERR(label))
				return -EINVAL;
			fl6_sock_release(label);
		}
	}
	if (link_local) {
		if (scope) {
			if (!sk_dev_equal_l3scope(sk, scope))
				return -EINVAL;
			sk->sk_bound_dev_if = scope;
		}
		if (!sk->sk_bound_dev_if)
			return -EINVAL;
	}
	inet6_sk(sk)->flow_label = info;
	return 0;
#else
	return -EAFNOSUPPORT;
#endif
}

__newtcp void newtcp_route_reset(struct sock *sk)
{
	__sk_dst_reset(sk);
	newtcp_early_forget(sk);
	sk->sk_route_caps = 0;
}

__newtcp u32 newtcp_dst_mtu(struct sock *sk)
{
	const struct dst_entry *dst = __sk_dst_get(sk);

	return dst ? dst_mtu(dst) : 0;
}

__newtcp u32 newtcp_dst_advmss(struct sock *sk)
{
	const struct dst_entry *dst = __sk_dst_get(sk);

	return dst ? dst_metric_advmss(dst) : 0;
}

__newtcp u32 newtcp_ip_header_len(const struct sock *sk, bool v6)
{
	const struct ip_options_rcu *opt;
	u32 len;

	rcu_read_lock();
#if IS_ENABLED(CONFIG_IPV6)
	if (v6) {
		const struct ipv6_txoptions *opt6;

		len = sizeof(struct ipv6hdr);
		opt6 = rcu_dereference(inet6_sk(sk)->opt);
		if (opt6)
			len += opt6->opt_flen + opt6->opt_nflen;
		rcu_read_unlock();
		return len;
	}
#endif
	len = sizeof(struct iphdr);
	opt = rcu_dereference(inet_sk(sk)->inet_opt);
	if (opt)
		len += opt->opt.optlen;
	rcu_read_unlock();
	return len;
}

__newtcp u32 newtcp_gso_max_size(const struct sock *sk)
{
	return READ_ONCE(sk->sk_gso_max_size);
}

__newtcp u16 newtcp_gso_max_segs(const struct sock *sk)
{
	return READ_ONCE(sk->sk_gso_max_segs);
}

__newtcp bool newtcp_can_gso(const struct sock *sk)
{
	return sk_can_gso(sk);
}

__newtcp u32 newtcp_gso_type(const struct sock *sk)
{
	return sk->sk_gso_type;
}

__newtcp void newtcp_update_pmtu(struct sock *sk, bool v6, u32 mtu)
{
	struct dst_entry *dst;

#if IS_ENABLED(CONFIG_IPV6)
	if (v6) {
		dst = __sk_dst_check(sk, inet6_sk(sk)->dst_cookie);
		if (dst)
			dst->ops->update_pmtu(dst, sk, NULL, mtu, true);
		__sk_dst_check(sk, inet6_sk(sk)->dst_cookie);
		return;
	}
#endif
	dst = __sk_dst_check(sk, 0);
	if (dst) {
		dst->ops->update_pmtu(dst, sk, NULL, mtu, true);
		__sk_dst_check(sk, 0);
	}
}

__newtcp void newtcp_dst_redirect(struct sock *sk, bool v6,
				  struct sk_buff *skb)
{
	struct dst_entry *dst;
	u32 cookie = 0;

#if IS_ENABLED(CONFIG_IPV6)
	if (v6)
		cookie = inet6_sk(sk)->dst_cookie;
#endif
	dst = __sk_dst_check(sk, cookie);
	if (dst)
		dst->ops->redirect(dst, sk, skb);
}

__newtcp void newtcp_dst_negative_advice(struct sock *sk)
{
	dst_negative_advice(sk);
}

/* Is path MTU discovery on for this socket? */
__newtcp bool newtcp_pmtu_discovery(const struct sock *sk, bool v6)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (v6)
		return READ_ONCE(inet6_sk(sk)->pmtudisc) != IPV6_PMTUDISC_DONT;
#endif
	return READ_ONCE(inet_sk(sk)->pmtudisc) != IP_PMTUDISC_DONT;
}

__newtcp u8 newtcp_min_hop_limit(const struct sock *sk, bool v6)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (v6)
		return READ_ONCE(inet6_sk(sk)->min_hopcount);
#endif
	return READ_ONCE(inet_sk(sk)->min_ttl);
}

/* The codepoint of what the socket sends next, in both address families. */
__newtcp void newtcp_set_ecn(struct sock *sk, bool capable)
{
	if (capable)
		INET_ECN_xmit(sk);
	else
		INET_ECN_dontxmit(sk);
}

/* Output on a socket */

__newtcp int newtcp_ip_queue_xmit(struct sock *sk, struct sk_buff *skb,
				  bool v6)
{
	struct flowi *fl = &inet_sk(sk)->cork.fl;

#if IS_ENABLED(CONFIG_IPV6)
	if (v6)
		return inet6_csk_xmit(sk, skb, fl);
#endif
	return ip_queue_xmit(sk, skb, fl);
}

/* Output without one: ctl names the protocol and the namespace. */

__newtcp int newtcp_send_control4(struct sock *ctl, const struct sock *sk,
				  struct sk_buff *skb, u32 saddr, u32 daddr,
				  int oif, u32 mark, u8 tos)
{
	const struct tcphdr *th = tcp_hdr(skb);
	struct net *net = sock_net(ctl);
	const struct sock *from = sk ?: ctl;
	struct flowi4 fl4;
	struct rtable *rt;
	int err;

	rcu_read_lock();
	flowi4_init_output(&fl4, oif, mark, tos & INET_DSCP_MASK,
			   ip_sock_rt_scope(from), ctl->sk_protocol,
			   inet_sk_flowi_flags(from),
			   (__force __be32)daddr, (__force __be32)saddr,
			   th->dest, th->source, sk_uid(from));
	security_sk_classify_flow(from, flowi4_to_flowi_common(&fl4));
	rt = ip_route_output_flow(net, &fl4, from);
	if (IS_ERR(rt)) {
		rcu_read_unlock();
		kfree_skb_reason(skb, SKB_DROP_REASON_IP_OUTNOROUTES);
		return PTR_ERR(rt);
	}
	skb_dst_set(skb, &rt->dst);
	skb->mark = mark;
	err = ip_build_and_send_pkt(skb, from, (__force __be32)saddr,
				    (__force __be32)daddr, NULL, tos);
	rcu_read_unlock();
	return net_xmit_eval(err);
}

__newtcp int newtcp_send_control6(struct sock *ctl, const struct sock *sk,
				  struct sk_buff *skb,
				  const struct in6_addr *saddr,
				  const struct in6_addr *daddr, int oif,
				  u32 mark, u8 tclass)
{
#if IS_ENABLED(CONFIG_IPV6)
	const struct tcphdr *th = tcp_hdr(skb);
	struct net *net = sock_net(ctl);
	const struct sock *from = sk ?: ctl;
	struct flowi6 fl6 = {
		.flowi6_proto = ctl->sk_protocol,
		.flowi6_oif = oif,
		.flowi6_mark = mark,
		.flowi6_uid = sk_uid(from),
		.daddr = *daddr,
		.saddr = *saddr,
		.fl6_dport = th->dest,
		.fl6_sport = th->source,
	};
	struct dst_entry *dst;
	int err;

	security_sk_classify_flow(from, flowi6_to_flowi_common(&fl6));
	dst = ip6_dst_lookup_flow(net, from, &fl6, NULL);
	if (IS_ERR(dst)) {
		kfree_skb_reason(skb, SKB_DROP_REASON_IP_OUTNOROUTES);
		return PTR_ERR(dst);
	}
	skb_dst_set(skb, dst);
	rcu_read_lock();
	err = ip6_xmit(from, skb, &fl6, mark, NULL, tclass,
		       READ_ONCE(from->sk_priority));
	rcu_read_unlock();
	return net_xmit_eval(err);
#else
	kfree_skb(skb);
	return -EAFNOSUPPORT;
#endif
}

/* Input */

__newtcp bool newtcp_policy_check(struct sock *sk, struct sk_buff *skb)
{
#ifdef CONFIG_XFRM
	/* Nobody has a policy: what the functions below find most often. */
	if (!(sk && rcu_access_pointer(sk->sk_policy[XFRM_POLICY_IN])) &&
	    __xfrm_check_nopolicy(dev_net(skb->dev), skb, XFRM_POLICY_IN))
		return true;
#endif
#if IS_ENABLED(CONFIG_IPV6)
	if (newtcp_skb_is_ipv6(skb))
		return xfrm6_policy_check(sk, XFRM_POLICY_IN, skb);
#endif
	return xfrm4_policy_check(sk, XFRM_POLICY_IN, skb);
}

__newtcp void newtcp_nf_reset(struct sk_buff *skb)
{
	nf_reset_ct(skb);
}

__newtcp int newtcp_filter(struct sock *sk, struct sk_buff *skb,
			   unsigned int cap)
{
	return sk_filter_trim_cap(sk, skb, cap);
}

__newtcp void newtcp_note_input(struct sock *sk, struct sk_buff *skb)
{
	/* The device stamps packets while anyone wants that. One that has not
	 * been through the device, or came just before, gets its stamp here.
	 */
	if ((static_branch_unlikely(&netstamp_needed_key) ||
	     unlikely(sk->sk_flags & SK_FLAGS_TIMESTAMP)) && !skb->tstamp)
		__net_timestamp(skb);
	/* At a listener the user says which CPU it is for. */
	if (sk->sk_state != TCP_LISTEN)
		sk_incoming_cpu_update(sk);
	sk_mark_napi_id(sk, skb);
	sock_rps_save_rxhash(sk, skb);
}

__newtcp void newtcp_count_drop(struct sock *sk, struct sk_buff *skb)
{
	sk_drops_skbadd(sk, skb);
}

/* Options of the IP layers */

__newtcp int newtcp_ip_setsockopt(struct sock *sk, int level, int name,
				  sockptr_t val, unsigned int len)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		return ipv6_setsockopt(sk, level, name, val, len);
#endif
	return ip_setsockopt(sk, level, name, val, len);
}

__newtcp int newtcp_sol_setsockopt(struct sock *sk, int name, sockptr_t val,
				   unsigned int len)
{
	return sk_setsockopt(sk, SOL_SOCKET, name, val, len);
}

__newtcp int newtcp_ip_getsockopt(struct sock *sk, int level, int name,
				  char __user *val, int __user *len)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		return ipv6_getsockopt(sk, level, name, val, len);
#endif
	return ip_getsockopt(sk, level, name, val, len);
}

__newtcp int newtcp_copy_from_sockptr(void *dst, sockptr_t src, size_t len)
{
	return copy_from_sockptr(dst, src, len);
}

__newtcp int newtcp_get_user_int(int *value, const int __user *from)
{
	return get_user(*value, from);
}

__newtcp int newtcp_put_user_int(int value, int __user *to)
{
	return put_user(value, to);
}

__newtcp int newtcp_copy_to_user(void __user *to, const void *from, size_t len)
{
	return copy_to_user(to, from, len) ? -EFAULT : 0;
}

/* Registration with IPv6, where there is IPv6 */

__newtcp int newtcp_inet6_add_protocol(const struct inet6_protocol *prot, u8 num)
{
#if IS_ENABLED(CONFIG_MY_NEWTCP_IPV6)
	return inet6_add_protocol(prot, num);
#else
	return -EAFNOSUPPORT;
#endif
}

__newtcp int newtcp_inet6_del_protocol(const struct inet6_protocol *prot, u8 num)
{
#if IS_ENABLED(CONFIG_MY_NEWTCP_IPV6)
	return inet6_del_protocol(prot, num);
#else
	return 0;
#endif
}

__newtcp int newtcp_inet6_add_offload(const struct net_offload *prot, u8 num)
{
#if IS_ENABLED(CONFIG_MY_NEWTCP_IPV6)
	return inet6_add_offload(prot, num);
#else
	return -EAFNOSUPPORT;
#endif
}

__newtcp int newtcp_inet6_del_offload(const struct net_offload *prot, u8 num)
{
#if IS_ENABLED(CONFIG_MY_NEWTCP_IPV6)
	return inet6_del_offload(prot, num);
#else
	return 0;
#endif
}

__newtcp int newtcp_inet6_register_protosw(struct inet_protosw *p)
{
#if IS_ENABLED(CONFIG_MY_NEWTCP_IPV6)
	return inet6_register_protosw(p);
#else
	return -EAFNOSUPPORT;
#endif
}

__newtcp void newtcp_inet6_unregister_protosw(struct inet_protosw *p)
{
#if IS_ENABLED(CONFIG_MY_NEWTCP_IPV6)
	inet6_unregister_protosw(p);
#endif
}

__newtcp void newtcp_ctl_sock_destroy(struct sock *sk)
{
	inet_ctl_sock_destroy(sk);
}
