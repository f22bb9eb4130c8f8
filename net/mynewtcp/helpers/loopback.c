// SPDX-License-Identifier: GPL-2.0
/*
 * From one socket of this host to another. What IP, the loopback device and
 * its queue would do to such a packet is written down here in one piece.
 */

#include <linux/bpf-cgroup.h>
#include <net/raw.h>
#include <net/rawv6.h>
#include <net/sch_generic.h>
#include <trace/events/net.h>

/* IP would hand packets of the socket on this route to the loopback device and
 * that one back to IP, as they are. Under RCU.
 */
__newtcp bool newtcp_loopback_leads4(const struct sock *sk,
				     const struct dst_entry *dst)
{
	if (dst->input != ip_local_deliver || dst->output != ip_output ||
	    rcu_access_pointer(inet_sk(sk)->inet_opt))
		return false;
	/* An address may become that of all after a socket has connected to it. */
	if (dst_rtable(dst)->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST))
		return false;
#ifdef CONFIG_IP_ROUTE_CLASSID
	if (dst->tclassid)
		return false;
#endif
	return dst_dev_rcu(dst) == sock_net(sk)->loopback_dev;
}

/* The route of the socket, if IP would hand its packets to the loopback device
 * and that one back to IP, as they are. Under RCU.
 */
__newtcp struct dst_entry *newtcp_loopback_route(struct sock *sk, bool v6)
{
	struct dst_entry *dst;

#if IS_ENABLED(CONFIG_IPV6)
	if (v6) {
		struct ipv6_pinfo *np = inet6_sk(sk);

		dst = __sk_dst_check(sk, np->dst_cookie);
		if (!dst || dst->input != ip6_input ||
		    dst->output != ip6_output || rcu_access_pointer(np->opt))
			return NULL;
		return dst_dev_rcu(dst) == sock_net(sk)->loopback_dev ?
			dst : NULL;
	}
#endif
	/* What __sk_dst_check() would find of a route of IPv4 most often. */
	dst = __sk_dst_get(sk);
	if (!dst || READ_ONCE(dst->obsolete) != DST_OBSOLETE_FORCE_CHK ||
	    dst_rtable(dst)->rt_genid != rt_genid_ipv4(sock_net(sk)))
		dst = __sk_dst_check(sk, 0);
	return dst && newtcp_loopback_leads4(sk, dst) ? dst : NULL;
}

#ifdef CONFIG_NETFILTER
__newtcp bool newtcp_hooks_between(struct nf_hook_entries __rcu *const *hooks)
{
	return rcu_access_pointer(hooks[NF_INET_LOCAL_OUT]) ||
		rcu_access_pointer(hooks[NF_INET_POST_ROUTING]) ||
		rcu_access_pointer(hooks[NF_INET_PRE_ROUTING]) ||
		rcu_access_pointer(hooks[NF_INET_LOCAL_IN]);
}
#endif

/* Nobody on the way through IP and the loopback device looks at packets of
 * the socket: no filter, classifier, queue, tap, raw socket, policy or
 * trace point. Under RCU.
 */
