// SPDX-License-Identifier: GPL-2.0

//! What of the data under way has arrived, is lost, or is being sent again.
//!
//! The facts are in the notes ([`TxMeta`]) of the sent chunks; here are their sums and a few hints
//! that keep each step from starting at the first chunk again.
//!
//! Invariants: the sums are those of the notes; before `lost_to` no chunk is unmarked (neither
//! acknowledged selectively nor lost); behind `lost_end` none is lost; before `retransmit_hint`
//! no chunk waits for retransmission.

use crate::engine::buffer::{
    Chunk,
    SendQueue,
    TxMeta, //
};
use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};
use crate::engine::time::Instant;

/// Sums and hints over the sent chunks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scoreboard {
    /// Octets acknowledged selectively.
    pub(crate) sacked: u32,
    /// Octets held to be lost.
    pub(crate) lost: u32,
    /// Octets held to be lost and sent again since.
    pub(crate) retransmitted: u32,
    /// Octets acknowledged selectively before `lost_to`.
    sacked_below: u32,
    /// Loss detection has decided about everything before this.
    pub(crate) lost_to: SeqNum,
    /// The end of the highest octet held to be lost.
    lost_end: SeqNum,
    /// Nothing before this waits for retransmission.
    retransmit_hint: SeqNum,
    /// The end of the highest octet acknowledged selectively.
    pub(crate) sacked_end: SeqNum,
}

/// What a cumulative acknowledgment has covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acked {
    /// Octets.
    pub(crate) bytes: u32,
    /// Transmission time of the oldest chunk among them that was sent only once.
    pub(crate) oldest_sent_at: Option<Instant>,
    /// Some of them had been sent more than once.
    pub(crate) retransmitted: bool,
}

impl Scoreboard {
    pub(crate) const fn new(first: SeqNum) -> Self {
        Self {
            sacked: 0,
            lost: 0,
            retransmitted: 0,
            sacked_below: 0,
            lost_to: first,
            lost_end: first,
            retransmit_hint: first,
            sacked_end: first,
        }
    }

    /// Octets held to be in the network when `flight` octets are sent and not acknowledged.
    pub(crate) fn pipe_bytes(&self, flight: u32) -> u32 {
        flight
            .saturating_sub(self.sacked)
            .saturating_sub(self.lost)
            .saturating_add(self.retransmitted)
    }

    /// Octets that wait to be sent again.
    pub(crate) fn awaiting_retransmission(&self) -> u32 {
        self.lost.saturating_sub(self.retransmitted)
    }

    fn subtract(&mut self, meta: TxMeta, range: SeqRange, len: u32) {
        if meta.has(TxMeta::SACKED) {
            self.sacked = self.sacked.saturating_sub(len);
            if range.start().before(self.lost_to) {
                self.sacked_below = self.sacked_below.saturating_sub(len);
            }
        }
        if meta.has(TxMeta::LOST) {
            self.lost = self.lost.saturating_sub(len);
        }
        if meta.has(TxMeta::RETRANSMITTED) {
            self.retransmitted = self.retransmitted.saturating_sub(len);
        }
    }

    /// Everything from `una` to `ack` has arrived: frees it.
    pub(crate) fn on_cumulative_ack<Q: SendQueue>(
        &mut self,
        queue: &mut Q,
        una: SeqNum,
        ack: SeqNum,
    ) -> Acked {
        let mut acked = Acked {
            bytes: ack.distance_from(una),
            ..Acked::default()
        };
        let mut at = una;
        while at.before(ack) {
            let Some(Chunk { range, meta }) = queue.chunk_at(at) else {
                break;
            };
            let end = range.end().earliest(ack);
            self.subtract(meta, range, end.distance_from(at));
            if meta.transmissions > 1 {
                acked.retransmitted = true;
            } else if !meta.has(TxMeta::SACKED) && acked.oldest_sent_at.is_none() {
                acked.oldest_sent_at = Some(meta.sent_at);
            }
            at = end;
        }
        queue.release(ack);
        if self.lost_to.before(ack) {
            self.lost_to = ack;
            self.sacked_below = 0;
        }
        self.lost_end = self.lost_end.latest(ack);
        self.retransmit_hint = self.retransmit_hint.latest(ack);
        self.sacked_end = self.sacked_end.latest(ack);
        acked
    }

