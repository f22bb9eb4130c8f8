// SPDX-License-Identifier: GPL-2.0
/* Locks, timers, per-CPU counters, time, random numbers, namespaces. */

__newtcp void newtcp_spin_lock_init(spinlock_t *lock, const char *name,
				    struct lock_class_key *key)
{
#ifdef CONFIG_DEBUG_SPINLOCK
# if defined(CONFIG_PREEMPT_RT)
	__spin_lock_init(lock, name, key, false);
# else
	__raw_spin_lock_init(spinlock_check(lock), name, key, LD_WAIT_CONFIG);
# endif
#else
	spin_lock_init(lock);
#endif
}

__newtcp void newtcp_spin_lock_bh(spinlock_t *lock)
{
	spin_lock_bh(lock);
}

__newtcp void newtcp_spin_unlock_bh(spinlock_t *lock)
{
	spin_unlock_bh(lock);
}

__newtcp bool newtcp_spin_trylock_bh(spinlock_t *lock)
{
	return spin_trylock_bh(lock);
}

__newtcp void newtcp_lockdep_assert_held(spinlock_t *lock)
{
	lockdep_assert_held(lock);
}

__newtcp void newtcp_local_bh_disable(void)
{
	local_bh_disable();
}

__newtcp void newtcp_local_bh_enable(void)
{
	local_bh_enable();
}

__newtcp unsigned long newtcp_jiffies(void)
{
	return jiffies;
}

__newtcp unsigned long newtcp_nsecs_to_jiffies(u64 ns)
{
	return nsecs_to_jiffies(ns);
}

__newtcp bool newtcp_timer_pending(const struct timer_list *timer)
{
	return timer_pending(timer);
}

__newtcp void newtcp_timer_setup(struct timer_list *timer,
				 void (*func)(struct timer_list *timer))
{
	timer_setup(timer, func, 0);
}

__newtcp void newtcp_hrtimer_setup(struct hrtimer *timer,
				   enum hrtimer_restart (*func)(struct hrtimer *timer))
{
	hrtimer_setup(timer, func, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS_PINNED_SOFT);
}

__newtcp bool newtcp_hrtimer_is_queued(const struct hrtimer *timer)
{
	return hrtimer_is_queued((struct hrtimer *)timer);
}

__newtcp void newtcp_hrtimer_start(struct hrtimer *timer, u64 ns)
{
	hrtimer_start(timer, ns_to_ktime(ns), HRTIMER_MODE_ABS_PINNED_SOFT);
}

__newtcp int newtcp_percpu_counter_init(struct percpu_counter *fbc)
{
	return percpu_counter_init(fbc, 0, GFP_KERNEL);
}

__newtcp void newtcp_percpu_counter_destroy(struct percpu_counter *fbc)
{
	percpu_counter_destroy(fbc);
}

__newtcp s64 newtcp_percpu_counter_read(struct percpu_counter *fbc)
{
	return percpu_counter_read_positive(fbc);
}

/* A CPU keeps no more to itself than from the host's sum. */
__newtcp void newtcp_percpu_counter_add(struct percpu_counter *fbc, s64 n,
					int batch)
{
	int most = min(batch, READ_ONCE(net_hotdata.sysctl_mem_pcpu_rsv));
#ifdef CONFIG_SMP
	int kept = this_cpu_add_return(*fbc->counters, (s32)n);

	if (likely(abs(kept) < most))
		return;
	/* It is all here already: only to be handed in. */
	n = 0;
#endif
	percpu_counter_add_batch(fbc, n, most);
}

__newtcp s64 newtcp_percpu_counter_sum(struct percpu_counter *fbc)
{
	return percpu_counter_sum(fbc);
}

__newtcp long newtcp_proto_memory_pages(void)
{
	long pages = atomic_long_read(&newtcp_memory_allocated);
	int cpu;

	for_each_possible_cpu(cpu)
		pages += per_cpu(newtcp_memory_per_cpu_fw_alloc, cpu);
	return pages;
}

__newtcp u64 newtcp_siphash(const void *data, size_t len,
			    const siphash_key_t *key)
{
	return siphash(data, len, key);
}

__newtcp u32 newtcp_flow_hash4(u32 laddr, u16 lport, u32 raddr, u16 rport,
			       u32 net, const hsiphash_key_t *key)
{
	return hsiphash_4u32(laddr, raddr, (u32)lport << 16 | rport, net, key);
}

__newtcp u64 newtcp_flow_secret4(u32 laddr, u16 lport, u32 raddr, u16 rport,
				 u32 salt, const siphash_key_t *key)
{
	return siphash_4u32(laddr, raddr, (u32)lport << 16 | rport, salt, key);
}

__newtcp u32 newtcp_flow_hash6(const struct in6_addr *laddr, u16 lport,
			       const struct in6_addr *raddr, u16 rport,
			       u32 net, const hsiphash_key_t *key)
{
	struct {
		struct in6_addr laddr, raddr;
		u32 ports, net;
	} words = { *laddr, *raddr, (u32)lport << 16 | rport, net };

	return hsiphash(&words, sizeof(words), key);
}

__newtcp struct netns_mynewtcp *newtcp_netns(struct net *net)
{
	return &net->mynewtcp;
}

__newtcp bool newtcp_is_local_reserved_port(const struct net *net, u16 port)
{
	return inet_is_local_reserved_port(net, port);
}

__newtcp bool newtcp_ipv6_enabled(void)
{
	return IS_ENABLED(CONFIG_MY_NEWTCP_IPV6) && ipv6_mod_enabled();
}

#ifdef CONFIG_MY_NEWTCP_KUNIT_TEST
/* Tests run before anything in user space has done this. */
__newtcp int newtcp_loopback_up(void)
{
	int err;

	rtnl_lock();
	err = dev_open(init_net.loopback_dev, NULL);
	rtnl_unlock();
	return err;
}
#endif

__newtcp unsigned int newtcp_jiffies_to_msecs(unsigned long j)
{
	return jiffies_to_msecs(j);
}

__newtcp unsigned int newtcp_net_inum(const struct net *net)
{
	return net->ns.inum;
}

__newtcp void newtcp_smp_mb(void)
{
	smp_mb();
}
