// SPDX-License-Identifier: GPL-2.0

//! What a socket has only while it is connected, in an object of its own.
//!
//! It is as large as the rest of the socket, and most of it is written when it comes into being:
//! a socket that listens, or is not connected yet, or whose connection is over, need not have it,
//! and the C stack need neither clear nor copy it.

use super::{
    bindings as b,
    proto::Protocol, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::prelude::*;

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

/// Whether an allocation may wait for memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// A softirq, or whoever holds a spin lock: take it or leave it.
    None,
    /// A process.
    MaySleep,
}

/// An `Option` of what a socket has while it is connected.
///
/// # Invariants
///
/// `place` is an object of the cache of `E` that nobody else knows, and is initialised.
pub(crate) struct Resident<E: Protocol> {
    place: Option<NonNull<E::Resident>>,
}

// SAFETY: It owns its value.
unsafe impl<E: Protocol> Send for Resident<E> where E::Resident: Send {}

impl<E: Protocol> Resident<E> {
    /// Nothing.
    #[inline]
    pub(crate) const fn empty() -> Self {
        // INVARIANT: It has no place.
        Self { place: None }
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
        let gfp = match patience {
            Patience::None => b::NEWTCP_GFP_ATOMIC,
            Patience::MaySleep => b::NEWTCP_GFP_KERNEL,
        };
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
        if let Some(place) = self.place.take() {
            // SAFETY: By the type invariant, and nobody takes it for initialised from now on.
            unsafe {
                place.drop_in_place();
                b::newtcp_resident_free(place.as_ptr().cast());
            }
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
