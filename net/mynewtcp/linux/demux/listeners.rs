// SPDX-License-Identifier: GPL-2.0

//! Which listener a SYN is for.

use super::{
    link::{
        devices_meet,
        Kind,
        Link,
        ListenerKey,
        Place, //
    },
    sock_of,
    sock_ref_of,
    Demux,
    LISTENERS, //
};
use crate::linux::{
    addr::{
        local_hash,
        Flow, //
    },
    bindings as b,
    compat::prelude::*,
    proto::Protocol,
    sock::{
        Ctx,
        Sock,
        SockRef, //
    }, //
};
use kernel::sync::rcu;

/// How well a listener fits; more is better, `None` is not at all. An exact address counts more
/// than the wildcard of the packet's own IP version, that more than the wildcard of both, and a
/// device that was asked for more than any of these.
fn score<E: Protocol>(sk: &Sock<E>, key: &ListenerKey, flow: &Flow) -> Option<u32> {
    if key.lport != flow.lport
        || key.net != flow.net.bits()
        || !devices_meet(key.ifindex, flow.ifindex)
    {
        return None;
    }
    let address = if key.laddr == flow.laddr {
        3
    } else if !key.laddr.is_unspecified() {
        return None;
    } else if key.laddr.is_v4() == flow.is_v4() {
        2
    } else if flow.is_v4() && !sk.is_v6only() {
        1
    } else {
        return None;
    };
    Some(address + if key.ifindex != 0 { 4 } else { 0 })
}

impl<E: Protocol> Demux<E> {
    /// Enters the socket as a listener on its local address and port.
    ///
    /// # Errors
    ///
    /// `EISCONN` if the socket is in a table.
    pub(crate) fn insert_listener(&self, ctx: &mut Ctx<'_, E>) -> Result {
        let flow = ctx.flow();
        let link = &ctx.floor().link;
        if link.is_listed() {
            return Err(EISCONN);
        }
        let hash = flow.local_hash();
        let mut bucket = LISTENERS.lock(hash).ok_or(ENOMEM)?;
        link.set_key(Kind::Sock, &flow, hash);
        link.set_place(Place::Listeners);
        // SAFETY: The link is in no chain, this is the bucket of its hash, and the reference
        // keeps the socket, which is freed after a grace period.
        unsafe {
            b::newtcp_sock_hold(ctx.as_raw());
            bucket.push(link);
        }
        Ok(())
    }

    /// The listener that fits `flow` best. Among equals that share their port with
    /// `SO_REUSEPORT`, the hash of the flow decides, so that a connection always meets the same
    /// one.
    pub(crate) fn lookup_listener(&self, rcu: &rcu::Guard, flow: &Flow) -> Option<SockRef<E>> {
        let hash = local_hash(flow.net, flow.lport);
        let pick = flow.hash();
        loop {
            let link = best::<E>(rcu, flow, hash, pick)?;
            if let Some(sk) = sock_ref_of(link) {
                return Some(sk);
            }
            // It is being freed. If it still stood in the table, its reference would too.
            if link.is_listed() {
                return None;
            }
        }
    }
}

fn best<'r, E: Protocol>(
    rcu: &'r rcu::Guard,
    flow: &Flow,
    hash: u32,
    pick: u32,
) -> Option<&'r Link> {
    let mut best: Option<(u32, &'r Link)> = None;
    let mut equals = 1u32;
    let mut consider = |link: &'r Link| {
        // SAFETY: Links in this table are embedded in sockets, which the guard keeps from being
        // freed; only atomics and constants are read.
        let sk: &Sock<E> = unsafe { Sock::from_raw(sock_of::<E>(link)) };
        let Some(score) = link.listener_key().and_then(|key| score(sk, &key, flow)) else {
            return;
        };
        match best {
            Some((highest, _)) if score < highest => {}
            Some((highest, _)) if score == highest => {
                equals = equals.saturating_add(1);
                // The n-th equal takes over with a chance of one in n.
                let draw = pick.wrapping_mul(0x9e37_79b1).rotate_left(equals & 31);
                if sk.reuseport() && draw % equals == 0 {
                    best = Some((score, link));
                }
            }
            Some(_) | None => {
                equals = 1;
                best = Some((score, link));
            }
        }
    };
    LISTENERS.find(rcu, hash, |link| {
        if link.is_listed() {
            consider(link);
        }
        false
    });
    best.map(|(_, link)| link)
}
