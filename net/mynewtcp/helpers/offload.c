// SPDX-License-Identifier: GPL-2.0
/* Superpackets: cutting them, and making them of segments that come in. */

/* Cutting */

__newtcp bool newtcp_is_gso4(const struct sk_buff *skb)
{
	return skb_shinfo(skb)->gso_type & SKB_GSO_TCPV4;
}

__newtcp bool newtcp_is_gso6(const struct sk_buff *skb)
{
	return skb_shinfo(skb)->gso_type & SKB_GSO_TCPV6;
}

__newtcp struct sk_buff *newtcp_gso_segment(struct sk_buff *skb,
					    netdev_features_t features)
{
	struct sk_buff *segs, *last;
	u8 stamps;

	/*
	 * A device that sums "IP" checksums does so for TCP and UDP only, and
	 * the core would trust it with ours.
	 */
	features &= ~(NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM);
	segs = tcp_gso_segment(skb, features);
	if (IS_ERR_OR_NULL(segs) || skb->destructor != __sock_wfree)
		return segs;
	/* The packet has left when its last part has: that one has the socket. */
	last = segs->prev;
	swap(last->truesize, skb->truesize);
	swap(last->destructor, skb->destructor);
	swap(last->sk, skb->sk);
	stamps = skb_shinfo(skb)->tx_flags & SKBTX_ANY_TSTAMP;
	if (unlikely(stamps)) {
		skb_shinfo(last)->tx_flags |= stamps;
		skb_shinfo(last)->tskey = skb_shinfo(skb)->tskey;
	}
	return segs;
}

__newtcp bool newtcp_checksum_is_partial(const struct sk_buff *skb)
{
	return skb->ip_summed == CHECKSUM_PARTIAL;
}

__newtcp struct sk_buff *newtcp_err_ptr(long err)
{
	return ERR_PTR(err);
}

__newtcp void newtcp_checksum_restart(struct sk_buff *skb)
{
	struct tcphdr *th = tcp_hdr(skb);
	u16 pseudo = newtcp_skb_is_ipv6(skb) ?
		newtcp_pseudo6(&ipv6_hdr(skb)->saddr, &ipv6_hdr(skb)->daddr,
			       skb->len) :
		newtcp_pseudo4((__force u32)ip_hdr(skb)->saddr,
			       (__force u32)ip_hdr(skb)->daddr, skb->len);

	th->check = 0;
	newtcp_checksum_partial(skb, pseudo);
}

/* Merging, at the device: the control block is that of GRO. */

__newtcp bool newtcp_gro_will_flush(const struct sk_buff *skb)
{
	return NAPI_GRO_CB(skb)->flush;
}

__newtcp void newtcp_gro_flush(struct sk_buff *skb)
{
	NAPI_GRO_CB(skb)->flush = 1;
}

__newtcp bool newtcp_gro_checksum_ok4(struct sk_buff *skb)
{
	return !skb_gro_checksum_validate(skb, CONFIG_MY_NEWTCP_PROTO,
					  inet_gro_compute_pseudo);
}

__newtcp bool newtcp_gro_checksum_ok6(struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_IPV6)
	return !skb_gro_checksum_validate(skb, CONFIG_MY_NEWTCP_PROTO,
					  ip6_gro_compute_pseudo);
#else
	return false;
#endif
}

/* The header, linear or not; NULL if it is cut short. */
__newtcp void *newtcp_gro_header(struct sk_buff *skb)
{
	return tcp_gro_pull_header(skb);
}

/*
 * Whether two segments fit is a matter of the header alone, which is the same
 * at every protocol number: that the numbers are, the IP layer has seen to.
 */
__newtcp struct sk_buff *newtcp_gro_receive(struct list_head *head,
					    struct sk_buff *skb, void *header)
{
	return tcp_gro_receive(head, skb, header);
}

__newtcp const void *newtcp_gro_network(const struct sk_buff *skb)
{
	return skb->data +
		NAPI_GRO_CB(skb)->network_offsets[skb->encapsulation];
}

__newtcp u16 newtcp_gro_pseudo4(const struct sk_buff *skb, u32 len)
{
	const struct iphdr *iph = newtcp_gro_network(skb);

	return newtcp_pseudo4((__force u32)iph->saddr,
			      (__force u32)iph->daddr, len);
}

__newtcp u16 newtcp_gro_pseudo6(const struct sk_buff *skb, u32 len)
{
	const struct ipv6hdr *iph = newtcp_gro_network(skb);

	return newtcp_pseudo6(&iph->saddr, &iph->daddr, len);
}

/* Which IP headers had the same identification in every segment. */
__newtcp u32 newtcp_gro_fixedid(const struct sk_buff *skb)
{
	return NAPI_GRO_CB(skb)->ip_fixedid * SKB_GSO_TCP_FIXEDID;
}

__newtcp void newtcp_gro_complete(struct sk_buff *skb, u16 pseudo, u32 type)
{
	tcp_hdr(skb)->check = (__force __sum16)~pseudo;
	skb_shinfo(skb)->gso_type |= type;
	tcp_gro_complete(skb);
}
