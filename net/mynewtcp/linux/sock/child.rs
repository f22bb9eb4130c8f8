// SPDX-License-Identifier: GPL-2.0

//! Sockets that a listener makes.

use super::{
    life,
    Ctx,
    Locked,
    Sock,
    SockRef, //
};
use crate::linux::{
    bindings as b,
    lsm,
    mini::Mini,
    proto::Protocol,
    route::KeptRoute,
    skb::SkbRef, //
};
use core::ops::{
    Deref,
    DerefMut, //
};
use kernel::prelude::*;

/// A new connection of a listener: locked until dropped, known to nobody until it is put into a
/// table. Its lock is the spin lock, taken inside that of the listener.
///
/// # Invariants
///
/// Holds the spin lock of the child and one reference to it, besides its life reference.
pub(crate) struct Child<'a, E: Protocol> {
    locked: Locked<'a, E>,
}

impl<E: Protocol> Ctx<'_, E> {
    /// Makes the socket of a connection that this listener accepts: a copy of the listener with
    /// the endpoint that `init` makes, the addresses of `request`, and a route to the peer: that
    /// in `route` if it is still good.
    pub(crate) fn clone_child<'c>(
        &mut self,
        request: &Mini<E, E::Request>,
        _skb: &SkbRef,
        init: impl PinInit<E, Error>,
        route: Option<KeptRoute>,
    ) -> Result<Child<'c, E>> {
        let parent = self.as_raw();
        // SAFETY: `parent` is a live locked socket. The child comes locked, with two references.
        let child = unsafe { b::sk_clone(parent, b::NEWTCP_GFP_ATOMIC, true) };
        if child.is_null() {
            return Err(ENOMEM);
        }
        // SAFETY: `child` is new and nobody else knows it. Its destructor is the listener's,
        // which must not see the copied endpoint.
        let set_up = unsafe {
            b::newtcp_set_destruct(child, None);
            b::newtcp_child_reset(
                child,
                parent,
                &raw mut (*child.cast::<super::NewtcpSock<E>>()).inet6,
            );
            b::newtcp_timer_setup(
                b::newtcp_sk_timer(child),
                Some(crate::linux::proto::callbacks::timer::<E>),
            );
            life::child_setup::<E>(child, init)
        };
        if let Err(e) = set_up {
            // SAFETY: The child has no endpoint and no destructor; `sk_clone()` locked it and
            // gave two references, and counted it.
            unsafe {
                b::newtcp_bh_unlock_sock(child);
                b::newtcp_sockets_allocated_dec(child);
                b::newtcp_child_free(child);
            }
            return Err(e);
        }
        // INVARIANT: Locked by `sk_clone()`; one of its two references is the life reference.
        let mut child = Child {
            // SAFETY: The child is initialised, locked, and nobody else knows it.
            locked: unsafe { Locked::new(Sock::from_raw(child)) },
        };
        match child.connect_to(request, route) {
            Ok(()) => Ok(child),
            Err(e) => {
                child.discard();
                Err(e)
            }
        }
    }
}

impl<E: Protocol> Child<'_, E> {
    fn connect_to(&mut self, request: &Mini<E, E::Request>, route: Option<KeptRoute>) -> Result {
        let flow = *request.flow();
        self.set_state(crate::linux::state::SYN_RECV);
        self.set_remote(flow.raddr, flow.rport);
        self.set_local_addr(flow.laddr);
        self.set_local_port(flow.lport);
        if flow.raddr.is_link_local() || flow.laddr.is_link_local() {
            // SAFETY: The child is locked.
            unsafe { b::newtcp_sk_set_bound_ifindex(self.as_raw(), request.ifindex() as i32) };
        }
        // SAFETY: The child is locked.
        unsafe { b::newtcp_sk_set_txhash(self.as_raw()) };
        lsm::cloned(self, request);
        self.route_accepted(route)
    }

    /// Unlocks it.
    pub(crate) fn unlock(self) -> SockRef<E> {
        self.sock_ref()
    }

    /// Gives it up: nobody will ever accept it. It must be in no table any more.
    pub(crate) fn discard(mut self) {
        self.set_state(crate::linux::state::CLOSE);
        let sk = self.as_raw();
        // SAFETY: The child is locked, alive, and has no file.
        unsafe { b::newtcp_sock_orphan(sk) };
        self.destroy();
    }
}

impl<E: Protocol> Drop for Child<'_, E> {
    fn drop(&mut self) {
        // The listener's lock is held: the device has to deliver this.
        drop(self.take_outbox());
        let sk = self.as_raw();
        // SAFETY: By the type invariant. This may be the last reference if the child has been
        // discarded, so it is not touched afterwards.
        unsafe {
            b::newtcp_bh_unlock_sock(sk);
            b::newtcp_sock_put(sk);
        }
    }
}

impl<'a, E: Protocol> Deref for Child<'a, E> {
    type Target = Locked<'a, E>;

    fn deref(&self) -> &Locked<'a, E> {
        &self.locked
    }
}

impl<'a, E: Protocol> DerefMut for Child<'a, E> {
    fn deref_mut(&mut self) -> &mut Locked<'a, E> {
        &mut self.locked
    }
}
