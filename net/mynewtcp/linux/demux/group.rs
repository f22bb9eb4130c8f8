// SPDX-License-Identifier: GPL-2.0

//! Listeners that share address and port (`SO_REUSEPORT`): the core's groups, which choose one
//! of their members for each connection, by a program if the user has attached one.
//!
//! A group's members are listeners of this protocol: sockets join it here only, as they enter
//! the table, and leave it as they leave the table.

use super::{
    link::{
        Link,
        ListenerKey, //
    },
    ref_of_raw, sock_of,
    table::Bucket,
};
use crate::linux::{
    addr::Flow,
    bindings as b,
    proto::Protocol,
    skb::SkBuff,
    sock::{
        Ctx,
        Sock,
        SockRef, //
    }, //
};
use kernel::{
    error::{
        to_result,
        Result, //
    },
    sync::rcu, //
};

/// A segment that wants a listener: what a program gets to see.
pub(crate) struct Asking<'a> {
    /// The packet, from its header on.
    pub(crate) skb: &'a mut SkBuff,
    /// Where its payload starts.
    pub(crate) header_len: u32,
}

/// Sockets with these in common share their connections.
fn is_companion<E: Protocol>(sk: &Sock<E>, other: &Sock<E>) -> bool {
    other.reuseport()
        && other.uid() == sk.uid()
        && other.is_v6() == sk.is_v6()
        && other.is_v6only() == sk.is_v6only()
}

/// Puts a socket that is about to enter `bucket` under `key` into the group of the listeners
/// there that it shares its place with, or into one of its own.
///
/// # Errors
///
/// `ENOMEM`; `ENOSPC` if there is no number left for a new group.
pub(super) fn join<E: Protocol>(
    ctx: &Ctx<'_, E>,
    bucket: &Bucket<'_>,
    key: &ListenerKey,
) -> Result {
    if !ctx.reuseport() {
        return Ok(());
    }
    let is_any = key.laddr.is_unspecified();
    let companion = bucket
        .iter()
        .filter(|link| link.listener_key().as_ref() == Some(key))
        .map(sock_of::<E>)
        .find(|&other| {
            // SAFETY: A socket in a bucket that is locked is alive.
            is_companion(ctx, unsafe { Sock::from_raw(other) })
        });
    // SAFETY: Both sockets are alive; the core has a lock of its own for groups.
    to_result(match companion {
        Some(other) => unsafe { b::reuseport_add_sock(ctx.as_raw(), other, is_any) },
        None => unsafe { b::reuseport_alloc(ctx.as_raw(), is_any) },
    })
}

/// Takes a socket that leaves the table out of its group.
pub(super) fn quit<E: Protocol>(ctx: &Ctx<'_, E>) {
    if ctx.is_grouped() {
        // SAFETY: The socket is alive; the core has a lock of its own for groups.
        unsafe { b::reuseport_detach_sock(ctx.as_raw()) };
    }
}

/// The member of the group of `link` that is to have a connection: the choice of the user's
/// program, or else of the hash of `flow`. `None` for a listener that does not share.
pub(super) fn choose<E: Protocol>(
    _rcu: &rcu::Guard,
    link: &Link,
    flow: &Flow,
    asking: Option<&mut Asking<'_>>,
) -> Option<SockRef<E>> {
    let raw = sock_of::<E>(link);
    // SAFETY: The link is embedded in a socket, which the guard keeps from being freed.
    let sk: &Sock<E> = unsafe { Sock::from_raw(raw) };
    if !sk.reuseport() {
        return None;
    }
    let (skb, header_len) = match asking {
        Some(asking) => (asking.skb.as_raw(), asking.header_len as i32),
        None => (core::ptr::null_mut(), 0),
    };
    // SAFETY: The socket is not freed under RCU, nor are the members of its group; the packet is
    // in exclusive use and is back at its header afterwards.
    let chosen = unsafe { b::newtcp_reuseport_select(raw, flow.hash(), skb, header_len) };
    if chosen.is_null() {
        return None;
    }
    // SAFETY: Members are sockets of this protocol (see above), not freed under RCU.
    unsafe { ref_of_raw(chosen) }
}
