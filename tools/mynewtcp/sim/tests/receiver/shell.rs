// SPDX-License-Identifier: GPL-2.0

//! A receiver's shell that knows what memory costs: every piece has a price of its own, as an skb
//! has, whatever it holds.

use std::cell::Cell;
use std::collections::BTreeMap;

use mynewtcp_engine::engine::buffer::{
    Chunk,
    Payload,
    ReceiveQueue,
    Refused,
    SendQueue,
    Shell,
    Shortage,
    TxMeta, //
};
use mynewtcp_engine::engine::counters::Counter;
use mynewtcp_engine::engine::error::NoMemory;
use mynewtcp_engine::engine::seq::{
    SeqNum,
    SeqRange, //
};

/// Octets that a merged buffer holds and what it costs.
const PAGE: (u32, u32) = (3776, 4352);
/// What a reader gets although the pool is empty.
pub(crate) const PROMISED: u32 = 8192;

/// A payload: its place and its price.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    range: SeqRange,
    cost: u32,
    segments: u32,
}

impl Piece {
    /// The octets of `range`, for `cost`, of so many segments.
    pub(crate) fn new(range: SeqRange, cost: u32, segments: u32) -> Self {
        Self {
            range,
            cost,
            segments,
        }
    }
}

impl Payload for Piece {
    fn len(&self) -> u32 {
        self.range.len()
    }

    fn trim_front(&mut self, n: u32) {
        self.range = SeqRange::new(self.range.start().plus(n), self.range.len() - n);
    }

    fn trim_back(&mut self, n: u32) {
        self.range = SeqRange::new(self.range.start(), self.range.len() - n);
    }

    fn cost(&self) -> u32 {
        self.cost
    }

    fn segments(&self) -> u32 {
        self.segments
    }
}

/// The queues of a receiver that sends nothing.
#[derive(Debug)]
pub(crate) struct Costly {
    /// The first octet of all: what the keys of `out_of_order` count from.
    origin: SeqNum,
    /// Delivered and not read: octets, and memory.
    unread: (u32, u32),
    /// How many of these octets are in small buffers.
    scattered: u32,
    out_of_order: BTreeMap<u32, Piece>,
    out_of_order_cost: u32,
    /// The receive buffer.
    pub(crate) capacity: u32,
    /// What it may grow to.
    pub(crate) limit: u32,
    /// Memory that the protocol has left for us, pieces that are kept included.
    pub(crate) pool: u32,
    /// Memory of the protocol is short.
    pub(crate) pressure: bool,
    /// The most memory that was ever in use.
    pub(crate) peak: u32,
    /// Operations on the store, each of which is O(log n), and merged buffers.
    pub(crate) work: Cell<u64>,
    counters: [u64; Counter::COUNT],
}

impl Costly {
    /// Empty queues for a peer whose first octet is `origin`.
    pub(crate) fn new(origin: SeqNum, capacity: u32, limit: u32) -> Self {
        Self {
            origin,
            unread: (0, 0),
            scattered: 0,
            out_of_order: BTreeMap::new(),
            out_of_order_cost: 0,
            capacity,
            limit,
            pool: u32::MAX,
            pressure: false,
            peak: 0,
            work: Cell::new(0),
            counters: [0; Counter::COUNT],
        }
    }

    /// What was counted.
    pub(crate) fn counter(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }

    /// Reads everything.
    pub(crate) fn read_all(&mut self) {
        self.unread = (0, 0);
        self.scattered = 0;
    }

    /// Pieces that wait for a gap to close.
    pub(crate) fn out_of_order_len(&self) -> usize {
        self.out_of_order.len()
    }

    fn toil(&self, n: u64) {
        self.work.set(self.work.get() + n);
    }

    fn key(&self, seq: SeqNum) -> u32 {
        seq.distance_from(self.origin)
    }

    fn note_peak(&mut self) {
        self.peak = self.peak.max(self.memory_used());
    }
}

