// SPDX-License-Identifier: GPL-2.0
/* struct sk_buff: what bit fields, unions and inline functions hide. */

/* Reading */

__newtcp unsigned int newtcp_skb_len(const struct sk_buff *skb)
{
	return skb->len;
}

__newtcp unsigned int newtcp_skb_data_len(const struct sk_buff *skb)
{
	return skb->data_len;
}

__newtcp unsigned int newtcp_skb_truesize(const struct sk_buff *skb)
{
	return skb->truesize;
}

/* Of a packet that was merged from several: octets in each, and how many. */
__newtcp unsigned int newtcp_skb_gso_size(const struct sk_buff *skb)
{
	return skb_shinfo(skb)->gso_size;
}

__newtcp unsigned int newtcp_skb_gso_segs(const struct sk_buff *skb)
{
	return skb_shinfo(skb)->gso_segs;
}

__newtcp u8 *newtcp_skb_data(const struct sk_buff *skb)
{
	return skb->data;
}

__newtcp u8 *newtcp_skb_cb(const struct sk_buff *skb)
{
	return (u8 *)skb->cb;
}

__newtcp bool newtcp_skb_is_ipv6(const struct sk_buff *skb)
{
	return skb->protocol == htons(ETH_P_IPV6);
}

/* True for a packet that means this host alone, by its device's word and by its
 * addresses: whoever answers others answers for everybody.
 */
__newtcp bool newtcp_skb_is_for_host(const struct sk_buff *skb)
{
	if (skb->pkt_type != PACKET_HOST)
		return false;
	if (newtcp_skb_is_ipv6(skb))
		return !ipv6_addr_is_multicast(&ipv6_hdr(skb)->daddr) &&
		       !ipv6_addr_v4mapped(&ipv6_hdr(skb)->saddr);
	return !(skb_rtable(skb)->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST));
}

/* A received skb has a route until it is queued for the user. */
__newtcp struct net *newtcp_skb_net(const struct sk_buff *skb)
{
	return skb_dst_dev_net_rcu(skb);
}

__newtcp u8 newtcp_skb_tos(const struct sk_buff *skb)
{
	return newtcp_skb_is_ipv6(skb) ? ipv6_get_dsfield(ipv6_hdr(skb)) :
		ip_hdr(skb)->tos;
}

__newtcp u8 newtcp_skb_hop_limit(const struct sk_buff *skb)
{
	return newtcp_skb_is_ipv6(skb) ? ipv6_hdr(skb)->hop_limit :
		ip_hdr(skb)->ttl;
}

__newtcp int newtcp_skb_iif(const struct sk_buff *skb)
{
	/* The IPv6 control block may be ours by now; skb_iif stays. */
	return newtcp_skb_is_ipv6(skb) ? skb->skb_iif : inet_iif(skb);
}

/* The four-tuple of a received packet, the receiver's end local. */
__newtcp void newtcp_skb_flow(const struct sk_buff *skb, struct in6_addr *laddr,
			      struct in6_addr *raddr, u16 *lport, u16 *rport)
{
	const struct tcphdr *th = tcp_hdr(skb);

	if (newtcp_skb_is_ipv6(skb)) {
		*laddr = ipv6_hdr(skb)->daddr;
		*raddr = ipv6_hdr(skb)->saddr;
	} else {
		ipv6_addr_set_v4mapped(ip_hdr(skb)->daddr, laddr);
		ipv6_addr_set_v4mapped(ip_hdr(skb)->saddr, raddr);
	}
	*lport = ntohs(th->dest);
	*rport = ntohs(th->source);
}

/* The headers of a received packet, up to the end of ours. */
__newtcp const u8 *newtcp_skb_headers(const struct sk_buff *skb, bool link,
				      u32 *len)
{
	const u8 *end = skb_transport_header(skb) + tcp_hdrlen(skb);
	const u8 *start = skb_network_header(skb);

	if (link) {
		if (!skb_mac_header_was_set(skb))
			return NULL;
		start = skb_mac_header(skb);
	}
	if (end > skb_tail_pointer(skb))
		return NULL;
	*len = end - start;
	return start;
}

