// SPDX-License-Identifier: GPL-2.0
/* Finding the route of a connection, and what is noted of it. */

/* What the administrator has noted of a route; zero for nothing. */
struct newtcp_metrics {
	u32 initcwnd;
	u32 initrwnd;
	u32 window;
	u32 ssthresh;
	u32 reordering;
	u32 rto_min_ms;
	u8 congestion[TCP_CA_NAME_MAX];
	bool ecn;
	bool quickack;
};

/* False if there is nothing, as with nearly all routes. */
__newtcp bool newtcp_dst_metrics(const struct dst_entry *dst,
				 struct newtcp_metrics *metrics)
{
	u32 key;

	if (!dst || dst_metrics_ptr((struct dst_entry *)dst) ==
	    dst_default_metrics.metrics)
		return false;
	metrics->initcwnd = dst_metric(dst, RTAX_INITCWND);
	metrics->initrwnd = dst_metric(dst, RTAX_INITRWND);
	metrics->window = dst_metric(dst, RTAX_WINDOW);
	metrics->ssthresh = dst_metric(dst, RTAX_SSTHRESH);
	metrics->reordering = dst_metric(dst, RTAX_REORDERING);
	if (dst_metric_locked(dst, RTAX_RTO_MIN))
		metrics->rto_min_ms = dst_metric(dst, RTAX_RTO_MIN);
	metrics->quickack = dst_metric(dst, RTAX_QUICKACK);
	metrics->ecn = dst_feature(dst, RTAX_FEATURE_ECN);
	key = dst_metric(dst, RTAX_CC_ALGO);
	if (key != TCP_CA_UNSPEC)
		tcp_ca_get_name_by_key(key, (char *)metrics->congestion);
	return true;
}

__newtcp bool newtcp_sk_metrics(struct sock *sk, struct newtcp_metrics *metrics)
{
	return newtcp_dst_metrics(__sk_dst_get(sk), metrics);
}

/* The route of a connection */

/* A local address is reached in one way, whatever the source and the ports,
 * where no rule and no policy is in force that asks for them.
 */
__newtcp bool newtcp_route_is_plain(const struct sock *sk,
				    const struct rtable *rt)
{
	const struct net *net = sock_net(sk);

	if (rt->rt_type != RTN_LOCAL)
		return false;
#ifdef CONFIG_IP_MULTIPLE_TABLES
	if (net->ipv4.fib_has_custom_rules)
		return false;
#endif
#ifdef CONFIG_XFRM
	if (net->xfrm.policy_count[XFRM_POLICY_OUT] ||
	    rcu_access_pointer(sk->sk_policy[XFRM_POLICY_OUT]))
		return false;
#endif
	return true;
}

/*
 * As sk_setup_caps() does for TCP alone: superpackets save work above a device
 * that takes none, and are cut just in front of it. Its own limits hold.
 */
__newtcp void newtcp_route_caps(struct sock *sk)
{
	const struct dst_entry *dst = __sk_dst_get(sk);
	const struct net_device *dev;
	u32 size;

	if (!dst || sk_can_gso(sk) || sk->sk_gso_disabled || dst->header_len)
		return;
	rcu_read_lock();
	dev = dst_dev_rcu(dst);
	size = sk->sk_gso_type & SKB_GSO_TCPV6 ?
		READ_ONCE(dev->gso_max_size) : READ_ONCE(dev->gso_ipv4_max_size);
	sk->sk_gso_max_size = min_t(u32, size, GSO_LEGACY_MAX_SIZE) -
			      (MAX_TCP_HEADER + 1);
	sk->sk_gso_max_segs = max_t(u32, READ_ONCE(dev->gso_max_segs), 1);
	sk->sk_route_caps |= NETIF_F_GSO | NETIF_F_GSO_SOFTWARE | NETIF_F_SG |
			     NETIF_F_HW_CSUM;
	rcu_read_unlock();
}

/* As ip_route_connect(), without the second look-up where it would find what
 * the first has found.
 */
__newtcp struct rtable *newtcp_route_lookup4(struct sock *sk,
					     struct flowi4 *fl4, __be32 daddr,
					     u16 dport)
{
	const struct inet_sock *inet = inet_sk(sk);
	struct rtable *rt;

	ip_route_connect_init(fl4, daddr, inet->inet_saddr,
			      sk->sk_bound_dev_if, sk->sk_protocol,
			      inet->inet_sport, htons(dport), sk);
	if (!daddr || !inet->inet_saddr) {
		rt = __ip_route_output_key(sock_net(sk), fl4);
		if (IS_ERR(rt))
			return rt;
		if (newtcp_route_is_plain(sk, rt)) {
			security_sk_classify_flow(sk,
						  flowi4_to_flowi_common(fl4));
			return rt;
		}
		ip_rt_put(rt);
		flowi4_update_output(fl4, sk->sk_bound_dev_if, fl4->daddr,
				     fl4->saddr);
	}
	security_sk_classify_flow(sk, flowi4_to_flowi_common(fl4));
	return ip_route_output_flow(sock_net(sk), fl4, sk);
}

