// SPDX-License-Identifier: GPL-2.0

//! The shell of a simulated host: where its payload is kept.

use std::cell::Cell;
use std::collections::{
    BTreeMap,
    VecDeque, //
};
use std::rc::Rc;

use mynewtcp_engine::engine::buffer::{
    Chunk,
    Payload,
    ReceiveQueue,
    Refused,
    SendQueue,
    Shell,
    TxMeta, //
};
use mynewtcp_engine::engine::counters::Counter;
use mynewtcp_engine::engine::error::NoMemory;
use mynewtcp_engine::engine::seq::{
    SeqNum,
    SeqRange, //
};

use crate::journal::Journal;
use crate::rng::Rng;

/// Payload of a received segment: a part of the packet that it came in. While it lives, its memory
/// is charged to the store that has [taken it in](Store::take_in).
#[derive(Debug)]
pub struct Bytes {
    packet: Rc<[u8]>,
    start: usize,
    end: usize,
    /// Octets when it was taken in, and the account that they are charged to.
    charge: Option<(u64, Rc<Cell<u64>>)>,
}

impl Drop for Bytes {
    fn drop(&mut self) {
        if let Some((octets, account)) = &self.charge {
            account.set(account.get() - octets);
        }
    }
}

impl Bytes {
    /// The octets of `packet` from `start` on.
    pub fn new(packet: Rc<[u8]>, start: usize) -> Self {
        let end = packet.len();
        Self {
            packet,
            start,
            end,
            charge: None,
        }
    }

    fn charged(&self) -> u64 {
        self.charge.as_ref().map_or(0, |&(octets, _)| octets)
    }

    fn as_slice(&self) -> &[u8] {
        &self.packet[self.start..self.end]
    }
}

impl Payload for Bytes {
    fn len(&self) -> u32 {
        (self.end - self.start) as u32
    }

    fn trim_front(&mut self, n: u32) {
        self.start += n as usize;
        assert!(
            self.start <= self.end,
            "payload trimmed by more than it has"
        );
    }

    fn trim_back(&mut self, n: u32) {
        self.end -= n as usize;
        assert!(
            self.start <= self.end,
            "payload trimmed by more than it has"
        );
    }
}

/// The octets from `from` to `to` of a queue.
fn copied(queue: &VecDeque<u8>, from: usize, to: usize) -> Vec<u8> {
    let (head, tail) = queue.as_slices();
    let border = head.len();
    let mut octets = Vec::with_capacity(to - from);
    octets.extend_from_slice(&head[from.min(border)..to.min(border)]);
    octets.extend_from_slice(&tail[from.saturating_sub(border)..to.saturating_sub(border)]);
    octets
}

/// Turns sequence numbers into positions that do not wrap, near a known one.
#[derive(Clone, Copy, Debug)]
struct Position {
    seq: SeqNum,
    offset: i64,
}

impl Position {
    fn of(&self, seq: SeqNum) -> i64 {
        self.offset + i64::from(seq.raw().wrapping_sub(self.seq.raw()) as i32)
    }

    fn seq(&self, offset: i64) -> SeqNum {
        self.seq.plus((offset - self.offset) as u32)
    }
}

/// Failures that a host has on purpose, in thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub struct Failures {
    /// Of moving and splitting chunks.
    pub send_memory: u32,
    /// Of keeping received payload.
    pub receive_memory: u32,
    /// Of transmitting.
    pub transmit: u32,
    /// Memory is always short.
    pub pressure: bool,
    /// Octets that are kept out of order at most, counted as they arrived; 0 for no limit.
    pub limit: u32,
    /// When there begins to be no memory at all, and pressure.
    pub spell_from: u64,
    /// How long that lasts; 0 for never.
    pub spell_len: u64,
}

impl Failures {
    fn is_spell(&self, now: u64) -> bool {
        self.spell_len > 0 && now >= self.spell_from && now < self.spell_from + self.spell_len
    }
}

