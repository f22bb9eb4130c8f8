// SPDX-License-Identifier: GPL-2.0

//! Counts of what has been sent, for `TCP_INFO`.

use crate::engine::wire::Transmit;

/// What has been sent. Counts of segments wrap, as they do in Linux.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Segments.
    pub(super) segments: u32,
    /// Segments with payload.
    pub(super) data_segments: u32,
    /// Octets of payload.
    pub(super) octets: u64,
    /// Octets of payload sent again.
    pub(super) octets_again: u64,
}

crate::engine::dormant::packed!(struct Tally { segments, data_segments, octets, octets_again });

impl Tally {
    /// Counts one transmission.
    pub(super) fn count(&mut self, transmit: &Transmit) {
        let (segments, octets) = (transmit.segments(), transmit.range.len());
        self.segments = self.segments.wrapping_add(segments);
        if octets != 0 {
            self.data_segments = self.data_segments.wrapping_add(segments);
            self.octets = self.octets.wrapping_add(u64::from(octets));
        }
        if transmit.retransmission {
            self.octets_again = self.octets_again.wrapping_add(u64::from(octets));
        }
    }

    /// One segment of new data, `octets` long, is being sent.
    #[inline]
    pub(super) fn count_segment(&mut self, octets: u32) {
        self.segments = self.segments.wrapping_add(1);
        self.data_segments = self.data_segments.wrapping_add(1);
        self.octets = self.octets.wrapping_add(u64::from(octets));
    }

    /// Octets that were sent for the first time and are not among the `flight` that is under way.
    pub(super) fn acknowledged(&self, flight: u32) -> u64 {
        let first = self.octets.wrapping_sub(self.octets_again);
        first.saturating_sub(u64::from(flight))
    }
}
