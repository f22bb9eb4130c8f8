// SPDX-License-Identifier: GPL-2.0

//! How fast to send: the pacing rate, what it makes of superpackets, and the time of the next
//! one.
//!
//! The rate follows the window: cwnd in a smoothed round trip, and a little more, so that it is
//! the window that limits. It is always known; that transmissions wait for it is only for those
//! who ask ([`PacingLimits`]), as in Linux: somebody who sets a limit, or nobody else being there
//! to spread out packets.

use crate::engine::config::Config;
use crate::engine::congestion::Window;
use crate::engine::seq::Mss;
use crate::engine::time::{
    Delta,
    Instant, //
};

/// What the shell asks of pacing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacingLimits {
    /// Octets per second that must not be exceeded (`SO_MAX_PACING_RATE`); [`u64::MAX`] is "no
    /// limit".
    pub max_rate: u64,
    /// The engine spreads transmissions out. Otherwise somebody below it does, or nobody.
    pub internal: bool,
}

crate::engine::dormant::packed!(struct PacingLimits { max_rate, internal });

impl PacingLimits {
    /// No limit, no pacing.
    pub const NONE: Self = Self {
        max_rate: u64::MAX,
        internal: false,
    };
}

/// The state of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pacer {
    limits: PacingLimits,
    /// Octets per second, [`u64::MAX`] before the first measurement of a round trip.
    rate: u64,
    /// No transmission before this.
    next_at: Instant,
    /// Segments that may still go unpaced.
    credit: u8,
}

crate::engine::dormant::packed!(struct Pacer { limits, rate, next_at, credit });

impl Pacer {
    /// As in Linux the first ten segments are not paced: half of all connections never send
    /// more.
    const UNPACED: u8 = 10;
    const SECOND: u64 = 1_000_000_000;

    pub(crate) const fn new() -> Self {
        Self {
            limits: PacingLimits::NONE,
            rate: u64::MAX,
            next_at: Instant::ZERO,
            credit: Self::UNPACED,
        }
    }

    /// The shell's wishes may have changed.
    pub(crate) fn set_limits(&mut self, limits: PacingLimits) {
        self.limits = limits;
        if !limits.internal {
            self.next_at = Instant::ZERO;
        }
    }

    /// Octets per second, limit included; [`u64::MAX`] is "as fast as you can".
    #[inline]
    pub(crate) fn rate(&self) -> u64 {
        self.rate.min(self.limits.max_rate)
    }

    /// The window or the round-trip time has changed: the rate is a share of cwnd / SRTT, twice
    /// as much in slow start, so that it does not hinder the window from doubling.
    pub(crate) fn update(&mut self, config: &Config, window: &Window, flight: u32, srtt: Delta) {
        if srtt == Delta::ZERO {
            return;
        }
        let percent = if window.cwnd_bytes < window.ssthresh_bytes / 2 {
            config.pacing_ss_ratio
        } else {
            config.pacing_ca_ratio
        };
        let octets = u64::from(window.cwnd_bytes.max(flight));
        let scaled = per_second(octets * u64::from(percent), srtt);
        self.rate = scaled.max(1);
    }

    /// A superpacket's payload: what the rate sends in about a millisecond (2^-10 s), at least
    /// [`Config::min_tso_segs`] segments, at most `goal`. Close to the peer more, because there
    /// acknowledgments come soon anyway: half of `goal` less for each doubling of
    /// [`Config::tso_rtt_log`].
    pub(crate) fn superpacket(&self, config: &Config, min_rtt: Delta, goal: u32, mss: Mss) -> u32 {
        let octets = mss.octets();
        let mut budget = self.rate() >> 10;
        let far = min_rtt
            .as_micros()
            .checked_shr(u32::from(config.tso_rtt_log))
            .unwrap_or(0);
        if far < 32 {
            budget = budget.saturating_add(u64::from(goal >> far));
        }
        let budget = budget.min(u64::from(goal)) as u32;
        let segments = (budget / octets).max(u32::from(config.min_tso_segs).max(1));
        segments.saturating_mul(octets).min(goal)
    }

    /// Transmissions wait for the rate.
    #[inline]
    pub(crate) fn is_internal(&self) -> bool {
        self.limits.internal
    }

    /// When the next transmission may go, if it is not now.
    pub(crate) fn wait(&self, now: Instant) -> Option<Instant> {
        (self.limits.internal && self.next_at > now).then_some(self.next_at)
    }

