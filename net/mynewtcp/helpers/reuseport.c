// SPDX-License-Identifier: GPL-2.0
/* Listeners that share a port: the groups of SO_REUSEPORT. */

__newtcp bool newtcp_reuseport_is_grouped(const struct sock *sk)
{
	return rcu_access_pointer(sk->sk_reuseport_cb);
}

/*
 * Whether the socket is in a table is a question of the core's too, before it
 * attaches a program. Our tables have links of their own; the core's is in a
 * chain with nobody else, from which it can be deleted.
 */
__newtcp void newtcp_sk_mark_hashed(struct sock *sk)
{
	sk->sk_node.pprev = &sk->sk_node.next;
}

__newtcp void newtcp_sk_mark_unhashed(struct sock *sk)
{
	sk_node_init(&sk->sk_node);
}

/* The listener that the group of @sk chooses, NULL for no choice. */
__newtcp struct sock *newtcp_reuseport_select(struct sock *sk, u32 hash,
					      struct sk_buff *skb, int hdr_len)
{
	struct sock *chosen = reuseport_select_sock(sk, hash, skb, hdr_len);

	return IS_ERR(chosen) ? NULL : chosen;
}

__newtcp bool newtcp_sk_is_for_this_cpu(const struct sock *sk)
{
	return READ_ONCE(sk->sk_incoming_cpu) == raw_smp_processor_id();
}
