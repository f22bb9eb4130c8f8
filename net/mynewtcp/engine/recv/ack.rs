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

crate::engine::dormant::packed!(
    enum Urgency {
        None,
        Delayed,
        Now,
    }
);

/// What the policy wants to know of a segment with payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Octets of payload in one segment.
    pub(crate) segment_len: u32,
    /// It has the PSH bit: it may be short because the sender had no more.
    pub(crate) pushed: bool,
}

/// What is known of the path and of patience with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Smoothed round-trip time, zero if unknown.
    pub(crate) srtt: Delta,
    /// Our retransmission time-out, which stands for the peer's.
    pub(crate) rto: Delta,
}

/// What is known of the user who reads what has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader {
    /// It waits for data, and reads it at once.
    pub(crate) waits: bool,
    /// It is not so far behind that the window shrinks.
    pub(crate) keeps_up: bool,
}

/// Decides between delayed and immediate acknowledgments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AckPolicy {
    /// Last.ACK.sent of RFC 7323.
    pub(crate) last_sent: SeqNum,
    /// RCV.NXT when the user last had read everything.
    read_to: SeqNum,
    /// When data last arrived, zero if never.
    last_data_at: Instant,
    /// Delayed acknowledgment time-out, adapts to the pace of arrivals.
    ato: Delta,
    /// The payload of the peer's full segments, estimated.
    pub(crate) peer_mss: u16,
    /// The payload of its last segment.
    last_len: u16,
    /// What it can be at most: the MSS that we announced.
    advertised_mss: u16,
    /// Acknowledgments still to send at once, so that a new sender's slow start is not slowed.
    quick: u8,
    /// Our side answers with data, so that acknowledgments travel with it.
    interactive: bool,
    /// What goes at once may wait until the user, who is just being told of the data, has
    /// answered it or waits for more.
    forbearing: bool,
    /// It does so now.
    promised: bool,
    urgency: Urgency,
}

crate::engine::dormant::packed! {
    struct AckPolicy {
        last_sent, read_to, last_data_at, ato, peer_mss, last_len, advertised_mss, quick,
        interactive, forbearing, promised, urgency,
    }
}

impl AckPolicy {
    /// Immediate acknowledgments at the start of a connection.
    const QUICK_AT_START: u8 = 16;
    const PEER_MSS_AT_START: u16 = 536;
    /// An acknowledgment that waits for the reader waits so many times half as long as others.
    const PROMISE: u32 = 3;
    /// Shorter segments are not held to be full, unless they end with no PSH bit; those shorter
    /// than the second number never are.
    const TELLING: u32 = 536;
    const LEAST_TELLING: u32 = 88;

    pub(crate) fn new(advertised_mss: Mss) -> Self {
        Self {
            last_sent: SeqNum::new(0),
            read_to: SeqNum::new(0),
            last_data_at: Instant::ZERO,
            ato: Delta::ZERO,
            peer_mss: Self::PEER_MSS_AT_START.min(advertised_mss.field()),
            last_len: 0,
            advertised_mss: advertised_mss.field(),
            quick: Self::QUICK_AT_START,
            interactive: false,
            forbearing: true,
            promised: false,
            urgency: Urgency::None,
        }
    }

    /// The peer's SYN came.
    pub(crate) fn on_synchronized(&mut self, nxt: SeqNum) {
        self.last_sent = nxt;
        self.read_to = nxt;
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
        self.forbearing &= !on;
        if on && self.is_owed() {
            self.now();
        }
    }

    /// The user gets acknowledgments at once (`TCP_QUICKACK`).
    pub(crate) fn is_quick(&self) -> bool {
        !self.interactive
    }

    /// The next acknowledgments go at once: the sender seems to have missed some.
    pub(crate) fn enter_quick(&mut self) {
        self.quick = self.quick.max(Self::QUICK_AT_START);
        self.interactive = false;
        self.forbearing = false;
        self.ato = Delta::ZERO;
    }

    /// There is no room to hurry the sender into.
    pub(crate) fn leave_quick(&mut self) {
        self.quick = 0;
    }

    /// The window has grown, and the sender should know.
    pub(crate) fn once_quick(&mut self) {
        self.quick = self.quick.max(1);
    }

