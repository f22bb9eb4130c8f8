// SPDX-License-Identifier: GPL-2.0

//! Moving received bytes to fewer skbs.
//!
//! A peer decides how many bytes come in a packet, and a packet costs the same memory with one
//! byte as with a thousand. When memory is short, neighbours that hold little are copied together
//! into skbs of a page.

use super::{
    SkBuff,
    SkbCb,
    SkbRef, //
};
use crate::linux::{
    bindings as b,
    memory::charge,
    proto::Protocol, //
};
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// The most bytes that a page has room for beside an skb's own data.
const PAGE_ROOM: u32 = b::NEWTCP_SKB_PAGE_ROOM;

/// A receive queue as one chain of skbs.
pub(super) trait Chain<E: Protocol> {
    /// The socket that pays for it.
    fn sock(&self) -> *mut b::sock;

    /// The first one.
    fn first(&self) -> Option<NonNull<b::sk_buff>>;

    /// The one after `skb`.
    ///
    /// # Safety
    ///
    /// `skb` must be a member.
    unsafe fn next(&self, skb: NonNull<b::sk_buff>) -> Option<NonNull<b::sk_buff>>;

    /// Takes `skb` out and frees it.
    ///
    /// # Safety
    ///
    /// `skb` must be a member, which the caller does not touch again.
    unsafe fn discard(&mut self, skb: NonNull<b::sk_buff>);

    /// Puts `skb` behind `before`, or first if that is none, and charges it.
    ///
    /// # Safety
    ///
    /// `before` must be a member, the memory of `skb` reserved, and its bytes those that belong
    /// there.
    unsafe fn insert(&mut self, skb: SkBuff, before: Option<NonNull<b::sk_buff>>);
}

/// Neighbours whose bytes follow each other, and that all waste memory.
struct Run {
    skbs: u32,
    bytes: u32,
    truesize: u32,
    /// The one behind the last.
    end: Option<NonNull<b::sk_buff>>,
}

impl Run {
    /// Three quarters of the memory will do, or less.
    fn is_worth_it(&self) -> bool {
        const PAGE_COST: u32 = b::NEWTCP_PAGE_SIZE as u32 + OWN;
        let (pages, rest) = (self.bytes / PAGE_ROOM, self.bytes % PAGE_ROOM);
        let last = if rest == 0 {
            0
        } else {
            (rest + 2 * OWN).next_power_of_two() + OWN
        };
        let cost = pages.saturating_mul(PAGE_COST).saturating_add(last);
        self.skbs > 1 && cost <= self.truesize / 4 * 3
    }
}

/// About what an skb takes for itself.
const OWN: u32 = 256;

/// # Safety
///
/// `skb` must be a member of a queue whose lock is held, and not change during `'a`.
unsafe fn note_of<'a, E: Protocol>(skb: NonNull<b::sk_buff>) -> (&'a SkbRef, &'a E::Cb) {
    // SAFETY: By the contract.
    let skb = unsafe { SkbRef::from_raw(skb.as_ptr()) };
    (skb, skb.cb::<E::Cb>())
}

/// Copies neighbours together, wherever that frees memory. Gives how many skbs there are less.
pub(super) fn collapse<E: Protocol>(chain: &mut impl Chain<E>) -> u32 {
    let mut freed = 0;
    let mut before = None;
    let mut next = chain.first();
    while let Some(first) = next {
        // SAFETY: `first` is a member.
        let run = unsafe { run_from(chain, first) };
        if run.is_worth_it() {
            // SAFETY: The run begins with `first`, and `before` is in front of it.
            match unsafe { gather(chain, before, first, &run) } {
                Ok((last, skbs)) => {
                    before = last;
                    freed += run.skbs.saturating_sub(skbs);
                }
                Err(_) => return freed,
            }
        } else {
            // SAFETY: A member, in front of the end of the run.
            before = unsafe { last_of(chain, first, run.end) };
        }
        next = run.end;
    }
    freed
}

/// # Safety
///
/// `first` must be a member, and `end` a later one or none.
unsafe fn last_of<E: Protocol>(
    chain: &impl Chain<E>,
    first: NonNull<b::sk_buff>,
    end: Option<NonNull<b::sk_buff>>,
) -> Option<NonNull<b::sk_buff>> {
    let mut last = first;
    // SAFETY: Members, one after the other.
    while let Some(next) = unsafe { chain.next(last) } {
        if Some(next) == end {
            break;
        }
        last = next;
    }
    Some(last)
}

