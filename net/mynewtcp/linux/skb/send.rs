// SPDX-License-Identifier: GPL-2.0

//! Payload on its way out: from the user's memory into `unsent`, and copies for the wire.
//!
//! A payload skb has no linear bytes, only page fragments, and headroom for every header. A
//! transmission is a clone of it that writes its header into the shared headroom, or, while an
//! earlier clone is still in flight, a copy of the head that shares the pages.

use super::{
    SkBuff,
    SkbCb,
    SkbRef, //
};
use crate::linux::{
    bindings as b,
    memory::charge,
    msg::{
        Msg,
        Stamps,
        Way, //
    },
    proto::Protocol,
    sock::Owned, //
};
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    prelude::*, //
};
use zerocopy::FromZeros;

/// Room in front of the payload for all headers down to the link layer's.
const HEADROOM: u32 = b::NEWTCP_MAX_HEADER;

/// What [`Owned::append`] has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Append {
    /// How many bytes were taken from the message.
    pub(crate) bytes: u32,
    /// They went into a new skb, whose control block is all zeroes.
    pub(crate) fresh: bool,
}

/// # Safety
///
/// The lock of `sk` must be held, and `skb` must be in one of its send queues, charged, with no
/// linear bytes. The result is charged and in no queue.
pub(super) unsafe fn split<E: Protocol>(
    sk: *mut b::sock,
    skb: NonNull<b::sk_buff>,
    n: u32,
) -> Result<NonNull<b::sk_buff>> {
    // SAFETY: By the contract `skb` is live and ours while the lock is held.
    let front = unsafe { SkbRef::from_raw_mut(skb.as_ptr()) };
    if n == 0 || n >= front.len() {
        return Err(EINVAL);
    }
    let moved = front.len() - n;
    // SAFETY: An earlier transmission may share the fragment list: get one of our own. This
    // keeps the truesize, and with it the charge.
    to_result(unsafe { b::newtcp_skb_unclone_keeptruesize(skb.as_ptr(), b::NEWTCP_GFP_ATOMIC) })?;
    let rest = alloc_payload(b::NEWTCP_GFP_ATOMIC).ok_or(ENOMEM)?;
    let rest = NonNull::new(rest.into_raw()).ok_or(ENOMEM)?;
    // SAFETY: Both are live and ours. The new head is charged here; the payload bytes keep
    // their charge while their share of the truesize moves over.
    unsafe {
        let head = b::newtcp_skb_truesize(rest.as_ptr()) as i32;
        charge::force(sk, head);
        b::newtcp_wmem_charge(sk, head);
        b::newtcp_skb_move_truesize(skb.as_ptr(), rest.as_ptr(), moved);
        b::skb_split(skb.as_ptr(), rest.as_ptr(), n);
        let mut tail: E::Cb = *front.cb();
        if front.cb_mut::<E::Cb>().divide(&mut tail, n) {
            b::newtcp_stamp_move(skb.as_ptr(), rest.as_ptr());
        }
        SkbRef::from_raw_mut(rest.as_ptr()).set_cb(tail);
    }
    Ok(rest)
}

/// Reserves memory for data to be sent: as much as there is of `want` bytes, at least what is
/// promised to a sender. `EAGAIN` if that is nothing.
///
/// # Safety
///
/// The lock of `sk` must be held.
#[inline]
unsafe fn grant(sk: *mut b::sock, want: u32) -> Result<u32> {
    // SAFETY: By the contract.
    match unsafe { charge::reserve_some_to_send(sk, want) } {
        0 => Err(EAGAIN),
        granted => Ok(granted),
    }
}

/// An empty payload skb.
fn alloc_payload(gfp: b::gfp_t) -> Option<SkBuff> {
    // SAFETY: Allocates from the given pool; the skb is ours.
    unsafe {
        let skb = NonNull::new(b::newtcp_alloc_payload(HEADROOM, gfp))?;
        Some(SkBuff::from_raw(skb))
    }
}

/// Lets go of an skb that was in a send queue: its payload has arrived.
pub(super) fn payload_done(skb: SkBuff) {
    // SAFETY: The skb is ours, and was made by `alloc_payload`.
    unsafe { b::newtcp_payload_done(skb.into_raw(), HEADROOM) };
}

/// An skb without payload for a header that is sent once.
pub(in crate::linux) fn alloc_control() -> Option<SkBuff> {
    // SAFETY: As in `alloc_payload`.
    unsafe {
        let skb = b::newtcp_alloc_control(HEADROOM, b::NEWTCP_GFP_ATOMIC);
        Some(SkBuff::from_raw(NonNull::new(skb)?))
    }
}

