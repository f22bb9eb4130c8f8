// SPDX-License-Identifier: GPL-2.0

//! What ICMP says about our packets. Who believes every message can be talked out of every
//! connection, so a message counts only if it quotes a sequence number that is in flight, and an
//! established connection takes it as a hint, not as an order (RFC 5927).

use crate::demux;
use crate::endpoint::drive::drive;
use crate::endpoint::{
    mss_of_mtu,
    superpacket_payload,
    with_connection,
    Endpoint,
    Locked,
    SockRef, //
};
use crate::engine::error::IcmpError as Meaning;
use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};
use crate::input::listen::wished_mss;
use crate::linux::compat::prelude::*;
use crate::linux::demux::Entry;
use crate::linux::icmp::{
    IcmpError,
    Report, //
};
use crate::linux::sock::SockFlag;
use crate::linux::state;
use crate::mib::Event;

/// A message has arrived.
pub(crate) fn receive(error: &IcmpError<'_>) {
    match demux::lookup(&error.flow()) {
        Some(Entry::Sock(sk)) => to_sock(&sk, error),
        Some(Entry::Request(request)) => {
            let hard = matches!(error.report(), Report::Failed { hard: true, .. });
            let iss = request.lock().half_open.iss();
            if iss.raw() != error.seq() {
                note(error, Event::OutOfWindowIcmps);
            } else if hard {
                demux::forget_request(&request);
            }
        }
        Some(Entry::TimeWait(_)) => {}
        None => {
            error.count_unknown();
            note(error, Event::StrayIcmps);
        }
    }
}

fn note(error: &IcmpError<'_>, event: Event) {
    if let Some(per_net) = error.net().get::<Endpoint>() {
        per_net.namespace.note(event);
    }
}

fn to_sock(sk: &SockRef, error: &IcmpError<'_>) {
    if error.is_too_far(sk) {
        note(error, Event::MinTtlDrop);
        return;
    }
    // A message that comes while a process works on the socket is lost, like any packet may be;
    // only the path's MTU is kept for later, since waiting for the next message costs data.
    let handled = sk.try_softirq(|sk| to_locked(sk, error));
    match (handled, error.report()) {
        (Some(()), _) => {}
        (None, Report::TooBig(mtu)) => sk.shared().set_pending_mtu(mtu),
        (None, Report::Redirect | Report::Failed { .. }) => note(error, Event::LockDroppedIcmps),
    }
}

fn to_locked(sk: &mut Locked<'_>, error: &IcmpError<'_>) {
    if !is_in_flight(sk, SeqNum::new(error.seq())) {
        note(error, Event::OutOfWindowIcmps);
        return;
    }
    match error.report() {
        Report::TooBig(mtu) => path_narrowed(sk, mtu),
        Report::Redirect => sk.redirect(error),
        Report::Failed { err, .. } => failed(sk, error, err),
    }
}

/// The message quotes something that we sent and that is not acknowledged.
fn is_in_flight(sk: &mut Locked<'_>, seq: SeqNum) -> bool {
    sk.endpoint().connection().is_some_and(|connection| {
        SeqRange::between(connection.snd_una(), connection.snd_nxt())
            .is_some_and(|flight| flight.contains(seq))
    })
}

/// A hop takes packets of `mtu` octets only.
pub(crate) fn path_narrowed(sk: &mut Locked<'_>, mtu: u32) {
    if !sk.discovers_pmtu() || sk.state() == state::LISTEN || find_route(sk).is_err() {
        return;
    }
    sk.update_pmtu(mtu);
    // The route that the limit was noted on is another one than before.
    if find_route(sk).is_err() {
        return;
    }
    follow_route(sk);
    drive(sk);
}

/// Takes over what the route says of the path's MTU now. It may be more than before: a route
/// forgets after a while what ICMP has told it (RFC 1191, 6.3).
pub(crate) fn follow_route(sk: &mut Locked<'_>) {
    let mtu = sk.mtu();
    if mtu == 0 {
        return;
    }
    follow_device(sk);
    let path_mss = mss_of_mtu(mtu, sk.header_len());
    let path_mss = wished_mss(sk, path_mss);
    with_connection(sk, |connection, cx| {
        if connection.route_mss() != path_mss {
            connection.on_mtu_change(cx, path_mss);
        }
    });
}

/// Takes over how large a superpacket the device of the route takes. A new route, or what
/// ethtool and ip did to the device before the route was looked up, may have changed that.
#[inline]
pub(crate) fn follow_device(sk: &mut Locked<'_>) {
    let octets = superpacket_payload(&sk.flow(), sk.max_gso_size());
    let segments = u32::from(sk.max_gso_segs());
    if let Some(connection) = sk.endpoint().get_mut().connection.get_mut() {
        connection.set_superpacket(octets, segments);
    }
}

/// Sees to it that the socket has a route.
fn find_route(sk: &mut Locked<'_>) -> Result {
    if sk.mtu() == 0 {
        sk.new_ports()?;
    }
    Ok(())
}

/// Without IP_RECVERR a connection that stands takes the message as a hint only: it is the reason
/// that the user hears if the connection times out. Who has asked hears of every one at once, in
/// the error queue and as the socket's error (ip(7)).
fn failed(sk: &mut Locked<'_>, error: &IcmpError<'_>, err: Error) {
    let wants_all = error.queue(sk);
    let connecting = matches!(sk.state(), state::SYN_SENT | state::SYN_RECV);
    let quoted = SeqNum::new(error.seq());
    with_connection(sk, |connection, cx| {
        connection.on_icmp(cx, quoted, meaning(err));
    });
    if wants_all && !connecting && !sk.flag(SockFlag::Dead) {
        sk.set_err(err);
        sk.error_report();
    } else {
        sk.set_err_soft(err);
    }
    drive(sk);
}

/// The engine's word for an errno that ICMP gave.
fn meaning(err: Error) -> Meaning {
    match err {
        ENETUNREACH => Meaning::NetworkUnreachable,
        ENOPROTOOPT => Meaning::ProtocolUnreachable,
        ECONNREFUSED => Meaning::PortUnreachable,
        EACCES => Meaning::Prohibited,
        EPROTO => Meaning::ParameterProblem,
        _ => Meaning::HostUnreachable,
    }
}
