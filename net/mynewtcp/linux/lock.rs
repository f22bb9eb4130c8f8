// SPDX-License-Identifier: GPL-2.0

//! A spin lock for data that softirqs and processes share.
//!
//! The `SpinLock` of the kernel crate leaves softirqs on. A receive softirq that interrupts its
//! holder on the same CPU would spin for ever; lockdep reports it.

use super::bindings as b;
use kernel::{
    ffi,
    sync::lock::{
        Backend,
        Guard,
        Lock, //
    }, //
};

/// A spin lock that keeps softirqs off its CPU while it is held.
pub(crate) type BhLock<T> = Lock<T, BhBackend>;

/// What [`BhLock::lock`] gives.
pub(crate) type BhGuard<'a, T> = Guard<'a, T, BhBackend>;

/// Makes a [`BhLock`] with a lock class of its own.
#[macro_export]
macro_rules! new_bh_lock {
    ($inner:expr, $name:literal) => {
        $crate::linux::lock::BhLock::new($inner, $name, ::kernel::static_lock_class!())
    };
}
#[allow(unused_imports, reason = "for the floors above")]
pub(crate) use new_bh_lock;

/// `spin_lock_bh()` and its friends.
pub(crate) struct BhBackend;

// SAFETY: `spinlock_t` gives mutual exclusion, and the default `relock` takes it in the same way.
unsafe impl Backend for BhBackend {
    type State = b::spinlock_t;
    type GuardState = ();

    #[inline]
    unsafe fn init(
        ptr: *mut Self::State,
        name: *const ffi::c_char,
        key: *mut kernel::bindings::lock_class_key,
    ) {
        // SAFETY: The caller promises that `ptr` is writable and that `name` and `key` live for
        // ever; the key type is the same C type, seen through two sets of bindings.
        unsafe { b::newtcp_spin_lock_init(ptr, name, key.cast()) }
    }

    #[inline]
    unsafe fn lock(ptr: *mut Self::State) {
        // SAFETY: The caller promises that the lock is initialised.
        unsafe { b::newtcp_spin_lock_bh(ptr) }
    }

    #[inline]
    unsafe fn unlock(ptr: *mut Self::State, _guard_state: &()) {
        // SAFETY: The caller owns the lock.
        unsafe { b::newtcp_spin_unlock_bh(ptr) }
    }

    #[inline]
    unsafe fn try_lock(ptr: *mut Self::State) -> Option<()> {
        // SAFETY: The caller promises that the lock is initialised.
        unsafe { b::newtcp_spin_trylock_bh(ptr) }.then_some(())
    }

    #[inline]
    unsafe fn assert_is_held(ptr: *mut Self::State) {
        // SAFETY: The caller promises that the lock is initialised.
        unsafe { b::newtcp_lockdep_assert_held(ptr) }
    }
}
