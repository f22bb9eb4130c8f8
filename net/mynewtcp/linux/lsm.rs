// SPDX-License-Identifier: GPL-2.0

//! The security module's say in connections, where TCP asks for it. The hooks want a
//! `struct request_sock`, which we do not have: one is made up on the stack.

use super::{
    addr::Flow,
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

/// The hooks are compiled in. Without them there is nobody to make up a request for.
const HAS_HOOKS: bool = cfg!(CONFIG_SECURITY_NETWORK);

/// A made-up request for the connection `flow`, for one call about the socket `ctx`, the listener
/// if `is_listener`. The hooks read `family` of its operations, the IP version of the packets, and
/// modules that label packets want the addresses.
fn request<E: Protocol>(
    ctx: &Ctx<'_, E>,
    ops: &mut b::request_sock_ops,
    flow: &Flow,
    is_listener: bool,
) -> b::inet_request_sock {
    let mut ireq = b::inet_request_sock::default();
    let family = if flow.is_v4() {
        b::AF_INET
    } else {
        b::AF_INET6
    };
    ops.family = family as i32;
    let listener = if is_listener {
        ctx.as_raw()
    } else {
        core::ptr::null_mut()
    };
    // SAFETY: All pointers are valid; `ops` and the socket outlive the request in all callers.
    unsafe {
        b::newtcp_request_init(
            &raw mut ireq,
            ops,
            listener,
            ctx.as_raw(),
            flow.laddr.as_in6(),
            flow.lport,
            flow.raddr.as_in6(),
            flow.rport,
        );
    }
    ireq
}

impl<E: Protocol> Ctx<'_, E> {
    /// Asks whether this listener may get the connection that `skb` opens, and notes what the
    /// socket of the connection will need.
    pub(crate) fn may_connect(&mut self, skb: &SkbRef, mini: &Mini<E, E::Request>) -> Result {
        if !HAS_HOOKS {
            return Ok(());
        }
        let mut ops: b::request_sock_ops = pin_init::zeroed();
        let mut ireq = request(self, &mut ops, mini.flow(), true);
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
    if !HAS_HOOKS {
        return;
    }
    let mut ops: b::request_sock_ops = pin_init::zeroed();
    let mut ireq = request(child, &mut ops, mini.flow(), false);
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
