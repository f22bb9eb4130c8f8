// SPDX-License-Identifier: GPL-2.0

//! The protocol's memory: what `struct proto` points to, and its limits.

use super::bindings as b;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// The fewest pages that the protocol is allowed, on however small a machine.
const MIN_PAGES: usize = 128;

fn pressure() -> &'static Atomic<usize> {
    // SAFETY: A C `unsigned long` that lives for ever; C reads and writes it in single accesses.
    unsafe { Atomic::from_ptr(&raw mut b::newtcp_memory_pressure) }
}

/// Notes since when memory is short.
pub(super) fn enter_pressure() {
    if pressure().load(Relaxed) != 0 {
        return;
    }
    // SAFETY: A volatile read.
    let now = unsafe { b::newtcp_jiffies() };
    // 0 means "no pressure".
    let _ = pressure().cmpxchg(0, now.max(1), kernel::sync::atomic::Full);
}

/// Memory is no longer short.
pub(super) fn leave_pressure() {
    if pressure().load(Relaxed) != 0 {
        pressure().store(0, Relaxed);
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

/// Pages charged to the sockets of the protocol, what CPUs keep in hand included: exact when
/// nothing is going on.
pub(crate) fn exact_pages() -> isize {
    // SAFETY: Atomic reads.
    unsafe { b::newtcp_proto_memory_pages() }
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
