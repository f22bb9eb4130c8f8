// SPDX-License-Identifier: GPL-2.0

//! Small objects that stand in the table of connections without being sockets: half-open
//! connections and connections in TIME-WAIT.
//!
//! # Life
//!
//! References are counted: every [`MiniRef`] is one, membership in the table is one, and a
//! pending timer is one. When the last is gone the object is freed after a grace period, since
//! readers of the table look at it under RCU only. An object leaves the table once and never
//! comes back; from then on its timer is not armed again.
//!
//! The object does not hold its network namespace. [`Demux::purge`](super::demux::Demux) takes
//! all of them out, and waits for their timers, before the namespace goes away.

use super::{
    addr::Flow,
    bindings as b,
    compat,
    demux::{
        self,
        Kind,
        Link, //
    },
    ip_output::{
        self,
        Manner, //
    },
    lock::{
        BhGuard,
        BhLock, //
    },
    net::Net,
    proto::Protocol,
    sock::Sock,
    time, //
};
use core::{
    marker::PhantomData,
    mem::offset_of,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        }, //
    },
    types::Opaque, //
};

/// A counted reference to a [`Mini`].
pub(crate) type MiniRef<E, T> = ARef<Mini<E, T>>;

/// The part of a [`Mini`] that does not depend on what it carries.
#[pin_data]
#[repr(C)]
pub(super) struct Head {
    pub(super) link: Link,
    pub(super) flow: Flow,
    refs: Atomic<u32>,
    net: *mut b::net,
    free: unsafe fn(*mut Head),
    /// What diagnosis knows it by, 0 before anyone asked.
    pub(super) cookie: Atomic<u64>,
    /// What the security module said of the SYN.
    pub(super) secid: Atomic<u32>,
    pub(super) peer_secid: Atomic<u32>,
    #[pin]
    timer: Opaque<b::timer_list>,
    rcu: Opaque<b::callback_head>,
}

/// A value that stands for a connection in the table.
#[pin_data]
#[repr(C)]
pub(crate) struct Mini<E: Protocol, T> {
    #[pin]
    head: Head,
    #[pin]
    value: BhLock<T>,
    _protocol: PhantomData<fn() -> E>,
}

// SAFETY: Everything in it is atomic, constant or behind a lock; the namespace pointer is only
// used as described at the top.
unsafe impl<E: Protocol, T: Send> Send for Mini<E, T> {}
// SAFETY: As above.
unsafe impl<E: Protocol, T: Send> Sync for Mini<E, T> {}

// SAFETY: `refs` counts the references; the object is freed after the last one is gone.
unsafe impl<E: Protocol, T> AlwaysRefCounted for Mini<E, T> {
    fn inc_ref(&self) {
        self.head.hold();
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller gives up one reference; `Head` comes first.
        unsafe { Head::put(obj.as_ptr().cast()) };
    }
}

impl Head {
    /// One more reference.
    pub(super) fn hold(&self) {
        self.refs.fetch_add(1, Relaxed);
    }

    /// One more reference, unless there is none left.
    fn try_hold(&self) -> bool {
        let mut count = self.refs.load(Relaxed);
        while count != 0 {
            match self.refs.cmpxchg(count, count.wrapping_add(1), Full) {
                Ok(_) => return true,
                Err(actual) => count = actual,
            }
        }
        false
    }

    /// Gives up one reference.
    ///
    /// # Safety
    ///
    /// The caller must own that reference and not use `this` afterwards.
    unsafe fn put(this: *mut Self) {
        // SAFETY: The reference that is given up keeps the object until it is.
        if unsafe { &(*this).refs }.fetch_sub(1, Full) == 1 {
            // SAFETY: Nobody else has a reference, and none can be made of a count of 0. `rcu` is
            // used for nothing else.
            unsafe {
                b::call_rcu(
                    Opaque::cast_into(&raw const (*this).rcu),
                    Some(free_after_rcu),
                )
            };
        }
    }

