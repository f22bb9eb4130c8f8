// SPDX-License-Identifier: GPL-2.0

//! Random numbers that are the same for the same seed on every machine.

/// A small generator (xorshift64*).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator that depends on `seed` and on what it is `for_what`.
    pub fn new(seed: u64, for_what: u64) -> Self {
        let mut rng = Self(mix(seed.wrapping_add(mix(for_what))) | 1);
        rng.draw();
        rng
    }

    /// Any number.
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number from `low` up to and including `high`.
    pub fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.draw() % (high - low + 1)
    }

    /// A number from `low` to `high` of which the small ones are as frequent as the large ones,
    /// octave by octave.
    pub fn octaves(&mut self, low: u64, high: u64) -> u64 {
        let octaves = u64::from(64 - high.leading_zeros());
        let bits = self.range(0, octaves);
        let top = if bits >= 64 {
            u64::MAX
        } else {
            (1 << bits) - 1
        };
        (self.draw() & top).clamp(low, high)
    }

    /// True in `per_mille` of a thousand cases.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.draw() % 1000 < u64::from(per_mille)
    }

    /// One of `choices`.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[(self.draw() % choices.len() as u64) as usize]
    }
}

/// Scatters a number over all 64 bits.
pub fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The octet at `offset` of the stream `stream`: what a writer writes, and a reader checks.
pub fn stream_octet(stream: u64, offset: u64) -> u8 {
    let word = mix(stream ^ (offset >> 3));
    (word >> ((offset & 7) * 8)) as u8
}

/// The `n` octets from `offset` on of the stream `stream`.
pub fn stream_octets(stream: u64, offset: u64, n: usize) -> Vec<u8> {
    let first = offset >> 3;
    let skip = (offset & 7) as usize;
    let words = (skip + n).div_ceil(8) as u64;
    let mut octets = Vec::with_capacity(words as usize * 8);
    for word in first..first + words {
        octets.extend_from_slice(&mix(stream ^ word).to_le_bytes());
    }
    octets.truncate(skip + n);
    octets.drain(..skip);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_its_octets() {
        for (offset, n) in [(0, 16), (3, 1), (5, 40), (7, 9), (1 << 33, 0)] {
            let one_by_one = (0..n).map(|i| stream_octet(9, offset + i));
            let octets: Vec<u8> = one_by_one.collect();
            assert_eq!(stream_octets(9, offset, n as usize), octets);
        }
    }
}
