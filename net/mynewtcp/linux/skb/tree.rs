// SPDX-License-Identifier: GPL-2.0

//! Queues ordered by sequence number: a red-black tree through the skbs themselves.
//!
//! Every operation is O(log n), also when the peer picks the order. Comparison wraps: sequence
//! numbers in one tree lie within half the space of each other.

use super::{
    collapse::Chain,
    queue::{
        Charge,
        Kept, //
    },
    SkBuff,
    SkbCb,
    SkbRef, //
};
use crate::linux::{
    bindings as b,
    memory::charge,
    proto::Protocol, //
};
use core::{
    cmp::Ordering,
    marker::PhantomData,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use kernel::prelude::*;

/// A queue of skbs by the `seq` of their control blocks.
pub(crate) struct SkbTreeMut<'a, E: Protocol> {
    sk: *mut b::sock,
    root: *mut b::rb_root,
    charge: Charge,
    _lock: PhantomData<(&'a mut (), fn(E))>,
}

/// Where a new sequence number would go.
struct Place {
    parent: *mut b::rb_node,
    link: *mut *mut b::rb_node,
}

fn compare(a: u32, b: u32) -> Ordering {
    (a.wrapping_sub(b) as i32).cmp(&0)
}

impl<E: Protocol> SkbTreeMut<'_, E> {
    /// # Safety
    ///
    /// `root` must be a tree of `sk` of the kind `charge`, and the lock of `sk` must be held
    /// while the value lives.
    pub(super) unsafe fn new(sk: *mut b::sock, root: *mut b::rb_root, charge: Charge) -> Self {
        Self {
            sk,
            root,
            charge,
            _lock: PhantomData,
        }
    }

    fn seq_of(skb: NonNull<b::sk_buff>) -> u32 {
        // SAFETY: Only members of the tree come here: live, and nobody else changes them.
        unsafe { SkbRef::from_raw(skb.as_ptr()) }
            .cb::<E::Cb>()
            .seq()
    }

    fn from_node(node: *mut b::rb_node) -> Option<NonNull<b::sk_buff>> {
        let node = NonNull::new(node)?;
        // SAFETY: Every node of the tree is the `rbnode` of an skb.
        NonNull::new(unsafe { b::newtcp_skb_from_rb(node.as_ptr()) })
    }

    fn node_of(skb: NonNull<b::sk_buff>) -> *mut b::rb_node {
        // SAFETY: `skb` is live.
        unsafe { b::newtcp_skb_rb_node(skb.as_ptr()) }
    }

    fn first_raw(&self) -> Option<NonNull<b::sk_buff>> {
        // SAFETY: `root` is a live tree and the lock is held.
        Self::from_node(unsafe { b::newtcp_rb_first(self.root) })
    }

    fn next_raw(skb: NonNull<b::sk_buff>) -> Option<NonNull<b::sk_buff>> {
        // SAFETY: `skb` is a member of a tree whose lock is held.
        Self::from_node(unsafe { b::rb_next(Self::node_of(skb)) })
    }

    /// Walks down towards `seq`: the member with exactly that number or the place for it, and
    /// the last member before it.
    fn search(
        &self,
        seq: u32,
    ) -> (
        Result<NonNull<b::sk_buff>, Place>,
        Option<NonNull<b::sk_buff>>,
    ) {
        let mut before = None;
        let mut parent = null_mut();
        // SAFETY: `root` is a live tree and the lock is held.
        let mut link = unsafe { &raw mut (*self.root).rb_node };
        loop {
            // SAFETY: `link` points into the root or a live node.
            let node = unsafe { *link };
            let Some(skb) = Self::from_node(node) else {
                return (Err(Place { parent, link }), before);
            };
            parent = node;
            let go_left = match compare(seq, Self::seq_of(skb)) {
                Ordering::Less => true,
                Ordering::Equal => return (Ok(skb), before),
                Ordering::Greater => {
                    before = Some(skb);
                    false
                }
            };
            // SAFETY: `node` is live, being a member.
            link = unsafe {
                if go_left {
                    &raw mut (*node).rb_left
                } else {
                    &raw mut (*node).rb_right
                }
            };
        }
    }

    fn as_ref<'s>(&'s self, skb: Option<NonNull<b::sk_buff>>) -> Option<&'s SkbRef> {
        // SAFETY: Members live until they leave the tree, which takes `&mut self`.
        skb.map(|skb| unsafe { SkbRef::from_raw(skb.as_ptr()) })
    }

    fn as_mut<'s>(&'s mut self, skb: Option<NonNull<b::sk_buff>>) -> Option<&'s mut SkbRef> {
        // SAFETY: As in `as_ref`, and `&mut self` is exclusive.
        skb.map(|skb| unsafe { SkbRef::from_raw_mut(skb.as_ptr()) })
    }

    fn floor_raw(&self, seq: u32) -> Option<NonNull<b::sk_buff>> {
        let (found, before) = self.search(seq);
        found.ok().or(before)
    }

    fn ceiling_raw(&self, seq: u32) -> Option<NonNull<b::sk_buff>> {
        let (found, before) = self.search(seq);
        match (found, before) {
            (Ok(skb), _) => Some(skb),
            (Err(_), Some(before)) => Self::next_raw(before),
            (Err(_), None) => self.first_raw(),
        }
    }

    /// The one with the lowest number.
    pub(crate) fn first(&self) -> Option<&SkbRef> {
        self.as_ref(self.first_raw())
    }

    /// The one with the lowest number, to change (not its number).
    pub(crate) fn first_mut(&mut self) -> Option<&mut SkbRef> {
        self.as_mut(self.first_raw())
    }

    /// The one with exactly this number.
    pub(crate) fn get(&self, seq: u32) -> Option<&SkbRef> {
        self.as_ref(self.search(seq).0.ok())
    }

    /// The one with exactly this number, to change (not its number).
    pub(crate) fn get_mut(&mut self, seq: u32) -> Option<&mut SkbRef> {
        self.as_mut(self.search(seq).0.ok())
    }

    /// The last one that does not start after `seq`.
    pub(crate) fn floor(&self, seq: u32) -> Option<&SkbRef> {
        self.as_ref(self.floor_raw(seq))
    }

    /// The first one that does not start before `seq`.
    pub(crate) fn ceiling(&self, seq: u32) -> Option<&SkbRef> {
        self.as_ref(self.ceiling_raw(seq))
    }

    /// Links a charged skb in. False if its number is taken.
    ///
    /// # Safety
    ///
    /// `skb` must be in no queue, ours, and charged as this tree's members are.
    pub(super) unsafe fn link(&mut self, skb: NonNull<b::sk_buff>) -> bool {
        let Err(Place { parent, link }) = self.search(Self::seq_of(skb)).0 else {
            return false;
        };
        let node = Self::node_of(skb);
        // SAFETY: `parent` and `link` come from the search just made, and `node` is unlinked.
        unsafe {
            node.write(b::rb_node {
                __rb_parent_color: parent as usize,
                ..pin_init::zeroed()
            });
            link.write(node);
            b::rb_insert_color(node, self.root);
        }
        true
    }

    /// Puts a received skb in its place, or in the one in front of it as `join` says (see
    /// [`SkbListMut::try_push`]), if the socket may have that much more memory. Gives it back when
    /// memory is refused or its number is taken.
    ///
    /// [`SkbListMut::try_push`]: super::queue::SkbListMut::try_push
    pub(crate) fn try_insert(
        &mut self,
        skb: SkBuff,
        join: impl FnOnce(u32, &mut E::Cb, &E::Cb) -> bool,
    ) -> Result<Kept, SkBuff> {
        // SAFETY: The lock is held and `skb` is live.
        if !unsafe { charge::reserve_to_receive(self.sk, skb.as_raw()) } {
            return Err(skb);
        }
        let before = self.floor_raw(skb.cb::<E::Cb>().seq());
        // SAFETY: `into_raw` never gives null.
        let skb = unsafe { NonNull::new_unchecked(skb.into_raw()) };
        // SAFETY: `skb` is ours and in no queue; memory for the charge is reserved. The route it
        // came by must not be kept by a queue.
        unsafe {
            b::newtcp_skb_dst_drop(skb.as_ptr());
            self.charge.take(self.sk, skb.as_ptr());
        }
        // SAFETY: It is charged now, and `before` is a member.
        if before
            .is_some_and(|before| unsafe { super::join_charged::<E>(self.sk, before, skb, join) })
        {
            return Ok(Kept::Joined);
        }
        // SAFETY: It is charged now.
        if unsafe { self.link(skb) } {
            return Ok(Kept::Apart);
        }
        // SAFETY: It was not linked: give the charge back and return it.
        Err(unsafe {
            self.charge.give_back(self.sk, skb.as_ptr());
            SkBuff::from_raw(skb)
        })
    }

    /// Takes the one with exactly this number out; it stays charged, and the caller owns it.
    pub(super) fn take_charged(&mut self, seq: u32) -> Option<NonNull<b::sk_buff>> {
        let skb = self.search(seq).0.ok()?;
        self.unlink(skb);
        Some(skb)
    }

    fn unlink(&mut self, skb: NonNull<b::sk_buff>) {
        // SAFETY: `skb` is a member; its links lie over fields that users of an unlinked skb
        // expect to be null.
        unsafe {
            b::rb_erase(Self::node_of(skb), self.root);
            b::newtcp_skb_clear_links(skb.as_ptr());
        }
    }

    fn release(&mut self, skb: NonNull<b::sk_buff>) -> SkBuff {
        self.unlink(skb);
        // SAFETY: `skb` just left this tree; the lock is held. It is then ours alone.
        unsafe {
            self.charge.give_back(self.sk, skb.as_ptr());
            SkBuff::from_raw(skb)
        }
    }

    /// Takes the one with exactly this number out.
    pub(crate) fn remove(&mut self, seq: u32) -> Option<SkBuff> {
        let skb = self.search(seq).0.ok()?;
        Some(self.release(skb))
    }

    /// Takes the one with the lowest number out.
    pub(crate) fn pop_first(&mut self) -> Option<SkBuff> {
        let skb = self.first_raw()?;
        Some(self.release(skb))
    }

    /// Tells the user that the first one's byte is acknowledged of which he wants to know.
    pub(crate) fn stamp_first_acked(&mut self) {
        if let Some(skb) = self.first_raw() {
            // SAFETY: `skb` is a member of a send queue of this socket, whose lock is held.
            unsafe { b::newtcp_stamp_acked(self.sk, skb.as_ptr()) };
        }
    }

    /// Frees the one with the lowest number: its bytes are used up.
    #[inline]
    pub(crate) fn drop_first(&mut self) -> bool {
        let Some(skb) = self.pop_first() else {
            return false;
        };
        match self.charge {
            Charge::Send => super::send::payload_done(skb),
            Charge::Receive => skb.consume(),
        }
        true
    }

    /// Frees all.
    pub(crate) fn purge(&mut self) {
        while self.drop_first() {}
    }

    /// Splits the member that starts at `seq`: its first `n` bytes stay, the rest becomes a new
    /// member whose control block `fix` derives: it is given both, the new one a copy of the
    /// old, and must give the new one a number behind the old.
    pub(crate) fn split(
        &mut self,
        seq: u32,
        n: u32,
        fix: impl FnOnce(&mut E::Cb, &mut E::Cb),
    ) -> Result {
        let skb = self.search(seq).0.ok().ok_or(ENOENT)?;
        // SAFETY: `skb` is a member of a send queue of this socket, whose lock is held.
        let rest = unsafe { super::send::split::<E>(self.sk, skb, n) }?;
        // SAFETY: Both are live, distinct, and nobody else's.
        unsafe {
            fix(
                SkbRef::from_raw_mut(skb.as_ptr()).cb_mut(),
                SkbRef::from_raw_mut(rest.as_ptr()).cb_mut(),
            );
        }
        // SAFETY: `rest` is charged and in no queue.
        if unsafe { self.link(rest) } {
            return Ok(());
        }
        // SAFETY: A number that is taken is a bug of the caller; the payload of `rest` is lost
        // but not its memory.
        unsafe {
            self.charge.give_back(self.sk, rest.as_ptr());
            SkBuff::from_raw(rest).drop_with(super::reason::NOT_SPECIFIED);
        }
        Err(EEXIST)
    }
}

impl<E: Protocol> Chain<E> for SkbTreeMut<'_, E> {
    fn sock(&self) -> *mut b::sock {
        self.sk
    }

    fn first(&self) -> Option<NonNull<b::sk_buff>> {
        self.first_raw()
    }

    unsafe fn next(&self, skb: NonNull<b::sk_buff>) -> Option<NonNull<b::sk_buff>> {
        Self::next_raw(skb)
    }

    unsafe fn discard(&mut self, skb: NonNull<b::sk_buff>) {
        self.release(skb).consume();
    }

    unsafe fn insert(&mut self, skb: SkBuff, _before: Option<NonNull<b::sk_buff>>) {
        // SAFETY: `into_raw` never gives null.
        let skb = unsafe { NonNull::new_unchecked(skb.into_raw()) };
        // SAFETY: Memory for the charge is reserved. The number is free: the one that had it has
        // been discarded, or begins later now.
        unsafe {
            self.charge.take(self.sk, skb.as_ptr());
            if !self.link(skb) {
                kernel::warn_on!(true);
                self.charge.give_back(self.sk, skb.as_ptr());
                drop(SkBuff::from_raw(skb));
            }
        }
    }
}
