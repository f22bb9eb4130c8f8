// SPDX-License-Identifier: GPL-2.0

//! The port space: who may share a port with whom, and picking one that nobody asked for.

use crate::demux::tables;
use crate::endpoint::{
    Ctx,
    Endpoint,
    Locked,
    Owned,
    Sock, //
};
use crate::linux::addr::Ip;
use crate::linux::compat::prelude::*;
use crate::linux::ports;
use crate::linux::random;
use crate::linux::state;

/// One of two sockets accepts packets for an address that the other accepts too.
fn addresses_overlap(a: &Sock, b: &Sock) -> bool {
    accepts(a, &b.local().ip) || accepts(b, &a.local().ip)
}

/// `sk` accepts packets for `ip`, or for all addresses of its kind.
fn accepts(sk: &Sock, ip: &Ip) -> bool {
    let own = sk.local().ip;
    if own == *ip {
        return true;
    }
    if !own.is_unspecified() {
        return false;
    }
    if own.is_v4() {
        ip.is_v4()
    } else {
        !(sk.is_v6only() && ip.is_v4())
    }
}

/// Packets reach both of them through some device.
fn devices_overlap(a: &Sock, b: &Sock) -> bool {
    let (a, b) = (a.bound_ifindex(), b.bound_ifindex());
    a == 0 || b == 0 || a == b
}

/// `sk` must not have the port that `other` has. The rules are those of Linux' TCP; a `strict`
/// check is one for a port that nobody asked for by number, where there are others to choose.
fn conflicts(sk: &Sock, other: &Sock, strict: bool) -> bool {
    if !devices_overlap(sk, other) || !addresses_overlap(sk, other) {
        return false;
    }
    let both_reuse = sk.reuse() && other.reuse() && other.state() != state::LISTEN;
    let both_reuseport = sk.reuseport() && other.reuseport() && sk.uid() == other.uid();
    strict || !(both_reuse || both_reuseport)
}

/// A connection in TIME-WAIT holds the port against `sk`.
fn is_held(sk: &mut Locked<'_>, port: u16) -> bool {
    let namespace = sk.endpoint().namespace.clone();
    let own: &Sock = sk;
    namespace
        .lingering
        .objects(own, port, |ip| accepts(own, ip))
}

/// Gives `port` to the socket if no owner of it objects.
fn try_port(sk: &mut Locked<'_>, port: u16, strict: bool) -> Result {
    if is_held(sk, port) {
        return Err(EADDRINUSE);
    }
    ports::ports::<Endpoint>().with(sk, port, |sk, owners| {
        let own: &Sock = sk;
        if owners.iter().any(|other| conflicts(own, other, strict)) {
            return Err(EADDRINUSE);
        }
        owners.add(sk)
    })
}

/// All ports of the namespace's ephemeral range, from a random one on.
fn ephemeral(sk: &Sock) -> impl Iterator<Item = u16> {
    let (low, high) = sk.local_port_range();
    let count = u32::from(high.saturating_sub(low)) + 1;
    let offset = random::u32() % count;
    (0..count).map(move |step| low.saturating_add(((offset + step) % count) as u16))
}

/// `bind` to `port`, or to any port if it is 0.
pub(crate) fn bind(sk: &mut Owned<'_>, port: u16) -> Result {
    if port != 0 {
        return try_port(sk, port, false);
    }
    for port in ephemeral(sk) {
        if !sk.net().is_reserved_port(port) && try_port(sk, port, true).is_ok() {
            return Ok(());
        }
    }
    Err(EADDRINUSE)
}

/// Nobody who shares the port with a socket objects to its listening there.
pub(crate) fn may_listen(sk: &mut Owned<'_>) -> Result {
    let port = sk.local().port;
    ports::ports::<Endpoint>().with(sk, port, |sk, owners| {
        let own: &Sock = sk;
        let objects = |other: &Sock| !core::ptr::eq(own, other) && conflicts(own, other, false);
        if owners.iter().any(objects) {
            return Err(EADDRINUSE);
        }
        Ok(())
    })
}

/// Enters a connection that is about to be opened into the table, picking a local port first if
/// the user has not bound one. Connections to different peers share ports.
pub(crate) fn connect(sk: &mut Owned<'_>) -> Result {
    if sk.local().port != 0 {
        return tables().insert(sk);
    }
    for port in ephemeral(sk) {
        if sk.net().is_reserved_port(port) {
            continue;
        }
        let taken = ports::ports::<Endpoint>().with(sk, port, |sk, owners| {
            if !owners.iter().all(|other| other.shared().is_port_shared()) {
                return Err(EADDRNOTAVAIL);
            }
            sk.set_local_port(port);
            let entered = tables()
                .insert(sk)
                .and_then(|()| owners.add(sk).inspect_err(|_| tables().remove(sk)));
            if entered.is_err() {
                sk.set_local_port(0);
            }
            entered
        });
        if taken.is_ok() {
            sk.shared().set_port_shared(true);
            return Ok(());
        }
    }
    Err(EADDRNOTAVAIL)
}

/// A connection that was accepted shares its listener's port.
pub(crate) fn inherit(child: &mut Ctx<'_>) -> Result {
    let port = child.local().port;
    ports::ports::<Endpoint>().with(child, port, |child, owners| owners.add(child))
}

/// Gives the port back.
pub(crate) fn release(sk: &mut Ctx<'_>) {
    if sk.local().port != 0 {
        ports::ports::<Endpoint>().release(sk);
        sk.shared().set_port_shared(false);
    }
}
