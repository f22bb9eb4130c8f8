// SPDX-License-Identifier: GPL-2.0

//! The security module's say in connections, where TCP asks for it. The hooks want a
//! `struct request_sock`, which we do not have: one is made up on the stack.

use super::{
    bindings as b,
    mini::Mini,
    proto::Protocol,
    skb::SkbRef,
    sock::Ctx, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::atomic::Relaxed, //
};

/// A made-up request for one call. The hooks read `family` of its operations only.
fn request<E: Protocol>(ctx: &Ctx<'_, E>, ops: &mut b::request_sock_ops) -> b::inet_request_sock {
    let mut ireq = b::inet_request_sock::default();
    let v6 = ctx.is_v6();
    ops.family = if v6 { b::AF_INET6 } else { b::AF_INET } as i32;
    // SAFETY: All pointers are valid; `ops` outlives the request in all callers.
    unsafe { b::newtcp_request_init(&raw mut ireq, ops, ctx.as_raw()) };
    ireq
}

impl<E: Protocol> Ctx<'_, E> {
    /// Asks whether this listener may get the connection that `skb` opens, and notes what the
    /// socket of the connection will need.
    pub(crate) fn may_connect(&mut self, skb: &SkbRef, mini: &Mini<E, E::Request>) -> Result {
        let mut ops: b::request_sock_ops = pin_init::zeroed();
        let mut ireq = request(self, &mut ops);
        let (mut secid, mut peer_secid) = (0, 0);
        // SAFETY: All pointers are valid, the socket is locked.
        to_result(unsafe {
            b::newtcp_security_conn_request(
                self.as_raw(),
                skb.as_raw(),
                &raw mut ireq,
                &raw mut secid,
                &raw mut peer_secid,
            )
        })?;
        mini.head().secid.store(secid, Relaxed);
        mini.head().peer_secid.store(peer_secid, Relaxed);
        Ok(())
    }

    /// Tells that the connection this socket opened is up; `skb` is the packet that said so.
    pub(crate) fn established(&mut self, skb: &SkbRef) {
        // SAFETY: The socket is locked, the packet live.
        unsafe { b::newtcp_security_established(self.as_raw(), skb.as_raw()) };
    }
}

/// Gives the socket of an accepted connection its label.
pub(super) fn cloned<E: Protocol>(child: &mut Ctx<'_, E>, mini: &Mini<E, E::Request>) {
    let mut ops: b::request_sock_ops = pin_init::zeroed();
    let mut ireq = request(child, &mut ops);
    // SAFETY: All pointers are valid, the child is locked.
    unsafe {
        b::newtcp_security_clone(
            child.as_raw(),
            &raw mut ireq,
            mini.head().secid.load(Relaxed),
            mini.head().peer_secid.load(Relaxed),
        );
    }
}
