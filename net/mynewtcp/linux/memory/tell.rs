// SPDX-License-Identifier: GPL-2.0

//! What the log says when memory runs out.

use super::{
    exact_pages,
    limits,
    per_cpu_reserve,
    pool::Pool, //
};
use crate::linux::{
    bindings as b,
    time, //
};
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// How often one message comes at most, nanoseconds.
const INTERVAL: u64 = 5_000_000_000;

/// Keeps one message from filling the log.
pub(crate) struct Ration {
    /// When it came last; 0 if never.
    at: Atomic<u64>,
    /// How often it was kept back since.
    held_back: Atomic<u64>,
}

impl Ration {
    /// Not said yet.
    pub(crate) const fn new() -> Self {
        Self {
            at: Atomic::new(0),
            held_back: Atomic::new(0),
        }
    }

    /// How often the message was kept back, if it may come now.
    pub(crate) fn take(&self) -> Option<u64> {
        let (now, last) = (time::now_ns().max(1), self.at.load(Relaxed));
        let recently = last != 0 && now.saturating_sub(last) < INTERVAL;
        if recently || self.at.cmpxchg(last, now, Relaxed).is_err() {
            self.held_back.add(1u64, Relaxed);
            return None;
        }
        Some(self.held_back.xchg(0, Relaxed))
    }
}

static NAMESPACE: Ration = Ration::new();
static HOST: Ration = Ration::new();

/// The namespace of `sk` has no memory left for it.
///
/// # Safety
///
/// `sk` must be live, and `pool` that of its namespace.
#[cold]
pub(super) unsafe fn namespace_is_out(sk: *mut b::sock, pool: &Pool) {
    let Some([_, _, high]) = pool.limits() else {
        return;
    };
    if let Some(held_back) = NAMESPACE.take() {
        // SAFETY: The socket is live and keeps its namespace.
        let namespace = unsafe { b::newtcp_net_inum(b::newtcp_sock_net(sk)) };
        let pages = pool.exact_pages();
        kernel::pr_warn!(
            "out of memory: network namespace {namespace} holds {pages} of {high} pages, the last \
             number of its net.mynewtcp.mem ({held_back} such messages suppressed)\n"
        );
    }
}

/// A reservation of `wanted` pages was refused that the namespace would have allowed.
///
/// # Safety
///
/// `sk` must be live.
#[cold]
pub(super) unsafe fn host_is_out(sk: *mut b::sock, wanted: isize) {
    let [_, _, high] = limits();
    let pages = exact_pages();
    // What the host's limits are held against is known within what CPUs may keep to themselves. A
    // memory cgroup refuses, too, and speaks for itself.
    // SAFETY: By the contract.
    let aside = unsafe { b::newtcp_set_aside(sk) } as isize;
    let possibly = pages.saturating_add(wanted).saturating_add(reserve());
    if possibly.saturating_add(aside) <= high {
        return;
    }
    if let Some(held_back) = HOST.take() {
        kernel::pr_warn!(
            "out of memory: sockets hold {pages} of {high} pages, the last number of the host's \
             net.mynewtcp.mem ({held_back} such messages suppressed)\n"
        );
    }
}

/// Pages that all CPUs together may keep to themselves.
fn reserve() -> isize {
    // SAFETY: Reads a counter.
    let cpus = unsafe { b::newtcp_online_cpus() } as isize;
    cpus.saturating_mul(per_cpu_reserve() as isize)
}
