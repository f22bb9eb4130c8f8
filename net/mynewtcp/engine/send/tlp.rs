// SPDX-License-Identifier: GPL-2.0

//! Tail loss probes (RFC 8985, 7): when nothing behind a loss can tell of it, one more segment
//! makes the peer speak.

use crate::engine::config::Config;
use crate::engine::seq::SeqNum;
use crate::engine::time::{
    Delta,
    Instant, //
};

/// A probe that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Probe {
    /// TLP.end_seq: SND.NXT when it was sent.
    end_seq: SeqNum,
    /// TLP.is_retrans: it repeated what had been sent.
    is_retrans: bool,
}

crate::engine::dormant::packed!(struct Probe { end_seq, is_retrans });

/// Loss probes' memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tlp {
    probe: Option<Probe>,
    /// A probe must be sent.
    pub(crate) due: bool,
    /// Acknowledgments in a row that came at once, for one segment each.
    prompt: u8,
    /// The longest that the peer was seen to delay one, in microseconds; zero if never.
    delay: u32,
}

crate::engine::dormant::packed!(struct Tlp { probe, due, prompt, delay });

/// An acknowledgment, as a probe that is under way sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProbeAnswer {
    /// SEG.ACK.
    pub(crate) ack: SeqNum,
    /// It advances SND.UNA, carries news of selectively acknowledged data, payload or a window.
    pub(crate) has_news: bool,
    /// The end of the range that it reports as a duplicate.
    pub(crate) dsack_end: Option<SeqNum>,
}

/// What bears on the time of a probe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// When data was last sent.
    pub(crate) last_sent_at: Instant,
    /// When SND.UNA last advanced.
    pub(crate) last_acked_at: Instant,
    /// SRTT, zero if unknown.
    pub(crate) srtt: Delta,
    /// The smallest round-trip time.
    pub(crate) min_rtt: Delta,
    /// Only one segment is under way.
    pub(crate) is_alone: bool,
}

/// What an acknowledgment says of the probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Finding {
    /// Nothing, or that nothing was lost.
    Nothing,
    /// The probe has repaired a loss: congestion control must hear of it.
    Repaired,
}

impl Tlp {
    /// Prompt acknowledgments after which the peer is held to acknowledge each segment at once.
    const PROMPT: u8 = 4;
    /// No probe is sent sooner, as in Linux: what else has to run on the peer takes its time too.
    const LEAST: Delta = Delta::from_millis(2);

    pub(crate) const fn new() -> Self {
        Self {
            probe: None,
            due: false,
            // Receivers do so at the start of a connection, not to slow down slow start.
            prompt: Self::PROMPT,
            delay: 0,
        }
    }

    /// A probe is under way, and no other is sent until it is answered.
    pub(crate) fn is_under_way(&self) -> bool {
        self.probe.is_some()
    }

    /// The probe is sent; SND.NXT is `nxt` now.
    pub(crate) fn on_sent(&mut self, nxt: SeqNum, is_retrans: bool) {
        self.due = false;
        self.probe = Some(Probe {
            end_seq: nxt,
            is_retrans,
        });
    }

    /// Losses are being repaired by other means.
    pub(crate) fn cancel(&mut self) {
        self.probe = None;
        self.due = false;
    }

    /// An acknowledgment for `segments` segments came `rtt` after the youngest was sent.
    pub(crate) fn on_acked(&mut self, segments: u32, rtt: Delta, min_rtt: Delta) {
        let bound = min_rtt.plus(min_rtt.halved(2)).plus(Self::LEAST);
        if segments == 1 && rtt <= bound {
            self.prompt = self.prompt.saturating_add(1);
            return;
        }
        self.prompt = 0;
        if segments == 1 {
            let delay = rtt.minus(min_rtt).as_micros().min(u64::from(u32::MAX));
            self.delay = self.delay.max(delay as u32);
        }
    }