    /// The peer says that it holds `block`, which lies in SND.UNA to SND.NXT. Returns how many
    /// octets of it are news.
    ///
    /// A run of chunks that are acknowledged already is passed in few steps: each holds a link
    /// to somewhere further on in its run, and links are shortened as they are followed.
    pub(crate) fn on_sack<Q: SendQueue>(&mut self, queue: &mut Q, block: SeqRange) -> u32 {
        let mut at = block.start();
        let mut news = 0;
        while at.before(block.end()) {
            let Some(chunk) = queue.chunk_at(at) else {
                break;
            };
            if chunk.meta.has(TxMeta::SACKED) {
                at = Self::follow(queue, chunk);
                continue;
            }
            let Some(inside) = Self::cut_out(queue, chunk.range, at, block.end()) else {
                // Without memory for the cut this part stays unacknowledged: that is safe.
                at = chunk.range.end();
                continue;
            };
            news += self.mark_sacked(queue, inside, chunk.meta);
            at = inside.end();
        }
        if news > 0 {
            self.sacked_end = self.sacked_end.latest(block.end());
        }
        news
    }

    /// The end of what is known to be acknowledged from `chunk` on.
    fn follow<Q: SendQueue>(queue: &mut Q, chunk: Chunk) -> SeqNum {
        let to = chunk.meta.sacked_to.latest(chunk.range.end());
        let Some(next) = queue.chunk_at(to) else {
            return to;
        };
        if !next.meta.has(TxMeta::SACKED) {
            return to;
        }
        let further = next.meta.sacked_to.latest(next.range.end());
        let shortened = TxMeta {
            sacked_to: further,
            ..chunk.meta
        };
        queue.set_meta(chunk.range.start(), shortened);
        further
    }

    /// Makes the part of the chunk `range` between `start` and `end` a chunk of its own.
    fn cut_out<Q: SendQueue>(
        queue: &mut Q,
        range: SeqRange,
        start: SeqNum,
        end: SeqNum,
    ) -> Option<SeqRange> {
        if start.after(range.start()) {
            queue.split_sent(start).ok()?;
        }
        if end.before(range.end()) {
            queue.split_sent(end).ok()?;
        }
        SeqRange::between(start.latest(range.start()), end.earliest(range.end()))
    }

    fn mark_sacked<Q: SendQueue>(&mut self, queue: &mut Q, range: SeqRange, meta: TxMeta) -> u32 {
        let len = range.len();
        self.subtract(meta, range, len);
        self.sacked = self.sacked.saturating_add(len);
        if range.start().before(self.lost_to) {
            self.sacked_below = self.sacked_below.saturating_add(len);
        }
        let meta = TxMeta {
            flags: TxMeta::SACKED,
            sacked_to: range.end(),
            ..meta
        };
        queue.set_meta(range.start(), meta);
        len
    }

    fn mark_lost<Q: SendQueue>(&mut self, queue: &mut Q, chunk: Chunk) {
        let Chunk { range, meta } = chunk;
        self.lost = self.lost.saturating_add(range.len());
        self.lost_end = self.lost_end.latest(range.end());
        self.retransmit_hint = self.retransmit_hint.earliest(range.start());
        let meta = TxMeta {
            flags: TxMeta::LOST,
            ..meta
        };
        queue.set_meta(range.start(), meta);
    }

    /// Loss detection, on the next chunk that it has not decided about: `is_lost` is told how many
    /// octets behind the chunk have arrived. Returns how many octets were marked.
    pub(crate) fn detect_losses<Q: SendQueue>(
        &mut self,
        queue: &mut Q,
        is_lost: impl Fn(u32) -> bool,
    ) -> u32 {
        let before = self.lost;
        while self.lost_to.before(self.sacked_end) {
            let Some(chunk) = queue.chunk_at(self.lost_to) else {
                break;
            };
            if chunk.meta.has(TxMeta::SACKED) {
                let end = Self::follow(queue, chunk);
                let run = end.distance_from(self.lost_to);
                self.sacked_below = self.sacked_below.saturating_add(run);
                self.lost_to = end;
                continue;
            }
            if chunk.meta.has(TxMeta::LOST) {
                self.lost_to = chunk.range.end();
                continue;
            }
            if !is_lost(self.sacked.saturating_sub(self.sacked_below)) {
                break;
            }
            self.mark_lost(queue, chunk);
            self.lost_to = chunk.range.end();
        }
        self.lost.saturating_sub(before)
    }

