// SPDX-License-Identifier: GPL-2.0

//! Puts received payload in order.
//!
//! Overlap policy: octets already held win over octets that come later, except that a new piece
//! replaces the old pieces that it covers whole. Each old piece is removed at most once, so the
//! work per segment is O(log n) amortised, whatever the pattern.

use crate::engine::buffer::{
    Context,
    Payload,
    Shell, //
};
use crate::engine::counters::Counter;
use crate::engine::recv::admission::admit;
use crate::engine::recv::duplicates::Noted;
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

/// Takes the payload that begins at `start`.
pub(crate) fn accept<S: Shell>(
    receive: &mut Receive,
    cx: &mut Context<'_, S>,
    start: SeqNum,
    mut payload: S::Payload,
) -> Accepted {
    note_old(receive, cx, SeqRange::new(start, payload.len()));
    let Some(range) = trim_to_window(receive, start, &mut payload) else {
        return Accepted::Nothing;
    };
    if range.start() == receive.nxt {
        accept_in_order(receive, cx, range, payload)
    } else {
        accept_out_of_order(receive, cx, range, payload)
    }
}

/// `range` has come although we have it: the next acknowledgment says so, if the peer wants that.
pub(crate) fn note_duplicate<S: Shell>(
    receive: &mut Receive,
    cx: &mut Context<'_, S>,
    range: SeqRange,
) {
    if !receive.sack || !cx.config.dsack {
        return;
    }
    match receive.duplicates.note(range, receive.nxt) {
        Noted::Old => cx.shell.count(Counter::DsackOldSent, 1),
        Noted::OutOfOrder => cx.shell.count(Counter::DsackOfoSent, 1),
        Noted::Joined => {}
    }
}

/// Octets of `range` in front of RCV.NXT have come before.
pub(crate) fn note_old<S: Shell>(receive: &mut Receive, cx: &mut Context<'_, S>, range: SeqRange) {
    let end = range.end().earliest(receive.nxt);
    if let Some(old) = SeqRange::between(range.start(), end) {
        note_duplicate(receive, cx, old);
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

fn accept_in_order<S: Shell>(
    receive: &mut Receive,
    cx: &mut Context<'_, S>,
    range: SeqRange,
    payload: S::Payload,
) -> Accepted {
    if !admit(receive, cx, range.start(), &payload)
        || cx.shell.deliver(range.start(), payload).is_err()
    {
        return Accepted::Refused;
    }
    receive.nxt = range.end();
    drain(receive, cx);
    receive.forget_delivered(cx.shell);
    let delivered = receive.nxt.distance_from(range.start());
    receive.tally.octets = receive.tally.octets.wrapping_add(u64::from(delivered));
    Accepted::InOrder(delivered)
}

/// Delivers the kept pieces that RCV.NXT has reached.
fn drain<S: Shell>(receive: &mut Receive, cx: &mut Context<'_, S>) {
    let reached = receive.nxt;
    while let Some(piece) = cx.shell.ooo_first() {
        if piece.start().after(receive.nxt) {
            break;
        }
        // The segment that closed the gap went on into what was kept.
        if let Some(twice) = SeqRange::between(piece.start(), piece.end().earliest(reached)) {
            note_duplicate(receive, cx, twice);
        }
        if piece.end().before_or_eq(receive.nxt) {
            cx.shell.count(Counter::OfoMerge, 1);
            if cx.shell.ooo_remove(piece.start()).is_none() {
                break;
            }
            continue;
        }
        if cx.shell.ooo_deliver(piece.start(), receive.nxt).is_err() {
            // It will have to come again: no more acknowledging it selectively.
            break;
        }
        receive.nxt = piece.end();
    }
}

fn accept_out_of_order<S: Shell>(
    receive: &mut Receive,
    cx: &mut Context<'_, S>,
    range: SeqRange,
    mut payload: S::Payload,
) -> Accepted {
    if cx
        .shell
        .ooo_floor(range.start())
        .is_some_and(|held| held.covers(range))
    {
        cx.shell.count(Counter::OfoMerge, 1);
        note_duplicate(receive, cx, range);
        note_block(receive, range);
        return Accepted::Nothing;
    }
    if !admit(receive, cx, range.start(), &payload) {
        cx.shell.count(Counter::OfoDrop, 1);
        return Accepted::Refused;
    }
    let rest = fit_between(receive, cx, range, &mut payload);
    if rest.is_empty() {
        note_block(receive, range);
        return Accepted::Nothing;
    }
    if cx.shell.ooo_insert(rest.start(), payload).is_err() {
        // Pieces that this one replaced may be gone with it.
        receive.blocks.retain(|block| !block.touches(range));
        cx.shell.count(Counter::OfoDrop, 1);
        return Accepted::Refused;
    }
    receive.tally.out_of_order = receive.tally.out_of_order.wrapping_add(1);
    note_block(receive, range);
    Accepted::OutOfOrder
}

/// Cuts `payload` to what no piece has, after removing those that it covers whole.
fn fit_between<S: Shell>(
    receive: &mut Receive,
    cx: &mut Context<'_, S>,
    range: SeqRange,
    payload: &mut S::Payload,
) -> SeqRange {
    let (mut start, mut end) = (range.start(), range.end());
    if let Some(before) = cx.shell.ooo_floor(start) {
        // A piece that begins where this one does is shorter: it is replaced below.
        if before.start() != start && before.end().after(start) {
            note_duplicate(
                receive,
                cx,
                SeqRange::new(start, before.end().distance_from(start)),
            );
            payload.trim_front(before.end().distance_from(start));
            start = before.end();
        }
    }
    while let Some(after) = cx.shell.ooo_ceiling(start) {
        if after.start().after_or_eq(end) {
            break;
        }
        let shared = SeqRange::between(after.start(), after.end().earliest(end));
        note_duplicate(receive, cx, shared.unwrap_or_default());
        if after.end().after(end) {
            payload.trim_back(end.distance_from(after.start()));
            end = after.start();
            break;
        }
        cx.shell.count(Counter::OfoMerge, 1);
        if cx.shell.ooo_remove(after.start()).is_none() {
            break;
        }
    }
    SeqRange::between(start, end).unwrap_or_default()
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
