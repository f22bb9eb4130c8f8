// SPDX-License-Identifier: GPL-2.0

//! When octets under way are held to be lost, short of a time-out.

use crate::engine::seq::Mss;

/// DupThresh of RFC 5681 and RFC 6675.
pub(crate) const DUP_THRESH: u8 = 3;

/// IsLost() of RFC 6675, section 4, for a chunk behind which `arrived` octets have arrived:
///
///   "more than (DupThresh - 1) * SMSS bytes with sequence numbers greater than 'SeqNum' have been
///   SACKed"
pub(crate) const fn is_lost(arrived: u32, mss: Mss) -> bool {
    arrived > (DUP_THRESH as u32 - 1) * mss.octets()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn third_segment_behind_a_hole_decides() {
        let mss = Mss::new(1000);
        assert!(!is_lost(2000, mss));
        assert!(is_lost(2001, mss));
    }
}
