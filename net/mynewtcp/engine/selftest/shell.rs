// SPDX-License-Identifier: GPL-2.0

//! Queues of a fixed size. The octet at sequence number n is n: a payload is its place.

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

/// Pieces in each queue, at most, unless more are asked for.
const PIECES: usize = 16;

/// A payload: where its octets belong.
#[derive(Clone, Copy, Debug)]
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

/// A few pieces in the order of their sequence numbers.
#[derive(Clone, Copy, Debug)]
struct Pieces<T: Copy, const N: usize> {
    slots: [Option<(SeqRange, T)>; N],
}

impl<T: Copy, const N: usize> Pieces<T, N> {
    const fn new() -> Self {
        Self { slots: [None; N] }
    }

    fn iter(&self) -> impl Iterator<Item = (SeqRange, T)> + '_ {
        self.slots.iter().copied().flatten()
    }

    fn insert(&mut self, range: SeqRange, value: T) -> Result<(), NoMemory> {
        let free = self.slots.iter_mut().find(|slot| slot.is_none());
        *free.ok_or(NoMemory)? = Some((range, value));
        Ok(())
    }

    fn slot(&mut self, start: SeqNum) -> Option<&mut Option<(SeqRange, T)>> {
        self.slots
            .iter_mut()
            .find(|slot| slot.is_some_and(|(range, _)| range.start() == start))
    }

    fn first(&self, wanted: impl Fn(SeqRange) -> bool) -> Option<SeqRange> {
        let better = |best: Option<SeqRange>, (range, _): (SeqRange, T)| match best {
            Some(best) if best.start().before(range.start()) => Some(best),
            Some(_) | None => Some(range),
        };
        self.iter()
            .filter(|(range, _)| wanted(*range))
            .fold(None, better)
    }

    fn last(&self, wanted: impl Fn(SeqRange) -> bool) -> Option<SeqRange> {
        let better = |best: Option<SeqRange>, (range, _): (SeqRange, T)| match best {
            Some(best) if best.start().after(range.start()) => Some(best),
            Some(_) | None => Some(range),
        };
        self.iter()
            .filter(|(range, _)| wanted(*range))
            .fold(None, better)
    }
}

/// Both queues of one end.
#[derive(Debug)]
pub struct FixedShell<const N: usize = PIECES> {
    unsent: [u32; N],
    sent: Pieces<TxMeta, N>,
    out_of_order: Pieces<(), N>,
    /// Octets delivered in all.
    pub delivered: u32,
    /// Octets read in all.
    pub read: u32,
    /// Where the next delivery must begin, once something was delivered.
    next: Option<SeqNum>,
    /// The receive buffer.
    pub capacity: u32,
    /// Something was delivered that is not what it should be.
    pub is_corrupt: bool,
    /// Nothing can be allocated.
    pub out_of_memory: bool,
    /// Memory is short.
    pub pressure: bool,
    /// Which of the next allocations fail: the first one is bit 0.
    pub refusals: u64,
}

impl<const N: usize> FixedShell<N> {
    /// Empty queues with a receive buffer of `capacity`.
    pub const fn new(capacity: u32) -> Self {
        Self {
            unsent: [0; N],
            sent: Pieces::new(),
            out_of_order: Pieces::new(),
            delivered: 0,
            read: 0,
            next: None,
            capacity,
            is_corrupt: false,
            out_of_memory: false,
            pressure: false,
            refusals: 0,
        }
    }

    /// Whether this allocation fails.
    fn refuses(&mut self) -> bool {
        let refused = self.refusals & 1 != 0;
        self.refusals >>= 1;
        refused || self.out_of_memory
    }

    /// Queues `n` octets, and fills the last chunk up to `goal` before it begins another.
    pub fn fill(&mut self, mut n: u32, goal: u32) {
        let used = self.unsent.iter().take_while(|len| **len > 0).count();
        let from = used.saturating_sub(1);
        for slot in self.unsent.iter_mut().skip(from) {
            let part = n.min(goal.saturating_sub(*slot));
            *slot += part;
            n -= part;
        }
        // What there is no room for is not queued; the script will fail.
        self.is_corrupt |= n > 0;
    }

