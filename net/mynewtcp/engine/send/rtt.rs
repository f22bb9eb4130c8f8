// SPDX-License-Identifier: GPL-2.0

//! Round-trip time and the retransmission time-out (RFC 6298).

use crate::engine::config::Config;
use crate::engine::time::{
    Delta,
    Instant, //
};

/// A retransmission time-out: within the limits of [`Config`] by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rto(Delta);

impl Rto {
    /// A time-out of `delta`, brought within the limits.
    pub(crate) const fn new(delta: Delta, config: &Config) -> Self {
        Self(delta.clamped(config.rto_min, config.rto_max))
    }

    /// The time-out.
    pub const fn delta(self) -> Delta {
        self.0
    }
}

/// The smallest round-trip time of the last few minutes: the smallest of this half of the window
/// and of the one before.
#[derive(Clone, Copy, Debug)]
struct MinRtt {
    /// In microseconds, so that it stays small; [`u32::MAX`] is none.
    current: u32,
    before: u32,
    /// When this half began.
    since: Instant,
}

crate::engine::dormant::packed!(struct MinRtt { current, before, since });

impl MinRtt {
    const NONE: u32 = u32::MAX;

    const fn new() -> Self {
        Self {
            current: Self::NONE,
            before: Self::NONE,
            since: Instant::ZERO,
        }
    }

    fn on_sample(&mut self, r: Delta, now: Instant, window: Delta) {
        let micros = r.as_micros().clamp(1, u64::from(Self::NONE - 1)) as u32;
        let age = now.since(self.since);
        if age >= window.halved(1) {
            self.before = if age >= window {
                Self::NONE
            } else {
                self.current
            };
            self.current = micros;
            self.since = now;
        } else {
            self.current = self.current.min(micros);
        }
    }

    fn get(&self) -> Delta {
        match self.current.min(self.before) {
            Self::NONE => Delta::ZERO,
            micros => Delta::from_micros(u64::from(micros)),
        }
    }
}

/// SRTT and RTTVAR.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RttEstimator {
    /// Smoothed round-trip time, zero before the first measurement.
    pub(crate) srtt: Delta,
    /// Its variation.
    pub(crate) rttvar: Delta,
    min: MinRtt,
    /// How often the time-out has been doubled.
    pub(crate) backoff: u8,
    /// Without a measurement the time-out is the longer one of RFC 6298, 5.7.
    cautious: bool,
}

crate::engine::dormant::packed!(struct RttEstimator { srtt, rttvar, min, backoff, cautious });

impl RttEstimator {
    const CAUTIOUS: Delta = Delta::from_secs(3);

    pub(crate) const fn new() -> Self {
        Self {
            srtt: Delta::ZERO,
            rttvar: Delta::ZERO,
            min: MinRtt::new(),
            backoff: 0,
            cautious: false,
        }
    }

    /// A measurement has been made.
    pub(crate) fn has_sample(&self) -> bool {
        self.srtt != Delta::ZERO
    }

    /// Takes a measurement `r`.
    ///
    ///   "RTTVAR <- (1 - beta) * RTTVAR + beta * |SRTT - R'|, SRTT <- (1 - alpha) * SRTT + alpha *
    ///   R' [...] alpha=1/8 and beta=1/4" (RFC 6298, 2.3)
    ///
    /// A valid measurement also ends the back-off of earlier time-outs (section 5.7).
    pub(crate) fn on_sample(&mut self, r: Delta) {
        let r = r.clamped(Delta::from_micros(1), Delta::from_secs(600));
        if !self.has_sample() {
            self.srtt = r;
            self.rttvar = r.halved(1);
        } else {
            let error = self.srtt.minus(r).plus(r.minus(self.srtt));
            self.rttvar = self
                .rttvar
                .minus(self.rttvar.halved(2))
                .plus(error.halved(2));
            self.srtt = self.srtt.minus(self.srtt.halved(3)).plus(r.halved(3));
        }
        self.backoff = 0;
    }

    /// Takes a measurement for the smallest round-trip time. It is one of those whose transmission
    /// was the last to be acknowledged: those before may have waited for it.
    pub(crate) fn on_min_sample(&mut self, r: Delta, now: Instant, window: Delta) {
        self.min.on_sample(r, now, window);
    }

    /// The smallest round-trip time of the last minutes, zero before the first measurement.
    pub(crate) fn min(&self) -> Delta {
        self.min.get()
    }

    /// A time-out was a mistake, the acknowledgment took `r`. The next ones must wait longer.
    ///
    ///   "SRTT <- max (SRTT_prev, RTT-SAMPLE), RTTVAR <- max (RTTVAR_prev, RTT-SAMPLE/2)"
    ///   (RFC 4015, 3.2, step DONE)
    pub(crate) fn on_spurious_timeout(&mut self, r: Option<Delta>) {
        self.backoff = 0;
        if let Some(r) = r {
            self.srtt = self.srtt.max(r);
            self.rttvar = self.rttvar.max(r.halved(1));
        }
    }

