// SPDX-License-Identifier: GPL-2.0

//! Cutting superpackets into segments for devices that cannot.
//!
//! The header is TCP's, so TCP's cutter does it, with our own pseudo-header and without the
//! device features that know TCP by its protocol number.

use super::bindings as b;
use kernel::prelude::*;

/// `struct net_offload` for IPv4.
pub(super) const fn table4() -> b::net_offload {
    let mut table: b::net_offload = pin_init::zeroed();
    table.callbacks.gso_segment = Some(segment4);
    table
}

/// `struct net_offload` for IPv6.
pub(super) const fn table6() -> b::net_offload {
    let mut table: b::net_offload = pin_init::zeroed();
    table.callbacks.gso_segment = Some(segment6);
    table
}

/// Called by the IPv4 layer's own cutter, with the packet at our header.
unsafe extern "C" fn segment4(
    skb: *mut b::sk_buff,
    features: b::netdev_features_t,
) -> *mut b::sk_buff {
    // SAFETY: The caller gives a live packet with its IP header in place.
    unsafe { segment(skb, features, b::newtcp_is_gso4(skb)) }
}

/// Called by the IPv6 layer's own cutter, with the packet at our header.
unsafe extern "C" fn segment6(
    skb: *mut b::sk_buff,
    features: b::netdev_features_t,
) -> *mut b::sk_buff {
    // SAFETY: The caller gives a live packet with its IP header in place.
    unsafe { segment(skb, features, b::newtcp_is_gso6(skb)) }
}

/// # Safety
///
/// `skb` must be a live packet with its IP header in place and `data` at our header.
unsafe fn segment(
    skb: *mut b::sk_buff,
    features: b::netdev_features_t,
    is_ours: bool,
) -> *mut b::sk_buff {
    // SAFETY: By the contract.
    unsafe {
        if !is_ours || !b::newtcp_skb_may_pull(skb, 20) {
            return b::newtcp_err_ptr(EINVAL.to_errno() as isize);
        }
        if !b::newtcp_checksum_is_partial(skb) {
            // From a source that summed the whole packet: start over for the parts.
            b::newtcp_checksum_restart(skb);
        }
        b::newtcp_gso_segment(skb, features)
    }
}