/* An ICMP message is handled while its device is there. */
__newtcp struct net *newtcp_skb_dev_net(const struct sk_buff *skb)
{
	return dev_net_rcu(skb->dev);
}

__newtcp int newtcp_skb_dev_iif(const struct sk_buff *skb, bool v6)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (v6)
		return inet6_iif(skb);
#endif
	return inet_iif(skb);
}

/* The four-tuple and sequence number of a packet of ours that ICMP quotes. */
__newtcp void newtcp_icmp_quoted(const struct sk_buff *skb, bool v6,
				 unsigned int offset, struct in6_addr *laddr,
				 struct in6_addr *raddr, u16 *lport, u16 *rport,
				 u32 *seq)
{
	const struct tcphdr *th = (const void *)(skb->data + offset);

	if (v6) {
		const struct ipv6hdr *hdr = (const void *)skb->data;

		*laddr = hdr->saddr;
		*raddr = hdr->daddr;
	} else {
		const struct iphdr *iph = (const void *)skb->data;

		ipv6_addr_set_v4mapped(iph->saddr, laddr);
		ipv6_addr_set_v4mapped(iph->daddr, raddr);
	}
	*lport = ntohs(th->source);
	*rport = ntohs(th->dest);
	*seq = ntohl(th->seq);
}

__newtcp u8 newtcp_icmp_quoted_hops(const struct sk_buff *skb, bool v6)
{
	return v6 ? ((const struct ipv6hdr *)skb->data)->hop_limit :
		((const struct iphdr *)skb->data)->ttl;
}

__newtcp u32 newtcp_skb_reply_mark(const struct sk_buff *skb)
{
	struct net *net = newtcp_skb_net(skb);

#if IS_ENABLED(CONFIG_IPV6)
	if (newtcp_skb_is_ipv6(skb))
		return IP6_REPLY_MARK(net, skb->mark);
#endif
	return IP4_REPLY_MARK(net, skb->mark);
}

__newtcp struct rb_node *newtcp_rb_first(const struct rb_root *root)
{
	return rb_first(root);
}

__newtcp void newtcp_consume_skb(struct sk_buff *skb)
{
	consume_skb(skb);
}

/* Reshaping */

__newtcp bool newtcp_skb_may_pull(struct sk_buff *skb, unsigned int len)
{
	return pskb_may_pull(skb, len);
}

__newtcp void newtcp_skb_pull_linear(struct sk_buff *skb, unsigned int len)
{
	__skb_pull(skb, len);
}

__newtcp struct sk_buff *newtcp_alloc_skb(unsigned int size, gfp_t gfp)
{
	return alloc_skb(size, gfp);
}

__newtcp void *newtcp_skb_put(struct sk_buff *skb, unsigned int len)
{
	return __skb_put(skb, len);
}

__newtcp void newtcp_skb_reserve(struct sk_buff *skb, int len)
{
	skb_reserve(skb, len);
}

/* Makes `to`, which is empty, refer to len bytes of the pages of `from`. */
__newtcp int newtcp_skb_share_pages(struct sk_buff *to,
				    const struct sk_buff *from, u32 offset,
				    u32 len)
{
	const struct skb_shared_info *src = skb_shinfo(from);
	struct skb_shared_info *dst = skb_shinfo(to);
	int i;

	for (i = 0; i < src->nr_frags && len; i++) {
		const skb_frag_t *frag = &src->frags[i];
		u32 size = skb_frag_size(frag);
		skb_frag_t *copy;
		u32 take;

		if (offset >= size) {
			offset -= size;
			continue;
		}
		take = min(len, size - offset);
		copy = &dst->frags[dst->nr_frags++];
		*copy = *frag;
		skb_frag_off_add(copy, offset);
		skb_frag_size_set(copy, take);
		__skb_frag_ref(copy);
		skb_len_add(to, take);
		len -= take;
		offset = 0;
	}
	dst->flags |= src->flags & SKBFL_SHARED_FRAG;
	skb_zcopy_set(to, skb_zcopy((struct sk_buff *)from), NULL);
	return len ? -EINVAL : 0;
}

