// SPDX-License-Identifier: GPL-2.0

//! The protocol's memory: what `struct proto` points to, its limits, and each namespace's share.
//!
//! | file | what |
//! |---|---|
//! | here | the host's sum and limits |
//! | `pool` | a namespace's |
//! | `charge` | where a socket gets pages and gives them back |
//! | `tell` | what the log says when there is no more |
//! | `audit` | the books, checked in a debug kernel |

mod audit;
pub(super) mod charge;
pub(super) mod pool;
mod tell;

pub(crate) use pool::Tally;
pub(crate) use tell::Ration;

use super::{
    bindings as b,
    net::Net,
    netns,
    proto::Protocol,
    sock::Sock, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Full,
        Relaxed, //
    }, //
};
use pool::Pool;

/// The fewest pages that the protocol is allowed, on however small a machine.
const MIN_PAGES: usize = 128;

fn pressure() -> &'static Atomic<usize> {
    // SAFETY: A C `unsigned long` that lives for ever; C reads and writes it in single accesses.
    unsafe { Atomic::from_ptr(&raw mut b::newtcp_memory_pressure) }
}

/// The present jiffy; never 0, which means "no pressure".
fn now() -> usize {
    // SAFETY: A volatile read.
    unsafe { b::newtcp_jiffies() }.max(1)
}

/// Milliseconds since jiffy `since`.
fn ms_since(since: usize) -> u64 {
    // SAFETY: Arithmetic.
    u64::from(unsafe { b::newtcp_jiffies_to_msecs(now().wrapping_sub(since)) })
}

/// Notes in `since` that a time of pressure begins now. False if one is under way.
fn begin(since: &Atomic<usize>) -> bool {
    since.load(Relaxed) == 0 && since.cmpxchg(0, now(), Full).is_ok()
}

/// Ends it. Returns how many milliseconds it has lasted, if there was one.
fn end(since: &Atomic<usize>) -> Option<u64> {
    if since.load(Relaxed) == 0 {
        return None;
    }
    match since.xchg(0, Full) {
        0 => None,
        since => Some(ms_since(since)),
    }
}

/// How many milliseconds it has lasted so far, if there is one.
fn lasts(since: &Atomic<usize>) -> Option<u64> {
    match since.load(Relaxed) {
        0 => None,
        since => Some(ms_since(since)),
    }
}

/// The pages that `bytes` take.
#[inline]
fn pages_for(bytes: i32) -> isize {
    (bytes.max(0) as usize).div_ceil(b::NEWTCP_PAGE_SIZE) as isize
}

/// Notes since when memory is short, and in the namespace of `sk` that it is.
///
/// # Safety
///
/// `sk` must be live.
pub(super) unsafe fn enter_pressure(sk: *mut b::sock) {
    if begin(pressure()) {
        // SAFETY: By the contract.
        if let Some(pool) = unsafe { Pool::of(sk) } {
            pool.count_pressure();
        }
    }
}

/// Memory is no longer short.
///
/// # Safety
///
/// `sk` must be live.
pub(super) unsafe fn leave_pressure(sk: *mut b::sock) {
    if let Some(ms) = end(pressure()) {
        // SAFETY: By the contract.
        if let Some(pool) = unsafe { Pool::of(sk) } {
            pool.count_relief(ms);
        }
    }
}

/// The pages that the machine could give to buffers.
pub(super) fn usable_pages() -> usize {
    // SAFETY: Reads zone counters.
    unsafe { b::nr_free_buffer_pages() }
}

/// The same in octets.
pub(crate) fn usable_bytes() -> usize {
    usable_pages().saturating_mul(b::NEWTCP_PAGE_SIZE)
}

/// The first value of `net.mynewtcp.mem`: a sixteenth of the machine, with three quarters of
/// that before anything is regulated and three halves before anything is refused. The same as
/// TCP's, so that a machine with both has room for both.
pub(super) fn init_limits() {
    let limit = (usable_pages() / 16).max(MIN_PAGES);
    let low = limit / 4 * 3;
    // SAFETY: Nobody reads the limits before `struct proto` is registered.
    unsafe { b::newtcp_sysctl_mem = [low as isize, limit as isize, (low * 2) as isize] };
}

/// `net.mynewtcp.mem`: low, pressure, high, in pages.
pub(crate) fn limits() -> [isize; 3] {
    // SAFETY: The sysctl writes each number whole; a mix of old and new triple is harmless.
    unsafe { (&raw const b::newtcp_sysctl_mem).read_volatile() }
}

/// `net.mynewtcp.mem` as namespace `net` shows it: its own, or the host's as long as it has none.
pub(super) fn limits_of(net: &Net) -> [isize; 3] {
    let own = netns::pool(net).filter(|_| !net.is_first());
    own.and_then(Pool::limits).unwrap_or_else(limits)
}

/// Sets `net.mynewtcp.mem` of namespace `net`, that of the host in the first one. The numbers
/// ascend.
///
/// Who administers a namespace from within a container may lower its limits. To raise them takes
/// who administers the host.
pub(super) fn set_limits(net: &Net, new: [isize; 3]) -> Result {
    if net.is_first() {
        for (i, value) in new.iter().enumerate() {
            // SAFETY: Each number is written in one access.
            unsafe { (&raw mut b::newtcp_sysctl_mem[i]).write_volatile(*value) };
        }
        return Ok(());
    }
    let is_raise = new.iter().zip(limits_of(net)).any(|(new, old)| *new > old);
    // SAFETY: Process context: only a writer of the file comes here.
    if is_raise && !unsafe { b::newtcp_may_administer_host() } {
        return Err(EPERM);
    }
    netns::pool(net).ok_or(ENODEV)?.set_limits(new);
    Ok(())
}

