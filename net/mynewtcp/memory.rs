// SPDX-License-Identifier: GPL-2.0

//! How large a socket's buffers are, and so its windows. They grow with what the path can carry,
//! until the user sets a size, the sysctl's limit is reached or memory is short.

use crate::endpoint::{
    with_connection,
    Locked,
    Sock, //
};
use crate::engine::time::{
    Delta,
    Instant, //
};

/// Octets of payload that `space` octets of receive buffer are good for. Half of it pays for
/// the buffers themselves, as Linux' TCP assumes before it has measured.
pub(crate) const fn window_of(space: u32) -> u32 {
    space / 2
}

/// The receive buffer that a window of `octets` needs.
const fn space_for(octets: u32) -> u32 {
    octets.saturating_mul(2)
}

/// The receive window of a connection that this socket opens or accepts: now, and at most ever.
pub(crate) fn windows_of(sk: &Sock) -> (u32, u32) {
    let rcvbuf = sk.rcvbuf();
    let largest = if sk.rcvbuf_locked() {
        rcvbuf
    } else {
        rcvbuf.max(third(sk.net().sysctl_rmem()))
    };
    (window_of(rcvbuf), window_of(largest))
}

/// The maximum of a sysctl of three numbers.
fn third([_, _, max]: [i32; 3]) -> u32 {
    u32::try_from(max).unwrap_or(0)
}

/// Lets the send buffer hold two windows of what the network carries at a time, so that there
/// is always something to send while acknowledgments are on their way.
pub(crate) fn grow_send_buffer(sk: &mut Locked<'_>) {
    if sk.sndbuf_locked() || sk.under_memory_pressure() {
        return;
    }
    let Some(cwnd) = with_connection(sk, |connection, _| connection.cwnd_bytes()) else {
        return;
    };
    // Two windows, and as much again for what the buffers themselves take.
    let wanted = cwnd.saturating_mul(4).min(third(sk.net().sysctl_wmem()));
    if wanted > sk.sndbuf() {
        sk.set_sndbuf(wanted);
    }
}

/// Watches how fast the user reads: a receive buffer must hold twice what is read in a round
/// trip, or it is the window that limits the sender.
#[derive(Clone, Copy)]
pub(crate) struct ReceiveTuning {
    since: Instant,
    copied: u32,
}

impl ReceiveTuning {
    /// Nothing has been read yet.
    pub(crate) const fn new() -> Self {
        Self {
            since: Instant::ZERO,
            copied: 0,
        }
    }

    /// `n` octets more were read. Once in a round trip this gives how many there were in it.
    fn per_round_trip(&mut self, n: u32, now: Instant, rtt: Delta) -> Option<u32> {
        self.copied = self.copied.saturating_add(n);
        if now.since(self.since) < rtt {
            return None;
        }
        let first = self.since == Instant::ZERO;
        let copied = core::mem::replace(&mut self.copied, 0);
        self.since = now;
        (!first).then_some(copied)
    }
}

/// The user has read `n` octets: maybe the window should have been larger.
pub(crate) fn grow_receive_buffer(sk: &mut Locked<'_>, n: u32) {
    if sk.rcvbuf_locked() || sk.under_memory_pressure() {
        return;
    }
    if !sk.endpoint().get_mut().values().moderate_rcvbuf {
        return;
    }
    let Some((now, rtt)) = with_connection(sk, |connection, cx| (cx.now, connection.srtt())) else {
        return;
    };
    let tuning = &mut sk.endpoint().get_mut().receive_tuning;
    let Some(copied) = tuning.per_round_trip(n, now, rtt) else {
        return;
    };
    let wanted = space_for(copied.saturating_mul(2)).min(third(sk.net().sysctl_rmem()));
    if wanted > sk.rcvbuf() {
        sk.set_rcvbuf(wanted);
    }
}
