// SPDX-License-Identifier: GPL-2.0

//! Packets going out: on a socket with its route, and without one for connections that have no
//! socket.
//!
//! Checksums are left to the device (or to the stack, at the last moment): the field gets the
//! sum of the pseudo-header, with our protocol number.

use super::{
    addr::Flow,
    bindings as b,
    compat::prelude::*,
    demux::FlowHash,
    mini::Mini,
    net::Net,
    netns,
    proto::Protocol,
    route::KeptRoute,
    skb::{
        self,
        SkBuff, //
    },
    sock::{
        Ctx,
        Sock, //
    },
};
use kernel::error::to_result;

/// The header without options.
const HEADER_LEN: usize = 20;
/// The header with all the options there can be.
const MAX_HEADER_LEN: usize = 60;

/// What a packet tells of congestion (RFC 3168).
#[derive(Clone, Copy)]
pub(crate) struct Notification {
    /// Routers may mark it: ECT(0).
    pub(crate) capable: bool,
    /// Its header has CWR, which only the first segment of a superpacket keeps.
    pub(crate) cwr: bool,
}

impl<E: Protocol> Ctx<'_, E> {
    /// Sends `skb`, payload or none, behind a header of `header_len` octets, options included,
    /// that `write` writes, with the checksum field zero. A payload of more than `mss` bytes leaves as a superpacket of segments of that size.
    ///
    /// With `short`, a packet to this host goes the short way if it can.
    ///
    /// An error means that the packet went nowhere. Success means that it was handed to IP, or
    /// to its receiver.
    pub(crate) fn transmit(
        &mut self,
        mut skb: SkBuff,
        header_len: usize,
        write: impl FnOnce(&mut [u8]) -> bool,
        mss: u16,
        notification: Notification,
        short: bool,
    ) -> Result {
        let sk = self.as_raw();
        let payload = skb.len();
        if !write(header_room(&mut skb, header_len)?) {
            return Err(EINVAL);
        }
        if mss != 0 && payload > u32::from(mss) {
            let segs = payload.div_ceil(u32::from(mss)).min(u32::from(u16::MAX)) as u16;
            // SAFETY: The skb is ours; its clones share the payload pages, and the segment size
            // is written anew for each transmission.
            unsafe {
                let ecn = if notification.cwr {
                    b::NEWTCP_GSO_ECN
                } else {
                    0
                };
                let kind = b::newtcp_gso_type(sk) | ecn;
                b::newtcp_skb_set_gso(skb.as_raw(), mss, segs, kind);
            };
        } else {
            // SAFETY: As above.
            unsafe { b::newtcp_skb_set_gso(skb.as_raw(), 0, 1, 0) };
        }
        // SAFETY: The socket is locked.
        unsafe { b::newtcp_set_ecn(sk, notification.capable) };
        if short {
            skb = match self.send_on_short_way(skb) {
                Some(skb) => skb,
                None => return Ok(()),
            };
        }
        let flow = self.flow();
        set_checksum(&skb, &flow);
        // SAFETY: The socket is locked and has the addresses of its flow; the skb is ours and
        // goes to IP, which frees it in any case.
        let sent = unsafe {
            b::newtcp_skb_clear_ip_cb(skb.as_raw());
            b::newtcp_skb_set_owner_w(skb.as_raw(), sk);
            b::newtcp_ip_queue_xmit(sk, skb.into_raw(), !flow.is_v4())
        };
        // A queue that is full has dropped the packet: to the sender it is lost on the way.
        to_result(sent.min(0))
    }
}

impl<E: Protocol> Ctx<'_, E> {
    /// As [`Mini::transmit`], by a listener that has just found `route` for the request: to this
    /// host it goes the short way if it can.
    pub(crate) fn answer_syn(
        &mut self,
        request: &Mini<E, E::Request>,
        route: &KeptRoute,
        header: &[u8],
        ecn: u8,
    ) -> Result {
        let (flow, manner) = (request.flow(), request.manner(self, ecn));
        let skb = with_header(header)?;
        let skb = match FlowHash::of_request(request) {
            Some(hash) => self.answer_on_short_way(skb, flow, hash, route, manner.tos),
            None => Some(skb),
        };
        match skb {
            Some(skb) => send_built(self.net(), self.as_raw(), flow, &manner, skb),
            None => Ok(()),
        }
    }
}

impl<E: Protocol> Sock<E> {
    /// Sends a segment without payload for a connection that has no socket and no object in the
    /// table: as [`Mini::transmit`].
    pub(crate) fn transmit_for(&self, flow: &Flow, header: &[u8]) -> Result {
        let manner = Manner::of_sock(self);
        send_control(self.net(), Some(self), flow, &manner, header)
    }
}

