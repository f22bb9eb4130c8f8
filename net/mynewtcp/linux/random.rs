// SPDX-License-Identifier: GPL-2.0

//! Random numbers, and the hashes that peers must not be able to predict.

use super::{
    addr::{
        Flow,
        Ip, //
    },
    bindings as b,
    net::NetId, //
};
use kernel::sync::SetOnce;

/// The key of [`flow_secrets`], drawn once at start-up.
static HASH_KEY: SetOnce<b::siphash_key_t> = SetOnce::new();
/// The key of [`flow_hash`] and [`port_hash`].
static FLOW_KEY: SetOnce<b::hsiphash_key_t> = SetOnce::new();
/// The keys of [`cookie_secret`]: what it hides travels on the wire, so they are its own.
static COOKIE_KEYS: [SetOnce<b::siphash_key_t>; 2] = [SetOnce::new(), SetOnce::new()];

/// Draws the keys.
pub(super) fn init() {
    HASH_KEY.populate(new_key());
    let mut key: b::hsiphash_key_t = pin_init::zeroed();
    // SAFETY: `key` is writable for its whole size.
    unsafe { b::get_random_bytes((&raw mut key).cast(), size_of::<b::hsiphash_key_t>()) };
    FLOW_KEY.populate(key);
    for key in &COOKIE_KEYS {
        key.populate(new_key());
    }
}

fn new_key() -> b::siphash_key_t {
    let mut key: b::siphash_key_t = pin_init::zeroed();
    // SAFETY: `key` is writable for its whole size.
    unsafe { b::get_random_bytes((&raw mut key).cast(), size_of::<b::siphash_key_t>()) };
    key
}

fn hash_with(key: &SetOnce<b::siphash_key_t>, bytes: &[u8]) -> u64 {
    static NO_KEY: b::siphash_key_t = pin_init::zeroed();
    let key = key.as_ref().unwrap_or(&NO_KEY);
    // SAFETY: Both pointers are valid for reads of the lengths that go with them.
    unsafe { b::newtcp_siphash(bytes.as_ptr().cast(), bytes.len(), key) }
}

/// A hash for the table of connections, where every packet is looked up. What it gives is never
/// shown to anybody, so the shorter variant that the kernel has for hash tables will do.
///
/// Both ends of a connection have the same: where they are on one host, the sender knows where
/// the receiver is.
#[inline]
pub(super) fn flow_hash(flow: &Flow) -> u32 {
    static NO_KEY: b::hsiphash_key_t = pin_init::zeroed();
    let key = FLOW_KEY.as_ref().unwrap_or(&NO_KEY);
    let net = (flow.net.bits() >> 6) as u32;
    let (local, remote) = ((&flow.laddr, flow.lport), (&flow.raddr, flow.rport));
    let ((a, a_port), (b, b_port)) = if is_ordered(local, remote) {
        (local, remote)
    } else {
        (remote, local)
    };
    // SAFETY: The addresses and the key are valid for reads.
    unsafe {
        if flow.is_v4() {
            b::newtcp_flow_hash4(a.be32(), a_port, b.be32(), b_port, net, key)
        } else {
            b::newtcp_flow_hash6(a.as_in6(), a_port, b.as_in6(), b_port, net, key)
        }
    }
}

/// Some order of ends, the same for everybody.
#[inline]
fn is_ordered(a: (&Ip, u16), b: (&Ip, u16)) -> bool {
    if a.1 == b.1 {
        a.0.halves() <= b.0.halves()
    } else {
        a.1 < b.1
    }
}

/// A hash for the tables of local ports. Only users of this host choose what goes in and nobody
/// sees what comes out, so no cipher is needed: a secret line through the numbers of 64 bits, of
/// which the upper half counts, makes any two ports meet as rarely as chance does.
#[inline]
pub(super) fn port_hash(net: NetId, port: u16) -> u32 {
    let [slope, start] = FLOW_KEY.as_ref().map_or([1, 0], |key| key.key);
    let place = ((net.bits() >> 6) as u32).wrapping_add(u32::from(port));
    ((slope as u64)
        .wrapping_mul(u64::from(place))
        .wrapping_add(start as u64)
        >> 32) as u32
}

/// 32 random bits.
#[inline]
pub(crate) fn u32() -> u32 {
    // SAFETY: No requirements; callable from any context.
    unsafe { b::get_random_u32() }
}

/// Two numbers that are the same for a four-tuple until the next boot, that nobody outside can
/// compute, and that say nothing of each other; `salt` gives unrelated ones for unrelated uses.
///
/// RFC 6528 builds initial sequence numbers as clock + F(four-tuple, secret): this is F.
#[inline]
pub(crate) fn flow_secrets(flow: &Flow, salt: u32) -> (u32, u32) {
    let hash = flow_secret(flow, salt);
    (hash as u32, (hash >> 32) as u32)
}

fn flow_secret(flow: &Flow, salt: u32) -> u64 {
    if !flow.is_v4() {
        return hash_with(&HASH_KEY, &bytes_of(flow, salt));
    }
    static NO_KEY: b::siphash_key_t = pin_init::zeroed();
    let key = HASH_KEY.as_ref().unwrap_or(&NO_KEY);
    let (laddr, raddr) = (flow.laddr.be32(), flow.raddr.be32());
    // SAFETY: The key is valid for reads.
    unsafe { b::newtcp_flow_secret4(laddr, flow.lport, raddr, flow.rport, salt, key) }
}

/// The same for SYN cookies, whose `count` is known to all: two unrelated hashes.
pub(crate) fn cookie_secret(flow: &Flow, second: bool, count: u32) -> u32 {
    let [first_key, second_key] = &COOKIE_KEYS;
    let key = if second { second_key } else { first_key };
    let hash = hash_with(key, &bytes_of(flow, count));
    (hash ^ (hash >> 32)) as u32
}

fn bytes_of(flow: &Flow, salt: u32) -> [u8; 40] {
    let mut bytes = [0u8; 40];
    bytes[..16].copy_from_slice(flow.laddr.octets());
    bytes[16..32].copy_from_slice(flow.raddr.octets());
    bytes[32..34].copy_from_slice(&flow.lport.to_ne_bytes());
    bytes[34..36].copy_from_slice(&flow.rport.to_ne_bytes());
    bytes[36..].copy_from_slice(&salt.to_ne_bytes());
    bytes
}
