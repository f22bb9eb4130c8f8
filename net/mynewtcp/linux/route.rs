// SPDX-License-Identifier: GPL-2.0

//! The route of a connection, and what is asked of it.

use super::{
    addr::{
        Flow,
        Ip,
        SocketAddr, //
    },
    bindings as b,
    compat::prelude::*,
    ip_output::Manner,
    proto::Protocol,
    skb::SkbRef,
    sock::{
        Ctx,
        Owned, //
    },
};
use core::{
    mem::ManuallyDrop,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use kernel::error::to_result;

/// What the administrator has noted of a route; zero for nothing. `rtt`, `rttvar` and `cwnd` are
/// not asked for: they are for a cache of what connections found out, which there is none of.
pub(crate) struct Metrics {
    /// Initial congestion window, segments.
    pub(crate) initial_cwnd: u32,
    /// Initial receive window, segments.
    pub(crate) initial_rwnd: u32,
    /// Largest receive window, bytes.
    pub(crate) window: u32,
    /// Initial slow start threshold, segments.
    pub(crate) ssthresh: u32,
    /// By how many segments the path reorders.
    pub(crate) reordering: u32,
    /// Smallest retransmission time-out, milliseconds.
    pub(crate) rto_min_ms: u32,
    /// Explicit congestion notification is fine.
    pub(crate) ecn: bool,
    /// Acknowledge at once.
    pub(crate) quickack: bool,
    congestion: [u8; b::TCP_CA_NAME_MAX as usize],
}

impl Metrics {
    fn of(raw: &b::newtcp_metrics) -> Self {
        Self {
            initial_cwnd: raw.initcwnd,
            initial_rwnd: raw.initrwnd,
            window: raw.window,
            ssthresh: raw.ssthresh,
            reordering: raw.reordering,
            rto_min_ms: raw.rto_min_ms,
            ecn: raw.ecn,
            quickack: raw.quickack,
            congestion: raw.congestion,
        }
    }

    /// The name of the congestion control algorithm, empty for none.
    pub(crate) fn congestion(&self) -> &[u8] {
        let mut parts = self.congestion.split(|&octet| octet == 0);
        parts.next().unwrap_or_default()
    }
}

/// A route that a connection can have as it is once it has a socket.
///
/// # Invariants
///
/// An IPv4 route, to which this is a reference.
pub(crate) struct KeptRoute(NonNull<b::dst_entry>);

// SAFETY: A counted reference, which may be given up anywhere.
unsafe impl Send for KeptRoute {}

impl KeptRoute {
    pub(super) fn as_raw(&self) -> *mut b::dst_entry {
        self.0.as_ptr()
    }
}

impl Drop for KeptRoute {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { b::dst_release(self.as_raw()) };
    }
}

/// What a route allows.
pub(crate) struct Route {
    /// The route itself, if it can be kept.
    pub(crate) kept: Option<KeptRoute>,

    /// What is noted of it.
    pub(crate) metrics: Option<Metrics>,
    /// The largest IP packet that the path takes whole, as far as is known.
    pub(crate) mtu: u32,
    /// The largest IP packet that we want to be sent: the MTU of our own link.
    pub(crate) advertised_mtu: u32,
    /// The bytes of IP header, options included, in front of ours.
    pub(crate) header_len: u32,
    /// The largest superpacket, IP header included.
    pub(crate) gso_max_size: u32,
}

