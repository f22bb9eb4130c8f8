// SPDX-License-Identifier: GPL-2.0

//! RACK (RFC 8985): what was sent before something that has arrived is lost, unless it may still
//! be on its way because the network reorders.

use crate::engine::config::Config;
use crate::engine::send::delivery::{
    Delivery,
    Sent, //
};
use crate::engine::seq::SeqNum;
use crate::engine::time::{
    Delta,
    Instant, //
};

/// What RACK says of one transmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing that was sent later has arrived.
    Unknown,
    /// It may be on its way still, for as long as the reordering window.
    Waits,
    /// It is lost.
    Lost,
}

/// RACK's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rack {
    /// RACK.xmit_ts and RACK.end_seq: of all that has arrived, what was sent last.
    pub(crate) latest: Sent,
    /// RACK.rtt: its round-trip time.
    pub(crate) rtt: Delta,
    /// RACK.dsack_round.
    dsack_round: Option<SeqNum>,
    /// RACK.reo_wnd_mult.
    reo_wnd_mult: u8,
    /// RACK.reo_wnd_persist.
    reo_wnd_persist: u8,
    /// By how many segments the network has been seen to reorder: DupThresh.
    pub(crate) reordering: u16,
    /// How often reordering was seen; RACK.reordering_seen if it was at all.
    pub(crate) reord_seen: u32,
}

crate::engine::dormant::packed! {
    struct Rack {
        latest, rtt, dsack_round, reo_wnd_mult, reo_wnd_persist, reordering, reord_seen,
    }
}

impl Rack {
    /// "RACK.reo_wnd_persist = 16" (RFC 8985, 6.2, step 4)
    const PERSIST: u8 = 16;

    pub(crate) const fn new(iss: SeqNum, config: &Config) -> Self {
        Self {
            latest: Sent {
                at: Instant::ZERO,
                end: iss,
            },
            rtt: Delta::ZERO,
            dsack_round: None,
            reo_wnd_mult: 1,
            reo_wnd_persist: 0,
            reordering: config.reordering,
            reord_seen: 0,
        }
    }

    /// Steps 2 and 3: takes what an acknowledgment has told.
    pub(crate) fn on_delivery(&mut self, delivery: &Delivery) {
        let Some(latest) = delivery.latest else {
            return;
        };
        self.on_latest(delivery.now, latest);
    }

    /// `latest` is the last transmission of what was delivered.
    #[inline]
    pub(crate) fn on_latest(&mut self, now: Instant, latest: Sent) {
        self.rtt = now.since(latest.at);
        if latest.is_after(self.latest) {
            self.latest = latest;
        }
    }

    /// Octets from `low` on have been overtaken by octets up to `fack`. `true` if that is more
    /// than was known.
    pub(crate) fn on_reordering(&mut self, segments: u32, config: &Config) {
        self.reord_seen = self.reord_seen.saturating_add(1);
        let most = config.max_reordering.max(config.reordering);
        let seen = segments.min(u32::from(most)) as u16;
        self.reordering = self.reordering.max(seen);
    }

    /// Step 4, growth: "Grow the reordering window per round that sees DSACK."
    pub(crate) fn on_dsack(&mut self, una: SeqNum, nxt: SeqNum) {
        self.end_round(una);
        if self.dsack_round.is_none() {
            self.dsack_round = Some(nxt);
            self.reo_wnd_mult = self.reo_wnd_mult.saturating_add(1);
            self.reo_wnd_persist = Self::PERSIST;
        }
    }

    /// SND.UNA is `una` now.
    pub(crate) fn end_round(&mut self, una: SeqNum) {
        if self.dsack_round.is_some_and(|end| una.after_or_eq(end)) {
            self.dsack_round = None;
        }
    }

    /// Step 4, decay: "Reset the window after 16 DSACK-free recoveries."
    pub(crate) fn on_recovered(&mut self) {
        self.reo_wnd_persist = self.reo_wnd_persist.saturating_sub(1);
        if self.reo_wnd_persist == 0 {
            self.reo_wnd_mult = 1;
        }
    }

    /// RACK.reo_wnd, when `sacked_segs` segments are acknowledged selectively.
    ///
    ///   "If RACK.reordering_seen is FALSE: If in Fast or RTO recovery: return 0; Else if
    ///   RACK.segs_sacked >= DupThresh: return 0. Return min(RACK.reo_wnd_mult * RACK.min_RTT / 4,
    ///   SRTT)" (RFC 8985, 6.2, step 4)
    pub(crate) fn reo_wnd(
        &self,
        min_rtt: Delta,
        srtt: Delta,
        repairing: bool,
        sacked_segs: u32,
    ) -> Delta {
        let dup_thresh = u32::from(self.reordering);
        if self.reord_seen == 0 && (repairing || sacked_segs >= dup_thresh) {
            return Delta::ZERO;
        }
        let window = min_rtt.times(u64::from(self.reo_wnd_mult)).halved(2);
        window.min(srtt)
    }

