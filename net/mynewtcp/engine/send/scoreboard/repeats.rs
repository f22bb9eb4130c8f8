// SPDX-License-Identifier: GPL-2.0

//! The chunks of which a retransmission is under way, in the order of their transmission.
//!
//! Chunks that were sent once were sent in the order of their numbers, so that only these need an
//! order of their own. It is a list through the notes, doubly linked, and each step on it is one
//! lookup. A chunk is named by its last octet: that stays when its first ones are acknowledged.

use crate::engine::buffer::{
    Chunk,
    SendQueue,
    TxMeta, //
};
use crate::engine::error::NoMemory;
use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};

/// Both ends of the list. They mean something only while it is not empty, which the sum of octets
/// under way again says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeats {
    /// The one sent first.
    pub(crate) first: SeqNum,
    /// The one sent last.
    pub(crate) last: SeqNum,
}

crate::engine::dormant::packed!(struct Repeats { first, last });

/// The name of the chunk `range`.
pub(crate) fn name(range: SeqRange) -> SeqNum {
    range.end().minus(1)
}

fn edit<Q: SendQueue>(queue: &mut Q, named: SeqNum, edit: impl FnOnce(TxMeta) -> TxMeta) {
    if let Some(Chunk { range, meta }) = queue.chunk_at(named) {
        queue.set_meta(range.start(), edit(meta));
    }
}

impl Repeats {
    pub(crate) const fn new(una: SeqNum) -> Self {
        Self {
            first: una,
            last: una,
        }
    }

    /// Puts `range` at the end, and returns `meta` with its links. It must not be in the list.
    pub(crate) fn push<Q: SendQueue>(
        &mut self,
        queue: &mut Q,
        range: SeqRange,
        meta: TxMeta,
        was_empty: bool,
    ) -> TxMeta {
        let own = name(range);
        let before = core::mem::replace(&mut self.last, own);
        if was_empty {
            self.first = own;
        } else {
            edit(queue, before, |meta| TxMeta { link: own, ..meta });
        }
        TxMeta {
            link: own,
            back: before,
            ..meta
        }
    }

    /// Takes `chunk` out.
    pub(crate) fn remove<Q: SendQueue>(&mut self, queue: &mut Q, chunk: Chunk) {
        let own = name(chunk.range);
        let TxMeta { link, back, .. } = chunk.meta;
        match (own == self.first, own == self.last) {
            (true, true) => {}
            (true, false) => self.first = link,
            (false, true) => self.last = back,
            (false, false) => {
                edit(queue, back, |meta| TxMeta { link, ..meta });
                edit(queue, link, |meta| TxMeta { back, ..meta });
            }
        }
    }

    /// [`SendQueue::split_sent`] that keeps the list whole.
    pub(crate) fn split<Q: SendQueue>(
        &mut self,
        queue: &mut Q,
        at: SeqNum,
    ) -> Result<(), NoMemory> {
        let Some(chunk) = queue.chunk_at(at) else {
            return Ok(());
        };
        if chunk.range.start() == at {
            return Ok(());
        }
        queue.split_sent(at)?;
        if chunk.meta.has(TxMeta::RETRANSMITTED) {
            let (head, tail) = (at.minus(1), name(chunk.range));
            if self.first == tail {
                self.first = head;
            } else {
                edit(queue, chunk.meta.back, |meta| TxMeta { link: head, ..meta });
            }
            edit(queue, head, |meta| TxMeta { link: tail, ..meta });
            edit(queue, tail, |meta| TxMeta { back: head, ..meta });
        }
        Ok(())
    }
}