impl<E: Protocol> Owned<'_, E> {
    /// Finds the way to `remote` and makes it the socket's, with the source address that goes
    /// with it if the user has bound none, and `remote` as the peer. To be followed by
    /// [`new_ports`](Ctx::new_ports) once our port is known.
    pub(crate) fn connect_route(&mut self, remote: SocketAddr) -> Result {
        let mut to = remote.ip;
        if self.is_v6() {
            to = self.connect_scope(&remote)?;
        }
        if to.is_multicast() {
            return Err(ENETUNREACH);
        }
        let mut from = Ip::default();
        let sk = self.as_raw();
        // SAFETY: The process owns the socket; all addresses are valid.
        to_result(unsafe {
            if to.is_v4() {
                b::newtcp_route_connect4(sk, from.as_in6_mut(), to.as_in6_mut(), remote.port)
            } else {
                b::newtcp_route_connect6(sk, from.as_in6_mut(), to.as_in6(), remote.port)
            }
        })?;
        if self.local().ip.is_unspecified() {
            self.set_local_addr(from);
        }
        self.set_remote(to, remote.port);
        // SAFETY: The process owns the socket.
        unsafe { b::newtcp_sk_set_txhash(sk) };
        Ok(())
    }

    /// What IPv6 asks of an address to connect to; the address meant.
    fn connect_scope(&mut self, remote: &SocketAddr) -> Result<Ip> {
        let mut to = remote.ip;
        if to == Ip::V6_ANY {
            // To nobody is to ourselves.
            to = if self.local().ip.is_v4() {
                Ip::V4_LOOPBACK
            } else {
                Ip::V6_LOOPBACK
            };
        }
        if to.is_v4() && self.is_v6only() {
            return Err(ENETUNREACH);
        }
        // A socket bound to an address of one kind does not reach one of the other.
        let local = self.local().ip;
        if local != Ip::V6_ANY && local.is_v4() != to.is_v4() {
            return Err(if local.is_v4() { EINVAL } else { ENETUNREACH });
        }
        if to.is_v4() && local == Ip::V6_ANY {
            // The route lookup takes the source from the IPv4 fields.
            self.set_local_addr(Ip::V4_ANY);
        }
        // SAFETY: The process owns the socket.
        to_result(unsafe {
            b::newtcp_connect6_scope(
                self.as_raw(),
                remote.flowinfo,
                remote.scope,
                to.is_link_local(),
            )
        })?;
        Ok(to)
    }
}

