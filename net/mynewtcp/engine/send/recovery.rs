// SPDX-License-Identifier: GPL-2.0

//! The phases of loss recovery: RFC 8985 with selective acknowledgments, RFC 6582 (NewReno)
//! without, RFC 5681, RFC 6298 and RFC 5682 (F-RTO) after a time-out.

use crate::engine::seq::{
    Mss,
    SeqNum, //
};

/// Where loss recovery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing is held to be lost.
    Open,
    /// The window is being reduced, though nothing is held to be lost: the peer echoed a mark of
    /// congestion; over when something is acknowledged that was sent after it began.
    Cwr,
    /// A loss was detected; over when everything sent by then is acknowledged.
    Recovery,
    /// A retransmission time-out came; over when everything sent by then is acknowledged.
    Loss,
}

crate::engine::dormant::packed!(
    enum Phase {
        Open,
        Cwr,
        Recovery,
        Loss,
    }
);

/// How far F-RTO has come in finding out whether a time-out was a mistake (RFC 5682).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frto {
    /// It does not try, or it has decided.
    Off,
    /// Step 1: the first segment was sent again.
    FirstAck,
    /// Step 2b: then its acknowledgment came, and new data is sent instead of more of the old.
    SecondAck,
}

crate::engine::dormant::packed!(
    enum Frto {
        Off,
        FirstAck,
        SecondAck,
    }
);

/// Loss recovery's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recovery {
    /// The phase.
    pub(crate) phase: Phase,
    /// F-RTO's.
    pub(crate) frto: Frto,
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

crate::engine::dormant::packed! {
    struct Recovery {
        phase, frto, recovery_point, dup_acks, sack, first_is_due,
    }
}

impl Recovery {
    pub(crate) const fn new(iss: SeqNum) -> Self {
        Self {
            phase: Phase::Open,
            frto: Frto::Off,
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
    ///
    /// `most` duplicates can there be, so many segments are under way behind the first.
    pub(crate) fn on_dup_ack(&mut self, una: SeqNum, dup_thresh: u16, most: u32) -> bool {
        let most = most.min(u32::from(u16::MAX)) as u16;
        let dup_acks = self.dup_acks.saturating_add(1).min(most);
        match self.phase {
            Phase::Open | Phase::Cwr => {
                self.dup_acks = dup_acks;
                dup_acks >= dup_thresh && una.after(self.recovery_point)
            }
            Phase::Recovery => {
                self.dup_acks = dup_acks;
                false
            }
            // All is held to be lost: a duplicate takes nothing more out of the network.
            Phase::Loss => false,
        }
    }

    /// SND.UNA has advanced by `bytes` in the middle of a phase: as many segments, less the one
    /// that filled the hole, are no longer merely reported by duplicates. Returns the octets that
    /// duplicates had told of before.
    pub(crate) fn on_partial_ack(&mut self, bytes: u32, mss: Mss) -> u32 {
        let segments = bytes.div_ceil(mss.octets()).saturating_sub(1);
        let segments = segments.min(u32::from(self.dup_acks)) as u16;
        self.dup_acks = self.dup_acks.saturating_sub(segments);
        u32::from(segments).saturating_mul(mss.octets())
    }

    /// Nothing is being repaired and SND.UNA is beyond the old recovery point: keeps it near.
    pub(crate) fn refresh(&mut self, una: SeqNum) {
        if self.phase == Phase::Open && una.after(self.recovery_point) {
            self.recovery_point = una.minus(1);
        }
    }

    /// The window is reduced without a loss.
    pub(crate) fn enter_cwr(&mut self, nxt: SeqNum) {
        self.phase = Phase::Cwr;
        self.recovery_point = nxt;
    }

    /// A loss was detected.
    pub(crate) fn enter_recovery(&mut self, nxt: SeqNum) {
        self.phase = Phase::Recovery;
        self.recovery_point = nxt;
        self.first_is_due = true;
    }

    /// A time-out came.
    pub(crate) fn enter_loss(&mut self, nxt: SeqNum, frto: Frto) {
        self.phase = Phase::Loss;
        self.frto = frto;
        self.recovery_point = nxt;
        self.dup_acks = 0;
        self.first_is_due = true;
    }

    /// Everything is acknowledged that was sent when the phase was entered, or it was entered by
    /// mistake.
    pub(crate) fn leave(&mut self) {
        self.phase = Phase::Open;
        self.frto = Frto::Off;
        self.dup_acks = 0;
        self.first_is_due = false;
    }

    /// Losses are being repaired.
    pub(crate) fn is_repairing(&self) -> bool {
        match self.phase {
            Phase::Open | Phase::Cwr => false,
            Phase::Recovery | Phase::Loss => true,
        }
    }

    /// The window is being reduced proportionally.
    pub(crate) fn is_reducing(&self) -> bool {
        match self.phase {
            Phase::Open | Phase::Loss => false,
            Phase::Cwr | Phase::Recovery => true,
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
        assert!(!recovery.on_dup_ack(UNA, 3, 9) && !recovery.on_dup_ack(UNA, 3, 9));
        assert!(recovery.on_dup_ack(UNA, 3, 9));
        recovery.enter_recovery(UNA.plus(5000));
        assert!(!recovery.on_dup_ack(UNA, 3, 9));
        assert_eq!(recovery.dup_acked_bytes(Mss::new(100)), 400);
        assert_eq!(recovery.on_partial_ack(300, Mss::new(100)), 200);
        assert_eq!(recovery.dup_acks, 2);
        recovery.leave();
        assert!(!recovery.is_repairing());
    }

    #[test]
    fn duplicates_of_an_old_recovery_do_not_count() {
        let mut recovery = Recovery::new(SeqNum::new(0));
        recovery.enter_loss(UNA, Frto::Off);
        recovery.leave();
        for _ in 0..10 {
            assert!(!recovery.on_dup_ack(UNA, 3, 99));
        }
        assert!(recovery.on_dup_ack(UNA.plus(1), 3, 99));
    }

    #[test]
    fn more_duplicates_than_segments_are_made_up() {
        let mut recovery = Recovery::new(SeqNum::new(0));
        for _ in 0..10 {
            recovery.on_dup_ack(UNA, 3, 2);
        }
        assert_eq!(recovery.dup_acks, 2);
    }
}
