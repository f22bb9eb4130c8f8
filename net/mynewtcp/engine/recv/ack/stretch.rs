// SPDX-License-Identifier: GPL-2.0

//! One acknowledgment for several superpackets.
//!
//!   "The requirement that an ACK 'SHOULD' be generated for at least every second full-sized
//!   segment is listed in [RFC1122] in one place as a SHOULD and another as a MUST." (RFC 5681,
//!   4.2)
//!
//! A receiver that merges segments acknowledges a superpacket, 64 KiB, as one. Where the sender is
//! close by and is not held up by that, not each of these needs an acknowledgment either: to send
//! it, carry it and take it in costs both ends about half of what a superpacket costs. "Close by"
//! is measured. That the sender is not held up is tried out: once acknowledgments of two full
//! segments or more have gone on for a while, one is kept back until there is more to acknowledge.
//! If more data comes, the sender did not wait. If not, it may have waited, for a millisecond and
//! the time until the next tick, and there will be many more acknowledgments until the next try.

use crate::engine::time::Delta;

/// How much may be left unacknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// Octets that wait for more, in [`GRAIN`](Self::GRAIN)s; as good as none while less than two
    /// full segments.
    grains: u8,
    /// Acknowledgments of two full segments or more since there was a reason to begin again.
    steady: u16,
    /// Tries that held a sender up.
    failures: u8,
}

crate::engine::dormant::packed! {
    struct Stretch { grains, steady, failures }
}

impl Stretch {
    /// Nothing has been tried.
    pub(crate) const NONE: Self = Self {
        grains: 0,
        steady: 0,
        failures: 0,
    };
    /// Octets.
    const GRAIN: u32 = 4 << 10;
    /// The most grains: 256 KiB.
    const MOST: u32 = 64;
    /// And not more than so much of the window, lest the sender run into its edge.
    const SHARE: u32 = 8;
    /// A path is short if a round trip takes no longer: less than what acknowledgments wait for.
    const SHORT: Delta = Delta::from_millis(1);
    /// Acknowledgments until the first try, as a power of two; each failure makes them four times
    /// as many, up to the second.
    const FIRST: u8 = 4;
    const LAST: u8 = 12;

    /// `owed` octets may wait for more, the peer having been told a window of `told` octets, and
    /// a round trip taking `min_rtt` at least.
    #[inline]
    pub(crate) fn covers(&self, owed: u32, told: u32, min_rtt: Delta) -> bool {
        let most = u32::from(self.grains).saturating_mul(Self::GRAIN);
        let is_short = min_rtt <= Self::SHORT && min_rtt != Delta::ZERO;
        owed < most.min(told / Self::SHARE) && is_short
    }

    /// An acknowledgment of `owed` octets, two full segments or more, is being sent alone.
    #[inline]
    pub(crate) fn on_ack(&mut self, owed: u32) {
        self.steady = self.steady.saturating_add(1);
        if self.steady >= self.needed() {
            let twice = (owed / Self::GRAIN).saturating_mul(2).min(Self::MOST);
            self.grains = self.grains.max(twice as u8);
        }
        if self.steady == u16::MAX {
            self.failures = 0;
        }
    }

    fn needed(&self) -> u16 {
        let power = Self::FIRST.saturating_add(self.failures.saturating_mul(2));
        1 << power.min(Self::LAST)
    }

    /// Nothing is known of the sender any more: it has seen a loss, or its user has a wish.
    pub(crate) fn begin_again(&mut self) {
        self.grains = 0;
        self.steady = 0;
    }

    /// What waited for more was not overtaken by it; the last data came `quiet` ago.
    pub(crate) fn on_timeout(&mut self, quiet: Delta) {
        if self.grains == 0 {
            return;
        }
        // A slow sender is still sending, and hears of it now and then.
        if quiet >= Self::SHORT.halved(1) {
            self.begin_again();
            self.failures = self.failures.saturating_add(1).min(Self::LAST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWED: u32 = 65_160;
    const WINDOW: u32 = 4 << 20;
    const MOST: u32 = 256 << 10;
    const NEAR: Delta = Delta::from_micros(80);

    fn steady(acks: u32) -> Stretch {
        let mut stretch = Stretch::NONE;
        for _ in 0..acks {
            stretch.on_ack(OWED);
        }
        stretch
    }

    #[test]
    fn begins_after_a_while_and_grows() {
        assert!(!steady(15).covers(OWED, WINDOW, NEAR));
        let mut stretch = steady(16);
        assert!(stretch.covers(OWED, WINDOW, NEAR));
        assert!(!stretch.covers(2 * OWED, WINDOW, NEAR));
        for _ in 0..4 {
            stretch.on_ack(2 * OWED);
        }
        assert!(stretch.covers(3 * OWED, WINDOW, NEAR));
        stretch.on_ack(u32::MAX);
        assert!(!stretch.covers(MOST, WINDOW, NEAR));
        // A short one in between takes nothing back.
        stretch.on_ack(3000);
        assert!(stretch.covers(MOST - 1, WINDOW, NEAR));
    }

    #[test]
    fn keeps_off_the_edge_of_the_window_and_off_long_paths() {
        let stretch = steady(16);
        assert!(!stretch.covers(OWED, 8 * OWED, NEAR));
        assert!(stretch.covers(OWED, 8 * OWED + 8, NEAR));
        assert!(!stretch.covers(OWED, WINDOW, Delta::from_micros(1001)));
        assert!(!stretch.covers(OWED, WINDOW, Delta::ZERO));
    }

    /// Each sender that was held up makes the next try come later, but not never.
    #[test]
    fn a_sender_that_waited_is_left_alone_for_a_while() {
        let mut stretch = steady(16);
        for needed in [64, 256, 1024, 4096, 4096] {
            stretch.on_timeout(Delta::from_millis(1));
            for _ in 1..needed {
                stretch.on_ack(OWED);
            }
            assert!(!stretch.covers(OWED, WINDOW, NEAR));
            stretch.on_ack(OWED);
            assert!(stretch.covers(OWED, WINDOW, NEAR));
        }
        // Forgotten after a long time.
        for _ in 0..u16::MAX {
            stretch.on_ack(OWED);
        }
        stretch.begin_again();
        for _ in 0..16 {
            stretch.on_ack(OWED);
        }
        assert!(stretch.covers(OWED, WINDOW, NEAR));
    }

    /// A sender that is slow, but is sending, does not wait.
    #[test]
    fn data_on_its_way_is_no_failure() {
        let mut stretch = steady(16);
        stretch.on_timeout(Delta::from_micros(100));
        assert!(stretch.covers(OWED, WINDOW, NEAR));
        let mut untried = steady(3);
        untried.on_timeout(Delta::from_millis(1));
        assert_eq!(untried, steady(3));
    }
}