/// Something that is done wrong on purpose, to see that a check notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// One octet of each delivery is changed.
    WrongOctet,
    /// Octets that were acknowledged are freed, and their charge is kept.
    SendLeak,
    /// Pieces that are taken out of order keep a charge.
    ReceiveLeak,
    /// What the engine notes of sent chunks is forgotten.
    LostNotes,
    /// Segments that are sent offer no window, whatever was promised.
    WithdrawnWindow,
    /// Half of each window that arrives is kept from those who watch.
    HiddenWindow,
    /// Acknowledgments without data are those of a mebibyte before.
    OlderAcknowledgment,
    /// Deadlines are ignored.
    DeafToDeadlines,
}

/// Both queues of one connection, and its counters.
#[derive(Debug)]
pub struct Store {
    rng: Rng,
    failures: Failures,
    /// Octets queued and not released, from `sent_from` on.
    outgoing: VecDeque<u8>,
    /// Where the first octet of `outgoing` is.
    sent_from: Position,
    /// Lengths of the unsent chunks.
    unsent: VecDeque<u32>,
    /// The sent chunks by position: length and note.
    sent: BTreeMap<i64, (u32, TxMeta)>,
    /// Delivered and not read.
    unread: VecDeque<u8>,
    capacity: u32,
    /// Where the last delivery ended.
    delivered_to: Position,
    out_of_order: BTreeMap<i64, Bytes>,
    counters: [u64; Counter::COUNT],
    /// Octets of received payload that are charged and not yet uncharged.
    received: Rc<Cell<u64>>,
    /// The same for what is queued to send.
    queued: u64,
    /// The time in nanoseconds.
    pub now: u64,
    /// What is done wrong.
    pub sabotage: Option<Sabotage>,
    /// What is written down, if anybody wants it.
    pub journal: Option<Box<Journal>>,
}

impl Store {
    /// Empty queues for a connection that begins at `iss`, with a receive buffer of `capacity`.
    pub fn new(iss: SeqNum, capacity: u32, failures: Failures, rng: Rng) -> Self {
        let origin = |seq| Position { seq, offset: 0 };
        Self {
            rng,
            failures,
            outgoing: VecDeque::new(),
            sent_from: origin(iss.plus(1)),
            unsent: VecDeque::new(),
            sent: BTreeMap::new(),
            unread: VecDeque::new(),
            capacity,
            delivered_to: origin(SeqNum::new(0)),
            out_of_order: BTreeMap::new(),
            counters: [0; Counter::COUNT],
            received: Rc::new(Cell::new(0)),
            queued: 0,
            now: 0,
            sabotage: None,
            journal: None,
        }
    }

    /// Whether this is to be done wrong.
    pub fn sabotaged(&self, by: Sabotage) -> bool {
        self.sabotage == Some(by)
    }

