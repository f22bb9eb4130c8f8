// SPDX-License-Identifier: GPL-2.0

//! Packets coming in: the handlers that IPv4 and IPv6 call for the protocol's number, and the
//! steps from there to a socket.

use super::{
    addr::{
        Flow,
        Ip, //
    },
    bindings as b,
    demux::FlowHash,
    icmp,
    ip_output::{
        self,
        Manner, //
    },
    loopback::{
        self,
        Outbox, //
    },
    net::Net,
    proto::Protocol,
    skb::{
        reason,
        DropReason,
        SkBuff,
        SkbRef, //
    },
    sock::{
        Locked,
        Sock, //
    },
};
use core::{
    cell::Cell,
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    ffi,
    prelude::*, //
};

/// The bytes of header that are linear when a packet is handed on.
const HEADER_LEN: u32 = 20;

/// `struct net_protocol` of protocol `E`.
pub(super) const fn table4<E: Protocol>() -> b::net_protocol {
    let mut table: b::net_protocol = pin_init::zeroed();
    table.handler = Some(receive::<E>);
    table.err_handler = Some(icmp::error4::<E>);
    // no_policy: policy is checked for the socket, once that is known.
    // icmp_strict_tag_validation: an ICMP error must quote a packet for a protocol we have.
    table._bitfield_1 = b::__BindgenBitfieldUnit::new([0b11u8.to_le()]);
    table
}

/// `struct inet6_protocol` of protocol `E`.
pub(super) const fn table6<E: Protocol>() -> b::inet6_protocol {
    let mut table: b::inet6_protocol = pin_init::zeroed();
    table.handler = Some(receive::<E>);
    table.err_handler = Some(icmp::error6::<E>);
    table.flags = b::INET6_PROTO_NOPOLICY | b::INET6_PROTO_FINAL;
    table
}

/// Called by the IP layer in softirq, under RCU, with a packet that becomes ours. Anything but 0
/// would mean "deliver it to another protocol".
unsafe extern "C" fn receive<E: Protocol>(skb: *mut b::sk_buff) -> ffi::c_int {
    // SAFETY: The packet is given to us.
    let skb = unsafe { SkBuff::from_raw(NonNull::new_unchecked(skb)) };
    loopback::deliver::<E>(take::<E>(skb, None));
    0
}

/// Takes a packet in, under RCU with softirqs off and no socket locked. What is sent to other
/// sockets of this host in answer is the caller's to deliver. `flow_hash` is known of packets that
/// come from this host.
#[inline]
pub(super) fn take<E: Protocol>(mut skb: SkBuff, flow_hash: Option<FlowHash>) -> Outbox {
    let admitted = match flow_hash {
        // Nothing has happened to it on the way.
        Some(_) => Ok(()),
        None => admit(&mut skb),
    };
    match admitted {
        Ok(()) => {
            // SAFETY: The network header of a received packet is in its head; what `Rx` borrows
            // from it lives until the packet is queued or freed, and a reader of the IP header
            // gets its own look at it.
            let mut rx = unsafe { Rx::of_raw(skb.as_raw()) };
            match flow_hash {
                Some(_) => rx.flow_hash = flow_hash,
                // SAFETY: A live packet in exclusive use, under RCU; the table is our sockets'.
                None => unsafe {
                    rx.found = b::newtcp_early_found(skb.as_raw(), E::statics().proto.get());
                },
            }
            E::receive(skb, &rx);
            rx.outbox.into_inner()
        }
        Err(reason) => {
            // SAFETY: A packet on its way in has a route, and with it a namespace, under RCU.
            E::damaged(
                unsafe { Net::from_raw(b::newtcp_skb_net(skb.as_raw())) },
                reason,
            );
            skb.drop_with(reason);
            Outbox::EMPTY
        }
    }
}

/// What has to be true of a packet before anyone looks at it.
fn admit(skb: &mut SkBuff) -> Result<(), DropReason> {
    // SAFETY: A live packet in exclusive use, fresh from the IP layer.
    unsafe {
        if !b::newtcp_skb_is_for_host(skb.as_raw()) {
            return Err(reason::NOT_SPECIFIED);
        }
        if !skb.may_pull(HEADER_LEN) {
            return Err(reason::PKT_TOO_SMALL);
        }
        if !b::newtcp_checksum_init(skb.as_raw()) {
            return Err(reason::CHECKSUM);
        }
    }
    Ok(())
}