/// Puts the header in front of the payload.
fn push_header(skb: &mut SkBuff, header: &[u8]) -> Result {
    header_room(skb, header.len())?.copy_from_slice(header);
    Ok(())
}

/// Makes room for a header in front of the payload.
fn header_room(skb: &mut SkBuff, len: usize) -> Result<&mut [u8]> {
    if !(HEADER_LEN..=MAX_HEADER_LEN).contains(&len) || len % 4 != 0 {
        return Err(EINVAL);
    }
    // SAFETY: The skb is ours and was allocated with room for all headers; while the slice lives
    // nobody else uses it. It is memory of C's, whose bytes all have some value.
    unsafe {
        let to: *mut u8 = b::skb_push(skb.as_raw(), len as u32).cast();
        b::newtcp_skb_reset_transport_header(skb.as_raw());
        Ok(core::slice::from_raw_parts_mut(to, len))
    }
}

/// Leaves the checksum to the device.
fn set_checksum(skb: &SkBuff, flow: &Flow) {
    let len = skb.len();
    // SAFETY: The skb is ours, and its transport header has just been written.
    unsafe {
        let pseudo = if flow.is_v4() {
            b::newtcp_pseudo4(flow.laddr.be32(), flow.raddr.be32(), len)
        } else {
            b::newtcp_pseudo6(flow.laddr.as_in6(), flow.raddr.as_in6(), len)
        };
        b::newtcp_checksum_partial(skb.as_raw(), pseudo);
    }
}

/// How a packet without a socket of its own goes.
pub(super) struct Manner {
    /// The interface, 0 for whichever the route says.
    pub(super) oif: u32,
    /// The mark for policy routing.
    pub(super) mark: u32,
    /// The type of service or traffic class.
    pub(super) tos: u8,
}

impl Manner {
    /// As the packets of a socket go.
    pub(super) fn of_sock<E: Protocol>(sk: &Sock<E>) -> Self {
        Self {
            oif: sk.bound_ifindex(),
            mark: sk.mark(),
            // SAFETY: `sk` is live.
            tos: unsafe { b::newtcp_sk_tos(sk.as_raw()) },
        }
    }
}

/// Answers a packet for which there is no socket.
pub(super) fn reply(net: &Net, flow: &Flow, manner: &Manner, header: &[u8]) -> Result {
    send(net, core::ptr::null(), flow, manner, header)
}

/// Sends a segment without payload for a connection that has no socket of its own. `sk` lends
/// its options.
pub(super) fn send_control<E: Protocol>(
    net: &Net,
    sk: Option<&Sock<E>>,
    flow: &Flow,
    manner: &Manner,
    header: &[u8],
) -> Result {
    let sk = sk.map_or(core::ptr::null(), |sk| sk.as_raw().cast_const());
    send(net, sk, flow, manner, header)
}

fn send(net: &Net, sk: *const b::sock, flow: &Flow, manner: &Manner, header: &[u8]) -> Result {
    send_built(net, sk, flow, manner, with_header(header)?)
}

/// A packet without payload.
fn with_header(header: &[u8]) -> Result<SkBuff> {
    let mut skb = skb::alloc_control().ok_or(ENOMEM)?;
    push_header(&mut skb, header)?;
    Ok(skb)
}

fn send_built(net: &Net, sk: *const b::sock, flow: &Flow, manner: &Manner, skb: SkBuff) -> Result {
    let ctl = netns::control_socks(net).ok_or(ENETDOWN)?;
    set_checksum(&skb, flow);
    let oif = match manner.oif {
        0 if needs_interface(flow) => flow.ifindex,
        oif => oif,
    };
    // SAFETY: The control sockets live as long as the namespace; `sk` is live or null; the skb
    // is ours and goes to IP, which frees it in any case.
    let sent = unsafe {
        b::newtcp_skb_clear_ip_cb(skb.as_raw());
        if flow.is_v4() {
            b::newtcp_send_control4(
                ctl.v4,
                sk,
                skb.into_raw(),
                flow.laddr.be32(),
                flow.raddr.be32(),
                oif as i32,
                manner.mark,
                manner.tos,
            )
        } else {
            let Some(v6) = ctl.v6 else {
                return Err(EAFNOSUPPORT);
            };
            b::newtcp_send_control6(
                v6,
                sk,
                skb.into_raw(),
                flow.laddr.as_in6(),
                flow.raddr.as_in6(),
                oif as i32,
                manner.mark,
                manner.tos,
            )
        }
    };
    to_result(sent.min(0))
}

/// An address that says nothing without an interface.
fn needs_interface(flow: &Flow) -> bool {
    flow.laddr.is_link_local() || flow.raddr.is_link_local()
}
