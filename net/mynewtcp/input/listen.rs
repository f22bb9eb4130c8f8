// SPDX-License-Identifier: GPL-2.0

//! Segments for a listener, whose lock is held: SYNs make half-open connections, the
//! acknowledgments of our SYN-ACKs turn those into sockets that wait to be accepted. With too
//! many of them SYNs are answered and forgotten.
//!
//! - [`syn`]: what becomes of a SYN;
//! - [`cookies`]: those that are forgotten.

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::demux;
use crate::endpoint::drive;
use crate::endpoint::shell::EndpointShell;
use crate::endpoint::{
    now,
    superpacket_payload,
    Endpoint,
    Locked,
    Request,
    RequestRef,
    Sock,
    SockRef,
    TimeWaitRef, //
};
use crate::engine::buffer::Context;
use crate::engine::config::Parameters;
use crate::engine::counters::Counter;
use crate::engine::listener::{
    synack_retries,
    ClockFault,
    HalfOpen,
    HalfOpenTimeout,
    HalfOpenVerdict,
    TimeWaitVerdict, //
};
use crate::engine::seq::Mss;
use crate::engine::time::Instant;
use crate::engine::wire::{
    Control,
    Segment,
    Transmit, //
};
use crate::input::{
    reset,
    time_wait,
    to_connection, //
};
use crate::linux::demux::{
    Entry,
    FlowHash, //
};
use crate::linux::resident::Patience;
use crate::linux::rx;
use crate::linux::skb::{
    reason,
    SkBuff, //
};
use crate::linux::state;
use crate::mib::Event;
use crate::output::{
    ports_of,
    Header, //
};
use crate::tuning::Tuned;

mod cookies;
mod syn;

use syn::on_syn;

/// The listener that a half-open connection is for, if it still accepts connections.
#[inline]
pub(crate) fn listener_of(request: &RequestRef) -> Option<SockRef> {
    let listener = request.lock().listener()?;
    (listener.state() == state::LISTEN).then_some(listener)
}

/// A segment for this half-open connection has reached the listener at once, so that there is
/// no need to look again, unless it has gone out of the table meanwhile.
#[inline(never)]
pub(crate) fn receive_for(
    sk: &mut Locked<'_>,
    request: &RequestRef,
    skb: SkBuff,
    segment: &Segment,
) {
    if request.is_listed() {
        to_half_open(sk, request, skb, segment);
    } else {
        receive(sk, skb, segment);
    }
}

/// A segment that belongs to nothing in the table has reached the listener at once. If it is a
/// SYN there is no need to look again: should another have been faster, the table says so.
/// The hash of its flow may be known.
#[inline(never)]
pub(crate) fn receive_new(
    sk: &mut Locked<'_>,
    skb: SkBuff,
    segment: &Segment,
    hash: Option<FlowHash>,
) {
    if segment.control == Control::Syn && segment.ack.is_none() {
        on_syn(sk, skb, segment, hash, None);
    } else {
        receive(sk, skb, segment);
    }
}

/// A segment has reached a listener. Not inlined: the objects that a handshake moves would make
/// the stack frame of every segment of every connection three times as large.
#[inline(never)]
pub(crate) fn receive(sk: &mut Locked<'_>, skb: SkBuff, segment: &Segment) {
    match demux::lookup(skb.rx().flow()) {
        Some(Entry::Request(request)) => to_half_open(sk, &request, skb, segment),
        Some(Entry::TimeWait(waiting)) => match verdict_again(sk, &waiting, segment) {
            TimeWaitVerdict::Reuse { iss_floor } => {
                demux::kill_time_wait(&waiting);
                on_syn(sk, skb, segment, None, Some(iss_floor));
            }
            TimeWaitVerdict::Forget => {
                demux::kill_time_wait(&waiting);
                skb.drop_with(reason::TIME_WAIT);
            }
            // It has asked for a new connection, and got another answer a moment ago.
            TimeWaitVerdict::Drop
            | TimeWaitVerdict::Limited
            | TimeWaitVerdict::Ack(_)
            | TimeWaitVerdict::Reset(_) => {
                skb.drop_with(reason::TIME_WAIT);
            }
        },
        // The handshake was completed while the segment waited for the listener.
        Some(Entry::Sock(child)) => {
            if rx::deliver_to_child(&child, skb).is_err() {
                note(sk, Event::BacklogDrop);
            }
        }
        None => on_syn(sk, skb, segment, None, None),
    }
}

fn verdict_again(sk: &mut Locked<'_>, waiting: &TimeWaitRef, segment: &Segment) -> TimeWaitVerdict {
    time_wait::verdict(waiting, segment, &sk.endpoint().namespace)
}

fn note(sk: &mut Locked<'_>, event: Event) {
    sk.endpoint().namespace.note(event);
}

