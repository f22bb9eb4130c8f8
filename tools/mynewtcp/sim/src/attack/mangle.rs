// SPDX-License-Identifier: GPL-2.0

//! Rewrites what a malicious peer sends.

use mynewtcp_engine::engine::seq::SeqNum;
use mynewtcp_engine::engine::wire::Segment;

use crate::attack::Attack;
use crate::host::Host;
use crate::packet::Packet;
use crate::rng::Rng;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;
/// Octets of the longest header.
const HEADER_MAX: usize = 60;

/// A header and a payload that can be changed.
#[derive(Clone, Debug)]
struct Draft {
    header: Vec<u8>,
    payload: Vec<u8>,
}

impl Draft {
    fn of(packet: &Packet) -> Self {
        let at = packet.bytes.len() - packet.payload_len();
        let (header, payload) = packet.bytes.split_at(at);
        Self {
            header: header.to_vec(),
            payload: payload.to_vec(),
        }
    }

    fn flags(&self) -> u8 {
        self.header[13]
    }

    fn number(&self, at: usize) -> SeqNum {
        let octets = [0, 1, 2, 3].map(|i| self.header[at + i]);
        SeqNum::new(u32::from_be_bytes(octets))
    }

    fn set_number(&mut self, at: usize, number: SeqNum) {
        self.header[at..at + 4].copy_from_slice(&number.raw().to_be_bytes());
    }

    fn ack(&self) -> SeqNum {
        self.number(8)
    }

    fn set_ack(&mut self, ack: SeqNum) {
        self.set_number(8, ack);
    }

    fn window(&self) -> u16 {
        u16::from_be_bytes([self.header[14], self.header[15]])
    }

    fn set_window(&mut self, window: u16) {
        self.header[14..16].copy_from_slice(&window.to_be_bytes());
    }

    /// Adds an option if there is room for it.
    fn add_option(&mut self, octets: &[u8]) {
        let len = (self.header.len() + octets.len()).next_multiple_of(4);
        if len > HEADER_MAX {
            return;
        }
        self.header.extend_from_slice(octets);
        // Padding of no-operations, so that nothing ends the list.
        self.header.resize(len, 1);
        self.header[12] = (len as u8 / 4) << 4;
    }

    /// The octets from `from` to `to` of the payload as a segment of their own.
    fn piece(&self, from: usize, to: usize) -> Self {
        let mut piece = Self {
            header: self.header.clone(),
            payload: self.payload[from..to].to_vec(),
        };
        piece.set_number(4, self.number(4).plus(from as u32));
        if to < self.payload.len() {
            piece.header[13] &= !(FIN | PSH);
        }
        piece
    }

    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.header;
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}

/// Sits between a malicious host and its link.
#[derive(Debug)]
pub struct Mangler {
    attack: Attack,
    rng: Rng,
    /// The furthest octet of the victim that has come by.
    seen: Option<SeqNum>,
    /// The last acknowledgment that went out.
    acked: Option<SeqNum>,
}

impl Mangler {
    /// One that does as `attack` says.
    pub fn new(attack: Attack, rng: Rng) -> Self {
        Self {
            attack,
            rng,
            seen: None,
            acked: None,
        }
    }

    /// A packet from the victim comes by.
    pub fn observe(&mut self, packet: &Packet) {
        let Ok(segment) = Segment::parse(&packet.bytes, packet.bytes.len() as u32) else {
            return;
        };
        let end = segment.end();
        self.seen = Some(self.seen.map_or(end, |seen| seen.latest(end)));
    }

