// SPDX-License-Identifier: GPL-2.0

//! How fast data arrives at the peer: a sample of the delivery rate in each round trip, and
//! whether it was the program that limited it.
//!
//! A sample spans from the last delivery before a transmission to the delivery of that
//! transmission. To fit a connection and not each chunk, one transmission at a time is followed.

use crate::engine::seq::SeqNum;
use crate::engine::time::{
    Delta,
    Instant, //
};

/// The state of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeliveryRate {
    /// When something was last delivered.
    delivered_at: Instant,
    /// When what was delivered then had been sent.
    first_sent_at: Instant,
    /// The transmission that is followed.
    sample: Option<Sample>,
    /// Everything up to here was sent by a program that had no more,
    limited_to: SeqNum,
    /// if this says so.
    is_limited: bool,
    /// Octets per second, 0 before the first sample.
    pub(crate) rate: u64,
    /// The program limited it.
    pub(crate) is_app_limited: bool,
}

crate::engine::dormant::packed! {
    struct DeliveryRate {
        delivered_at, first_sent_at, sample, limited_to, is_limited, rate, is_app_limited,
    }
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Its end.
    end: SeqNum,
    /// Octets delivered before.
    delivered: u32,
    /// When the last of them were.
    delivered_at: Instant,
    /// How much earlier than this those had been sent.
    sending: Delta,
    app_limited: bool,
}

crate::engine::dormant::packed! {
    struct Sample {
        end, delivered, delivered_at, sending, app_limited,
    }
}

impl DeliveryRate {
    pub(crate) const fn new() -> Self {
        Self {
            delivered_at: Instant::ZERO,
            first_sent_at: Instant::ZERO,
            sample: None,
            limited_to: SeqNum::new(0),
            is_limited: false,
            rate: 0,
            is_app_limited: false,
        }
    }

    /// New data up to `end` is being sent, `delivered` octets had been delivered by now, and
    /// nothing else is under way (`restart`) or something is.
    pub(crate) fn on_sent(&mut self, now: Instant, end: SeqNum, delivered: u32, restart: bool) {
        if restart {
            self.delivered_at = now;
            self.first_sent_at = now;
            self.sample = None;
        }
        if self.sample.is_none() {
            self.sample = Some(Sample {
                end,
                delivered,
                delivered_at: self.delivered_at,
                sending: now.since(self.first_sent_at),
                app_limited: self.is_limited,
            });
        }
    }

    /// The program has no more to send, with everything up to `nxt` under way.
    pub(crate) fn on_app_limited(&mut self, nxt: SeqNum) {
        self.limited_to = nxt;
        self.is_limited = true;
    }

    /// `delivered` octets have been delivered in all, up to `una` without a gap; the newest of
    /// them had been sent at `sent_at`. A sample shorter than `min_rtt` is a mistake.
    pub(crate) fn on_delivered(
        &mut self,
        now: Instant,
        delivered: u32,
        una: SeqNum,
        sent_at: Option<Instant>,
        min_rtt: Delta,
    ) {
        self.delivered_at = now;
        if let Some(sent_at) = sent_at {
            self.first_sent_at = sent_at;
        }
        if una.after_or_eq(self.limited_to) {
            self.is_limited = false;
        }
        let Some(sample) = self.sample.filter(|sample| una.after_or_eq(sample.end)) else {
            return;
        };
        self.sample = None;
        // Acknowledgments may come in heaps, but nothing arrives faster than it was sent.
        let arriving = now.since(sample.delivered_at);
        let interval = arriving.max(sample.sending);
        if interval < min_rtt || interval == Delta::ZERO {
            return;
        }
        let octets = u64::from(delivered.wrapping_sub(sample.delivered));
        let rate = octets.saturating_mul(1_000_000_000) / interval.as_nanos().max(1);
        // What a program sends that has little says little of the path, unless it is more.
        if !sample.app_limited || rate >= self.rate {
            self.rate = rate;
            self.is_app_limited = sample.app_limited;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN_RTT: Delta = Delta::from_millis(10);

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(1 << 40).after(Delta::from_millis(millis))
    }

    fn seq(n: u32) -> SeqNum {
        SeqNum::new(n)
    }

    #[test]
    fn a_sample_is_what_arrived_in_its_round_trip() {
        let mut rate = DeliveryRate::new();
        rate.on_sent(at(0), seq(1000), 0, true);
        rate.on_delivered(at(10), 1000, seq(1000), Some(at(0)), MIN_RTT);
        assert_eq!(rate.rate, 100_000);
        rate.on_sent(at(10), seq(6000), 1000, false);
        rate.on_delivered(at(15), 3000, seq(3000), Some(at(5)), MIN_RTT);
        rate.on_delivered(at(20), 6000, seq(6000), Some(at(10)), MIN_RTT);
        assert_eq!(rate.rate, 500_000);
        assert!(!rate.is_app_limited);
    }

    #[test]
    fn little_from_a_program_that_has_little_is_no_news() {
        let mut rate = DeliveryRate::new();
        rate.on_sent(at(0), seq(10_000), 0, true);
        rate.on_delivered(at(10), 10_000, seq(10_000), Some(at(0)), MIN_RTT);
        let before = rate.rate;
        rate.on_app_limited(seq(11_000));
        rate.on_sent(at(20), seq(11_000), 10_000, true);
        rate.on_delivered(at(30), 11_000, seq(11_000), Some(at(20)), MIN_RTT);
        assert_eq!(rate.rate, before);
    }

    #[test]
    fn heaped_acknowledgments_do_not_raise_it() {
        let mut rate = DeliveryRate::new();
        rate.on_sent(at(0), seq(1000), 0, true);
        rate.on_delivered(at(10), 1000, seq(1000), Some(at(0)), MIN_RTT);
        // Sent over 100 ms, acknowledged at once.
        rate.on_sent(at(100), seq(11_000), 1000, false);
        rate.on_delivered(at(110), 11_000, seq(11_000), Some(at(100)), MIN_RTT);
        assert_eq!(rate.rate, 100_000);
    }
}
