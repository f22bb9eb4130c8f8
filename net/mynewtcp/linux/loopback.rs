// SPDX-License-Identifier: GPL-2.0

//! The short way between two sockets of one host.
//!
//! What a socket sends to another of its namespace would go through IP's output, the loopback
//! device, the queue of the processor, a softirq and IP's input, to come out as it went in. Where
//! nobody on that way looks at packets, it gets its IP header, is counted as always, and goes to
//! the door of the protocol directly. Filters, classifiers, queueing disciplines, taps, raw
//! sockets, trace points, IP options, IPsec and pages of waiting users all mean the long way; each
//! packet is asked anew, so that a capture that begins sees what comes after.
//!
//! A packet cannot be delivered while the sender's spin lock is held, since the receiver's is
//! taken. So it waits in the [`Outbox`] of the sender, and whoever lets go of the lock delivers
//! what is in there: [`deliver`]. Where that cannot be, dropping the [`Outbox`] gives the packets
//! to the queue of the device, as on the long way.

use super::{
    addr::Flow,
    bindings as b,
    demux::FlowHash,
    proto::Protocol,
    route::KeptRoute,
    rx,
    skb::SkBuff,
    sock::{
        Ctx,
        Owned, //
    },
};
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::sync::rcu;

/// The most packets that are delivered in one go with softirqs off; those beyond take the queue,
/// and with it a turn of others.
const BUDGET: u32 = 64;

/// Packets on the short way, in the order in which they were sent.
///
/// # Invariants
///
/// The ring is empty or of packets that nobody else has, with all headers and a route.
pub(super) struct Outbox(*mut b::sk_buff);

impl Outbox {
    /// Nothing to deliver.
    pub(super) const EMPTY: Self = Self(null_mut());

    /// True if there is nothing to deliver.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_null()
    }

    fn pop(&mut self) -> Option<SkBuff> {
        // SAFETY: By the type invariant; what comes off the ring is ours.
        unsafe {
            NonNull::new(b::newtcp_outbox_pop(&raw mut self.0)).map(|skb| SkBuff::from_raw(skb))
        }
    }

    /// Puts `more` behind.
    pub(super) fn append(&mut self, mut more: Self) {
        // SAFETY: By the type invariant, of both; `more` is left empty.
        unsafe { b::newtcp_outbox_splice(&raw mut self.0, &raw mut more.0) };
    }
}

impl Drop for Outbox {
    #[inline]
    fn drop(&mut self) {
        if !self.is_empty() {
            give_to_device(self);
        }
    }
}

#[cold]
fn give_to_device(outbox: &mut Outbox) {
    while let Some(skb) = outbox.pop() {
        // SAFETY: The packet has all headers and a route; the device's queue has it now.
        unsafe { b::newtcp_loopback_requeue(skb.into_raw()) };
    }
}

impl<E: Protocol> Ctx<'_, E> {
    /// Sends a packet whose header of ours is written on the short way, if that can be. A packet
    /// that comes back has not been touched.
    pub(super) fn send_on_short_way(&mut self, skb: SkBuff) -> Option<SkBuff> {
        let sk = self.as_raw();
        let Some(hash) = FlowHash::of_connection(self) else {
            return Some(skb);
        };
        let v6 = self.sends_v6();
        let _rcu = rcu::read_lock();
        // SAFETY: The socket is locked and has the addresses of its flow; the packet is ours,
        // with room for all headers in front of ours, and becomes one of the ring.
        unsafe {
            let dst = b::newtcp_loopback_route(sk, v6);
            if dst.is_null()
                || !b::newtcp_loopback_unseen(sk, v6)
                || !b::newtcp_loopback_fits(skb.as_raw(), dst, v6)
            {
                return Some(skb);
            }
            let raw = skb.into_raw();
            b::newtcp_skb_hash_from_sk(raw, sk);
            if v6 {
                b::newtcp_loopback_header6(sk, raw, dst);
            } else {
                b::newtcp_loopback_header4(sk, raw, dst);
            }
            b::newtcp_loopback_cross(sk, raw, dst, v6, hash.bits());
            b::newtcp_outbox_push(self.floor().outbox.get(), raw);
        }
        None
    }

    /// Sends a segment without payload in answer to the SYN of `flow`, whose hash is `hash`, on
    /// the short way, as a connection would. `route` leads there.
    pub(super) fn answer_on_short_way(
        &mut self,
        skb: SkBuff,
        flow: &Flow,
        hash: FlowHash,
        route: &KeptRoute,
        tos: u8,
    ) -> Option<SkBuff> {
        let (sk, dst) = (self.as_raw(), route.as_raw());
        let _rcu = rcu::read_lock();
        // SAFETY: The socket is locked and the route one of IPv4; the packet is ours, with room
        // for all headers in front of ours, and becomes one of the ring.
        unsafe {
            if !b::newtcp_loopback_leads4(sk, dst)
                || !b::newtcp_loopback_unseen(sk, false)
                || !b::newtcp_loopback_fits(skb.as_raw(), dst, false)
            {
                return Some(skb);
            }
            let raw = skb.into_raw();
            let (from, to) = (flow.laddr.be32(), flow.raddr.be32());
            b::newtcp_loopback_synack4(sk, raw, dst, from, to, tos);
            b::newtcp_loopback_cross(sk, raw, dst, false, hash.bits());
            b::newtcp_outbox_push(self.floor().outbox.get(), raw);
        }
        None
    }

    /// Takes what is to be delivered once the lock has been let go.
    #[inline]
    pub(super) fn take_outbox(&mut self) -> Outbox {
        // SAFETY: The outbox belongs to the holder of the lock, and holds what
        // `send_on_short_way` put there.
        Outbox(unsafe { core::mem::replace(&mut *self.floor().outbox.get(), null_mut()) })
    }
}

impl<E: Protocol> Owned<'_, E> {
    /// Delivers now what has been sent to sockets of this host. What they answer waits for the
    /// lock.
    #[inline]
    pub(crate) fn deliver_sent(&mut self) {
        deliver::<E>(self.take_outbox());
    }
}

/// Delivers packets, and what is sent in answer to them. No spin lock of a socket may be held.
#[inline]
pub(super) fn deliver<E: Protocol>(outbox: Outbox) {
    if !outbox.is_empty() {
        deliver_all::<E>(outbox);
    }
}

#[inline(never)]
fn deliver_all<E: Protocol>(mut outbox: Outbox) {
    // SAFETY: Paired.
    unsafe { b::newtcp_local_bh_disable() };
    let rcu = rcu::read_lock();
    for _ in 0..BUDGET {
        let Some(skb) = outbox.pop() else {
            break;
        };
        // SAFETY: A packet of the ring is a received one to IP, with its route and the hash.
        let hash = unsafe { b::newtcp_loopback_arrive(skb.as_raw()) };
        outbox.append(rx::take::<E>(skb, Some(FlowHash::from_bits(hash))));
    }
    drop(outbox);
    drop(rcu);
    // SAFETY: As above.
    unsafe { b::newtcp_local_bh_enable() };
}
