// SPDX-License-Identifier: GPL-2.0

//! Reno (RFC 5681), counting octets (RFC 3465).

use crate::engine::congestion::{
    least_ssthresh,
    AckSample,
    Algorithm,
    Cause,
    Window, //
};
use crate::engine::seq::Mss;

/// Reno's own memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reno {
    /// Octets acknowledged towards the next step of congestion avoidance.
    acked_bytes: u32,
}

crate::engine::dormant::packed!(struct Reno { acked_bytes });

impl Reno {
    /// Congestion avoidance: "1 full-sized segment per round-trip time" (RFC 5681, 3.1).
    ///
    /// A round trip acknowledges as many whole segments as the window has room for. What is left
    /// of it after a reduction never is acknowledged, so that it must not be waited for.
    fn avoid(&mut self, window: &mut Window, mss: Mss, acked: u32) {
        let usable = whole_segments(window.cwnd_bytes, mss);
        self.acked_bytes = self.acked_bytes.saturating_add(acked);
        if self.acked_bytes >= usable {
            self.acked_bytes = self.acked_bytes.saturating_sub(usable);
            window.widen(mss.octets());
        }
    }
}

/// `octets` without those that make no segment, but one segment at least.
fn whole_segments(octets: u32, mss: Mss) -> u32 {
    let mss = mss.octets();
    (octets / mss).max(1).saturating_mul(mss)
}

impl Algorithm for Reno {
    const NAME: &'static str = "reno";

    fn new() -> Self {
        Self { acked_bytes: 0 }
    }

    /// Slow start adds what was acknowledged.
    fn on_ack(&mut self, window: &mut Window, mss: Mss, sample: &AckSample) {
        if !sample.may_grow(window) {
            return;
        }
        let mut acked = sample.acked_bytes;
        if window.is_in_slow_start() {
            acked = window.slow_start(acked);
        }
        if !window.is_in_slow_start() {
            self.avoid(window, mss, acked);
        }
    }

    ///   "ssthresh = max (FlightSize / 2, 2*SMSS)" (RFC 5681, 3.1, equation 4)
    fn on_congestion(&mut self, _window: &Window, mss: Mss, flight: u32, _cause: Cause) -> u32 {
        self.acked_bytes = 0;
        (flight / 2).max(least_ssthresh(mss))
    }

    fn on_timeout(&mut self) {
        self.acked_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::seq::SeqNum;
    use crate::engine::time::{
        Delta,
        Instant, //
    };

    const MSS: Mss = Mss::DEFAULT;

    fn sample(acked_bytes: u32, flight_size_bytes: u32) -> AckSample {
        AckSample {
            now: Instant::ZERO,
            acked_bytes,
            flight_size_bytes,
            cwnd_limited: true,
            srtt: Delta::ZERO,
            rtt: None,
            una: SeqNum::new(0),
            nxt: SeqNum::new(0),
            ece: false,
        }
    }

    #[test]
    fn slow_start_doubles_in_a_round_trip() {
        let (mut reno, mut window) = (Reno::new(), Window::initial(10, MSS));
        for _ in 0..10 {
            reno.on_ack(&mut window, MSS, &sample(536, 5360));
        }
        assert_eq!(window.cwnd_bytes, 20 * 536);
    }

    #[test]
    fn avoidance_adds_one_segment_in_a_round_trip() {
        let mut reno = Reno::new();
        let mut window = Window {
            cwnd_bytes: 5360,
            ssthresh_bytes: 5360,
        };
        for _ in 0..10 {
            reno.on_ack(&mut window, MSS, &sample(536, 5360));
        }
        assert_eq!(window.cwnd_bytes, 11 * 536);
    }

    /// Six segments and a half hold six: they are what a round trip acknowledges.
    #[test]
    fn a_part_of_a_segment_does_not_slow_avoidance() {
        let mut reno = Reno::new();
        let mut window = Window {
            cwnd_bytes: 3484,
            ssthresh_bytes: 3484,
        };
        for round in 6..10 {
            assert_eq!(window.cwnd_bytes, round * 536 + 268);
            for _ in 0..round {
                reno.on_ack(&mut window, MSS, &sample(536, 3216));
            }
        }
    }

    #[test]
    fn unused_windows_do_not_grow() {
        let (mut reno, mut window) = (Reno::new(), Window::initial(10, MSS));
        let unused = AckSample {
            cwnd_limited: false,
            ..sample(536, 536)
        };
        reno.on_ack(&mut window, MSS, &unused);
        assert_eq!(window.cwnd_bytes, 5360);
    }

    #[test]
    fn ssthresh_has_a_floor() {
        let (mut reno, window) = (Reno::new(), Window::initial(10, MSS));
        let mut left = |flight| reno.on_congestion(&window, MSS, flight, Cause::Loss);
        assert_eq!(left(10_000), 5000);
        assert_eq!(left(100), 1072);
    }
}