/// A segment that opens no connection, unless it completes a handshake that was forgotten. A
/// listener answers only those that acknowledge something; others "should not arrive, and should
/// be dropped" (RFC 9293, 3.10.7.2).
fn refuse(sk: &mut Locked<'_>, skb: SkBuff, segment: &Segment) {
    if let Some(request) = cookies::take(sk, &skb, segment) {
        to_half_open(sk, &request, skb, segment);
        if request.is_listed() {
            // It is as easily remembered the next time.
            demux::forget_request(&request);
        }
        return;
    }
    if segment.ack.is_some() {
        answer_with_reset(sk, &skb, segment);
    }
    skb.drop_with(reason::BAD_FLAGS);
}

fn answer_with_reset(sk: &mut Locked<'_>, skb: &SkBuff, segment: &Segment) {
    let namespace = sk.endpoint().namespace.clone();
    let rx = skb.rx();
    if rx.may_reply(skb) {
        reset(skb, &rx, &namespace, segment);
    }
}

/// `mss`, but not more than the user asked for.
pub(crate) fn wished_mss(sk: &mut Locked<'_>, mss: Mss) -> Mss {
    match sk.endpoint().switches.maxseg {
        0 => mss,
        wish => mss.smallest(Mss::new(wish)),
    }
}

/// Sends the SYN-ACK, for the first time or again. If it does not get out, the timer tries again.
fn answer(listener: &Sock, request: &RequestRef, now: Instant) {
    let mut guard = request.lock();
    let Request {
        half_open, tuned, ..
    } = &mut *guard;
    let transmit = half_open.transmit(now, tuned.config());
    let deadline = half_open.deadline();
    drop(guard);
    send(listener, request, &transmit);
    request.arm(deadline.as_nanos());
}

fn send(listener: &Sock, request: &RequestRef, transmit: &Transmit) {
    if let Ok(header) = Header::of(transmit, ports_of(request.flow())) {
        count_sent(listener, transmit);
        // A lost SYN-ACK is sent again by the timer, whatever lost it.
        let _ = request.transmit(listener, header.as_slice(), transmit.ecn.bits());
    }
}

/// Half-open connections count what they send as connections do.
fn count_sent(listener: &Sock, transmit: &Transmit) {
    let Some(per_net) = listener.net().get::<Endpoint>() else {
        return;
    };
    let namespace = &per_net.namespace;
    match (transmit.control, transmit.retransmission) {
        (Control::Rst, _) => namespace.count(Counter::OutRsts, 1),
        (Control::Syn, true) => {
            namespace.count(Counter::RetransSegs, 1);
            namespace.count(Counter::SynRetrans, 1);
        }
        (Control::None | Control::Syn | Control::Fin, _) => namespace.count(Counter::OutSegs, 1),
    }
}

fn note_clock_fault(sk: &mut Locked<'_>, fault: ClockFault) {
    match fault {
        ClockFault::Missing => {}
        ClockFault::Old => sk.endpoint().namespace.count(Counter::PawsEstab, 1),
        ClockFault::Echo => note(sk, Event::TsEcrRejected),
    }
}

#[inline]
fn to_half_open(sk: &mut Locked<'_>, request: &RequestRef, skb: SkBuff, segment: &Segment) {
    let now = now();
    let (fault, verdict) = {
        let mut guard = request.lock();
        let Request {
            half_open, tuned, ..
        } = &mut *guard;
        let fault = half_open.clock_fault(now, segment);
        let verdict = half_open.on_segment(now, tuned.config(), segment);
        (fault, verdict)
    };
    if let (Some(fault), false) = (fault, verdict == HalfOpenVerdict::Retransmit) {
        note_clock_fault(sk, fault);
    }
    match verdict {
        HalfOpenVerdict::Promote => {
            promote(sk, request, skb, segment, now);
            return;
        }
        HalfOpenVerdict::Retransmit => answer(sk, request, now),
        HalfOpenVerdict::Reply(transmit) => send(sk, request, &transmit),
        HalfOpenVerdict::Forget => {
            note(sk, Event::EmbryonicRsts);
            demux::forget_request(request);
        }
        HalfOpenVerdict::Limited => note(sk, Event::AckSkippedSynRecv),
        HalfOpenVerdict::Deferred => note(sk, Event::DeferAcceptDrop),
        HalfOpenVerdict::Drop => {}
    }
    skb.reuse();
}