__newtcp bool newtcp_loopback_unseen(const struct sock *sk, bool v6)
{
	const struct net *net = sock_net(sk);
	const struct net_device *lo = net->loopback_dev;
	struct raw_hashinfo *raw = &raw_v4_hashinfo;
	const struct Qdisc *qdisc;

	if (!(lo->flags & IFF_UP))
		return false;
	if (!list_empty(&net->ptype_all) || !list_empty(&net->ptype_specific) ||
	    !list_empty(&lo->ptype_all) || !list_empty(&lo->ptype_specific))
		return false;
#ifdef CONFIG_NETFILTER
	if (newtcp_hooks_between(v6 ? net->nf.hooks_ipv6 : net->nf.hooks_ipv4))
		return false;
#endif
#ifdef CONFIG_NETFILTER_INGRESS
	if (rcu_access_pointer(lo->nf_hooks_ingress))
		return false;
#endif
#ifdef CONFIG_NETFILTER_EGRESS
	if (rcu_access_pointer(lo->nf_hooks_egress))
		return false;
#endif
#ifdef CONFIG_NET_XGRESS
	if (rcu_access_pointer(lo->tcx_ingress) ||
	    rcu_access_pointer(lo->tcx_egress))
		return false;
#endif
	if (rcu_access_pointer(lo->xdp_prog) ||
	    rcu_access_pointer(lo->rx_handler))
		return false;
	qdisc = rcu_dereference(netdev_get_tx_queue(lo, 0)->qdisc);
	if (qdisc->enqueue)
		return false;
#if IS_ENABLED(CONFIG_IPV6)
	if (v6) {
		const struct inet6_dev *idev = __in6_dev_get(lo);

		if (!idev || READ_ONCE(idev->cnf.disable_ipv6))
			return false;
		raw = &raw_v6_hashinfo;
	}
#endif
	if (!hlist_empty(&raw->ht[raw_hashfunc(net, CONFIG_MY_NEWTCP_PROTO)]))
		return false;
	if (cgroup_bpf_enabled(CGROUP_INET_EGRESS))
		return false;
#ifdef CONFIG_XFRM
	if (net->xfrm.policy_count[XFRM_POLICY_IN] ||
	    net->xfrm.policy_default[XFRM_POLICY_IN] != XFRM_USERPOLICY_ACCEPT)
		return false;
#endif
	return !trace_net_dev_queue_enabled() &&
		!trace_net_dev_start_xmit_enabled() &&
		!trace_net_dev_xmit_enabled() &&
		!trace_netif_rx_entry_enabled() &&
		!trace_netif_rx_enabled() &&
		!trace_netif_receive_skb_enabled();
}

/* The packet may go as it is: it fits, has no pages of a user who waits for
 * them, and nobody wants to know when it leaves or when it may.
 */
__newtcp bool newtcp_loopback_fits(const struct sk_buff *skb,
				   const struct dst_entry *dst, bool v6)
{
	const unsigned int header = v6 ? sizeof(struct ipv6hdr) :
		sizeof(struct iphdr);

	const unsigned int least = v6 ? IPV6_MIN_MTU : IPV4_MIN_MTU;

	return !skb_zcopy((struct sk_buff *)skb) && !skb->tstamp &&
		!(skb_shinfo(skb)->tx_flags & SKBTX_ANY_TSTAMP) &&
		(skb_is_gso(skb) || skb->len + header <= least ||
		 skb->len + header <= dst_mtu(dst));
}

/* Room for IP's header, with what is the same in all of the socket. */
__newtcp struct iphdr *newtcp_loopback_push4(const struct inet_sock *inet,
					     struct sk_buff *skb,
					     struct dst_entry *dst)
{
	const int ttl = READ_ONCE(inet->uc_ttl);
	struct iphdr *iph = __skb_push(skb, sizeof(*iph));

	skb_reset_network_header(skb);
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->ttl = ttl < 0 ? ip4_dst_hoplimit(dst) : ttl;
	iph->protocol = inet->sk.sk_protocol;
	iph_set_totlen(iph, skb->len);
	return iph;
}

__newtcp void newtcp_loopback_finish4(const struct sock *sk,
				      struct sk_buff *skb, struct iphdr *iph)
{
	struct net *net = sock_net(sk);

	iph->check = 0;
	iph->check = ip_fast_csum(iph, sizeof(*iph) / 4);
	skb->protocol = htons(ETH_P_IP);
	IP_INC_STATS(net, IPSTATS_MIB_OUTREQUESTS);
	IP_UPD_PO_STATS(net, IPSTATS_MIB_OUT, skb->len);
}

__newtcp void newtcp_loopback_header4(struct sock *sk, struct sk_buff *skb,
				      struct dst_entry *dst)
{
	const struct inet_sock *inet = inet_sk(sk);
	const struct flowi4 *fl4 = &inet->cork.fl.u.ip4;
	struct iphdr *iph;

