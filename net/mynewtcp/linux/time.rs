// SPDX-License-Identifier: GPL-2.0

//! The clock that the engine is told, and jiffies for the timers of the stack.

use super::bindings as b;

/// Nanoseconds since boot, never running backwards.
#[inline]
pub(crate) fn now_ns() -> u64 {
    // SAFETY: Callable from any context once timekeeping is up, which precedes every initcall.
    let ns = unsafe { b::ktime_get() };
    ns as u64
}

/// The jiffy at which a timer for `deadline_ns` should go off: never before it.
pub(super) fn deadline_to_jiffies(deadline_ns: u64) -> usize {
    let wait = deadline_ns.saturating_sub(now_ns());
    // SAFETY: Arithmetic and a volatile read.
    let (delta, now) = unsafe { (b::newtcp_nsecs_to_jiffies(wait), b::newtcp_jiffies()) };
    now.wrapping_add(delta).wrapping_add(1)
}

/// What is left of a time limit on a blocking call, in jiffies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeout(pub(super) isize);

impl Timeout {
    /// True when no time is left.
    pub(crate) fn is_zero(&self) -> bool {
        self.0 == 0
    }
}
