// SPDX-License-Identifier: GPL-2.0

//! The engine's view of an endpoint: its queues of buffers and its counters.

use crate::endpoint::cb::Cb;
use crate::endpoint::Queues;
use crate::engine::buffer::{
    Chunk,
    Payload,
    ReceiveQueue,
    Refused,
    SendQueue,
    Shell,
    Shortage,
    TxMeta, //
};
use crate::engine::counters::Counter;
use crate::engine::error::NoMemory;
use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};
use crate::linux::skb::{
    Full,
    Kept,
    SkBuff,
    SkbRef, //
};
use crate::memory;
use crate::mib::Namespace;

/// A received buffer whose control block says which octets count.
pub(crate) struct RxPayload(SkBuff);

impl RxPayload {
    /// The first `len` octets of `skb`, from which the header has been pulled.
    pub(crate) fn new(mut skb: SkBuff, start: SeqNum, len: u32) -> Self {
        *skb.cb_mut::<Cb>() = Cb::new(start, 0, len);
        Self(skb)
    }

    fn placed_at(mut self, start: SeqNum) -> SkBuff {
        self.0.cb_mut::<Cb>().set_seq(start);
        self.0
    }
}

impl Payload for RxPayload {
    fn len(&self) -> u32 {
        self.0.cb::<Cb>().len
    }

    fn trim_front(&mut self, n: u32) {
        self.0.cb_mut::<Cb>().trim_front(n);
    }

    fn trim_back(&mut self, n: u32) {
        self.0.cb_mut::<Cb>().trim_back(n);
    }

    fn cost(&self) -> u32 {
        self.0.truesize()
    }

    fn segments(&self) -> u32 {
        self.0.gso_segs().max(1)
    }

    fn segment_len(&self) -> u32 {
        match self.0.gso_size() {
            0 => self.len(),
            size => size.min(self.len()),
        }
    }
}

/// Joins the octets that `new` notes to those of `tail`, a buffer of `tail_len` octets, if they
/// follow them both in the sequence and in memory.
fn join(tail_len: u32, tail: &mut Cb, new: &Cb) -> bool {
    let adjacent = tail.offset.checked_add(tail.len) == Some(tail_len)
        && new.offset == 0
        && tail.range().end() == new.range().start();
    if adjacent {
        tail.grow(new.len);
    }
    adjacent
}

/// The queues of one endpoint while the engine works on it.
pub(crate) struct EndpointShell<'a> {
    /// The four queues.
    pub(crate) queues: Queues<'a>,
    /// Counters of the namespace.
    pub(crate) namespace: &'a Namespace,
}

impl EndpointShell<'_> {
    fn on_delivered(&mut self, len: u32, kept: Kept) {
        self.queues.sock().shared().add_unread(len);
        self.note_kept(kept);
    }

    fn note_kept(&mut self, kept: Kept) {
        match kept {
            Kept::Apart => {}
            Kept::Joined => self.namespace.count(Counter::RcvCoalesce, 1),
        }
    }
}

/// The octets and the note of one sent buffer.
fn chunk_of(skb: &SkbRef) -> Chunk {
    let cb = skb.cb::<Cb>();
    Chunk {
        range: cb.range(),
        meta: cb.meta(),
    }
}

impl SendQueue for EndpointShell<'_> {
    fn unsent_front(&self) -> u32 {
        self.queues.unsent().front().map_or(0, SkbRef::len)
    }

    fn grow_unsent(&mut self, n: u32) {
        let more = n.saturating_sub(self.unsent_front());
        self.queues.unsent_mut().grow_front(more, Cb::may_share);
    }

    #[inline]
    fn mark_sent(&mut self, range: SeqRange, meta: TxMeta) -> Result<(), NoMemory> {
        let Some(front) = self.queues.unsent().front().map(SkbRef::len) else {
            return Err(NoMemory);
        };
        if range.len() < front {
            self.queues
                .unsent_mut()
                .split_front(range.len())
                .map_err(|_| NoMemory)?;
        }
        let Some(skb) = self.queues.unsent_mut().front_mut() else {
            return Err(NoMemory);
        };
        let mut cb = Cb::new(range.start(), 0, range.len());
        cb.set_meta(meta);
        cb.keep_wishes(skb.cb());
        *skb.cb_mut::<Cb>() = cb;
        self.queues.send_front();
        Ok(())
    }

    #[inline]
    fn chunk_at(&self, seq: SeqNum) -> Option<Chunk> {
        let chunk = self.queues.sent().floor(seq.raw()).map(chunk_of)?;
        chunk.range.contains(seq).then_some(chunk)
    }

    fn split_sent(&mut self, at: SeqNum) -> Result<(), NoMemory> {
        let Some(chunk) = self.chunk_at(at) else {
            return Ok(());
        };
        let first = at.distance_from(chunk.range.start());
        if first == 0 {
            return Ok(());
        }
        let second = chunk.range.len() - first;
        let start = chunk.range.start().raw();
        let offset = match self.queues.sent().get(start) {
            Some(skb) => skb.cb::<Cb>().offset,
            None => return Ok(()),
        };
        self.queues
            .sent_mut()
            .split(start, offset.saturating_add(first), |head, tail| {
                head.trim_back(second);
                let mut cb = Cb::new(at, 0, second);
                cb.set_meta(chunk.meta);
                cb.keep_wishes(tail);
                *tail = cb;
            })
            .map_err(|_| NoMemory)
    }

    fn set_meta(&mut self, start: SeqNum, meta: TxMeta) {
        if let Some(skb) = self.queues.sent_mut().get_mut(start.raw()) {
            skb.cb_mut::<Cb>().set_meta(meta);
        }
    }

    #[inline]
    fn release(&mut self, upto: SeqNum) {
        let sent = self.queues.sent_mut();
        while let Some(skb) = sent.first_mut() {
            let cb = skb.cb_mut::<Cb>();
            let range = cb.range();
            if !range.start().before(upto) {
                break;
            }
            cb.trim_front(upto.distance_from(range.start()));
            if cb.take_acked_stamp() {
                sent.stamp_first_acked();
            }
            if !range.end().before_or_eq(upto) {
                break;
            }
            sent.drop_first();
        }
    }
}

