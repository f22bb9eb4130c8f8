// SPDX-License-Identifier: GPL-2.0

//! The round-trip time as a receiver sees it, who may never send anything that is acknowledged.

use crate::engine::seq::SeqNum;
use crate::engine::time::{
    Delta,
    Instant, //
};

/// An estimate from what arrives: by the timestamps that come back, and by the time that a whole
/// window takes, which is a round trip at least.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceiverRtt {
    /// Microseconds, 0 before the first sample.
    micros: u32,
    /// The last timestamp of ours that a sample was taken of.
    last_echo: u32,
    /// The window that is being timed ends here.
    until: SeqNum,
    /// When it began, zero if none is.
    since: Instant,
}

crate::engine::dormant::packed!(struct ReceiverRtt { micros, last_echo, until, since });

impl ReceiverRtt {
    pub(crate) const fn new() -> Self {
        Self {
            micros: 0,
            last_echo: 0,
            until: SeqNum::new(0),
            since: Instant::ZERO,
        }
    }

    /// The estimate, zero if there is none.
    pub(crate) const fn get(&self) -> Delta {
        Delta::from_micros(self.micros as u64)
    }

    /// A full segment has come that echoes our timestamp `echo`, when our clock says `clock`, both
    /// in milliseconds. Only the first one of each echo counts: the others left later.
    pub(crate) fn on_echo(&mut self, clock: u32, echo: u32) {
        if echo == self.last_echo {
            return;
        }
        self.last_echo = echo;
        let elapsed = clock.wrapping_sub(echo);
        // An echo from the future or from weeks ago is not honest.
        if elapsed > i32::MAX as u32 / 1_000 {
            return;
        }
        let sample = elapsed.max(1).saturating_mul(1_000);
        self.micros = match self.micros {
            0 => sample,
            old => (old - old / 8).saturating_add(sample / 8),
        };
    }

    /// RCV.NXT is `nxt` now, and the peer was last told a window of `window`. What lies that far
    /// ahead cannot have been under way already.
    pub(crate) fn on_progress(&mut self, now: Instant, nxt: SeqNum, window: u32) {
        if self.since != Instant::ZERO {
            if nxt.before(self.until) {
                return;
            }
            let sample = u32::try_from(now.since(self.since).as_micros()).unwrap_or(u32::MAX);
            let sample = sample.max(1);
            // It may have been the sender that took its time: only the shortest one counts.
            if self.micros == 0 || sample < self.micros {
                self.micros = sample;
            }
        }
        self.until = nxt.plus(window);
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoes_are_smoothed_and_count_once() {
        let mut rtt = ReceiverRtt::new();
        assert_eq!(rtt.get(), Delta::ZERO);
        rtt.on_echo(110, 100);
        assert_eq!(rtt.get(), Delta::from_millis(10));
        rtt.on_echo(500, 100);
        assert_eq!(rtt.get(), Delta::from_millis(10));
        rtt.on_echo(519, 501);
        assert_eq!(rtt.get(), Delta::from_millis(11));
        rtt.on_echo(519, 519);
        assert!(rtt.get() > Delta::from_millis(9) && rtt.get() < Delta::from_millis(10));
    }

    #[test]
    fn dishonest_echoes_are_ignored_and_the_clock_wraps() {
        let mut rtt = ReceiverRtt::new();
        rtt.on_echo(100, 101);
        rtt.on_echo(100, 100u32.wrapping_sub(1 << 22));
        assert_eq!(rtt.get(), Delta::ZERO);
        rtt.on_echo(3, u32::MAX - 6);
        assert_eq!(rtt.get(), Delta::from_millis(10));
    }

    #[test]
    fn the_fastest_window_counts() {
        let mut rtt = ReceiverRtt::new();
        let at = |ms| Instant::from_nanos(1).after(Delta::from_millis(ms));
        let nxt = SeqNum::new(u32::MAX);
        rtt.on_progress(at(0), nxt, 1000);
        rtt.on_progress(at(10), nxt.plus(999), 1000);
        assert_eq!(rtt.get(), Delta::ZERO);
        rtt.on_progress(at(40), nxt.plus(1000), 1000);
        assert_eq!(rtt.get(), Delta::from_millis(40));
        rtt.on_progress(at(60), nxt.plus(2000), 1000);
        assert_eq!(rtt.get(), Delta::from_millis(20));
        rtt.on_progress(at(160), nxt.plus(3000), 1000);
        assert_eq!(rtt.get(), Delta::from_millis(20));
    }
}