    /// Delayed acknowledgment time-out now.
    pub(crate) fn ato(&self) -> Delta {
        self.ato
    }

    /// When data last arrived, zero if never.
    pub(crate) fn last_data_at(&self) -> Instant {
        self.last_data_at
    }

    /// In-order data has arrived and RCV.NXT is `nxt` now. Returns when the acknowledgment is due
    /// at the latest, if it may wait.
    ///
    ///   "The delay MUST be less than 0.5 seconds" and "An ACK SHOULD be generated for at least
    ///   every second full-sized segment" (RFC 9293, 3.8.6.3)
    ///
    /// The latter waits too while it is the [reader](Self::waits_for_room) who is behind: the
    /// window would have to be told again as soon as there is room for more.
    #[must_use]
    pub(crate) fn on_data(
        &mut self,
        now: Instant,
        config: &Config,
        pace: Pace,
        nxt: SeqNum,
        reader: Reader,
    ) -> Option<Instant> {
        self.adapt(now, config, pace);
        if config.always_quick {
            self.now();
        } else if self.quick > 0 && !self.interactive {
            self.quick -= 1;
            // A request, or an answer: its reader soon says more than an acknowledgment would.
            let is_short = nxt.distance_from(self.last_sent) < u32::from(self.peer_mss);
            if self.forbearing && reader.waits && is_short && !self.is_now() {
                self.promised = true;
                self.urgency = Urgency::Delayed;
                return Some(now.after(config.delack_min.halved(Self::PROMISE)));
            }
            self.now();
        } else if self.owes_two(nxt) && reader.keeps_up {
            self.now();
        }
        match self.urgency {
            Urgency::Now => None,
            Urgency::None | Urgency::Delayed => {
                self.urgency = Urgency::Delayed;
                let delay = if !reader.keeps_up {
                    Self::patience(config, pace.srtt)
                } else {
                    self.delay(config, pace)
                };
                Some(now.after(delay))
            }
        }
    }

    /// The peer's FIN has arrived in order and RCV.NXT is `nxt` now. Returns when the
    /// acknowledgment is due at the latest, if it may wait. Like Linux' TCP it waits also while
    /// acknowledgments go at once: the peer sends nothing more that they could speed up.
    #[must_use]
    pub(crate) fn on_fin(
        &mut self,
        now: Instant,
        config: &Config,
        pace: Pace,
        nxt: SeqNum,
    ) -> Option<Instant> {
        if self.is_now() || self.owes_two(nxt) {
            self.now();
            return None;
        }
        self.interactive = true;
        self.urgency = Urgency::Delayed;
        Some(now.after(self.delay(config, pace)))
    }

    /// An acknowledgment goes [when the reader waits again](Self::on_reader_waits), and not before.
    pub(crate) fn waits_for_reader(&self) -> bool {
        self.promised && self.urgency == Urgency::Delayed
    }

    /// The user has read what there was, has not answered it, and waits for more.
    pub(crate) fn on_reader_waits(&mut self) {
        if self.waits_for_reader() {
            self.now();
        }
    }

    /// An acknowledgment of two full segments or more waits until the reader has made room.
    #[inline]
    pub(crate) fn waits_for_room(&self, nxt: SeqNum) -> bool {
        self.urgency == Urgency::Delayed && self.owes_two(nxt)
    }

    /// How long that is at most: less than what the peer, `srtt` away, would take for a loss (two
    /// round trips by RFC 8985, 7.2; 2 ms at least in Linux).
    fn patience(config: &Config, srtt: Delta) -> Delta {
        let least = Delta::from_millis(1).min(config.delack_min);
        srtt.halved(1).clamped(least, config.delack_min)
    }

    /// Two full segments or more are not acknowledged.
    pub(crate) fn owes_two(&self, nxt: SeqNum) -> bool {
        let full = u32::from(self.peer_mss);
        nxt.distance_from(self.last_sent) >= full.saturating_mul(2)
    }

