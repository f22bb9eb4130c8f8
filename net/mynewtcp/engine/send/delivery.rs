// SPDX-License-Identifier: GPL-2.0

//! What one acknowledgment tells of the chunks that it is the first to cover, cumulatively or
//! selectively.

use crate::engine::buffer::TxMeta;
use crate::engine::recv::timestamp_clock;
use crate::engine::seq::{
    Mss,
    SeqNum,
    SeqRange, //
};
use crate::engine::time::{
    Delta,
    Instant, //
};

/// The timestamp that an acknowledgment echoes, on our own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Echo {
    /// TSecr.
    pub(crate) ecr: u32,
    /// The offset of our clock.
    pub(crate) offset: u32,
}

impl Echo {
    /// The segment that it echoes was sent before the clock read `stamp`.
    pub(crate) fn is_before_stamp(self, stamp: u32) -> bool {
        (self.ecr.wrapping_sub(stamp) as i32) < 0
    }

    /// The segment that it echoes was sent before `at`.
    fn is_before(self, at: Instant) -> bool {
        self.is_before_stamp(timestamp_clock(at, self.offset))
    }
}

/// One transmission: what RACK compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// When.
    pub(crate) at: Instant,
    /// The end of its octets.
    pub(crate) end: SeqNum,
}

crate::engine::dormant::packed!(struct Sent { at, end });

impl Sent {
    /// The last transmission of the chunk `range`.
    pub(crate) const fn of(range: SeqRange, meta: TxMeta) -> Self {
        Self {
            at: meta.sent_at,
            end: range.end(),
        }
    }

    /// RACK_sent_after() of RFC 8985, 6.2, step 2.
    pub(crate) fn is_after(self, other: Self) -> bool {
        self.at > other.at || (self.at == other.at && self.end.after(other.end))
    }
}

/// What has been delivered, as one acknowledgment tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery {
    /// When the acknowledgment came.
    pub(crate) now: Instant,
    /// The segment size, to count segments.
    pub(crate) mss: Mss,
    /// Timestamp that it echoes.
    pub(crate) echo: Option<Echo>,
    /// The smallest round-trip time known, [`Delta::ZERO`] if none is.
    pub(crate) min_rtt: Delta,
    /// RACK.fack: the end of the highest octet that had arrived before.
    pub(crate) fack: SeqNum,
    /// RecoveryPoint before.
    pub(crate) recovery_point: SeqNum,
    /// DeliveredData of RFC 9937: octets that it is the first to tell of.
    pub(crate) bytes: u32,
    /// Those of them that it tells of selectively.
    pub(crate) sacked: u32,
    /// When the oldest octets among them were sent that were sent only once.
    pub(crate) oldest: Option<Instant>,
    /// When the youngest were.
    pub(crate) youngest: Option<Instant>,
    /// Some of them had been sent more than once.
    pub(crate) repeated: bool,
    /// Some of them were sent only once, and before the recovery point.
    pub(crate) original: bool,
    /// The lowest octet that was sent only once and that others, sent later, overtook.
    pub(crate) overtaken: Option<SeqNum>,
    /// The transmission among them that was made last, if it is sure which one arrived.
    pub(crate) latest: Option<Sent>,
}

impl Delivery {
    /// Nothing is delivered yet.
    pub(crate) const fn new(now: Instant, mss: Mss, una: SeqNum) -> Self {
        Self {
            now,
            mss,
            echo: None,
            min_rtt: Delta::ZERO,
            fack: una,
            recovery_point: una,
            bytes: 0,
            sacked: 0,
            oldest: None,
            youngest: None,
            repeated: false,
            original: false,
            overtaken: None,
            latest: None,
        }
    }

    /// The octets of `range`, a chunk or a part of one, are acknowledged cumulatively; `meta` is
    /// the note on it.
    pub(crate) fn take(&mut self, range: SeqRange, meta: TxMeta) {
        let late = self.echo.is_some_and(|echo| echo.is_before(meta.sent_at));
        self.take_either(range, meta, late);
    }

    /// They are acknowledged selectively. The echo says nothing about them: it is that of the last
    /// segment that came in order (RFC 7323, 4.3).
    pub(crate) fn take_sacked(&mut self, range: SeqRange, meta: TxMeta) {
        self.sacked = self.sacked.saturating_add(range.len());
        self.take_either(range, meta, false);
    }

    fn take_either(&mut self, range: SeqRange, meta: TxMeta, late: bool) {
        self.bytes = self.bytes.saturating_add(range.len());
        if meta.transmissions > 1 {
            self.repeated = true;
            // It may be the first transmission that has arrived, not the last:
            //
            //   "If Segment.retransmitted is TRUE: If ACK.ts_option.echo_reply < Segment.xmit_ts:
            //   continue; If rtt < RACK.min_RTT: continue" (RFC 8985, 6.2, step 2)
            if late || self.now.since(meta.sent_at) < self.min_rtt {
                return;
            }
        } else {
            self.take_original(range, meta);
        }
        let sent = Sent::of(range, meta);
        if self.latest.is_none_or(|latest| sent.is_after(latest)) {
            self.latest = Some(sent);
        }
    }

    fn take_original(&mut self, range: SeqRange, meta: TxMeta) {
        let at = meta.sent_at;
        self.original |= range.end().before_or_eq(self.recovery_point);
        self.oldest = Some(self.oldest.map_or(at, |oldest| oldest.min(at)));
        self.youngest = Some(self.youngest.map_or(at, |youngest| youngest.max(at)));
        if range.end().before(self.fack) {
            let start = range.start();
            self.overtaken = Some(self.overtaken.map_or(start, |low| low.earliest(start)));
        }
    }
}