    /// The time-out without back-off. The floor of the variation is `rto_min`, as in Linux: it
    /// keeps a path with a steady, long round trip from timing out on a delayed acknowledgment.
    pub(crate) fn base_rto(&self, config: &Config) -> Rto {
        if !self.has_sample() {
            let caution = if self.cautious {
                Self::CAUTIOUS
            } else {
                Delta::ZERO
            };
            return Rto::new(config.rto_initial.max(caution), config);
        }
        let margin = self.rttvar.times(4).max(config.rto_min);
        Rto::new(self.srtt.plus(margin), config)
    }

    /// The time-out now.
    ///
    ///   "(5.5) The host MUST set RTO <- RTO * 2 ("back off the timer")." (RFC 6298)
    pub(crate) fn rto(&self, config: &Config) -> Rto {
        let base = self.base_rto(config);
        if self.backoff == 0 {
            return base;
        }
        Rto::new(base.delta().doubled(u32::from(self.backoff)), config)
    }

    /// A time-out has expired.
    pub(crate) fn back_off(&mut self) {
        self.backoff = self.backoff.saturating_add(1);
    }

    /// One expiry is not to count as congestion. `false` if there is none.
    pub(crate) fn revert_back_off(&mut self) -> bool {
        let had_one = self.backoff > 0;
        self.backoff = self.backoff.saturating_sub(1);
        had_one
    }

    /// A SYN had to be sent again, and no measurement came of the handshake.
    ///
    ///   "the RTO MUST be re-initialized to 3 seconds when data transmission begins (i.e., after
    ///   the three-way handshake completes)" (RFC 6298, 5.7)
    pub(crate) fn on_repeated_handshake(&mut self) {
        self.cautious = true;
        self.backoff = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: Config = Config::DEFAULT;

    #[test]
    fn first_sample_initialises() {
        let mut rtt = RttEstimator::new();
        assert_eq!(rtt.rto(&CONFIG).delta(), CONFIG.rto_initial);
        rtt.on_sample(Delta::from_millis(100));
        assert_eq!(rtt.srtt.as_millis(), 100);
        assert_eq!(rtt.rttvar.as_millis(), 50);
        assert_eq!(rtt.rto(&CONFIG).delta().as_millis(), 300);
    }

    #[test]
    fn smallest_round_trip_is_forgotten_after_the_window() {
        let mut rtt = RttEstimator::new();
        let window = Delta::from_secs(300);
        let mut at = |secs: u64, ms: u64| {
            let now = Instant::ZERO.after(Delta::from_secs(secs));
            rtt.on_min_sample(Delta::from_millis(ms), now, window);
            rtt.min().as_millis()
        };
        assert_eq!(at(1000, 20), 20);
        assert_eq!(at(1010, 30), 20);
        assert_eq!(at(1160, 40), 20);
        assert_eq!(at(1299, 50), 20);
        assert_eq!(at(1311, 50), 40);
        assert_eq!(at(5000, 70), 70);
    }

    #[test]
    fn spurious_timeout_makes_the_next_one_later() {
        let mut rtt = RttEstimator::new();
        rtt.on_sample(Delta::from_millis(10));
        rtt.back_off();
        rtt.on_spurious_timeout(Some(Delta::from_millis(800)));
        assert_eq!(rtt.rto(&CONFIG).delta().as_millis(), 2400);
    }

    #[test]
    fn repeated_handshake_makes_it_cautious() {
        let mut rtt = RttEstimator::new();
        rtt.back_off();
        rtt.on_repeated_handshake();
        assert_eq!(rtt.rto(&CONFIG).delta(), Delta::from_secs(3));
        rtt.on_sample(Delta::from_millis(1));
        assert!(rtt.rto(&CONFIG).delta() < CONFIG.rto_initial);
    }

    #[test]
    fn steady_path_converges_and_keeps_its_margin() {
        let mut rtt = RttEstimator::new();
        for _ in 0..200 {
            rtt.on_sample(Delta::from_millis(80));
        }
        let rto = rtt.rto(&CONFIG).delta().as_millis();
        assert!((279..=281).contains(&rto), "{rto}");
    }

    #[test]
    fn rto_doubles_on_each_expiry_up_to_its_maximum() {
        let mut rtt = RttEstimator::new();
        rtt.on_sample(Delta::from_millis(100));
        rtt.back_off();
        assert_eq!(rtt.rto(&CONFIG).delta().as_millis(), 600);
        rtt.back_off();
        assert_eq!(rtt.rto(&CONFIG).delta().as_millis(), 1200);
        for _ in 0..300 {
            rtt.back_off();
        }
        assert_eq!(rtt.rto(&CONFIG).delta(), CONFIG.rto_max);
        rtt.on_sample(Delta::from_millis(100));
        assert!(rtt.rto(&CONFIG).delta() < Delta::from_millis(301));
    }
}