    /// Queues `n` octets in a chunk of their own.
    pub fn write(&mut self, n: u32) {
        if let Some(slot) = self.unsent.iter_mut().find(|slot| **slot == 0) {
            *slot = n;
        }
    }

    /// Pieces kept out of order.
    pub fn out_of_order_len(&self) -> usize {
        self.out_of_order.iter().count()
    }

    /// Chunks sent and not acknowledged.
    pub fn sent_len(&self) -> usize {
        self.sent.iter().count()
    }
}

impl<const N: usize> SendQueue for FixedShell<N> {
    fn unsent_front(&self) -> u32 {
        self.unsent.first().copied().unwrap_or(0)
    }

    fn mark_sent(&mut self, range: SeqRange, meta: TxMeta) -> Result<(), NoMemory> {
        if self.refuses() {
            return Err(NoMemory);
        }
        self.sent.insert(range, meta)?;
        if let Some(front) = self.unsent.first_mut() {
            *front -= range.len();
            if *front == 0 {
                self.unsent.rotate_left(1);
            }
        }
        Ok(())
    }

    fn chunk_at(&self, seq: SeqNum) -> Option<Chunk> {
        let (range, meta) = self.sent.iter().find(|(range, _)| range.contains(seq))?;
        Some(Chunk { range, meta })
    }

    fn split_sent(&mut self, at: SeqNum) -> Result<(), NoMemory> {
        let Some(Chunk { range, meta }) = self.chunk_at(at) else {
            return Ok(());
        };
        if range.start() == at {
            return Ok(());
        }
        if self.refuses() {
            return Err(NoMemory);
        }
        let head = at.distance_from(range.start());
        self.sent
            .insert(SeqRange::new(at, range.len() - head), meta)?;
        if let Some(slot) = self.sent.slot(range.start()) {
            *slot = Some((SeqRange::new(range.start(), head), meta));
        }
        Ok(())
    }

    fn set_meta(&mut self, start: SeqNum, meta: TxMeta) {
        if let Some(Some((_, note))) = self.sent.slot(start) {
            *note = meta;
        }
    }

    fn release(&mut self, upto: SeqNum) {
        for slot in &mut self.sent.slots {
            if let Some((range, meta)) = *slot {
                let rest = SeqRange::between(range.start().latest(upto), range.end());
                *slot = rest
                    .filter(|rest| !rest.is_empty())
                    .map(|rest| (rest, meta));
            }
        }
    }
}

impl<const N: usize> ReceiveQueue for FixedShell<N> {
    type Payload = Piece;

    fn deliver(&mut self, start: SeqNum, payload: Piece) -> Result<(), Refused> {
        if self.refuses() {
            return Err(Refused);
        }
        let in_order = self.next.is_none_or(|next| next == start);
        self.is_corrupt |= payload.0.start() != start || !in_order || payload.is_empty();
        self.delivered += payload.len();
        self.next = Some(start.plus(payload.len()));
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
        self.out_of_order.first(|_| true)
    }

    fn ooo_floor(&self, seq: SeqNum) -> Option<SeqRange> {
        self.out_of_order
            .last(|range| range.start().before_or_eq(seq))
    }

    fn ooo_ceiling(&self, seq: SeqNum) -> Option<SeqRange> {
        self.out_of_order
            .first(|range| range.start().after_or_eq(seq))
    }

    fn ooo_insert(&mut self, start: SeqNum, payload: Piece) -> Result<(), Refused> {
        self.is_corrupt |= payload.0.start() != start || payload.is_empty();
        if self.refuses() {
            return Err(Refused);
        }
        self.out_of_order
            .insert(payload.0, ())
            .map_err(|NoMemory| Refused)
    }

    fn ooo_remove(&mut self, start: SeqNum) -> Option<Piece> {
        let (range, ()) = self.out_of_order.slot(start)?.take()?;
        Some(Piece(range))
    }
}

impl<const N: usize> Shell for FixedShell<N> {
    fn count(&mut self, _counter: Counter, _n: u32) {}

    fn is_under_pressure(&self) -> bool {
        self.pressure || self.out_of_memory
    }
}