    /// Step 5, on one transmission.
    pub(crate) fn judge(&self, sent: Sent, now: Instant, reo_wnd: Delta) -> Verdict {
        if !self.latest.is_after(sent) {
            Verdict::Unknown
        } else if self.is_overdue(sent.at, now, reo_wnd) {
            Verdict::Lost
        } else {
            Verdict::Waits
        }
    }

    /// What was sent at `sent_at` should have been acknowledged by now.
    pub(crate) fn is_overdue(&self, sent_at: Instant, now: Instant, reo_wnd: Delta) -> bool {
        sent_at.after(self.rtt.plus(reo_wnd)) <= now
    }

    /// When everything that waits will have waited long enough: nothing that waits was sent after
    /// RACK.xmit_ts.
    ///
    ///   "This timer expires at the earliest moment when RACK would conclude that all the
    ///   unacknowledged segments within the reordering window were lost." (RFC 8985, 6.3)
    pub(crate) fn reorder_deadline(&self, reo_wnd: Delta) -> Instant {
        self.latest.at.after(self.rtt.plus(reo_wnd))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::buffer::TxMeta;
    use crate::engine::seq::{
        Mss,
        SeqRange, //
    };

    const UNA: SeqNum = SeqNum::new(u32::MAX - 10);
    const CONFIG: Config = Config::DEFAULT;

    fn ms(n: u64) -> Instant {
        Instant::from_nanos(n * 1_000_000)
    }

    fn rack() -> Rack {
        Rack::new(UNA, &CONFIG)
    }

    fn delivered(at: Instant, sent_at: Instant, transmissions: u8) -> Delivery {
        let mut delivery = Delivery::new(at, Mss::DEFAULT, UNA);
        delivery.min_rtt = Delta::from_millis(20);
        let meta = TxMeta {
            transmissions,
            ..TxMeta::first(sent_at)
        };
        delivery.take(SeqRange::new(UNA.plus(1000), 1000), meta);
        delivery
    }

    #[test]
    fn what_was_sent_before_is_lost_after_the_window() {
        let mut rack = rack();
        rack.on_delivery(&delivered(ms(120), ms(100), 1));
        assert_eq!(rack.rtt, Delta::from_millis(20));
        let earlier = Sent {
            at: ms(100),
            end: UNA.plus(1000),
        };
        let reo_wnd = Delta::from_millis(5);
        assert_eq!(rack.judge(earlier, ms(120), reo_wnd), Verdict::Waits);
        assert_eq!(rack.reorder_deadline(reo_wnd), ms(125));
        assert_eq!(rack.judge(earlier, ms(125), reo_wnd), Verdict::Lost);
        let later = Sent {
            at: ms(100),
            end: UNA.plus(3000),
        };
        assert_eq!(rack.judge(later, ms(500), reo_wnd), Verdict::Unknown);
    }

    #[test]
    fn acknowledgment_of_the_first_transmission_says_nothing_of_the_second() {
        let mut rack = rack();
        rack.on_delivery(&delivered(ms(110), ms(100), 2));
        assert_eq!(rack.latest.at, Instant::ZERO);
        rack.on_delivery(&delivered(ms(120), ms(100), 2));
        assert_eq!(rack.latest.at, ms(100));
    }

    #[test]
    fn window_follows_reordering_and_dsack() {
        let mut rack = rack();
        let (min, srtt) = (Delta::from_millis(40), Delta::from_millis(50));
        let wnd = |rack: &Rack, repairing, sacked| rack.reo_wnd(min, srtt, repairing, sacked);
        assert_eq!(wnd(&rack, false, 2), Delta::from_millis(10));
        assert_eq!(wnd(&rack, false, 3), Delta::ZERO);
        assert_eq!(wnd(&rack, true, 0), Delta::ZERO);
        rack.on_reordering(7, &CONFIG);
        assert_eq!((rack.reordering, rack.reord_seen), (7, 1));
        assert_eq!(wnd(&rack, true, 9), Delta::from_millis(10));
        rack.on_dsack(UNA, UNA.plus(100));
        rack.on_dsack(UNA.plus(99), UNA.plus(200));
        assert_eq!(wnd(&rack, true, 9), Delta::from_millis(20));
        for end in 2..9 {
            rack.on_dsack(UNA.plus(end * 100), UNA.plus(end * 100 + 100));
        }
        assert_eq!(wnd(&rack, true, 9), srtt);
        for _ in 0..16 {
            assert_eq!(wnd(&rack, true, 9), srtt);
            rack.on_recovered();
        }
        assert_eq!(wnd(&rack, true, 9), Delta::from_millis(10));
    }
}
