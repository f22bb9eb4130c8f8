// SPDX-License-Identifier: GPL-2.0

//! The queues of a socket, and the memory charges that come and go with membership.
//!
//! | queue | storage | charge |
//! |---|---|---|
//! | `unsent` | `sk_write_queue` | `sk_wmem_queued`, forward allocation |
//! | `sent` | `tcp_rtx_queue` (a tree in `struct sock`) | the same |
//! | `receive` | `sk_receive_queue` | `sk_rmem_alloc`, forward allocation |
//! | `out_of_order` | a tree of ours | the same |
//!
//! All four belong to whoever holds the socket lock.

use super::{
    collapse::Chain,
    tree::SkbTreeMut,
    SkBuff,
    SkbRef, //
};
use crate::linux::{
    bindings as b,
    memory::charge,
    proto::Protocol,
    sock::{
        Ctx,
        Sock, //
    }, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::prelude::*;

/// Which of the two charges a queue makes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Charge {
    Send,
    Receive,
}

impl Charge {
    /// # Safety
    ///
    /// The caller holds the lock of `sk` and is about to queue `skb` there.
    #[inline]
    pub(super) unsafe fn take(self, sk: *mut b::sock, skb: *mut b::sk_buff) {
        match self {
            // SAFETY: The caller holds the lock; `skb` is live.
            Self::Send => unsafe { b::newtcp_wmem_charge(sk, b::newtcp_skb_truesize(skb) as i32) },
            // SAFETY: As above; the destructor set here gives the charge back.
            Self::Receive => unsafe { b::newtcp_skb_set_owner_r(skb, sk) },
        }
    }

    /// To the socket's reserve, that is: whoever unlocks the socket lets go of it.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of `sk` (or has its last reference) and has just taken `skb`
    /// out of a queue of this kind.
    #[inline]
    pub(super) unsafe fn give_back(self, sk: *mut b::sock, skb: *mut b::sk_buff) {
        match self {
            // SAFETY: The caller holds the lock; `skb` was charged in `take`, and every change
            // of its truesize since then changed the charge by as much.
            Self::Send => unsafe {
                b::newtcp_wmem_uncharge(sk, b::newtcp_skb_truesize(skb) as i32);
            },
            // SAFETY: As above; does what the destructor would that `take` set.
            Self::Receive => unsafe { b::newtcp_rmem_uncharge(sk, skb) },
        }
    }
}

/// Why the receive queues take no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Full {
    /// They hold more memory than the receive buffer has.
    Buffer,
    /// The protocol has none left.
    Pool,
}

/// How an skb was put in a receive queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kept {
    /// As it was.
    Apart,
    /// As part of the one in front of it.
    Joined,
}

/// All queues of a locked socket at once.
pub(crate) struct Queues<'a, E: Protocol> {
    sock: &'a Sock<E>,
    unsent: SkbListMut<'a, E>,
    sent: SkbTreeMut<'a, E>,
    receive: SkbListMut<'a, E>,
    out_of_order: SkbTreeMut<'a, E>,
}

impl<'a, E: Protocol> Queues<'a, E> {
    /// The queues of the socket that `ctx` proves locked.
    pub(in crate::linux) fn new(ctx: &'a mut Ctx<'_, E>) -> Self {
        let sock: &'a Sock<E> = ctx;
        let sk = sock.as_raw();
        // SAFETY: `ctx` proves that the lock is held for `'a`; the four queues are distinct and
        // live as long as the socket.
        unsafe {
            Self {
                sock,
                unsent: SkbListMut::new(sk, b::newtcp_write_queue(sk), Charge::Send),
                sent: SkbTreeMut::new(sk, b::newtcp_sent_root(sk), Charge::Send),
                receive: SkbListMut::new(sk, b::newtcp_receive_queue(sk), Charge::Receive),
                out_of_order: SkbTreeMut::new(sk, sock.out_of_order_root(), Charge::Receive),
            }
        }
    }

    /// The socket.
    pub(crate) fn sock(&self) -> &Sock<E> {
        self.sock
    }