    /// When the probe is due.
    ///
    ///   "If SRTT is available: PTO = 2 * SRTT; If FlightSize is one segment: PTO +=
    ///   TLP.max_ack_delay. Else: PTO = 1 sec" (RFC 8985, 7.2)
    ///
    /// We count from the last transmission, as RFC 9002 does, and not from the last
    /// acknowledgment; but after that one round trip passes at least. So a lost tail is repaired
    /// two round trips after its acknowledgment was due, not three. And TLP.max_ack_delay is what
    /// the peer was seen to take, if it was.
    ///
    /// A lone segment is never probed before the shortest time-out, as in Linux. Its receiver may
    /// be waiting for something to send the acknowledgment with, promptly though it did so until
    /// now: on a short path a probe would nearly always be for nothing.
    pub(crate) fn deadline(&self, pace: &Pace, config: &Config) -> Instant {
        if pace.srtt == Delta::ZERO {
            return pace.last_sent_at.after(config.rto_initial);
        }
        let mut interval = pace.srtt.doubled(1).max(Self::LEAST);
        if pace.is_alone {
            interval = self.patience(interval, pace, config).max(config.rto_min);
        }
        let silence = pace.last_acked_at.after(pace.srtt);
        pace.last_sent_at.after(interval).max(silence)
    }

    /// How long a lone segment waits instead of `interval`, as far as the peer bears on it.
    fn patience(&self, interval: Delta, pace: &Pace, config: &Config) -> Delta {
        if !self.may_be_held(pace) {
            return interval;
        }
        match self.delay {
            0 => interval.plus(config.rto_min),
            // A quarter more than that, behind one round trip and a half.
            micros => {
                let delay = Delta::from_micros(u64::from(micros)).min(config.rto_min);
                let due = pace.srtt.plus(pace.srtt.halved(1));
                interval.max(due.plus(delay).plus(delay.halved(2)))
            }
        }
    }

    /// The peer may have the lone segment and be holding its acknowledgment back: not if it has
    /// just acknowledged every single segment at once, and not if an acknowledgment came later
    /// than that of this segment should have come.
    fn may_be_held(&self, pace: &Pace) -> bool {
        let due = pace.last_sent_at.after(pace.min_rtt.plus(Self::LEAST));
        self.prompt < Self::PROMPT && pace.last_acked_at <= due
    }

