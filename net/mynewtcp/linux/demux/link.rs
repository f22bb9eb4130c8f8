// SPDX-License-Identifier: GPL-2.0

//! What makes an object findable: its key, and its place in a chain.

use crate::linux::addr::{
    Flow,
    Ip, //
};
use kernel::sync::atomic::{
    Acquire,
    Atomic,
    Relaxed,
    Release, //
};

/// What the object around a [`Link`] is.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(in crate::linux) enum Kind {
    /// A socket (`NewtcpSock`).
    Sock = 1,
    /// A half-open connection (`Mini<E, E::Request>`).
    Request = 2,
    /// A connection in TIME-WAIT (`Mini<E, E::TimeWait>`).
    TimeWait = 3,
}

/// Which table a link is in.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Place {
    Nowhere = 0,
    Connections = 1,
    Listeners = 2,
}

const WORDS: usize = 6;

/// Membership in a [`Table`](super::table::Table).
///
/// The key is written only while the link is in no chain. A reader that still stands on the link
/// from an earlier life sees by `version` that the key changed under it, and takes that for a
/// mismatch, which it was.
pub(in crate::linux) struct Link {
    pub(super) next: Atomic<usize>,
    key: [Atomic<u64>; WORDS],
    hash: Atomic<u32>,
    version: Atomic<u32>,
    kind: Atomic<u32>,
    place: Atomic<u32>,
}

fn words_of(flow: &Flow) -> [u64; WORDS] {
    let Flow {
        net,
        laddr,
        lport,
        raddr,
        rport,
        ifindex,
    } = flow;
    let [l0, l1] = laddr.halves();
    let [r0, r1] = raddr.halves();
    let ports = (u64::from(*ifindex) << 32) | (u64::from(*lport) << 16) | u64::from(*rport);
    [ports, r0, r1, l0, l1, net.bits()]
}

impl Link {
    /// A link that is in no table.
    pub(in crate::linux) fn new() -> Self {
        Self {
            next: Atomic::new(1),
            key: [const { Atomic::new(0) }; WORDS],
            hash: Atomic::new(0),
            version: Atomic::new(0),
            kind: Atomic::new(0),
            place: Atomic::new(Place::Nowhere as u32),
        }
    }

    /// Notes what the object is and under which key it is to be found. The link must be in no
    /// chain, and nobody else may be entering it.
    #[inline]
    pub(super) fn set_key(&self, kind: Kind, flow: &Flow, hash: u32) {
        let version = self.version.load(Relaxed);
        self.version.store(version.wrapping_add(1), Relaxed);
        // Each release store keeps the odd version in front of the words.
        for (slot, word) in self.key.iter().zip(words_of(flow)) {
            slot.store(word, Release);
        }
        self.hash.store(hash, Release);
        self.kind.store(kind as u32, Release);
        self.version.store(version.wrapping_add(2), Release);
    }

    /// The key, unless it is just being changed.
    fn key(&self) -> Option<[u64; WORDS]> {
        let version = self.version.load(Acquire);
        let mut words = [0; WORDS];
        for (word, slot) in words.iter_mut().zip(&self.key) {
            *word = slot.load(Acquire);
        }
        (version & 1 == 0 && self.version.load(Relaxed) == version).then_some(words)
    }

    #[inline]
    pub(super) fn hash(&self) -> u32 {
        self.hash.load(Relaxed)
    }

    pub(in crate::linux) fn kind(&self) -> Option<Kind> {
        match self.kind.load(Acquire) {
            1 => Some(Kind::Sock),
            2 => Some(Kind::Request),
            3 => Some(Kind::TimeWait),
            _ => None,
        }
    }

    pub(super) fn place(&self) -> Place {
        match self.place.load(Acquire) {
            1 => Place::Connections,
            2 => Place::Listeners,
            _ => Place::Nowhere,
        }
    }

    pub(super) fn set_place(&self, place: Place) {
        self.place.store(place as u32, Release);
    }

    /// It is in a table.
    pub(in crate::linux) fn is_listed(&self) -> bool {
        self.place() != Place::Nowhere
    }

    /// Counts the changes of the key: while it is what it was, so is the key.
    #[inline]
    pub(super) fn version(&self) -> u32 {
        self.version.load(Acquire)
    }

    /// The same two ends, and a device that both take packets from.
    #[inline]
    pub(super) fn matches(&self, flow: &Flow) -> bool {
        let wanted = words_of(flow);
        // The other end of a connection to this host has the same hash: a key that is just being
        // changed is none either.
        if self.key[0].load(Relaxed) as u32 != wanted[0] as u32 {
            return false;
        }
        let Some(key) = self.key() else {
            return false;
        };
        let [own_ports, own_r0, own_r1, own_l0, own_l1, own_net] = key;
        let [ports, r0, r1, l0, l1, net] = wanted;
        let addresses = (own_r0 ^ r0) | (own_r1 ^ r1) | (own_l0 ^ l0) | (own_l1 ^ l1);
        own_ports as u32 == ports as u32
            && addresses | (own_net ^ net) == 0
            && devices_meet((own_ports >> 32) as u32, (ports >> 32) as u32)
    }

    /// For a link in the table of listeners: address, port, device and namespace.
    pub(super) fn listener_key(&self) -> Option<ListenerKey> {
        let [ports, _, _, l0, l1, net] = self.key()?;
        let [a, b, c, d, e, f, g, h] = l0.to_ne_bytes();
        let [i, j, k, l, m, n, o, p] = l1.to_ne_bytes();
        Some(ListenerKey {
            laddr: Ip::from_octets([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]),
            lport: (ports >> 16) as u16,
            ifindex: (ports >> 32) as u32,
            net,
        })
    }

    /// The namespace of the key, as `NetId::bits` gives it.
    pub(super) fn net_bits(&self) -> u64 {
        self.key[WORDS - 1].load(Acquire)
    }
}

/// Where a listener listens.
#[derive(PartialEq, Eq)]
pub(super) struct ListenerKey {
    pub(super) laddr: Ip,
    pub(super) lport: u16,
    pub(super) ifindex: u32,
    pub(super) net: u64,
}

/// Two device restrictions, 0 for none, that some packet passes both of.
pub(super) fn devices_meet(a: u32, b: u32) -> bool {
    a == b || a == 0 || b == 0
}
