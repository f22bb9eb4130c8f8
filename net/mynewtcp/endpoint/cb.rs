// SPDX-License-Identifier: GPL-2.0

//! What the protocol notes in each buffer's control block.

use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

use crate::engine::buffer::TxMeta;
use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};
use crate::engine::time::Instant;
use crate::linux::skb::SkbCb;

/// The control block of every buffer in a queue of an endpoint.
///
/// Buffers are not cut when some of their octets are acknowledged, read or found to be
/// duplicates: `offset` and `len` note which octets still count.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Cb {
    /// Sequence number of the first octet that counts.
    seq: u32,
    /// Octets before it that no longer count.
    pub(crate) offset: u32,
    /// Octets that count.
    pub(crate) len: u32,
    /// The engine's note on a chunk that was sent: its place among others (two links),
    link: u32,
    back: u32,
    /// when it was last sent (in two halves, for the alignment),
    sent_at: [u32; 2],
    /// its flags,
    flags: u8,
    /// and how often it was sent.
    transmissions: u8,
    /// Not zero: no later octet may join this chunk (MSG_EOR).
    pub(crate) sealed: u8,
    /// Not zero: the user wants to know when the octet below is acknowledged.
    stamps_ack: u8,
    /// Behind which octet, of all that are in the buffer, time stamps were asked for; 0: none.
    stamped: u32,
}

impl Cb {
    /// A buffer of which `len` octets count, the first of them at `seq`.
    pub(crate) fn new(seq: SeqNum, offset: u32, len: u32) -> Self {
        Self {
            seq: seq.raw(),
            offset,
            len,
            link: 0,
            back: 0,
            sent_at: [0; 2],
            flags: 0,
            transmissions: 0,
            sealed: 0,
            stamps_ack: 0,
            stamped: 0,
        }
    }

    /// The octets that count.
    pub(crate) fn range(&self) -> SeqRange {
        SeqRange::new(SeqNum::new(self.seq), self.len)
    }

    /// Places the first octet that counts at `seq`.
    pub(crate) fn set_seq(&mut self, seq: SeqNum) {
        self.seq = seq.raw();
    }

    /// The first `n` octets no longer count.
    pub(crate) fn trim_front(&mut self, n: u32) {
        let n = n.min(self.len);
        self.seq = self.seq.wrapping_add(n);
        self.offset = self.offset.saturating_add(n);
        self.len -= n;
    }

    /// The last `n` octets no longer count.
    pub(crate) fn trim_back(&mut self, n: u32) {
        self.len = self.len.saturating_sub(n);
    }

    /// `n` octets have joined at the end.
    pub(crate) fn grow(&mut self, n: u32) {
        self.len = self.len.saturating_add(n);
    }

    /// Octets of `next` may as well be in this buffer: the user has asked for nothing that depends
    /// on which octets are in which.
    pub(crate) fn may_share(&self, next: &Self) -> bool {
        [self, next]
            .iter()
            .all(|cb| cb.sealed == 0 && cb.stamped == 0)
    }

    /// Takes over what the user asked for from `old`, which noted the same buffer.
    pub(crate) fn keep_wishes(&mut self, old: &Self) {
        self.sealed = old.sealed;
        self.stamps_ack = old.stamps_ack;
        self.stamped = old.stamped;
    }

    /// Time stamps were asked for of the octet before `end`, which counts octets of the buffer.
    pub(crate) fn stamp(&mut self, end: u32, ack: bool) {
        self.stamped = end;
        self.stamps_ack = u8::from(ack);
    }

    /// The octets that no longer count have it among them that the user waits for. Once.
    pub(crate) fn take_acked_stamp(&mut self) -> bool {
        let due = self.stamps_ack != 0 && self.stamped <= self.offset;
        if due {
            self.stamps_ack = 0;
        }
        due
    }

    /// Where the octets that count end, in octets of the buffer.
    pub(crate) fn end(&self) -> u32 {
        self.offset.saturating_add(self.len)
    }

    /// The engine's note.
    pub(crate) fn meta(&self) -> TxMeta {
        let [high, low] = self.sent_at;
        TxMeta {
            sent_at: Instant::from_nanos(u64::from(high) << 32 | u64::from(low)),
            link: SeqNum::new(self.link),
            back: SeqNum::new(self.back),
            flags: self.flags,
            transmissions: self.transmissions,
        }
    }

    /// Replaces the engine's note.
    pub(crate) fn set_meta(&mut self, meta: TxMeta) {
        let TxMeta {
            sent_at,
            link,
            back,
            flags,
            transmissions,
        } = meta;
        let nanos = sent_at.as_nanos();
        self.sent_at = [(nanos >> 32) as u32, nanos as u32];
        self.link = link.raw();
        self.back = back.raw();
        self.flags = flags;
        self.transmissions = transmissions;
    }
}

impl SkbCb for Cb {
    fn seq(&self) -> u32 {
        self.seq
    }

    fn span(&self) -> (u32, u32) {
        (self.offset, self.len)
    }

    fn use_up(&mut self, n: u32) {
        self.trim_front(n);
    }

    fn divide(&mut self, tail: &mut Self, n: u32) -> bool {
        tail.stamped = self.stamped.saturating_sub(n);
        if tail.stamped == 0 {
            tail.stamps_ack = 0;
            return false;
        }
        self.stamped = 0;
        self.stamps_ack = 0;
        true
    }

    fn gathered(&self, len: u32) -> Self {
        Self {
            offset: 0,
            len,
            ..*self
        }
    }
}
