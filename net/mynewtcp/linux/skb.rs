// SPDX-License-Identifier: GPL-2.0

//! Packet buffers.
//!
//! - [`SkBuff`] owns one and frees it when dropped; it is charged to no socket's memory.
//! - [`SkbRef`] is one that something else owns: a queue, or an [`SkBuff`].
//! - `collapse`: moving received bytes to fewer skbs;
//! - `queue`: the four queues of a socket. An skb in a queue is charged to the socket; taking it
//!   out gives the charge back. So whatever is dropped, the sums stay right.
//! - `send`: building payload from the user's memory, and clones for transmission.

mod collapse;
mod queue;
mod send;
mod tree;

pub(crate) use queue::{
    Full,
    Kept,
    Queues, //
};
pub(super) use send::alloc_control;

use super::{
    bindings as b,
    memory::charge,
    msg::Msg,
    proto::Protocol,
    rx::Rx, //
};
use core::{
    mem::ManuallyDrop,
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::NonNull,
};
use kernel::{
    prelude::*,
    types::Opaque, //
};
use zerocopy::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// Why a packet was dropped, for drop monitors and the `kfree_skb` trace point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct DropReason(pub(super) b::skb_drop_reason);

/// The reasons there are. Those that TCP has too keep TCP's name outside.
pub(crate) mod reason {
    use super::{
        b,
        DropReason, //
    };

    /// None in particular.
    pub(crate) const NOT_SPECIFIED: DropReason =
        DropReason(b::skb_drop_reason_SKB_DROP_REASON_NOT_SPECIFIED);
    /// No socket for this four-tuple.
    pub(crate) const NO_SOCKET: DropReason =
        DropReason(b::skb_drop_reason_SKB_DROP_REASON_NO_SOCKET);
    /// The header is cut short, or claims more than there is.
    pub(crate) const PKT_TOO_SMALL: DropReason =
        DropReason(b::skb_drop_reason_SKB_DROP_REASON_PKT_TOO_SMALL);
    /// The checksum is wrong.
    pub(crate) const CHECKSUM: DropReason = DropReason(b::skb_drop_reason_SKB_DROP_REASON_TCP_CSUM);
    /// IPsec policy says no.
    pub(crate) const XFRM_POLICY: DropReason =
        DropReason(b::skb_drop_reason_SKB_DROP_REASON_XFRM_POLICY);
    /// The socket's own filter or a cgroup program says no.
    pub(crate) const SOCKET_FILTER: DropReason =
        DropReason(b::skb_drop_reason_SKB_DROP_REASON_SOCKET_FILTER);
    /// The socket's backlog is full.
    pub(crate) const BACKLOG: DropReason =
        DropReason(b::skb_drop_reason_SKB_DROP_REASON_SOCKET_BACKLOG);
    /// There is no memory for what the packet needs.
    pub(crate) const NO_MEMORY: DropReason = DropReason(b::skb_drop_reason_SKB_DROP_REASON_NOMEM);
    /// Fewer hops left than `IP_MINTTL` asks for.
    pub(crate) const MIN_HOPS: DropReason =
        DropReason(b::skb_drop_reason_SKB_DROP_REASON_TCP_MINTTL);
    /// Flags that make no sense here.
    pub(crate) const BAD_FLAGS: DropReason =
        DropReason(b::skb_drop_reason_SKB_DROP_REASON_TCP_FLAGS);
    /// For a connection that is over.
    pub(crate) const CLOSED: DropReason = DropReason(b::skb_drop_reason_SKB_DROP_REASON_TCP_CLOSE);
    /// The accept queue is full.
    pub(crate) const LISTEN_OVERFLOW: DropReason =
        DropReason(b::skb_drop_reason_SKB_DROP_REASON_TCP_LISTEN_OVERFLOW);
    /// For a connection in TIME-WAIT.
    pub(crate) const TIME_WAIT: DropReason =
        DropReason(b::skb_drop_reason_SKB_DROP_REASON_TCP_OLD_SEQUENCE);
}

