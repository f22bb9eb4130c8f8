// SPDX-License-Identifier: GPL-2.0

//! The message of `sendmsg()` and `recvmsg()`.

use super::{
    bindings as b,
    compat::prelude::*,
    proto::Protocol,
    skb::SkbRef,
    sock::{
        Owned,
        Sock, //
    }, //
};
use core::{
    marker::PhantomData,
    ptr::{
        null_mut,
        NonNull, //
    }, //
};
use kernel::error::to_result;

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
    /// Take the user's pages, and say when they are free again.
    pub(super) const ZEROCOPY: u32 = b::MSG_ZEROCOPY;
}

/// Which time stamps the user wants of what is sent (`SOF_TIMESTAMPING_TX_*`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamps(pub(super) u32);

/// The flags that SO_TIMESTAMPING knows.
pub(crate) const TIMESTAMPING_MASK: u32 = b::NEWTCP_TIMESTAMPING_MASK;

impl Stamps {
    /// None.
    pub(crate) const NONE: Self = Self(0);

    /// One when it is acknowledged is among them.
    pub(crate) fn has_ack(self) -> bool {
        self.0 & b::NEWTCP_TX_ACK != 0
    }
}

/// How the payload of a message gets into buffers.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// Its bytes are copied.
    Copy,
    /// Its pages, which are the kernel's, are taken.
    Splice,
    /// Its pages, which are the user's, are taken, and this is told when they are free again.
    Pin(NonNull<b::ubuf_info>),
}

/// One message, of which part may have been moved already.
pub(crate) struct Msg<'a> {
    raw: *mut b::msghdr,
    way: Way,
    _lifetime: PhantomData<&'a mut ()>,
}

/// A call with MSG_ZEROCOPY, whose user waits to be told that the pages are free.
#[must_use]
pub(crate) struct Pinning(NonNull<b::ubuf_info>);

impl Msg<'_> {
    /// # Safety
    ///
    /// `raw` must be a message in exclusive use while the value lives.
    pub(super) unsafe fn from_raw(raw: *mut b::msghdr) -> Self {
        Self {
            raw,
            way: Way::Copy,
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

    pub(super) fn way(&self) -> Way {
        self.way
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

    /// The user says more than what to send.
    pub(crate) fn has_control(&self) -> bool {
        // SAFETY: `raw` is a live message.
        unsafe { b::newtcp_msg_has_control(self.raw) }
    }

    /// Bytes not moved yet.
    pub(crate) fn remaining(&self) -> usize {
        // SAFETY: `raw` is a live message.
        unsafe { b::newtcp_msg_left(self.raw) }
    }
}

impl<E: Protocol> Sock<E> {
    /// Checks the control messages of a `sendmsg()`; which time stamps are wanted.
    pub(crate) fn check_control(&self, msg: &mut Msg<'_>) -> Result<Stamps> {
        let mut stamps = 0;
        // SAFETY: All are live.
        match unsafe { b::newtcp_cmsg_send(self.as_raw(), msg.as_raw(), &raw mut stamps) } {
            0 => Ok(Stamps(stamps)),
            error => Err(Error::from_errno(error)),
        }
    }

    /// What SO_TIMESTAMPING is set to.
    pub(crate) fn timestamping(&self) -> u32 {
        // SAFETY: `self` is live.
        unsafe { b::newtcp_tsflags(self.as_raw()) }
    }

    /// The byte with the sequence number `seq` has the key 0 in what time stamps say.
    pub(crate) fn set_stamp_base(&self, seq: u32) {
        // SAFETY: `self` is live.
        unsafe { b::newtcp_set_stamp_base(self.as_raw(), seq) };
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

impl<E: Protocol> Owned<'_, E> {
    /// Decides how the payload of `msg` is taken. What this gives has to be given to
    /// [`end_pinning`](Self::end_pinning) before the lock is released.
    ///
    /// `ENOBUFS` if there is no memory to tell the user with, or too much of his is pinned.
    pub(crate) fn choose_way(&mut self, msg: &mut Msg<'_>) -> Result<Option<Pinning>> {
        let wanted = msg.flags() & (flags::ZEROCOPY | flags::SPLICE_PAGES);
        if wanted == 0 || msg.remaining() == 0 {
            return Ok(None);
        }
        let sk = self.as_raw();
        // SAFETY: `self` is a live locked socket.
        let takes_pages = unsafe { b::newtcp_can_splice(sk) };
        if wanted & flags::ZEROCOPY == 0 {
            if takes_pages {
                msg.way = Way::Splice;
            }
            return Ok(None);
        }
        // SAFETY: `msg` is a live message.
        if !unsafe { b::newtcp_wants_zerocopy(sk, msg.as_raw()) } {
            return Ok(None);
        }
        let tail = match self.queues().unsent().back() {
            Some(skb) => skb.as_raw(),
            None => null_mut(),
        };
        // SAFETY: `tail` is null or in the queue of `self`, which is locked by this process.
        let pinned = unsafe { b::newtcp_zerocopy_begin(sk, msg.as_raw(), tail) };
        let pinned = NonNull::new(pinned).ok_or(ENOBUFS)?;
        if takes_pages {
            msg.way = Way::Pin(pinned);
        } else {
            // SAFETY: Both are live.
            unsafe { b::newtcp_zerocopy_copied(msg.as_raw(), pinned.as_ptr()) };
        }
        Ok(Some(Pinning(pinned)))
    }

    /// The end of the call; if nothing was `sent`, there will be nothing to tell.
    pub(crate) fn end_pinning(&mut self, msg: &mut Msg<'_>, pinning: Pinning, sent: bool) {
        msg.way = Way::Copy;
        // SAFETY: The reference that `choose_way` got goes here, with the socket locked still.
        unsafe { b::newtcp_zerocopy_end(msg.as_raw(), pinning.0.as_ptr(), sent) };
    }
}
