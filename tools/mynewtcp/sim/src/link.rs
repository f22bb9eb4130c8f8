// SPDX-License-Identifier: GPL-2.0

//! One direction of a link: delay, jitter, loss, bursts of loss, reordering, duplication,
//! corruption, and a rate with a queue that overflows.

use std::rc::Rc;

use crate::rng::Rng;

/// A packet on its way: transport header and payload, checksum in place.
pub type Packet = Rc<[u8]>;

/// What a link does to packets. Chances are in thousandths, times in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quality {
    /// Time that each packet needs.
    pub delay: u64,
    /// Additional time, up to this, that does not change the order.
    pub jitter: u64,
    /// Chance of being lost.
    pub loss: u32,
    /// Chance that a burst of losses begins.
    pub burst: u32,
    /// Time that a burst lasts, at most.
    pub burst_len: u64,
    /// Chance of overtaking: being sent without jitter and queue, or long after.
    pub reorder: u32,
    /// Chance of arriving twice.
    pub duplicate: u32,
    /// Chance of arriving with an octet changed.
    pub corrupt: u32,
    /// Nanoseconds per octet, 0 for no limit.
    pub per_octet: u64,
    /// Time that a packet waits in the queue at most; later ones are dropped.
    pub queue: u64,
}

/// One direction of a link.
#[derive(Debug)]
pub struct Link {
    quality: Quality,
    rng: Rng,
    busy_until: u64,
    last_arrival: u64,
    burst_until: u64,
    /// From when on nothing arrives any more.
    cut_at: u64,
}

impl Link {
    /// A link of this quality that is cut at `cut_at`.
    pub fn new(quality: Quality, cut_at: u64, rng: Rng) -> Self {
        Self {
            quality,
            rng,
            busy_until: 0,
            last_arrival: 0,
            burst_until: 0,
            cut_at,
        }
    }

    /// Sends `packet` at `now`; returns what arrives when.
    pub fn send(&mut self, now: u64, packet: Packet) -> Vec<(u64, Packet)> {
        if now >= self.cut_at || self.is_lost(now) {
            return Vec::new();
        }
        let Some(leaves) = self.leaves(now, packet.len() as u64) else {
            return Vec::new();
        };
        let mut arrivals = vec![(self.arrives(leaves), self.maybe_corrupt(packet.clone()))];
        if self.rng.chance(self.quality.duplicate) {
            let again = leaves + self.rng.range(0, 2 * self.quality.delay + 1000);
            arrivals.push((again + self.quality.delay, packet));
        }
        arrivals
    }

    fn is_lost(&mut self, now: u64) -> bool {
        if now < self.burst_until {
            return true;
        }
        if self.rng.chance(self.quality.burst) {
            self.burst_until = now + self.rng.range(0, self.quality.burst_len);
            return true;
        }
        self.rng.chance(self.quality.loss)
    }

    fn leaves(&mut self, now: u64, len: u64) -> Option<u64> {
        let start = self.busy_until.max(now);
        if self.quality.per_octet > 0 && start - now > self.quality.queue {
            return None;
        }
        self.busy_until = start + (len + 20) * self.quality.per_octet;
        Some(self.busy_until)
    }

    fn arrives(&mut self, leaves: u64) -> u64 {
        if self.rng.chance(self.quality.reorder) {
            let late = self.rng.range(0, 2 * self.quality.delay + 1000);
            return leaves + self.quality.delay + late;
        }
        let jitter = self.rng.range(0, self.quality.jitter);
        let arrival = (leaves + self.quality.delay + jitter).max(self.last_arrival);
        self.last_arrival = arrival;
        arrival
    }

    fn maybe_corrupt(&mut self, packet: Packet) -> Packet {
        if !self.rng.chance(self.quality.corrupt) {
            return packet;
        }
        let mut bytes = packet.to_vec();
        let at = self.rng.range(0, bytes.len() as u64 - 1) as usize;
        bytes[at] ^= 1 << self.rng.range(0, 7);
        bytes.into()
    }
}
