// SPDX-License-Identifier: GPL-2.0

//! What the engine needs to know of a connection at its start.

use crate::engine::config::Parameters;
use crate::engine::seq::{
    Mss,
    SeqNum, //
};
use crate::linux;
use crate::linux::addr::Flow;

/// The payload that fits a packet of `mtu` octets behind `ip_header_len` octets of IP header and
/// a header without options.
pub(crate) fn mss_of_mtu(mtu: u32, ip_header_len: u32) -> Mss {
    let overhead = ip_header_len.saturating_add(crate::engine::wire::HEADER_LEN as u32);
    let octets = mtu.saturating_sub(overhead);
    Mss::new(u16::try_from(octets).unwrap_or(u16::MAX))
}

/// The payload of a superpacket of `gso_max_size` octets, headers included.
pub(crate) fn superpacket_payload(flow: &Flow, gso_max_size: u32) -> u32 {
    let ip_header_len = if flow.is_v4() { 20 } else { 40 };
    gso_max_size.saturating_sub(ip_header_len + crate::engine::wire::MAX_HEADER_LEN as u32)
}

/// Tells the secrets of a connection from those of a destination.
const CONNECTION_SALT: u32 = 1;

/// An initial sequence number: a clock that runs faster than any connection, plus a secret of
/// the four-tuple (RFC 6528). The clock ticks every 64 ns, as in Linux' TCP.
fn initial_seq(secret: u32) -> SeqNum {
    let clock = (linux::time::now_ns() >> 6) as u32;
    SeqNum::new(secret).plus(clock)
}

/// What the engine needs to know of a connection between the two ends of `flow`.
pub(crate) fn parameters_of(
    flow: &Flow,
    path_mss: Mss,
    advertised_mss: Mss,
    gso_max_size: u32,
    windows: (u32, u32),
) -> Parameters {
    let (receive_window, receive_window_max) = windows;
    let (secret, ts_offset) = linux::random::flow_secrets(flow, CONNECTION_SALT);
    Parameters {
        iss: initial_seq(secret),
        ts_offset,
        path_mss,
        advertised_mss,
        default_mss: if flow.is_v4() {
            Mss::DEFAULT
        } else {
            Mss::DEFAULT_V6
        },
        gso_max_size: superpacket_payload(flow, gso_max_size),
        receive_window_max,
        receive_window,
    }
}
