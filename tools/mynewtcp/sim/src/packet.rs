// SPDX-License-Identifier: GPL-2.0

//! What travels over a link.

use std::rc::Rc;

use mynewtcp_engine::engine::error::IcmpError;
use mynewtcp_engine::engine::seq::SeqNum;
use mynewtcp_engine::engine::wire::Ecn;

/// A packet on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Transport header and payload, checksum in place.
    pub bytes: Rc<[u8]>,
    /// The ECN field of the IP header around it.
    pub ecn: Ecn,
}

impl Packet {
    /// Octets of an IP header.
    pub const IP_HEADER: u64 = 20;

    /// A packet that knows nothing of ECN.
    pub fn new(bytes: impl Into<Rc<[u8]>>) -> Self {
        Self {
            bytes: bytes.into(),
            ecn: Ecn::NotEct,
        }
    }

    /// Octets with the IP header.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64 + Self::IP_HEADER
    }

    /// It has no octets, which no packet has.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The sequence number that an ICMP message about it quotes.
    pub fn seq(&self) -> SeqNum {
        let octet = |i: usize| u32::from(self.bytes.get(i).copied().unwrap_or(0));
        SeqNum::new((octet(4) << 24) | (octet(5) << 16) | (octet(6) << 8) | octet(7))
    }

    /// Octets of payload.
    pub fn payload_len(&self) -> usize {
        let header = self
            .bytes
            .get(12)
            .map_or(0, |word| usize::from(word >> 4) * 4);
        self.bytes.len().saturating_sub(header)
    }

    /// It carries a SYN.
    pub fn is_syn(&self) -> bool {
        self.bytes.get(13).is_some_and(|flags| flags & 2 != 0)
    }
}

/// What an ICMP message says about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icmp {
    /// It did not arrive.
    Error(IcmpError),
    /// It was longer than this many octets, IP header included.
    TooBig(u16),
}
