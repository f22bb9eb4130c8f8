// SPDX-License-Identifier: GPL-2.0

//! What to report of octets that arrived twice (D-SACK, RFC 2883).

use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};

/// The duplicate that the next acknowledgment reports, if there is one.
///
///   "each duplicate contiguous sequence of data received is reported in at most one D-SACK block"
///   (RFC 2883, section 4)
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Duplicates {
    first: Option<SeqRange>,
}

crate::engine::dormant::packed!(struct Duplicates { first });

/// Where a duplicate was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Noted {
    /// It has been acknowledged already.
    Old,
    /// It is kept out of order.
    OutOfOrder,
    /// It belongs to a report that is under way, or has to wait for another occasion.
    Joined,
}

impl Duplicates {
    /// `range` arrived although we have it; RCV.NXT is `nxt`.
    pub(crate) fn note(&mut self, range: SeqRange, nxt: SeqNum) -> Noted {
        if range.is_empty() {
            return Noted::Joined;
        }
        match self.first {
            Some(first) => {
                if first.touches(range) {
                    self.first = Some(first.hull(range));
                }
                Noted::Joined
            }
            None => {
                self.first = Some(range);
                if range.start().before(nxt) {
                    Noted::Old
                } else {
                    Noted::OutOfOrder
                }
            }
        }
    }

    /// There is something to report.
    pub(crate) fn is_owed(&self) -> bool {
        self.first.is_some()
    }

    /// Takes the report.
    pub(crate) fn take(&mut self) -> Option<SeqRange> {
        self.first.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_report_and_others_none() {
        let mut duplicates = Duplicates::default();
        let nxt = SeqNum::new(10);
        let range = |start: u32, len| SeqRange::new(SeqNum::new(start), len);
        assert_eq!(duplicates.note(range(5, 0), nxt), Noted::Joined);
        assert!(!duplicates.is_owed());
        assert_eq!(duplicates.note(range(u32::MAX, 6), nxt), Noted::Old);
        assert_eq!(duplicates.note(range(5, 5), nxt), Noted::Joined);
        assert_eq!(duplicates.note(range(20, 5), nxt), Noted::Joined);
        assert_eq!(duplicates.take(), Some(range(u32::MAX, 11)));
        assert_eq!(duplicates.take(), None);
        assert_eq!(duplicates.note(range(20, 5), nxt), Noted::OutOfOrder);
    }
}
