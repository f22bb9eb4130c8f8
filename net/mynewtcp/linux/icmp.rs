// SPDX-License-Identifier: GPL-2.0

//! ICMP messages about packets of ours.

use super::{
    addr::{
        Flow,
        Ip, //
    },
    bindings as b,
    net::Net,
    proto::Protocol,
    sock::{
        Ctx,
        Sock, //
    },
};
use core::marker::PhantomData;
use kernel::{
    error::to_result,
    ffi,
    prelude::*, //
};

/// The bytes of our header that a message must quote: ports and sequence number.
const QUOTED: u32 = 8;

/// What a message says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Report {
    /// A packet was too large for a hop, whose MTU this is, in bytes of IP packet.
    TooBig(u32),
    /// There is a better first hop; the route has to be told with [`Ctx::redirect`].
    Redirect,
    /// Something failed; `hard` if it will not go away by itself.
    Failed {
        /// The error that fits.
        err: Error,
        /// It is not passing trouble.
        hard: bool,
    },
}

/// One message.
pub(crate) struct IcmpError<'a> {
    skb: *mut b::sk_buff,
    net: *mut b::net,
    flow: Flow,
    seq: u32,
    report: Report,
    v6: bool,
    errno: i32,
    info: u32,
    offset: u32,
    _message: PhantomData<&'a ()>,
}

impl IcmpError<'_> {
    /// The namespace.
    pub(crate) fn net(&self) -> &Net {
        // SAFETY: Messages are handled under RCU.
        unsafe { Net::from_raw(self.net) }
    }

    /// The four-tuple of our packet, our end local; `ifindex` is where the message came in.
    pub(crate) fn flow(&self) -> Flow {
        self.flow
    }

    /// The sequence number of our packet. A message that quotes one that is not in flight is
    /// old or forged.
    pub(crate) fn seq(&self) -> u32 {
        self.seq
    }

    /// What it says.
    pub(crate) fn report(&self) -> Report {
        self.report
    }

    /// True if the sender's hop limit rules out that it is the neighbour the socket insists on.
    pub(crate) fn is_too_far<E: Protocol>(&self, sk: &Sock<E>) -> bool {
        // SAFETY: Both are live; the quoted IP header is linear.
        unsafe {
            u32::from(b::newtcp_icmp_quoted_hops(self.skb, self.v6))
                < u32::from(b::newtcp_min_hop_limit(sk.as_raw(), self.v6 && sk.is_v6()))
        }
    }

    /// Puts the message into the socket's error queue if the user asked for that (`IP_RECVERR`,
    /// `IPV6_RECVERR`). True if so: then the error is the user's to see at once.
    pub(crate) fn queue<E: Protocol>(&self, sk: &Sock<E>) -> bool {
        // SAFETY: Both are live; the quoted header is linear.
        unsafe {
            let v6 = self.v6 && sk.is_v6();
            if !b::newtcp_wants_icmp_queue(sk.as_raw(), v6) {
                return false;
            }
            b::newtcp_icmp_queue(
                sk.as_raw(),
                self.skb,
                self.v6,
                self.errno,
                self.flow.rport,
                self.info,
                b::newtcp_skb_data(self.skb).add(self.offset as usize),
            );
        }
        true
    }

    /// Nobody knows the packet.
    pub(crate) fn count_unknown(&self) {
        // SAFETY: A live message.
        unsafe { b::newtcp_icmp_count_no_socket(self.skb, self.v6) };
    }
}

impl<E: Protocol> Ctx<'_, E> {
    /// Gives a [`Report::Redirect`] to the route of the socket.
    pub(crate) fn redirect(&mut self, error: &IcmpError<'_>) {
        // SAFETY: The socket is locked, the message live.
        unsafe { b::newtcp_dst_redirect(self.as_raw(), self.sends_v6(), error.skb) };
    }
}

