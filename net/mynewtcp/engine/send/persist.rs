// SPDX-License-Identifier: GPL-2.0

//! Patience: with a window that stays closed (RFC 9293, 3.8.6.1) and with a peer that is silent.

use crate::engine::config::Config;
use crate::engine::send::rtt::RttEstimator;
use crate::engine::seq::SeqNum;
use crate::engine::time::{
    Delta,
    Instant, //
};

/// What to do after one more try went unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Attempt {
    /// Try once more.
    Again,
    /// That was enough.
    GiveUp,
}

/// Tries since the peer last gave a sign of life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Retransmission time-outs in a row without progress.
    pub(crate) retransmits: u8,
    /// Window probes in a row; also the back-off of the next one.
    pub(crate) probes: u8,
    /// Window probes in a row that nobody answered.
    unanswered: u8,
    /// Keepalive probes in a row that nobody answered.
    pub(crate) keepalives: u8,
    /// Since when SND.UNA has been where it is although something was owed, zero if nothing is.
    waiting_since: Instant,
    /// Where it is.
    waiting_at: SeqNum,
}

crate::engine::dormant::packed! {
    struct Patience {
        retransmits, probes, unanswered, keepalives, waiting_since, waiting_at,
    }
}

impl Patience {
    pub(crate) const fn new() -> Self {
        Self {
            retransmits: 0,
            probes: 0,
            unanswered: 0,
            keepalives: 0,
            waiting_since: Instant::ZERO,
            waiting_at: SeqNum::new(0),
        }
    }

    /// What the last [`waiting_since`](Self::waiting_since) said, if something was owed.
    pub(crate) fn owes_since(&self) -> Option<Instant> {
        (self.waiting_since != Instant::ZERO).then_some(self.waiting_since)
    }

    /// Since when there has been no progress: SND.UNA is `una` now, or nothing is owed.
    pub(crate) fn waiting_since(&mut self, now: Instant, una: Option<SeqNum>) -> Instant {
        match una {
            Some(una) if self.waiting_since != Instant::ZERO && una == self.waiting_at => {}
            Some(una) => {
                self.waiting_since = now;
                self.waiting_at = una;
            }
            None => self.waiting_since = Instant::ZERO,
        }
        self.waiting_since
    }

    /// One more retransmission time-out; `limit` are allowed.
    pub(crate) fn on_retransmit(&mut self, limit: u8) -> Attempt {
        if self.retransmits >= limit {
            return Attempt::GiveUp;
        }
        self.retransmits += 1;
        Attempt::Again
    }

    /// One more window probe; `limit` may go unanswered.
    ///
    ///   "As long as the receiving TCP peer continues to send acknowledgments in response to the
    ///   probe segments, the sending TCP peer MUST allow the connection to stay open (MUST-37)."
    ///   (RFC 9293, 3.8.6.1)
    pub(crate) fn on_probe(&mut self, limit: u8) -> Attempt {
        if self.unanswered >= limit {
            return Attempt::GiveUp;
        }
        self.unanswered += 1;
        self.probes = self.probes.saturating_add(1);
        Attempt::Again
    }

    /// The peer has sent an acceptable segment.
    pub(crate) fn on_answer(&mut self) {
        self.unanswered = 0;
        self.keepalives = 0;
    }

    /// The peer has acknowledged something new.
    pub(crate) fn on_progress(&mut self) {
        self.retransmits = 0;
    }

    /// The window has opened.
    pub(crate) fn on_open_window(&mut self) {
        self.probes = 0;
    }

    /// Time until the next window probe.
    ///
    ///   "The transmitting host SHOULD send the first zero-window probe when a zero window has
    ///   existed for the retransmission timeout period [...] and SHOULD increase exponentially the
    ///   interval between successive probes" (RFC 9293, 3.8.6.1)
    pub(crate) fn probe_interval(&self, rtt: &RttEstimator, config: &Config) -> Delta {
        rtt.base_rto(config)
            .delta()
            .doubled(u32::from(self.probes))
            .clamped(config.rto_min, config.persist_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_back_off_and_end_only_in_silence() {
        let (mut patience, rtt) = (Patience::new(), RttEstimator::new());
        let config = Config::DEFAULT;
        let mut last = Delta::ZERO;
        for _ in 0..50 {
            let interval = patience.probe_interval(&rtt, &config);
            assert!(interval > last || interval == config.persist_max);
            last = interval;
            assert_eq!(patience.on_probe(3), Attempt::Again);
            patience.on_answer();
        }
        for _ in 0..3 {
            assert_eq!(patience.on_probe(3), Attempt::Again);
        }
        assert_eq!(patience.on_probe(3), Attempt::GiveUp);
        patience.on_answer();
        patience.on_open_window();
        assert_eq!(patience.probe_interval(&rtt, &config), config.rto_initial);
    }

    #[test]
    fn retransmits_are_limited_and_progress_forgives() {
        let mut patience = Patience::new();
        assert_eq!(patience.on_retransmit(1), Attempt::Again);
        assert_eq!(patience.on_retransmit(1), Attempt::GiveUp);
        patience.on_progress();
        assert_eq!(patience.on_retransmit(1), Attempt::Again);
    }
}