/// The four-tuple of a packet that came to `net`, the receiver's end local.
///
/// # Safety
///
/// `skb` must be a live packet on its way in, with its network and transport headers in its head.
#[inline(always)]
pub(super) unsafe fn flow_of(net: &Net, skb: *mut b::sk_buff) -> Flow {
    let (mut laddr, mut raddr) = (Ip::default(), Ip::default());
    let (mut lport, mut rport) = (0, 0);
    // SAFETY: By the contract.
    unsafe {
        b::newtcp_skb_flow(
            skb,
            laddr.as_in6_mut(),
            raddr.as_in6_mut(),
            &raw mut lport,
            &raw mut rport,
        );
        Flow {
            net: net.id(),
            laddr,
            lport,
            raddr,
            rport,
            ifindex: b::newtcp_skb_iif(skb).max(0) as u32,
        }
    }
}

/// Where a packet came from, read off its headers once.
pub(crate) struct Rx<'a> {
    net: *mut b::net,
    flow: Flow,
    flow_hash: Option<FlowHash>,
    /// The socket of ours that the packet brought along, null for none. Its memory is there as
    /// long as the section of RCU that the packet came in.
    found: *mut b::sock,
    /// What its receiver has sent to other sockets of this host.
    outbox: Cell<Outbox>,
    _packet: PhantomData<&'a ()>,
}

impl Rx<'_> {
    /// # Safety
    ///
    /// `skb` must be a received packet with its network and transport headers in its head, and
    /// not queued for the user yet.
    pub(super) unsafe fn of<'a>(skb: &'a SkbRef) -> Rx<'a> {
        // SAFETY: By the contract.
        unsafe { Rx::of_raw(skb.as_raw()) }
    }

    /// # Safety
    ///
    /// As for [`of`](Self::of); the namespace must stay alive for `'a`, as it does under RCU and
    /// while a socket of it is held.
    unsafe fn of_raw<'a>(skb: *mut b::sk_buff) -> Rx<'a> {
        // SAFETY: By the contract.
        unsafe {
            let net = b::newtcp_skb_net(skb);
            Rx {
                net,
                flow: flow_of(Net::from_raw(net), skb),
                flow_hash: None,
                found: core::ptr::null_mut(),
                outbox: Cell::new(Outbox::EMPTY),
                _packet: PhantomData,
            }
        }
    }

    /// The namespace.
    pub(crate) fn net(&self) -> &Net {
        // SAFETY: By the contract of `of_raw`.
        unsafe { Net::from_raw(self.net) }
    }

    /// Its four-tuple, the receiver's end local; `ifindex` is where it came in.
    pub(crate) fn flow(&self) -> &Flow {
        &self.flow
    }

    /// The hash of the flow, if its sender knew it.
    pub(crate) fn flow_hash(&self) -> Option<FlowHash> {
        self.flow_hash
    }

    /// The socket that it was found to be for before it got its route: see [`early`]. It may have
    /// become another's since.
    ///
    /// [`early`]: super::early
    #[inline]
    pub(super) fn found<E: Protocol>(&self) -> Option<&Sock<E>> {
        // SAFETY: By the invariant of the field; `newtcp_early_found()` has seen that it is ours.
        NonNull::new(self.found).map(|sk| unsafe { Sock::from_raw(sk.as_ptr()) })
    }

    /// Keeps what the receiver has sent until no lock is held.
    fn keep(&self, outbox: Outbox) {
        if !outbox.is_empty() {
            let mut kept = self.outbox.replace(Outbox::EMPTY);
            kept.append(outbox);
            self.outbox.set(kept);
        }
    }

    /// True if a packet for which there is no socket may be answered: IPsec policy allows it.
    pub(crate) fn may_reply(&self, skb: &SkBuff) -> bool {
        // SAFETY: A live packet in softirq; no socket is allowed.
        unsafe { b::newtcp_policy_check(core::ptr::null_mut(), skb.as_raw()) }
    }

    /// Answers the packet with a segment without payload: `header` is header and options with
    /// the checksum field zero. Best effort: an answer that cannot be sent is like one lost.
    pub(crate) fn reply(&self, skb: &SkBuff, header: &[u8]) {
        let manner = Manner {
            oif: 0,
            // SAFETY: A packet on its way in, with its route and IP header.
            mark: unsafe { b::newtcp_skb_reply_mark(skb.as_raw()) },
            // The answer goes the same class, but says nothing about congestion.
            tos: skb.tos() & !3,
        };
        let _ = ip_output::reply(self.net(), &self.flow, &manner, header);
    }
}