	iph = newtcp_loopback_push4(inet, skb, dst);
	iph->tos = READ_ONCE(inet->tos);
	iph->frag_off = ip_dont_fragment(sk, dst) ? htons(IP_DF) : 0;
	iph->saddr = fl4->saddr;
	iph->daddr = fl4->daddr;
	ip_select_ident_segs(sock_net(sk), skb, sk,
			     skb_shinfo(skb)->gso_segs ?: 1);
	newtcp_loopback_finish4(sk, skb, iph);
}

/* The same for a listener's answer to a SYN, as ip_build_and_send_pkt() writes
 * it: too small to be cut.
 */
__newtcp void newtcp_loopback_synack4(struct sock *sk, struct sk_buff *skb,
				      struct dst_entry *dst, u32 saddr,
				      u32 daddr, u8 tos)
{
	struct iphdr *iph = newtcp_loopback_push4(inet_sk(sk), skb, dst);

	iph->tos = tos;
	iph->frag_off = htons(IP_DF);
	iph->saddr = (__force __be32)saddr;
	iph->daddr = (__force __be32)daddr;
	iph->id = 0;
	newtcp_loopback_finish4(sk, skb, iph);
}

__newtcp void newtcp_loopback_header6(struct sock *sk, struct sk_buff *skb,
				      struct dst_entry *dst)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct flowi6 *fl6 = &inet_sk(sk)->cork.fl.u.ip6;
	struct inet6_dev *idev = ip6_dst_idev(dst);
	struct ipv6_pinfo *np = inet6_sk(sk);
	int hop_limit = READ_ONCE(np->hop_limit);
	struct net *net = sock_net(sk);
	const u32 len = skb->len;
	struct ipv6hdr *hdr;

	hdr = __skb_push(skb, sizeof(*hdr));
	skb_reset_network_header(skb);
	ip6_flow_hdr(hdr, np->tclass,
		     ip6_make_flowlabel(net, skb, fl6->flowlabel,
					ip6_autoflowlabel(net, sk), fl6));
	hdr->payload_len = len > IPV6_MAXPLEN ? 0 : htons(len);
	hdr->nexthdr = sk->sk_protocol;
	hdr->hop_limit = hop_limit < 0 ? ip6_dst_hoplimit(dst) : hop_limit;
	hdr->saddr = fl6->saddr;
	hdr->daddr = fl6->daddr;
	skb->protocol = htons(ETH_P_IPV6);
	IP6_INC_STATS(net, idev, IPSTATS_MIB_OUTREQUESTS);
	IP6_UPD_PO_STATS(net, idev, IPSTATS_MIB_OUT, skb->len);
#endif
}

/* Where the flow's hash is in the control block, behind what is IP's. */
__newtcp u32 *newtcp_loopback_hash(struct sk_buff *skb)
{
	const size_t place = sizeof(skb->cb) - sizeof(u32);

	BUILD_BUG_ON(place < sizeof(struct inet_skb_parm));
	BUILD_BUG_ON(place < sizeof(struct inet6_skb_parm));
	return (u32 *)(skb->cb + place);
}

/* Out of the loopback device and in again, up to the door of the protocol.
 * Headers of ours and of IP are there.
 */
__newtcp void newtcp_loopback_cross(struct sock *sk, struct sk_buff *skb,
				    struct dst_entry *dst, bool v6, u32 hash)
{
	struct net_device *lo = sock_net(sk)->loopback_dev;
	struct ethhdr *eth = (struct ethhdr *)(skb->data - ETH_HLEN);

	memset(eth, 0, 2 * ETH_ALEN);
	eth->h_proto = skb->protocol;
	skb->mac_header = (u8 *)eth - skb->head;
	skb->mac_len = ETH_HLEN;
	skb->priority = READ_ONCE(sk->sk_priority);
	skb->mark = READ_ONCE(sk->sk_mark);
	skb->dev = lo;
	skb->skb_iif = lo->ifindex;
	skb->pkt_type = PACKET_HOST;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->csum_level = 0;
	dst_hold(dst);
	skb_dst_set(skb, dst);
	newtcp_skb_clear_ip_cb(skb);
#if IS_ENABLED(CONFIG_IPV6)
	if (v6) {
		IP6CB(skb)->iif = ip6_dst_idev(dst)->dev->ifindex;
		IP6CB(skb)->nhoff = offsetof(struct ipv6hdr, nexthdr);
	} else
#endif
		IPCB(skb)->iif = lo->ifindex;
	*newtcp_loopback_hash(skb) = hash;
	__skb_pull(skb, skb_transport_offset(skb));
}

