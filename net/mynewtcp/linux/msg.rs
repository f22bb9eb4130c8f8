// SPDX-License-Identifier: GPL-2.0

//! The message of `sendmsg()` and `recvmsg()`.

use super::{
    bindings as b,
    proto::Protocol,
    skb::SkbRef,
    sock::Sock, //
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

    /// Adds a control message for the user; without room for it, `MSG_CTRUNC` says so.
    pub(crate) fn put_control(&mut self, level: i32, kind: i32, number: i32) {
        let mut data = number.to_ne_bytes();
        // SAFETY: `raw` is a live message of a `recvmsg()`, the data is valid for its length.
        // The answer is about room, and the user learns of that from the message.
        let _ = unsafe {
            b::put_cmsg(
                self.raw,
                level,
                kind,
                data.len() as i32,
                data.as_mut_ptr().cast(),
            )
        };
    }

    /// Bytes not moved yet.
    pub(crate) fn remaining(&self) -> usize {
        // SAFETY: `raw` is a live message.
        unsafe { b::newtcp_msg_left(self.raw) }
    }
}

impl<E: Protocol> Sock<E> {
    /// Checks the control messages of a `sendmsg()`.
    pub(crate) fn check_control(&self, msg: &mut Msg<'_>) -> Result {
        // SAFETY: Both are live.
        to_result(unsafe { b::newtcp_cmsg_send(self.as_raw(), msg.as_raw()) })
    }

    /// The user wants to know when data has come (`SO_TIMESTAMP`, `SO_TIMESTAMPING`).
    pub(crate) fn wants_stamps(&self) -> bool {
        // SAFETY: `self` is live.
        unsafe { b::newtcp_wants_stamps(self.as_raw()) }
    }

    /// Tells the user when `skb` has come.
    pub(crate) fn put_stamps(&self, msg: &mut Msg<'_>, skb: &SkbRef) {
        // SAFETY: All are live; the skb is only read, or stamped if it has no stamp.
        unsafe { b::newtcp_put_stamps(msg.as_raw(), self.as_raw(), skb.as_raw()) };
    }

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