/// The handshake is complete. Without room in the accept queue its last segment is dropped, the
/// peer or our timer will come back to it.
fn promote(
    sk: &mut Locked<'_>,
    request: &RequestRef,
    skb: SkBuff,
    segment: &Segment,
    now: Instant,
) {
    if sk.shared().is_accept_queue_full() {
        note(sk, Event::ListenOverflows);
        note(sk, Event::ListenDrops);
        turn_away(sk, request);
        skb.drop_with(reason::LISTEN_OVERFLOW);
        return;
    }
    let (half_open, mut parameters, tuned, route) = {
        let mut guard = request.lock();
        let tuned = guard.tuned.route().map(|_| guard.tuned.clone());
        (guard.half_open, guard.parameters, tuned, guard.route.take())
    };
    let (ctx, endpoint) = sk.split();
    let Ok(mut child) = ctx.clone_child(request, &skb, endpoint.child(), route) else {
        note(sk, Event::ListenDrops);
        skb.drop_with(reason::NOT_SPECIFIED);
        return;
    };
    child.shared().inherit(sk.shared());
    parameters.gso_max_size = superpacket_payload(request.flow(), child.max_gso_size());
    let born = Birth {
        request,
        half_open,
        tuned,
        segment,
        now,
    };
    if connect_child(sk, &mut child, &born, &parameters).is_err() {
        demux::leave_for_good(&mut child);
        child.discard();
        note(sk, Event::ListenDrops);
        skb.drop_with(reason::NOT_SPECIFIED);
        return;
    }
    to_connection(&mut child, skb, segment, now);
    drive::rest(&mut child);
    let child = child.unlock();
    let (ctx, endpoint) = sk.split();
    if endpoint.get_mut().accept_queue.push(child).is_err() {
        return;
    }
    let ready = ctx.shared().ready().saturating_add(1);
    ctx.shared().set_ready(ready);
    ctx.show_backlog(ready, ctx.shared().backlog());
    ctx.data_ready();
}

/// There is no room in the accept queue for a connection whose handshake is complete.
fn turn_away(sk: &mut Locked<'_>, request: &RequestRef) {
    if sk.endpoint().get_mut().values().config.abort_on_overflow {
        let refusal = request.lock().half_open.refusal();
        send(sk, request, &refusal);
        note(sk, Event::EmbryonicRsts);
        demux::forget_request(request);
    } else {
        request.lock().half_open.note_acked();
    }
}

/// What a child comes from.
struct Birth<'a> {
    request: &'a RequestRef,
    half_open: HalfOpen,
    /// What its route wanted, if that was anything.
    tuned: Option<Arc<Tuned>>,
    /// The last segment of the handshake, and when it came.
    segment: &'a Segment,
    now: Instant,
}

/// Gives the child its connection and the half-open one's place in the tables.
fn connect_child(
    listener: &Sock,
    child: &mut Locked<'_>,
    born: &Birth<'_>,
    parameters: &Parameters,
) -> Result {
    let Birth {
        request,
        half_open,
        tuned,
        segment,
        now,
    } = born;
    let now = *now;
    let (ctx, endpoint) = child.split();
    let endpoint = endpoint.get_mut();
    if let Some(tuned) = tuned {
        if let Some(route) = tuned.route() {
            ctx.shared().clamp_window(route.window);
        }
        endpoint.tuned = tuned.clone();
    }
    // What may fail comes first: after the promotion the peer's next segment finds no half-open
    // connection to try again with.
    endpoint.begin(&half_open.parameters(parameters), Patience::NONE)?;
    demux::ports::inherit(listener, child)?;
    let saved_syn = demux::promote(request, child)?;
    let (ctx, endpoint) = child.split();
    let endpoint = endpoint.get_mut();
    let mut shell = EndpointShell {
        queues: ctx.queues(),
        namespace: &endpoint.namespace,
    };
    let mut cx = Context {
        now,
        config: endpoint.tuned.config(),
        shell: &mut shell,
    };
    if let Some(connection) = endpoint.connection.get_mut() {
        half_open.open(&mut cx, connection, segment);
    }
    endpoint.saved_syn = saved_syn;
    crate::socket::options::apply(child, now);
    Ok(())
}

/// The timer of a half-open connection has run out, or someone thought so.
pub(crate) fn on_timer(request: &RequestRef) {
    let Some(listener) = listener_of(request) else {
        demux::forget_request(request);
        return;
    };
    let now = now();
    let (verdict, deadline) = {
        let mut guard = request.lock();
        let Request {
            half_open,
            tuned,
            slot,
            parameters: _,
            saved_syn: _,
            route: _,
        } = &mut *guard;
        let (shared, config) = (listener.shared(), tuned.config());
        let backlog = shared.backlog().min(config.max_syn_backlog);
        let retries = synack_retries(config, shared.half_open(), shared.young(), backlog);
        let verdict = half_open.on_timeout_within(now, config, retries);
        if let (false, Some(slot)) = (half_open.is_young(), slot) {
            slot.grow_old();
        }
        (verdict, half_open.deadline())
    };
    match verdict {
        HalfOpenTimeout::Early => request.arm(deadline.as_nanos()),
        HalfOpenTimeout::Retransmit => answer(&listener, request, now),
        HalfOpenTimeout::GiveUp => demux::forget_request(request),
    }
}
