// SPDX-License-Identifier: GPL-2.0

//! A place for something large that comes and goes.

use core::mem::MaybeUninit;

/// An `Option` whose value is made where it stays and that costs one octet while it is empty.
///
/// An `Option` is a value like any other: what goes into it is made elsewhere and copied, and so
/// is an empty one, with all its octets.
///
/// # Invariants
///
/// `place` is initialised while `is_full`.
pub(crate) struct Resident<T> {
    is_full: bool,
    place: MaybeUninit<T>,
}

impl<T> Resident<T> {
    /// Nothing.
    #[inline]
    pub(crate) const fn empty() -> Self {
        // INVARIANT: It is not full.
        Self {
            is_full: false,
            place: MaybeUninit::uninit(),
        }
    }

    /// `value` takes the place of the old one. It is written directly if all of its construction
    /// is inlined.
    #[inline(always)]
    pub(crate) fn fill(&mut self, value: T) -> &mut T {
        self.clear();
        // INVARIANT: Initialised here.
        self.is_full = true;
        self.place.write(value)
    }

    /// Drops the value.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if core::mem::replace(&mut self.is_full, false) {
            // SAFETY: It was full, so the place was initialised; nobody takes it for that now.
            unsafe { self.place.assume_init_drop() };
        }
    }

    /// The value.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        // SAFETY: By the type invariant.
        self.is_full
            .then(|| unsafe { self.place.assume_init_ref() })
    }

    /// The value, to be changed.
    #[inline]
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        if !self.is_full {
            return None;
        }
        // SAFETY: By the type invariant.
        Some(unsafe { self.place.assume_init_mut() })
    }
}

impl<T> Drop for Resident<T> {
    fn drop(&mut self) {
        self.clear();
    }
}
