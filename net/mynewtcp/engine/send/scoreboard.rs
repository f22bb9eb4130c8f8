// SPDX-License-Identifier: GPL-2.0

//! What of the data under way has arrived, is lost, or is being sent again.
//!
//! The facts are in the notes ([`TxMeta`]) of the sent chunks; here are their sums and a few hints
//! that keep each step from starting at the first chunk again.
//!
//! Invariants: the sums are those of the notes; before `lost_to` no chunk is unmarked (neither
//! acknowledged selectively nor lost); behind `lost_end` none is lost; before `retransmit_hint`
//! no chunk waits for retransmission; [`repeats`] has those that are under way again.
//!
//! What a peer can make an acknowledgment cost is bounded by what it tells or what was sent: runs
//! that are known are passed by links, marks are made once per transmission, and chunks are only
//! cut into pieces of a reasonable size.

pub(crate) mod repeats;

use crate::engine::buffer::{
    Chunk,
    SendQueue,
    TxMeta, //
};
use crate::engine::error::NoMemory;
use crate::engine::send::delivery::{
    Delivery,
    Sent, //
};
use crate::engine::send::rack::Verdict;
use crate::engine::send::scoreboard::repeats::Repeats;
use crate::engine::seq::{
    Mss,
    SeqNum,
    SeqRange, //
};
use crate::engine::time::Instant;

/// Sums and hints over the sent chunks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scoreboard {
    /// Octets acknowledged selectively.
    pub(crate) sacked: u32,
    /// Segments acknowledged selectively, more or less.
    pub(crate) sacked_segs: u32,
    /// Octets held to be lost.
    pub(crate) lost: u32,
    /// Octets held to be lost and sent again since.
    pub(crate) retransmitted: u32,
    /// Loss detection has decided about everything before this.
    lost_to: SeqNum,
    /// The end of the highest octet held to be lost.
    lost_end: SeqNum,
    /// Nothing before this waits for retransmission.
    retransmit_hint: SeqNum,
    /// The end of the highest octet known to have arrived.
    pub(crate) sacked_end: SeqNum,
    /// What is under way again.
    pub(crate) repeats: Repeats,
}

crate::engine::dormant::packed! {
    struct Scoreboard {
        sacked, sacked_segs, lost, retransmitted, lost_to, lost_end, retransmit_hint, sacked_end,
        repeats,
    }
}

/// What loss detection has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    /// Octets newly held to be lost.
    pub(crate) lost: u32,
    /// Octets whose retransmission is newly held to be lost.
    pub(crate) lost_again: u32,
    /// There is something that may be on its way still.
    pub(crate) waits: bool,
}

