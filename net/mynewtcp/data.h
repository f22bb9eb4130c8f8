/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __MYNEWTCP_DATA_H__
#define __MYNEWTCP_DATA_H__

#include <linux/atomic.h>
#include <linux/percpu.h>
#include <linux/percpu_counter.h>
#include <linux/slab.h>

/* Pages charged to NEW_TCP on this CPU and not yet in the global sum. */
DECLARE_PER_CPU(int, newtcp_memory_per_cpu_fw_alloc);

/* An empty payload skb for whoever sends next on this CPU; NULL for none. */
struct sk_buff;
DECLARE_PER_CPU(struct sk_buff *, newtcp_spare_payload);

/* Pages charged to all NEW_TCP sockets, without the per-CPU batches. */
extern atomic_long_t newtcp_memory_allocated;

/* When memory pressure began, in jiffies; 0 when there is none. */
extern unsigned long newtcp_memory_pressure;

/* net.mynewtcp.mem in pages: low, pressure, high. */
extern long newtcp_sysctl_mem[3];

/* How many NEW_TCP sockets exist. */
extern struct percpu_counter newtcp_sockets_allocated;

/* Packets without payload, as good as new, for those that are sent next. */
#define NEWTCP_SPARES 2
DECLARE_PER_CPU(struct sk_buff *, newtcp_spares[NEWTCP_SPARES]);

/* Where the connections of NEW_TCP sockets live. */
extern struct kmem_cache *newtcp_residents;

/* The step of the start-up that is to fail, 0 for none. */
extern int newtcp_fail_step;

#endif /* __MYNEWTCP_DATA_H__ */