impl SkBuff {
    /// As [`consume`](Self::consume), for a packet without payload: another may be made of it.
    pub(crate) fn reuse(self) {
        // SAFETY: The skb is ours to free.
        unsafe { b::newtcp_reuse_skb(self.into_raw(), HEADROOM) };
    }
}

impl SkbRef {
    /// A copy for the wire: the pages are shared, the head may be written.
    pub(crate) fn clone_for_transmit(&self) -> Option<SkBuff> {
        let skb = self.as_raw();
        // SAFETY: `self` is a live skb whose header has been released to its clones; only one
        // clone at a time may write there, so a second one gets a head of its own.
        let clone = unsafe {
            if b::newtcp_skb_cloned(skb) {
                b::newtcp_pskb_copy(skb, b::NEWTCP_GFP_ATOMIC)
            } else {
                b::skb_clone(skb, b::NEWTCP_GFP_ATOMIC)
            }
        };
        let clone = NonNull::new(clone)?;
        // SAFETY: The clone is ours and uncharged; `dev` may hold a tree link of the original.
        unsafe {
            b::newtcp_skb_clear_links(clone.as_ptr());
            Some(SkBuff::from_raw(clone))
        }
    }

    /// A copy for the wire of `len` bytes from `offset` on, sharing the pages.
    pub(crate) fn clone_range(&self, offset: u32, len: u32) -> Option<SkBuff> {
        if offset == 0 && len == self.len() {
            return self.clone_for_transmit();
        }
        if offset.checked_add(len)? > self.len() {
            return None;
        }
        let copy = alloc_control()?;
        // SAFETY: Both are live, `copy` is empty, and `self` has the bytes.
        to_result(unsafe { b::newtcp_skb_share_pages(copy.as_raw(), self.as_raw(), offset, len) })
            .ok()?;
        Some(copy)
    }
}