impl Scoreboard {
    pub(crate) const fn new(first: SeqNum) -> Self {
        Self {
            sacked: 0,
            sacked_segs: 0,
            lost: 0,
            retransmitted: 0,
            lost_to: first,
            lost_end: first,
            retransmit_hint: first,
            sacked_end: first,
            repeats: Repeats::new(first),
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

    /// Takes `len` octets with this note out of the sums.
    fn subtract(&mut self, meta: TxMeta, len: u32, mss: Mss) {
        if meta.has(TxMeta::SACKED) {
            self.sacked = self.sacked.saturating_sub(len);
            let segments = len.div_ceil(mss.octets());
            self.sacked_segs = match self.sacked {
                0 => 0,
                _ => self.sacked_segs.saturating_sub(segments).max(1),
            };
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
        delivery: &mut Delivery,
    ) {
        let mut at = una;
        while at.before(ack) {
            let Some(chunk) = queue.chunk_at(at) else {
                break;
            };
            let Chunk { range, meta } = chunk;
            let end = range.end().earliest(ack);
            if !meta.has(TxMeta::SACKED) {
                delivery.take(SeqRange::new(at, end.distance_from(at)), meta);
            }
            if meta.has(TxMeta::RETRANSMITTED) && end == range.end() {
                self.repeats.remove(queue, chunk);
            }
            self.subtract(meta, end.distance_from(at), delivery.mss);
            at = end;
        }
        queue.release(ack);
        self.advance(ack);
    }

    /// Nothing is known of what is under way from `una` on, but when it was sent.
    #[inline]
    pub(crate) fn is_clean(&self, una: SeqNum) -> bool {
        self.sacked == 0 && self.lost == 0 && !self.sacked_end.after(una)
    }

    /// Everything before `ack` has arrived and is freed.
    #[inline]
    pub(crate) fn advance(&mut self, ack: SeqNum) {
        self.lost_to = self.lost_to.latest(ack);
        self.lost_end = self.lost_end.latest(ack);
        self.retransmit_hint = self.retransmit_hint.latest(ack);
        self.sacked_end = self.sacked_end.latest(ack);
    }

    /// The peer says that it holds `block`, which lies in SND.UNA to SND.NXT. Returns how many
    /// octets of it are news.
    ///
    /// A run of chunks that are acknowledged already is passed in few steps: each holds a link
    /// to somewhere further on in its run, and links are shortened as they are followed.
    pub(crate) fn on_sack<Q: SendQueue>(
        &mut self,
        queue: &mut Q,
        block: SeqRange,
        delivery: &mut Delivery,
    ) -> u32 {
        let mut at = block.start();
        let mut news = 0u32;
        while at.before(block.end()) {
            let Some(chunk) = queue.chunk_at(at) else {
                break;
            };
            if chunk.meta.has(TxMeta::SACKED) {
                at = Self::follow(queue, chunk);
                continue;
            }
            let wanted = SeqRange::between(at, block.end().earliest(chunk.range.end()));
            if let Some(part) = wanted.and_then(|part| cut_of(chunk.range, part, delivery.mss)) {
                // Without memory for the cut this part stays unacknowledged: that is safe.
                if self.cut_out(queue, chunk.range, part).is_ok() {
                    news = news.saturating_add(self.mark_sacked(queue, part, delivery));
                }
            }
            at = chunk.range.end();
        }
        news
    }

    /// The end of what is known to be acknowledged from `chunk` on.
    fn follow<Q: SendQueue>(queue: &mut Q, chunk: Chunk) -> SeqNum {
        let to = chunk.meta.link.latest(chunk.range.end());
        let Some(next) = queue.chunk_at(to) else {
            return to;
        };
        if !next.meta.has(TxMeta::SACKED) {
            return to;
        }
        let further = next.meta.link.latest(next.range.end());
        let shortened = TxMeta {
            link: further,
            ..chunk.meta
        };
        queue.set_meta(chunk.range.start(), shortened);
        further
    }

    /// Makes `part` of the chunk `range` a chunk of its own.
    fn cut_out<Q: SendQueue>(
        &mut self,
        queue: &mut Q,
        range: SeqRange,
        part: SeqRange,
    ) -> Result<(), NoMemory> {
        if part.start() != range.start() {
            self.split(queue, part.start())?;
        }
        if part.end() != range.end() {
            self.split(queue, part.end())?;
        }
        Ok(())
    }

    /// [`SendQueue::split_sent`] for chunks of any kind.
    pub(crate) fn split<Q: SendQueue>(
        &mut self,
        queue: &mut Q,
        at: SeqNum,
    ) -> Result<(), NoMemory> {
        self.repeats.split(queue, at)
    }

    fn mark_sacked<Q: SendQueue>(
        &mut self,
        queue: &mut Q,
        range: SeqRange,
        delivery: &mut Delivery,
    ) -> u32 {
        let Some(chunk) = queue.chunk_at(range.start()) else {
            return 0;
        };
        let meta = chunk.meta;
        delivery.take_sacked(range, meta);
        if meta.has(TxMeta::RETRANSMITTED) {
            self.repeats.remove(queue, chunk);
        }
        self.subtract(meta, range.len(), delivery.mss);
        self.sacked = self.sacked.saturating_add(range.len());
        let segments = range.len().div_ceil(delivery.mss.octets());
        self.sacked_segs = self.sacked_segs.saturating_add(segments);
        self.sacked_end = self.sacked_end.latest(range.end());
        let meta = TxMeta {
            flags: TxMeta::SACKED,
            link: range.end(),
            ..meta
        };
        queue.set_meta(range.start(), meta);
        range.len()
    }

    /// Marks a chunk that is neither acknowledged selectively nor lost.
    fn mark_lost<Q: SendQueue>(&mut self, queue: &mut Q, chunk: Chunk) {
        let Chunk { range, meta } = chunk;
        self.lost = self.lost.saturating_add(range.len());
        self.lost_end = self.lost_end.latest(range.end());
        self.retransmit_hint = self.retransmit_hint.earliest(range.start());
        let flags = TxMeta::LOST;
        queue.set_meta(range.start(), TxMeta { flags, ..meta });
    }

    /// The retransmission of a chunk is lost too: it waits for the next one.
    fn mark_lost_again<Q: SendQueue>(&mut self, queue: &mut Q, chunk: Chunk) {
        let Chunk { range, meta } = chunk;
        self.repeats.remove(queue, chunk);
        self.retransmitted = self.retransmitted.saturating_sub(range.len());
        self.retransmit_hint = self.retransmit_hint.earliest(range.start());
        let flags = TxMeta::LOST;
        queue.set_meta(range.start(), TxMeta { flags, ..meta });
    }

    /// Loss detection (RFC 8985, 6.2, step 5), up to SND.NXT: asks `judge` about transmissions in
    /// the order in which they were made, until it knows nothing of one or has to wait for it.
    pub(crate) fn detect_losses<Q: SendQueue>(
        &mut self,
        queue: &mut Q,
        nxt: SeqNum,
        judge: impl Fn(Sent) -> Verdict,
    ) -> Losses {
        let mut losses = Losses::default();
        while self.lost_to.before(nxt) {
            let Some(chunk) = queue.chunk_at(self.lost_to) else {
                break;
            };
            if chunk.meta.has(TxMeta::SACKED) {
                self.lost_to = Self::follow(queue, chunk);
                continue;
            }
            if !chunk.meta.has(TxMeta::LOST) {
                let verdict = judge(Sent::of(chunk.range, chunk.meta));
                losses.waits |= verdict == Verdict::Waits;
                if verdict != Verdict::Lost {
                    break;
                }
                self.mark_lost(queue, chunk);
                losses.lost = losses.lost.saturating_add(chunk.range.len());
            }
            self.lost_to = chunk.range.end();
        }
        while self.retransmitted > 0 {
            let Some(chunk) = queue.chunk_at(self.repeats.first) else {
                break;
            };
            let verdict = judge(Sent::of(chunk.range, chunk.meta));
            losses.waits |= verdict == Verdict::Waits;
            if verdict != Verdict::Lost {
                break;
            }
            self.mark_lost_again(queue, chunk);
            losses.lost_again = losses.lost_again.saturating_add(chunk.range.len());
        }
        losses
    }

    /// The first `len` octets from `una` on are lost, if nothing is known about them yet. Returns
    /// how many were marked.
    pub(crate) fn mark_front_lost<Q: SendQueue>(
        &mut self,
        queue: &mut Q,
        una: SeqNum,
        len: u32,
    ) -> u32 {
        let Some(Chunk { range, meta }) = queue.chunk_at(una) else {
            return 0;
        };
        if meta.flags != 0 {
            return 0;
        }
        let mut part = range;
        if range.end().distance_from(una) > len && self.split(queue, una.plus(len)).is_ok() {
            part = SeqRange::new(range.start(), una.plus(len).distance_from(range.start()));
        }
        self.mark_lost(queue, Chunk { range: part, meta });
        part.len()
    }

    /// The transmission of the chunk at `start` never left the host: it waits to be sent again.
    pub(crate) fn mark_unsent<Q: SendQueue>(&mut self, queue: &mut Q, start: SeqNum) {
        let Some(chunk) = queue.chunk_at(start) else {
            return;
        };
        if chunk.meta.has(TxMeta::RETRANSMITTED) {
            self.mark_lost_again(queue, chunk);
        } else if chunk.meta.flags == 0 {
            self.mark_lost(queue, chunk);
        }
    }

    /// A retransmission time-out: the first chunk is lost, and of the others those of which
    /// `is_lost` says so, earlier retransmissions included.
    ///
    /// RFC 2018, section 8, would have all selective acknowledgments forgotten with it, because
    /// the peer may renege. Like Linux we forget them only when the very first octet is one that
    /// the peer claimed to hold: then it has reneged, and all is lost.
    pub(crate) fn on_timeout<Q: SendQueue>(
        &mut self,
        queue: &mut Q,
        una: SeqNum,
        is_lost: impl Fn(Instant) -> bool,
    ) -> Reneged {
        let reneged = match queue.chunk_at(una) {
            Some(first) if first.meta.has(TxMeta::SACKED) => Reneged::Yes,
            Some(_) | None => Reneged::No,
        };
        if reneged == Reneged::Yes {
            (self.sacked, self.sacked_segs) = (0, 0);
            self.sacked_end = una;
        }
        self.lost_to = una;
        self.retransmit_hint = una;
        let mut at = una;
        while let Some(chunk) = queue.chunk_at(at) {
            let Chunk { range, meta } = chunk;
            let lost = reneged == Reneged::Yes || at == una || is_lost(meta.sent_at);
            if meta.has(TxMeta::SACKED) {
                if reneged == Reneged::Yes {
                    self.mark_lost(queue, chunk);
                }
            } else if lost && meta.has(TxMeta::RETRANSMITTED) {
                self.mark_lost_again(queue, chunk);
            } else if lost && !meta.has(TxMeta::LOST) {
                self.mark_lost(queue, chunk);
            }
            at = range.end();
        }
        reneged
    }

    /// Nothing was lost after all.
    pub(crate) fn unmark_lost<Q: SendQueue>(&mut self, queue: &mut Q, una: SeqNum) {
        let mut at = una;
        while self.lost > 0 && at.before(self.lost_end) {
            let Some(chunk) = queue.chunk_at(at) else {
                break;
            };
            let Chunk { range, meta } = chunk;
            at = range.end();
            if meta.has(TxMeta::SACKED) {
                at = Self::follow(queue, chunk);
            } else if meta.has(TxMeta::LOST) {
                self.lost = self.lost.saturating_sub(range.len());
                queue.set_meta(range.start(), TxMeta { flags: 0, ..meta });
            }
        }
        (self.lost, self.retransmitted) = (0, 0);
        (self.lost_to, self.lost_end, self.retransmit_hint) = (una, una, una);
    }

    /// The octet at `seq` is acknowledged selectively.
    pub(crate) fn is_sacked<Q: SendQueue>(&self, queue: &Q, seq: SeqNum) -> bool {
        queue
            .chunk_at(seq)
            .is_some_and(|chunk| chunk.meta.has(TxMeta::SACKED))
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
        let was_empty = self.retransmitted == 0;
        let meta = self.repeats.push(queue, range, meta, was_empty);
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

    /// The chunk, which is not held to be lost, is sent again to make the peer speak. It is the
    /// last one, so that the order of transmissions stays that of the numbers.
    pub(crate) fn on_probe<Q: SendQueue>(&self, queue: &mut Q, chunk: Chunk, now: Instant) {
        let Chunk { range, meta } = chunk;
        let meta = TxMeta {
            sent_at: now,
            transmissions: meta.transmissions.saturating_add(1),
            ..meta
        };
        queue.set_meta(range.start(), meta);
    }
}

/// What of `part` may be cut out of the chunk `range`. Cuts are made between segments, and
/// elsewhere only if neither piece is less than half of one: a peer that acknowledges octet by
/// octet must not make a buffer of each (CVE-2019-11478).
fn cut_of(range: SeqRange, part: SeqRange, mss: Mss) -> Option<SeqRange> {
    let mss = mss.octets();
    let cut = |at: SeqNum, up: bool| {
        let head = at.distance_from(range.start());
        let tail = range.end().distance_from(at);
        let rest = head % mss;
        if rest == 0 || tail == 0 || head.min(tail) >= mss / 2 {
            return at;
        }
        let down = range.start().plus(head.saturating_sub(rest));
        if up {
            down.plus(mss).earliest(range.end())
        } else {
            down
        }
    };
    let part = SeqRange::between(cut(part.start(), true), cut(part.end(), false))?;
    let is_whole =
        part.start().distance_from(range.start()) % mss == 0 && part.end() == range.end();
    (!part.is_empty() && (is_whole || part.len() >= mss / 2)).then_some(part)
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