/// A control block: the protocol's own bytes in every skb, [`CB_ROOM`] at most.
///
/// It shares its place with the IP layer's, which therefore is gone once it is written, and it
/// is gone once the skb is handed to IP.
pub(crate) trait SkbCb:
    FromBytes + IntoBytes + Immutable + KnownLayout + Copy + 'static
{
    /// The sequence number that orders the trees, as `seq` of the first byte.
    fn seq(&self) -> u32;

    /// Which bytes of the skb count: how many there are in front of them, and how many of them.
    fn span(&self) -> (u32, u32);

    /// The first `n` of the bytes that count no longer do.
    fn use_up(&mut self, n: u32);

    /// The control block of an skb that has the first `len` of the bytes that count in this one
    /// and those after it, and nothing else.
    fn gathered(&self, len: u32) -> Self;

    /// The skb is split `n` bytes from its start, and `tail` is a copy of `self` for the rest. True
    /// if the byte is there whose time stamp somebody waits for.
    fn divide(&mut self, tail: &mut Self, n: u32) -> bool;
}

/// How large an [`SkbCb`] may be.
pub(crate) const CB_ROOM: usize = b::NEWTCP_CB_ROOM as usize;

/// A packet buffer that someone else owns.
#[repr(transparent)]
pub(crate) struct SkbRef(Opaque<b::sk_buff>);

// SAFETY: An skb belongs to one owner at a time and has no ties to a thread or CPU.
unsafe impl Send for SkbRef {}

impl SkbRef {
    /// # Safety
    ///
    /// `ptr` must be a live skb that nothing else changes during `'a`.
    #[inline]
    pub(super) unsafe fn from_raw<'a>(ptr: *const b::sk_buff) -> &'a Self {
        // SAFETY: `Self` is transparent over `sk_buff`; the caller promises the rest.
        unsafe { &*ptr.cast() }
    }

    /// # Safety
    ///
    /// `ptr` must be a live skb that nothing else touches during `'a`.
    #[inline]
    pub(super) unsafe fn from_raw_mut<'a>(ptr: *mut b::sk_buff) -> &'a mut Self {
        // SAFETY: As above, and the caller promises exclusive use.
        unsafe { &mut *ptr.cast() }
    }

    #[inline]
    pub(super) fn as_raw(&self) -> *mut b::sk_buff {
        self.0.get()
    }

