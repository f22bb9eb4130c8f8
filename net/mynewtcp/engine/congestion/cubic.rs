// SPDX-License-Identifier: GPL-2.0

//! CUBIC (RFC 9438) in integers: octets, milliseconds, and fractions where they add up.

use crate::engine::congestion::hystart::HyStart;
use crate::engine::congestion::{
    least_ssthresh,
    AckSample,
    Algorithm,
    Cause,
    Window, //
};
use crate::engine::dormant::{
    Packed,
    Packer,
    Unpacker, //
};
use crate::engine::seq::Mss;
use crate::engine::time::{
    Delta,
    Instant, //
};

/// CUBIC's own memory.
#[derive(Clone, Copy, Debug)]
pub struct Cubic {
    stage: Stage,
    /// When new data was last acknowledged.
    last_at: Instant,
}

impl Packed for Stage {
    fn pack(&self, to: &mut Packer) {
        match self {
            Self::First(slow_start) => {
                false.pack(to);
                slow_start.pack(to);
            }
            Self::Later { curve, prior } => {
                true.pack(to);
                curve.pack(to);
                prior.pack(to);
            }
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Self {
        if bool::unpack(from) {
            Self::Later {
                curve: Packed::unpack(from),
                prior: Packed::unpack(from),
            }
        } else {
            Self::First(Packed::unpack(from))
        }
    }
}

crate::engine::dormant::packed!(struct Cubic { stage, last_at });

/// No congestion has been met yet, or some has.
#[derive(Clone, Copy, Debug)]
enum Stage {
    First(HyStart),
    /// The curve, and the one that the last congestion event has replaced.
    Later {
        curve: Curve,
        prior: Curve,
    },
}

/// Where the window is going.
#[derive(Clone, Copy, Debug)]
struct Curve {
    /// t_epoch; [`Instant::MAX`] before congestion avoidance has begun.
    epoch: Instant,
    /// W_est, in octets, with [`Curve::FRACTION`] bits of fraction.
    est: u64,
    /// W_max in octets, 0 if there is none.
    w_max: u32,
    /// cwnd_prior in octets.
    cwnd_prior: u32,
    /// K in milliseconds.
    k_millis: u32,
    /// What is left of the last step: octets times cwnd.
    rest: u32,
}

crate::engine::dormant::packed!(struct Curve { epoch, est, w_max, cwnd_prior, k_millis, rest });

/// K of RFC 9438, equation 2, in milliseconds: how long from `cwnd_epoch` back to `w_max`.
///
/// K^3 = (W_max - cwnd_epoch) / C with C = 0.4 segments per second^3. The product stays below
/// 2^32 * 2.5 * 10^9 < 2^64.
pub const fn k_millis(w_max: u32, cwnd_epoch: u32, mss: Mss) -> u32 {
    let octets = w_max.saturating_sub(cwnd_epoch) as u64;
    let cube = octets * 2_500_000_000 / mss.octets() as u64;
    let root = cube_root(cube) as u64;
    // To the nearest: (r + 1/2)^3 is r^3 + (6 r^2 + 3 r) / 4 and an eighth.
    let above = cube - root * root * root;
    (if above > (6 * root * root + 3 * root) / 4 {
        root + 1
    } else {
        root
    }) as u32
}

/// W_cubic(t) of RFC 9438, equation 1, in octets: C * (t - K)^3 + W_max.
pub const fn w_cubic(t_millis: u64, k_millis: u32, w_max: u32, mss: Mss) -> u32 {
    let k = k_millis as u64;
    let mut distance = t_millis.abs_diff(k);
    if distance > MAX_DISTANCE {
        distance = MAX_DISTANCE;
    }
    let cube = distance * distance * distance;
    let mss = mss.octets() as u64;
    // Whichever comes first, product or quotient, neither overflows nor loses what matters.
    let octets = if cube < 1 << 44 {
        (cube * mss + 1_250_000_000) / 2_500_000_000
    } else {
        (cube / 2_500_000_000) * mss
    };
    let octets = if octets > u32::MAX as u64 {
        u32::MAX
    } else {
        octets as u32
    };
    if t_millis >= k {
        w_max.saturating_add(octets)
    } else {
        w_max.saturating_sub(octets)
    }
}

/// Its cube is the largest below 2^63.
const MAX_DISTANCE: u64 = 2_000_000;

/// The largest number whose cube is not above `n`, bit by bit.
const fn cube_root(n: u64) -> u32 {
    let mut root = 0u64;
    let mut bit = 1u64 << 21;
    while bit != 0 {
        let candidate = root | bit;
        // Candidates stay below 2^22; a cube may need 66 bits, so it is compared by division.
        if candidate * candidate <= n / candidate {
            root = candidate;
        }
        bit >>= 1;
    }
    root as u32
}

impl Curve {
    const FRACTION: u32 = 14;

    const NONE: Self = Self {
        epoch: Instant::MAX,
        est: 0,
        w_max: 0,
        cwnd_prior: 0,
        k_millis: 0,
        rest: 0,
    };

    /// Congestion avoidance begins.
    ///
    /// Without a W_max, or above it, there is no way back to go: K is zero, and W_max is the cwnd
    /// of now (RFC 9438, 4.8 and 4.10).
    fn begin(&mut self, now: Instant, cwnd: u32, mss: Mss) {
        self.epoch = now;
        self.est = u64::from(cwnd) << Self::FRACTION;
        self.rest = 0;
        if self.w_max <= cwnd {
            self.w_max = cwnd;
            self.k_millis = 0;
        } else {
            self.k_millis = k_millis(self.w_max, cwnd, mss);
        }
    }

    /// "W_est = W_est + alpha_cubic * segments_acked / cwnd" (RFC 9438, 4.3, equation 4), where
    /// alpha_cubic is 3 * (1 - 0.7) / (1 + 0.7) = 9 / 17, and one "once W_est has grown to reach
    /// the cwnd at the time of most recently setting ssthresh".
    fn advance_est(&mut self, cwnd: u32, mss: Mss, acked: u32) -> u32 {
        let one = (u64::from(acked.min(cwnd)) * u64::from(mss.octets())) << Self::FRACTION;
        let reached = self.est >> Self::FRACTION >= u64::from(self.cwnd_prior);
        let cwnd = u64::from(cwnd.max(1));
        let step = if reached {
            one / cwnd
        } else {
            one / cwnd * 9 / 17
        };
        let limit = u64::from(Window::CWND_MAX) << Self::FRACTION;
        self.est = self.est.saturating_add(step).min(limit);
        (self.est >> Self::FRACTION) as u32
    }

    /// "cwnd MUST be incremented by (target - cwnd) / cwnd for each received new ACK" of a
    /// segment (RFC 9438, 4.4 and 4.5).
    fn step(&mut self, cwnd: u32, target: u32, acked: u32) -> u32 {
        let cwnd = u64::from(cwnd.max(1));
        let wanted = u64::from(target).saturating_sub(cwnd);
        let sum = wanted
            .saturating_mul(u64::from(acked))
            .saturating_add(u64::from(self.rest));
        self.rest = (sum % cwnd) as u32;
        (sum / cwnd).min(wanted) as u32
    }
}

impl Curve {
    /// RFC 9438, 4.3 to 4.5.
    fn avoid(&mut self, window: &mut Window, mss: Mss, sample: &AckSample, acked: u32) {
        let cwnd = window.cwnd_bytes;
        if self.epoch == Instant::MAX {
            self.begin(sample.now, cwnd, mss);
        }
        let elapsed = sample.now.since(self.epoch);
        let est = self.advance_est(cwnd, mss, acked);
        let at = |delta: Delta| w_cubic(delta.as_millis(), self.k_millis, self.w_max, mss);
        // "If W_cubic(t) is less than W_est(t), then the flow is in the Reno-friendly region and
        // cwnd SHOULD be set to W_est(t) at each reception of a new ACK." (RFC 9438, 4.3)
        if at(elapsed) < est {
            window.widen(est.saturating_sub(cwnd));
            return;
        }
        // "target = cwnd if W_cubic(t + RTT) < cwnd, 1.5 * cwnd if W_cubic(t + RTT) > 1.5 *
        // cwnd, W_cubic(t + RTT) otherwise" (equation 5)
        let high = cwnd.saturating_add(cwnd / 2);
        let target = at(elapsed.plus(sample.srtt)).clamp(cwnd, high);
        let step = self.step(cwnd, target, acked);
        window.widen(step);
    }
}

impl Cubic {
    /// "The elapsed time t [...] MUST NOT include periods during which cwnd has not been updated
    /// due to application-limited behavior" (RFC 9438, 4.2).
    fn stand_still(&mut self, now: Instant) {
        if let Stage::Later { curve, .. } = &mut self.stage {
            if curve.epoch != Instant::MAX {
                curve.epoch = curve.epoch.after(now.since(self.last_at)).min(now);
            }
        }
    }

    /// The curve; without congestion so far one that begins now.
    fn curve(&self) -> Curve {
        match self.stage {
            Stage::First(_) => Curve::NONE,
            Stage::Later { curve, .. } => curve,
        }
    }

    /// Changes the curve, and keeps the one of before the last congestion.
    fn set_curve(&mut self, curve: Curve) {
        let prior = match self.stage {
            Stage::First(_) => Curve::NONE,
            Stage::Later { prior, .. } => prior,
        };
        self.stage = Stage::Later { curve, prior };
    }
}

impl Algorithm for Cubic {
    const NAME: &'static str = "cubic";

    fn new() -> Self {
        Self {
            stage: Stage::First(HyStart::new()),
            last_at: Instant::ZERO,
        }
    }

    fn observe(&mut self, window: &mut Window, sample: &AckSample) {
        if let (Stage::First(hystart), true) = (&mut self.stage, window.is_in_first_slow_start()) {
            hystart.observe(window, sample);
        }
        if !sample.cwnd_limited {
            self.stand_still(sample.now);
        }
        self.last_at = sample.now;
    }

    #[inline]
    fn on_ack(&mut self, window: &mut Window, mss: Mss, sample: &AckSample) {
        if !sample.may_grow(window) {
            return;
        }
        let mut acked = sample.acked_bytes;
        if window.is_in_slow_start() {
            let growth = match &self.stage {
                Stage::First(hystart) => hystart.growth(acked),
                Stage::Later { .. } => acked,
            };
            acked = window.slow_start(growth);
        }
        if !window.is_in_slow_start() && acked > 0 {
            let mut curve = self.curve();
            curve.avoid(window, mss, sample, acked);
            self.set_curve(curve);
        }
    }

    /// RFC 9438, 4.6 and 4.7: beta is 0.7; a window that did not come up to the old W_max gives
    /// room to others by aiming lower.
    fn on_congestion(&mut self, window: &Window, mss: Mss, flight: u32, _cause: Cause) -> u32 {
        let prior = self.curve();
        let cwnd = window.cwnd_bytes;
        // What was not under way does not count, and what was lost on the way into a deep hole
        // does not count twice.
        let used = flight.min(cwnd).max(mss.octets());
        let curve = Curve {
            w_max: if used < prior.w_max {
                (u64::from(used) * 17 / 20) as u32
            } else {
                used
            },
            cwnd_prior: cwnd,
            ..Curve::NONE
        };
        self.stage = Stage::Later { curve, prior };
        ((u64::from(used) * 7 / 10) as u32).max(least_ssthresh(mss))
    }

    /// RFC 9438, 4.8: after a time-out the next curve begins where slow start ends.
    fn on_timeout(&mut self) {
        self.set_curve(Curve {
            w_max: 0,
            epoch: Instant::MAX,
            ..self.curve()
        });
    }

    /// RFC 9438, 4.9: "W_max = prior_W_max, K = prior_K, t_epoch = prior_t_epoch, W_est =
    /// prior_W_est".
    fn on_undo(&mut self) {
        if let Stage::Later { curve, prior } = &mut self.stage {
            *curve = *prior;
        }
    }

    fn on_transmit_start(&mut self, now: Instant) {
        if self.last_at != Instant::ZERO {
            self.stand_still(now);
            self.last_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::seq::SeqNum;

    const MSS: Mss = Mss::new(1000);

    fn sample(millis: u64, acked_bytes: u32) -> AckSample {
        AckSample {
            now: Instant::ZERO.after(Delta::from_millis(millis)),
            acked_bytes,
            flight_size_bytes: u32::MAX,
            cwnd_limited: true,
            srtt: Delta::from_millis(100),
            rtt: None,
            una: SeqNum::new(0),
            nxt: SeqNum::new(0),
            ece: false,
        }
    }

    fn ack(cubic: &mut Cubic, window: &mut Window, sample: &AckSample) {
        cubic.observe(window, sample);
        cubic.on_ack(window, MSS, sample);
    }

    /// A window of 1000 segments is reduced at time zero.
    fn reduced() -> (Cubic, Window) {
        let mut cubic = Cubic::new();
        let mut window = Window {
            cwnd_bytes: 1_000_000,
            ssthresh_bytes: u32::MAX,
        };
        let left = cubic.on_congestion(&window, MSS, 1_000_000, Cause::Loss);
        window.ssthresh_bytes = left;
        window.cwnd_bytes = left;
        (cubic, window)
    }

    /// Acknowledges a window per round trip of 100 ms, from `from` to `to`.
    fn grow(cubic: &mut Cubic, window: &mut Window, from: u64, to: u64) {
        let mut at = from;
        while at < to {
            let acks = (window.cwnd_bytes / 2000).max(1);
            for n in 0..acks {
                let at = at + u64::from(n) * 100 / u64::from(acks);
                ack(cubic, window, &sample(at, 2000));
            }
            at += 100;
        }
    }

    #[test]
    fn cube_roots_are_exact() {
        for root in [0u64, 1, 2, 3, 10, 999, 1 << 20, 2_642_245] {
            let cube = root * root * root;
            assert_eq!(u64::from(cube_root(cube)), root);
            if root > 1 {
                assert_eq!(u64::from(cube_root(cube - 1)), root - 1);
            }
        }
        assert_eq!(cube_root(u64::MAX), 2_642_245);
    }

    #[test]
    fn curve_is_flat_at_w_max_and_steep_elsewhere() {
        let (mut cubic, mut window) = reduced();
        assert_eq!(window.cwnd_bytes, 700_000);
        // K is the cube root of 300 / 0.4: 9.09 s.
        grow(&mut cubic, &mut window, 0, 9_100);
        assert_eq!(cubic.curve().k_millis, 9_086);
        let at_k = window.cwnd_bytes;
        assert!((985_000..=1_001_000).contains(&at_k), "{at_k}");
        grow(&mut cubic, &mut window, 9_100, 11_100);
        let later = window.cwnd_bytes;
        assert!((at_k..1_010_000).contains(&later), "{later}");
        grow(&mut cubic, &mut window, 11_100, 21_100);
        let probing = window.cwnd_bytes;
        assert!(probing > 1_500_000, "{probing}");
    }

    #[test]
    fn second_congestion_below_w_max_aims_lower() {
        let (mut cubic, window) = reduced();
        let left = cubic.on_congestion(&window, MSS, 700_000, Cause::Mark);
        assert_eq!((left, cubic.curve().w_max), (490_000, 595_000));
    }

    #[test]
    fn small_windows_grow_as_reno_does() {
        let mut cubic = Cubic::new();
        let mut window = Window {
            cwnd_bytes: 20_000,
            ssthresh_bytes: u32::MAX,
        };
        let left = cubic.on_congestion(&window, MSS, 20_000, Cause::Loss);
        window.ssthresh_bytes = left;
        window.cwnd_bytes = left;
        // Nine seventeenths of a segment in a round, up to the old window; then whole ones.
        grow(&mut cubic, &mut window, 0, 1_000);
        let early = window.cwnd_bytes;
        assert!((18_000..=20_500).contains(&early), "{early}");
    }

    #[test]
    fn idle_time_does_not_move_the_curve() {
        let (mut cubic, mut window) = reduced();
        grow(&mut cubic, &mut window, 0, 2_000);
        let before = window.cwnd_bytes;
        let (mut busy, mut wide) = (cubic, window);
        grow(&mut busy, &mut wide, 20_000, 20_200);
        let resume = Instant::ZERO.after(Delta::from_millis(20_000));
        cubic.on_transmit_start(resume);
        grow(&mut cubic, &mut window, 20_000, 20_200);
        assert!(window.cwnd_bytes < before + 30_000, "{}", window.cwnd_bytes);
        assert!(wide.cwnd_bytes > before + 200_000, "{}", wide.cwnd_bytes);
    }

    #[test]
    fn undo_restores_the_curve() {
        let (mut cubic, mut window) = reduced();
        grow(&mut cubic, &mut window, 0, 2_000);
        let (k, w_max) = (cubic.curve().k_millis, cubic.curve().w_max);
        cubic.on_congestion(&window, MSS, window.cwnd_bytes, Cause::Timeout);
        cubic.on_timeout();
        assert_eq!(cubic.curve().w_max, 0);
        cubic.on_undo();
        assert_eq!((cubic.curve().k_millis, cubic.curve().w_max), (k, w_max));
    }
}
