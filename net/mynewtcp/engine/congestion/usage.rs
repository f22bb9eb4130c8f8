// SPDX-License-Identifier: GPL-2.0

//! Whether the congestion window was used (RFC 2861, RFC 7661): a window that was not is not
//! known to be safe, and shrinks towards what was used.

use crate::engine::congestion::{
    least_ssthresh,
    Window, //
};
use crate::engine::seq::{
    Mss,
    SeqNum, //
};
use crate::engine::time::{
    Delta,
    Instant, //
};

/// What the sender did with its window lately.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// The window held data back in this round or in the last one that said so.
    limited: bool,
    /// The largest flight of the round.
    max_flight: u32,
    /// The round is over when this is acknowledged.
    round_end: SeqNum,
    /// The largest flight since the window was last full.
    used: u32,
    /// When it was last full, or last looked at.
    stamp: Instant,
}

crate::engine::dormant::packed!(struct Usage { limited, max_flight, round_end, used, stamp });

/// How long it was not full, and what it may be again at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// The retransmission time-out.
    pub(crate) rto: Delta,
    /// The window of a new connection.
    pub(crate) initial: u32,
}

impl Usage {
    pub(crate) const fn new(iss: SeqNum) -> Self {
        Self {
            limited: false,
            max_flight: 0,
            round_end: iss,
            used: 0,
            stamp: Instant::ZERO,
        }
    }

    /// All has been sent that could be: `flight` octets are under way, and the window held data
    /// back (`limited`) or something else did, or there was none.
    pub(crate) fn on_sent(&mut self, una: SeqNum, nxt: SeqNum, flight: u32, limited: bool) {
        let is_new_round = una.after_or_eq(self.round_end);
        if is_new_round || limited || (!self.limited && flight > self.max_flight) {
            self.limited = limited;
            self.max_flight = flight;
            self.round_end = nxt;
        }
        self.used = self.used.max(flight);
    }

    /// Keeps the number that it remembers near, because in 2^31 octets it would seem to lie
    /// ahead.
    pub(crate) fn refresh(&mut self, una: SeqNum) {
        self.round_end = self.round_end.latest(una);
    }

    /// The window is what limits the sender. In slow start one that is half used is, because it
    /// would not be filled before it has doubled.
    pub(crate) fn is_cwnd_limited(&self, window: &Window) -> bool {
        self.limited || (window.is_in_slow_start() && window.cwnd_bytes / 2 < self.max_flight)
    }

    /// The other half of [`on_sent`](Self::on_sent), for a connection in which nothing is held to
    /// be lost: a window that was not full for a time-out shrinks half of the way to what was
    /// used.
    ///
    ///   "ssthresh = max(ssthresh, 3*cwnd/4), cwnd = (cwnd + W_used)/2" (RFC 2861, 3.2)
    pub(crate) fn validate(
        &mut self,
        now: Instant,
        window: &mut Window,
        least_rto: Delta,
        patience: impl FnOnce() -> Patience,
        application_limited: bool,
    ) {
        if self.is_cwnd_limited(window) {
            self.used = 0;
            self.stamp = now;
            return;
        }
        // No time-out is shorter than this.
        if now.since(self.stamp) < least_rto {
            return;
        }
        let patience = patience();
        if now.since(self.stamp) < patience.rto {
            return;
        }
        let used = self.used.max(patience.initial);
        if application_limited && used < window.cwnd_bytes {
            window.ssthresh_bytes = remembered_ssthresh(window);
            window.cwnd_bytes = window.cwnd_bytes / 2 + used / 2;
        }
        self.used = 0;
        self.stamp = now;
    }

    /// What [`restart`](Self::restart) does less than a time-out after `last_sent_at`; `least_rto`
    /// is no longer than any. `false` if it may be more.
    #[inline]
    pub(crate) fn restart_soon(
        &mut self,
        now: Instant,
        least_rto: Delta,
        last_sent_at: Instant,
    ) -> bool {
        let is_soon = now.since(last_sent_at.max(self.stamp)) < least_rto;
        if is_soon {
            self.used = 0;
            self.stamp = now;
        }
        is_soon
    }

