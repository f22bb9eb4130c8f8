// SPDX-License-Identifier: GPL-2.0

//! The border to the shell: where payload is kept, and the [`Context`] of each call.
//!
//! Payload never passes through the engine. It moves between the shell's queues, keyed by
//! sequence number, and every operation on them is O(log n) in the number of pieces.

use crate::engine::config::Config;
use crate::engine::counters::Counter;
use crate::engine::error::NoMemory;
use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};
use crate::engine::time::Instant;

/// The payload of one received segment, an opaque handle. Dropping it frees it.
pub trait Payload {
    /// Octets in it.
    fn len(&self) -> u32;

    /// There are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes away the first `n` octets. Noting an offset is enough; the engine asks for no more
    /// than there are.
    fn trim_front(&mut self, n: u32);

    /// Takes away the last `n` octets.
    fn trim_back(&mut self, n: u32);

    /// Octets of memory that it takes, bookkeeping included. A shell that counts payload only
    /// says what [`Payload::len`] says.
    fn cost(&self) -> u32 {
        self.len()
    }

    /// How many segments were merged into it on their way to us.
    fn segments(&self) -> u32 {
        1
    }

    /// Octets in each of these segments; the last one may have had fewer.
    fn segment_len(&self) -> u32 {
        self.len()
    }
}

/// The receive side's storage had no room; it has dropped the payload. The engine treats the
/// segment as lost on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// Why a payload may not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// What was received takes all the memory that this connection's receive buffer has.
    Buffer,
    /// The memory of the whole protocol is used up.
    Pool,
}

/// Received payload: what is in order waits for the reader, what is not waits for the gap to
/// close.
///
/// Pieces of the out-of-order store never overlap; the store may merge adjacent ones, and all
/// lie within 2^31 octets of each other, so that [`SeqNum::before`] orders them.
pub trait ReceiveQueue {
    /// The handle of one piece.
    type Payload: Payload;

    /// Appends in-order payload for the reader. `start` is the sequence number of its first octet.
    fn deliver(&mut self, start: SeqNum, payload: Self::Payload) -> Result<(), Refused>;

    /// Octets delivered that the reader has not taken.
    fn unread(&self) -> u32;

    /// Octets of memory that may still be filled before the receive buffer is full. Unread data
    /// counts against it, out-of-order data need not: it lies inside a window already promised.
    fn free_space(&self) -> u32;

    /// Octets of memory in the receive buffer: what `free_space` is when everything has been read.
    fn capacity(&self) -> u32;

    /// Makes `octets` of memory the size of the receive buffer. The engine never asks for more
    /// than [`ReceiveQueue::capacity_limit`].
    fn set_capacity(&mut self, _octets: u32) {}

    /// What the receive buffer may be grown to at present: its size if the user has chosen that,
    /// or if memory is not plentiful; otherwise the limit that the administrator has set.
    #[inline]
    fn capacity_limit(&self) -> u32 {
        self.capacity()
    }

    /// Octets of memory that a receive buffer may have whatever the protocol's pool says, as long
    /// as there is nothing else to read.
    fn promised(&self) -> u32 {
        u32::MAX
    }

    /// Octets of memory that everything takes which was received and not read, out-of-order
    /// pieces included.
    fn memory_used(&self) -> u32 {
        self.unread()
    }

    /// Reserves the memory that `payload` costs. Without shortage, the `deliver` or `ooo_insert`
    /// that follows has it for sure.
    fn reserve(&mut self, _payload: &Self::Payload) -> Result<(), Shortage> {
        Ok(())
    }

    /// Moves payload from buffers that hold little of it to fewer, fuller ones. Returns how many
    /// buffers have become free. Costs as much as there are octets.
    fn collapse(&mut self) -> u32 {
        0
    }

    /// The out-of-order piece with the lowest sequence number.
    fn ooo_first(&self) -> Option<SeqRange>;

    /// The last piece that starts at `seq` or before it.
    fn ooo_floor(&self, seq: SeqNum) -> Option<SeqRange>;

    /// The first piece that starts at `seq` or after it.
    fn ooo_ceiling(&self, seq: SeqNum) -> Option<SeqRange>;

    /// Keeps a piece that overlaps none.
    fn ooo_insert(&mut self, start: SeqNum, payload: Self::Payload) -> Result<(), Refused>;

    /// Takes out the piece that starts at `start`.
    fn ooo_remove(&mut self, start: SeqNum) -> Option<Self::Payload>;

    /// The piece with the highest sequence number.
    fn ooo_last(&self) -> Option<SeqRange> {
        let first = self.ooo_first()?;
        self.ooo_floor(first.start().plus(i32::MAX as u32))
    }

