// SPDX-License-Identifier: GPL-2.0

//! The phases of loss recovery: RFC 6675 with selective acknowledgments, RFC 6582 (NewReno)
//! without, RFC 5681 and RFC 6298 after a time-out.

use crate::engine::send::loss::DUP_THRESH;
use crate::engine::seq::{
    Mss,
    SeqNum, //
};

/// Where loss recovery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing is held to be lost.
    Open,
    /// A loss was detected; over when everything sent by then is acknowledged.
    Recovery,
    /// A retransmission time-out came; over when everything sent by then is acknowledged.
    Loss,
}

/// Loss recovery's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recovery {
    /// The phase.
    pub(crate) phase: Phase,
    /// RecoveryPoint of RFC 6675, "recover" of RFC 6582: SND.NXT when the phase was entered.
    pub(crate) recovery_point: SeqNum,
    /// Duplicate acknowledgments. Without selective acknowledgments, which say it better, each
    /// says that a segment has arrived.
    pub(crate) dup_acks: u16,
    /// The peer acknowledges selectively.
    pub(crate) sack: bool,
    /// The first retransmission of a recovery goes out whatever the congestion window says.
    pub(crate) first_is_due: bool,
}

impl Recovery {
    pub(crate) const fn new(iss: SeqNum) -> Self {
        Self {
            phase: Phase::Open,
            recovery_point: iss,
            dup_acks: 0,
            sack: false,
            first_is_due: false,
        }
    }

    /// Octets that duplicate acknowledgments have told of.
    pub(crate) fn dup_acked_bytes(&self, mss: Mss) -> u32 {
        if self.sack {
            return 0;
        }
        u32::from(self.dup_acks).saturating_mul(mss.octets())
    }

    /// One more duplicate acknowledgment. `true` when it is the one that calls for a fast
    /// retransmission:
    ///
    ///   "the TCP sender first checks the value of recover to see if the Cumulative Acknowledgment
    ///   field covers more than recover" (RFC 6582, 3.2, step 2)
    pub(crate) fn on_dup_ack(&mut self, una: SeqNum) -> bool {
        self.dup_acks = self.dup_acks.saturating_add(1);
        match self.phase {
            Phase::Open => self.dup_acks >= u16::from(DUP_THRESH) && una.after(self.recovery_point),
            Phase::Recovery | Phase::Loss => false,
        }
    }

    /// SND.UNA has advanced by `bytes` in the middle of a phase: as many segments, less the one
    /// that filled the hole, are no longer merely reported by duplicates.
    pub(crate) fn on_partial_ack(&mut self, bytes: u32, mss: Mss) {
        let segments = bytes.div_ceil(mss.octets()).saturating_sub(1);
        let segments = segments.min(u32::from(u16::MAX)) as u16;
        self.dup_acks = self.dup_acks.saturating_sub(segments);
    }

    /// Nothing is being repaired and SND.UNA is beyond the old recovery point: keeps it near.
    pub(crate) fn refresh(&mut self, una: SeqNum) {
        if self.phase == Phase::Open && una.after(self.recovery_point) {
            self.recovery_point = una.minus(1);
        }
    }

    /// A loss was detected.
    pub(crate) fn enter_recovery(&mut self, nxt: SeqNum) {
        self.phase = Phase::Recovery;
        self.recovery_point = nxt;
        self.first_is_due = true;
    }

    /// A time-out came.
    pub(crate) fn enter_loss(&mut self, nxt: SeqNum) {
        self.phase = Phase::Loss;
        self.recovery_point = nxt;
        self.dup_acks = 0;
        self.first_is_due = true;
    }

    /// Everything is acknowledged that was sent when the phase was entered.
    pub(crate) fn leave(&mut self) {
        self.phase = Phase::Open;
        self.dup_acks = 0;
        self.first_is_due = false;
    }

    /// Losses are being repaired.
    pub(crate) fn is_repairing(&self) -> bool {
        match self.phase {
            Phase::Open => false,
            Phase::Recovery | Phase::Loss => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNA: SeqNum = SeqNum::new(1000);

    #[test]
    fn third_duplicate_starts_recovery_once() {
        let mut recovery = Recovery::new(SeqNum::new(0));
        assert!(!recovery.on_dup_ack(UNA) && !recovery.on_dup_ack(UNA));
        assert!(recovery.on_dup_ack(UNA));
        recovery.enter_recovery(UNA.plus(5000));
        assert!(!recovery.on_dup_ack(UNA));
        assert_eq!(recovery.dup_acked_bytes(Mss::new(100)), 400);
        recovery.on_partial_ack(300, Mss::new(100));
        assert_eq!(recovery.dup_acks, 2);
        recovery.leave();
        assert!(!recovery.is_repairing());
    }

    #[test]
    fn duplicates_of_an_old_recovery_do_not_count() {
        let mut recovery = Recovery::new(SeqNum::new(0));
        recovery.enter_loss(UNA);
        recovery.leave();
        for _ in 0..10 {
            assert!(!recovery.on_dup_ack(UNA));
        }
        assert!(recovery.on_dup_ack(UNA.plus(1)));
    }
}
