// SPDX-License-Identifier: GPL-2.0

//! The connection of a packet, found before IP looks for the packet's route.
//!
//! A connection remembers the route by which its packets come. If the next one comes by the same
//! device and the route is still good, IP need not look for it: most of what its input costs.
//! Netfilter and programs that look at the packet between there and here see its socket, as they
//! do with TCP. The packet has no reference to it; what counts is that it is in the table when the
//! packet [arrives](super::rx).

use super::{
    bindings as b,
    demux::demux,
    net::Net,
    proto::Protocol,
    rx, //
};
use kernel::sync::rcu;

/// Makes the function that IP calls, for protocol `$protocol`.
macro_rules! early_demux {
    ($protocol:ty) => {
        /// Called by the IP layer in softirq, under RCU, for a packet to our protocol that has
        /// neither socket nor route.
        ///
        /// # Safety
        ///
        /// `skb` must be such a packet, in exclusive use.
        #[no_mangle]
        unsafe extern "C" fn newtcp_early_demux(skb: *mut $crate::linux::early::Packet) {
            // SAFETY: By the contract.
            unsafe { $crate::linux::early::find::<$protocol>(skb) };
        }
    };
}
pub(crate) use early_demux;

/// What IP hands over.
pub(crate) type Packet = b::sk_buff;

/// Gives the packet its socket and, where that is known, its route.
///
/// # Safety
///
/// `skb` must be a live packet in exclusive use, with its network header in its head and without
/// socket and route; this must be softirq under RCU.
pub(crate) unsafe fn find<E: Protocol>(skb: *mut Packet) {
    // SAFETY: By the contract; the namespace lives as long as the packet's device, which RCU keeps.
    unsafe {
        let net = b::newtcp_early_net(skb);
        if net.is_null() {
            return;
        }
        let net = Net::from_raw(net);
        if !net.get::<E>().is_some_and(E::wants_early_demux) {
            return;
        }
        let flow = rx::flow_of(net, skb);
        if let Some(sk) = demux::<E>().glance(&rcu::read_lock(), &flow) {
            b::newtcp_early_assign(skb, sk.as_raw());
        }
    }
}