/* What the device counts, and IP of a packet that it gives to a protocol; with
 * softirqs off. The hash of its flow.
 */
__newtcp u32 newtcp_loopback_arrive(struct sk_buff *skb)
{
	const u32 len = skb->len + skb_network_header_len(skb);
	const u16 segs = max_t(u16, 1, skb_shinfo(skb)->gso_segs);
	const u32 hash = *newtcp_loopback_hash(skb);
	struct net *net = dev_net_rcu(skb->dev);

	dev_lstats_add(skb->dev, len + ETH_HLEN);
#if IS_ENABLED(CONFIG_IPV6)
	if (newtcp_skb_is_ipv6(skb)) {
		struct inet6_dev *idev = ip6_dst_idev(skb_dst(skb));

		__IP6_UPD_PO_STATS(net, __in6_dev_get(skb->dev),
				   IPSTATS_MIB_IN, len);
		__IP6_ADD_STATS(net, __in6_dev_get(skb->dev),
				IPSTATS_MIB_NOECTPKTS +
				(ipv6_get_dsfield(ipv6_hdr(skb)) & INET_ECN_MASK),
				segs);
		__IP6_INC_STATS(net, idev, IPSTATS_MIB_INDELIVERS);
		return hash;
	}
#endif
	__IP_UPD_PO_STATS(net, IPSTATS_MIB_IN, len);
	__IP_ADD_STATS(net, IPSTATS_MIB_NOECTPKTS +
		       (ip_hdr(skb)->tos & INET_ECN_MASK), segs);
	__IP_INC_STATS(net, IPSTATS_MIB_INDELIVERS);
	return hash;
}

/* A packet that has crossed goes on to the device's queue after all: with the
 * checksum as one from the device has it.
 */
__newtcp void newtcp_loopback_requeue(struct sk_buff *skb)
{
	u16 sum;

#if IS_ENABLED(CONFIG_IPV6)
	if (newtcp_skb_is_ipv6(skb))
		sum = newtcp_pseudo6(&ipv6_hdr(skb)->saddr,
				     &ipv6_hdr(skb)->daddr, skb->len);
	else
#endif
		sum = newtcp_pseudo4((__force u32)ip_hdr(skb)->saddr,
				     (__force u32)ip_hdr(skb)->daddr, skb->len);
	newtcp_checksum_partial(skb, sum);
	__skb_push(skb, skb_network_header_len(skb));
	local_bh_disable();
	dev_lstats_add(skb->dev, skb->len + ETH_HLEN);
	local_bh_enable();
	netif_rx(skb);
}

/* Packets that wait for delivery: a ring, of which the last is known. */

__newtcp void newtcp_outbox_push(struct sk_buff **last, struct sk_buff *skb)
{
	if (*last) {
		skb->next = (*last)->next;
		(*last)->next = skb;
	} else {
		skb->next = skb;
	}
	*last = skb;
}

__newtcp struct sk_buff *newtcp_outbox_pop(struct sk_buff **last)
{
	struct sk_buff *first;

	if (!*last)
		return NULL;
	first = (*last)->next;
	if (first == *last)
		*last = NULL;
	else
		(*last)->next = first->next;
	skb_mark_not_on_list(first);
	return first;
}

/* Puts the second ring behind the first. */
__newtcp void newtcp_outbox_splice(struct sk_buff **last, struct sk_buff **more)
{
	struct sk_buff *first;

	if (!*more)
		return;
	if (*last) {
		first = (*last)->next;
		(*last)->next = (*more)->next;
		(*more)->next = first;
	}
	*last = *more;
	*more = NULL;
}
