// SPDX-License-Identifier: GPL-2.0

//! When to acknowledge: at once, with the next data, or a little later (RFC 9293, 3.8.6.3).

use crate::engine::config::Config;
use crate::engine::seq::{
    Mss,
    SeqNum, //
};
use crate::engine::time::{
    Delta,
    Instant, //
};

/// How urgent an acknowledgment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgency {
    /// The peer knows all we have.
    None,
    /// May wait for data to travel with, until the timer runs out.
    Delayed,
    /// Must go now.
    Now,
}

/// Decides between delayed and immediate acknowledgments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AckPolicy {
    /// Last.ACK.sent of RFC 7323.
    pub(crate) last_sent: SeqNum,
    /// When data last arrived, zero if never.
    last_data_at: Instant,
    /// Delayed acknowledgment time-out, adapts to the pace of arrivals.
    ato: Delta,
    /// The largest payload of one segment seen: an estimate of the peer's MSS.
    pub(crate) peer_mss: u16,
    /// What it can be at most: the MSS that we announced.
    advertised_mss: u16,
    /// Acknowledgments still to send at once, so that a new sender's slow start is not slowed.
    quick: u8,
    /// Our side answers with data, so that acknowledgments travel with it.
    interactive: bool,
    urgency: Urgency,
}

impl AckPolicy {
    /// Immediate acknowledgments at the start of a connection.
    const QUICK_AT_START: u8 = 16;
    const PEER_MSS_AT_START: u16 = 536;

    pub(crate) fn new(advertised_mss: Mss) -> Self {
        Self {
            last_sent: SeqNum::new(0),
            last_data_at: Instant::ZERO,
            ato: Delta::ZERO,
            peer_mss: Self::PEER_MSS_AT_START.min(advertised_mss.field()),
            advertised_mss: advertised_mss.field(),
            quick: Self::QUICK_AT_START,
            interactive: false,
            urgency: Urgency::None,
        }
    }

    /// The peer's SYN came.
    pub(crate) fn on_synchronized(&mut self, nxt: SeqNum) {
        self.last_sent = nxt;
    }

    /// An acknowledgment must go now.
    pub(crate) fn now(&mut self) {
        self.urgency = Urgency::Now;
    }

    /// An acknowledgment must go now.
    pub(crate) fn is_now(&self) -> bool {
        self.urgency == Urgency::Now
    }

    /// An acknowledgment is owed, now or later.
    pub(crate) fn is_owed(&self) -> bool {
        self.urgency != Urgency::None
    }

    /// The user wants (or no longer wants) acknowledgments at once.
    pub(crate) fn set_quick(&mut self, on: bool) {
        self.quick = if on { Self::QUICK_AT_START } else { 0 };
        self.interactive = !on;
        if on && self.is_owed() {
            self.now();
        }
    }

    /// Delayed acknowledgment time-out now.
    pub(crate) fn ato(&self) -> Delta {
        self.ato
    }

    /// In-order data of `len` octets has arrived and RCV.NXT is `nxt` now. Returns when the
    /// acknowledgment is due at the latest, if it may wait.
    ///
    ///   "The delay MUST be less than 0.5 seconds" and "An ACK SHOULD be generated for at least
    ///   every second full-sized segment" (RFC 9293, 3.8.6.3)
    #[must_use]
    pub(crate) fn on_data(
        &mut self,
        now: Instant,
        config: &Config,
        len: u32,
        nxt: SeqNum,
    ) -> Option<Instant> {
        self.adapt(now, config, len);
        let full = u32::from(self.peer_mss);
        let unacked = nxt.distance_from(self.last_sent);
        if unacked >= full.saturating_mul(2) || (self.quick > 0 && !self.interactive) {
            self.quick = self.quick.saturating_sub(1);
            self.now();
        }
        match self.urgency {
            Urgency::Now => None,
            Urgency::None | Urgency::Delayed => {
                self.urgency = Urgency::Delayed;
                Some(now.after(self.ato.clamped(config.delack_min, config.delack_max)))
            }
        }
    }

    /// Follows the pace of arrivals: the time-out need not be longer than what usually passes
    /// until the second segment.
    fn adapt(&mut self, now: Instant, config: &Config, len: u32) {
        if len > u32::from(self.peer_mss) {
            // It may be a merged superpacket, longer than any one segment.
            self.peer_mss = len.min(u32::from(self.advertised_mss)) as u16;
        }
        let gap = now.since(self.last_data_at);
        if self.last_data_at == Instant::ZERO {
            self.ato = config.delack_min;
        } else if gap <= config.delack_min.halved(1) {
            self.ato = self.ato.halved(1).plus(config.delack_min.halved(1));
        } else if gap < self.ato {
            self.ato = self.ato.halved(1).plus(gap);
        } else if gap > config.rto_initial {
            // Silence was longer than a sender's patience: it may be in slow start again.
            self.quick = Self::QUICK_AT_START;
            self.interactive = false;
        }
        self.last_data_at = now;
    }

    /// A segment with an acknowledgment of `nxt` is being sent.
    pub(crate) fn on_sent(&mut self, now: Instant, nxt: SeqNum, with_data: bool) {
        // Data that follows data so soon is an answer, and the next one will be.
        let answers = self.last_data_at != Instant::ZERO && now.since(self.last_data_at) < self.ato;
        if with_data && answers {
            self.interactive = true;
        }
        self.urgency = Urgency::None;
        self.last_sent = nxt;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: Config = Config::DEFAULT;

    fn settled() -> AckPolicy {
        let mut ack = AckPolicy::new(Mss::new(1000));
        ack.quick = 0;
        ack.peer_mss = 1000;
        ack
    }

    #[test]
    fn starts_quick() {
        let mut ack = AckPolicy::new(Mss::new(1000));
        let due = ack.on_data(Instant::from_nanos(1), &CONFIG, 10, SeqNum::new(10));
        assert_eq!(due, None);
        assert!(ack.is_now());
    }

    #[test]
    fn every_second_full_segment_is_acknowledged() {
        let mut ack = settled();
        let now = Instant::from_nanos(1);
        let due = ack.on_data(now, &CONFIG, 1000, SeqNum::new(1000)).unwrap();
        assert!(due.since(now) >= CONFIG.delack_min && due.since(now) <= CONFIG.delack_max);
        assert!(ack.is_owed() && !ack.is_now());
        assert_eq!(ack.on_data(now, &CONFIG, 1000, SeqNum::new(2000)), None);
        assert!(ack.is_now());
        ack.on_sent(now, SeqNum::new(2000), false);
        assert!(!ack.is_owed());
    }

    #[test]
    fn answering_makes_it_interactive() {
        let mut ack = AckPolicy::new(Mss::new(1000));
        ack.peer_mss = 1000;
        ack.interactive = false;
        ack.quick = 0;
        let now = Instant::from_nanos(1);
        assert!(ack.on_data(now, &CONFIG, 1, SeqNum::new(1)).is_some());
        ack.on_sent(now, SeqNum::new(1), true);
        ack.quick = 5;
        assert!(ack.on_data(now, &CONFIG, 1, SeqNum::new(2)).is_some());
    }
}
