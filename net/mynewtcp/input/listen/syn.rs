// SPDX-License-Identifier: GPL-2.0

//! SYNs that reach a listener: whether one is remembered, answered with a cookie or dropped, and
//! the half-open connection that is made of it.

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::demux;
use crate::endpoint::{
    mss_of_mtu,
    now,
    parameters_of,
    Locked,
    Request,
    RequestRef,
    SaveSyn,
    SavedSyn,
    Slot,
    Sock, //
};
use crate::engine::config::Parameters;
use crate::engine::listener::HalfOpen;
use crate::engine::seq::SeqNum;
use crate::engine::wire::{
    Control,
    Segment,
    Transmit, //
};
use crate::linux::addr::Flow;
use crate::linux::demux::FlowHash;
use crate::linux::route::KeptRoute;
use crate::linux::skb::{
    reason,
    SkBuff, //
};
use crate::memory::windows_of;
use crate::mib::Event;
use crate::output::{
    ports_of,
    Header, //
};
use crate::tuning::{
    RouteWishes,
    Tuned, //
};

use super::{
    cookies,
    count_sent,
    note,
    refuse,
    send,
    wished_mss, //
};

/// There are as many half-open connections as there may be.
fn is_syn_queue_full(sk: &mut Locked<'_>) -> bool {
    let half_open = sk.shared().half_open();
    let most = sk.endpoint().get_mut().values().config.max_syn_backlog;
    half_open > sk.shared().backlog() || half_open >= most
}

/// What to do about a SYN.
enum Admission {
    /// Remember it.
    Remember,
    /// Answer it and forget it.
    Cookie,
    /// Drop it.
    Refuse,
}

/// Decides what a SYN is worth. One that takes the place of an old connection is no flood.
fn admission(sk: &mut Locked<'_>, replaces: bool) -> Admission {
    let syncookies = sk.endpoint().get_mut().values().config.syncookies;
    let is_full = !replaces && is_syn_queue_full(sk);
    if is_full {
        tell_of_flood(sk, syncookies != cookies::NEVER);
        note(
            sk,
            match syncookies {
                cookies::NEVER => Event::ReqQFullDrop,
                _ => Event::ReqQFullDoCookies,
            },
        );
    }
    if is_full && syncookies == cookies::NEVER {
        return Admission::Refuse;
    }
    if sk.shared().is_accept_queue_full() {
        note(sk, Event::ListenOverflows);
        return Admission::Refuse;
    }
    if is_full || (syncookies == cookies::ALWAYS && !replaces) {
        Admission::Cookie
    } else {
        Admission::Remember
    }
}

fn tell_of_flood(sk: &mut Locked<'_>, sends_cookies: bool) {
    if sk.shared().tell_of_flood() {
        kernel::pr_info!(
            "port {}: {} half-open connections, the limit is {} (listen's backlog) or {} \
             (net.mynewtcp.max_syn_backlog): {}\n",
            sk.local().port,
            sk.shared().half_open(),
            sk.shared().backlog(),
            sk.endpoint().tuned.config().max_syn_backlog,
            if sends_cookies {
                "sending cookies"
            } else {
                "dropping SYNs"
            }
        );
    }
}

/// A segment that belongs to no connection has reached the listener.
#[inline]
pub(super) fn on_syn(
    sk: &mut Locked<'_>,
    skb: SkBuff,
    segment: &Segment,
    hash: Option<FlowHash>,
    iss_floor: Option<SeqNum>,
) {
    if segment.control != Control::Syn || segment.ack.is_some() {
        refuse(sk, skb, segment);
        return;
    }
    let done = match admission(sk, iss_floor.is_some()) {
        Admission::Remember => admit(sk, &skb, segment, hash, iss_floor),
        Admission::Cookie => cookies::send(sk, &skb, segment),
        Admission::Refuse => {
            note(sk, Event::ListenDrops);
            skb.drop_with(reason::LISTEN_OVERFLOW);
            return;
        }
    };
    if done.is_err() {
        note(sk, Event::ListenDrops);
        skb.drop_with(reason::NOT_SPECIFIED);
    } else {
        skb.reuse();
    }
}

