// SPDX-License-Identifier: GPL-2.0

//! The books are right: asserted every thousand changes in a debug kernel, nothing in another.
//!
//! * What a socket has in its reserve and in its queues together is a whole number of pages.
//! * The pages that all changes have added up to are those that the C stack has counted: its sum,
//!   and what CPUs have not handed in.

#[cfg(not(CONFIG_MY_NEWTCP_DEBUG))]
pub(super) use off::*;
#[cfg(CONFIG_MY_NEWTCP_DEBUG)]
pub(super) use on::*;

#[cfg(not(CONFIG_MY_NEWTCP_DEBUG))]
mod off {
    use crate::linux::bindings as b;

    /// A change of the books.
    pub(in super::super) struct Change;

    #[inline]
    pub(in super::super) fn begin() -> Change {
        Change
    }

    impl Change {
        #[inline]
        pub(in super::super) fn pages(&self, _: isize) {}

        /// # Safety
        ///
        /// None.
        #[inline]
        pub(in super::super) unsafe fn end(self, _: *mut b::sock) {}
    }
}

#[cfg(CONFIG_MY_NEWTCP_DEBUG)]
mod on {
    use super::super::exact_pages;
    use crate::linux::bindings as b;
    use kernel::sync::atomic::{
        Atomic,
        Full,
        Relaxed, //
    };

    /// How many changes there are between two audits.
    const INTERVAL: u64 = 1000;

    /// Pages by our own count.
    static PAGES: Atomic<isize> = Atomic::new(0);
    /// Changes that have begun and ended. While the two differ somebody, here or on another CPU,
    /// is between the C stack's count and ours.
    static BEGUN: Atomic<u64> = Atomic::new(0);
    static ENDED: Atomic<u64> = Atomic::new(0);
    /// The number of changes at which the next audit is due.
    static DUE: Atomic<u64> = Atomic::new(INTERVAL);

    /// A change of the books.
    pub(in super::super) struct Change;

    #[inline]
    pub(in super::super) fn begin() -> Change {
        BEGUN.fetch_add(1u64, Full);
        Change
    }

    impl Change {
        /// It added that many pages.
        #[inline]
        pub(in super::super) fn pages(&self, n: isize) {
            PAGES.fetch_add(n, Full);
        }

        /// The change is made.
        ///
        /// # Safety
        ///
        /// The lock of `sk` must be held, or nobody else may know it.
        #[inline]
        pub(in super::super) unsafe fn end(self, sk: *mut b::sock) {
            let ended = ENDED.fetch_add(1u64, Full).wrapping_add(1);
            if ended >= DUE.load(Relaxed) {
                // SAFETY: By the contract.
                unsafe { audit(sk, ended) };
            }
        }
    }

    /// # Safety
    ///
    /// As for `end`.
    #[cold]
    unsafe fn audit(sk: *mut b::sock, ended: u64) {
        // Adding nothing is reading in order.
        let is_quiet = || BEGUN.fetch_add(0u64, Full) == ended;
        if !is_quiet() {
            // The next change tries.
            return;
        }
        let (counted, ours) = (exact_pages(), PAGES.load(Relaxed));
        if !is_quiet() {
            return;
        }
        DUE.store(ended.wrapping_add(INTERVAL), Relaxed);
        if counted != ours {
            kernel::pr_warn!("the host counts {counted} pages, the sockets' changes {ours}\n");
            kernel::warn_on!(true);
        }
        // An error report counts for the receive buffer without being charged, and may come at any
        // time: it is seen in its queue by the second look.
        // SAFETY: By the contract.
        let odd = || unsafe { b::newtcp_odd_bytes(sk) };
        let first = odd();
        if first != 0 && odd() != 0 {
            let odd = first;
            kernel::pr_warn!("a socket's charges are {odd} bytes off a page\n");
            kernel::warn_on!(true);
        }
    }
}