    /// Payload not sent yet, in order.
    pub(crate) fn unsent(&self) -> &SkbListMut<'a, E> {
        &self.unsent
    }

    /// Payload not sent yet, to change.
    pub(crate) fn unsent_mut(&mut self) -> &mut SkbListMut<'a, E> {
        &mut self.unsent
    }

    /// Payload sent and not acknowledged, by sequence number.
    pub(crate) fn sent(&self) -> &SkbTreeMut<'a, E> {
        &self.sent
    }

    /// Payload sent and not acknowledged, to change.
    pub(crate) fn sent_mut(&mut self) -> &mut SkbTreeMut<'a, E> {
        &mut self.sent
    }

    /// Received payload in order, for the user.
    pub(crate) fn receive(&self) -> &SkbListMut<'a, E> {
        &self.receive
    }

    /// Received payload in order, to change.
    pub(crate) fn receive_mut(&mut self) -> &mut SkbListMut<'a, E> {
        &mut self.receive
    }

    /// Received payload beyond a gap, by sequence number.
    pub(crate) fn out_of_order(&self) -> &SkbTreeMut<'a, E> {
        &self.out_of_order
    }

    /// Received payload beyond a gap, to change.
    pub(crate) fn out_of_order_mut(&mut self) -> &mut SkbTreeMut<'a, E> {
        &mut self.out_of_order
    }

    /// Moves the first unsent skb to the sent ones; the charge goes with it. False if there is
    /// none, or if one with the same sequence number has been sent.
    pub(crate) fn send_front(&mut self) -> bool {
        let Some(skb) = NonNull::new(self.unsent.front_raw()) else {
            return false;
        };
        self.unsent.unlink(skb.as_ptr());
        // SAFETY: `skb` was just unlinked and keeps its charge, which is of the same kind.
        if unsafe { self.sent.link(skb) } {
            return true;
        }
        self.unsent.push_front_charged(skb);
        false
    }

    /// Reserves the memory that `skb` takes, so that a receive queue can have it for sure. The
    /// last one may go over the size of the buffer, as with Linux' TCP.
    pub(crate) fn reserve(&mut self, skb: &SkbRef) -> Result<(), Full> {
        if self.sock.rmem_alloc() > self.sock.rcvbuf() {
            return Err(Full::Buffer);
        }
        // SAFETY: The lock is held and `skb` is live.
        if unsafe { charge::reserve_to_receive(self.sock.as_raw(), skb.as_raw()) } {
            Ok(())
        } else {
            Err(Full::Pool)
        }
    }

    /// Changes the size of the receive buffer.
    pub(crate) fn set_rcvbuf(&mut self, bytes: u32) {
        // SAFETY: The lock is held.
        unsafe { b::newtcp_set_rcvbuf(self.sock.as_raw(), bytes.min(i32::MAX as u32) as i32) };
    }

    /// Moves the out-of-order skb that starts at `seq` to the user's queue, where it is last; the
    /// charge goes with it. `change` corrects its control block; `join` is as for
    /// [`SkbListMut::try_push`]. `None` if there is none.
    pub(crate) fn promote(
        &mut self,
        seq: u32,
        change: impl FnOnce(&mut E::Cb),
        join: impl FnOnce(u32, &mut E::Cb, &E::Cb) -> bool,
    ) -> Option<Kept> {
        let skb = self.out_of_order.take_charged(seq)?;
        // SAFETY: It is in no queue any more, live, and nobody else's.
        change(unsafe { SkbRef::from_raw_mut(skb.as_ptr()) }.cb_mut());
        // SAFETY: It is charged to this socket as this queue's members are.
        Some(unsafe { self.receive.push_charged(skb, join) })
    }

    /// Moves received bytes that waste memory to fewer skbs, and gives how many there are less.
    pub(crate) fn collapse(&mut self) -> u32 {
        let list = super::collapse::collapse(&mut self.receive);
        list + super::collapse::collapse(&mut self.out_of_order)
    }

    /// Empties all four.
    #[inline]
    pub(crate) fn purge(&mut self) {
        self.unsent.purge();
        self.sent.purge();
        self.receive.purge();
        self.out_of_order.purge();
    }
}

/// A queue of skbs in the order they were put there.
pub(crate) struct SkbListMut<'a, E: Protocol> {
    sk: *mut b::sock,
    list: *mut b::sk_buff_head,
    charge: Charge,
    _lock: PhantomData<(&'a mut (), fn(E))>,
}

