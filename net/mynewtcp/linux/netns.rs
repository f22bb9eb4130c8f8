// SPDX-License-Identifier: GPL-2.0

//! What each network namespace has: the protocol's object, control sockets, sysctls.

use super::{
    bindings as b,
    demux,
    memory::{
        self,
        pool::Pool, //
    },
    net::Net,
    proc_net,
    proto::{
        Protocol,
        IP_PROTOCOL, //
    },
    seq_file,
    sysctl, //
};
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    error::{
        from_result,
        to_result, //
    },
    ffi,
    prelude::*,
    types::ScopeGuard, //
};

/// The object behind `struct netns_mynewtcp.private`. The head comes first, so that it can be
/// read without knowing the protocol.
#[repr(C)]
pub(super) struct PerNet<E: Protocol> {
    head: Head,
    value: E::Net,
}

/// What every protocol's namespaces have.
struct Head {
    ctl: ControlSocks,
    pool: Pool,
}

impl<E: Protocol> PerNet<E> {
    pub(super) fn value(&self) -> Option<&E::Net> {
        Some(&self.value)
    }
}

/// Sockets that lend their namespace and protocol number to packets that have no socket.
///
/// # Invariants
///
/// Live until dropped.
pub(super) struct ControlSocks {
    /// For IPv4.
    pub(super) v4: *mut b::sock,
    /// For IPv6, if there is IPv6.
    pub(super) v6: Option<*mut b::sock>,
}

impl ControlSocks {
    fn new(net: *mut b::net) -> Result<Self> {
        let mut socks = Self {
            v4: control_sock(net, b::AF_INET)?,
            v6: None,
        };
        // SAFETY: No requirements.
        if unsafe { b::newtcp_ipv6_enabled() } {
            socks.v6 = Some(control_sock(net, b::AF_INET6)?);
        }
        Ok(socks)
    }
}

impl Drop for ControlSocks {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; nobody sends through them any more.
        unsafe {
            b::newtcp_ctl_sock_destroy(self.v4);
            if let Some(v6) = self.v6 {
                b::newtcp_ctl_sock_destroy(v6);
            }
        }
    }
}

fn control_sock(net: *mut b::net, family: u32) -> Result<*mut b::sock> {
    let mut sk = null_mut();
    // SAFETY: `net` is live; the socket takes no reference to it.
    to_result(unsafe {
        b::inet_ctl_sock_create(
            &raw mut sk,
            family as u16,
            b::NEWTCP_SOCK_RAW as u16,
            IP_PROTOCOL,
            net,
        )
    })?;
    Ok(sk)
}

#[inline]
fn head(net: &Net) -> Option<&Head> {
    // SAFETY: `private` is null or points to a `PerNet`, which starts with its head and is freed
    // only when no packet can be on its way any more and no socket is left.
    unsafe {
        let private = (&raw const (*net.state()).private).read_volatile();
        NonNull::new(private.cast::<Head>()).map(|p| p.as_ref())
    }
}

/// The control sockets of a namespace; `None` while it is being set up or torn down.
pub(super) fn control_socks(net: &Net) -> Option<&ControlSocks> {
    head(net).map(|head| &head.ctl)
}

/// The memory of a namespace; `None` while it is being set up or torn down.
#[inline]
pub(super) fn pool(net: &Net) -> Option<&Pool> {
    head(net).map(|head| &head.pool)
}

/// `struct pernet_operations` of protocol `E`.
pub(super) const fn table<E: Protocol>() -> b::pernet_operations {
    let mut ops: b::pernet_operations = pin_init::zeroed();
    ops.init = Some(init::<E>);
    ops.exit = Some(exit::<E>);
    ops
}

/// Called for each namespace that exists or comes into being.
unsafe extern "C" fn init<E: Protocol>(net: *mut b::net) -> ffi::c_int {
    // SAFETY: The caller gives a live namespace, for which this runs once.
    from_result(|| unsafe { set_up::<E>(Net::from_raw(net)) }.map(|()| 0))
}

/// Called for each namespace that goes away: its sockets are gone, packets may still come.
unsafe extern "C" fn exit<E: Protocol>(net: *mut b::net) {
    // SAFETY: `init` has succeeded for it.
    let net = unsafe { Net::from_raw(net) };
    sysctl::unregister(net);
    seq_file::unregister::<E>(net);
    proc_net::unregister(net);
    demux::demux::<E>().purge(net);
    tear_down::<E>(net);
}

fn set_up<E: Protocol>(net: &Net) -> Result {
    let state = net.state();
    // SAFETY: The namespace is new and nobody else uses our part of it.
    unsafe {
        (*state).sysctl_wmem = memory::default_wmem();
        (*state).sysctl_rmem = memory::default_rmem();
    }
    let per_net = KBox::new(
        PerNet::<E> {
            head: Head {
                ctl: ControlSocks::new(net.as_raw())?,
                pool: Pool::new()?,
            },
            value: E::net_init(net)?,
        },
        GFP_KERNEL,
    )?;
    // SAFETY: As above; `tear_down` frees it.
    unsafe { (*state).private = KBox::into_raw(per_net).cast() };
    let undo = ScopeGuard::new(|| tear_down::<E>(net));
    seq_file::register::<E>(net)?;
    let undo = ScopeGuard::new_with_data(undo, |_undo| seq_file::unregister::<E>(net));
    proc_net::register::<E>(net)?;
    let undo = ScopeGuard::new_with_data(undo, |_undo| proc_net::unregister(net));
    sysctl::register::<E>(net)?;
    undo.dismiss().dismiss().dismiss();
    Ok(())
}

fn tear_down<E: Protocol>(net: &Net) {
    let state = net.state();
    // SAFETY: `set_up` made it. From here on nobody finds it any more; those who have found it
    // are under RCU.
    unsafe {
        let per_net = (*state).private.cast::<PerNet<E>>();
        (&raw mut (*state).private).write_volatile(null_mut());
        b::synchronize_rcu();
        drop(KBox::from_raw(per_net));
    }
}