    /// The first `len` octets from `una` on are lost, if nothing is known about them yet.
    pub(crate) fn mark_front_lost<Q: SendQueue>(&mut self, queue: &mut Q, una: SeqNum, len: u32) {
        let Some(chunk) = queue.chunk_at(una) else {
            return;
        };
        if chunk.meta.flags != 0 {
            return;
        }
        let range = if chunk.range.end().distance_from(una) > len {
            match Self::cut_out(queue, chunk.range, una, una.plus(len)) {
                Some(range) => range,
                None => chunk.range,
            }
        } else {
            chunk.range
        };
        let meta = chunk.meta;
        self.mark_lost(queue, Chunk { range, meta });
    }

    /// The transmission of the chunk at `start` never left the host: it waits to be sent again.
    pub(crate) fn mark_unsent<Q: SendQueue>(&mut self, queue: &mut Q, start: SeqNum) {
        let Some(chunk) = queue.chunk_at(start) else {
            return;
        };
        if chunk.meta.has(TxMeta::SACKED) || chunk.meta.flags == TxMeta::LOST {
            return;
        }
        self.subtract(chunk.meta, chunk.range, chunk.range.len());
        self.mark_lost(queue, chunk);
    }

    /// A retransmission time-out: everything that is not known to have arrived is lost, earlier
    /// retransmissions included.
    ///
    /// RFC 2018, section 8, would have all selective acknowledgments forgotten with it, because
    /// the peer may renege. Like Linux we forget them only when the very first octet is one that
    /// the peer claimed to hold: then it has reneged.
    pub(crate) fn mark_all_lost<Q: SendQueue>(
        &mut self,
        queue: &mut Q,
        una: SeqNum,
        nxt: SeqNum,
    ) -> Reneged {
        let reneged = match queue.chunk_at(una) {
            Some(first) if first.meta.has(TxMeta::SACKED) => Reneged::Yes,
            Some(_) | None => Reneged::No,
        };
        *self = Self {
            sacked_end: self.sacked_end,
            lost_to: nxt,
            lost_end: nxt,
            retransmit_hint: una,
            ..Self::new(una)
        };
        let mut at = una;
        while let Some(Chunk { range, meta }) = queue.chunk_at(at) {
            if meta.has(TxMeta::SACKED) && reneged == Reneged::No {
                self.sacked = self.sacked.saturating_add(range.len());
                self.sacked_below = self.sacked_below.saturating_add(range.len());
            } else {
                self.lost = self.lost.saturating_add(range.len());
                let flags = TxMeta::LOST;
                queue.set_meta(range.start(), TxMeta { flags, ..meta });
            }
            at = range.end();
        }
        reneged
    }

    /// The first chunk that waits to be sent again.
    pub(crate) fn next_lost<Q: SendQueue>(&mut self, queue: &mut Q) -> Option<Chunk> {
        if self.awaiting_retransmission() == 0 {
            return None;
        }
        while self.retransmit_hint.before(self.lost_end) {
            let chunk = queue.chunk_at(self.retransmit_hint)?;
            if chunk.meta.has(TxMeta::SACKED) {
                self.retransmit_hint = Self::follow(queue, chunk);
            } else if chunk.meta.flags == TxMeta::LOST {
                return Some(chunk);
            } else {
                self.retransmit_hint = chunk.range.end();
            }
        }
        None
    }

    /// The lost chunk `range` is being sent again.
    pub(crate) fn on_retransmit<Q: SendQueue>(
        &mut self,
        queue: &mut Q,
        chunk: Chunk,
        now: Instant,
    ) {
        let Chunk { range, meta } = chunk;
        self.retransmitted = self.retransmitted.saturating_add(range.len());
        self.retransmit_hint = range.end();
        let meta = TxMeta {
            sent_at: now,
            flags: TxMeta::LOST | TxMeta::RETRANSMITTED,
            transmissions: meta.transmissions.saturating_add(1),
            ..meta
        };
        queue.set_meta(range.start(), meta);
    }
}

/// Whether the peer has dropped what it had acknowledged selectively.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Reneged {
    /// It has.
    Yes,
    /// There is no sign of it.
    No,
}

#[cfg(test)]
mod tests;