impl ReceiveQueue for EndpointShell<'_> {
    type Payload = RxPayload;

    #[inline]
    fn deliver(&mut self, start: SeqNum, payload: RxPayload) -> Result<(), Refused> {
        let len = payload.len();
        let kept = self
            .queues
            .receive_mut()
            .try_push(payload.placed_at(start), join)
            .map_err(|_| Refused)?;
        self.on_delivered(len, kept);
        Ok(())
    }

    fn unread(&self) -> u32 {
        self.queues.sock().shared().unread()
    }

    fn free_space(&self) -> u32 {
        let sk = self.queues.sock();
        sk.rcvbuf()
            .saturating_sub(sk.rmem_alloc())
            .saturating_sub(sk.backlog_len())
    }

    fn capacity(&self) -> u32 {
        self.queues.sock().rcvbuf()
    }

    fn set_capacity(&mut self, octets: u32) {
        self.queues.set_rcvbuf(octets);
    }

    #[inline]
    fn capacity_limit(&self) -> u32 {
        memory::rcvbuf_limit(self.queues.sock())
    }

    fn promised(&self) -> u32 {
        memory::promised_to_receive(self.queues.sock())
    }

    fn memory_used(&self) -> u32 {
        self.queues.sock().rmem_alloc()
    }

    fn reserve(&mut self, payload: &RxPayload) -> Result<(), Shortage> {
        self.queues.reserve(&payload.0).map_err(|full| match full {
            Full::Buffer => Shortage::Buffer,
            Full::Pool => Shortage::Pool,
        })
    }

    fn collapse(&mut self) -> u32 {
        self.queues.collapse()
    }

    fn ooo_first(&self) -> Option<SeqRange> {
        let skb = self.queues.out_of_order().first()?;
        Some(skb.cb::<Cb>().range())
    }

    fn ooo_floor(&self, seq: SeqNum) -> Option<SeqRange> {
        let skb = self.queues.out_of_order().floor(seq.raw())?;
        Some(skb.cb::<Cb>().range())
    }

    fn ooo_ceiling(&self, seq: SeqNum) -> Option<SeqRange> {
        let skb = self.queues.out_of_order().ceiling(seq.raw())?;
        Some(skb.cb::<Cb>().range())
    }

    fn ooo_insert(&mut self, start: SeqNum, payload: RxPayload) -> Result<(), Refused> {
        let kept = self
            .queues
            .out_of_order_mut()
            .try_insert(payload.placed_at(start), join)
            .map_err(|_| Refused)?;
        self.note_kept(kept);
        Ok(())
    }

    fn ooo_remove(&mut self, start: SeqNum) -> Option<RxPayload> {
        let skb = self.queues.out_of_order_mut().remove(start.raw())?;
        Some(RxPayload(skb))
    }

    fn ooo_deliver(&mut self, start: SeqNum, at: SeqNum) -> Result<(), Refused> {
        let mut len = 0;
        let trim = |cb: &mut Cb| {
            cb.trim_front(at.distance_from(start));
            len = cb.len;
        };
        let kept = self
            .queues
            .promote(start.raw(), trim, join)
            .ok_or(Refused)?;
        self.on_delivered(len, kept);
        Ok(())
    }
}

impl Shell for EndpointShell<'_> {
    fn count(&mut self, counter: Counter, n: u32) {
        self.namespace.count(counter, n);
    }

    fn is_under_pressure(&self) -> bool {
        self.queues.sock().under_memory_pressure()
    }

    fn has_waiting_reader(&self) -> bool {
        self.queues.sock().shared().has_reader()
    }

    fn has_enough_to_read(&self) -> bool {
        memory::has_enough_to_read(self.queues.sock())
    }

    fn has_waiting_writer(&self) -> bool {
        self.queues.sock().has_waiting_writer()
    }
}
