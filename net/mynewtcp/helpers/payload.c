// SPDX-License-Identifier: GPL-2.0
/* Payload: from and to the user. */

/* Control messages */

/*
 * What the user sends with the data: checked, and all that is needed of it is
 * which time stamps are wanted.
 */
__newtcp int newtcp_cmsg_send(struct sock *sk, struct msghdr *msg,
			      u32 *stamps)
{
	struct sockcm_cookie cookie = { .tsflags = READ_ONCE(sk->sk_tsflags) };
	int err;

	if (likely(!msg->msg_controllen && !cookie.tsflags)) {
		*stamps = 0;
		return 0;
	}
	err = msg->msg_controllen ? sock_cmsg_send(sk, msg, &cookie) : 0;
	if (err)
		return err;
	/* A stamp's key is its place in the stream; there is no device memory. */
	if (cookie.tsflags & SOCKCM_FLAG_TS_OPT_ID || cookie.dmabuf_id)
		return -EINVAL;
	*stamps = cookie.tsflags & SOF_TIMESTAMPING_TX_RECORD_MASK;
	return 0;
}

/* Time stamps of what is sent */

__newtcp u32 newtcp_tsflags(const struct sock *sk)
{
	return READ_ONCE(sk->sk_tsflags);
}

/* The byte that has the key 0. */
__newtcp void newtcp_set_stamp_base(struct sock *sk, u32 seq)
{
	atomic_set(&sk->sk_tskey, seq);
}

/* Ask for stamps when the byte `seq` of skb, which is in a send queue, goes. */
__newtcp void newtcp_stamp_request(struct sock *sk, struct sk_buff *skb,
				   u32 stamps, u32 seq)
{
	const struct sockcm_cookie cookie = { .tsflags = stamps };
	struct skb_shared_info *shinfo = skb_shinfo(skb);

	sock_tx_timestamp(sk, &cookie, &shinfo->tx_flags);
	shinfo->tskey = seq - atomic_read(&sk->sk_tskey);
}

/* Moves up to n bytes of payload from one skb to the one in front of it. True if
 * nothing is left.
 */
__newtcp bool newtcp_skb_hand_on(struct sk_buff *to, struct sk_buff *from,
				 unsigned int n)
{
	if (skb_shinfo(to)->flags != skb_shinfo(from)->flags)
		return false;
	n = min(n, from->len);
	return n && skb_shift(to, from, n) && !from->len;
}

/* The byte is in `to` since skb was split. */
__newtcp void newtcp_stamp_move(struct sk_buff *from, struct sk_buff *to)
{
	struct skb_shared_info *src = skb_shinfo(from);
	struct skb_shared_info *dst = skb_shinfo(to);

	dst->tx_flags |= src->tx_flags & SKBTX_ANY_TSTAMP;
	src->tx_flags &= ~SKBTX_ANY_TSTAMP;
	dst->tskey = src->tskey;
}

/*
 * The byte is acknowledged. The core asks the control block of TCP whether
 * anybody wants to know, and the device where it left: neither is here.
 */
__newtcp void newtcp_stamp_acked(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_skb_cb saved = *TCP_SKB_CB(skb);
	struct net_device *link = skb->dev;

	TCP_SKB_CB(skb)->txstamp_ack = TSTAMP_ACK_SK;
	skb->dev = NULL;
	__skb_tstamp_tx(skb, NULL, NULL, sk, SCM_TSTAMP_ACK);
	skb->dev = link;
	*TCP_SKB_CB(skb) = saved;
}

__newtcp bool newtcp_wants_stamps(const struct sock *sk)
{
	return sock_flag(sk, SOCK_RCVTSTAMP) ||
	       READ_ONCE(sk->sk_tsflags) & (SOF_TIMESTAMPING_SOFTWARE |
					    SOF_TIMESTAMPING_RAW_HARDWARE);
}

__newtcp void newtcp_put_stamps(struct msghdr *msg, struct sock *sk,
				struct sk_buff *skb)
{
	sock_recv_timestamp(msg, sk, skb);
}

/* Payload from the user */

__newtcp struct page_frag *newtcp_page_frag(struct sock *sk)
{
	struct page_frag *frag = sk_page_frag(sk);

	/* What sk_page_frag_refill() would find most often. */
	if (likely(frag->page && page_ref_count(frag->page) != 1 &&
		   frag->offset + 32U <= frag->size))
		return frag;
	return sk_page_frag_refill(sk, frag) ? frag : NULL;
}

/* How many bytes fit behind the frags of skb; 0 when it has no slot left. */
__newtcp unsigned int newtcp_page_frag_room(const struct sk_buff *skb,
					    const struct page_frag *frag)
{
	int n = skb_shinfo(skb)->nr_frags;

	if (!skb_can_coalesce((struct sk_buff *)skb, n, frag->page,
			      frag->offset) &&
	    n >= READ_ONCE(net_hotdata.sysctl_max_skb_frags))
		return 0;
	return frag->size - frag->offset;
}

