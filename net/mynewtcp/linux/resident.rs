// SPDX-License-Identifier: GPL-2.0

//! What a socket has only while it is connected, in an object of its own.
//!
//! It is as large as the rest of the socket, and most of it is written when it comes into being:
//! a socket that listens, or is not connected yet, or whose connection is over, need not have it,
//! and the C stack need neither clear nor copy it.

use super::{
    bindings as b,
    proto::Protocol,
    sock::Owned, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// The cache that residents live in. There is one.
pub(super) struct Cache<E: Protocol>(PhantomData<fn() -> E>);

impl<E: Protocol> Cache<E> {
    /// Makes it, before there are sockets.
    pub(super) fn new() -> Result<Self> {
        const { assert!(align_of::<E::Resident>() <= align_of::<u64>()) };
        // SAFETY: Called once, at start-up, before there are sockets.
        if unsafe { b::newtcp_residents_create(size_of::<E::Resident>() as u32) } {
            Ok(Self(PhantomData))
        } else {
            Err(ENOMEM)
        }
    }
}

impl<E: Protocol> Drop for Cache<E> {
    fn drop(&mut self) {
        // SAFETY: Nobody makes sockets any more; those that were are freed by callbacks of RCU,
        // and with them their residents.
        unsafe {
            b::rcu_barrier();
            b::newtcp_residents_destroy();
        }
    }
}

/// How many sleep.
static DORMANT: Atomic<i32> = Atomic::new(0);

/// How many connections sleep, on the whole host.
pub(crate) fn dormant() -> u32 {
    DORMANT.load(Relaxed).max(0) as u32
}

/// How often one was woken.
static WOKEN: Atomic<i32> = Atomic::new(0);

/// How often a connection was woken, on the whole host; it wraps.
pub(crate) fn woken() -> u32 {
    WOKEN.load(Relaxed) as u32
}

/// How long an allocation may wait for memory, and what may be done for it.
#[derive(Clone, Copy)]
pub(crate) struct Patience(b::gfp_t);

impl Patience {
    /// A softirq, or whoever holds a spin lock: take it or leave it.
    pub(crate) const NONE: Self = Self(b::NEWTCP_GFP_ATOMIC);

    /// That of a process which owns a socket of `E`.
    pub(crate) fn of<E: Protocol>(sk: &Owned<'_, E>) -> Self {
        // SAFETY: A live socket.
        Self(unsafe { b::newtcp_sk_gfp(sk.as_raw()) })
    }
}

/// An `Option` of what a socket has while it is connected. While nothing happens to it, it may
/// [sleep](Self::sleep); whoever locks the socket [wakes](Self::wake) it, or has it
/// [unfolded](Self::unfold) to look at it, so that nobody meets one that sleeps.
///
/// # Invariants
///
/// - `place` is an object of the cache of `E` that nobody else knows, and is initialised.
/// - `record` comes from `newtcp_record_alloc()`, nobody else knows it, and its first octet says
///   how many follow.
/// - There is one of them at most, or `place` is what `record` says.
pub(crate) struct Resident<E: Protocol> {
    place: Option<NonNull<E::Resident>>,
    record: Option<NonNull<u8>>,
}

// SAFETY: It owns its value.
unsafe impl<E: Protocol> Send for Resident<E> where E::Resident: Send {}

impl<E: Protocol> Resident<E> {
    /// Nothing.
    #[inline]
    pub(crate) const fn empty() -> Self {
        // INVARIANT: There is none of them.
        Self {
            place: None,
            record: None,
        }
    }

    /// What `make` makes takes the place of the old value. It is written directly if all of its
    /// construction is inlined.
    #[inline(always)]
    pub(crate) fn fill(
        &mut self,
        patience: Patience,
        make: impl FnOnce() -> E::Resident,
    ) -> Result<&mut E::Resident> {
        self.clear();
        self.put(patience.0, make)
    }

    #[inline(always)]
    fn put(
        &mut self,
        gfp: b::gfp_t,
        make: impl FnOnce() -> E::Resident,
    ) -> Result<&mut E::Resident> {
        // SAFETY: The cache lives as long as there are sockets of `E`.
        let place = NonNull::new(unsafe { b::newtcp_resident_alloc(gfp) }).ok_or(ENOMEM)?;
        let mut place: NonNull<E::Resident> = place.cast();
        // SAFETY: The object is ours, large enough and aligned for the type that the cache was
        // made for.
        unsafe { place.write(make()) };
        // INVARIANT: Initialised just now.
        self.place = Some(place);
        // SAFETY: As above.
        Ok(unsafe { place.as_mut() })
    }

    /// Drops the value.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.drop_place();
        self.drop_record();
    }

    #[inline]
    fn drop_place(&mut self) {
        if let Some(place) = self.place.take() {
            // SAFETY: By the type invariant, and nobody takes it for initialised from now on.
            unsafe {
                place.drop_in_place();
                b::newtcp_resident_free(place.as_ptr().cast());
            }
        }
    }

    #[inline]
    fn drop_record(&mut self) {
        if let Some(record) = self.record.take() {
            DORMANT.add(-1, Relaxed);
            // SAFETY: By the type invariant, and nobody uses it from now on.
            unsafe { b::newtcp_record_free(record.as_ptr()) };
        }
    }

    /// Has the value sleep, if it can, and if there is memory for that.
    pub(crate) fn sleep(&mut self) {
        if self.is_dormant() {
            return self.fold();
        }
        let Some(dormant) = self.get().and_then(E::doze) else {
            return;
        };
        let octets = dormant.as_ref();
        let Ok(len) = u8::try_from(octets.len()) else {
            return;
        };
        // SAFETY: No requirements.
        let record = unsafe { b::newtcp_record_alloc(u32::from(len) + 1) };
        let Some(record) = NonNull::new(record) else {
            return;
        };
        // SAFETY: There is room for the length and for the octets, which are elsewhere.
        unsafe {
            record.write(len);
            record
                .add(1)
                .copy_from_nonoverlapping(NonNull::from(octets).cast(), octets.len());
        }
        self.drop_place();
        DORMANT.add(1, Relaxed);
        // INVARIANT: Written just now, and the place is gone.
        self.record = Some(record);
    }

    /// There is no value, not even one that sleeps.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.place.is_none() && self.record.is_none()
    }

    /// It sleeps.
    #[inline]
    pub(crate) fn is_dormant(&self) -> bool {
        self.record.is_some()
    }

    /// Wakes the value up, with memory of the kind `gfp`. It sleeps on if there is none.
    #[cold]
    #[inline(never)]
    pub(super) fn wake(&mut self, gfp: b::gfp_t) -> Result {
        if self.is_dormant() {
            self.unfold(gfp)?;
            self.drop_record();
            WOKEN.add(1, Relaxed);
        }
        Ok(())
    }

    /// Lays out a value that sleeps, with memory of the kind `gfp`, to be looked at: what is
    /// changed in it is lost when it is [folded](Self::fold) again.
    #[cold]
    #[inline(never)]
    pub(super) fn unfold(&mut self, gfp: b::gfp_t) -> Result {
        let (Some(record), None) = (self.record, self.place) else {
            return Ok(());
        };
        // SAFETY: By the type invariant; nobody changes a record.
        let octets = unsafe {
            let len = usize::from(record.read());
            core::slice::from_raw_parts(record.add(1).as_ptr(), len)
        };
        // INVARIANT: Of the record.
        self.put(gfp, || E::wake(octets)).map(|_| ())
    }

    /// Takes away what was [laid out](Self::unfold).
    pub(super) fn fold(&mut self) {
        if self.is_dormant() {
            self.drop_place();
        }
    }

    /// The value.
    #[inline]
    pub(crate) fn get(&self) -> Option<&E::Resident> {
        // SAFETY: By the type invariant.
        self.place.as_ref().map(|place| unsafe { place.as_ref() })
    }

    /// The value, to be changed.
    #[inline]
    pub(crate) fn get_mut(&mut self) -> Option<&mut E::Resident> {
        // SAFETY: By the type invariant.
        self.place.as_mut().map(|place| unsafe { place.as_mut() })
    }
}

impl<E: Protocol> Drop for Resident<E> {
    #[inline]
    fn drop(&mut self) {
        self.clear();
    }
}
