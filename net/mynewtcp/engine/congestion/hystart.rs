// SPDX-License-Identifier: GPL-2.0

//! HyStart++ (RFC 9406): the first slow start ends when round trips become longer, not when the
//! queue overflows.
//!
//! One difference: L, the limit to what one acknowledgment adds, is infinite even without pacing.
//! Receive offload makes acknowledgments of a whole superpacket the rule, and with an L of eight
//! segments a window would no longer double in a round. Linux' slow start has no limit either.

use crate::engine::congestion::{
    AckSample,
    Window, //
};
use crate::engine::seq::SeqNum;
use crate::engine::time::Delta;

/// Times in microseconds; MAX is "none".
#[derive(Clone, Copy, Debug)]
pub struct HyStart {
    /// windowEnd: the round is over when this is acknowledged.
    window_end: Option<SeqNum>,
    /// lastRoundMinRTT.
    last_min: u32,
    /// currentRoundMinRTT.
    current_min: u32,
    /// cssBaselineMinRtt.
    baseline: u32,
    /// rttSampleCount, saturating.
    samples: u8,
    /// Rounds of conservative slow start, none outside of it.
    css_rounds: Option<u8>,
}

crate::engine::dormant::packed! {
    struct HyStart {
        window_end, last_min, current_min, baseline, samples, css_rounds,
    }
}

impl HyStart {
    const MIN_RTT_THRESH: u32 = 4_000;
    const MAX_RTT_THRESH: u32 = 16_000;
    const MIN_RTT_DIVISOR: u32 = 8;
    const N_RTT_SAMPLE: u8 = 8;
    const CSS_GROWTH_DIVISOR: u32 = 4;
    const CSS_ROUNDS: u8 = 5;
    const NONE: u32 = u32::MAX;

    /// Before the first round.
    pub const fn new() -> Self {
        Self {
            window_end: None,
            last_min: Self::NONE,
            current_min: Self::NONE,
            baseline: Self::NONE,
            samples: 0,
            css_rounds: None,
        }
    }

    /// In conservative slow start.
    pub const fn is_conservative(&self) -> bool {
        self.css_rounds.is_some()
    }

    /// New data was acknowledged in the first slow start. Sets ssthresh if that is over.
    #[inline]
    pub fn observe(&mut self, window: &mut Window, sample: &AckSample) {
        let end = *self.window_end.get_or_insert(sample.nxt);
        if let Some(rtt) = sample.rtt {
            self.take_rtt(rtt);
        }
        if sample.una.after_or_eq(end) {
            self.window_end = Some(sample.nxt);
            self.end_round(window);
        }
    }

    fn take_rtt(&mut self, rtt: Delta) {
        let micros = rtt.as_micros().min(u64::from(Self::NONE - 1)) as u32;
        self.current_min = self.current_min.min(micros);
        self.samples = self.samples.saturating_add(1);
        if self.samples < Self::N_RTT_SAMPLE {
            return;
        }
        if self.is_conservative() {
            // "if (currentRoundMinRTT < cssBaselineMinRtt): cssBaselineMinRtt = infinity, resume
            // slow start including HyStart++"
            if self.current_min < self.baseline {
                self.baseline = Self::NONE;
                self.css_rounds = None;
            }
        } else if self.last_min != Self::NONE {
            let threshold = (self.last_min / Self::MIN_RTT_DIVISOR)
                .clamp(Self::MIN_RTT_THRESH, Self::MAX_RTT_THRESH);
            if self.current_min >= self.last_min.saturating_add(threshold) {
                self.baseline = self.current_min;
                self.css_rounds = Some(0);
            }
        }
    }

    fn end_round(&mut self, window: &mut Window) {
        self.last_min = self.current_min;
        self.current_min = Self::NONE;
        self.samples = 0;
        let Some(rounds) = &mut self.css_rounds else {
            return;
        };
        *rounds = rounds.saturating_add(1);
        // "If CSS_ROUNDS rounds are complete, enter congestion avoidance by setting the ssthresh
        // to the current cwnd."
        if *rounds >= Self::CSS_ROUNDS {
            window.ssthresh_bytes = window.cwnd_bytes;
            self.css_rounds = None;
        }
    }

    /// What slow start adds for `acked` octets.
    pub const fn growth(&self, acked: u32) -> u32 {
        if self.is_conservative() {
            acked / Self::CSS_GROWTH_DIVISOR
        } else {
            acked
        }
    }
}

impl Default for HyStart {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::seq::Mss;
    use crate::engine::time::Instant;

    struct Path {
        hystart: HyStart,
        window: Window,
        at: u32,
    }

    impl Path {
        fn new() -> Self {
            Self {
                hystart: HyStart::new(),
                window: Window::initial(10, Mss::new(1000)),
                at: 0,
            }
        }

        /// A round of ten acknowledgments of which each has measured `millis`.
        fn round(&mut self, millis: u64) {
            for _ in 0..10 {
                self.at += 1000;
                let sample = AckSample {
                    now: Instant::ZERO,
                    acked_bytes: 1000,
                    flight_size_bytes: 10_000,
                    cwnd_limited: true,
                    srtt: Delta::ZERO,
                    rtt: Some(Delta::from_millis(millis)),
                    una: SeqNum::new(self.at),
                    nxt: SeqNum::new(self.at + 9_000),
                    ece: false,
                };
                self.hystart.observe(&mut self.window, &sample);
            }
        }
    }

    #[test]
    fn longer_round_trips_end_it_after_five_careful_rounds() {
        let mut path = Path::new();
        for _ in 0..5 {
            path.round(40);
        }
        assert!(!path.hystart.is_conservative());
        path.round(44);
        assert!(!path.hystart.is_conservative(), "an eighth is no delay");
        path.round(60);
        path.round(60);
        assert!(path.hystart.is_conservative());
        assert_eq!(path.hystart.growth(1000), 250);
        assert!(path.window.is_in_first_slow_start());
        for _ in 0..6 {
            path.round(60);
        }
        assert_eq!(path.window.ssthresh_bytes, path.window.cwnd_bytes);
    }

    #[test]
    fn a_passing_delay_does_not_end_it() {
        let mut path = Path::new();
        for millis in [40, 40, 60, 60, 40, 40, 40, 40, 40, 40, 40] {
            path.round(millis);
        }
        assert!(!path.hystart.is_conservative());
        assert!(path.window.is_in_first_slow_start());
    }
}