/// Pages charged to the sockets of the protocol, what CPUs keep in hand included: exact when
/// nothing is going on.
pub(crate) fn exact_pages() -> isize {
    // SAFETY: Atomic reads.
    unsafe { b::newtcp_proto_memory_pages() }
}

/// Who uses how much memory, and what the limits are.
pub(crate) struct Usage {
    /// Pages, exact when nothing is going on.
    pub(crate) pages: isize,
    /// Low, pressure, high, in pages.
    pub(crate) limits: [isize; 3],
    /// Milliseconds for which memory has been short; `None` while it is not.
    pub(crate) pressed_for: Option<u64>,
}

/// What the whole host uses.
pub(crate) fn usage() -> Usage {
    Usage {
        pages: exact_pages(),
        limits: limits(),
        pressed_for: lasts(pressure()),
    }
}

/// What one namespace uses, and what it has counted.
pub(crate) fn usage_of(net: &Net) -> (Usage, Tally) {
    let pool = netns::pool(net);
    let usage = Usage {
        pages: pool.map_or(0, Pool::exact_pages),
        limits: limits_of(net),
        pressed_for: pool.and_then(Pool::pressed_for),
    };
    (usage, pool.map(Pool::tally).unwrap_or_default())
}

/// How many sockets of the protocol `net` has.
pub(crate) fn sockets_of<E: Protocol>(net: &Net) -> i32 {
    // SAFETY: The namespace is live and the protocol is registered.
    unsafe { b::newtcp_sockets_in_use_of(net.as_raw(), E::statics().proto.get()) }
}

/// Pages that each CPU may keep from the host's sum (`net.core.mem_pcpu_rsv`).
pub(crate) fn per_cpu_reserve() -> i32 {
    // SAFETY: A read of one word.
    unsafe { b::newtcp_mem_pcpu_rsv() }
}

impl<E: Protocol> Sock<E> {
    fn pool(&self) -> Option<&Pool> {
        // SAFETY: The socket is live and keeps its namespace.
        unsafe { Pool::of(self.as_raw()) }
    }

    /// Memory is short: on the host, in the namespace, or in the memory cgroup.
    #[inline]
    pub(crate) fn under_memory_pressure(&self) -> bool {
        // SAFETY: `self` is a live socket.
        let beyond = unsafe { b::newtcp_under_memory_pressure(self.as_raw()) };
        beyond || self.pool().is_some_and(Pool::is_pressed)
    }

    /// Host and namespace are below the first number of `net.mynewtcp.mem`.
    #[inline]
    pub(crate) fn memory_is_plentiful(&self) -> bool {
        // SAFETY: `self` is a live socket.
        let on_host = unsafe { b::newtcp_memory_is_plentiful(self.as_raw()) };
        on_host && self.pool().is_none_or(Pool::is_plentiful)
    }

    /// The host or the namespace is above its memory limit, and this socket is not among the
    /// smallest.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        // SAFETY: `self` is a live socket.
        let (holds_much, host) = unsafe {
            (
                b::newtcp_holds_much(self.as_raw()),
                b::newtcp_is_host_exhausted(self.as_raw()),
            )
        };
        if !holds_much {
            return false;
        }
        if host {
            // SAFETY: As above.
            unsafe { tell::host_is_out(self.as_raw(), 0) };
            return true;
        }
        let Some(pool) = self.pool().filter(|pool| pool.is_exhausted()) else {
            return false;
        };
        // SAFETY: `self` is a live socket of that namespace.
        unsafe { tell::namespace_is_out(self.as_raw(), pool) };
        true
    }
}

/// How many sockets there are, exact when nothing is going on.
pub(crate) fn sockets() -> i64 {
    // SAFETY: The counter is initialised before the first socket.
    unsafe { b::newtcp_percpu_counter_sum(&raw mut b::newtcp_sockets_allocated) }
}

/// What a namespace starts with for `net.mynewtcp.wmem`, in bytes.
pub(super) fn default_wmem() -> [i32; 3] {
    [PAGE, 16 * 1024, largest(4 << 20, 64 << 10)]
}

/// What a namespace starts with for `net.mynewtcp.rmem`, in bytes.
pub(super) fn default_rmem() -> [i32; 3] {
    [PAGE, 128 << 10, largest(32 << 20, 128 << 10)]
}

/// The smallest receive buffer that `SO_RCVBUF` can ask for, bytes.
pub(crate) const SMALLEST_RECEIVE_BUFFER: u32 = b::NEWTCP_SOCK_MIN_RCVBUF;

const PAGE: i32 = b::NEWTCP_PAGE_SIZE as i32;

/// The 128th part of what the machine could give, between `least` and `most`.
fn largest(most: usize, least: usize) -> i32 {
    let share = usable_pages().saturating_mul(b::NEWTCP_PAGE_SIZE) / 128;
    share.clamp(least, most) as i32
}
