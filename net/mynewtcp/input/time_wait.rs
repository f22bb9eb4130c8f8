// SPDX-License-Identifier: GPL-2.0

//! Segments and the timer of connections in TIME-WAIT, and of those without a user in
//! FIN-WAIT-2.

use crate::demux;
use crate::endpoint::{
    now,
    TimeWaitRef,
    Waiting, //
};
use crate::engine::counters::Counter;
use crate::engine::listener::TimeWaitVerdict;
use crate::engine::wire::{
    Segment,
    Transmit, //
};
use crate::input::{
    hand_over,
    take, //
};
use crate::linux::rx::Rx;
use crate::linux::skb::{
    reason,
    SkBuff, //
};
use crate::mib::{
    Event,
    Namespace, //
};
use crate::output::{
    ports_of,
    Header, //
};

/// What the small object makes of a segment; its timer follows its deadline.
pub(crate) fn verdict(
    waiting: &TimeWaitRef,
    segment: &Segment,
    namespace: &Namespace,
) -> TimeWaitVerdict {
    let now = now();
    let (verdict, deadline) = {
        let mut guard = waiting.lock();
        let Waiting {
            time_wait, tuned, ..
        } = &mut *guard;
        if time_wait.is_old(now, segment) {
            namespace.note(Event::PawsTimeWait);
        }
        let awaited_fin = time_wait.awaits_fin();
        let verdict = time_wait.on_segment(now, tuned.config(), segment);
        if awaited_fin && !time_wait.awaits_fin() {
            namespace.count(Counter::TimeWaits, 1);
        }
        match (verdict, awaited_fin) {
            (TimeWaitVerdict::Limited, false) => namespace.note(Event::AckSkippedTimeWait),
            (TimeWaitVerdict::Limited, true) => namespace.note(Event::AckSkippedFinWait2),
            (
                TimeWaitVerdict::Drop
                | TimeWaitVerdict::Forget
                | TimeWaitVerdict::Ack(_)
                | TimeWaitVerdict::Reset(_)
                | TimeWaitVerdict::Reuse { .. },
                _,
            ) => {}
        }
        (verdict, time_wait.deadline())
    };
    waiting.arm(deadline.as_nanos());
    verdict
}

/// A segment has arrived for a connection in TIME-WAIT.
pub(crate) fn receive(
    waiting: &TimeWaitRef,
    mut skb: SkBuff,
    rx: &Rx<'_>,
    namespace: &Namespace,
    segment: &Segment,
) {
    match verdict(waiting, segment, namespace) {
        TimeWaitVerdict::Drop | TimeWaitVerdict::Limited => {}
        TimeWaitVerdict::Forget => demux::kill_time_wait(waiting),
        TimeWaitVerdict::Ack(transmit) => {
            if rx.may_reply(&skb) {
                namespace.count(Counter::OutSegs, 1);
                reply(&skb, rx, &transmit);
            }
        }
        TimeWaitVerdict::Reset(transmit) => {
            demux::forget_time_wait(waiting);
            namespace.count(Counter::AbortOnData, 1);
            namespace.count(Counter::EstabResets, 1);
            if rx.may_reply(&skb) {
                namespace.count(Counter::OutRsts, 1);
                reply(&skb, rx, &transmit);
            }
        }
        TimeWaitVerdict::Reuse { iss_floor: _ } => {
            // The listener asks again, under its lock, and takes the object away.
            if let Some(listener) = demux::lookup_listener(rx.flow(), &mut skb, segment.header_len)
            {
                hand_over(&listener, skb, rx, namespace, segment, |sk, skb| {
                    take(sk, skb, segment);
                });
                return;
            }
        }
    }
    skb.drop_with(reason::TIME_WAIT);
}

fn reply(skb: &SkBuff, rx: &Rx<'_>, transmit: &Transmit) {
    if let Ok(header) = Header::of(transmit, ports_of(rx.flow())) {
        rx.reply(skb, header.as_slice());
    }
}

/// The timer has run out, or the deadline has moved since it was set.
pub(crate) fn on_timer(waiting: &TimeWaitRef) {
    let deadline = waiting.lock().time_wait.deadline();
    if deadline <= now() {
        demux::forget_time_wait(waiting);
    } else {
        waiting.arm(deadline.as_nanos());
    }
}
