// SPDX-License-Identifier: GPL-2.0
/* What the sockets of the protocol are charged. */

/* Memory accounting */

/* Pages that a socket gets whatever the limits say, to send and to receive. */
static long newtcp_promised_pages(const struct sock *sk)
{
	const struct net *net = sock_net(sk);

	/* As much again for the buffers themselves, and a page begun of each. */
	return sk_mem_pages(2 * READ_ONCE(net->mynewtcp.sysctl_wmem[0])) +
	       sk_mem_pages(2 * READ_ONCE(net->mynewtcp.sysctl_rmem[0])) + 2;
}

/*
 * Whether bytes more would take what is promised to others. Between the last
 * two limits so much is set aside for the sockets there are that they can have
 * their least without usage ever being above the last.
 */
static bool newtcp_is_promised(struct sock *sk, int bytes)
{
	int missing = bytes - sk->sk_forward_alloc;
	long pressure = sk_prot_mem_limits(sk, 1);
	long high = sk_prot_mem_limits(sk, 2);
	long after, aside;

	if (missing <= 0 || sk->sk_bypass_prot_mem)
		return false;
	after = sk_memory_allocated(sk) + sk_mem_pages(missing);
	if (likely(after <= pressure))
		return false;
	aside = newtcp_promised_pages(sk) *
		sk_sockets_allocated_read_positive(sk);
	if (after <= max(pressure, high - aside))
		return false;
	if (!sk_under_memory_pressure(sk))
		sk->sk_prot->enter_memory_pressure(sk);
	return true;
}

__newtcp bool newtcp_wmem_schedule(struct sock *sk, int bytes)
{
	if (newtcp_is_promised(sk, bytes)) {
		sk_stream_moderate_sndbuf(sk);
		return false;
	}
	return sk_wmem_schedule(sk, bytes);
}

__newtcp bool newtcp_rmem_schedule(struct sock *sk, const struct sk_buff *skb)
{
	return !newtcp_is_promised(sk, skb->truesize) &&
	       sk_rmem_schedule(sk, skb, skb->truesize);
}

__newtcp void newtcp_wmem_charge(struct sock *sk, int bytes)
{
	sk_wmem_queued_add(sk, bytes);
	sk_mem_charge(sk, bytes);
}

__newtcp void newtcp_wmem_uncharge(struct sock *sk, int bytes)
{
	sk_wmem_queued_add(sk, -bytes);
	sk_mem_uncharge(sk, bytes);
}

/*
 * Charge without asking: for a skb that splits an already charged one, where
 * a refusal would leave the data unsendable.
 */
__newtcp void newtcp_mem_charge_forced(struct sock *sk, int bytes)
{
	int missing = bytes - sk->sk_forward_alloc;
	int pages;

	if (missing > 0) {
		pages = sk_mem_pages(missing);
		sk_forward_alloc_add(sk, pages << PAGE_SHIFT);
		if (!sk->sk_bypass_prot_mem)
			sk_memory_allocated_add(sk, pages);
		if (mem_cgroup_sk_enabled(sk))
			mem_cgroup_sk_charge(sk, pages,
					     gfp_memcg_charge() | __GFP_NOFAIL);
	}
}

/*
 * How many of these bytes a sender may queue. With the pool full it is still
 * as many as wmem[0] promises: who has nothing under way would otherwise wait
 * for an acknowledgment that nobody sends.
 */
__newtcp int newtcp_wmem_grant(struct sock *sk, int bytes)
{
	int least;

	if (newtcp_wmem_schedule(sk, bytes))
		return bytes;
	least = READ_ONCE(sock_net(sk)->mynewtcp.sysctl_wmem[0]) -
		sk->sk_wmem_queued;
	if (least > 0)
		newtcp_mem_charge_forced(sk, min(least, bytes));
	return clamp(sk->sk_forward_alloc, 0, bytes);
}

__newtcp bool newtcp_under_memory_pressure(const struct sock *sk)
{
	return sk_under_memory_pressure(sk);
}

/* Below the first of the three limits nothing is regulated. */
__newtcp bool newtcp_memory_is_plentiful(const struct sock *sk)
{
	return sk_memory_allocated(sk) < sk_prot_mem_limits(sk, 0);
}

__newtcp int newtcp_backlog_len(const struct sock *sk)
{
	return READ_ONCE(sk->sk_backlog.len);
}

__newtcp void newtcp_moderate_sndbuf(struct sock *sk)
{
	sk_stream_moderate_sndbuf(sk);
}

__newtcp void newtcp_sockets_allocated_inc(struct sock *sk)
{
	sk_sockets_allocated_inc(sk);
}

__newtcp void newtcp_sockets_allocated_dec(struct sock *sk)
{
	sk_sockets_allocated_dec(sk);
}

__newtcp void newtcp_prot_inuse_add(struct sock *sk, int n)
{
	local_bh_disable();
	sock_prot_inuse_add(sock_net(sk), sk->sk_prot, n);
	local_bh_enable();
}

__newtcp bool newtcp_has_queued_errors(const struct sock *sk)
{
	return !skb_queue_empty_lockless(&sk->sk_error_queue);
}
