// SPDX-License-Identifier: GPL-2.0

//! The receiving half of a connection.
//!
//! - [`reassembly`]: what is in order goes to the reader, what is not is kept;
//! - [`window`]: which window to offer;
//! - [`ack`]: when to acknowledge.

pub mod ack;
pub mod reassembly;
pub mod window;

use crate::engine::recv::ack::AckPolicy;
use crate::engine::recv::window::ReceiveWindow;
use crate::engine::seq::{
    Mss,
    SeqNum, //
};
use crate::engine::time::{
    Delta,
    Instant, //
};
use crate::engine::wire::{
    SackBlocks,
    Segment,
    Timestamps, //
};

/// The receive sequence variables and what hangs on them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receive {
    /// IRS.
    pub(crate) irs: SeqNum,
    /// RCV.NXT.
    pub(crate) nxt: SeqNum,
    /// RCV.WND as a right edge, and its scale.
    pub(crate) window: ReceiveWindow,
    /// When to acknowledge.
    pub(crate) ack: AckPolicy,
    /// Where the peer's FIN is, if it came before the data in front of it.
    pub(crate) fin: Option<SeqNum>,
    /// What is kept out of order, most recent first (RFC 2018, section 4).
    pub(crate) blocks: SackBlocks,
    /// The timestamps state, if both sides use them.
    pub(crate) timestamps: Option<PeerClock>,
    /// Both sides may send selective acknowledgments.
    pub(crate) sack: bool,
    /// When anything acceptable was last received.
    pub(crate) last_at: Instant,
}

/// TS.Recent of RFC 7323 and the offset of our own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PeerClock {
    /// TS.Recent.
    pub(crate) recent: u32,
    /// When it was set.
    pub(crate) recent_at: Instant,
    /// What is added to our clock before it goes on the wire.
    pub(crate) offset: u32,
}

/// Our timestamp clock: milliseconds, offset so that it tells nothing about other connections.
pub(crate) const fn timestamp_clock(now: Instant, offset: u32) -> u32 {
    (now.as_millis() as u32).wrapping_add(offset)
}

impl PeerClock {
    /// RFC 7323, 5.5: after 24 days without a segment TS.Recent says nothing.
    const OUTDATED: Delta = Delta::from_secs(24 * 86_400);

    /// The option to send now.
    pub(crate) const fn option(&self, now: Instant) -> Timestamps {
        Timestamps {
            val: timestamp_clock(now, self.offset),
            ecr: self.recent,
        }
    }

    /// PAWS:
    ///
    ///   "If there is a Timestamps option in the arriving segment, SEG.TSval < TS.Recent,
    ///   TS.Recent is valid [...] then treat the arriving segment as not acceptable" (RFC 7323,
    ///   5.3, R1)
    pub(crate) fn rejects(&self, now: Instant, val: u32) -> bool {
        (val.wrapping_sub(self.recent) as i32) < 0 && now.since(self.recent_at) < Self::OUTDATED
    }

    /// Takes the timestamp of an acceptable segment that covers the last acknowledgment sent.
    pub(crate) fn update(&mut self, now: Instant, val: u32) {
        self.recent = val;
        self.recent_at = now;
    }
}

impl Receive {
    /// Nothing received yet.
    pub(crate) fn new(window: ReceiveWindow, advertised_mss: Mss) -> Self {
        Self {
            irs: SeqNum::new(0),
            nxt: SeqNum::new(0),
            window,
            ack: AckPolicy::new(advertised_mss),
            fin: None,
            blocks: SackBlocks::NONE,
            timestamps: None,
            sack: false,
            last_at: Instant::ZERO,
        }
    }

    /// The peer's SYN has told where its sequence numbers begin.
    pub(crate) fn synchronize(&mut self, irs: SeqNum) {
        self.irs = irs;
        self.nxt = irs.plus(1);
        self.window.synchronize(self.nxt);
        self.ack.on_synchronized(self.nxt);
    }

    /// The peer's FIN has been received, with all in front of it.
    pub(crate) fn advance_over_fin(&mut self) {
        self.nxt = self.nxt.plus(1);
        self.fin = None;
        // A peer that sent octets behind its FIN will hear no more of them.
        self.blocks = SackBlocks::NONE;
        self.window.follow(self.nxt);
    }

    /// The acceptability test of RFC 9293, 3.10.7.4, first step, with one allowance: an empty
    /// segment exactly at the right edge is accepted, because that is where a peer that has
    /// filled our window acknowledges from.
    pub(crate) fn accepts(&self, segment: &Segment) -> bool {
        let (seq, end) = (segment.seq, segment.end());
        let right = self.window.right_edge(self.nxt);
        if segment.is_empty() {
            return seq.after_or_eq(self.nxt) && seq.before_or_eq(right);
        }
        let in_window = |n: SeqNum| n.after_or_eq(self.nxt) && n.before(right);
        in_window(seq) || in_window(end.minus(1)) || (seq.before(self.nxt) && end.after(right))
    }

    /// Something is kept out of order, or a FIN is.
    pub(crate) fn has_gap(&self) -> bool {
        !self.blocks.is_empty() || self.fin.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::wire::{
        Control,
        Ports,
        Transmit, //
    };

    fn receive() -> Receive {
        let mut receive = Receive::new(ReceiveWindow::new(1000, 1000), Mss::DEFAULT);
        receive.synchronize(SeqNum::new(u32::MAX));
        receive
    }

    fn segment(seq: u32, len: u32) -> Segment {
        let mut transmit = Transmit::bare(SeqNum::new(seq), None, Control::None);
        transmit.range = crate::engine::seq::SeqRange::new(SeqNum::new(seq), len);
        transmit.as_received(Ports { src: 1, dst: 2 })
    }

    #[test]
    fn acceptability_follows_the_table() {
        let receive = receive();
        assert!(receive.accepts(&segment(0, 0)));
        assert!(receive.accepts(&segment(999, 1)));
        assert!(receive.accepts(&segment(1000, 0)));
        assert!(!receive.accepts(&segment(1000, 1)));
        assert!(!receive.accepts(&segment(1001, 0)));
        assert!(!receive.accepts(&segment(u32::MAX, 0)));
        assert!(!receive.accepts(&segment(u32::MAX, 1)));
        assert!(receive.accepts(&segment(u32::MAX, 2)));
        assert!(receive.accepts(&segment(u32::MAX, 2000)));
    }

    #[test]
    fn zero_window_accepts_only_the_edge() {
        let mut receive = Receive::new(ReceiveWindow::new(0, 1000), Mss::DEFAULT);
        receive.synchronize(SeqNum::new(99));
        assert!(receive.accepts(&segment(100, 0)));
        assert!(!receive.accepts(&segment(100, 1)));
        assert!(!receive.accepts(&segment(101, 0)));
    }

    #[test]
    fn paws_rejects_the_past_until_it_is_outdated() {
        let clock = PeerClock {
            recent: 5,
            recent_at: Instant::ZERO,
            offset: 0,
        };
        let soon = Instant::ZERO.after(Delta::from_secs(1));
        assert!(clock.rejects(soon, u32::MAX));
        assert!(!clock.rejects(soon, 5));
        let late = Instant::ZERO.after(Delta::from_secs(25 * 86_400));
        assert!(!clock.rejects(late, u32::MAX));
    }
}