    fn timer(&self) -> *mut b::timer_list {
        self.timer.get()
    }

    /// Stops the timer if it is pending.
    fn disarm(&self) {
        // SAFETY: The timer was set up with the object. A pending one holds a reference, which
        // is given up here; the caller's keeps the object.
        unsafe {
            if b::timer_delete(self.timer()) != 0 {
                Self::put(core::ptr::from_ref(self).cast_mut());
            }
        }
    }

    /// The object has been taken out of the table by someone who has a reference of his own.
    pub(super) fn left_table(&self) {
        self.disarm();
        // SAFETY: The table's reference is given up; the caller has another.
        unsafe { Self::put(core::ptr::from_ref(self).cast_mut()) };
    }
}

/// Called by RCU when nobody can be looking at the object any more.
///
/// # Safety
///
/// `rcu` must be that of a [`Head`] without references.
unsafe extern "C" fn free_after_rcu(rcu: *mut b::callback_head) {
    // SAFETY: By the contract; `free` fits the object that the head is part of.
    unsafe {
        let head: *mut Head = rcu.byte_sub(offset_of!(Head, rcu)).cast();
        ((*head).free)(head);
    }
}

/// # Safety
///
/// `head` must be that of a `Mini<E, T>` that came from [`Mini::new`], unreachable for anyone else.
unsafe fn free<E: Protocol, T>(head: *mut Head) {
    // SAFETY: `Head` comes first in a `Mini`, whose memory is kmalloc()'s, as that of a `KBox`.
    drop(unsafe { KBox::from_raw(head.cast::<Mini<E, T>>()) });
}

/// The timer has gone off; its reference is ours now.
///
/// # Safety
///
/// `timer` must be that of a [`Head`] whose object is a `Mini` of `E`.
unsafe extern "C" fn fire<E: Protocol>(timer: *mut b::timer_list) {
    // SAFETY: By the contract, and the timer's reference keeps the object.
    let head: *mut Head = unsafe { timer.byte_sub(offset_of!(Head, timer)).cast() };
    // SAFETY: As above.
    let link = unsafe { &(*head).link };
    match link.kind() {
        Some(Kind::Request) => {
            // SAFETY: The kind says which `Mini` it is. The timer's reference becomes the `ARef`.
            let mini = unsafe { take_ref::<E, E::Request>(head) };
            if mini.is_listed() {
                E::request_timer(&mini);
            }
        }
        Some(Kind::TimeWait) => {
            // SAFETY: As above.
            let mini = unsafe { take_ref::<E, E::TimeWait>(head) };
            if mini.is_listed() {
                E::time_wait_timer(&mini);
            }
        }
        // SAFETY: The timer's reference is given up.
        Some(Kind::Sock) | None => unsafe { Head::put(head) },
    }
}

/// # Safety
///
/// `head` must be that of a `Mini<E, T>`, and the caller must own a reference, which passes to
/// the result.
unsafe fn take_ref<E: Protocol, T>(head: *mut Head) -> MiniRef<E, T> {
    // SAFETY: By the contract; `Head` comes first.
    unsafe { ARef::from_raw(NonNull::new_unchecked(head.cast())) }
}