__newtcp int newtcp_append_copy(struct sock *sk, struct sk_buff *skb,
				struct iov_iter *from, struct page_frag *frag,
				int copy)
{
	int n = skb_shinfo(skb)->nr_frags;
	int err;

	skb_zcopy_downgrade_managed(skb);
	err = skb_copy_to_page_nocache(sk, from, skb, frag->page, frag->offset,
				       copy);
	if (err)
		return err;
	if (skb_can_coalesce(skb, n, frag->page, frag->offset)) {
		skb_frag_size_add(&skb_shinfo(skb)->frags[n - 1], copy);
	} else {
		skb_fill_page_desc(skb, n, frag->page, frag->offset, copy);
		page_ref_inc(frag->page);
	}
	frag->offset += copy;
	return 0;
}

__newtcp ssize_t newtcp_append_splice(struct sock *sk, struct sk_buff *skb,
				      struct iov_iter *from, size_t max)
{
	ssize_t n;

	skb_zcopy_downgrade_managed(skb);
	n = skb_splice_from_iter(skb, from, max);
	if (n > 0) {
		skb_shinfo(skb)->flags |= SKBFL_SHARED_FRAG;
		sk_wmem_queued_add(sk, n);
		sk_mem_charge(sk, n);
	}
	return n;
}

/* Payload that stays where the user has it (MSG_ZEROCOPY) */

/* Who is told when the pages are free again; NULL without memory for that. */
__newtcp struct ubuf_info *newtcp_zerocopy_begin(struct sock *sk,
						 struct msghdr *msg,
						 struct sk_buff *tail)
{
	return msg->msg_ubuf ?: msg_zerocopy_realloc(sk, msg_data_left(msg),
						     skb_zcopy(tail), false);
}

/* Whether anybody asked to be told: the socket, or who brings a ubuf_info. */
__newtcp bool newtcp_wants_zerocopy(const struct sock *sk,
				    const struct msghdr *msg)
{
	return msg->msg_ubuf || sock_flag(sk, SOCK_ZEROCOPY);
}

/* The pages are copied after all. */
__newtcp void newtcp_zerocopy_copied(const struct msghdr *msg,
				     struct ubuf_info *uarg)
{
	if (!msg->msg_ubuf)
		uarg_to_msgzc(uarg)->zerocopy = 0;
}

__newtcp void newtcp_zerocopy_end(const struct msghdr *msg,
				  struct ubuf_info *uarg, bool sent)
{
	/* The caller keeps its own. */
	if (msg->msg_ubuf)
		return;
	if (sent)
		net_zcopy_put(uarg);
	else
		net_zcopy_put_abort(uarg, true);
}

/* Charges what it adds, in whole pages. */
__newtcp int newtcp_append_zerocopy(struct sock *sk, struct sk_buff *skb,
				    struct msghdr *msg, int len,
				    struct ubuf_info *uarg)
{
	return skb_zerocopy_iter_stream(sk, skb, msg, len, uarg, NULL);
}

/* Most of what is read in one go is in one place, which has an address. */
__newtcp int newtcp_copy_to_msg(const struct sk_buff *skb, int offset,
				struct msghdr *msg, int len)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	const skb_frag_t *frag = &shinfo->frags[0];

	if (!IS_ENABLED(CONFIG_HIGHMEM) && !skb_headlen(skb) &&
	    shinfo->nr_frags == 1 && !shinfo->frag_list &&
	    skb_frags_readable(skb) && (u32)offset + len <= skb_frag_size(frag)) {
		void *from = (u8 *)skb_frag_address(frag) + offset;
		size_t n = copy_to_iter(from, len, &msg->msg_iter);

		if (likely(n == len))
			return 0;
		iov_iter_revert(&msg->msg_iter, n);
		return -EFAULT;
	}
	return skb_copy_datagram_msg(skb, offset, msg, len);
}

__newtcp bool newtcp_can_splice(const struct sock *sk)
{
	return sk->sk_route_caps & NETIF_F_SG;
}

__newtcp unsigned int newtcp_msg_flags(const struct msghdr *msg)
{
	return msg->msg_flags;
}

__newtcp bool newtcp_msg_has_control(const struct msghdr *msg)
{
	return msg->msg_controllen;
}

__newtcp size_t newtcp_msg_left(const struct msghdr *msg)
{
	return msg_data_left(msg);
}

__newtcp struct iov_iter *newtcp_msg_iter(struct msghdr *msg)
{
	return &msg->msg_iter;
}