    /// Moves the piece that starts at `start` to the reader, without its octets in front of `at`.
    /// A shell that charges for memory keeps the charge meanwhile.
    fn ooo_deliver(&mut self, start: SeqNum, at: SeqNum) -> Result<(), Refused> {
        let mut payload = self.ooo_remove(start).ok_or(Refused)?;
        payload.trim_front(at.distance_from(start));
        self.deliver(at, payload)
    }
}

/// What the engine remembers of each chunk that was sent. The shell stores it next to the chunk
/// (in the kernel: in `skb->cb`) and does not look inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxMeta {
    /// When it was last transmitted.
    pub(crate) sent_at: Instant,
    /// If it is selectively acknowledged: everything from it to here is. If a retransmission of it
    /// is under way: the last octet of the chunk that was sent again after it.
    pub(crate) link: SeqNum,
    /// If a retransmission of it is under way: the last octet of the chunk that was sent again
    /// before it.
    pub(crate) back: SeqNum,
    /// Which of the `TxMeta::*` flags hold.
    pub(crate) flags: u8,
    /// How often it was transmitted, saturating.
    pub(crate) transmissions: u8,
}

impl TxMeta {
    /// The peer has it, out of order.
    pub(crate) const SACKED: u8 = 1;
    /// It is held to be lost.
    pub(crate) const LOST: u8 = 2;
    /// It was held to be lost, and a retransmission is under way. Never without [`Self::LOST`].
    pub(crate) const RETRANSMITTED: u8 = 4;

    /// The note for a chunk sent for the first time.
    pub(crate) const fn first(sent_at: Instant) -> Self {
        Self {
            sent_at,
            link: SeqNum::new(0),
            back: SeqNum::new(0),
            flags: 0,
            transmissions: 1,
        }
    }

    /// All of `flags` hold.
    pub(crate) const fn has(self, flags: u8) -> bool {
        self.flags & flags == flags
    }
}

/// One chunk of the sent store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The octets in it.
    pub range: SeqRange,
    /// What the engine noted when it was sent.
    pub meta: TxMeta,
}

/// Data to send: a list of chunks not yet sent, in order, and an ordered store of those sent and
/// not yet acknowledged. A transmission's payload always lies within one chunk.
///
/// The shell fills the last unsent chunk up to [`Connection::size_goal`] before it starts another.
///
/// [`Connection::size_goal`]: crate::engine::connection::Connection::size_goal
pub trait SendQueue {
    /// Octets in the first unsent chunk, 0 if there is none.
    fn unsent_front(&self) -> u32;

    /// Makes the first unsent chunk `n` octets long, out of what follows it, where that is cheap;
    /// or longer than it was, or nothing.
    fn grow_unsent(&mut self, _n: u32) {}

    /// Moves the first `range.len()` octets of the unsent list, at most one chunk, to the sent
    /// store as a chunk of their own. On failure nothing has changed.
    fn mark_sent(&mut self, range: SeqRange, meta: TxMeta) -> Result<(), NoMemory>;

    /// The sent chunk that contains `seq`.
    fn chunk_at(&self, seq: SeqNum) -> Option<Chunk>;

    /// Makes `at` the border of two chunks, both with the note that the one has now. Nothing to
    /// do if it is a border already. On failure nothing has changed.
    fn split_sent(&mut self, at: SeqNum) -> Result<(), NoMemory>;

    /// Replaces the note of the sent chunk that starts at `start`.
    fn set_meta(&mut self, start: SeqNum, meta: TxMeta);

    /// Frees what was sent before `upto`. A chunk that straddles it now starts at `upto`; noting
    /// an offset is enough.
    fn release(&mut self, upto: SeqNum);
}

/// Everything that the engine asks of the one who drives it.
pub trait Shell: SendQueue + ReceiveQueue {
    /// Adds `n` to a counter of the namespace.
    fn count(&mut self, counter: Counter, n: u32);

    /// Memory of the whole protocol is short: windows must not grow.
    fn is_under_pressure(&self) -> bool;

    /// The user is inside a call that waits for data: what arrives now is read at once.
    fn has_waiting_reader(&self) -> bool {
        false
    }

    /// There is as much to read as the user wants to be told of (`SO_RCVLOWAT`).
    fn has_enough_to_read(&self) -> bool {
        self.unread() > 0
    }

    /// The user has more to send and waits for room in the send buffer.
    fn has_waiting_writer(&self) -> bool {
        false
    }
}

/// What surrounds each call into a connection.
#[derive(Debug)]
pub struct Context<'a, S: Shell> {
    /// The time now; it never goes backwards for one connection.
    pub now: Instant,
    /// The tunables of the namespace.
    pub config: &'a Config,
    /// Queues and counters of this connection.
    pub shell: &'a mut S,
}