    /// `segments` with `octets` in all are being sent.
    pub(crate) fn on_sent(&mut self, now: Instant, octets: u32, segments: u32) {
        let rate = self.rate();
        if self.credit > 0 || rate == u64::MAX {
            let segments = u8::try_from(segments).unwrap_or(u8::MAX);
            self.credit = self.credit.saturating_sub(segments);
            return;
        }
        if !self.limits.internal {
            return;
        }
        let length = u64::from(octets).saturating_mul(Self::SECOND) / rate.max(1);
        // A timer that came late is made up for, up to half of each transmission.
        let late = now.since(self.next_at).as_nanos().min(length / 2);
        let length = Delta::from_nanos(length.saturating_sub(late));
        self.next_at = self.next_at.max(now).after(length);
    }
}

/// `hundredths` of an octet in `span`, as octets per second, without 128 bits.
fn per_second(hundredths: u64, span: Delta) -> u64 {
    let nanos = span.as_nanos().max(1);
    match hundredths.checked_mul(10_000_000) {
        Some(product) => product / nanos,
        None => (hundredths / nanos).saturating_mul(10_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: Config = Config::DEFAULT;
    const MSS: Mss = Mss::new(1000);
    const ASKED: PacingLimits = PacingLimits {
        max_rate: u64::MAX,
        internal: true,
    };

    fn window(cwnd_bytes: u32, ssthresh_bytes: u32) -> Window {
        Window {
            cwnd_bytes,
            ssthresh_bytes,
        }
    }

    fn paced(cwnd: u32, ssthresh: u32, millis: u64) -> Pacer {
        let mut pacer = Pacer::new();
        pacer.set_limits(ASKED);
        pacer.credit = 0;
        let srtt = Delta::from_millis(millis);
        pacer.update(&CONFIG, &window(cwnd, ssthresh), 0, srtt);
        pacer
    }

    #[test]
    fn rate_is_a_window_in_a_round_trip_and_more() {
        assert_eq!(paced(100_000, 50_000, 100).rate(), 1_200_000);
        assert_eq!(paced(100_000, u32::MAX, 100).rate(), 2_000_000);
        assert_eq!(Pacer::new().rate(), u64::MAX);
        let huge = paced(1 << 30, u32::MAX, 0);
        assert_eq!(huge.rate(), u64::MAX);
        let mut capped = paced(100_000, 50_000, 100);
        capped.set_limits(PacingLimits {
            max_rate: 5_000,
            internal: true,
        });
        assert_eq!(capped.rate(), 5_000);
    }

    #[test]
    fn transmissions_are_spread_out_and_late_ones_catch_up() {
        // 1.2 octets in a microsecond.
        let mut pacer = paced(100_000, 50_000, 100);
        let begin = Instant::from_nanos(Pacer::SECOND);
        assert_eq!(pacer.wait(begin), None);
        pacer.on_sent(begin, 1200, 2);
        // The long silence before it counts as lateness.
        let next = begin.after(Delta::from_micros(500));
        assert_eq!(pacer.wait(begin), Some(next));
        assert_eq!(pacer.wait(next), None);
        pacer.on_sent(next, 1200, 2);
        let next = next.after(Delta::from_micros(1000));
        assert_eq!(pacer.wait(begin), Some(next));
        let late = next.after(Delta::from_micros(100));
        pacer.on_sent(late, 1200, 2);
        assert_eq!(pacer.wait(late), Some(late.after(Delta::from_micros(900))));
    }

    #[test]
    fn nobody_waits_who_did_not_ask_and_nor_do_the_first_segments() {
        let mut pacer = paced(100_000, 50_000, 100);
        pacer.set_limits(PacingLimits::NONE);
        let now = Instant::from_nanos(5);
        pacer.on_sent(now, 60_000, 60);
        assert_eq!(pacer.wait(now), None);
        let mut pacer = paced(100_000, 50_000, 100);
        pacer.credit = Pacer::UNPACED;
        pacer.on_sent(now, 10_000, 10);
        assert_eq!(pacer.wait(now), None);
        pacer.on_sent(now, 10_000, 10);
        assert!(pacer.wait(now).is_some());
    }

    #[test]
    fn superpackets_last_a_millisecond() {
        let size = |cwnd, millis, min_rtt| {
            let pacer = paced(cwnd, 1000, millis);
            pacer.superpacket(&CONFIG, min_rtt, 60_000, MSS)
        };
        let far = Delta::from_millis(100);
        // 12 MB/s.
        assert_eq!(size(1_000_000, 100, far), 11_000);
        assert_eq!(size(10_000, 100, far), 2_000);
        assert_eq!(size(100_000_000, 100, far), 60_000);
        assert_eq!(size(10_000, 1, Delta::from_micros(100)), 60_000);
    }
}