__newtcp int newtcp_route_connect4(struct sock *sk, struct in6_addr *local,
				   struct in6_addr *remote, u16 dport)
{
	struct inet_sock *inet = inet_sk(sk);
	struct flowi4 *fl4 = &inet->cork.fl.u.ip4;
	struct ip_options_rcu *opt;
	__be32 daddr = remote->s6_addr32[3];
	struct rtable *rt;

	opt = rcu_dereference_protected(inet->inet_opt,
					lockdep_sock_is_held(sk));
	rt = newtcp_route_lookup4(sk, fl4,
				  opt && opt->opt.srr ? opt->opt.faddr : daddr,
				  dport);
	if (IS_ERR(rt)) {
		if (PTR_ERR(rt) == -ENETUNREACH)
			IP_INC_STATS(sock_net(sk), IPSTATS_MIB_OUTNOROUTES);
		return PTR_ERR(rt);
	}
	if (rt->rt_flags & (RTCF_MULTICAST | RTCF_BROADCAST)) {
		ip_rt_put(rt);
		return -ENETUNREACH;
	}
	if (!opt || !opt->opt.srr)
		ipv6_addr_set_v4mapped(fl4->daddr, remote);
	ipv6_addr_set_v4mapped(fl4->saddr, local);
	sk->sk_gso_type = SKB_GSO_TCPV4 | SKB_GSO_SCTP;
	sk_setup_caps(sk, &rt->dst);
	newtcp_route_caps(sk);
	return 0;
}

__newtcp int newtcp_route_newports4(struct sock *sk)
{
	struct inet_sock *inet = inet_sk(sk);
	struct flowi4 *fl4 = &inet->cork.fl.u.ip4;
	const struct dst_entry *dst = __sk_dst_get(sk);
	struct rtable *rt;

	fl4->fl4_dport = inet->inet_dport;
	fl4->fl4_sport = inet->inet_sport;
	if (dst && newtcp_route_is_plain(sk, dst_rtable(dst))) {
		security_sk_classify_flow(sk, flowi4_to_flowi_common(fl4));
		return 0;
	}
	flowi4_update_output(fl4, sk->sk_bound_dev_if, fl4->daddr, fl4->saddr);
	security_sk_classify_flow(sk, flowi4_to_flowi_common(fl4));
	rt = ip_route_output_flow(sock_net(sk), fl4, sk);
	if (IS_ERR(rt))
		return PTR_ERR(rt);
	sk_setup_caps(sk, &rt->dst);
	newtcp_route_caps(sk);
	return 0;
}

/* Gives a socket the route that a look-up for the same two ends has found. The
 * reference is the socket's if it is taken.
 */
__newtcp bool newtcp_route_adopt4(struct sock *sk, struct dst_entry *dst)
{
	struct inet_sock *inet = inet_sk(sk);
	struct flowi4 *fl4 = &inet->cork.fl.u.ip4;

	if (rcu_access_pointer(inet->inet_opt) || !dst_check(dst, 0) ||
	    !newtcp_route_is_plain(sk, dst_rtable(dst)))
		return false;
	ip_route_connect_init(fl4, inet->inet_daddr, inet->inet_saddr,
			      sk->sk_bound_dev_if, sk->sk_protocol,
			      inet->inet_sport, inet->inet_dport, sk);
	security_sk_classify_flow(sk, flowi4_to_flowi_common(fl4));
	sk->sk_gso_type = SKB_GSO_TCPV4 | SKB_GSO_SCTP;
	sk_setup_caps(sk, dst);
	newtcp_route_caps(sk);
	return true;
}