impl<E: Protocol> Owned<'_, E> {
    /// Takes up to `want` bytes from `msg` and puts them last in `unsent`: into the last skb
    /// while it has fewer than `goal` bytes and `may_extend` allows, into a new one otherwise.
    /// At most one skb grows in a call.
    ///
    /// `EAGAIN` means that the socket or the protocol has no memory to give: wait with
    /// [`wait_for_memory`](Self::wait_for_memory). `EFAULT` comes from the user's memory.
    pub(crate) fn append(
        &mut self,
        msg: &mut Msg<'_>,
        want: u32,
        goal: u32,
        may_extend: bool,
    ) -> Result<Append> {
        let want = want.min(u32::try_from(msg.remaining()).unwrap_or(u32::MAX));
        let tail = if may_extend {
            self.queues()
                .unsent_mut()
                .back_mut()
                .map(|skb| (skb.as_raw(), skb.len()))
        } else {
            None
        };
        if let Some((tail, len)) = tail {
            if len < goal {
                let bytes = self.fill(tail, msg, want.min(goal - len))?;
                if bytes > 0 {
                    return Ok(Append {
                        bytes,
                        fresh: false,
                    });
                }
            }
        }
        // SAFETY: `self` is a live locked socket.
        if !unsafe { b::newtcp_stream_memory_free(self.as_raw()) } {
            return Err(EAGAIN);
        }
        let skb = self.alloc_for_append()?;
        let head = skb.truesize();
        let bytes = self.fill(skb.as_raw(), msg, want.min(goal.max(1)));
        match bytes {
            Ok(bytes) if bytes > 0 || want == 0 => {
                self.charge_and_queue(skb, head);
                return Ok(Append { bytes, fresh: true });
            }
            Ok(_) | Err(_) => {}
        }
        let pages = skb.truesize().saturating_sub(head);
        // SAFETY: `self` is a live locked socket; pages of the user that were found and let go
        // again are charged still.
        unsafe { b::newtcp_wmem_uncharge(self.as_raw(), pages as i32) };
        Err(bytes.err().unwrap_or(EAGAIN))
    }

    fn alloc_for_append(&mut self) -> Result<SkBuff> {
        // SAFETY: `self` is a live socket.
        let gfp = unsafe { b::newtcp_sk_gfp(self.as_raw()) };
        let Some(skb) = alloc_payload(gfp) else {
            // SAFETY: `self` is a live locked socket.
            unsafe {
                charge::allocation_failed(self.as_raw());
                b::newtcp_moderate_sndbuf(self.as_raw());
            }
            return Err(EAGAIN);
        };
        // SAFETY: `self` is a live locked socket; this reserves what `charge_and_queue` takes.
        unsafe { grant(self.as_raw(), skb.truesize()) }?;
        Ok(skb)
    }

    /// Queues a fresh payload skb whose pages are charged and whose `head` is not yet.
    fn charge_and_queue(&mut self, mut skb: SkBuff, head: u32) {
        skb.set_cb::<E::Cb>(E::Cb::new_zeroed());
        // SAFETY: `self` is a live locked socket; the reservation was made on allocation, and
        // `append_copy` charged the pages one by one.
        unsafe {
            charge::force(self.as_raw(), head as i32);
            b::newtcp_wmem_charge(self.as_raw(), head as i32);
            let list = b::newtcp_write_queue(self.as_raw());
            b::newtcp_queue_push_back(list, skb.into_raw());
        }
    }

    /// Adds up to `want` bytes to `skb`, charging them; 0 if it has no room for a fragment.
    #[inline]
    fn fill(&mut self, skb: *mut b::sk_buff, msg: &mut Msg<'_>, want: u32) -> Result<u32> {
        if want == 0 {
            return Ok(0);
        }
        let sk = self.as_raw();
        match msg.way() {
            Way::Copy => self.fill_copy(skb, msg, want),
            Way::Splice => {
                // SAFETY: `sk` is locked, `skb` is a payload skb of it, `msg` is a live message.
                let n = unsafe {
                    let want = grant(sk, want)?;
                    b::newtcp_append_splice(sk, skb, msg.iter_raw(), want as usize)
                };
                taken(n as i32)
            }
            Way::Pin(pinned) => {
                // SAFETY: As above, and the message keeps `pinned`. The pages may weigh more
                // than the bytes that are wanted of them: the last line sees to that.
                let n = unsafe {
                    let want = grant(sk, want)?;
                    let n = b::newtcp_append_zerocopy(
                        sk,
                        skb,
                        msg.as_raw(),
                        want as i32,
                        pinned.as_ptr(),
                    );
                    charge::force(sk, 0);
                    n
                };
                taken(n)
            }
        }
    }

    /// The same for bytes that are copied, from as many fragments as it takes.
    fn fill_copy(&mut self, skb: *mut b::sk_buff, msg: &mut Msg<'_>, want: u32) -> Result<u32> {
        let mut filled = 0;
        while filled < want {
            match self.fill_fragment(skb, msg, want - filled) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if filled == 0 => return Err(error),
                // Whoever comes for more meets it again.
                Err(_) => break,
            }
        }
        Ok(filled)
    }

    #[inline]
    fn fill_fragment(&mut self, skb: *mut b::sk_buff, msg: &mut Msg<'_>, want: u32) -> Result<u32> {
        let sk = self.as_raw();
        // SAFETY: `sk` is locked, `skb` is a payload skb of it, `msg` is a live message. The
        // page fragment belongs to the task or, under the lock, to the socket.
        unsafe {
            let frag = NonNull::new(b::newtcp_page_frag(sk)).ok_or(EAGAIN)?;
            let room = b::newtcp_page_frag_room(skb, frag.as_ptr());
            let n = want.min(room);
            if n == 0 {
                return Ok(0);
            }
            let has_reserve = i64::from(b::newtcp_forward_alloc(sk)) >= i64::from(n);
            let n = if has_reserve { n } else { grant(sk, n)? };
            match b::newtcp_append_copy(sk, skb, msg.iter_raw(), frag.as_ptr(), n as i32) {
                0 => Ok(n),
                error => Err(Error::from_errno(error)),
            }
        }
    }

    /// Asks for time stamps of the byte with the sequence number `seq`, which is the last of the
    /// last unsent skb. False if there is none.
    pub(crate) fn stamp_unsent(&mut self, stamps: Stamps, seq: u32) -> bool {
        let sk = self.as_raw();
        let mut queues = self.queues();
        let Some(skb) = queues.unsent_mut().back_mut() else {
            return false;
        };
        // SAFETY: `sk` is locked, and `skb` is in a send queue of it.
        unsafe { b::newtcp_stamp_request(sk, skb.as_raw(), stamps.0, seq) };
        true
    }

    /// The same for a byte of the sent skb that starts at `start`.
    pub(crate) fn stamp_sent(&mut self, stamps: Stamps, start: u32, seq: u32) {
        let sk = self.as_raw();
        if let Some(skb) = self.queues().sent_mut().get_mut(start) {
            // SAFETY: `sk` is locked, and `skb` is in a send queue of it.
            unsafe { b::newtcp_stamp_request(sk, skb.as_raw(), stamps.0, seq) };
        }
    }
}

/// How much was taken; nothing if there was no place for more in this skb.
fn taken(n: i32) -> Result<u32> {
    match n {
        0.. => Ok(n as u32),
        n if n == EMSGSIZE.to_errno() || n == EEXIST.to_errno() => Ok(0),
        n => Err(Error::from_errno(n)),
    }
}
