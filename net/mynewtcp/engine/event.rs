// SPDX-License-Identifier: GPL-2.0

//! What a connection tells its shell through `poll_event`.

use crate::engine::error::ConnectionError;
use crate::engine::listener::TimeWait;

/// Something that the user of the connection may be waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The handshake is complete.
    Connected,
    /// There is more to read.
    Readable,
    /// Acknowledged data has left the send queue: there may be room to write.
    Writable,
    /// The peer will send no more: after the data that is queued comes end of file.
    PeerClosed,
    /// The connection failed. `Closed` follows.
    Failed(ConnectionError),
    /// Both sides have closed and it was ours to wait: keep this object until its deadline, and
    /// free the connection as soon as its user lets go. `Closed` follows.
    TimeWait(TimeWait),
    /// There will be nothing more to transmit and no deadline. Data that was delivered may still
    /// be read.
    Closed,
}

/// The events that have happened and have not been polled, one bit each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pending(u8);

/// The events that need nothing but a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Signal {
    Connected = 1,
    Readable = 2,
    Writable = 4,
    PeerClosed = 8,
    Failed = 16,
    TimeWait = 32,
    Closed = 64,
}

impl Signal {
    /// Which one has the lowest of these bits: they stand in the order of a connection's life.
    #[inline]
    fn first_of(bits: u8) -> Option<Self> {
        Some(match bits & bits.wrapping_neg() {
            1 => Self::Connected,
            2 => Self::Readable,
            4 => Self::Writable,
            8 => Self::PeerClosed,
            16 => Self::Failed,
            32 => Self::TimeWait,
            64 => Self::Closed,
            _ => return None,
        })
    }
}

impl Pending {
    /// `Closed` has been told: it was the last.
    const OVER: u8 = 128;

    /// Notes that `signal` has happened.
    #[inline]
    pub(crate) fn raise(&mut self, signal: Signal) {
        if self.0 & Self::OVER == 0 {
            self.0 |= signal as u8;
        }
    }

    /// There are none to tell, and none was the last.
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Takes [`Signal::Readable`] and [`Signal::Writable`], if there is nothing else to tell: whether
    /// there is the one, and the other.
    #[inline]
    pub(crate) fn take_ready(&mut self) -> Option<(bool, bool)> {
        let has = |signal: Signal| self.0 & signal as u8 != 0;
        let found = (has(Signal::Readable), has(Signal::Writable));
        let usual = Signal::Readable as u8 | Signal::Writable as u8;
        if self.0 & !(usual | Self::OVER) != 0 {
            return None;
        }
        self.0 &= !usual;
        Some(found)
    }

    /// Takes the next event to tell, in the order of a connection's life.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Signal> {
        let signal = Signal::first_of(self.0 & !Self::OVER)?;
        self.0 &= !(signal as u8);
        if signal == Signal::Closed {
            self.0 |= Self::OVER;
        }
        Some(signal)
    }
}
