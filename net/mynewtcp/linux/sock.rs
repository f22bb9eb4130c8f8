// SPDX-License-Identifier: GPL-2.0

//! Sockets, and who may do what with them: the lock that is held is in the type.
//!
//! | type | proves | may sleep |
//! |---|---|---|
//! | `&Sock<E>` | the socket is alive | as its context may |
//! | [`SockRef<E>`] | the same, with a reference of its own | |
//! | [`Ctx`] | the socket lock is held; everything but the endpoint | no |
//! | [`Locked`] | the same, and the endpoint | no |
//! | [`Owned`] | the same, taken by a process with `lock_sock()` | yes |
//!
//! [`Owned`] dereferences to [`Locked`], that to [`Ctx`], that to [`Sock`].
//!
//! # Life of a socket
//!
//! `struct sock` comes first in [`NewtcpSock`], so the C stack and we mean the same address. The
//! C stack allocates it zeroed, the endpoint is initialised in place before anyone else can see
//! the socket, and it is dropped in `sk_destruct`, in whatever context the last reference goes
//! away, after an RCU grace period. Until [`Locked::destroy`] the protocol itself holds one
//! reference, the *life reference*.

mod child;
mod context;
mod fields;
mod fifo;
mod life;
mod pacing;
mod stream;
mod wait;

pub(crate) use context::{
    Ctx,
    Locked,
    Owned, //
};
pub(crate) use fields::{
    SockFlag,
    Wake, //
};
pub(crate) use fifo::SockFifo;
pub(super) use life::{
    give_up,
    setup, //
};
pub(crate) use wait::Wait;

use pacing::Pacing;

use super::{
    bindings as b,
    demux::Link,
    ports::PortLink,
    proto::Protocol, //
};
use core::{
    cell::UnsafeCell,
    mem::{
        offset_of,
        MaybeUninit, //
    },
    ptr::NonNull, //
};
use kernel::{
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        atomic::Atomic, //
    },
    types::Opaque, //
};

/// What the C stack allocates for one socket (`obj_size` of `struct proto`).
#[repr(C)]
pub(super) struct NewtcpSock<E: Protocol> {
    inet: b::inet_sock,
    pub(super) inet6: b::ipv6_pinfo,
    pub(super) floor: Floor<E>,
    tail: UnsafeCell<MaybeUninit<E>>,
}

impl<E: Protocol> NewtcpSock<E> {
    /// The octets behind what the C stack knows.
    pub(super) const OWN: usize = size_of::<Self>() - offset_of!(Self, floor);
}

/// What this floor keeps in every socket.
pub(super) struct Floor<E: Protocol> {
    /// The protocol's lock-free part.
    shared: E::Shared,
    /// Membership in the connection or listener table.
    pub(super) link: Link,
    /// Membership among the owners of a port.
    pub(super) port: PortLink,
    /// The next one in an accept queue; see `fifo`.
    fifo_next: Atomic<*mut b::sock>,
    /// 1 while in an accept queue.
    in_fifo: Atomic<u32>,
    /// Received payload beyond a gap.
    out_of_order: UnsafeCell<b::rb_root>,
    /// The deadline that the timer is set for, in nanoseconds; only meaningful while it is pending.
    armed_for: UnsafeCell<u64>,
    /// Goes off when pacing allows the next transmission; a queued one holds a reference.
    pacing: Pacing,
    /// Packets to sockets of this host, until the lock is let go; see `loopback`.
    pub(super) outbox: UnsafeCell<*mut b::sk_buff>,
    /// 1 while the protocol holds its life reference.
    alive: Atomic<u32>,
}

/// A live socket of the protocol, not locked.
///
/// # Invariants
///
/// The endpoint is initialised, and the object stays alive as long as the reference.
#[repr(transparent)]
pub(crate) struct Sock<E: Protocol>(Opaque<NewtcpSock<E>>);

// SAFETY: What `&Sock` gives access to is atomic, read-only, `Sync`, or changed by C functions
// that lock; the endpoint is reached through the lock only and is `Send`.
unsafe impl<E: Protocol> Send for Sock<E> {}
// SAFETY: As above.
unsafe impl<E: Protocol> Sync for Sock<E> {}

/// A counted reference to a socket.
pub(crate) type SockRef<E> = ARef<Sock<E>>;

// SAFETY: `sk_refcnt` counts references; the socket is freed after the last one is put.
unsafe impl<E: Protocol> AlwaysRefCounted for Sock<E> {
    fn inc_ref(&self) {
        // SAFETY: A shared reference implies that the count is not zero.
        unsafe { b::newtcp_sock_hold(self.as_raw()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller gives up one reference.
        unsafe { b::newtcp_sock_put(obj.as_ptr().cast()) };
    }
}

impl<E: Protocol> Sock<E> {
    /// # Safety
    ///
    /// `sk` must be a socket of this protocol with an initialised endpoint, and someone must
    /// hold a reference to it during `'a`.
    #[inline]
    pub(super) unsafe fn from_raw<'a>(sk: *mut b::sock) -> &'a Self {
        // SAFETY: `struct sock` is at offset 0; the caller promises the rest.
        unsafe { &*sk.cast() }
    }

    /// The C object.
    #[inline]
    pub(super) fn as_raw(&self) -> *mut b::sock {
        self.0.get().cast()
    }

    #[inline]
    pub(super) fn floor(&self) -> &Floor<E> {
        // SAFETY: By the type invariant; `Floor` is only ever shared, what changes in it has
        // interior mutability.
        unsafe { &(*self.0.get()).floor }
    }

    #[inline]
    fn tail(&self) -> *mut E {
        // SAFETY: In bounds of the same object.
        unsafe { (&raw mut (*self.0.get()).tail).cast() }
    }

    /// The tree of payload beyond a gap, for the holder of the lock.
    #[inline]
    pub(super) fn out_of_order_root(&self) -> *mut b::rb_root {
        self.floor().out_of_order.get()
    }

    /// The protocol's part that needs no lock.
    #[inline]
    pub(crate) fn shared(&self) -> &E::Shared {
        &self.floor().shared
    }

    /// A reference of its own.
    #[inline]
    pub(crate) fn sock_ref(&self) -> SockRef<E> {
        self.into()
    }
}

impl<E: Protocol> Floor<E> {
    fn new() -> Self {
        Self {
            shared: E::Shared::default(),
            link: Link::new(),
            port: PortLink::new(),
            fifo_next: Atomic::new(core::ptr::null_mut()),
            in_fifo: Atomic::new(0),
            out_of_order: UnsafeCell::new(pin_init::zeroed()),
            armed_for: UnsafeCell::new(0),
            pacing: Pacing::new(),
            outbox: UnsafeCell::new(core::ptr::null_mut()),
            alive: Atomic::new(0),
        }
    }
}