    /// TLP_process_ack() of RFC 8985, 7.4.
    pub(crate) fn on_ack(&mut self, answer: &ProbeAnswer) -> Finding {
        let Some(Probe {
            end_seq,
            is_retrans,
        }) = self.probe
        else {
            return Finding::Nothing;
        };
        if answer.ack.before(end_seq) {
            return Finding::Nothing;
        }
        if !is_retrans || answer.dsack_end == Some(end_seq) {
            // New data arrived, or both the data and its repetition did: the acknowledgment was
            // being held back, then.
            self.probe = None;
            if is_retrans {
                self.prompt = 0;
            }
        } else if answer.ack.after(end_seq) {
            // "ACK acknowledges data sent after the probe: it has repaired a single loss"
            self.probe = None;
            return Finding::Repaired;
        } else if !answer.has_news {
            // A duplicate acknowledgment: the peer had it already.
            self.probe = None;
        }
        Finding::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: SeqNum = SeqNum::new(5);

    fn answer(ack: SeqNum, has_news: bool, dsack_end: Option<SeqNum>) -> ProbeAnswer {
        ProbeAnswer {
            ack,
            has_news,
            dsack_end,
        }
    }

    fn probing(is_retrans: bool) -> Tlp {
        let mut tlp = Tlp::new();
        tlp.on_sent(END, is_retrans);
        tlp
    }

    #[test]
    fn repair_is_known_when_more_is_acknowledged() {
        let mut tlp = probing(true);
        assert_eq!(tlp.on_ack(&answer(END, true, None)), Finding::Nothing);
        assert!(tlp.is_under_way());
        let more = answer(END.plus(1), true, None);
        assert_eq!(tlp.on_ack(&more), Finding::Repaired);
        assert!(!tlp.is_under_way());
    }

    #[test]
    fn duplicates_say_that_nothing_was_lost() {
        for signal in [answer(END, true, Some(END)), answer(END, false, None)] {
            let mut tlp = probing(true);
            assert_eq!(tlp.on_ack(&signal), Finding::Nothing);
            assert!(!tlp.is_under_way());
        }
        let mut tlp = probing(false);
        let _ = tlp.on_ack(&answer(END, true, None));
        assert!(!tlp.is_under_way());
        let mut tlp = probing(false);
        let _ = tlp.on_ack(&answer(END.minus(1), true, None));
        assert!(tlp.is_under_way());
    }

    /// The pace of a lone segment on a path of that round trip time.
    fn alone(srtt: Delta) -> Pace {
        Pace {
            last_sent_at: Instant::ZERO,
            last_acked_at: Instant::ZERO,
            srtt,
            min_rtt: srtt,
            is_alone: true,
        }
    }

    #[test]
    fn lone_segments_are_given_time_unless_the_peer_is_prompt() {
        let config = Config::DEFAULT;
        let srtt = Delta::from_millis(100);
        let pace = alone(srtt);
        let mut tlp = Tlp::new();
        let at = |tlp: &Tlp, pace| tlp.deadline(&pace, &config).as_millis();
        assert_eq!(at(&tlp, pace), 200);
        let acked = |ms| Instant::ZERO.after(Delta::from_millis(ms));
        let last_acked_at = acked(150);
        let recent = Pace {
            last_acked_at,
            ..pace
        };
        assert_eq!(at(&tlp, recent), 250);
        tlp.on_acked(2, srtt, srtt);
        assert_eq!(at(&tlp, pace), 400);
        assert_eq!(at(&tlp, recent), 250);
        let is_alone = false;
        assert_eq!(at(&tlp, Pace { is_alone, ..pace }), 200);
        tlp.on_acked(1, Delta::from_millis(180), srtt);
        assert_eq!(at(&tlp, pace), 250);
        for _ in 0..4 {
            tlp.on_acked(1, srtt, srtt);
        }
        assert_eq!(at(&tlp, pace), 200);
        let srtt = Delta::ZERO;
        assert_eq!(at(&tlp, Pace { srtt, ..pace }), 1000);
    }

    #[test]
    fn lone_segments_of_a_short_path_wait_for_the_shortest_time_out() {
        let config = Config::DEFAULT;
        let srtt = Delta::from_micros(50);
        let pace = alone(srtt);
        let mut tlp = Tlp::new();
        let at = |tlp: &Tlp, pace| tlp.deadline(&pace, &config).since(Instant::ZERO);
        assert_eq!(at(&tlp, pace), config.rto_min);
        let is_alone = false;
        assert_eq!(at(&tlp, Pace { is_alone, ..pace }), Tlp::LEAST);
        // The peer was seen to wait for something to say: not for long, but it may again.
        tlp.on_acked(1, Delta::from_millis(28), srtt);
        assert_eq!(at(&tlp, pace), config.rto_min);
    }

    #[test]
    fn a_probe_for_nothing_tells_that_the_peer_is_not_prompt() {
        let config = Config::DEFAULT;
        let srtt = Delta::from_millis(150);
        let pace = alone(srtt);
        let at = |tlp: &Tlp| tlp.deadline(&pace, &config).as_millis();
        let mut tlp = probing(true);
        assert_eq!(at(&tlp), 300);
        let _ = tlp.on_ack(&answer(END, true, Some(END)));
        assert_eq!(at(&tlp), 500);
        let mut tlp = probing(false);
        let _ = tlp.on_ack(&answer(END, true, None));
        assert_eq!(at(&tlp), 300);
    }
}
