// SPDX-License-Identifier: GPL-2.0

//! One direction of a link: delay, jitter, loss (at random, in bursts, of chosen packets),
//! reordering, duplication, corruption, a rate with a queue that marks and overflows, an MTU, times
//! when there is no way through, and times when everything takes longer.

use mynewtcp_engine::engine::error::IcmpError;
use mynewtcp_engine::engine::wire::Ecn;

use crate::packet::{
    Icmp,
    Packet, //
};
use crate::rng::Rng;

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
    /// Waiting time beyond which packets that allow it are marked; 0 for never.
    pub mark: u64,
    /// Longest packet with its IP header, from `mtu_at` on; 0 for no limit.
    pub mtu: u16,
    /// When the MTU begins to apply.
    pub mtu_at: u64,
    /// Packets that are too long vanish without a word.
    pub black_hole: bool,
    /// When there is no way through.
    pub outage: Outage,
    /// When everything takes longer.
    pub spike: Spike,
}

/// A time when nothing passes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outage {
    /// When it begins.
    pub from: u64,
    /// How long it is; 0 for none.
    pub len: u64,
    /// What the router says of it, if anything.
    pub icmp: Option<IcmpError>,
}

/// A time when everything takes longer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spike {
    /// When it begins.
    pub from: u64,
    /// How long it is; 0 for none.
    pub len: u64,
    /// Additional time that packets need which leave the queue then.
    pub extra: u64,
    /// Later packets overtake them; otherwise they wait for them.
    pub overtaken: bool,
}

impl Spike {
    fn meets(&self, at: u64) -> bool {
        at >= self.from && at - self.from < self.len
    }
}

/// What became of a packet.
#[derive(Debug, Default)]
pub struct Fate {
    /// What arrives when.
    pub arrivals: Vec<(u64, Packet)>,
    /// What the sender is told when.
    pub icmp: Option<(u64, Icmp)>,
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
    /// Which of the packets with payload are lost, counted from 0, in order.
    drops: Vec<u64>,
    data_packets: u64,
    /// Packets dropped by the queue.
    pub overflowed: u64,
    /// Packets marked by the queue.
    pub marked: u64,
    /// Longest time that a packet has waited in the queue.
    pub longest_wait: u64,
}

impl Link {
    /// A link of this quality that is cut at `cut_at` and loses the packets with payload that
    /// `drops` counts.
    pub fn new(quality: Quality, cut_at: u64, drops: Vec<u64>, rng: Rng) -> Self {
        Self {
            quality,
            rng,
            busy_until: 0,
            last_arrival: 0,
            burst_until: 0,
            cut_at,
            drops,
            data_packets: 0,
            overflowed: 0,
            marked: 0,
            longest_wait: 0,
        }
    }

    /// Sends `packet` at `now`.
    pub fn send(&mut self, now: u64, mut packet: Packet) -> Fate {
        if now >= self.cut_at || self.is_chosen(&packet) || self.is_lost(now) {
            return Fate::default();
        }
        if let Some(fate) = self.refuse(now, &packet) {
            return fate;
        }
        let Some(leaves) = self.queue(now, &mut packet) else {
            return Fate::default();
        };
        let mut arrivals = vec![(self.arrives(leaves), self.maybe_corrupt(packet.clone()))];
        if self.rng.chance(self.quality.duplicate) {
            let again = leaves + self.rng.range(0, 2 * self.quality.delay + 1000);
            arrivals.push((again + self.quality.delay, packet));
        }
        Fate {
            arrivals,
            icmp: None,
        }
    }

    fn is_chosen(&mut self, packet: &Packet) -> bool {
        if self.drops.is_empty() || packet.payload_len() == 0 {
            return false;
        }
        self.data_packets += 1;
        self.drops.binary_search(&(self.data_packets - 1)).is_ok()
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

    /// The router has a reason not to pass it on, and may say so.
    fn refuse(&mut self, now: u64, packet: &Packet) -> Option<Fate> {
        let Quality { mtu, outage, .. } = self.quality;
        let word = if outage.len > 0 && now >= outage.from && now < outage.from + outage.len {
            // A SYN that is answered this way fails the attempt, and that is right.
            outage.icmp.filter(|_| !packet.is_syn()).map(Icmp::Error)
        } else if mtu > 0 && now >= self.quality.mtu_at && packet.len() > u64::from(mtu) {
            (!self.quality.black_hole).then_some(Icmp::TooBig(mtu))
        } else {
            return None;
        };
        Some(Fate {
            arrivals: Vec::new(),
            icmp: word.map(|word| (now + self.quality.delay, word)),
        })
    }

    /// When it leaves the queue, if it gets in; marked if it has to wait long.
    fn queue(&mut self, now: u64, packet: &mut Packet) -> Option<u64> {
        let start = self.busy_until.max(now);
        let wait = start - now;
        if self.quality.per_octet > 0 && wait > self.quality.queue {
            self.overflowed += 1;
            return None;
        }
        self.longest_wait = self.longest_wait.max(wait);
        if self.quality.mark > 0 && wait > self.quality.mark && packet.ecn.is_capable() {
            self.marked += u64::from(packet.ecn != Ecn::Ce);
            packet.ecn = Ecn::Ce;
        }
        self.busy_until = start + packet.len() * self.quality.per_octet;
        Some(self.busy_until)
    }

    fn arrives(&mut self, leaves: u64) -> u64 {
        if self.rng.chance(self.quality.reorder) {
            let late = self.rng.range(0, 2 * self.quality.delay + 1000);
            return leaves + self.quality.delay + late;
        }
        let jitter = self.rng.range(0, self.quality.jitter);
        let Quality { delay, spike, .. } = self.quality;
        let extra = if spike.meets(leaves) { spike.extra } else { 0 };
        let arrival = (leaves + delay + jitter + extra).max(self.last_arrival);
        if extra > 0 && spike.overtaken {
            return arrival;
        }
        self.last_arrival = arrival;
        arrival
    }

    fn maybe_corrupt(&mut self, packet: Packet) -> Packet {
        if !self.rng.chance(self.quality.corrupt) {
            return packet;
        }
        let mut bytes = packet.bytes.to_vec();
        let at = self.rng.range(0, bytes.len() as u64 - 1) as usize;
        bytes[at] ^= 1 << self.rng.range(0, 7);
        Packet {
            bytes: bytes.into(),
            ..packet
        }
    }
}