    /// The user has read everything up to RCV.NXT, which is `nxt`. If that was a burst, its odd
    /// segment has no second one to wait for: the sender waits for its acknowledgment.
    pub(crate) fn on_all_read(&mut self, nxt: SeqNum) {
        let full = u32::from(self.peer_mss);
        let burst = nxt.distance_from(self.read_to) > full.saturating_mul(2);
        self.read_to = nxt;
        let is_odd = nxt.distance_from(self.last_sent) >= full;
        if self.urgency == Urgency::Delayed && burst && is_odd && !self.interactive {
            self.now();
        }
    }

    /// How long an acknowledgment waits: no longer than a round trip takes, for that is what it
    /// would cost a sender who waits for it.
    fn delay(&self, config: &Config, pace: Pace) -> Delta {
        let least = config.delack_min.min(config.delack_max);
        let most = if pace.srtt == Delta::ZERO || self.interactive {
            config.delack_max
        } else {
            pace.srtt.clamped(least, config.delack_max)
        };
        self.ato.clamped(least, most)
    }

    /// A segment with payload has come. True if the estimate of full segments has changed, and
    /// this one is full.
    #[must_use]
    pub(crate) fn measure(&mut self, sample: Sample) -> bool {
        let Sample {
            segment_len,
            pushed,
        } = sample;
        let len = segment_len.min(u32::from(self.advertised_mss)) as u16;
        let telling =
            segment_len >= Self::TELLING || (segment_len >= Self::LEAST_TELLING && !pushed);
        // Shorter ones are full if they come in pairs.
        let full = len >= self.peer_mss || (telling && len == self.last_len);
        self.last_len = len;
        if !full || len == self.peer_mss || len == 0 {
            return false;
        }
        self.peer_mss = len;
        true
    }

    /// Follows the pace of arrivals: the time-out need not be longer than what usually passes
    /// until the second segment.
    fn adapt(&mut self, now: Instant, config: &Config, pace: Pace) {
        let gap = now.since(self.last_data_at);
        if self.ato == Delta::ZERO || self.last_data_at == Instant::ZERO {
            self.ato = config.delack_min;
        } else if gap <= config.delack_min.halved(1) {
            self.ato = self.ato.halved(1).plus(config.delack_min.halved(1));
        } else if gap < self.ato {
            self.ato = self.ato.halved(1).plus(gap).min(pace.rto);
        } else if gap > pace.rto {
            // Silence was longer than a sender's patience: it may be in slow start again.
            self.quick = Self::QUICK_AT_START;
            self.interactive = false;
        }
        self.last_data_at = now;
    }

    /// A delayed acknowledgment was not overtaken by data. True if it is still owed.
    pub(crate) fn on_timeout(&mut self, config: &Config, pace: Pace, nxt: SeqNum) -> bool {
        if !self.is_owed() {
            return false;
        }
        if nxt == self.last_sent || self.owes_two(nxt) {
            // It has waited for the reader, which says nothing of data.
            self.now();
            return true;
        }
        if self.interactive {
            // The user no longer answers.
            self.interactive = false;
            self.ato = config.delack_min;
        } else {
            // The delay was too short for a second segment to come.
            self.ato = self.ato.doubled(1).min(pace.rto);
        }
        self.now();
        true
    }

    /// A segment with an acknowledgment of `nxt` is being sent.
    pub(crate) fn on_sent(&mut self, now: Instant, nxt: SeqNum, with_data: bool) {
        // Data that follows data so soon is an answer, and the next one will be.
        let answers = self.last_data_at != Instant::ZERO && now.since(self.last_data_at) < self.ato;
        if with_data && answers {
            self.interactive = true;
        }
        self.urgency = Urgency::None;
        self.promised = false;
        self.last_sent = nxt;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: Config = Config::DEFAULT;
    const PACE: Pace = Pace {
        srtt: Delta::ZERO,
        rto: Delta::from_secs(1),
    };

    const ABSENT: Reader = reader(false, true);
    const WAITING: Reader = reader(true, true);
    const BEHIND: Reader = reader(false, false);

    const fn reader(waits: bool, keeps_up: bool) -> Reader {
        Reader { waits, keeps_up }
    }

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(1).after(Delta::from_millis(millis))
    }

    fn settled() -> AckPolicy {
        let mut ack = AckPolicy::new(Mss::new(1000));
        ack.quick = 0;
        ack.peer_mss = 1000;
        ack
    }

