// SPDX-License-Identifier: GPL-2.0

//! CUBIC's integers against the floating point of RFC 9438.

use mynewtcp_engine::engine::congestion::cubic::{
    k_millis,
    w_cubic,
    Cubic, //
};
use mynewtcp_engine::engine::congestion::{
    AckSample,
    Algorithm,
    Cause,
    Window, //
};
use mynewtcp_engine::engine::seq::{
    Mss,
    SeqNum, //
};
use mynewtcp_engine::engine::time::{
    Delta,
    Instant, //
};

const C: f64 = 0.4;

/// Random numbers that are the same each time (xorshift*).
struct Rng(u64);

impl Rng {
    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Each power of two is as likely as any other.
    fn octaves(&mut self, low: u64, high: u64) -> u64 {
        let bits = (high as f64 / low as f64).log2() * (self.draw() as f64 / u64::MAX as f64);
        ((low as f64 * bits.exp2()) as u64).clamp(low, high)
    }
}

fn is_near(got: f64, want: f64) -> bool {
    (got - want).abs() <= want.abs() / 100.0
}

/// Equations 1 and 2, for 10^5 windows of 10 segments to 1 GiB, at times up to ten minutes.
#[test]
fn curve_is_within_one_percent_of_the_formula() {
    let mut rng = Rng(1);
    let mut compared = 0;
    while compared < 100_000 {
        let mss = rng.octaves(64, 9_000);
        let w_max = rng.octaves(10 * mss, 1 << 30);
        let share = 0.1 + 0.9 * rng.draw() as f64 / u64::MAX as f64;
        let cwnd = ((w_max as f64 * share) as u64).max(2 * mss);
        let t_millis = rng.octaves(1, 600_000);
        let k = ((w_max - cwnd) as f64 / mss as f64 / C).cbrt();
        let t = t_millis as f64 / 1e3;
        let want = (C * (t - k).powi(3)) * mss as f64 + w_max as f64;
        // Beyond the largest window there is nothing to compare.
        if want > u32::MAX as f64 {
            continue;
        }
        compared += 1;
        let size = Mss::new(mss as u16);
        let k_ours = k_millis(w_max as u32, cwnd as u32, size);
        let got = w_cubic(t_millis, k_ours, w_max as u32, size);
        assert!(
            (f64::from(k_ours) - k * 1e3).abs() <= 0.51,
            "K: {k_ours}, {k}"
        );
        assert!(
            is_near(f64::from(got), want),
            "mss {mss} w_max {w_max} cwnd {cwnd} t {t_millis}: {got} is not {want}"
        );
    }
}

/// The same algorithm with real numbers, segments and seconds.
struct Model {
    cwnd: f64,
    w_max: f64,
    k: f64,
    w_est: f64,
    prior: f64,
}

impl Model {
    fn w_cubic(&self, t: f64) -> f64 {
        C * (t - self.k).powi(3) + self.w_max
    }

    fn on_ack(&mut self, t: f64, rtt: f64, segments: f64) {
        let alpha = if self.w_est >= self.prior {
            1.0
        } else {
            9.0 / 17.0
        };
        self.w_est += alpha * segments / self.cwnd;
        if self.w_cubic(t) < self.w_est {
            self.cwnd = self.cwnd.max(self.w_est);
            return;
        }
        let target = self.w_cubic(t + rtt).clamp(self.cwnd, 1.5 * self.cwnd);
        self.cwnd += (target - self.cwnd) / self.cwnd * segments;
    }
}

/// Growth from one loss to the next, acknowledgment by acknowledgment: the window stays within
/// one percent of the model's.
#[test]
fn growth_is_within_one_percent_of_the_model() {
    let mut rng = Rng(2);
    for _ in 0..60 {
        let mss = rng.octaves(500, 9_000) as u32;
        let segments = rng.octaves(20, 2_000);
        let rtt_millis = rng.octaves(2, 200);
        let rtt = Delta::from_millis(rtt_millis);
        let (size, cwnd) = (Mss::new(mss as u16), segments as u32 * mss);
        let mut cubic = Cubic::new();
        let mut window = Window {
            cwnd_bytes: cwnd,
            ssthresh_bytes: u32::MAX,
        };
        let left = cubic.on_congestion(&window, size, cwnd, Cause::Loss);
        window = Window {
            cwnd_bytes: left,
            ssthresh_bytes: left,
        };
        let begun = f64::from(left) / f64::from(mss);
        let mut model = Model {
            cwnd: begun,
            w_max: segments as f64,
            k: ((segments as f64 - begun) / C).cbrt(),
            w_est: begun,
            prior: segments as f64,
        };
        let mut now = 0;
        for _ in 0..20_000 {
            let sample = AckSample {
                now: Instant::from_nanos(1_000_000_000 + now),
                acked_bytes: 2 * mss,
                flight_size_bytes: window.cwnd_bytes,
                cwnd_limited: true,
                srtt: rtt,
                rtt: None,
                una: SeqNum::new(0),
                nxt: SeqNum::new(0),
                ece: false,
            };
            cubic.observe(&mut window, &sample);
            cubic.on_ack(&mut window, size, &sample);
            model.on_ack(now as f64 / 1e9, rtt_millis as f64 / 1e3, 2.0);
            let got = f64::from(window.cwnd_bytes) / f64::from(mss);
            assert!(
                is_near(got, model.cwnd),
                "mss {mss} segments {segments} rtt {rtt_millis} at {now}: {got} is not {}",
                model.cwnd
            );
            now += (2.0 * rtt_millis as f64 * 1e6 / model.cwnd) as u64;
        }
    }
}
