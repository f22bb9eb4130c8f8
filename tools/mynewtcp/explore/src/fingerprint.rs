// SPDX-License-Identifier: GPL-2.0

//! When two hosts are the same: everything that their `Debug` output shows is, points in time
//! taken relative to the host's own clock.
//!
//! All of the engine derives `Debug`, so nothing can be forgotten, whatever is added to it. And
//! the engine looks at the clock only by differences, with the epoch as "never": two hosts that
//! differ in nothing but when it is now will do the same from here on. Counts that are only told
//! to the user, and decide nothing, are left out.

use std::fmt::{
    Debug,
    Write, //
};

use crate::engine::time::Instant;

/// A hash of 128 bits: among 10^7 worlds a collision has odds of 10^-24.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub u64, pub u64);

impl Fingerprint {
    /// Mixes in one more number.
    pub fn add(&mut self, value: u64) {
        const A: u64 = 0x9e37_79b9_7f4a_7c15;
        const B: u64 = 0xd6e8_feb8_6659_fd93;
        self.0 = (self.0.rotate_left(23) ^ value).wrapping_mul(A);
        self.0 ^= self.0 >> 32;
        self.1 = (self.1.rotate_left(29) ^ value).wrapping_mul(B);
        self.1 ^= self.1 >> 29;
    }

    /// Mixes in another fingerprint.
    pub fn join(&mut self, other: Self) {
        self.add(other.0);
        self.add(other.1);
    }

    /// Mixes in whatever `value` shows of itself, at the time `now`.
    pub fn show(&mut self, now: Instant, value: &impl Debug) {
        let mut reader = Reader {
            print: *self,
            now: now.as_nanos(),
            in_instant: false,
            in_count: false,
            left_out: None,
        };
        // A formatter fails only if its writer does.
        let _ = write!(reader, "{value:?}");
        *self = reader.print;
    }
}

/// Counts for `TCP_INFO`; nothing else has fields of these names.
const COUNTS: [&str; 11] = [
    "segments",
    "data_segments",
    "out_of_order",
    "octets",
    "delivered_ce",
    "total_retrans",
    "bytes_retrans",
    "dsack_dups",
    "total_rto",
    "total_rto_recoveries",
    "total_rto_time",
];

/// What only `TCP_INFO` is told: nothing is decided by it.
const TOLD: [&str; 3] = ["DeliveryRate", "Chronometer", "EcnCounts"];

/// Reads `Debug` output as it is written, piece by piece.
struct Reader {
    print: Fingerprint,
    now: u64,
    /// The piece before said that an instant follows.
    in_instant: bool,
    /// The piece before named a count.
    in_count: bool,
    /// How many brackets deep in one of [`TOLD`].
    left_out: Option<usize>,
}

impl Reader {
    /// Passes over a piece of what is left out, up to the last bracket.
    fn pass_over(&self, mut depth: usize, piece: &str) -> Option<usize> {
        for letter in piece.chars() {
            match letter {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' if depth <= 1 => return None,
                '}' | ')' | ']' => depth -= 1,
                _ => {}
            }
        }
        Some(depth)
    }

    /// An instant as the engine may see it: never, not yet, or so long ago or ahead.
    fn relative(&self, nanos: u64) -> u64 {
        match nanos {
            0 => 1 << 63,
            u64::MAX => (1 << 63) + 1,
            _ => nanos.wrapping_sub(self.now),
        }
    }
}

impl Write for Reader {
    fn write_str(&mut self, piece: &str) -> std::fmt::Result {
        if let Some(depth) = self.left_out {
            self.left_out = self.pass_over(depth, piece);
            return Ok(());
        }
        if TOLD.contains(&piece) {
            self.left_out = Some(0);
        }
        if self.in_instant {
            if let Ok(nanos) = piece.parse::<u64>() {
                self.print.add(self.relative(nanos));
                self.in_instant = false;
                return Ok(());
            }
        }
        if self.in_count && piece.parse::<u64>().is_ok() {
            self.in_count = false;
            return Ok(());
        }
        self.in_count |= COUNTS.contains(&piece);
        self.in_instant |= piece == "Instant";
        for bytes in piece.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            self.print
                .add(u64::from_le_bytes(word) ^ ((bytes.len() as u64) << 60));
        }
        Ok(())
    }
}