impl<E: Protocol> SkbListMut<'_, E> {
    /// # Safety
    ///
    /// `list` must be a queue of `sk` of the kind `charge`, and the lock of `sk` must be held
    /// while the value lives.
    unsafe fn new(sk: *mut b::sock, list: *mut b::sk_buff_head, charge: Charge) -> Self {
        Self {
            sk,
            list,
            charge,
            _lock: PhantomData,
        }
    }

    fn front_raw(&self) -> *mut b::sk_buff {
        // SAFETY: `list` is a live queue and the lock is held.
        unsafe { b::newtcp_queue_front(self.list) }
    }

    fn back_raw(&self) -> *mut b::sk_buff {
        // SAFETY: `list` is a live queue and the lock is held.
        unsafe { b::newtcp_queue_back(self.list) }
    }

    fn is_empty_raw(&self) -> bool {
        self.front_raw().is_null()
    }

    fn unlink(&mut self, skb: *mut b::sk_buff) {
        // SAFETY: Only members come here, and the lock is held.
        unsafe { b::newtcp_queue_unlink(self.list, skb) };
    }

    fn push_front_charged(&mut self, skb: NonNull<b::sk_buff>) {
        // SAFETY: `skb` is in no queue, and its charge is of this queue's kind.
        unsafe { b::newtcp_queue_push_front(self.list, skb.as_ptr()) };
    }

    /// The first.
    pub(crate) fn front(&self) -> Option<&SkbRef> {
        let skb = self.front_raw();
        // SAFETY: Members of the queue live until they leave it, which takes `&mut self`.
        (!skb.is_null()).then(|| unsafe { SkbRef::from_raw(skb) })
    }

    /// The first, to change.
    pub(crate) fn front_mut(&mut self) -> Option<&mut SkbRef> {
        let skb = self.front_raw();
        // SAFETY: As in `front`, and `&mut self` is exclusive.
        (!skb.is_null()).then(|| unsafe { SkbRef::from_raw_mut(skb) })
    }

    /// The last.
    pub(crate) fn back(&self) -> Option<&SkbRef> {
        let skb = self.back_raw();
        // SAFETY: As in `front`.
        (!skb.is_null()).then(|| unsafe { SkbRef::from_raw(skb) })
    }

    /// The last, to change.
    pub(crate) fn back_mut(&mut self) -> Option<&mut SkbRef> {
        let skb = self.back_raw();
        // SAFETY: As in `front_mut`.
        (!skb.is_null()).then(|| unsafe { SkbRef::from_raw_mut(skb) })
    }

    /// From the first to the last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &SkbRef> {
        let list = self.list;
        let mut next = self.front_raw();
        core::iter::from_fn(move || {
            let skb = NonNull::new(next)?;
            // SAFETY: `skb` is a member and stays one while `self` is borrowed.
            next = unsafe { b::newtcp_queue_next(list, skb.as_ptr()) };
            // SAFETY: As in `front`.
            Some(unsafe { SkbRef::from_raw(skb.as_ptr()) })
        })
    }

    /// Takes the first out.
    pub(crate) fn pop_front(&mut self) -> Option<SkBuff> {
        let skb = NonNull::new(self.front_raw())?;
        self.unlink(skb.as_ptr());
        // SAFETY: `skb` just left this queue; the lock is held.
        unsafe { self.charge.give_back(self.sk, skb.as_ptr()) };
        // SAFETY: It is in no queue and no longer charged, so it is ours alone.
        Some(unsafe { SkBuff::from_raw(skb) })
    }

    /// Frees the first: its bytes are used up.
    pub(crate) fn drop_front(&mut self) -> bool {
        self.pop_front().map(SkBuff::consume).is_some()
    }

    /// Frees all.
    #[inline]
    pub(crate) fn purge(&mut self) {
        while self.drop_front() {}
    }

    /// Puts a received skb last if the socket may have that much more memory, or has none yet;
    /// gives it back if not.
    ///
    /// `join` is asked whether it continues the last one, given that one's length and control
    /// block. If so it adds what the new control block says to the old one, and the two become
    /// one skb where their pages allow; where they do not, what `join` changed is undone.
    pub(crate) fn try_push(
        &mut self,
        skb: SkBuff,
        join: impl FnOnce(u32, &mut E::Cb, &E::Cb) -> bool,
    ) -> Result<Kept, SkBuff> {
        // SAFETY: The lock is held and `skb` is live.
        if !unsafe { charge::reserve_to_receive(self.sk, skb.as_raw()) } {
            if !self.is_empty_raw() {
                return Err(skb);
            }
            // A reader who has nothing else gets this one: only readers make memory free.
            // SAFETY: As above.
            unsafe { charge::force(self.sk, skb.truesize() as i32) };
        }
        // SAFETY: `into_raw` never gives null. The skb is ours, memory for its charge is
        // reserved, and a queue must not keep the route and the device it came by.
        unsafe {
            let skb = NonNull::new_unchecked(skb.into_raw());
            b::newtcp_skb_dst_drop(skb.as_ptr());
            b::newtcp_skb_clear_dev(skb.as_ptr());
            self.charge.take(self.sk, skb.as_ptr());
            Ok(self.push_charged(skb, join))
        }
    }

    /// Puts a received skb last, on its own or in the one that was last.
    ///
    /// # Safety
    ///
    /// `skb` must be in no queue, ours, and charged as this queue's members are.
    unsafe fn push_charged(
        &mut self,
        skb: NonNull<b::sk_buff>,
        join: impl FnOnce(u32, &mut E::Cb, &E::Cb) -> bool,
    ) -> Kept {
        let tail = NonNull::new(self.back_raw());
        // SAFETY: By the contract; `tail` is a member of this queue.
        if tail.is_some_and(|tail| unsafe { super::join_charged::<E>(self.sk, tail, skb, join) }) {
            return Kept::Joined;
        }
        // SAFETY: `skb` is in no queue, and its charge is of this queue's kind.
        unsafe { b::newtcp_queue_push_back(self.list, skb.as_ptr()) };
        Kept::Apart
    }

    /// Moves the first `n` bytes of the second to the end of the first, or as many as it has, if
    /// `may` says so of their control blocks and the pages can be handed on as they are.
    pub(crate) fn grow_front(&mut self, n: u32, may: impl FnOnce(&E::Cb, &E::Cb) -> bool) {
        let mut all = self.iter();
        let (Some(first), Some(second)) = (all.next(), all.next()) else {
            return;
        };
        if !may(first.cb(), second.cb()) {
            return;
        }
        let (first, second) = (first.as_raw(), second.as_raw());
        drop(all);
        // SAFETY: Both are members of a send queue and not sent yet, so that nobody else has
        // them. What moves takes its share of the truesize with it, and so of the charge.
        let is_empty = unsafe { b::newtcp_skb_hand_on(first, second, n) };
        if is_empty {
            self.unlink(second);
            // SAFETY: `second` just left this queue; the lock is held.
            unsafe { self.charge.give_back(self.sk, second) };
            if let Some(second) = NonNull::new(second) {
                // SAFETY: It is in no queue and no longer charged, so it is ours alone.
                unsafe { SkBuff::from_raw(second) }.consume();
            }
        }
    }

    /// Splits the first: its first `n` bytes stay, the rest becomes the second, with a copy of
    /// the control block. The caller puts both control blocks right.
    pub(crate) fn split_front(&mut self, n: u32) -> Result {
        let skb = NonNull::new(self.front_raw()).ok_or(ENOENT)?;
        // SAFETY: `skb` is a member of a send queue of this socket, whose lock is held.
        let rest = unsafe { super::send::split::<E>(self.sk, skb, n) }?;
        // SAFETY: `rest` is charged and in no queue.
        unsafe { b::newtcp_queue_insert_after(self.list, skb.as_ptr(), rest.as_ptr()) };
        Ok(())
    }
}

