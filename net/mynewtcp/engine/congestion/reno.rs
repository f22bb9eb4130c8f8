// SPDX-License-Identifier: GPL-2.0

//! Reno (RFC 5681), counting octets (RFC 3465).

use crate::engine::congestion::{
    AckSample,
    Algorithm,
    Window, //
};
use crate::engine::seq::Mss;

/// Reno's own memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reno {
    /// Octets acknowledged towards the next step of congestion avoidance.
    acked_bytes: u32,
}

impl Reno {
    /// Nothing acknowledged yet.
    pub const fn new() -> Self {
        Self { acked_bytes: 0 }
    }
}

impl Algorithm for Reno {
    /// Slow start adds what was acknowledged; congestion avoidance adds "1 full-sized segment per
    /// round-trip time" (RFC 5681, 3.1).
    ///
    /// A window that was not used is not known to be safe (RFC 7661): it grows only while the
    /// flight is near it.
    fn on_ack(&mut self, window: &mut Window, mss: Mss, sample: &AckSample) {
        let used = sample.cwnd_limited
            || (window.is_in_slow_start() && sample.flight_size_bytes > window.cwnd_bytes / 2);
        if !used {
            return;
        }
        let mut acked = sample.acked_bytes;
        if window.is_in_slow_start() {
            let room = window.ssthresh_bytes.saturating_sub(window.cwnd_bytes);
            let step = acked.min(room);
            window.cwnd_bytes = window.cwnd_bytes.saturating_add(step);
            acked = acked.saturating_sub(step);
        }
        self.acked_bytes = self.acked_bytes.saturating_add(acked);
        if self.acked_bytes >= window.cwnd_bytes && !window.is_in_slow_start() {
            self.acked_bytes = self.acked_bytes.saturating_sub(window.cwnd_bytes);
            window.cwnd_bytes = window.cwnd_bytes.saturating_add(mss.octets());
        }
    }

    ///   "ssthresh = max (FlightSize / 2, 2*SMSS)" (RFC 5681, 3.1, equation 4)
    fn on_congestion(&mut self, _window: &Window, mss: Mss, flight: u32) -> u32 {
        self.acked_bytes = 0;
        (flight / 2).max(mss.octets().saturating_mul(2))
    }

    fn on_timeout(&mut self) {
        self.acked_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        assert_eq!(reno.on_congestion(&window, MSS, 10_000), 5000);
        assert_eq!(reno.on_congestion(&window, MSS, 100), 1072);
    }
}