/// Makes a half-open connection of a SYN and answers it.
fn admit(
    sk: &mut Locked<'_>,
    skb: &SkBuff,
    segment: &Segment,
    hash: Option<FlowHash>,
    iss_floor: Option<SeqNum>,
) -> Result {
    let flow = key_of(sk, *skb.rx().flow());
    let Origin {
        mut parameters,
        tuned,
        route,
    } = origin_of(sk, &flow, skb)?;
    if let Some(floor) = iss_floor {
        parameters.iss = parameters.iss.latest(floor);
    }
    let now = now();
    let half_open = HalfOpen::on_syn(now, tuned.config(), &parameters, segment);
    let mut half_open = half_open.ok_or(EINVAL)?;
    let transmit = half_open.transmit(now, tuned.config());
    let request = remember(sk, &flow, skb, hash, half_open, parameters, tuned)?;
    match &route {
        Some(route) if sk.endpoint().tuned.values().loopback_fast_path => {
            send_by(sk, &request, route, &transmit);
        }
        Some(_) | None => send(sk, &request, &transmit),
    }
    request.arm(half_open.deadline().as_nanos());
    let wish = sk.endpoint().switches.save_syn;
    let mut guard = request.lock();
    guard.route = route;
    if wish != SaveSyn::No {
        guard.saved_syn = save_syn(skb, wish);
    }
    Ok(())
}

/// The headers of a SYN. Without memory for them there is nothing to read later, as with a SYN
/// that was answered with a cookie.
fn save_syn(skb: &SkBuff, wish: SaveSyn) -> Option<SavedSyn> {
    let headers = skb.headers(wish == SaveSyn::FromLink)?;
    let mut saved = KVec::with_capacity(headers.len(), GFP_ATOMIC).ok()?;
    saved.extend_from_slice(headers, GFP_ATOMIC).ok()?;
    KBox::new(saved, GFP_ATOMIC).ok()
}

/// What a half-open connection is made of.
pub(super) struct Origin {
    pub(super) parameters: Parameters,
    pub(super) tuned: Arc<Tuned>,
    /// The route, if its socket can have it.
    route: Option<KeptRoute>,
}

/// What a connection to the far end of `flow`, where `skb` has come from, is born with, and what it is tuned with: as the
/// listener, unless the route wants something.
#[inline]
pub(super) fn origin_of(sk: &mut Locked<'_>, flow: &Flow, skb: &SkBuff) -> Result<Origin> {
    let route = sk.route_to(flow, skb)?;
    let wishes = route.metrics.as_ref().map(RouteWishes::of);
    let path_mss = wished_mss(sk, mss_of_mtu(route.mtu, route.header_len));
    let advertised = wished_mss(sk, mss_of_mtu(route.advertised_mtu, route.header_len));
    let mut windows = windows_of(sk);
    let endpoint = sk.endpoint();
    let mut tuned = endpoint.tuned.clone();
    if let Some(wishes) = wishes {
        windows = wishes.limit(windows, advertised);
        endpoint.namespace.tuning.heed(&mut tuned, Some(wishes))?;
    }
    let size = route.gso_max_size;
    Ok(Origin {
        parameters: parameters_of(flow, path_mss, advertised, size, windows),
        tuned,
        route: route.kept,
    })
}

/// Puts a half-open connection of this listener into the table.
#[inline]
pub(super) fn remember(
    sk: &mut Locked<'_>,
    flow: &Flow,
    skb: &SkBuff,
    hash: Option<FlowHash>,
    half_open: HalfOpen,
    parameters: Parameters,
    tuned: Arc<Tuned>,
) -> Result<RequestRef> {
    let (ctx, _) = sk.split();
    let request = Request {
        half_open,
        parameters,
        tuned,
        slot: Some(Slot::new(ctx.sock_ref())),
        saved_syn: None,
        route: None,
    };
    demux::enter_request(flow, ctx, skb, hash, request)
}

/// The key of a half-open connection: as with sockets, the interface is part of it only where
/// the listener or the addresses are tied to one.
pub(super) fn key_of(sk: &Sock, flow: Flow) -> Flow {
    if flow.laddr.is_link_local() || flow.raddr.is_link_local() {
        return flow;
    }
    Flow {
        ifindex: sk.bound_ifindex(),
        ..flow
    }
}

/// Sends the first answer, for which there is a route.
fn send_by(sk: &mut Locked<'_>, request: &RequestRef, route: &KeptRoute, transmit: &Transmit) {
    if let Ok(header) = Header::of(transmit, ports_of(request.flow())) {
        count_sent(sk, transmit);
        // A lost SYN-ACK is sent again by the timer, whatever lost it.
        let _ = sk.answer_syn(request, route, header.as_slice(), transmit.ecn.bits());
    }
}
