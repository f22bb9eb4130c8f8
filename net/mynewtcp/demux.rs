// SPDX-License-Identifier: GPL-2.0

//! Who gets a segment. The tables are the kernel floor's, what may stand in them is decided here.
//!
//! - [`lingering`]: ports held by connections in TIME-WAIT;
//! - [`ports`]: which sockets may share a local port, and picking one.

use kernel::sync::rcu;

use crate::endpoint::{
    now,
    Ctx,
    Endpoint,
    Request,
    RequestRef,
    SavedSyn,
    Sock,
    SockRef,
    TimeWaitRef,
    Waiting, //
};
use crate::engine::config::Config;
use crate::engine::listener::TimeWait;
use crate::engine::seq::SeqNum;
use crate::linux::addr::Flow;
use crate::linux::compat::prelude::*;
use crate::linux::demux::{
    self,
    Asking,
    Demux,
    Entry,
    FlowHash, //
};
use crate::linux::mini::Mini;
use crate::linux::rx::Rx;
use crate::linux::skb::SkBuff;
use crate::mib::Event;

pub(crate) mod lingering;
pub(crate) mod ports;

use lingering::HeldPort;

/// The tables.
pub(crate) fn tables() -> &'static Demux<Endpoint> {
    demux::demux::<Endpoint>()
}

/// The connection between the two ends of `flow`, in whatever form it exists.
#[inline]
pub(crate) fn lookup(flow: &Flow) -> Option<Entry<Endpoint>> {
    tables().lookup(&rcu::read_lock(), flow, None)
}

/// The same for the receiver of a packet.
pub(crate) fn receiver_of(rx: &Rx<'_>) -> Option<Entry<Endpoint>> {
    tables().receiver(&rcu::read_lock(), rx)
}

/// The listener that best fits `flow`, to which a packet belongs whose header has `header_len`
/// bytes.
#[inline]
pub(crate) fn lookup_listener(flow: &Flow, skb: &mut SkBuff, header_len: u8) -> Option<SockRef> {
    let mut asking = Asking {
        skb,
        header_len: u32::from(header_len),
    };
    tables().lookup_listener(&rcu::read_lock(), flow, Some(&mut asking))
}

/// Puts a half-open connection into the table, unless the security policy objects to `skb`, the
/// SYN that it comes from. The hash of `flow` may be known.
pub(crate) fn enter_request(
    flow: &Flow,
    ctx: &mut Ctx<'_>,
    skb: &SkBuff,
    hash: Option<FlowHash>,
    request: Request,
) -> Result<RequestRef> {
    let mini = Mini::new(ctx.net(), *flow, request)?;
    ctx.may_connect(skb, &mini)?;
    tables().insert_request(&mini, hash)?;
    Ok(mini)
}

/// Forgets a half-open connection. Its listener has room for another at once.
pub(crate) fn forget_request(request: &RequestRef) {
    request.remove();
    drop(vacate(request));
}

/// Gives the listener its place back; the memory follows when nobody looks at it any more. The
/// SYN, if it was kept.
#[inline]
fn vacate(request: &RequestRef) -> Option<SavedSyn> {
    let (slot, saved_syn) = {
        let mut guard = request.lock();
        (guard.slot.take(), guard.saved_syn.take())
    };
    drop(slot);
    saved_syn
}

/// Puts the socket of an accepted connection into the place of the half-open one. The SYN, if it
/// was kept.
pub(crate) fn promote(request: &RequestRef, child: &mut Ctx<'_>) -> Result<Option<SavedSyn>> {
    tables().replace_request(request, child)?;
    Ok(vacate(request))
}

/// Forgets all half-open connections of a listener that is being closed.
pub(crate) fn forget_requests_of(listener: &Sock) {
    if listener.shared().half_open() == 0 {
        return;
    }
    tables().remove_requests(|request| {
        request
            .listener()
            .is_some_and(|other| core::ptr::eq(&*other, listener))
    });
}

/// Ends a connection in TIME-WAIT before its time.
pub(crate) fn kill_time_wait(waiting: &TimeWaitRef) {
    if let Some(port) = take_out(waiting) {
        port.namespace().note(Event::TimeWaitKilled);
    }
}

/// Forgets a connection in TIME-WAIT. Its port is free at once.
pub(crate) fn forget_time_wait(waiting: &TimeWaitRef) {
    drop(take_out(waiting));
}

/// Takes it out of the table, and its port to whoever comes first.
fn take_out(waiting: &TimeWaitRef) -> Option<HeldPort> {
    waiting.remove();
    waiting.lock().port.take()
}

/// The socket wants to connect where a connection in TIME-WAIT stands. If that may be taken over
/// (RFC 6191), it is forgotten, and the result is the lowest ISS for the new connection. The user
/// may have asked for that very port.
///
/// # Errors
///
/// `EADDRNOTAVAIL` if it may not, or if something else stands there.
pub(crate) fn take_over_time_wait(
    ctx: &mut Ctx<'_>,
    config: &Config,
    is_asked_for: bool,
) -> Result<SeqNum> {
    let flow = ctx.flow();
    let Some(Entry::TimeWait(waiting)) = lookup(&flow) else {
        return Err(EADDRNOTAVAIL);
    };
    let is_loopback = flow.laddr.is_loopback() || flow.raddr.is_loopback();
    let floor = waiting
        .lock()
        .time_wait
        .on_connect(now(), config, is_loopback, is_asked_for);
    let floor = floor.ok_or(EADDRNOTAVAIL)?;
    forget_time_wait(&waiting);
    Ok(floor)
}

/// Puts a connection in TIME-WAIT into the place of the socket that it was.
pub(crate) fn enter_time_wait(
    ctx: &mut Ctx<'_>,
    endpoint: &Endpoint,
    time_wait: TimeWait,
) -> Result {
    let flow = ctx.flow();
    let most = endpoint.tuned.config().max_tw_buckets;
    let waiting = Waiting {
        time_wait,
        tuned: endpoint.tuned.clone(),
        port: Some(HeldPort::new(&endpoint.namespace, &flow, ctx, most)?),
    };
    let mini = Mini::new(ctx.net(), flow, waiting)?;
    tables().replace_with_time_wait(ctx, &mini)?;
    mini.arm(time_wait.deadline().as_nanos());
    Ok(())
}

/// Takes a socket out of the tables and gives its port back, unless the user asked for that
/// very port.
pub(crate) fn leave(ctx: &mut Ctx<'_>) {
    tables().remove(ctx);
    if !ctx.is_port_locked() {
        ports::release(ctx);
    }
}

/// Takes a socket that its user has closed out of the tables, and gives its port back.
pub(crate) fn leave_for_good(ctx: &mut Ctx<'_>) {
    tables().remove(ctx);
    ports::release(ctx);
}
