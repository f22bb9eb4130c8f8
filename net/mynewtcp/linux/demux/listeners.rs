// SPDX-License-Identifier: GPL-2.0

//! Which listener a SYN is for.

use super::{
    group::{
        self,
        Asking, //
    },
    link::{
        devices_meet,
        Kind,
        Link,
        ListenerKey,
        Place, //
    },
    sock_of,
    sock_ref_of,
    take_table_reference,
    Demux,
    LISTENERS, //
};
use crate::linux::{
    addr::{
        local_hash,
        Flow, //
    },
    compat::prelude::*,
    proto::Protocol,
    sock::{
        Ctx,
        Sock,
        SockRef, //
    }, //
};
use kernel::sync::rcu;

/// How well a listener fits; more is better, `None` is not at all. As with TCP an exact address
/// counts more than a wildcard, then a device that was asked for, a socket of the packet's own
/// IP version and the processor that `SO_INCOMING_CPU` names count alike.
fn score<E: Protocol>(sk: &Sock<E>, key: &ListenerKey, flow: &Flow) -> Option<u32> {
    if key.lport != flow.lport
        || key.net != flow.net.bits()
        || !devices_meet(key.ifindex, flow.ifindex)
    {
        return None;
    }
    let is_exact = key.laddr == flow.laddr;
    let is_wildcard = key.laddr.is_unspecified()
        && (key.laddr.is_v4() == flow.is_v4() || flow.is_v4() && !sk.is_v6only());
    if !is_exact && !is_wildcard {
        return None;
    }
    let extras = [
        key.ifindex != 0,
        sk.is_v6() != flow.is_v4(),
        sk.is_for_this_cpu(),
    ];
    Some(if is_exact { 4 } else { 0 } + extras.map(u32::from).iter().sum::<u32>())
}

impl<E: Protocol> Demux<E> {
    /// Enters the socket as a listener on its local address and port.
    ///
    /// # Errors
    ///
    /// `EISCONN` if the socket is in a table, `ENOMEM` if it is to share its place and cannot.
    pub(crate) fn insert_listener(&self, ctx: &mut Ctx<'_, E>) -> Result {
        let flow = ctx.flow();
        let link = &ctx.floor().link;
        if link.is_listed() {
            return Err(EISCONN);
        }
        let hash = flow.local_hash();
        let mut bucket = LISTENERS.lock(hash).ok_or(ENOMEM)?;
        link.set_key(Kind::Sock, &flow, hash);
        if let Some(key) = link.listener_key() {
            group::join(ctx, &bucket, &key)?;
        }
        link.set_place(Place::Listeners);
        take_table_reference(ctx);
        // SAFETY: The link is in no chain, this is the bucket of its hash, and the reference
        // keeps the socket, which is freed after a grace period.
        unsafe { bucket.push(link) };
        Ok(())
    }

    /// The listener that fits `flow` best. Among those that share their place with
    /// `SO_REUSEPORT`, a program chooses that the user has attached, which looks at the packet of
    /// `asking`; or else the hash of the flow, so that a connection always meets the same one.
    #[inline]
    pub(crate) fn lookup_listener(
        &self,
        rcu: &rcu::Guard,
        flow: &Flow,
        asking: Option<&mut Asking<'_>>,
    ) -> Option<SockRef<E>> {
        let hash = local_hash(flow.net, flow.lport);
        let mut link = best::<E>(rcu, flow, hash)?;
        if let Some(chosen) = group::choose(rcu, link, flow, asking) {
            return Some(chosen);
        }
        loop {
            if let Some(sk) = sock_ref_of(link) {
                return Some(sk);
            }
            // It is being freed. If it still stood in the table, its reference would too.
            if link.is_listed() {
                return None;
            }
            link = best::<E>(rcu, flow, hash)?;
        }
    }
}

fn best<'r, E: Protocol>(rcu: &'r rcu::Guard, flow: &Flow, hash: u32) -> Option<&'r Link> {
    let mut best: Option<(u32, &'r Link)> = None;
    LISTENERS.find(rcu, hash, |link| {
        if link.is_listed() {
            // SAFETY: Links in this table are embedded in sockets, which the guard keeps from
            // being freed; only atomics and constants are read.
            let sk: &Sock<E> = unsafe { Sock::from_raw(sock_of::<E>(link)) };
            let score = link.listener_key().and_then(|key| score(sk, &key, flow));
            if let Some(score) = score {
                if best.is_none_or(|(highest, _)| score > highest) {
                    best = Some((score, link));
                }
            }
        }
        false
    });
    best.map(|(_, link)| link)
}