    /// Data is sent, the first since `last_sent_at`, and none is under way: "cwnd = cwnd/2" for each time-out that
    /// has passed (RFC 2861, 3.2), down to the window of a new connection.
    pub(crate) fn restart(
        &mut self,
        now: Instant,
        window: &mut Window,
        mss: Mss,
        patience: Patience,
        last_sent_at: Instant,
    ) {
        // What has been taken off since then stays off, and is not taken off again.
        let idle = now.since(last_sent_at.max(self.stamp));
        let least = patience.initial.min(window.cwnd_bytes);
        let ssthresh = remembered_ssthresh(window);
        let periods = idle.as_nanos() / patience.rto.as_nanos().max(1);
        let shift = u32::try_from(periods).unwrap_or(u32::MAX);
        let decayed = window.cwnd_bytes.checked_shr(shift).unwrap_or(0);
        if periods > 0 {
            window.ssthresh_bytes = ssthresh.max(least_ssthresh(mss));
            window.cwnd_bytes = decayed.max(least);
        }
        self.used = 0;
        self.stamp = now;
    }
}

/// ssthresh keeps three quarters of the window in mind that is given up.
fn remembered_ssthresh(window: &Window) -> u32 {
    let three_quarters = window.cwnd_bytes / 4 * 3;
    window.ssthresh_bytes.max(three_quarters)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        rto: Delta::from_millis(200),
        initial: 10_000,
    };
    const LATER: Instant = Instant::from_nanos(1_000_000_000);

    fn window() -> Window {
        Window {
            cwnd_bytes: 80_000,
            ssthresh_bytes: 40_000,
        }
    }

    fn usage(flight: u32, limited: bool) -> Usage {
        let mut usage = Usage::new(SeqNum::new(0));
        usage.on_sent(SeqNum::new(0), SeqNum::new(flight), flight, limited);
        usage
    }

    #[test]
    fn full_windows_stay() {
        let (mut usage, mut window) = (usage(80_000, true), window());
        usage.validate(LATER, &mut window, PATIENCE.rto, || PATIENCE, true);
        assert_eq!(window.cwnd_bytes, 80_000);
    }

    #[test]
    fn unused_windows_shrink_half_way_once_in_a_timeout() {
        let (mut usage, mut window) = (usage(20_000, false), window());
        usage.validate(LATER, &mut window, PATIENCE.rto, || PATIENCE, true);
        assert_eq!((window.cwnd_bytes, window.ssthresh_bytes), (50_000, 60_000));
        usage.validate(LATER, &mut window, PATIENCE.rto, || PATIENCE, true);
        assert_eq!(window.cwnd_bytes, 50_000);
    }

    #[test]
    fn a_window_that_the_send_buffer_limits_stays() {
        let (mut usage, mut window) = (usage(20_000, false), window());
        usage.validate(LATER, &mut window, PATIENCE.rto, || PATIENCE, false);
        assert_eq!(window.cwnd_bytes, 80_000);
    }

    #[test]
    fn one_full_moment_counts_for_the_round() {
        let mut usage = usage(80_000, true);
        usage.on_sent(SeqNum::new(1), SeqNum::new(81_000), 20_000, false);
        assert!(usage.is_cwnd_limited(&window()));
        usage.on_sent(SeqNum::new(80_000), SeqNum::new(90_000), 10_000, false);
        assert!(!usage.is_cwnd_limited(&window()));
    }

    #[test]
    fn idle_windows_halve_with_each_timeout() {
        let (mut usage, mss) = (usage(1000, false), Mss::new(1000));
        let mut restarted = |millis| {
            let mut window = window();
            let now = LATER.after(Delta::from_millis(millis));
            usage.stamp = Instant::ZERO;
            let mut soon = usage;
            if soon.restart_soon(now, PATIENCE.rto, LATER) {
                usage.restart(now, &mut window, mss, PATIENCE, LATER);
                assert_eq!(format!("{soon:?}"), format!("{usage:?}"));
                assert_eq!(window, self::window());
            }
            usage.stamp = Instant::ZERO;
            usage.restart(now, &mut window, mss, PATIENCE, LATER);
            let first = window;
            usage.restart(now, &mut window, mss, PATIENCE, LATER);
            assert_eq!(window, first, "once is enough");
            (window.cwnd_bytes, window.ssthresh_bytes)
        };
        assert_eq!(restarted(100), (80_000, 40_000));
        assert_eq!(restarted(450), (20_000, 60_000));
        assert_eq!(restarted(3_600_000), (10_000, 60_000));
    }
}
