// SPDX-License-Identifier: GPL-2.0

//! The values of `setsockopt()` and `getsockopt()`.

use super::{
    bindings as b,
    proto::Protocol,
    sock::Sock, //
};
use core::marker::PhantomData;
use kernel::{
    error::to_result,
    ffi,
    prelude::*, //
};

/// The value that a `setsockopt()` brings.
#[derive(Clone, Copy)]
pub(crate) struct OptIn<'a> {
    val: b::sockptr_t,
    len: u32,
    _lifetime: PhantomData<&'a ()>,
}

impl OptIn<'_> {
    /// # Safety
    ///
    /// `val` must be a pointer to `len` bytes of the user's, or of a kernel caller's that stay
    /// while the value lives.
    pub(super) unsafe fn new(val: b::sockptr_t, len: u32) -> Self {
        Self {
            val,
            len,
            _lifetime: PhantomData,
        }
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// A number; `EINVAL` if there are fewer bytes than one has.
    pub(crate) fn read_i32(&self) -> Result<i32> {
        let mut bytes = [0; 4];
        if self.len() < bytes.len() {
            return Err(EINVAL);
        }
        self.read_bytes(&mut bytes)?;
        Ok(i32::from_ne_bytes(bytes))
    }

    /// Fills `bytes` as far as the value goes; how far.
    pub(crate) fn read_bytes(&self, bytes: &mut [u8]) -> Result<usize> {
        let n = bytes.len().min(self.len());
        // SAFETY: `n` bytes are writable; the source is checked by the copy if it is the user's.
        let failed = unsafe { b::newtcp_copy_from_sockptr(bytes.as_mut_ptr().cast(), self.val, n) };
        if failed != 0 {
            return Err(EFAULT);
        }
        Ok(n)
    }
}

/// Where a `getsockopt()` wants its answer.
pub(crate) struct OptOut<'a> {
    val: *mut ffi::c_char,
    len: *mut ffi::c_int,
    _lifetime: PhantomData<&'a mut ()>,
}

impl OptOut<'_> {
    /// # Safety
    ///
    /// Both must be the user's pointers of one call.
    pub(super) unsafe fn new(val: *mut ffi::c_char, len: *mut ffi::c_int) -> Self {
        Self {
            val,
            len,
            _lifetime: PhantomData,
        }
    }

    /// How many bytes the user has room for.
    pub(crate) fn room(&self) -> Result<usize> {
        let mut len = 0;
        // SAFETY: A user pointer, checked by the copy.
        to_result(unsafe { b::newtcp_get_user_int(&raw mut len, self.len) })?;
        usize::try_from(len).map_err(|_| EINVAL)
    }

    /// Answers with a number.
    pub(crate) fn write_i32(self, value: i32) -> Result {
        self.write_bytes(&value.to_ne_bytes())
    }

    /// Answers with all of `bytes`. If there is less room, `EINVAL`, and how much is needed.
    pub(crate) fn write_whole(self, bytes: &[u8]) -> Result {
        if bytes.len() <= self.room()? {
            return self.write_bytes(bytes);
        }
        // SAFETY: A user pointer, checked by the copy.
        to_result(unsafe { b::newtcp_put_user_int(bytes.len() as i32, self.len) })?;
        Err(EINVAL)
    }

    /// Answers with as many of `bytes` as there is room for, and says how many.
    pub(crate) fn write_bytes(self, bytes: &[u8]) -> Result {
        let n = bytes.len().min(self.room()?);
        // SAFETY: User pointers, checked by the copies; `n` bytes are readable.
        unsafe {
            to_result(b::newtcp_put_user_int(n as i32, self.len))?;
            to_result(b::newtcp_copy_to_user(
                self.val.cast(),
                bytes.as_ptr().cast(),
                n,
            ))
        }
    }
}

impl<E: Protocol> Sock<E> {
    /// Hands an option of level `SOL_IP` or `SOL_IPV6` to the IP layer.
    pub(crate) fn ip_setsockopt(&self, level: i32, name: i32, val: OptIn<'_>) -> Result {
        // SAFETY: `self` is live, and `val` is what the caller of `setsockopt()` gave.
        to_result(unsafe { b::newtcp_ip_setsockopt(self.as_raw(), level, name, val.val, val.len) })
    }

    /// Hands an option of level `SOL_SOCKET` to the core.
    pub(crate) fn sol_setsockopt(&self, name: i32, val: OptIn<'_>) -> Result {
        // SAFETY: `self` is live, and `val` is what the caller of `setsockopt()` gave.
        to_result(unsafe { b::newtcp_sol_setsockopt(self.as_raw(), name, val.val, val.len) })
    }

    /// Has the IP layer answer for an option of level `SOL_IP` or `SOL_IPV6`.
    pub(crate) fn ip_getsockopt(&self, level: i32, name: i32, out: OptOut<'_>) -> Result {
        // SAFETY: `self` is live, and `out` is what the caller of `getsockopt()` gave.
        to_result(unsafe { b::newtcp_ip_getsockopt(self.as_raw(), level, name, out.val, out.len) })
    }
}
