// SPDX-License-Identifier: GPL-2.0

//! Cutting superpackets into segments for devices that cannot, and making superpackets of
//! segments that come in one after the other.
//!
//! The header is TCP's, so what cuts and merges TCP's does it, with our own pseudo-header and
//! without the device features that know TCP by its protocol number. A merged packet gets the
//! kind that our own superpackets have, so a router cuts it like them.

use super::bindings as b;
use core::ptr;
use kernel::{
    ffi,
    prelude::*, //
};

/// `struct net_offload` for IPv4.
pub(super) const fn table4() -> b::net_offload {
    let mut table: b::net_offload = pin_init::zeroed();
    table.callbacks.gso_segment = Some(segment4);
    table.callbacks.gro_receive = Some(merge4);
    table.callbacks.gro_complete = Some(complete4);
    table
}

/// `struct net_offload` for IPv6.
pub(super) const fn table6() -> b::net_offload {
    let mut table: b::net_offload = pin_init::zeroed();
    table.callbacks.gso_segment = Some(segment6);
    table.callbacks.gro_receive = Some(merge6);
    table.callbacks.gro_complete = Some(complete6);
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

/// Called by the IPv4 layer's GRO, in softirq, with a packet and those that wait for company.
unsafe extern "C" fn merge4(waiting: *mut b::list_head, skb: *mut b::sk_buff) -> *mut b::sk_buff {
    // SAFETY: The caller gives a live packet whose GRO offset is at our header.
    unsafe { merge(waiting, skb, || b::newtcp_gro_checksum_ok4(skb)) }
}

/// Called by the IPv6 layer's GRO, in softirq, with a packet and those that wait for company.
unsafe extern "C" fn merge6(waiting: *mut b::list_head, skb: *mut b::sk_buff) -> *mut b::sk_buff {
    // SAFETY: The caller gives a live packet whose GRO offset is at our header.
    unsafe { merge(waiting, skb, || b::newtcp_gro_checksum_ok6(skb)) }
}

/// Gives the packet of `waiting` that has to go on now.
///
/// # Safety
///
/// `skb` must be a live packet in GRO with its offset at our header, `waiting` the list of packets
/// that GRO holds.
unsafe fn merge(
    waiting: *mut b::list_head,
    skb: *mut b::sk_buff,
    checksum_ok: impl FnOnce() -> bool,
) -> *mut b::sk_buff {
    // SAFETY: By the contract.
    unsafe {
        // What goes on by itself is summed later, and only if somebody wants it.
        if b::newtcp_gro_will_flush(skb) || checksum_ok() {
            let header = b::newtcp_gro_header(skb);
            if !header.is_null() {
                return b::newtcp_gro_receive(waiting, skb, header);
            }
        }
        b::newtcp_gro_flush(skb);
    }
    ptr::null_mut()
}

/// Called by the IPv4 layer's GRO with a packet that was merged from several.
unsafe extern "C" fn complete4(skb: *mut b::sk_buff, offset: ffi::c_int) -> ffi::c_int {
    // SAFETY: The caller gives a live packet with our header at `offset` from its data.
    unsafe {
        let len = b::newtcp_skb_len(skb).saturating_sub(offset.max(0) as u32);
        let kind = b::NEWTCP_GSO_V4 | b::newtcp_gro_fixedid(skb);
        b::newtcp_gro_complete(skb, b::newtcp_gro_pseudo4(skb, len), kind);
    }
    0
}

/// Called by the IPv6 layer's GRO with a packet that was merged from several.
unsafe extern "C" fn complete6(skb: *mut b::sk_buff, offset: ffi::c_int) -> ffi::c_int {
    // SAFETY: The caller gives a live packet with our header at `offset` from its data.
    unsafe {
        let len = b::newtcp_skb_len(skb).saturating_sub(offset.max(0) as u32);
        b::newtcp_gro_complete(skb, b::newtcp_gro_pseudo6(skb, len), b::NEWTCP_GSO_V6);
    }
    0
}
