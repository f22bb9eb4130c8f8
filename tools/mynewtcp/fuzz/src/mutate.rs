// SPDX-License-Identifier: GPL-2.0

//! Mutations of inputs, from a seed.

/// Random numbers (xorshift64*).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number under `n`, which is not zero.
    pub fn below(&mut self, n: usize) -> usize {
        (self.draw() >> 33) as usize % n
    }
}

/// Octets that mean something more often than others.
const TELLING: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, 0x10, 0x40, 0x05];

/// A child of one or two of `inputs`.
pub fn child(inputs: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut input = inputs[rng.below(inputs.len())].clone();
    for _ in 0..=rng.below(6) {
        mutate(&mut input, inputs, rng);
    }
    input.truncate(600);
    input
}

fn mutate(input: &mut Vec<u8>, inputs: &[Vec<u8>], rng: &mut Rng) {
    let at = rng.below(input.len() + 1);
    match rng.below(7) {
        0 => input.insert(at, rng.draw() as u8),
        1 => input.insert(at, TELLING[rng.below(TELLING.len())]),
        2 if at < input.len() => input[at] ^= 1 << rng.below(8),
        3 if at < input.len() => input[at] = rng.draw() as u8,
        4 if at < input.len() => {
            input.remove(at);
        }
        5 => {
            let other = &inputs[rng.below(inputs.len())];
            let from = rng.below(other.len() + 1);
            let tail = other[from..].iter().take(40).copied();
            input.splice(at..at, tail);
        }
        _ => {
            let from = rng.below(input.len() + 1).min(at);
            let again: Vec<u8> = input[from..at].to_vec();
            input.extend(again);
        }
    }
}