impl<E: Protocol, T: Send> Mini<E, T> {
    /// An object for the connection `flow`, in no table yet.
    pub(crate) fn new(net: &Net, flow: Flow, value: T) -> Result<MiniRef<E, T>> {
        let net = net.as_raw();
        const { assert!(align_of::<Self>() <= align_of::<u64>()) };
        let init = pin_init!(Self {
            head <- pin_init!(Head {
                link: Link::new(),
                flow,
                refs: Atomic::new(1),
                net,
                free: free::<E, T>,
                cookie: Atomic::new(0),
                secid: Atomic::new(0),
                peer_secid: Atomic::new(0),
                timer <- Opaque::ffi_init(|timer| {
                    // SAFETY: The timer is writable and is pinned with the object.
                    unsafe { b::newtcp_timer_setup(timer, Some(fire::<E>)) }
                }),
                rcu: Opaque::uninit(),
            }),
            value <- BhLock::new(value, c"newtcp_mini", kernel::static_lock_class!()),
            _protocol: PhantomData,
        });
        // SAFETY: No requirements.
        let slot = unsafe { b::newtcp_mini_alloc(size_of::<Self>()) };
        let mini = NonNull::new(slot.cast::<Self>()).ok_or(ENOMEM)?.as_ptr();
        // SAFETY: The memory is new, large enough, and aligned as kmalloc() aligns; the object is
        // not moved any more.
        unsafe { compat::raw_init(mini, init) };
        // SAFETY: The count is 1, which is this reference.
        Ok(unsafe { take_ref(mini.cast()) })
    }

    /// Locks the value.
    pub(crate) fn lock(&self) -> BhGuard<'_, T> {
        self.value.lock()
    }
}

impl<E: Protocol, T> Mini<E, T> {
    /// A reference to the object, unless its last one is gone.
    ///
    /// # Safety
    ///
    /// `head` must be that of a `Mini<E, T>` whose memory is valid.
    pub(super) unsafe fn try_ref(head: *mut Head) -> Option<MiniRef<E, T>> {
        // SAFETY: By the contract; the reference that `try_hold` takes is handed over.
        unsafe { (*head).try_hold().then(|| take_ref(head)) }
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// Whose connection it is; `ifindex` is the device that the first packet came in on.
    pub(crate) fn flow(&self) -> &Flow {
        &self.head.flow
    }

    /// The device that the first packet came in on.
    pub(crate) fn ifindex(&self) -> u32 {
        self.head.flow.ifindex
    }

    /// It stands in the table.
    pub(crate) fn is_listed(&self) -> bool {
        self.head.link.is_listed()
    }

    /// Sets the timer to `deadline_ns`, whatever it was set to before. Does nothing for an object
    /// that is not in the table.
    #[inline]
    pub(crate) fn arm(&self, deadline_ns: u64) {
        if !self.is_listed() {
            return;
        }
        let at = time::deadline_to_jiffies(deadline_ns);
        self.head.hold();
        // SAFETY: The timer was set up with the object. A pending timer holds a reference; if it
        // was pending before, it had one already.
        unsafe {
            if b::mod_timer(self.head.timer(), at) != 0 {
                Head::put(core::ptr::from_ref(&self.head).cast_mut());
            }
        }
        // Someone may have taken it out, and stopped the timer, before it was set.
        if !self.is_listed() {
            self.head.disarm();
        }
    }

    /// Sends a segment without payload on behalf of the connection: `header` is header and
    /// options with the checksum field zero. `listener` lends its namespace and its options
    /// (mark, priority, hop limit).
    pub(crate) fn transmit(&self, listener: &Sock<E>, header: &[u8], ecn: u8) -> Result {
        let manner = self.manner(listener, ecn);
        ip_output::send_control(listener.net(), Some(listener), self.flow(), &manner, header)
    }

    /// How its segments go.
    pub(super) fn manner(&self, listener: &Sock<E>, ecn: u8) -> Manner {
        let mut manner = Manner::of_sock(listener);
        manner.tos = (manner.tos & !3) | (ecn & 3);
        manner
    }

    /// Takes it out of the table.
    pub(crate) fn remove(&self) {
        if demux::unlink_mini(&self.head) {
            self.head.left_table();
        }
    }

    /// The same, and waits for a timer that is just running. May sleep.
    pub(super) fn remove_sync(&self) {
        self.remove();
        // SAFETY: The timer was set up with the object, and the caller holds no lock that its
        // function takes. If it was set meanwhile, its reference is given up.
        unsafe {
            if b::timer_delete_sync(self.head.timer()) != 0 {
                Head::put(core::ptr::from_ref(&self.head).cast_mut());
            }
        }
    }
}