/// What the rest of the message is; `None` if it says nothing to us.
fn report(v6: bool, kind: u8, code: u8, info: u32) -> Option<(Report, i32)> {
    let (redirect, too_big) = if v6 {
        (
            u32::from(kind) == b::NEWTCP_NDISC_REDIRECT,
            u32::from(kind) == b::ICMPV6_PKT_TOOBIG,
        )
    } else {
        (
            u32::from(kind) == b::ICMP_REDIRECT,
            u32::from(kind) == b::ICMP_DEST_UNREACH && u32::from(code) == b::ICMP_FRAG_NEEDED,
        )
    };
    if redirect {
        return Some((Report::Redirect, 0));
    }
    let mut hard = false;
    // SAFETY: `hard` is writable.
    let errno = unsafe {
        if v6 {
            b::newtcp_icmp6_errno(kind, code, &raw mut hard)
        } else {
            b::newtcp_icmp4_errno(kind, code, &raw mut hard)
        }
    };
    if too_big {
        return Some((Report::TooBig(info), errno));
    }
    let err = to_result(errno.saturating_neg()).err()?;
    Some((Report::Failed { err, hard }, errno))
}

/// # Safety
///
/// `skb` must be an ICMP message under RCU whose quoted IP header is at `skb->data`, linear, and
/// whose quoted transport header is `offset` bytes behind it.
unsafe fn handle<E: Protocol>(
    skb: *mut b::sk_buff,
    v6: bool,
    offset: u32,
    (kind, code, info): (u8, u8, u32),
) -> Result {
    let (mut laddr, mut raddr) = (Ip::default(), Ip::default());
    let (mut lport, mut rport, mut seq) = (0, 0, 0);
    // SAFETY: By the contract.
    unsafe {
        if !b::newtcp_skb_may_pull(skb, offset + QUOTED) {
            return Err(EINVAL);
        }
        b::newtcp_icmp_quoted(
            skb,
            v6,
            offset,
            laddr.as_in6_mut(),
            raddr.as_in6_mut(),
            &raw mut lport,
            &raw mut rport,
            &raw mut seq,
        );
        let Some((report, errno)) = report(v6, kind, code, info) else {
            return Ok(());
        };
        let net = b::newtcp_skb_dev_net(skb);
        E::icmp_error(&IcmpError {
            skb,
            net,
            flow: Flow {
                net: Net::from_raw(net).id(),
                laddr,
                lport,
                raddr,
                rport,
                ifindex: b::newtcp_skb_dev_iif(skb, v6).max(0) as u32,
            },
            seq,
            report,
            v6,
            errno,
            info,
            offset,
            _message: PhantomData,
        });
    }
    Ok(())
}

/// Called by ICMP in softirq, under RCU, with the quoted IP header and 8 bytes more linear.
pub(super) unsafe extern "C" fn error4<E: Protocol>(skb: *mut b::sk_buff, info: u32) -> ffi::c_int {
    // SAFETY: By the caller's contract, which is what `handle` asks for.
    let result = unsafe {
        let header_len = u32::from(*b::newtcp_skb_data(skb) & 0xf) * 4;
        let (kind, code) = (b::newtcp_icmp4_type(skb), b::newtcp_icmp4_code(skb));
        handle::<E>(skb, false, header_len, (kind, code, info))
    };
    result.map_or_else(|e| e.to_errno(), |()| 0)
}

/// Called by ICMPv6 in softirq, under RCU, with the quoted IP headers linear. `info` is in
/// network order.
pub(super) unsafe extern "C" fn error6<E: Protocol>(
    skb: *mut b::sk_buff,
    _opt: *mut b::inet6_skb_parm,
    kind: u8,
    code: u8,
    offset: ffi::c_int,
    info: b::__be32,
) -> ffi::c_int {
    let Ok(offset) = u32::try_from(offset) else {
        return EINVAL.to_errno();
    };
    // SAFETY: By the caller's contract, which is what `handle` asks for.
    let result = unsafe { handle::<E>(skb, true, offset, (kind, code, u32::from_be(info))) };
    result.map_or_else(|e| e.to_errno(), |()| 0)
}