    /// Writes down a step that is about to be taken.
    pub fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(journal) = &mut self.journal {
            let starved = self.failures.is_spell(self.now);
            journal.step(self.now, starved, &what());
        }
    }

    /// Writes down an answer.
    pub fn note_answer(&mut self, answer: impl FnOnce(&mut Journal)) {
        if let Some(journal) = &mut self.journal {
            answer(journal);
        }
    }

    /// Charges the memory of a payload that has just arrived.
    pub fn take_in(&self, mut bytes: Bytes) -> Bytes {
        let octets = u64::from(bytes.len());
        self.received.set(self.received.get() + octets);
        bytes.charge = Some((octets, Rc::clone(&self.received)));
        bytes
    }

    /// What is charged is what is held, and nobody else holds anything.
    pub fn check_memory(&self) -> Result<(), String> {
        let out_of_order: u64 = self.out_of_order.values().map(Bytes::charged).sum();
        let held = out_of_order + self.unread.len() as u64;
        let charged = self.received.get();
        if held != charged {
            return Err(format!("receive memory: {charged} charged, {held} held"));
        }
        let sent: u64 = self.sent.values().map(|&(len, _)| u64::from(len)).sum();
        let unsent: u64 = self.unsent.iter().map(|&len| u64::from(len)).sum();
        let charged = self.queued;
        if sent + unsent != charged || self.outgoing.len() as u64 != charged {
            let held = sent + unsent;
            return Err(format!("send memory: {charged} charged, {held} held"));
        }
        Ok(())
    }

    /// Whether an allocation fails: by chance, because of `reason`, or because there is no memory.
    fn fails(&mut self, chance: u32, reason: bool) -> bool {
        let starved = self.failures.is_spell(self.now);
        let refused = !starved && (reason || self.rng.chance(chance));
        self.note_answer(|journal| journal.allocation(refused));
        refused || starved
    }

    /// The peer's first octet will be `first`.
    pub fn expect(&mut self, first: SeqNum) {
        if self.delivered_to.offset == 0 {
            self.delivered_to.seq = first;
        }
    }

    /// Queues octets to send; the last chunk is filled up to `goal`.
    pub fn write(&mut self, octets: impl ExactSizeIterator<Item = u8>, goal: u32) {
        let mut len = octets.len() as u32;
        self.queued += u64::from(len);
        self.outgoing.extend(octets);
        while len > 0 {
            let room = self
                .unsent
                .back()
                .map_or(0, |last| goal.saturating_sub(*last));
            let part = if room > 0 {
                len.min(room)
            } else {
                len.min(goal)
            };
            match self.unsent.back_mut() {
                Some(last) if room > 0 => *last += part,
                _ => self.unsent.push_back(part),
            }
            len -= part;
        }
    }

    /// Octets queued, sent or not.
    pub fn queued(&self) -> u32 {
        self.outgoing.len() as u32
    }

    /// Takes up to `n` octets out of the receive queue.
    pub fn read(&mut self, n: usize) -> Vec<u8> {
        let n = n.min(self.unread.len());
        self.received.set(self.received.get() - n as u64);
        let octets = copied(&self.unread, 0, n);
        self.unread.drain(..n);
        octets
    }

    /// The payload of a transmission, which must lie within one sent chunk.
    pub fn payload(&self, range: SeqRange) -> Result<Vec<u8>, String> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let chunk = self
            .chunk_at(range.start())
            .ok_or("transmission of no chunk")?;
        if !chunk.range.covers(range) {
            return Err("transmission goes beyond its chunk".into());
        }
        let from = (self.sent_from.of(range.start()) - self.sent_from.offset) as usize;
        let to = from + range.len() as usize;
        Ok(copied(&self.outgoing, from, to))
    }

    /// Whether a transmission fails for want of memory.
    pub fn transmit_fails(&mut self) -> bool {
        self.rng.chance(self.failures.transmit)
    }

    /// What was counted.
    pub fn counter(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }

    /// Nothing is kept that a closed connection should have freed.
    pub fn out_of_order_len(&self) -> usize {
        self.out_of_order.len()
    }

    fn piece(&self, (&at, bytes): (&i64, &Bytes)) -> SeqRange {
        SeqRange::new(self.delivered_to.seq(at), bytes.len())
    }
}

impl SendQueue for Store {
    fn unsent_front(&self) -> u32 {
        self.unsent.front().copied().unwrap_or(0)
    }

    fn grow_unsent(&mut self, n: u32) {
        let &mut [first, second, ..] = self.unsent.make_contiguous() else {
            return;
        };
        let more = n.saturating_sub(first).min(second);
        self.unsent[0] += more;
        self.unsent[1] -= more;
        if more == second {
            self.unsent.remove(1);
        }
    }

    fn mark_sent(&mut self, range: SeqRange, meta: TxMeta) -> Result<(), NoMemory> {
        let front = self.unsent.front().expect("nothing is unsent");
        assert!(range.len() <= *front, "more than one chunk");
        // A whole chunk only moves.
        let chance = if range.len() < *front {
            self.failures.send_memory
        } else {
            0
        };
        if self.fails(chance, false) {
            return Err(NoMemory);
        }
        let front = self.unsent.front_mut().expect("nothing is unsent");
        *front -= range.len();
        if *front == 0 {
            self.unsent.pop_front();
        }
        let at = self.sent_from.of(range.start());
        self.sent.insert(at, (range.len(), meta));
        Ok(())
    }

    fn chunk_at(&self, seq: SeqNum) -> Option<Chunk> {
        let at = self.sent_from.of(seq);
        let (&start, &(len, meta)) = self.sent.range(..=at).next_back()?;
        let range = SeqRange::new(self.sent_from.seq(start), len);
        (at < start + i64::from(len)).then_some(Chunk { range, meta })
    }