    /// All bytes from the current start to the end.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        // SAFETY: `self` is a live skb.
        unsafe { b::newtcp_skb_len(self.as_raw()) }
    }

    /// The bytes that [`data`](Self::data) shows; the rest is in page fragments.
    #[inline]
    pub(crate) fn headlen(&self) -> u32 {
        // SAFETY: `self` is a live skb.
        let paged = unsafe { b::newtcp_skb_data_len(self.as_raw()) };
        self.len().saturating_sub(paged)
    }

    /// What it costs in memory, bookkeeping included.
    #[inline]
    pub(crate) fn truesize(&self) -> u32 {
        // SAFETY: `self` is a live skb.
        unsafe { b::newtcp_skb_truesize(self.as_raw()) }
    }

    /// How many packets were merged into it on their way.
    #[inline]
    pub(crate) fn gso_segs(&self) -> u32 {
        // SAFETY: `self` is a live skb.
        unsafe { b::newtcp_skb_gso_segs(self.as_raw()) }
    }

    /// How many bytes of payload each of them had, 0 if it was but one.
    #[inline]
    pub(crate) fn gso_size(&self) -> u32 {
        // SAFETY: `self` is a live skb.
        unsafe { b::newtcp_skb_gso_size(self.as_raw()) }
    }

    /// The linear bytes.
    #[inline]
    pub(crate) fn data(&self) -> &[u8] {
        // SAFETY: `data` points to `headlen` readable bytes, which only `&mut self` can move.
        unsafe {
            core::slice::from_raw_parts(b::newtcp_skb_data(self.as_raw()), self.headlen() as usize)
        }
    }

    /// Makes the first `n` bytes linear; false if there are not that many.
    #[inline]
    pub(crate) fn may_pull(&mut self, n: u32) -> bool {
        // SAFETY: `self` is a live skb in exclusive use.
        unsafe { b::newtcp_skb_may_pull(self.as_raw(), n) }
    }

    /// Drops the first `n` bytes, a header that has been read. False if they are not linear.
    #[inline]
    pub(crate) fn pull(&mut self, n: u32) -> bool {
        if n > self.headlen() {
            return false;
        }
        // SAFETY: `n` linear bytes are there.
        unsafe { b::newtcp_skb_pull_linear(self.as_raw(), n) };
        true
    }

    /// A queueing discipline that knows of times (fq) sends it `micros` from now.
    pub(crate) fn send_later(&mut self, micros: u32) {
        // SAFETY: `self` is a live skb in exclusive use.
        unsafe { b::newtcp_skb_send_later(self.as_raw(), micros) };
    }

    /// The IP header of a received packet and ours behind it, `with_link` the link layer's too.
    pub(crate) fn headers(&self, with_link: bool) -> Option<&[u8]> {
        let mut len = 0;
        // SAFETY: A received packet. What the helper gives lies in its head, which only
        // `&mut self` can move.
        unsafe {
            let start = b::newtcp_skb_headers(self.as_raw(), with_link, &raw mut len);
            if start.is_null() {
                return None;
            }
            Some(core::slice::from_raw_parts(start, len as usize))
        }
    }

    /// The control block.
    #[inline]
    pub(crate) fn cb<C: SkbCb>(&self) -> &C {
        const { assert!(size_of::<C>() <= CB_ROOM && align_of::<C>() <= 8) };
        // SAFETY: `cb` is 48 bytes aligned to 8, of which the last four are not ours; `C` is
        // valid for every bit pattern and lives as long as the skb.
        unsafe { &*b::newtcp_skb_cb(self.as_raw()).cast() }
    }

    /// The control block, to change.
    #[inline]
    pub(crate) fn cb_mut<C: SkbCb>(&mut self) -> &mut C {
        const { assert!(size_of::<C>() <= CB_ROOM && align_of::<C>() <= 8) };
        // SAFETY: As in `cb`, and `&mut self` is exclusive.
        unsafe { &mut *b::newtcp_skb_cb(self.as_raw()).cast() }
    }

    /// Writes the control block anew, over whatever the layer below left there.
    #[inline]
    pub(crate) fn set_cb<C: SkbCb>(&mut self, cb: C) {
        *self.cb_mut() = cb;
    }

    /// Where a received packet came from; valid until it is queued for the user.
    pub(crate) fn rx(&self) -> Rx<'_> {
        // SAFETY: The network header of a received packet is in its head.
        unsafe { Rx::of(self) }
    }

    /// The type of service or traffic class of a received packet.
    pub(crate) fn tos(&self) -> u8 {
        // SAFETY: A received packet with its network header in its head.
        unsafe { b::newtcp_skb_tos(self.as_raw()) }
    }

    /// Verifies the checksum of a received packet if nobody has yet. True if it is right.
    pub(crate) fn checksum_ok(&mut self) -> bool {
        // SAFETY: `self` is a live skb in exclusive use, with its pseudo-header sum taken by
        // the receive handler.
        !unsafe { b::newtcp_checksum_complete(self.as_raw()) }
    }

    /// Copies `len` bytes from `offset` on to the user.
    pub(crate) fn copy_to_msg(&self, offset: u32, msg: &mut Msg<'_>, len: u32) -> Result {
        let end = offset.checked_add(len).ok_or(EINVAL)?;
        if end > self.len() {
            return Err(EINVAL);
        }
        // SAFETY: The skb has the bytes, and `msg` is a live message.
        match unsafe {
            b::newtcp_copy_to_msg(self.as_raw(), offset as i32, msg.as_raw(), len as i32)
        } {
            0 => Ok(()),
            error => Err(Error::from_errno(error)),
        }
    }
}