impl<E: Protocol> Chain<E> for SkbListMut<'_, E> {
    fn sock(&self) -> *mut b::sock {
        self.sk
    }

    fn first(&self) -> Option<NonNull<b::sk_buff>> {
        NonNull::new(self.front_raw())
    }

    unsafe fn next(&self, skb: NonNull<b::sk_buff>) -> Option<NonNull<b::sk_buff>> {
        // SAFETY: By the contract `skb` is a member.
        NonNull::new(unsafe { b::newtcp_queue_next(self.list, skb.as_ptr()) })
    }

    unsafe fn discard(&mut self, skb: NonNull<b::sk_buff>) {
        self.unlink(skb.as_ptr());
        // SAFETY: `skb` was a member and is in no queue any more; without its charge it is ours
        // alone.
        unsafe {
            self.charge.give_back(self.sk, skb.as_ptr());
            SkBuff::from_raw(skb).consume();
        }
    }

    unsafe fn insert(&mut self, skb: SkBuff, before: Option<NonNull<b::sk_buff>>) {
        let skb = skb.into_raw();
        // SAFETY: Memory for the charge is reserved; `before` is a member.
        unsafe {
            self.charge.take(self.sk, skb);
            match before {
                Some(before) => b::newtcp_queue_insert_after(self.list, before.as_ptr(), skb),
                None => b::newtcp_queue_push_front(self.list, skb),
            }
        }
    }
}