__newtcp bool newtcp_skb_cloned(const struct sk_buff *skb)
{
	return skb_cloned(skb);
}

__newtcp struct sk_buff *newtcp_pskb_copy(struct sk_buff *skb, gfp_t gfp)
{
	return pskb_copy(skb, gfp);
}

__newtcp int newtcp_skb_unclone_keeptruesize(struct sk_buff *skb, gfp_t gfp)
{
	return skb_unclone_keeptruesize(skb, gfp);
}

__newtcp void newtcp_skb_move_truesize(struct sk_buff *from,
				       struct sk_buff *to, unsigned int bytes)
{
	to->truesize += bytes;
	from->truesize -= bytes;
}

__newtcp void newtcp_skb_clear_dev(struct sk_buff *skb)
{
	skb->dev = NULL;
}

/* An skb out of a tree: rb_node lies over next, prev and dev. */
__newtcp void newtcp_skb_clear_links(struct sk_buff *skb)
{
	skb->next = NULL;
	skb->prev = NULL;
	skb->dev = NULL;
}

__newtcp struct rb_node *newtcp_skb_rb_node(struct sk_buff *skb)
{
	return &skb->rbnode;
}

__newtcp struct sk_buff *newtcp_skb_from_rb(struct rb_node *node)
{
	return rb_to_skb(node);
}

__newtcp void newtcp_skb_dst_drop(struct sk_buff *skb)
{
	skb_dst_drop(skb);
}

__newtcp void newtcp_skb_set_owner_r(struct sk_buff *skb, struct sock *sk)
{
	skb_set_owner_r(skb, sk);
}

__newtcp bool newtcp_skb_coalesce(struct sock *sk, struct sk_buff *to,
				  struct sk_buff *from, int *charged)
{
	int truesize = from->truesize;
	ktime_t stamp = from->tstamp;
	ktime_t hwstamp = skb_hwtstamps(from)->hwtstamp;
	bool stolen;
	int delta;

	/*
	 * Both are charged to sk already; what the merge saves is given back
	 * when the tail is freed.
	 */
	if (!skb_try_coalesce(to, from, &stolen, &delta))
		return false;
	atomic_add(delta, &sk->sk_rmem_alloc);
	sk_mem_charge(sk, delta);
	kfree_skb_partial(from, stolen);
	*charged = delta - truesize;
	/* What is read from it has been here since the last byte came. */
	if (stamp)
		to->tstamp = stamp;
	if (hwstamp)
		skb_hwtstamps(to)->hwtstamp = hwstamp;
	return true;
}

/* Queues: struct sk_buff_head without its lock (the socket lock does). */

__newtcp struct sk_buff_head *newtcp_receive_queue(struct sock *sk)
{
	return &sk->sk_receive_queue;
}

__newtcp struct sk_buff_head *newtcp_write_queue(struct sock *sk)
{
	return &sk->sk_write_queue;
}

__newtcp struct sk_buff *newtcp_queue_front(const struct sk_buff_head *list)
{
	return skb_peek(list);
}

__newtcp struct sk_buff *newtcp_queue_back(const struct sk_buff_head *list)
{
	return skb_peek_tail(list);
}

__newtcp struct sk_buff *newtcp_queue_next(const struct sk_buff_head *list,
					   const struct sk_buff *skb)
{
	return skb_peek_next((struct sk_buff *)skb, list);
}

__newtcp void newtcp_queue_push_back(struct sk_buff_head *list,
				     struct sk_buff *skb)
{
	__skb_queue_tail(list, skb);
}

