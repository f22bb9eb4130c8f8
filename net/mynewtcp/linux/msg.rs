// SPDX-License-Identifier: GPL-2.0

//! The message of `sendmsg()` and `recvmsg()`.

use super::{
    addr::SocketAddr,
    bindings as b,
    proto::Protocol,
    sock::Sock,
    sockaddr, //
};
use core::marker::PhantomData;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// Flags of the two calls (`MSG_*`).
pub(crate) mod flags {
    use super::b;

    /// Urgent data.
    pub(crate) const OOB: u32 = b::MSG_OOB;
    /// Leave the data where it is.
    pub(crate) const PEEK: u32 = b::MSG_PEEK;
    /// Do not wait.
    pub(crate) const DONTWAIT: u32 = b::MSG_DONTWAIT;
    /// More follows: do not send a small segment for this.
    pub(crate) const MORE: u32 = b::MSG_MORE;
    /// End of record.
    pub(crate) const EOR: u32 = b::MSG_EOR;
    /// No `SIGPIPE`.
    pub(crate) const NOSIGNAL: u32 = b::MSG_NOSIGNAL;
    /// Wait until all that was asked for is there.
    pub(crate) const WAITALL: u32 = b::MSG_WAITALL;
    /// Throw the data away, and say how much it was.
    pub(crate) const TRUNC: u32 = b::MSG_TRUNC;
    /// Read the error queue.
    pub(crate) const ERRQUEUE: u32 = b::MSG_ERRQUEUE;
    /// Zero copy, with a notice when the pages are free.
    pub(crate) const ZEROCOPY: u32 = b::MSG_ZEROCOPY;
    /// Send data with the SYN.
    pub(crate) const FASTOPEN: u32 = b::MSG_FASTOPEN;
    /// Take the pages themselves (`sendfile`, `splice`).
    pub(super) const SPLICE_PAGES: u32 = b::MSG_SPLICE_PAGES;
}

/// One message, of which part may have been moved already.
pub(crate) struct Msg<'a> {
    raw: *mut b::msghdr,
    _lifetime: PhantomData<&'a mut ()>,
}

impl Msg<'_> {
    /// # Safety
    ///
    /// `raw` must be a message in exclusive use while the value lives.
    pub(super) unsafe fn from_raw(raw: *mut b::msghdr) -> Self {
        Self {
            raw,
            _lifetime: PhantomData,
        }
    }

    pub(super) fn as_raw(&mut self) -> *mut b::msghdr {
        self.raw
    }

    pub(super) fn iter_raw(&mut self) -> *mut b::iov_iter {
        // SAFETY: `raw` is a live message.
        unsafe { b::newtcp_msg_iter(self.raw) }
    }

    pub(super) fn may_splice(&self) -> bool {
        self.flags() & flags::SPLICE_PAGES != 0
    }

    /// The [`flags`] of a `sendmsg()`. (A `recvmsg()` gets its own with the call.)
    pub(crate) fn flags(&self) -> u32 {
        // SAFETY: `raw` is a live message.
        unsafe { b::newtcp_msg_flags(self.raw) }
    }

    /// Tells the caller of `recvmsg()`.
    pub(crate) fn set_flags(&mut self, bits: u32) {
        // SAFETY: `raw` is a live message.
        unsafe { b::newtcp_msg_set_flags(self.raw, bits) };
    }

    /// Bytes not moved yet.
    pub(crate) fn remaining(&self) -> usize {
        // SAFETY: `raw` is a live message.
        unsafe { b::newtcp_msg_left(self.raw) }
    }

    /// The address that `sendto()` names; `None` if it names none.
    pub(crate) fn dest(&self) -> Option<Result<SocketAddr>> {
        // SAFETY: `raw` is a live message; the name has been copied from the user.
        unsafe {
            let name = b::newtcp_msg_name(self.raw);
            let len = b::newtcp_msg_name_len(self.raw);
            (!name.is_null() && len > 0).then(|| sockaddr::read(name.cast(), len))
        }
    }

    /// A stream gives no address with its data.
    pub(crate) fn clear_name(&mut self) {
        // SAFETY: `raw` is a live message.
        unsafe { b::newtcp_msg_set_name_len(self.raw, 0) };
    }

    /// Gives back `n` bytes that were counted as moved.
    pub(crate) fn revert(&mut self, n: usize) {
        // SAFETY: `raw` is a live message; the caller has moved that much.
        unsafe { b::iov_iter_revert(self.iter_raw(), n) };
    }

    /// Copies from memory of ours to the user's.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result {
        // SAFETY: `bytes` is readable, and the iterator is live.
        let n =
            unsafe { b::newtcp_copy_to_iter(bytes.as_ptr().cast(), bytes.len(), self.iter_raw()) };
        if n == bytes.len() {
            Ok(())
        } else {
            Err(EFAULT)
        }
    }

    /// True if ancillary data came with a `sendmsg()`.
    pub(crate) fn has_control(&self) -> bool {
        // SAFETY: `raw` is a live message.
        unsafe { b::newtcp_msg_control_len(self.raw) != 0 }
    }

    /// Reads the ancillary data of a `sendmsg()` as the stack understands it; `EINVAL` for what
    /// nobody understands.
    pub(crate) fn check_control<E: Protocol>(&mut self, sock: &Sock<E>) -> Result {
        // SAFETY: Both are live.
        to_result(unsafe { b::newtcp_check_cmsg(sock.as_raw(), self.raw) })
    }

    /// Gives the reader a number as ancillary data.
    pub(crate) fn put_control(&mut self, level: i32, kind: i32, value: i32) -> Result {
        // SAFETY: `raw` is a live message.
        to_result(unsafe { b::newtcp_put_cmsg_int(self.raw, level, kind, value) })
    }
}

impl<E: Protocol> Sock<E> {
    /// `recvmsg()` with [`flags::ERRQUEUE`].
    pub(crate) fn recv_errqueue(&self, msg: &mut Msg<'_>, len: usize) -> Result<usize> {
        // SAFETY: Both are live.
        let n = unsafe {
            b::inet_recv_error(
                self.as_raw(),
                msg.as_raw(),
                len.min(i32::MAX as usize) as i32,
            )
        };
        to_result(n)?;
        Ok(n.max(0) as usize)
    }
}