/// The run that begins with `first`; one skb, if that is no waste.
///
/// # Safety
///
/// `first` must be a member.
unsafe fn run_from<E: Protocol>(chain: &impl Chain<E>, first: NonNull<b::sk_buff>) -> Run {
    let mut run = Run {
        skbs: 0,
        bytes: 0,
        truesize: 0,
        end: Some(first),
    };
    let mut expected = None;
    while let Some(at) = run.end {
        // SAFETY: A member.
        let (skb, cb) = unsafe { note_of::<E>(at) };
        let (_, len) = cb.span();
        let is_wasteful = len < skb.truesize() / 4 * 3;
        let follows = expected.is_none_or(|seq| seq == cb.seq());
        if run.skbs > 0 && !(is_wasteful && follows) {
            break;
        }
        run.skbs += 1;
        run.bytes = run.bytes.saturating_add(len);
        run.truesize = run.truesize.saturating_add(skb.truesize());
        expected = Some(cb.seq().wrapping_add(len));
        // SAFETY: A member.
        run.end = unsafe { chain.next(at) };
        if !is_wasteful {
            break;
        }
    }
    run
}

/// Copies the bytes of `run`, which begins with `first`, to fresh skbs behind `before`. Gives the
/// last of these and how many there are.
///
/// # Safety
///
/// As it says.
unsafe fn gather<E: Protocol>(
    chain: &mut impl Chain<E>,
    mut before: Option<NonNull<b::sk_buff>>,
    first: NonNull<b::sk_buff>,
    run: &Run,
) -> Result<(Option<NonNull<b::sk_buff>>, u32)> {
    let mut left = run.bytes;
    let mut skbs = 0;
    let mut from = first;
    while left > 0 {
        let len = left.min(PAGE_ROOM);
        // SAFETY: `left` bytes follow from the first that counts in `from`.
        let fresh = unsafe { copy::<E>(chain, from, len) }?;
        let raw = NonNull::new(fresh.as_raw());
        // SAFETY: The bytes that are discarded are those that were copied; the lock is held.
        unsafe {
            let rest = use_up(chain, from, len);
            charge::force(chain.sock(), fresh.truesize() as i32);
            chain.insert(fresh, before);
            match rest {
                Some(rest) => from = rest,
                None => return Ok((raw, skbs + 1)),
            }
        }
        before = raw;
        skbs += 1;
        left -= len;
    }
    Ok((before, skbs))
}

/// A fresh skb with `len` bytes from those on that count in `from`. Nothing else changes.
///
/// # Safety
///
/// `from` must be a member, and that many bytes must follow each other.
unsafe fn copy<E: Protocol>(
    chain: &impl Chain<E>,
    from: NonNull<b::sk_buff>,
    len: u32,
) -> Result<SkBuff> {
    // SAFETY: Allocates; the bytes put are the bytes asked for.
    let (mut fresh, mut to) = unsafe {
        let skb = NonNull::new(b::newtcp_alloc_skb(len, b::NEWTCP_GFP_ATOMIC)).ok_or(ENOMEM)?;
        let to: *mut u8 = b::newtcp_skb_put(skb.as_ptr(), len).cast();
        (SkBuff::from_raw(skb), to)
    };
    let mut left = len;
    let mut at = from;
    loop {
        // SAFETY: A member.
        let (skb, cb) = unsafe { note_of::<E>(at) };
        let (offset, there) = cb.span();
        let n = there.min(left);
        // SAFETY: `n` bytes are there, and at least as many are left to be written at `to`.
        unsafe {
            to_result(b::skb_copy_bits(
                skb.as_raw(),
                offset as i32,
                to.cast(),
                n as i32,
            ))?;
            to = to.add(n as usize);
        }
        left -= n;
        if left == 0 {
            break;
        }
        // SAFETY: A member.
        at = unsafe { chain.next(at) }.ok_or(EINVAL)?;
    }
    // SAFETY: A member.
    let (_, cb) = unsafe { note_of::<E>(from) };
    fresh.set_cb(cb.gathered(len));
    Ok(fresh)
}

/// Frees the skbs from `from` on whose bytes are among the next `len`; gives the one that comes
/// then, or has the rest.
///
/// # Safety
///
/// `from` must be a member.
unsafe fn use_up<E: Protocol>(
    chain: &mut impl Chain<E>,
    from: NonNull<b::sk_buff>,
    len: u32,
) -> Option<NonNull<b::sk_buff>> {
    let mut left = len;
    let mut at = from;
    loop {
        // SAFETY: A member, which nobody else refers to.
        let cb = unsafe { SkbRef::from_raw_mut(at.as_ptr()) }.cb_mut::<E::Cb>();
        let (_, there) = cb.span();
        if there > left {
            cb.use_up(left);
            return Some(at);
        }
        left -= there;
        // SAFETY: A member, which is not touched again.
        let next = unsafe {
            let next = chain.next(at);
            chain.discard(at);
            next
        };
        at = next?;
        if left == 0 {
            return Some(at);
        }
    }
}
