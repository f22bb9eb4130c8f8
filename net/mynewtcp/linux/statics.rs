// SPDX-License-Identifier: GPL-2.0

//! The memory that the C stack links into its lists: one [`Statics`] per protocol.

#[cfg(CONFIG_MY_NEWTCP_DIAG)]
use super::diag;
use super::{
    bindings as b,
    ports::Ports,
    proto::{
        self,
        Protocol, //
    },
    proto_ops, {
        family,
        netns,
        offload,
        proc_net,
        rx, //
    },
};
use core::cell::UnsafeCell;

/// Memory that C writes to, in a static.
#[repr(transparent)]
pub(super) struct CStatic<T>(UnsafeCell<T>);

// SAFETY: Only raw pointers to the inside leave it; C serialises what it does with them.
unsafe impl<T> Sync for CStatic<T> {}

impl<T> CStatic<T> {
    pub(super) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    pub(super) const fn get(&self) -> *mut T {
        self.0.get()
    }
}

/// All tables of one protocol. The crate root makes a static of it and names it in
/// [`Protocol::statics`].
pub(crate) struct Statics<E: Protocol> {
    pub(super) ports: Ports<E>,
    pub(super) proto: CStatic<b::proto>,
    pub(super) ops4: CStatic<b::proto_ops>,
    pub(super) ops6: CStatic<b::proto_ops>,
    pub(super) family: CStatic<b::net_proto_family>,
    pub(super) switch4: CStatic<b::inet_protosw>,
    pub(super) switch6: CStatic<b::inet_protosw>,
    pub(super) protocol4: CStatic<b::net_protocol>,
    pub(super) protocol6: CStatic<b::inet6_protocol>,
    pub(super) offload4: CStatic<b::net_offload>,
    pub(super) offload6: CStatic<b::net_offload>,
    pub(super) pernet: CStatic<b::pernet_operations>,
    pub(super) seq4: CStatic<b::seq_operations>,
    pub(super) seq6: CStatic<b::seq_operations>,
    #[cfg(CONFIG_MY_NEWTCP_DIAG)]
    pub(super) diag: CStatic<b::inet_diag_handler>,
}

impl<E: Protocol> Statics<E> {
    /// The tables, filled in as far as a constant can be.
    #[allow(clippy::new_without_default, reason = "only for statics")]
    pub(crate) const fn new() -> Self {
        Self {
            ports: Ports::new(),
            proto: CStatic::new(proto::table::<E>()),
            ops4: CStatic::new(proto_ops::table4::<E>()),
            ops6: CStatic::new(proto_ops::table6::<E>()),
            family: CStatic::new(family::table::<E>()),
            switch4: CStatic::new(pin_init::zeroed()),
            switch6: CStatic::new(pin_init::zeroed()),
            protocol4: CStatic::new(rx::table4::<E>()),
            protocol6: CStatic::new(rx::table6::<E>()),
            offload4: CStatic::new(offload::table4()),
            offload6: CStatic::new(offload::table6()),
            pernet: CStatic::new(netns::table::<E>()),
            seq4: CStatic::new(proc_net::table::<E, false>()),
            seq6: CStatic::new(proc_net::table::<E, true>()),
            #[cfg(CONFIG_MY_NEWTCP_DIAG)]
            diag: CStatic::new(diag::table::<E>()),
        }
    }
}
