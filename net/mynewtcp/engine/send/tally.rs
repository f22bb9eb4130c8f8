// SPDX-License-Identifier: GPL-2.0

//! What is counted over the life of one connection, for `TCP_INFO`.

use crate::engine::time::{
    Delta,
    Instant, //
};

/// Counts of repairs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally {
    /// Segments sent again.
    pub(crate) total_retrans: u32,
    /// Duplicates that the peer reported.
    pub(crate) dsack_dups: u32,
    /// Octets sent again.
    pub(crate) bytes_retrans: u64,
    /// Time-outs.
    pub(crate) total_rto: u16,
    /// Times that one or more time-outs in a row ended with progress.
    pub(crate) total_rto_recoveries: u16,
    /// Time spent in those that are over, in milliseconds.
    total_rto_time: u32,
    /// When the first of the time-outs in a row came that are not over.
    /// [`Instant::MAX`] if all are.
    since: Instant,
}

crate::engine::dormant::packed! {
    struct Tally {
        total_retrans, dsack_dups, bytes_retrans, total_rto, total_rto_recoveries, total_rto_time,
        since,
    }
}

impl Tally {
    pub(crate) const fn new() -> Self {
        Self {
            total_retrans: 0,
            dsack_dups: 0,
            bytes_retrans: 0,
            total_rto: 0,
            total_rto_recoveries: 0,
            total_rto_time: 0,
            since: Instant::MAX,
        }
    }

    /// `len` octets are sent again, in `segments`.
    pub(crate) fn on_repeated(&mut self, segments: u32, len: u32) {
        self.total_retrans = self.total_retrans.saturating_add(segments);
        self.bytes_retrans = self.bytes_retrans.saturating_add(u64::from(len));
    }

    /// A time-out has come.
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        self.total_rto = self.total_rto.saturating_add(1);
        if self.since == Instant::MAX {
            self.since = now;
            self.total_rto_recoveries = self.total_rto_recoveries.saturating_add(1);
        }
    }

    /// There is progress again.
    pub(crate) fn on_progress(&mut self, now: Instant) {
        self.total_rto_time = self.rto_time(now);
        self.since = Instant::MAX;
    }

    /// Milliseconds spent in rows of time-outs, with the one that is not over.
    pub(crate) fn rto_time(&self, now: Instant) -> u32 {
        self.total_rto_time
            .saturating_add(millis(self.without_progress(now)))
    }

    /// How long ago the first of the time-outs came that are not over.
    pub(crate) fn without_progress(&self, now: Instant) -> Delta {
        now.since(self.since)
    }
}

fn millis(delta: Delta) -> u32 {
    delta.as_millis().min(u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_outs_in_a_row_are_one_recovery() {
        let mut tally = Tally::new();
        let at = |ms| Instant::ZERO.after(Delta::from_millis(ms));
        tally.on_timeout(at(100));
        tally.on_timeout(at(300));
        assert_eq!(tally.rto_time(at(310)), 210);
        tally.on_progress(at(350));
        tally.on_progress(at(900));
        assert_eq!((tally.total_rto, tally.total_rto_recoveries), (2, 1));
        assert_eq!(tally.rto_time(at(1000)), 250);
    }
}
