// SPDX-License-Identifier: GPL-2.0
/* The socket and the route of a packet before IP looks for a route. */

/* The namespace of a packet fresh from its device, whose header is in its head
 * then; NULL for one that is not whole or not for us alone.
 */
__newtcp struct net *newtcp_early_net(struct sk_buff *skb)
{
	if (skb->pkt_type != PACKET_HOST ||
	    !pskb_may_pull(skb, skb_transport_offset(skb) +
				sizeof(struct tcphdr)))
		return NULL;
	return dev_net_rcu(skb->dev);
}

/* Gives skb the socket and, where it came as the last one did, the route.
 * sk is SOCK_RCU_FREE: nobody counts a reference, as with bpf_sk_assign().
 */
__newtcp void newtcp_early_assign(struct sk_buff *skb, struct sock *sk)
{
	struct dst_entry *dst = rcu_dereference(sk->sk_rx_dst);

	skb->sk = sk;
	skb->destructor = sock_pfree;
	if (!dst || READ_ONCE(sk->sk_rx_dst_ifindex) != skb->skb_iif ||
	    (dst->ops->family == AF_INET6) != newtcp_skb_is_ipv6(skb))
		return;
	dst = dst_check(dst, READ_ONCE(sk->sk_rx_dst_cookie));
	if (dst)
		skb_dst_set_noref(skb, dst);
}

/* Takes the socket off a packet that has come, and returns it if it is one that
 * newtcp_early_assign() may have given it: it keeps as long as RCU does.
 */
__newtcp struct sock *newtcp_early_found(struct sk_buff *skb,
					 const struct proto *prot)
{
	struct sock *sk = skb->sk;

	if (!sk)
		return NULL;
	if (!skb_sk_is_prefetched(skb) || !sk_fullsock(sk) ||
	    READ_ONCE(sk->sk_prot) != prot)
		sk = NULL;
	skb_orphan(skb);
	return sk;
}

/* Remembers the route of a packet that has come for the connection sk, whose
 * spin lock is held while no process has it. Packets from loopback bring theirs.
 */
__newtcp void newtcp_early_remember(struct sock *sk, const struct sk_buff *skb)
{
	struct dst_entry *dst = skb_dst(skb), *old;

	old = rcu_dereference_protected(sk->sk_rx_dst,
					lockdep_is_held(&sk->sk_lock.slock));
	if (likely(old == dst && sk->sk_rx_dst_ifindex == skb->skb_iif))
		return;
	if (!dst || sk->sk_state == TCP_LISTEN || sk->sk_state == TCP_CLOSE ||
	    (skb->dev && skb->dev->flags & IFF_LOOPBACK) || !dst_hold_safe(dst))
		return;
	WRITE_ONCE(sk->sk_rx_dst_ifindex, skb->skb_iif);
#if IS_ENABLED(CONFIG_IPV6)
	if (newtcp_skb_is_ipv6(skb))
		WRITE_ONCE(sk->sk_rx_dst_cookie,
			   rt6_get_cookie(dst_rt6_info(dst)));
#endif
	rcu_assign_pointer(sk->sk_rx_dst, dst);
	dst_release(old);
}

/* The lock of sk is held. */
__newtcp void newtcp_early_forget(struct sock *sk)
{
	dst_release(unrcu_pointer(xchg(&sk->sk_rx_dst, NULL)));
}
