// SPDX-License-Identifier: GPL-2.0

//! The queues of one host. The octet of a stream is its place in it, so that a payload needs no
//! more than its range; and every queue is checked whenever it is used.

use crate::engine::buffer::{
    Chunk,
    Payload,
    ReceiveQueue,
    Refused,
    SendQueue,
    Shell,
    TxMeta, //
};
use crate::engine::counters::Counter;
use crate::engine::error::NoMemory;
use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};

/// A payload: the octets that the peer sent under these numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece(pub SeqRange);

impl Payload for Piece {
    fn len(&self) -> u32 {
        self.0.len()
    }

    fn trim_front(&mut self, n: u32) {
        self.0 = SeqRange::new(self.0.start().plus(n), self.0.len() - n);
    }

    fn trim_back(&mut self, n: u32) {
        self.0 = SeqRange::new(self.0.start(), self.0.len() - n);
    }
}

/// Both queues.
#[derive(Clone, Debug)]
pub struct Store {
    unsent: Vec<u32>,
    sent: Vec<Chunk>,
    /// Kept out of order: where it is kept, and what it really is.
    kept: Vec<(SeqNum, Piece)>,
    capacity: u32,
    /// Octets delivered in all.
    pub delivered: u32,
    /// Octets read in all.
    pub read: u32,
    /// Where the next delivery must begin.
    next: Option<SeqNum>,
    /// Nothing can be stored.
    pub no_memory: bool,
    /// Memory is short.
    pub pressure: bool,
    /// What went wrong, if something did.
    pub wrong: Option<&'static str>,
}

impl Store {
    /// Empty queues and a receive buffer of `capacity` octets.
    pub fn new(capacity: u32) -> Self {
        Self {
            unsent: Vec::new(),
            sent: Vec::new(),
            kept: Vec::new(),
            capacity,
            delivered: 0,
            read: 0,
            next: None,
            no_memory: false,
            pressure: false,
            wrong: None,
        }
    }

    /// The peer's stream begins at `first`.
    pub fn expect(&mut self, first: SeqNum) {
        if self.delivered == 0 {
            self.next = Some(first);
        }
    }

    /// The user has queued `n` octets.
    pub fn write(&mut self, n: u32, size_goal: u32) {
        match self.unsent.last_mut() {
            Some(last) if *last + n <= size_goal => *last += n,
            Some(_) | None => self.unsent.push(n),
        }
    }

    /// Nothing is left in any queue.
    pub fn is_empty(&self) -> bool {
        self.unsent.is_empty() && self.sent.is_empty() && self.kept.is_empty()
    }

    fn blame(&mut self, what: &'static str) {
        self.wrong.get_or_insert(what);
    }

    fn index_of(&self, seq: SeqNum) -> Option<usize> {
        self.sent.iter().position(|chunk| chunk.range.contains(seq))
    }

    fn kept_range(&(start, piece): &(SeqNum, Piece)) -> SeqRange {
        SeqRange::new(start, piece.len())
    }
}

impl SendQueue for Store {
    fn unsent_front(&self) -> u32 {
        self.unsent.first().copied().unwrap_or(0)
    }

    fn mark_sent(&mut self, range: SeqRange, meta: TxMeta) -> Result<(), NoMemory> {
        let contiguous = self
            .sent
            .last()
            .is_none_or(|last| last.range.end() == range.start());
        if !contiguous || range.len() > self.unsent_front() || range.is_empty() {
            self.blame("the engine sends what is not next in the queue");
        }
        if self.no_memory {
            return Err(NoMemory);
        }
        self.unsent[0] -= range.len();
        if self.unsent[0] == 0 {
            self.unsent.remove(0);
        }
        self.sent.push(Chunk { range, meta });
        Ok(())
    }

    fn chunk_at(&self, seq: SeqNum) -> Option<Chunk> {
        Some(self.sent[self.index_of(seq)?])
    }

    fn split_sent(&mut self, at: SeqNum) -> Result<(), NoMemory> {
        if let Some(index) = self.index_of(at) {
            let Chunk { range, meta } = self.sent[index];
            let head = at.distance_from(range.start());
            if head > 0 && self.no_memory {
                return Err(NoMemory);
            }
            if head > 0 {
                let tail = SeqRange::new(at, range.len() - head);
                self.sent[index].range = SeqRange::new(range.start(), head);
                self.sent.insert(index + 1, Chunk { range: tail, meta });
            }
        }
        Ok(())
    }

    fn set_meta(&mut self, start: SeqNum, meta: TxMeta) {
        match self.sent.iter_mut().find(|c| c.range.start() == start) {
            Some(chunk) => chunk.meta = meta,
            None => self.blame("the engine marks a chunk that is not there"),
        }
    }

    fn release(&mut self, upto: SeqNum) {
        self.sent.retain(|chunk| chunk.range.end().after(upto));
        if let Some(first) = self.sent.first_mut() {
            let start = first.range.start().latest(upto);
            first.range = SeqRange::new(start, first.range.end().distance_from(start));
        }
    }
}

impl ReceiveQueue for Store {
    type Payload = Piece;

    fn deliver(&mut self, start: SeqNum, payload: Piece) -> Result<(), Refused> {
        if payload.is_empty() {
            self.blame("nothing was delivered");
        }
        if payload.0.start() != start {
            self.blame("octets were delivered in the place of others");
        }
        if self.no_memory {
            return Err(Refused);
        }
        if self.next != Some(start) {
            self.blame("the stream was delivered with a gap or twice");
        }
        self.next = Some(start.plus(payload.len()));
        self.delivered += payload.len();
        Ok(())
    }

    fn unread(&self) -> u32 {
        self.delivered - self.read
    }

    fn free_space(&self) -> u32 {
        self.capacity.saturating_sub(self.unread())
    }

    fn capacity(&self) -> u32 {
        self.capacity
    }

    fn ooo_first(&self) -> Option<SeqRange> {
        self.kept.first().map(Self::kept_range)
    }

    fn ooo_floor(&self, seq: SeqNum) -> Option<SeqRange> {
        let floor = self.kept.iter().rev();
        floor
            .map(Self::kept_range)
            .find(|range| range.start().before_or_eq(seq))
    }

    fn ooo_ceiling(&self, seq: SeqNum) -> Option<SeqRange> {
        let ceiling = self.kept.iter();
        ceiling
            .map(Self::kept_range)
            .find(|range| range.start().after_or_eq(seq))
    }

    fn ooo_insert(&mut self, start: SeqNum, payload: Piece) -> Result<(), Refused> {
        if payload.0.start() != start || payload.is_empty() {
            self.blame("octets are kept in the place of others");
        }
        if self.no_memory {
            return Err(Refused);
        }
        let at = self.kept.iter().position(|(other, _)| other.after(start));
        self.kept
            .insert(at.unwrap_or(self.kept.len()), (start, payload));
        let overlap = self
            .kept
            .windows(2)
            .any(|two| Self::kept_range(&two[0]).end().after(two[1].0));
        if overlap {
            self.blame("pieces kept out of order overlap");
        }
        Ok(())
    }

    fn ooo_remove(&mut self, start: SeqNum) -> Option<Piece> {
        let at = self.kept.iter().position(|(other, _)| *other == start)?;
        Some(self.kept.remove(at).1)
    }
}

impl Shell for Store {
    fn count(&mut self, _counter: Counter, _n: u32) {}

    fn is_under_pressure(&self) -> bool {
        self.pressure
    }
}