impl<E: Protocol> Ctx<'_, E> {
    /// Looks the route up again now that both ports are known: policy and multipath may depend
    /// on them.
    #[inline]
    pub(crate) fn new_ports(&mut self) -> Result {
        if self.sends_v6() {
            return self.route6();
        }
        // SAFETY: The socket is locked.
        to_result(unsafe { b::newtcp_route_newports4(self.as_raw()) })
    }

    /// The route of a connection that a listener has accepted: its addresses are set. `kept` was
    /// found for them before.
    pub(super) fn route_accepted(&mut self, kept: Option<KeptRoute>) -> Result {
        if self.sends_v6() {
            return self.route6();
        }
        if let Some(kept) = kept {
            // SAFETY: The socket is locked; the route is one of IPv4.
            if unsafe { b::newtcp_route_adopt4(self.as_raw(), kept.as_raw()) } {
                // The socket has the reference now.
                let _ = ManuallyDrop::new(kept);
                return Ok(());
            }
        }
        let (mut from, mut to) = (Ip::default(), self.remote());
        // SAFETY: The socket is locked; all addresses are valid.
        to_result(unsafe {
            b::newtcp_route_connect4(
                self.as_raw(),
                from.as_in6_mut(),
                to.ip.as_in6_mut(),
                to.port,
            )
        })
    }

    fn route6(&mut self) -> Result {
        let (mut from, to) = (Ip::default(), self.remote());
        // SAFETY: The socket is locked; all addresses are valid.
        to_result(unsafe {
            b::newtcp_route_connect6(self.as_raw(), from.as_in6_mut(), to.ip.as_in6(), to.port)
        })
    }

    /// What a listener would get for a connection to the far end of `flow`, where `skb` has come
    /// from.
    pub(crate) fn route_to(&self, flow: &Flow, skb: &SkbRef) -> Result<Route> {
        let v6 = !flow.is_v4();
        let (mut mtu, mut advertised_mss) = (0, 0);
        let (mut metrics, mut has_metrics): (b::newtcp_metrics, _) = (pin_init::zeroed(), false);
        let manner = Manner::of_sock(self);
        let mut kept = null_mut();
        // SAFETY: The socket is locked; all pointers are valid, and the packet is a received one
        // with its network header in its head.
        to_result(unsafe {
            b::newtcp_route_probe(
                self.as_raw(),
                skb.as_raw(),
                flow.laddr.as_in6(),
                flow.raddr.as_in6(),
                flow.lport,
                flow.rport,
                match manner.oif {
                    0 if flow.raddr.is_link_local() => flow.ifindex,
                    oif => oif,
                } as i32,
                manner.mark,
                &raw mut mtu,
                &raw mut advertised_mss,
                &raw mut metrics,
                &raw mut has_metrics,
                &raw mut kept,
            )
        })?;
        let header_len = if v6 { 40 } else { 20 };
        Ok(Route {
            // INVARIANT: Only a route of IPv4 is kept, with its reference.
            kept: NonNull::new(kept).map(KeptRoute),
            metrics: has_metrics.then(|| Metrics::of(&metrics)),
            mtu,
            advertised_mtu: advertised_mss.saturating_add(header_len + 20),
            header_len,
            gso_max_size: b::NEWTCP_GSO_MAX_SIZE,
        })
    }

    /// What is noted of the route.
    pub(crate) fn route_metrics(&self) -> Option<Metrics> {
        let mut metrics: b::newtcp_metrics = pin_init::zeroed();
        // SAFETY: The socket is locked, `metrics` is valid.
        let found = unsafe { b::newtcp_sk_metrics(self.as_raw(), &raw mut metrics) };
        found.then(|| Metrics::of(&metrics))
    }

    /// Forgets the route: the next packet looks for one.
    pub(crate) fn reset_route(&mut self) {
        // SAFETY: The socket is locked.
        unsafe { b::newtcp_route_reset(self.as_raw()) };
    }

    /// The path has not carried our packets for a while: look for another.
    pub(crate) fn distrust_route(&mut self) {
        // SAFETY: The socket is locked.
        unsafe { b::newtcp_dst_negative_advice(self.as_raw()) };
    }

    /// The peer has answered: its neighbour entry is good.
    pub(crate) fn confirm_neighbour(&mut self) {
        // SAFETY: The socket is locked.
        unsafe { b::newtcp_dst_confirm(self.as_raw()) };
    }

    /// The path MTU, bytes of IP packet; 0 without a route.
    pub(crate) fn mtu(&self) -> u32 {
        // SAFETY: The socket is locked.
        unsafe { b::newtcp_dst_mtu(self.as_raw()) }
    }

    /// The largest packet that we want to be sent, bytes of IP packet.
    pub(crate) fn advertised_mtu(&self) -> u32 {
        // SAFETY: The socket is locked. The route speaks of the payload behind plain headers.
        let mss = unsafe { b::newtcp_dst_advmss(self.as_raw()) };
        mss.saturating_add(if self.sends_v6() { 60 } else { 40 })
    }

    /// The bytes of IP header in front of ours, options included.
    pub(crate) fn header_len(&self) -> u32 {
        // SAFETY: The socket is live.
        unsafe { b::newtcp_ip_header_len(self.as_raw(), self.sends_v6()) }
    }

    /// The largest superpacket, IP header included; small if the route's device takes none.
    pub(crate) fn max_gso_size(&self) -> u32 {
        // SAFETY: The socket is locked.
        unsafe {
            if b::newtcp_can_gso(self.as_raw()) {
                b::newtcp_gso_max_size(self.as_raw())
            } else {
                0
            }
        }
    }

    /// The most segments of a superpacket.
    pub(crate) fn max_gso_segs(&self) -> u16 {
        // SAFETY: The socket is locked.
        unsafe { b::newtcp_gso_max_segs(self.as_raw()) }
    }

    /// A hop on the path takes packets of `mtu` bytes only.
    pub(crate) fn update_pmtu(&mut self, mtu: u32) {
        // SAFETY: The socket is locked.
        unsafe { b::newtcp_update_pmtu(self.as_raw(), self.sends_v6(), mtu) };
    }

    /// True unless the user has switched path MTU discovery off.
    pub(crate) fn discovers_pmtu(&self) -> bool {
        // SAFETY: The socket is live.
        unsafe { b::newtcp_pmtu_discovery(self.as_raw(), self.sends_v6()) }
    }
}