    /// What goes out in place of `packet`, which `host` sends at `now`.
    pub fn mangle(&mut self, now: u64, host: &Host, packet: Packet) -> Vec<Packet> {
        let draft = Draft::of(&packet);
        if draft.flags() & (SYN | RST) != 0 || draft.flags() & ACK == 0 {
            return vec![packet];
        }
        let drafts = match self.attack {
            Attack::Tiny(size) => tiny(draft, usize::from(size.max(2))),
            Attack::AckDivision(parts) => self.divide(draft, u32::from(parts.max(1))),
            Attack::OptimisticAck => vec![self.optimistic(draft)],
            Attack::SackLies => vec![self.lie(draft)],
            Attack::ShrinkingWindow => vec![self.shrink(draft)],
            Attack::ZeroWindow(from) => vec![close(draft, now >= from)],
            Attack::OptionGarbage => vec![self.litter(draft)],
            Attack::Echo(times) => vec![draft; usize::from(times).max(1)],
        };
        let seal = |draft: Draft| Packet {
            ecn: packet.ecn,
            ..host.seal(draft.into_bytes())
        };
        drafts.into_iter().map(seal).collect()
    }

    fn divide(&mut self, draft: Draft, parts: u32) -> Vec<Draft> {
        let ack = draft.ack();
        let from = self.acked.replace(ack).unwrap_or(ack);
        let step = (ack.saturating_distance_from(from) / parts).max(1);
        let mut drafts = Vec::new();
        let mut at = from.plus(step);
        while at.before(ack) {
            let mut part = draft.piece(0, 0);
            part.set_ack(at);
            drafts.push(part);
            at = at.plus(step);
        }
        drafts.push(draft);
        drafts
    }

    fn optimistic(&mut self, mut draft: Draft) -> Draft {
        let Some(seen) = self.seen else {
            return draft;
        };
        // Now and then it is more than that: a guess.
        let guess = if self.rng.chance(300) {
            self.rng.range(0, 20_000) as u32
        } else {
            0
        };
        draft.set_ack(draft.ack().latest(seen.plus(guess)));
        draft
    }

    fn lie(&mut self, mut draft: Draft) -> Draft {
        let ack = draft.ack();
        let ahead = self
            .seen
            .map_or(0, |seen| seen.saturating_distance_from(ack));
        let mut option = vec![1, 1, 5, 10];
        let from = self.rng.range(0, u64::from(ahead) + 3000) as u32;
        let len = self.rng.octaves(1, 100_000) as u32;
        let start = ack
            .plus(from)
            .minus(if self.rng.chance(100) { 5000 } else { 0 });
        option.extend_from_slice(&start.raw().to_be_bytes());
        option.extend_from_slice(&start.plus(len).raw().to_be_bytes());
        if self.rng.chance(700) {
            draft.add_option(&option);
        }
        draft
    }

    fn shrink(&mut self, mut draft: Draft) -> Draft {
        let window = self.rng.range(0, u64::from(draft.window()));
        draft.set_window(window as u16);
        draft
    }

    fn litter(&mut self, mut draft: Draft) -> Draft {
        let kind = self.rng.pick(&[6, 9, 14, 19, 30, 69, 253, 254]);
        let len = self.rng.range(2, 12) as usize;
        let mut option: Vec<u8> = (0..len).map(|_| self.rng.draw() as u8).collect();
        option[0] = kind;
        // Some say that they are longer than the header, or that they are nothing.
        option[1] = if self.rng.chance(300) {
            self.rng.pick(&[0, 1, 40, 255])
        } else {
            len as u8
        };
        draft.add_option(&option);
        draft
    }
}

/// Pieces of `size` octets, each beginning in the middle of the one before, last one first.
fn tiny(draft: Draft, size: usize) -> Vec<Draft> {
    let len = draft.payload.len();
    if len <= size {
        return vec![draft];
    }
    let starts = (0..len).step_by(size / 2);
    let pieces = starts.map(|from| draft.piece(from, (from + size).min(len)));
    let mut pieces: Vec<Draft> = pieces.collect();
    pieces.reverse();
    pieces
}

fn close(mut draft: Draft, closed: bool) -> Draft {
    if closed {
        draft.set_window(0);
    }
    draft
}
