// SPDX-License-Identifier: GPL-2.0

//! The receiving half of a connection.
//!
//! - [`reassembly`]: what is in order goes to the reader, what is not is kept;
//! - [`admission`]: as much as there is memory for;
//! - [`duplicates`]: what came twice;
//! - [`tuning`]: how large the window and the buffer may be;
//! - [`rtt`]: the round-trip time, as seen from here;
//! - [`window`]: which window to offer;
//! - [`ack`]: when to acknowledge.

pub mod ack;
pub mod admission;
pub mod duplicates;
pub mod reassembly;
pub mod rtt;
pub mod tuning;
pub mod window;

use crate::engine::buffer::ReceiveQueue;
use crate::engine::congestion::ecn::EcnCounts;
use crate::engine::recv::ack::AckPolicy;
use crate::engine::recv::duplicates::Duplicates;
use crate::engine::recv::tuning::Tuning;
use crate::engine::recv::window::ReceiveWindow;
use crate::engine::seq::{
    Mss,
    SeqNum,
    SeqRange, //
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
    /// What came twice and has not been reported.
    pub(crate) duplicates: Duplicates,
    /// How large window and buffer may be.
    pub(crate) tuning: Tuning,
    /// What has been received.
    pub(crate) tally: Tally,
    /// The timestamps state, if both sides use them.
    pub(crate) timestamps: Option<PeerClock>,
    /// Both sides may send selective acknowledgments.
    pub(crate) sack: bool,
    /// When anything acceptable was last received.
    pub(crate) last_at: Instant,
}

crate::engine::dormant::packed! {
    struct Receive {
        irs, nxt, window, ack, fin, blocks, duplicates, tuning, tally, timestamps, sack, last_at,
    }
}

/// Counts of what has been received, for `TCP_INFO`. The first two wrap, as they do in Linux.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Segments.
    pub(crate) segments: u32,
    /// Segments with payload.
    pub(crate) data_segments: u32,
    /// Segments that came out of order.
    pub(crate) out_of_order: u32,
    /// Octets delivered to the reader.
    pub(crate) octets: u64,
    /// What was ECN-capable.
    pub(crate) ecn: EcnCounts,
}

crate::engine::dormant::packed! {
    struct Tally {
        segments, data_segments, out_of_order, octets, ecn,
    }
}

impl Tally {
    /// `segments` have come, with payload or without.
    pub(crate) fn count(&mut self, segments: u32, with_payload: bool) {
        self.segments = self.segments.wrapping_add(segments);
        if with_payload {
            self.data_segments = self.data_segments.wrapping_add(segments);
        }
    }
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

crate::engine::dormant::packed!(struct PeerClock { recent, recent_at, offset });

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
        self.is_before(val) && now.since(self.recent_at) < Self::OUTDATED
    }

    /// SEG.TSval < TS.Recent
    #[inline]
    pub(crate) const fn is_before(&self, val: u32) -> bool {
        (val.wrapping_sub(self.recent) as i32) < 0
    }

    /// Takes the timestamp of an acceptable segment that covers the last acknowledgment sent.
    pub(crate) fn update(&mut self, now: Instant, val: u32) {
        self.recent = val;
        self.recent_at = now;
    }
}

impl Receive {
    /// Nothing received yet. The first window is `window`, of which the SYN may only say a part.
    pub(crate) fn new(offer: ReceiveWindow, window: u32, advertised_mss: Mss) -> Self {
        Self {
            irs: SeqNum::new(0),
            nxt: SeqNum::new(0),
            window: offer,
            ack: AckPolicy::new(advertised_mss),
            fin: None,
            blocks: SackBlocks::NONE,
            duplicates: Duplicates::default(),
            tuning: Tuning::new(window, advertised_mss),
            tally: Tally::default(),
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
        let seq = segment.seq;
        let right = self.window.right_edge(self.nxt);
        if segment.is_empty() {
            return seq.after_or_eq(self.nxt) && seq.before_or_eq(right);
        }
        let in_window = |n: SeqNum| n.after_or_eq(self.nxt) && n.before(right);
        // One that begins in front of the window counts if it is long enough to reach RCV.NXT.
        // To compare its end with the right edge is not enough: they may be half a circle apart.
        let reaches = seq.before(self.nxt) && segment.len() > self.nxt.distance_from(seq);
        in_window(seq) || reaches
    }

    /// Something is kept out of order, or a FIN is.
    pub(crate) fn has_gap(&self) -> bool {
        !self.blocks.is_empty() || self.fin.is_some()
    }

    /// Blocks say what is kept beyond RCV.NXT, and only that.
    pub(crate) fn forget_delivered<Q: ReceiveQueue>(&mut self, queue: &Q) {
        let nxt = self.nxt;
        self.blocks.retain(|block| block.start().after(nxt));
        self.name_one(queue);
    }

    /// What was kept from `end` on is kept no longer.
    pub(crate) fn forget_blocks_from<Q: ReceiveQueue>(&mut self, end: SeqNum, queue: &Q) {
        let mut kept = SackBlocks::NONE;
        for block in self.blocks.iter() {
            if let Some(block) = SeqRange::between(block.start(), block.end().earliest(end)) {
                kept.push(block);
            }
        }
        self.blocks = kept;
        self.name_one(queue);
    }

    /// There are more pieces than blocks: when the blocks are gone, one is made of the next piece.
    fn name_one<Q: ReceiveQueue>(&mut self, queue: &Q) {
        if self.blocks.is_empty() {
            if let Some(piece) = queue.ooo_first() {
                self.blocks.push(piece);
            }
        }
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
        let mut receive = Receive::new(ReceiveWindow::new(1000, 1000), 1000, Mss::DEFAULT);
        receive.synchronize(SeqNum::new(u32::MAX));
        receive
    }

    fn segment(seq: u32, len: u32) -> Segment {
        let mut transmit = Transmit::bare(SeqNum::new(seq), None, Control::None);
        transmit.range = SeqRange::new(SeqNum::new(seq), len);
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
    fn half_a_circle_away_is_not_in_the_window() {
        let mut receive = Receive::new(ReceiveWindow::new(60_000, 60_000), 0, Mss::DEFAULT);
        receive.synchronize(SeqNum::new(u32::MAX));
        for behind in [1 << 31, (1 << 31) - 1, (1 << 31) - 128, (1 << 31) - 50_000] {
            let far = segment(0u32.wrapping_sub(behind), 2570);
            assert!(!receive.accepts(&far), "{behind} behind");
        }
    }

    #[test]
    fn zero_window_accepts_only_the_edge() {
        let mut receive = Receive::new(ReceiveWindow::new(0, 1000), 0, Mss::DEFAULT);
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
