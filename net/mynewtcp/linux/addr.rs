// SPDX-License-Identifier: GPL-2.0

//! Addresses: IPv4 and IPv6 in one form, so that everything above the IP layer is written once.
//!
//! An [`Ip`] is 16 bytes in network order; an IPv4 address is its IPv4-mapped IPv6 address.
//! A [`Flow`] names a connection or a listener and is the key of the tables in `demux`.

use super::{
    bindings as b,
    net::NetId,
    random, //
};

/// An IPv4 (as IPv4-mapped) or IPv6 address.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[repr(transparent)]
pub(crate) struct Ip([u8; 16]);

impl Ip {
    /// `0.0.0.0`.
    pub(crate) const V4_ANY: Self = Self::from_v4([0; 4]);
    /// `127.0.0.1`.
    pub(crate) const V4_LOOPBACK: Self = Self::from_v4([127, 0, 0, 1]);
    /// `::`.
    pub(crate) const V6_ANY: Self = Self([0; 16]);
    /// `::1`.
    pub(crate) const V6_LOOPBACK: Self = Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    /// The mapped form of an IPv4 address.
    pub(crate) const fn from_v4(a: [u8; 4]) -> Self {
        Self([
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a[0], a[1], a[2], a[3],
        ])
    }

    /// An IPv6 address, which may be IPv4-mapped.
    pub(crate) const fn from_octets(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// The 16 bytes.
    pub(crate) const fn octets(&self) -> &[u8; 16] {
        &self.0
    }

    /// The 16 bytes as two numbers in memory order.
    #[inline]
    pub(super) fn halves(&self) -> [u64; 2] {
        let [a, b, c, d, e, f, g, h, rest @ ..] = self.0;
        [
            u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            u64::from_ne_bytes(rest),
        ]
    }

    /// True if packets to this address travel in IPv4.
    pub(crate) fn is_v4(&self) -> bool {
        let [high, low] = self.halves();
        high == 0 && low as u32 == u32::from_ne_bytes([0, 0, 0xff, 0xff])
    }

    /// The IPv4 address, if it is one.
    pub(crate) fn v4(&self) -> Option<[u8; 4]> {
        self.is_v4()
            .then(|| [self.0[12], self.0[13], self.0[14], self.0[15]])
    }

    /// True for `0.0.0.0` and `::`.
    pub(crate) fn is_unspecified(&self) -> bool {
        *self == Self::V6_ANY || *self == Self::V4_ANY
    }

    /// True for a multicast group of either family.
    pub(crate) fn is_multicast(&self) -> bool {
        match self.v4() {
            Some(a) => a[0] & 0xf0 == 0xe0,
            None => self.0[0] == 0xff,
        }
    }

    /// True for an address that means this host to everyone.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.v4() {
            Some([first, ..]) => first == 127,
            None => *self == Self::V6_LOOPBACK,
        }
    }

    /// True for `fe80::/10`, which means nothing without an interface.
    pub(crate) fn is_link_local(&self) -> bool {
        !self.is_v4() && self.0[0] == 0xfe && self.0[1] & 0xc0 == 0x80
    }

    /// The IPv4 address as C's `__be32`: the bytes in memory order.
    pub(super) fn be32(&self) -> u32 {
        u32::from_ne_bytes([self.0[12], self.0[13], self.0[14], self.0[15]])
    }

    pub(super) fn from_be32(a: u32) -> Self {
        Self::from_v4(a.to_ne_bytes())
    }

    pub(super) fn as_in6(&self) -> *const b::in6_addr {
        (&raw const self.0).cast()
    }

    pub(super) fn as_in6_mut(&mut self) -> *mut b::in6_addr {
        (&raw mut self.0).cast()
    }
}

/// An address, a port in host order, and what IPv6 adds.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SocketAddr {
    /// The address.
    pub(crate) ip: Ip,
    /// The port, host order.
    pub(crate) port: u16,
    /// `sin6_scope_id`, 0 for IPv4.
    pub(crate) scope: u32,
    /// `sin6_flowinfo` in host order, 0 for IPv4.
    pub(crate) flowinfo: u32,
}

/// Who talks to whom: the key under which a socket or a mini object is found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    /// The network namespace.
    pub(crate) net: NetId,
    /// Our address.
    pub(crate) laddr: Ip,
    /// Our port, host order.
    pub(crate) lport: u16,
    /// The peer's address; unspecified for a listener.
    pub(crate) raddr: Ip,
    /// The peer's port, host order; 0 for a listener.
    pub(crate) rport: u16,
    /// In a table: the interface the socket is bound to, 0 for any. In a lookup: the interface
    /// that the packet came in on.
    pub(crate) ifindex: u32,
}

impl Flow {
    /// The keyed hash of the four-tuple (the interface plays no part).
    #[inline]
    pub(crate) fn hash(&self) -> u32 {
        random::flow_hash(self)
    }

    /// The hash of namespace and local port: listeners and port owners.
    pub(crate) fn local_hash(&self) -> u32 {
        local_hash(self.net, self.lport)
    }

    /// True if packets of this flow travel in IPv4.
    pub(crate) fn is_v4(&self) -> bool {
        self.raddr.is_v4()
    }
}

/// The hash of a namespace and a local port.
pub(crate) fn local_hash(net: NetId, port: u16) -> u32 {
    random::port_hash(net, port)
}