    /// Three segments and one read: the third is acknowledged. One segment a read: the second is.
    #[test]
    fn odd_segments_of_a_burst_do_not_wait() {
        let mut ack = settled();
        for nxt in [1000, 2000, 3000] {
            let _ = on_data(&mut ack, at(0), nxt);
            if ack.is_now() {
                ack.on_sent(at(0), SeqNum::new(nxt), false);
            }
        }
        assert!(ack.is_owed() && !ack.is_now());
        ack.on_all_read(SeqNum::new(3000));
        assert!(ack.is_now());
        ack.on_sent(at(0), SeqNum::new(3000), false);
        let _ = on_data(&mut ack, at(5), 4000);
        ack.on_all_read(SeqNum::new(4000));
        assert!(ack.is_owed() && !ack.is_now());
        let _ = on_data(&mut ack, at(6), 5000);
        assert!(ack.is_now());
    }

    #[inline]
    fn on_data(ack: &mut AckPolicy, now: Instant, nxt: u32) -> Option<Delta> {
        let due = ack.on_data(now, &CONFIG, PACE, SeqNum::new(nxt), ABSENT);
        due.map(|due| due.since(now))
    }

    const fn sample(segment_len: u32, pushed: bool) -> Sample {
        Sample {
            segment_len,
            pushed,
        }
    }

    #[test]
    fn starts_quick_for_sixteen_acknowledgments() {
        let mut ack = AckPolicy::new(Mss::new(1000));
        for n in 1..=16 {
            assert_eq!(on_data(&mut ack, at(u64::from(n)), n), None);
            assert!(ack.is_now());
            ack.on_sent(at(u64::from(n)), SeqNum::new(n), false);
        }
        assert!(on_data(&mut ack, at(17), 17).is_some());
    }

    /// A request is acknowledged with its answer, or when its reader waits for more, or soon.
    #[test]
    fn quick_acknowledgments_wait_for_a_reader_who_is_there() {
        let mut ack = AckPolicy::new(Mss::new(1000));
        let request = |ack: &mut AckPolicy, ms, nxt| {
            ack.on_data(at(ms), &CONFIG, PACE, SeqNum::new(nxt), WAITING)
        };
        let due = request(&mut ack, 1, 1).unwrap();
        assert_eq!(due.since(at(1)), CONFIG.delack_min.halved(3));
        assert!(ack.is_owed() && !ack.is_now());
        ack.on_reader_waits();
        assert!(ack.is_now());
        ack.on_sent(at(1), SeqNum::new(1), false);
        ack.on_reader_waits();
        assert!(!ack.is_owed());
        // A full segment is none of a request, and the second one that is owed does not wait.
        assert!(request(&mut ack, 2, 600).is_none() && ack.is_now());
        ack.on_sent(at(2), SeqNum::new(600), false);
        // Whoever asks for quick acknowledgments gets them.
        ack.set_quick(true);
        assert!(request(&mut ack, 3, 601).is_none() && ack.is_now());
    }

    /// A reader who is behind acknowledges what it makes room for: one answer for both.
    #[test]
    fn a_window_that_would_shrink_waits_for_the_reader() {
        let mut ack = settled();
        let behind =
            |ack: &mut AckPolicy, nxt| ack.on_data(at(0), &CONFIG, PACE, SeqNum::new(nxt), BEHIND);
        for nxt in [1000, 2000, 9000] {
            let due = behind(&mut ack, nxt).unwrap();
            assert!(due.since(at(0)) <= CONFIG.delack_min && !ack.is_now());
        }
        let nxt = SeqNum::new(9000);
        assert!(ack.waits_for_room(nxt));
        // The time that it waited for the reader says nothing of the peer's pace.
        let ato = ack.ato();
        assert!(ack.on_timeout(&CONFIG, PACE, nxt) && ack.ato() == ato);
        ack.on_sent(at(0), SeqNum::new(9000), false);
        // Less than two segments wait as ever.
        assert!(behind(&mut ack, 10_999).is_some());
        assert!(!ack.waits_for_room(SeqNum::new(10_999)) && ack.is_owed());
    }

