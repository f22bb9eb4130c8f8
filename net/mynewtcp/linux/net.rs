// SPDX-License-Identifier: GPL-2.0

//! Network namespaces, as sockets and packets see them.

use super::{
    bindings as b,
    netns::PerNet,
    proto::Protocol, //
};
use core::ptr::NonNull;
use kernel::types::Opaque;

/// Which network namespace: comparable, storable, not usable to reach it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct NetId(usize);

impl NetId {
    /// Bits for hashing.
    pub(crate) fn bits(&self) -> u64 {
        self.0 as u64
    }
}

/// A live network namespace, borrowed from a socket or a packet that keeps it alive.
#[repr(transparent)]
pub(crate) struct Net(Opaque<b::net>);

// SAFETY: `struct net` is shared between CPUs by design; only its own atomics and locks and
// `READ_ONCE()` reads are used here.
unsafe impl Send for Net {}
// SAFETY: As above.
unsafe impl Sync for Net {}

impl Net {
    /// # Safety
    ///
    /// `ptr` must point to a namespace that stays alive for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut b::net) -> &'a Self {
        // SAFETY: `Self` is transparent over `b::net`; the caller promises the lifetime.
        unsafe { &*ptr.cast() }
    }

    pub(super) fn as_raw(&self) -> *mut b::net {
        self.0.get()
    }

    /// Its identity.
    pub(crate) fn id(&self) -> NetId {
        NetId(self.as_raw() as usize)
    }

    /// The namespace that the host started with.
    pub(super) fn is_first(&self) -> bool {
        core::ptr::eq(self.as_raw(), &raw mut b::init_net)
    }

    pub(super) fn state(&self) -> *mut b::netns_mynewtcp {
        // SAFETY: `self` is a live namespace, whose `mynewtcp` field lives with it.
        unsafe { b::newtcp_netns(self.as_raw()) }
    }

    /// `net.mynewtcp.wmem`: send buffer in bytes, minimum, default, maximum.
    pub(crate) fn sysctl_wmem(&self) -> [i32; 3] {
        // SAFETY: The sysctl writes each number whole; a mix of old and new triple is harmless.
        unsafe { (&raw const (*self.state()).sysctl_wmem).read_volatile() }
    }

    /// `net.mynewtcp.rmem`: receive buffer in bytes, minimum, default, maximum.
    pub(crate) fn sysctl_rmem(&self) -> [i32; 3] {
        // SAFETY: As in `sysctl_wmem`.
        unsafe { (&raw const (*self.state()).sysctl_rmem).read_volatile() }
    }

    /// True if `net.ipv4.ip_local_reserved_ports` has `port`.
    pub(crate) fn is_reserved_port(&self, port: u16) -> bool {
        // SAFETY: `self` is a live namespace.
        unsafe { b::newtcp_is_local_reserved_port(self.as_raw(), port) }
    }

    pub(super) fn per_net<E: Protocol>(&self) -> Option<&PerNet<E>> {
        // SAFETY: `private` is set before the first socket or packet of the namespace can reach
        // us and cleared after the last one is gone.
        let private = unsafe { (&raw const (*self.state()).private).read_volatile() };
        // SAFETY: `private` is null or points to the `PerNet` of the one protocol there is.
        NonNull::new(private.cast()).map(|p| unsafe { p.as_ref() })
    }

    /// The protocol's own object for this namespace; `None` while the namespace is being set up
    /// or torn down.
    pub(crate) fn get<E: Protocol>(&self) -> Option<&E::Net> {
        self.per_net::<E>().and_then(PerNet::value)
    }
}
