// SPDX-License-Identifier: GPL-2.0

//! `socket(AF_INET_NEW_TCP, ...)`, and the second door, `socket(AF_INET, SOCK_STREAM, 253)`.
//!
//! The second door is the inet layer's `inet_create()`, to which a protocol switch entry tells
//! our tables. The first does the same here: `inet_create()` cannot be called for another
//! family.

use super::{
    bindings as b,
    compat::prelude::*,
    proto::{
        Protocol,
        IP_PROTOCOL, //
    },
    sock::{
        self,
        NewtcpSock, //
    },
    statics::Statics, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    ffi, //
};

/// `NEWTCP_PROTO_INET6` of the uapi: IPv6, dual stack.
const PROTO_INET6: i32 = b::NEWTCP_PROTO_INET6 as i32;

/// `struct net_proto_family` of protocol `E`.
pub(super) const fn table<E: Protocol>() -> b::net_proto_family {
    let mut family: b::net_proto_family = pin_init::zeroed();
    family.family = b::AF_INET_NEW_TCP as ffi::c_int;
    family.create = Some(create::<E>);
    family
}

/// Fills in the protocol switch entry for AF_INET or AF_INET6.
pub(super) fn protosw<E: Protocol>(statics: &'static Statics<E>, v6: bool) -> *mut b::inet_protosw {
    let (entry, ops) = if v6 {
        (statics.switch6.get(), statics.ops6.get())
    } else {
        (statics.switch4.get(), statics.ops4.get())
    };
    // SAFETY: Called before the entry is registered, so nobody else reads it.
    unsafe {
        (*entry).type_ = b::NEWTCP_SOCK_STREAM as u16;
        (*entry).protocol = u16::from(IP_PROTOCOL);
        (*entry).prot = statics.proto.get();
        (*entry).ops = ops;
    }
    entry
}

/// True if the protocol number asks for IPv6.
fn wants_v6(protocol: i32) -> Result<bool> {
    match protocol {
        0 => Ok(false),
        p if p == i32::from(IP_PROTOCOL) => Ok(false),
        PROTO_INET6 => Ok(true),
        _ => Err(EPROTONOSUPPORT),
    }
}

/// Called by `socket(2)`: makes the socket of `socket`, which has none yet.
unsafe extern "C" fn create<E: Protocol>(
    net: *mut b::net,
    socket: *mut b::socket,
    protocol: ffi::c_int,
    kern: ffi::c_int,
) -> ffi::c_int {
    // SAFETY: `net` and `socket` are live, and `socket` is this call's alone.
    from_result(|| unsafe { create_checked::<E>(net, socket, protocol, kern != 0) }.map(|()| 0))
}

/// # Safety
///
/// As for [`create`].
unsafe fn create_checked<E: Protocol>(
    net: *mut b::net,
    socket: *mut b::socket,
    protocol: i32,
    kern: bool,
) -> Result {
    // SAFETY: `socket` is live.
    if unsafe { b::newtcp_socket_type(socket) } as u32 != b::NEWTCP_SOCK_STREAM {
        return Err(ESOCKTNOSUPPORT);
    }
    let v6 = wants_v6(protocol)?;
    // SAFETY: No requirements.
    if v6 && !unsafe { b::newtcp_ipv6_enabled() } {
        return Err(EAFNOSUPPORT);
    }
    let statics = E::statics();
    let (family, ops) = if v6 {
        (b::AF_INET6, statics.ops6.get())
    } else {
        (b::AF_INET, statics.ops4.get())
    };
    // SAFETY: The tables are registered, as this function is reached through one of them; the
    // object made has the size that `struct proto` says.
    unsafe {
        b::newtcp_socket_init(socket, ops);
        let sk = b::sk_alloc(
            net,
            family as i32,
            b::NEWTCP_GFP_KERNEL,
            statics.proto.get(),
            i32::from(kern),
        );
        if sk.is_null() {
            return Err(ENOMEM);
        }
        b::sock_init_data(socket, sk);
        b::newtcp_inet_setup(sk, i32::from(IP_PROTOCOL));
        if v6 {
            b::newtcp_inet6_setup(sk, &raw mut (*sk.cast::<NewtcpSock<E>>()).inet6);
        }
        finish::<E>(sk, kern).inspect_err(|_| {
            b::sk_common_release(sk);
            b::newtcp_socket_detach(socket);
        })
    }
}

/// # Safety
///
/// `sk` must be a new socket that nobody else knows, with its C fields set up.
unsafe fn finish<E: Protocol>(sk: *mut b::sock, kern: bool) -> Result {
    // SAFETY: By the contract. Until our part is set up, the inet layer's destructor is right.
    unsafe {
        b::newtcp_set_destruct(sk, Some(b::newtcp_sock_destruct));
        sock::setup::<E>(sk)?;
        if !kern {
            to_result(b::newtcp_bpf_inet_sock_create(sk))?;
        }
    }
    Ok(())
}