    #[test]
    fn every_second_full_segment_is_acknowledged() {
        let mut ack = settled();
        let due = on_data(&mut ack, at(0), 1000).unwrap();
        assert_eq!(due, CONFIG.delack_min);
        assert!(ack.is_owed() && !ack.is_now());
        assert_eq!(on_data(&mut ack, at(0), 2000), None);
        assert!(ack.is_now());
        ack.on_sent(at(0), SeqNum::new(2000), false);
        assert!(!ack.is_owed());
    }

    #[test]
    fn answering_makes_it_interactive_until_the_answer_fails_to_come() {
        let mut ack = settled();
        assert!(on_data(&mut ack, at(0), 1).is_some());
        ack.on_sent(at(1), SeqNum::new(1), true);
        assert!(!ack.is_quick());
        ack.quick = 5;
        assert!(on_data(&mut ack, at(2), 2).is_some());
        let nxt = SeqNum::new(2);
        assert!(ack.on_timeout(&CONFIG, PACE, nxt));
        assert!(ack.is_quick() && ack.is_now());
        ack.on_sent(at(50), SeqNum::new(2), false);
        assert!(!ack.on_timeout(&CONFIG, PACE, nxt));
    }

    #[test]
    fn delay_follows_the_pace_between_its_bounds() {
        let mut ack = settled();
        on_data(&mut ack, at(0), 1);
        // Two time-outs without a second segment make it more patient, up to the limit.
        let nxt = SeqNum::new(1);
        assert!(ack.on_timeout(&CONFIG, PACE, nxt) && ack.on_timeout(&CONFIG, PACE, nxt));
        ack.on_sent(at(100), SeqNum::new(1), false);
        assert_eq!(on_data(&mut ack, at(260), 2).unwrap().as_millis(), 160);
        assert!(ack.on_timeout(&CONFIG, PACE, SeqNum::new(2)));
        ack.on_sent(at(500), SeqNum::new(2), false);
        assert_eq!(on_data(&mut ack, at(900), 3).unwrap(), CONFIG.delack_max);
        // Fast arrivals make it less patient.
        for n in 0..20 {
            ack.on_sent(at(900), SeqNum::new(3 + n), false);
            on_data(&mut ack, at(901 + u64::from(n)), 4 + n);
        }
        ack.on_sent(at(930), SeqNum::new(24), false);
        let soon = on_data(&mut ack, at(931), 25).unwrap();
        assert!(soon.as_millis() <= CONFIG.delack_min.as_millis() + 1);
        // Nobody waits longer than a round trip.
        let mut slow = settled();
        slow.ato = Delta::from_millis(200);
        let pace = Pace {
            srtt: Delta::from_millis(60),
            ..PACE
        };
        let due = slow
            .on_data(at(0), &CONFIG, pace, SeqNum::new(1), ABSENT)
            .unwrap();
        assert!(due.since(at(0)) <= Delta::from_millis(60));
    }

    #[test]
    fn silence_makes_it_quick_again() {
        let mut ack = settled();
        assert!(on_data(&mut ack, at(0), 1).is_some());
        ack.on_sent(at(1), SeqNum::new(1), true);
        assert_eq!(on_data(&mut ack, at(1500), 2), None);
    }

    #[test]
    fn full_segments_are_recognised() {
        let mut ack = AckPolicy::new(Mss::new(1460));
        assert!(ack.measure(sample(1448, false)));
        assert_eq!(ack.peer_mss, 1448);
        assert!(!ack.measure(sample(1448, false)));
        // A merged superpacket that does not say its segments' size.
        assert!(ack.measure(sample(60_000, true)));
        assert_eq!(ack.peer_mss, 1460);
        // The path's MTU has shrunk: two of a kind.
        assert!(!ack.measure(sample(1300, true)) && ack.measure(sample(1300, true)));
        assert_eq!(ack.peer_mss, 1300);
        // Small writes are not full segments, however many.
        for _ in 0..10 {
            assert!(!ack.measure(sample(100, true)));
            assert!(!ack.measure(sample(50, false)));
        }
        assert!(!ack.measure(sample(500, false)) && ack.measure(sample(500, false)));
        assert_eq!(ack.peer_mss, 500);
    }
}