__newtcp void newtcp_queue_push_front(struct sk_buff_head *list,
				      struct sk_buff *skb)
{
	__skb_queue_head(list, skb);
}

__newtcp void newtcp_queue_insert_after(struct sk_buff_head *list,
					struct sk_buff *at, struct sk_buff *skb)
{
	__skb_queue_after(list, at, skb);
}

__newtcp void newtcp_queue_unlink(struct sk_buff_head *list,
				  struct sk_buff *skb)
{
	__skb_unlink(skb, list);
}

/* Checksums */

__newtcp bool newtcp_checksum_init(struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (newtcp_skb_is_ipv6(skb))
		return !skb_checksum_init(skb, CONFIG_MY_NEWTCP_PROTO,
					  ip6_compute_pseudo);
#endif
	return !skb_checksum_init(skb, CONFIG_MY_NEWTCP_PROTO,
				  inet_compute_pseudo);
}

__newtcp bool newtcp_checksum_complete(struct sk_buff *skb)
{
	return !skb_csum_unnecessary(skb) && __skb_checksum_complete(skb);
}

/* Leave the sum to the device, or to the stack at the last moment. */
__newtcp void newtcp_checksum_partial(struct sk_buff *skb, u16 pseudo)
{
	tcp_hdr(skb)->check = (__force __sum16)~pseudo;
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct tcphdr, check);
}

__newtcp u16 newtcp_pseudo4(u32 saddr, u32 daddr, u32 len)
{
	return (__force u16)csum_tcpudp_magic((__force __be32)saddr,
					      (__force __be32)daddr, len,
					      CONFIG_MY_NEWTCP_PROTO, 0);
}

__newtcp u16 newtcp_pseudo6(const struct in6_addr *saddr,
			    const struct in6_addr *daddr, u32 len)
{
	return (__force u16)csum_ipv6_magic(saddr, daddr, len,
					    CONFIG_MY_NEWTCP_PROTO, 0);
}

/* Sending */

__newtcp void newtcp_skb_reset_transport_header(struct sk_buff *skb)
{
	skb_reset_transport_header(skb);
}

__newtcp void newtcp_skb_set_gso(struct sk_buff *skb, u16 size, u16 segs,
				 u32 type)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);

	shinfo->gso_size = size;
	shinfo->gso_segs = segs;
	shinfo->gso_type = type;
}

__newtcp void newtcp_skb_send_later(struct sk_buff *skb, u32 usecs)
{
	u64 now = ktime_get_ns();

	skb_set_delivery_time(skb, now + (u64)usecs * NSEC_PER_USEC,
			      SKB_CLOCK_MONOTONIC);
}

__newtcp void newtcp_skb_clear_ip_cb(struct sk_buff *skb)
{
	memset(skb->cb, 0, max(sizeof(struct inet_skb_parm),
			       sizeof(struct inet6_skb_parm)));
}

__newtcp void newtcp_skb_hash_from_sk(struct sk_buff *skb, struct sock *sk)
{
	skb_set_hash_from_sk(skb, sk);
}

/*
 * In flight on behalf of sk. Pure ACKs use __sock_wfree(), which wakes
 * nobody; TCP's own destructor must not be used.
 */
__newtcp void newtcp_skb_set_owner_w(struct sk_buff *skb, struct sock *sk)
{
	skb_orphan(skb);
	skb->sk = sk;
	skb->destructor = __sock_wfree;
	refcount_add(skb->truesize, &sk->sk_wmem_alloc);
	skb_set_hash_from_sk(skb, sk);
	skb_set_dst_pending_confirm(skb, READ_ONCE(sk->sk_dst_pending_confirm));
}

__newtcp void newtcp_dst_confirm(struct sock *sk)
{
	if (!READ_ONCE(sk->sk_dst_pending_confirm))
		WRITE_ONCE(sk->sk_dst_pending_confirm, 1);
}
