// SPDX-License-Identifier: GPL-2.0
/* Payload: from and to the user. */

/* Control messages */

/* What the user sends with the data: checked, and then not needed. */
__newtcp int newtcp_cmsg_send(struct sock *sk, struct msghdr *msg)
{
	struct sockcm_cookie cookie = { .tsflags = READ_ONCE(sk->sk_tsflags) };

	return msg->msg_controllen ? sock_cmsg_send(sk, msg, &cookie) : 0;
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
	ssize_t n = skb_splice_from_iter(skb, from, max);

	if (n > 0) {
		skb_shinfo(skb)->flags |= SKBFL_SHARED_FRAG;
		sk_wmem_queued_add(sk, n);
		sk_mem_charge(sk, n);
	}
	return n;
}

__newtcp int newtcp_copy_to_msg(const struct sk_buff *skb, int offset,
				struct msghdr *msg, int len)
{
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

__newtcp size_t newtcp_msg_left(const struct msghdr *msg)
{
	return msg_data_left(msg);
}

__newtcp struct iov_iter *newtcp_msg_iter(struct msghdr *msg)
{
	return &msg->msg_iter;
}