/// Makes `skb` a part of `front`, if it continues that one.
///
/// `join` is asked, given the length and the control block of `front`. If so it adds what the
/// control block of `skb` says to the old one, and the two become one skb where their pages
/// allow; where they do not, what `join` changed is undone.
///
/// # Safety
///
/// The lock of `sk` must be held; `front` must be in a receive queue of it, and `skb` ours, in no
/// queue, and charged as the members of that queue are.
#[inline]
unsafe fn join_charged<E: Protocol>(
    sk: *mut b::sock,
    front: NonNull<b::sk_buff>,
    skb: NonNull<b::sk_buff>,
    join: impl FnOnce(u32, &mut E::Cb, &E::Cb) -> bool,
) -> bool {
    // SAFETY: By the contract both are live and distinct, and nobody else touches them.
    let (old, new) = unsafe {
        (
            SkbRef::from_raw_mut(front.as_ptr()),
            SkbRef::from_raw(skb.as_ptr()),
        )
    };
    let len = old.len();
    let before = *old.cb::<E::Cb>();
    if !join(len, old.cb_mut(), new.cb()) {
        return false;
    }
    // SAFETY: Both are received skbs charged to this socket, whose lock is held.
    let is_one = unsafe {
        charge::observe_later(sk, || {
            let mut charged = 0;
            let (to, from) = (front.as_ptr(), skb.as_ptr());
            let is_one = b::newtcp_skb_coalesce(sk, to, from, &raw mut charged);
            (is_one, charged)
        })
    };
    if is_one {
        return true;
    }
    old.set_cb(before);
    false
}

/// A packet buffer of our own. Dropping it frees it.
///
/// # Invariants
///
/// The pointer is to an skb that nothing else refers to and that no socket is charged for.
pub(crate) struct SkBuff(NonNull<b::sk_buff>);

// SAFETY: An skb has no ties to a thread or CPU.
unsafe impl Send for SkBuff {}

impl SkBuff {
    /// # Safety
    ///
    /// The caller must own the skb and give it up, and no socket may be charged for it.
    pub(super) unsafe fn from_raw(ptr: NonNull<b::sk_buff>) -> Self {
        // INVARIANT: By the contract of this function.
        Self(ptr)
    }

    /// Gives up ownership: the callee of the C function it goes to frees it.
    pub(super) fn into_raw(self) -> *mut b::sk_buff {
        ManuallyDrop::new(self).0.as_ptr()
    }

    /// Frees it as dropped, with the reason that tracing shows.
    pub(crate) fn drop_with(self, reason: DropReason) {
        let ptr = self.into_raw();
        // SAFETY: The skb is ours to free; a null socket is allowed.
        unsafe { b::sk_skb_reason_drop(core::ptr::null_mut(), ptr, reason.0) };
    }

    /// Frees it as used up, which tracing does not show as a loss.
    pub(crate) fn consume(self) {
        let ptr = self.into_raw();
        // SAFETY: The skb is ours to free.
        unsafe { b::newtcp_consume_skb(ptr) };
    }
}

impl Drop for SkBuff {
    fn drop(&mut self) {
        // SAFETY: The skb is ours to free; a null socket is allowed.
        unsafe {
            b::sk_skb_reason_drop(
                core::ptr::null_mut(),
                self.0.as_ptr(),
                reason::NOT_SPECIFIED.0,
            )
        };
    }
}

impl Deref for SkBuff {
    type Target = SkbRef;

    #[inline]
    fn deref(&self) -> &SkbRef {
        // SAFETY: By the type invariant.
        unsafe { SkbRef::from_raw(self.0.as_ptr()) }
    }
}

impl DerefMut for SkBuff {
    #[inline]
    fn deref_mut(&mut self) -> &mut SkbRef {
        // SAFETY: By the type invariant.
        unsafe { SkbRef::from_raw_mut(self.0.as_ptr()) }
    }
}