/// What is checked of every packet for a socket: IPsec policy, hop limit, filters. `header_len`
/// bytes are the least that a filter must leave.
#[inline]
pub(crate) fn accept<E: Protocol>(
    sk: &Sock<E>,
    skb: &mut SkBuff,
    header_len: u32,
) -> Result<(), DropReason> {
    let (raw, packet) = (sk.as_raw(), skb.as_raw());
    // SAFETY: Both are live, the packet is in exclusive use, and this is softirq under RCU.
    unsafe {
        if u32::from(b::newtcp_skb_hop_limit(packet))
            < u32::from(b::newtcp_min_hop_limit(
                raw,
                b::newtcp_skb_is_ipv6(packet) && sk.is_v6(),
            ))
        {
            return Err(reason::MIN_HOPS);
        }
        if !b::newtcp_policy_check(raw, packet) {
            return Err(reason::XFRM_POLICY);
        }
        b::newtcp_nf_reset(packet);
        match b::newtcp_filter(raw, packet, header_len) {
            0 => Ok(()),
            why => Err(DropReason(why as b::skb_drop_reason)),
        }
    }
}

/// The backlog of the socket is full; the packet has been dropped.
#[derive(Debug)]
pub(crate) struct BacklogFull;

/// Gives a packet to a socket: now, or when the process that owns the socket releases it.
/// `take` is for the packet that need not wait.
pub(crate) fn deliver<E: Protocol>(
    rx: &Rx<'_>,
    sk: &Sock<E>,
    skb: SkBuff,
    take: impl FnOnce(&mut Locked<'_, E>, SkBuff),
) -> Result<(), BacklogFull> {
    // SAFETY: The socket is live; this is softirq, with no socket locked.
    unsafe { b::newtcp_bh_lock_sock_nested(sk.as_raw()) };
    deliver_locked(sk, skb, rx.flow_hash.is_none(), take).map(|outbox| rx.keep(outbox))
}

/// As [`deliver`], for one who has a listener locked and gives the packet to a connection of
/// that listener.
pub(crate) fn deliver_to_child<E: Protocol>(sk: &Sock<E>, skb: SkBuff) -> Result<(), BacklogFull> {
    // SAFETY: The socket is live; softirqs are off, and a listener's lock is always taken before
    // that of a connection.
    unsafe { b::newtcp_bh_lock_sock_child(sk.as_raw()) };
    // What it has sent goes by the device, since the listener is locked. The route
    // is remembered when the next packet comes.
    deliver_locked(sk, skb, false, E::receive_locked).map(drop)
}

/// The spin lock of the socket must be held; it is released. What the socket has sent to others of
/// this host is left to be delivered. A packet that was `routed` has its route from IP's input.
fn deliver_locked<E: Protocol>(
    sk: &Sock<E>,
    skb: SkBuff,
    routed: bool,
    take: impl FnOnce(&mut Locked<'_, E>, SkBuff),
) -> Result<Outbox, BacklogFull> {
    let raw = sk.as_raw();
    // SAFETY: Both are live.
    unsafe { b::newtcp_note_input(raw, skb.as_raw()) };
    // SAFETY: The spin lock is held, so ownership cannot change.
    let result = if unsafe { b::newtcp_sock_owned_by_user(raw) } {
        to_backlog(sk, skb).map(|()| Outbox::EMPTY)
    } else {
        if routed {
            // SAFETY: Both are live, the spin lock is held and no process owns the socket.
            unsafe { b::newtcp_early_remember(raw, skb.as_raw()) };
        }
        // SAFETY: The spin lock is held and no process owns the socket.
        Ok(unsafe {
            Locked::with(sk, |sk| {
                match sk.rouse() {
                    Ok(()) => take(sk, skb),
                    Err(_) => too_tired(sk, skb),
                }
                sk.take_outbox()
            })
        })
    };
    // SAFETY: Taken above.
    unsafe { b::newtcp_bh_unlock_sock(raw) };
    result
}

/// There is no memory to wake the connection up with. The peer will send it again.
#[cold]
pub(super) fn too_tired<E: Protocol>(sk: &Sock<E>, skb: SkBuff) {
    // SAFETY: Both are live.
    unsafe { b::newtcp_count_drop(sk.as_raw(), skb.as_raw()) };
    skb.drop_with(reason::NO_MEMORY);
}

/// The spin lock of the socket must be held.
fn to_backlog<E: Protocol>(sk: &Sock<E>, skb: SkBuff) -> Result<(), BacklogFull> {
    // A whole window more than the receive buffer, whose half is overhead, and room for
    // acknowledgments, which are small but cost a packet each.
    let limit = sk
        .rcvbuf()
        .saturating_mul(2)
        .saturating_add(sk.sndbuf() / 2)
        .saturating_add(64 * 1024);
    // SAFETY: Both are live, and the spin lock is held.
    if unsafe { b::newtcp_sk_add_backlog(sk.as_raw(), skb.as_raw(), limit) } {
        // The backlog has it now.
        let _ = skb.into_raw();
        return Ok(());
    }
    // SAFETY: Both are live.
    unsafe { b::newtcp_count_drop(sk.as_raw(), skb.as_raw()) };
    skb.drop_with(reason::BACKLOG);
    Err(BacklogFull)
}
