// SPDX-License-Identifier: GPL-2.0
/*
 * Data that only C can lay out or that the C stack reads and writes by
 * address: per-CPU variables, the figures of struct proto, boot parameters.
 */
#include <linux/moduleparam.h>

#include "data.h"

DEFINE_PER_CPU(int, newtcp_memory_per_cpu_fw_alloc);
DEFINE_PER_CPU(struct sk_buff *, newtcp_spares[NEWTCP_SPARES]);
DEFINE_PER_CPU(struct sk_buff *, newtcp_spare_payload);
atomic_long_t newtcp_memory_allocated ____cacheline_aligned_in_smp;
unsigned long newtcp_memory_pressure __read_mostly;
long newtcp_sysctl_mem[3] __read_mostly;
struct percpu_counter newtcp_sockets_allocated ____cacheline_aligned_in_smp;
struct kmem_cache *newtcp_residents __read_mostly;

int newtcp_fail_step;

#ifdef CONFIG_MY_NEWTCP_DEBUG
module_param_named(fail_step, newtcp_fail_step, int, 0444);
MODULE_PARM_DESC(fail_step, "Make this step of the start-up fail (0: none)");
#endif