__newtcp int newtcp_route_connect6(struct sock *sk, struct in6_addr *local,
				   const struct in6_addr *remote, u16 dport)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct flowi6 *fl6 = &inet_sk(sk)->cork.fl.u.ip6;
	struct ipv6_pinfo *np = inet6_sk(sk);
	struct in6_addr *final;
	struct dst_entry *dst;
	struct ipv6_txoptions *opt;

	memset(fl6, 0, sizeof(*fl6));
	fl6->flowi6_proto = sk->sk_protocol;
	fl6->daddr = *remote;
	fl6->saddr = ipv6_addr_any(&sk->sk_v6_rcv_saddr) ? np->saddr :
		sk->sk_v6_rcv_saddr;
	fl6->flowlabel = ip6_make_flowinfo(np->tclass, np->flow_label);
	fl6->flowi6_oif = sk->sk_bound_dev_if;
	fl6->flowi6_mark = READ_ONCE(sk->sk_mark);
	fl6->fl6_dport = htons(dport);
	fl6->fl6_sport = inet_sk(sk)->inet_sport;
	fl6->flowi6_uid = sk_uid(sk);
	opt = rcu_dereference_protected(np->opt, lockdep_sock_is_held(sk));
	final = fl6_update_dst(fl6, opt, &np->final);
	security_sk_classify_flow(sk, flowi6_to_flowi_common(fl6));

	dst = ip6_dst_lookup_flow(sock_net(sk), sk, fl6, final);
	if (IS_ERR(dst))
		return PTR_ERR(dst);
	*local = fl6->saddr;
	fl6->daddr = *remote;
	sk->sk_gso_type = SKB_GSO_TCPV6 | SKB_GSO_SCTP;
	ip6_dst_store(sk, dst, false, false);
	newtcp_route_caps(sk);
	return 0;
#else
	return -EAFNOSUPPORT;
#endif
}

/* A host that talks to itself under one address: the way back is the way that
 * the packet came, where a look-up for its sender would have no more to go by.
 * Routes that a user has tied to another device are not shared with others.
 */
__newtcp struct dst_entry *newtcp_route_back4(const struct sock *sk,
					      const struct sk_buff *skb)
{
	const struct rtable *rt = skb_rtable(skb);
	const struct iphdr *iph = ip_hdr(skb);
	struct dst_entry *dst = skb_dst(skb);

	if (iph->saddr != iph->daddr || !dst || !rt_is_output_route(rt) ||
	    (rt->rt_iif && rt->rt_iif != dst->dev->ifindex) ||
	    sk->sk_bound_dev_if || !dst_check(dst, 0) ||
	    ((iph->tos ^ ip_sock_rt_tos(sk)) & INET_DSCP_MASK) ||
	    !newtcp_route_is_plain(sk, rt))
		return NULL;
	dst_hold(dst);
	return dst;
}

/* What a route to a peer would allow, in answer to a packet of his. One that
 * the connection can have as it is, is kept.
 */
__newtcp int newtcp_route_probe(struct sock *sk, const struct sk_buff *skb,
				const struct in6_addr *local,
				const struct in6_addr *remote, u16 lport,
				u16 rport, int oif, u32 mark, u32 *mtu,
				u32 *advmss, struct newtcp_metrics *metrics,
				bool *has_metrics, struct dst_entry **kept)
{
	struct net *net = sock_net(sk);
	struct dst_entry *dst;

	if (ipv6_addr_v4mapped(remote)) {
		struct flowi4 fl4;
		struct rtable *rt;

		dst = newtcp_route_back4(sk, skb);
		if (dst) {
			*kept = dst;
			goto found;
		}
		flowi4_init_output(&fl4, oif, mark, ip_sock_rt_tos(sk),
				   ip_sock_rt_scope(sk), sk->sk_protocol,
				   inet_sk_flowi_flags(sk),
				   remote->s6_addr32[3], local->s6_addr32[3],
				   htons(rport), htons(lport), sk_uid(sk));
		security_sk_classify_flow(sk, flowi4_to_flowi_common(&fl4));
		rt = ip_route_output_flow(net, &fl4, sk);
		if (IS_ERR(rt))
			return PTR_ERR(rt);
		dst = &rt->dst;
		if (newtcp_route_is_plain(sk, rt))
			*kept = dst;
	} else {
#if IS_ENABLED(CONFIG_IPV6)
		struct flowi6 fl6 = {
			.flowi6_proto = sk->sk_protocol,
			.flowi6_oif = oif,
			.flowi6_mark = mark,
			.flowi6_uid = sk_uid(sk),
			.daddr = *remote,
			.saddr = *local,
			.fl6_dport = htons(rport),
			.fl6_sport = htons(lport),
		};

		security_sk_classify_flow(sk, flowi6_to_flowi_common(&fl6));
		dst = ip6_dst_lookup_flow(net, sk, &fl6, NULL);
		if (IS_ERR(dst))
			return PTR_ERR(dst);
#else
		return -EAFNOSUPPORT;
#endif
	}
found:
	*mtu = dst_mtu(dst);
	*advmss = dst_metric_advmss(dst);
	*has_metrics = newtcp_dst_metrics(dst, metrics);
	if (!*kept)
		dst_release(dst);
	return 0;
}