impl ReceiveQueue for Costly {
    type Payload = Piece;

    fn deliver(&mut self, start: SeqNum, payload: Piece) -> Result<(), Refused> {
        self.toil(1);
        assert_eq!(start, payload.range.start());
        self.unread.0 += payload.len();
        self.scattered += payload.len();
        self.unread.1 += payload.cost;
        self.note_peak();
        Ok(())
    }

    fn unread(&self) -> u32 {
        self.unread.0
    }

    fn free_space(&self) -> u32 {
        self.capacity.saturating_sub(self.memory_used())
    }

    fn capacity(&self) -> u32 {
        self.capacity
    }

    fn set_capacity(&mut self, octets: u32) {
        assert!(octets <= self.limit, "grown beyond the limit");
        self.capacity = octets;
    }

    fn capacity_limit(&self) -> u32 {
        self.limit
    }

    fn promised(&self) -> u32 {
        PROMISED
    }

    fn memory_used(&self) -> u32 {
        self.unread.1 + self.out_of_order_cost
    }

    fn reserve(&mut self, payload: &Piece) -> Result<(), Shortage> {
        if self.memory_used() > self.capacity {
            Err(Shortage::Buffer)
        } else if self.memory_used() + payload.cost > self.pool {
            Err(Shortage::Pool)
        } else {
            Ok(())
        }
    }

    fn collapse(&mut self) -> u32 {
        let (octets, memory) = self.unread;
        let cost = octets.div_ceil(PAGE.0) * PAGE.1;
        self.toil(u64::from(self.scattered / 64 + octets / PAGE.0));
        self.scattered = 0;
        if cost >= memory {
            return 0;
        }
        self.unread.1 = cost;
        (memory - cost) / PAGE.1
    }

    fn ooo_first(&self) -> Option<SeqRange> {
        self.toil(1);
        Some(self.out_of_order.values().next()?.range)
    }

    fn ooo_floor(&self, seq: SeqNum) -> Option<SeqRange> {
        self.toil(1);
        let (_, piece) = self.out_of_order.range(..=self.key(seq)).next_back()?;
        Some(piece.range)
    }

    fn ooo_ceiling(&self, seq: SeqNum) -> Option<SeqRange> {
        self.toil(1);
        let (_, piece) = self.out_of_order.range(self.key(seq)..).next()?;
        Some(piece.range)
    }

    fn ooo_insert(&mut self, start: SeqNum, payload: Piece) -> Result<(), Refused> {
        self.toil(1);
        assert_eq!(start, payload.range.start());
        self.out_of_order_cost += payload.cost;
        let old = self.out_of_order.insert(self.key(start), payload);
        assert!(old.is_none());
        self.note_peak();
        Ok(())
    }

    fn ooo_remove(&mut self, start: SeqNum) -> Option<Piece> {
        self.toil(1);
        let piece = self.out_of_order.remove(&self.key(start))?;
        self.out_of_order_cost -= piece.cost;
        Some(piece)
    }
}

impl SendQueue for Costly {
    fn unsent_front(&self) -> u32 {
        0
    }

    fn mark_sent(&mut self, _range: SeqRange, _meta: TxMeta) -> Result<(), NoMemory> {
        Err(NoMemory)
    }

    fn chunk_at(&self, _seq: SeqNum) -> Option<Chunk> {
        None
    }

    fn split_sent(&mut self, _at: SeqNum) -> Result<(), NoMemory> {
        Err(NoMemory)
    }

    fn set_meta(&mut self, _start: SeqNum, _meta: TxMeta) {}

    fn release(&mut self, _upto: SeqNum) {}
}

impl Shell for Costly {
    fn count(&mut self, counter: Counter, n: u32) {
        self.counters[counter as usize] += u64::from(n);
    }

    fn is_under_pressure(&self) -> bool {
        self.pressure
    }
}
