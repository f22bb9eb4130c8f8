// SPDX-License-Identifier: GPL-2.0

//! `setsockopt(2)` and `getsockopt(2)` at the level of the protocol: [`table`] says which options
//! there are, [`values`] what they do.

use crate::endpoint::drive::drive;
use crate::endpoint::{
    with_connection,
    with_connection_at,
    Locked,
    Sock, //
};
use crate::engine::time::Instant;
use crate::icmp::follow_device;
use crate::linux::compat::prelude::*;
use crate::linux::sock::SockFlag;
use crate::linux::sockopt::{
    OptIn,
    OptOut, //
};

mod congestion;
mod generic;
pub(crate) mod info;
mod table;
mod values;

use table::{
    find,
    Kind, //
};

/// Level of the options that all sockets have.
const SOL_SOCKET: i32 = 1;
/// Level of TCP's options, which ours are meant to be.
const SOL_TCP: i32 = 6;
/// Level of the options that only this protocol has.
const SOL_NEWTCP: i32 = 288;

/// SO_KEEPALIVE was switched.
pub(crate) fn keepalive(sk: &mut Locked<'_>, on: bool) {
    with_connection(sk, |connection, cx| connection.set_keepalive(cx, on));
    drive(sk);
}

/// Tells a new connection what was asked of its socket, or of the listener that it came from.
#[inline]
pub(crate) fn apply(sk: &mut Locked<'_>, now: Instant) {
    let switches = sk.endpoint().switches;
    let keepalive = sk.flag(SockFlag::KeepOpen);
    values::apply_window_clamp(sk);
    follow_device(sk);
    with_connection_at(sk, now, |connection, cx| {
        connection.set_nodelay(cx, switches.nodelay);
        connection.set_cork(cx, switches.cork);
        if !switches.quickack {
            connection.set_quick_ack(cx, false);
        }
        if keepalive {
            connection.set_keepalive(cx, true);
        }
    });
}

fn is_ours(level: i32) -> bool {
    level == SOL_TCP || level == SOL_NEWTCP
}

/// Sets an option of any level.
pub(crate) fn set(sk: &Sock, level: i32, name: i32, value: OptIn<'_>) -> Result {
    if level == SOL_SOCKET {
        return generic::set(sk, name, value);
    }
    if !is_ours(level) {
        return sk.ip_setsockopt(level, name, value);
    }
    match find(name) {
        Some(Kind::Data { set: Some(set), .. }) => set(sk, value),
        // As in Linux' TCP, a value that is no number is complained of first.
        None | Some(Kind::Data { set: None, .. } | Kind::Refused) => {
            value.read_i32().and(Err(ENOPROTOOPT))
        }
        Some(Kind::Int { range, set, .. }) => {
            let wanted = value.read_i32()?;
            if !range.contains(&wanted) {
                return Err(EINVAL);
            }
            set(&mut sk.lock(), wanted)
        }
    }
}

/// Reads an option of any level but SOL_SOCKET.
pub(crate) fn get(sk: &Sock, level: i32, name: i32, out: OptOut<'_>) -> Result {
    if !is_ours(level) {
        return sk.ip_getsockopt(level, name, out);
    }
    out.room()?;
    match find(name) {
        None | Some(Kind::Refused) => Err(ENOPROTOOPT),
        Some(Kind::Data { get, .. }) => get(sk, out),
        Some(Kind::Int { get, .. }) => {
            let value = get(&mut sk.lock());
            out.write_i32(value)
        }
    }
}
