// SPDX-License-Identifier: GPL-2.0

//! Puts received payload in order.
//!
//! Overlap policy: octets already held win over octets that come later, except that a new piece
//! replaces the old pieces that it covers whole. Each old piece is removed at most once, so the
//! work per segment is O(log n) amortised, whatever the pattern.

use crate::engine::buffer::{
    Payload,
    ReceiveQueue, //
};
use crate::engine::recv::Receive;
use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};

/// What became of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Accepted {
    /// The reader got this many octets more, and RCV.NXT has advanced.
    InOrder(u32),
    /// It is kept until the gap in front of it closes.
    OutOfOrder,
    /// We had all of it, or it is outside the window.
    Nothing,
    /// The store had no room.
    Refused,
}

/// Takes the payload that begins at `start` into `queue`.
pub(crate) fn accept<Q: ReceiveQueue>(
    receive: &mut Receive,
    queue: &mut Q,
    start: SeqNum,
    mut payload: Q::Payload,
) -> Accepted {
    let Some(range) = trim_to_window(receive, start, &mut payload) else {
        return Accepted::Nothing;
    };
    if range.start() == receive.nxt {
        accept_in_order(receive, queue, range, payload)
    } else {
        accept_out_of_order(receive, queue, range, payload)
    }
}

/// Cuts away what is in front of RCV.NXT, behind the right edge, or behind the peer's FIN.
fn trim_to_window<P: Payload>(
    receive: &Receive,
    start: SeqNum,
    payload: &mut P,
) -> Option<SeqRange> {
    let range = SeqRange::new(start, payload.len());
    let mut right = receive.window.right_edge(receive.nxt);
    if let Some(fin) = receive.fin {
        right = right.earliest(fin);
    }
    let first = range.start().latest(receive.nxt);
    let last = range.end().earliest(right);
    if !first.before(last) {
        return None;
    }
    payload.trim_front(first.distance_from(range.start()));
    payload.trim_back(range.end().distance_from(last));
    SeqRange::between(first, last)
}

fn accept_in_order<Q: ReceiveQueue>(
    receive: &mut Receive,
    queue: &mut Q,
    range: SeqRange,
    payload: Q::Payload,
) -> Accepted {
    if queue.deliver(range.start(), payload).is_err() {
        return Accepted::Refused;
    }
    receive.nxt = range.end();
    drain(receive, queue);
    forget_delivered(receive);
    Accepted::InOrder(receive.nxt.distance_from(range.start()))
}

/// Delivers the kept pieces that RCV.NXT has reached.
fn drain<Q: ReceiveQueue>(receive: &mut Receive, queue: &mut Q) {
    while let Some(piece) = queue.ooo_first() {
        if piece.start().after(receive.nxt) {
            break;
        }
        let Some(mut payload) = queue.ooo_remove(piece.start()) else {
            break;
        };
        if piece.end().before_or_eq(receive.nxt) {
            continue;
        }
        payload.trim_front(receive.nxt.distance_from(piece.start()));
        if queue.deliver(receive.nxt, payload).is_err() {
            // It will have to come again: no more acknowledging it selectively.
            let nxt = receive.nxt;
            receive.blocks.retain(|block| block.start().after(nxt));
            break;
        }
        receive.nxt = piece.end();
    }
}

/// Blocks say what is kept beyond RCV.NXT, and only that.
fn forget_delivered(receive: &mut Receive) {
    let nxt = receive.nxt;
    receive.blocks.retain(|block| block.start().after(nxt));
}

fn accept_out_of_order<Q: ReceiveQueue>(
    receive: &mut Receive,
    queue: &mut Q,
    range: SeqRange,
    mut payload: Q::Payload,
) -> Accepted {
    let (mut start, mut end) = (range.start(), range.end());
    if let Some(before) = queue.ooo_floor(start) {
        if before.end().after_or_eq(end) {
            note_block(receive, range);
            return Accepted::Nothing;
        }
        // A piece that begins where this one does is shorter: it is replaced below.
        if before.start() != start && before.end().after(start) {
            payload.trim_front(before.end().distance_from(start));
            start = before.end();
        }
    }
    while let Some(after) = queue.ooo_ceiling(start) {
        if after.start().after_or_eq(end) {
            break;
        }
        if after.end().after(end) {
            payload.trim_back(end.distance_from(after.start()));
            end = after.start();
            break;
        }
        if queue.ooo_remove(after.start()).is_none() {
            break;
        }
    }
    if start == end {
        note_block(receive, range);
        return Accepted::Nothing;
    }
    if queue.ooo_insert(start, payload).is_err() {
        // Pieces that this one replaced may be gone with it.
        receive.blocks.retain(|block| !block.touches(range));
        return Accepted::Refused;
    }
    note_block(receive, range);
    Accepted::OutOfOrder
}

/// Puts the block that holds `range` in front:
///
///   "The first SACK block [...] MUST specify the contiguous block of data containing the segment
///   which triggered this ACK" (RFC 2018, section 4)
fn note_block(receive: &mut Receive, range: SeqRange) {
    let mut block = range;
    let mut blocks = receive.blocks;
    // One pass is not enough: the union may touch a block that `range` did not.
    for _ in 0..blocks.len() {
        blocks.retain(|other| {
            let joined = other.touches(block);
            if joined {
                block = block.hull(other);
            }
            !joined
        });
    }
    blocks.push_front(block);
    receive.blocks = blocks;
}

#[cfg(test)]
mod tests;
