// SPDX-License-Identifier: GPL-2.0

//! A hash table of intrusive links that readers walk under RCU and writers change under a spin
//! lock per group of buckets.
//!
//! A chain is singly linked and ends in a marker that names its bucket. A link may leave one
//! chain and enter another while a reader stands on it; the reader then arrives at a marker of
//! the wrong bucket and starts again, as with the kernel's `hlist_nulls`. A link that left keeps
//! its `next`, so readers that stand on it find their way.

use super::link::Link;
use crate::linux::{
    compat,
    lock::{
        BhGuard,
        BhLock, //
    }, //
};
use core::pin::Pin;
use kernel::{
    alloc::KVVec,
    prelude::*,
    str::CStr,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Release, //
        },
        rcu,
        LockClassKey, //
    }, //
};

/// Locks of one table at most; buckets share them.
const MAX_LOCKS: usize = 1024;

/// A hash table that is empty and without memory until [`Table::init`].
pub(super) struct Table {
    memory: Atomic<*mut Memory>,
}

struct Memory {
    buckets: KVVec<Atomic<usize>>,
    locks: KVVec<BhLock<()>>,
}

/// One bucket, locked. Only its holder changes the chain.
pub(super) struct Bucket<'a> {
    head: &'a Atomic<usize>,
    _guard: BhGuard<'a, ()>,
}

const fn end_of(bucket: usize) -> usize {
    (bucket << 1) | 1
}

const fn is_end(at: usize) -> bool {
    at & 1 == 1
}

impl Table {
    pub(super) const fn new() -> Self {
        Self {
            memory: Atomic::new(core::ptr::null_mut()),
        }
    }

    /// Gives the table `buckets` buckets, a power of two. Its locks are named `name` to lockdep.
    pub(super) fn init(
        &self,
        buckets: usize,
        name: &'static CStr,
        class: Pin<&'static LockClassKey>,
    ) -> Result {
        let count = buckets.next_power_of_two();
        let mut heads = KVVec::with_capacity(count, GFP_KERNEL)?;
        for bucket in 0..count {
            heads.push(Atomic::new(end_of(bucket)), GFP_KERNEL)?;
        }
        let count = count.min(MAX_LOCKS);
        let mut locks: KVVec<BhLock<()>> = KVVec::with_capacity(count, GFP_KERNEL)?;
        for slot in locks.spare_capacity_mut().iter_mut().take(count) {
            // SAFETY: The slot is writable, and stays where it is until the lock is dropped:
            // the vector is never grown or moved out of its heap block.
            unsafe { compat::raw_init(slot.as_mut_ptr(), BhLock::new((), name, class)) };
        }
        // SAFETY: The first `count` slots have just been initialised.
        unsafe { locks.inc_len(count) };
        let memory = KBox::new(
            Memory {
                buckets: heads,
                locks,
            },
            GFP_KERNEL,
        )?;
        self.memory.store(KBox::into_raw(memory), Release);
        Ok(())
    }

    /// Takes the memory away again.
    ///
    /// # Safety
    ///
    /// The table must be empty, and nobody may use it now or later.
    pub(super) unsafe fn free(&self) {
        let memory = self.memory.load(Acquire);
        self.memory.store(core::ptr::null_mut(), Release);
        if !memory.is_null() {
            // SAFETY: It came from `KBox::into_raw()`, and the caller promises that nobody else
            // refers to it.
            drop(unsafe { KBox::from_raw(memory) });
        }
    }

    fn memory(&self) -> Option<&Memory> {
        // SAFETY: Not null, it points to a `Memory` that lives until `free`, whose caller
        // promises that nobody uses the table.
        unsafe { self.memory.load(Acquire).as_ref() }
    }

    /// How many buckets there are.
    pub(super) fn len(&self) -> usize {
        self.memory().map_or(0, |memory| memory.buckets.len())
    }

    /// Locks the bucket of `hash`. `None` for a table without memory.
    pub(super) fn lock(&self, hash: u32) -> Option<Bucket<'_>> {
        let memory = self.memory()?;
        let hash = hash as usize;
        let head = memory
            .buckets
            .get(hash & memory.buckets.len().wrapping_sub(1))?;
        let lock = memory
            .locks
            .get(hash & memory.locks.len().wrapping_sub(1))?;
        Some(Bucket {
            head,
            _guard: lock.lock(),
        })
    }

    /// The first link of hash `hash` that `matches` takes.
    ///
    /// It may leave the table at any moment; its memory stays as long as the guard.
    #[inline]
    pub(super) fn find<'r>(
        &self,
        _rcu: &'r rcu::Guard,
        hash: u32,
        mut matches: impl FnMut(&'r Link) -> bool,
    ) -> Option<&'r Link> {
        let memory = self.memory()?;
        let bucket = (hash as usize) & memory.buckets.len().wrapping_sub(1);
        let head = memory.buckets.get(bucket)?;
        loop {
            let mut at = head.load(Acquire);
            while !is_end(at) {
                // SAFETY: Chains contain links of live objects only, and an object that has left
                // a chain is freed after a grace period, which the guard holds up.
                let link: &'r Link = unsafe { &*(at as *const Link) };
                if link.hash() == hash && matches(link) {
                    return Some(link);
                }
                at = link.next.load(Acquire);
            }
            if at == end_of(bucket) {
                return None;
            }
        }
    }
}

impl Bucket<'_> {
    /// The links in the chain.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Link> {
        let mut at = self.head.load(Acquire);
        core::iter::from_fn(move || {
            if is_end(at) {
                return None;
            }
            // SAFETY: The chain does not change while it is locked, and what is in it is alive.
            let link: &Link = unsafe { &*(at as *const Link) };
            at = link.next.load(Acquire);
            Some(link)
        })
    }

    /// The pointer that points to `link`.
    fn slot_of<'s>(&'s self, link: &Link) -> Option<&'s Atomic<usize>> {
        let wanted = core::ptr::from_ref(link) as usize;
        let mut slot = self.head;
        loop {
            let at = slot.load(Acquire);
            if at == wanted {
                return Some(slot);
            }
            if is_end(at) {
                return None;
            }
            // SAFETY: As in `iter`.
            slot = unsafe { &(*(at as *const Link)).next };
        }
    }

    /// Puts `link` in front.
    ///
    /// # Safety
    ///
    /// `link` must be in no chain, its hash must be that of this bucket, and its object must
    /// stay alive until it has left the chain and a grace period has passed.
    pub(super) unsafe fn push(&mut self, link: &Link) {
        link.next.store(self.head.load(Acquire), Release);
        self.head.store(core::ptr::from_ref(link) as usize, Release);
    }

    /// Takes `link` out. False if it was not there.
    pub(super) fn unlink(&mut self, link: &Link) -> bool {
        let Some(slot) = self.slot_of(link) else {
            return false;
        };
        slot.store(link.next.load(Acquire), Release);
        true
    }

    /// Puts `new` into the place of `old`, so that a reader finds one or the other. False if
    /// `old` was not there.
    ///
    /// # Safety
    ///
    /// As for [`push`](Self::push).
    pub(super) unsafe fn replace(&mut self, old: &Link, new: &Link) -> bool {
        let Some(slot) = self.slot_of(old) else {
            return false;
        };
        new.next.store(old.next.load(Acquire), Release);
        slot.store(core::ptr::from_ref(new) as usize, Release);
        true
    }
}
