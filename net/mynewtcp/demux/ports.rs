// SPDX-License-Identifier: GPL-2.0

//! The port space: who may share a port with whom, and picking one that nobody asked for.

use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

use crate::demux::{
    tables,
    take_over_time_wait, //
};
use crate::endpoint::{
    Ctx,
    Endpoint,
    Locked,
    Owned,
    Sock, //
};
use crate::engine::config::Config;
use crate::engine::seq::SeqNum;
use crate::linux::addr::{
    Flow,
    Ip, //
};
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
    let both_reuseport = sk.joins_others() && other.reuseport() && sk.uid() == other.uid();
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

/// All ports of the namespace's ephemeral range, from the one at `offset` on.
fn ephemeral(sk: &Sock, offset: u32) -> impl Iterator<Item = u16> {
    let (low, high) = sk.local_port_range();
    let count = u32::from(high.saturating_sub(low)) + 1;
    let offset = offset % count;
    (0..count).map(move |step| low.saturating_add(((offset + step) % count) as u16))
}

/// Tells the secrets of a destination from those of a connection.
const PORT_SALT: u32 = 0x100;

/// How far each group of destinations has come.
static STEPS: [Atomic<u32>; 1024] = [const { Atomic::new(0) }; 1024];

/// Where the search for a port to one destination starts: RFC 6056, 3.3.4, the double-hash
/// algorithm. The ports to one destination follow each other, so that one is used again as late
/// as possible, and say nothing about those to another.
struct Start {
    offset: u32,
    steps: &'static Atomic<u32>,
}

impl Start {
    fn of(flow: &Flow) -> Self {
        let destination = Flow { lport: 0, ..*flow };
        let (secret, group) = random::flow_secrets(&destination, PORT_SALT);
        let steps = STEPS.get(group as usize % STEPS.len()).unwrap_or(&STEPS[0]);
        Self {
            offset: secret.wrapping_add(steps.load(Relaxed)) & 0x7fff_ffff,
            steps,
        }
    }

    /// The port that was `tried` steps further has been taken. Now and then some are left out, so
    /// that a destination in the same group cannot count our connections to others.
    fn advance(&self, tried: u32) {
        let noise = match random::u32() % 16 {
            0 => random::u32() % 8,
            _ => 0,
        };
        let seen = self.steps.load(Relaxed);
        let next = seen.wrapping_add(tried).wrapping_add(1 + noise);
        self.steps.store(next, Relaxed);
    }
}

/// `bind` to `port`, or to any port if it is 0.
pub(crate) fn bind(sk: &mut Owned<'_>, port: u16) -> Result {
    if port != 0 {
        return try_port(sk, port, false);
    }
    for port in ephemeral(sk, random::u32() >> 1) {
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
/// the user has not bound one. Connections to different peers share ports. The result is the
/// lowest ISS for the connection, if it takes the place of one in TIME-WAIT.
pub(crate) fn connect(sk: &mut Owned<'_>) -> Result<Option<SeqNum>> {
    sk.endpoint().get_mut().values();
    let (ctx, endpoint) = sk.split();
    let config = endpoint.tuned.config();
    if ctx.local().port != 0 {
        return enter(ctx, config, true);
    }
    let start = Start::of(&ctx.flow());
    for (tried, port) in (0..).zip(ephemeral(ctx, start.offset)) {
        if ctx.net().is_reserved_port(port) {
            continue;
        }
        let taken = ports::ports::<Endpoint>().with(ctx, port, |ctx, owners| {
            if !owners.iter().all(|other| other.shared().is_port_shared()) {
                return Err(EADDRNOTAVAIL);
            }
            ctx.set_local_port(port);
            let entered = enter(ctx, config, false).and_then(|floor| match owners.add(ctx) {
                Ok(()) => Ok(floor),
                Err(e) => {
                    tables().remove(ctx);
                    Err(e)
                }
            });
            if entered.is_err() {
                ctx.set_local_port(0);
            }
            entered
        });
        if let Ok(floor) = taken {
            ctx.shared().set_port_shared(true);
            start.advance(tried);
            return Ok(floor);
        }
    }
    Err(EADDRNOTAVAIL)
}

/// Enters the socket into the table, in the place of a connection in TIME-WAIT if it must be.
#[inline]
fn enter(ctx: &mut Ctx<'_>, config: &Config, is_asked_for: bool) -> Result<Option<SeqNum>> {
    match tables().insert(ctx) {
        Ok(()) => Ok(None),
        Err(e) if e == EADDRNOTAVAIL => {
            let floor = take_over_time_wait(ctx, config, is_asked_for)?;
            tables().insert(ctx)?;
            Ok(Some(floor))
        }
        Err(e) => Err(e),
    }
}

/// A connection that was accepted shares its listener's port.
pub(crate) fn inherit(listener: &Sock, child: &mut Ctx<'_>) -> Result {
    let port = child.local().port;
    let ports = ports::ports::<Endpoint>();
    ports.share(listener, child).unwrap_or_else(|| {
        // The listener has just given it up.
        ports.with(child, port, |child, owners| owners.add(child))
    })
}

/// Gives the port back.
#[inline]
pub(crate) fn release(sk: &mut Ctx<'_>) {
    if sk.local().port != 0 {
        ports::ports::<Endpoint>().release(sk);
        sk.shared().set_port_shared(false);
    }
}
