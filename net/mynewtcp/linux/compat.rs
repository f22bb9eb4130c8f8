// SPDX-License-Identifier: GPL-2.0

//! What the kernel's Rust has on Linux 7.3 and not, or by another name, on Linux 7.2.
//!
//! The `Makefile` sets `newtcp_linux_7_2` there. Who needs an errno of the network's says
//! `use crate::linux::compat::prelude::*` instead of `use kernel::prelude::*`.

#[cfg(newtcp_linux_7_2)]
pub(in crate::linux) use init::{
    raw_init,
    raw_try_init, //
};
#[cfg(not(newtcp_linux_7_2))]
pub(in crate::linux) use pin_init::{
    raw_init,
    raw_try_init, //
};

/// The kernel's prelude, with the network's errnos on either release.
pub(crate) mod prelude {
    #[cfg(newtcp_linux_7_2)]
    pub(crate) use super::errno::*;
    pub(crate) use kernel::prelude::*;
}

/// The errnos that `kernel::error::code` got with Linux 7.3 and that are used here.
#[cfg(newtcp_linux_7_2)]
mod errno {
    use core::num::NonZeroI32;
    use kernel::{
        bindings,
        prelude::*, //
    };

    const fn error(errno: u32) -> Error {
        // SAFETY: Every errno below is a number from 1 to MAX_ERRNO.
        let errno = unsafe { NonZeroI32::new_unchecked(-(errno as i32)) };
        // SAFETY: `Error` is a struct with one field, a `NonZeroI32`, and since both have the
        // same size that is all it is. Every errno below is within 1 to MAX_ERRNO.
        unsafe { core::mem::transmute::<NonZeroI32, Error>(errno) }
    }

    macro_rules! errnos {
        ($($name:ident)*) => {
            $(pub(crate) const $name: Error = error(bindings::$name);)*
        };
    }

    errnos! {
        EPROTO
        ENOPROTOOPT
        EPROTONOSUPPORT
        ESOCKTNOSUPPORT
        EOPNOTSUPP
        EAFNOSUPPORT
        EADDRINUSE
        EADDRNOTAVAIL
        ENETDOWN
        ENETUNREACH
        ECONNABORTED
        ECONNRESET
        ENOBUFS
        EISCONN
        ENOTCONN
        ECONNREFUSED
        EHOSTUNREACH
    }

    // One that the kernel has made too.
    const _: () = assert!(matches!(error(bindings::ETIMEDOUT), ETIMEDOUT));
}

/// Initialising in place, which Linux 7.2 leaves to the trait.
#[cfg(newtcp_linux_7_2)]
mod init {
    use core::convert::Infallible;
    use pin_init::PinInit;

    /// # Safety
    ///
    /// `slot` must be valid for writing, not initialised, and pinned until it is dropped.
    pub(in crate::linux) unsafe fn raw_init<T>(slot: *mut T, init: impl PinInit<T, Infallible>) {
        // SAFETY: By the contract.
        let Ok(()) = unsafe { init.__pinned_init(slot) };
    }

    /// # Safety
    ///
    /// As for [`raw_init`]; if it fails, `slot` is as uninitialised as before.
    pub(in crate::linux) unsafe fn raw_try_init<T, E>(
        slot: *mut T,
        init: impl PinInit<T, E>,
    ) -> Result<(), E> {
        // SAFETY: By the contract.
        unsafe { init.__pinned_init(slot) }
    }
}
