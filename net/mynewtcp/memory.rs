// SPDX-License-Identifier: GPL-2.0

//! How large a socket's buffers are, and so its windows. They grow with what the path can carry,
//! until the user sets a size, the sysctl's limit is reached or memory is short.

use crate::endpoint::{
    Locked,
    Owned,
    Sock, //
};
use crate::linux::sock::SockFlag;

/// Octets of payload that `space` octets of receive buffer are good for. Half of it pays for
/// the buffers themselves, as Linux' TCP assumes before it has measured.
pub(crate) const fn window_of(space: u32) -> u32 {
    space / 2
}

/// What TCP_WINDOW_CLAMP cannot go below, octets.
pub(crate) const SMALLEST_WINDOW: u32 = crate::linux::memory::SMALLEST_RECEIVE_BUFFER / 2;

/// The receive buffer that a window of `octets` needs.
const fn space_for(octets: u32) -> u32 {
    octets.saturating_mul(2)
}

/// The receive window of a connection that this socket opens or accepts: now, and at most ever.
#[inline]
pub(crate) fn windows_of(sk: &Sock) -> (u32, u32) {
    let rcvbuf = sk.rcvbuf();
    let largest = if sk.rcvbuf_locked() {
        rcvbuf
    } else {
        rcvbuf.max(third(sk.net().sysctl_rmem()))
    };
    let clamped = |space| sk.shared().clamped_window(window_of(space));
    (clamped(rcvbuf), clamped(largest))
}

/// There is as much to read as the user wants to be told of (`SO_RCVLOWAT`).
#[inline]
pub(crate) fn has_enough_to_read(sk: &Sock) -> bool {
    sk.shared().unread() >= sk.rcvlowat().max(1)
}

/// SO_RCVLOWAT is to be `wanted`: as much as the receive buffer can hold at most, and the buffer
/// so large that it can.
pub(crate) fn set_rcvlowat(sk: &mut Owned<'_>, wanted: u32) {
    let is_fixed = sk.rcvbuf_locked();
    let largest = if is_fixed {
        sk.rcvbuf()
    } else {
        third(sk.net().sysctl_rmem())
    };
    let lowat = wanted.min(window_of(largest)).max(1);
    sk.set_rcvlowat(lowat);
    if has_enough_to_read(sk) || sk.flag(SockFlag::Done) {
        sk.data_ready();
    }
    if !is_fixed && space_for(lowat) > sk.rcvbuf() {
        sk.set_rcvbuf(space_for(lowat));
    }
}

/// The maximum of a sysctl of three numbers.
fn third([_, _, max]: [i32; 3]) -> u32 {
    u32::try_from(max).unwrap_or(0)
}

/// What the receive buffer of `sk` may grow to at present: nothing more if the user has chosen its
/// size, or while the protocol's memory is above the first of its three limits.
pub(crate) fn rcvbuf_limit(sk: &Sock) -> u32 {
    let rcvbuf = sk.rcvbuf();
    if sk.rcvbuf_locked() || !sk.memory_is_plentiful() || sk.under_memory_pressure() {
        return rcvbuf;
    }
    rcvbuf.max(third(sk.net().sysctl_rmem()))
}

/// What a reader who has nothing else to read gets although the pool is empty, octets: the first
/// of the three numbers of `net.mynewtcp.rmem`, and as much for the buffers themselves.
pub(crate) fn promised_to_receive(sk: &Sock) -> u32 {
    let [least, ..] = sk.net().sysctl_rmem();
    space_for(u32::try_from(least).unwrap_or(0))
}

/// Lets the send buffer hold two windows of what the network carries at a time, so that there
/// is always something to send while acknowledgments are on their way.
#[inline]
pub(crate) fn grow_send_buffer(sk: &mut Locked<'_>) {
    let Some(wanted) = sk.endpoint().get_mut().send_buffer_wanted() else {
        return;
    };
    // As much again for what the buffers themselves take.
    let wanted = wanted.saturating_mul(2);
    // Most often it is large enough.
    if wanted <= sk.sndbuf()
        || sk.sndbuf_locked()
        || !sk.memory_is_plentiful()
        || sk.under_memory_pressure()
    {
        return;
    }
    let wanted = wanted.min(third(sk.net().sysctl_wmem()));
    if wanted > sk.sndbuf() {
        sk.set_sndbuf(wanted);
    }
}
