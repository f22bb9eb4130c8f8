// SPDX-License-Identifier: GPL-2.0

//! What `/proc` and socket diagnosis tell of an entry of the tables, whatever form it has.

use super::bindings as b;

/// What diagnosis says of one entry besides what the kernel's half of it says.
#[derive(Clone, Copy, Default)]
pub(crate) struct Facts {
    /// A state of [`state`](super::state), or [`TIME_WAIT`].
    pub(crate) state: u8,
    /// What the timer is for.
    pub(crate) timer: TimerKind,
    /// Tries so far of what the timer repeats.
    pub(crate) retrans: u8,
    /// Milliseconds until the timer goes off.
    pub(crate) expires_ms: u32,
    /// Octets to read; of a listener: connections to accept.
    pub(crate) rqueue: u32,
    /// Octets not acknowledged; of a listener: the limit of the other.
    pub(crate) wqueue: u32,
}

/// What a timer is for, as `idiag_timer` and `/proc/net/tcp` number it.
#[derive(Clone, Copy, Default)]
#[repr(u8)]
pub(crate) enum TimerKind {
    /// There is none.
    #[default]
    Off = 0,
    /// Retransmission and its kin.
    Retransmit = 1,
    /// Keepalive, or the end of FIN-WAIT-2.
    Keepalive = 2,
    /// TIME-WAIT.
    TimeWait = 3,
    /// A probe of a closed window.
    Probe = 4,
}

/// The state of a connection in TIME-WAIT.
pub(crate) const TIME_WAIT: u8 = b::TCP_TIME_WAIT as u8;
