// SPDX-License-Identifier: GPL-2.0
/* What the sockets of the protocol are charged. */

/* Memory accounting */

/* Pages that a socket gets whatever the limits say, to send and to receive. */
__newtcp long newtcp_promised_pages(const struct sock *sk)
{
	const struct net *net = sock_net(sk);

	/* As much again for the buffers themselves, and a page begun of each. */
	return sk_mem_pages(2 * READ_ONCE(net->mynewtcp.sysctl_wmem[0])) +
	       sk_mem_pages(2 * READ_ONCE(net->mynewtcp.sysctl_rmem[0])) + 2;
}

/* What is set aside of the host's memory for the sockets there are. */
__newtcp long newtcp_set_aside(struct sock *sk)
{
	return newtcp_promised_pages(sk) *
	       sk_sockets_allocated_read_positive(sk);
}

/*
 * Whether bytes more would take what is promised to others. Between the last
 * two limits so much is set aside for the sockets there are that they can have
 * their least without usage ever being above the last.
 */
static inline bool newtcp_is_promised(struct sock *sk, int bytes)
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
	aside = newtcp_set_aside(sk);
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

/*
 * Whether what sk takes is counted in the host's sum, and there only: then a
 * page that moves is one addition to a per-CPU variable.
 */
static inline bool newtcp_is_plainly_counted(const struct sock *sk)
{
	return likely(!sk->sk_bypass_prot_mem && !mem_cgroup_sk_enabled(sk) &&
		      !sk_under_global_memory_pressure(sk));
}

/* Take pages where the host is below the first of its limits. */
__newtcp bool newtcp_raise_quickly(struct sock *sk, int pages)
{
	if (!newtcp_is_plainly_counted(sk) ||
	    sk_memory_allocated(sk) + pages > sk_prot_mem_limits(sk, 0))
		return false;
	sk_forward_alloc_add(sk, pages << PAGE_SHIFT);
	sk_memory_allocated_add(sk, pages);
	return true;
}

/*
 * sk has been given memory: it is no longer short if the host is below the
 * first of its limits. __sk_mem_raise_allocated() says so too, but not if the
 * sum is zero, which it is as long as processors keep all changes to themselves.
 */
__newtcp void newtcp_end_pressure(struct sock *sk)
{
	if (!sk->sk_bypass_prot_mem && sk_under_global_memory_pressure(sk) &&
	    sk_memory_allocated(sk) <= sk_prot_mem_limits(sk, 0))
		sk->sk_prot->leave_memory_pressure(sk);
}

/* Whole pages in the reserve that nobody has asked to be kept. */
__newtcp int newtcp_spare_pages(const struct sock *sk)
{
	int spare = sk->sk_forward_alloc;

	if (likely(spare < (int)PAGE_SIZE))
		return 0;
	spare -= sk_unused_reserved_mem(sk);
	return spare < 0 ? 0 : spare >> PAGE_SHIFT;
}

__newtcp void newtcp_lower(struct sock *sk, int pages)
{
	if (newtcp_is_plainly_counted(sk)) {
		sk_forward_alloc_add(sk, -(pages << PAGE_SHIFT));
		sk_memory_allocated_sub(sk, pages);
	} else {
		__sk_mem_reclaim(sk, pages << PAGE_SHIFT);
	}
}

__newtcp void newtcp_wmem_charge(struct sock *sk, int bytes)
{
	sk_wmem_queued_add(sk, bytes);
	sk_mem_charge(sk, bytes);
}

/* What is uncharged here and below stays in the reserve for now. */
__newtcp void newtcp_wmem_uncharge(struct sock *sk, int bytes)
{
	sk_wmem_queued_add(sk, -bytes);
	sk_forward_alloc_add(sk, bytes);
}

/* skb, which has come, is charged to sk by skb_set_owner_r(). */
__newtcp void newtcp_rmem_uncharge(struct sock *sk, struct sk_buff *skb)
{
	int bytes = skb->truesize;

	atomic_sub(bytes, &sk->sk_rmem_alloc);
	sk_forward_alloc_add(sk, bytes);
	skb->destructor = NULL;
	skb->sk = NULL;
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

__newtcp int newtcp_forward_alloc(const struct sock *sk)
{
	return sk->sk_forward_alloc;
}

__newtcp int newtcp_wmem_queued(const struct sock *sk)
{
	return sk->sk_wmem_queued;
}

__newtcp bool newtcp_bypasses_pool(const struct sock *sk)
{
	return sk->sk_bypass_prot_mem;
}

/*
 * What the socket holds beyond whole pages: nothing. 0 where it cannot be
 * known, for reports in the error queue are in sk_rmem_alloc, uncharged.
 */
__newtcp int newtcp_odd_bytes(const struct sock *sk)
{
	int bytes = sk->sk_forward_alloc + sk->sk_wmem_queued +
		    atomic_read(&sk->sk_rmem_alloc);

	if (!skb_queue_empty_lockless(&sk->sk_error_queue))
		return 0;
	return bytes & (PAGE_SIZE - 1);
}

__newtcp int newtcp_sockets_in_use_of(struct net *net, struct proto *prot)
{
	return sock_prot_inuse_get(net, prot);
}

__newtcp int newtcp_sockets_in_use(const struct sock *sk)
{
	return sock_prot_inuse_get(sock_net(sk), sk->sk_prot);
}

__newtcp int newtcp_mem_pcpu_rsv(void)
{
	return READ_ONCE(net_hotdata.sysctl_mem_pcpu_rsv);
}

__newtcp bool newtcp_may_administer_host(void)
{
	return capable(CAP_NET_ADMIN);
}

__newtcp unsigned int newtcp_online_cpus(void)
{
	return num_online_cpus();
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
