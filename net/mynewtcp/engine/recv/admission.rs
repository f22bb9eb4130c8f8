// SPDX-License-Identifier: GPL-2.0

//! Room for what arrives: a peer that sends much packing and little payload must not get more
//! memory than the receive buffer has, nor keep us busy.
//!
//! When the buffer is full by what it costs, in this order: small buffers are merged; the buffer
//! grows, if it may; the highest out-of-order data is thrown away; the segment is. Merging costs
//! as much as there are octets, so an eighth of the buffer must have been filled since the last
//! time; and at least an eighth is thrown away at once. Both together keep the work per segment
//! at O(log n), amortised.

use crate::engine::buffer::{
    Context,
    Payload,
    Shell,
    Shortage, //
};
use crate::engine::counters::Counter;
use crate::engine::recv::Receive;
use crate::engine::seq::SeqNum;

/// Whether there is room for `payload`, which begins at `start`; makes room if need be.
#[inline(always)]
pub(crate) fn admit<S: Shell>(
    receive: &mut Receive,
    cx: &mut Context<'_, S>,
    start: SeqNum,
    payload: &S::Payload,
) -> bool {
    let cost = payload.cost();
    let tuning = &mut receive.tuning;
    tuning.uncollapsed = tuning.uncollapsed.saturating_add(cost);
    let shortage = match cx.shell.reserve(payload) {
        Ok(()) => return true,
        Err(shortage) => shortage,
    };
    admit_scarcely(receive, cx, start, payload, shortage)
}

/// The same when there is no room.
#[cold]
#[inline(never)]
fn admit_scarcely<S: Shell>(
    receive: &mut Receive,
    cx: &mut Context<'_, S>,
    start: SeqNum,
    payload: &S::Payload,
    shortage: Shortage,
) -> bool {
    if start == receive.nxt && cx.shell.unread() == 0 && is_least(cx, payload, shortage) {
        return true;
    }
    cx.shell.count(Counter::PruneCalled, 1);
    receive.ack.leave_quick();
    make_room(receive, cx, start, payload, shortage)
}

/// Whether a reader who has nothing else to read gets `payload` although memory is short: only
/// readers free memory. With nothing left in the pool it is what was promised, or one segment:
/// a peer that gets no answer to several sends one.
fn is_least<S: Shell>(cx: &Context<'_, S>, payload: &S::Payload, shortage: Shortage) -> bool {
    match shortage {
        Shortage::Buffer => true,
        Shortage::Pool => payload.segments() <= 1 || payload.cost() <= cx.shell.promised(),
    }
}

fn make_room<S: Shell>(
    receive: &mut Receive,
    cx: &mut Context<'_, S>,
    start: SeqNum,
    payload: &S::Payload,
    shortage: Shortage,
) -> bool {
    let least = cx.shell.capacity() / 8;
    if receive.tuning.uncollapsed >= least {
        receive.tuning.uncollapsed = 0;
        let freed = cx.shell.collapse();
        cx.shell.count(Counter::RcvCollapsed, freed);
        if freed > 0 && cx.shell.reserve(payload).is_ok() {
            return true;
        }
    }
    if shortage == Shortage::Buffer {
        let limit = cx.shell.capacity_limit();
        let wanted = cx.shell.memory_used().saturating_add(payload.cost());
        if cx.config.moderate_rcvbuf && cx.shell.capacity() < limit {
            cx.shell.set_capacity(wanted.min(limit));
        }
        if cx.shell.reserve(payload).is_ok() {
            return true;
        }
        receive.tuning.on_overrun();
    }
    while prune(receive, cx, start, least) {
        if cx.shell.reserve(payload).is_ok() {
            return true;
        }
    }
    cx.shell.count(Counter::RcvPruned, 1);
    false
}

/// Throws the highest out-of-order data away, down to `start`, at least `least` octets of memory
/// if there are so many. True if there were any.
///
///   "the data receiver is permitted to discard data in its queue that has not been acknowledged
///   to the data sender, even if the data has already been reported in a SACK option" (RFC 2018,
///   section 8)
fn prune<S: Shell>(
    receive: &mut Receive,
    cx: &mut Context<'_, S>,
    start: SeqNum,
    least: u32,
) -> bool {
    let mut freed = 0u32;
    let mut end = None;
    while let Some(last) = cx.shell.ooo_last() {
        let enough = freed >= least && end.is_some();
        if enough || start.after(last.start()) {
            break;
        }
        let Some(piece) = cx.shell.ooo_remove(last.start()) else {
            break;
        };
        freed = freed.saturating_add(piece.cost().max(1));
        end = Some(last.start());
    }
    let Some(end) = end else {
        return false;
    };
    cx.shell.count(Counter::OfoPruned, 1);
    receive.forget_blocks_from(end, cx.shell);
    true
}