    fn split_sent(&mut self, at: SeqNum) -> Result<(), NoMemory> {
        let Some(Chunk { range, meta }) = self.chunk_at(at) else {
            return Ok(());
        };
        if range.start() == at {
            return Ok(());
        }
        if self.fails(self.failures.send_memory, false) {
            return Err(NoMemory);
        }
        let head = at.distance_from(range.start());
        let start = self.sent_from.of(range.start());
        self.sent.insert(start, (head, meta));
        let tail = range.len() - head;
        self.sent.insert(start + i64::from(head), (tail, meta));
        Ok(())
    }

    fn set_meta(&mut self, start: SeqNum, meta: TxMeta) {
        let at = self.sent_from.of(start);
        if self.sabotaged(Sabotage::LostNotes) {
            return;
        }
        self.sent.get_mut(&at).expect("note for no chunk").1 = meta;
    }

    fn release(&mut self, upto: SeqNum) {
        let at = self.sent_from.of(upto);
        while let Some(first) = self.sent.first_entry() {
            let (start, (len, meta)) = (*first.key(), *first.get());
            if start >= at {
                break;
            }
            first.remove();
            let end = start + i64::from(len);
            if end > at {
                self.sent.insert(at, ((end - at) as u32, meta));
            }
        }
        let n = (at - self.sent_from.offset) as usize;
        if !self.sabotaged(Sabotage::SendLeak) {
            self.queued -= n as u64;
        }
        self.outgoing.drain(..n);
        self.sent_from = Position {
            seq: upto,
            offset: at,
        };
    }
}

impl ReceiveQueue for Store {
    type Payload = Bytes;

    fn deliver(&mut self, start: SeqNum, payload: Bytes) -> Result<(), Refused> {
        assert_eq!(start, self.delivered_to.seq, "delivery out of order");
        assert!(payload.len() > 0, "empty delivery");
        if self.fails(self.failures.receive_memory, false) {
            return Err(Refused);
        }
        self.unread.extend(payload.as_slice());
        if self.sabotaged(Sabotage::WrongOctet) {
            *self.unread.back_mut().expect("an octet") ^= 1;
        }
        let octets = u64::from(payload.len());
        self.received.set(self.received.get() + octets);
        self.delivered_to.seq = start.plus(payload.len());
        self.delivered_to.offset += i64::from(payload.len());
        Ok(())
    }

    fn unread(&self) -> u32 {
        self.unread.len() as u32
    }

    fn free_space(&self) -> u32 {
        self.capacity.saturating_sub(self.unread())
    }

    fn capacity(&self) -> u32 {
        self.capacity
    }

    fn ooo_first(&self) -> Option<SeqRange> {
        self.out_of_order
            .iter()
            .next()
            .map(|entry| self.piece(entry))
    }

    fn ooo_floor(&self, seq: SeqNum) -> Option<SeqRange> {
        let at = self.delivered_to.of(seq);
        let entry = self.out_of_order.range(..=at).next_back()?;
        Some(self.piece(entry))
    }

    fn ooo_ceiling(&self, seq: SeqNum) -> Option<SeqRange> {
        let at = self.delivered_to.of(seq);
        let entry = self.out_of_order.range(at..).next()?;
        Some(self.piece(entry))
    }

    fn ooo_insert(&mut self, start: SeqNum, payload: Bytes) -> Result<(), Refused> {
        let limit = u64::from(self.failures.limit);
        let is_full = limit > 0 && self.received.get() > limit + self.unread.len() as u64;
        if self.fails(self.failures.receive_memory, is_full) {
            return Err(Refused);
        }
        let at = self.delivered_to.of(start);
        let end = at + i64::from(payload.len());
        if let Some((&before, bytes)) = self.out_of_order.range(..end).next_back() {
            assert!(before + i64::from(bytes.len()) <= at, "pieces overlap");
        }
        self.out_of_order.insert(at, payload);
        Ok(())
    }

    fn ooo_remove(&mut self, start: SeqNum) -> Option<Bytes> {
        let at = self.delivered_to.of(start);
        if self.sabotaged(Sabotage::ReceiveLeak) {
            self.received.set(self.received.get() + 1);
        }
        self.out_of_order.remove(&at)
    }
}

impl Shell for Store {
    fn count(&mut self, counter: Counter, n: u32) {
        self.counters[counter as usize] += u64::from(n);
    }

    fn is_under_pressure(&self) -> bool {
        self.failures.pressure || self.failures.is_spell(self.now)
    }
}
