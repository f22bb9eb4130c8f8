// SPDX-License-Identifier: GPL-2.0

//! The socket lock as types.

use super::Sock;
use crate::linux::{
    bindings as b,
    loopback::{
        self,
        Outbox, //
    },
    memory::charge,
    proto::Protocol,
    skb::{
        Queues,
        SkBuff, //
    },
    time, //
};
use core::{
    marker::PhantomData,
    ops::{
        Deref,
        DerefMut, //
    },
    pin::Pin,
};
use kernel::{
    prelude::*,
    types::NotThreadSafe, //
};

/// The kernel's half of a locked socket: fields, queues, route, timer.
///
/// # Invariants
///
/// While the value lives, this context holds the socket lock: a process that owns the socket, a
/// softirq (or a process with softirqs off) with the spin lock while no process owns it, or the
/// only reference there is.
pub(crate) struct Ctx<'a, E: Protocol> {
    sock: &'a Sock<E>,
    _not_send: NotThreadSafe,
}

/// A locked socket.
#[repr(transparent)]
pub(crate) struct Locked<'a, E: Protocol>(Ctx<'a, E>);

/// A socket that this process has locked with `lock_sock()` (or that a caller in the C stack
/// has locked for it). The process may sleep.
///
/// Dropping it releases the lock if [`Sock::lock`] took it, which also runs what came in for the
/// socket meanwhile.
pub(crate) struct Owned<'a, E: Protocol> {
    locked: Locked<'a, E>,
    release: bool,
    _lifetime: PhantomData<&'a mut ()>,
}

impl<E: Protocol> Sock<E> {
    /// Locks the socket, sleeping until it is free.
    pub(crate) fn lock(&self) -> Owned<'_, E> {
        // SAFETY: `self` is a live socket. A caller in atomic context would be reported.
        unsafe { b::newtcp_lock_sock(self.as_raw()) };
        // SAFETY: The lock was just taken.
        unsafe { Owned::from_lock(self, true) }
    }

    /// As [`lock`](Self::lock), for a child whose listener this process has locked already.
    pub(crate) fn lock_nested(&self) -> Owned<'_, E> {
        // SAFETY: As in `lock`; the second lock of its class is named so for lockdep.
        unsafe { b::lock_sock_nested(self.as_raw(), 1) };
        // SAFETY: The lock was just taken.
        unsafe { Owned::from_lock(self, true) }
    }

    /// Runs `f` with the socket locked, sleeping until it is free, to look at it: what sleeps
    /// sleeps on, and what `f` changes in it is lost. Without the memory for that, `f` finds the
    /// socket connected, and nothing of its connection.
    pub(in crate::linux) fn look<R>(&self, f: impl FnOnce(&mut Locked<'_, E>) -> R) -> R {
        // SAFETY: As in `lock`.
        unsafe { b::newtcp_lock_sock(self.as_raw()) };
        // SAFETY: The lock was just taken.
        let mut owned = unsafe { Owned::as_it_is(self, true) };
        if owned.endpoint().resident().is_dormant() {
            // SAFETY: `self` is a live socket.
            let gfp = unsafe { b::newtcp_sk_gfp(self.as_raw()) };
            let _ = owned.endpoint().resident().unfold(gfp);
        }
        let result = f(&mut owned);
        owned.endpoint().resident().fold();
        result
    }

    /// Runs `f` with the socket locked, unless a process owns it, or there is no memory to wake it
    /// up; for softirqs, which cannot wait for either.
    pub(crate) fn try_softirq<R>(&self, f: impl FnOnce(&mut Locked<'_, E>) -> R) -> Option<R> {
        let sk = self.as_raw();
        // SAFETY: `self` is live. With softirqs off the spin lock may be taken in any context
        // that has no socket locked.
        unsafe {
            b::newtcp_local_bh_disable();
            b::newtcp_bh_lock_sock(sk);
        }
        // SAFETY: The spin lock is held, so ownership cannot change.
        let owned = unsafe { b::newtcp_sock_owned_by_user(sk) };
        let mut outbox = Outbox::EMPTY;
        let result = (!owned)
            .then(|| {
                // SAFETY: The spin lock is held and no process owns the socket.
                unsafe {
                    Locked::with(self, |locked| {
                        locked.rouse().ok()?;
                        let result = f(locked);
                        outbox = locked.take_outbox();
                        Some(result)
                    })
                }
            })
            .flatten();
        // SAFETY: Taken above.
        unsafe {
            b::newtcp_bh_unlock_sock(sk);
            b::newtcp_local_bh_enable();
        }
        drop(outbox);
        result
    }
}

impl<E: Protocol> Sock<E> {
    /// Runs `f` with the socket locked, or `defer` if a process owns it, in softirq; both under
    /// the spin lock, so that the process cannot release the socket in between.
    pub(in crate::linux) fn run_or_defer(
        &self,
        defer: impl FnOnce(),
        f: impl FnOnce(&mut Locked<'_, E>),
    ) {
        let sk = self.as_raw();
        // SAFETY: `self` is live, and this softirq has no socket locked.
        unsafe { b::newtcp_bh_lock_sock(sk) };
        let mut outbox = Outbox::EMPTY;
        // SAFETY: The spin lock is held, so ownership cannot change.
        if unsafe { b::newtcp_sock_owned_by_user(sk) } {
            defer();
        } else {
            // SAFETY: The spin lock is held and no process owns the socket.
            outbox = unsafe {
                Locked::with(self, |locked| {
                    f(locked);
                    locked.take_outbox()
                })
            };
        }
        // SAFETY: Taken above.
        unsafe { b::newtcp_bh_unlock_sock(sk) };
        loopback::deliver::<E>(outbox);
    }
}

impl<'a, E: Protocol> Ctx<'a, E> {
    /// All queues of the socket.
    #[inline]
    pub(crate) fn queues(&mut self) -> Queues<'_, E> {
        Queues::new(self)
    }

    /// Frees what was received and not read.
    pub(crate) fn purge_received(&mut self) {
        let mut queues = self.queues();
        queues.receive_mut().purge();
        queues.out_of_order_mut().purge();
    }

    /// Sees to it that [`Protocol::on_timer`] runs at `deadline_ns` or a little later; `None`
    /// if it need not run.
    ///
    /// Moving a deadline back or away leaves the timer alone: it goes off early, finds nothing
    /// to do and is set again. So `on_timer` must look at the clock, and a deadline that moves
    /// with every packet costs a comparison.
    pub(crate) fn set_deadline(&mut self, deadline_ns: Option<u64>) {
        let Some(deadline_ns) = deadline_ns else {
            return;
        };
        let sk = self.sock.as_raw();
        let armed_for = self.sock.floor().armed_for.get();
        // SAFETY: `armed_for` belongs to the lock holder; the timer is that of a live socket and
        // was set up with it. A pending timer holds a reference.
        unsafe {
            let timer = b::newtcp_sk_timer(sk);
            if deadline_ns < *armed_for || !b::newtcp_timer_pending(timer) {
                *armed_for = deadline_ns;
                b::sk_reset_timer(sk, timer, time::deadline_to_jiffies(deadline_ns));
            }
        }
    }

    /// [`Protocol::on_timer`] will run at `deadline_ns` at the latest, or a little later, whether
    /// it is [told to](Self::set_deadline) or not; or that is [`u64::MAX`], never.
    #[inline]
    pub(crate) fn goes_off_by(&self, deadline_ns: u64) -> bool {
        if deadline_ns == u64::MAX {
            return true;
        }
        // SAFETY: As in `set_deadline`.
        unsafe {
            deadline_ns >= *self.sock.floor().armed_for.get()
                && b::newtcp_timer_pending(b::newtcp_sk_timer(self.sock.as_raw()))
        }
    }

    /// Tells the packet scheduler, and whoever looks, how fast the connection may send: bytes per
    /// second, `u64::MAX` for "as fast as it can".
    pub(crate) fn set_pacing_rate(&mut self, rate: u64) {
        // SAFETY: The socket is locked.
        unsafe { b::newtcp_set_pacing_rate(self.sock.as_raw(), rate) };
    }

    /// An skb without payload, for [`transmit`](Self::transmit).
    pub(crate) fn alloc_control(&self) -> Option<SkBuff> {
        crate::linux::skb::alloc_control()
    }
}

impl<E: Protocol> Deref for Ctx<'_, E> {
    type Target = Sock<E>;

    #[inline]
    fn deref(&self) -> &Sock<E> {
        self.sock
    }
}

impl<'a, E: Protocol> Locked<'a, E> {
    /// # Safety
    ///
    /// This context must hold the lock of `sock` while the value lives, and there must be no
    /// other value for the same holding of it in use.
    #[inline]
    pub(in crate::linux) unsafe fn new(sock: &'a Sock<E>) -> Self {
        // INVARIANT: The caller holds the lock.
        Self(Ctx {
            sock,
            _not_send: NotThreadSafe,
        })
    }

    /// Runs `f`, after which the caller unlocks the socket.
    ///
    /// # Safety
    ///
    /// As for [`new`](Self::new).
    #[inline]
    pub(in crate::linux) unsafe fn with<R>(sock: &'a Sock<E>, f: impl FnOnce(&mut Self) -> R) -> R {
        // SAFETY: By the contract.
        let result = f(&mut unsafe { Self::new(sock) });
        // SAFETY: The lock is held.
        unsafe { charge::settle(sock.as_raw()) };
        result
    }

    /// Wakes up what the socket has while it is connected, if it sleeps. For a context that cannot
    /// wait for memory: without any it sleeps on, and nothing must be asked of it.
    #[inline]
    pub(crate) fn rouse(&mut self) -> Result {
        if !self.endpoint().resident().is_dormant() {
            return Ok(());
        }
        self.wake(b::NEWTCP_GFP_ATOMIC_NOWARN)
    }

    /// As [`rouse`](Self::rouse), for the timer: that has it sleep again itself, when it has seen
    /// to it. Or each sleep would end a second later.
    pub(in crate::linux) fn rouse_for_timer(&mut self) -> Result {
        let resident = self.endpoint().resident();
        resident.wake(b::NEWTCP_GFP_ATOMIC_NOWARN)
    }

    #[cold]
    #[inline(never)]
    fn wake(&mut self, gfp: b::gfp_t) -> Result {
        let (ctx, endpoint) = self.split();
        endpoint.resident().wake(gfp)?;
        // To fall asleep again.
        ctx.set_deadline(Some(time::now_ns().saturating_add(E::WAKE_FOR_NS)));
        Ok(())
    }

    /// The endpoint.
    #[inline]
    pub(crate) fn endpoint(&mut self) -> Pin<&mut E> {
        self.split().1
    }

    /// The kernel's half and the endpoint, both at once.
    #[inline]
    pub(crate) fn split(&mut self) -> (&mut Ctx<'a, E>, Pin<&mut E>) {
        let tail = self.0.sock.tail();
        // SAFETY: The endpoint is initialised and pinned in the socket; the lock gives exclusive
        // access, and `&mut self` makes it unique. Nothing in `Ctx` reaches the endpoint.
        let endpoint = unsafe { Pin::new_unchecked(&mut *tail) };
        (&mut self.0, endpoint)
    }
}

impl<'a, E: Protocol> Deref for Locked<'a, E> {
    type Target = Ctx<'a, E>;

    #[inline]
    fn deref(&self) -> &Ctx<'a, E> {
        &self.0
    }
}

impl<'a, E: Protocol> DerefMut for Locked<'a, E> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Ctx<'a, E> {
        &mut self.0
    }
}

impl<'a, E: Protocol> Owned<'a, E> {
    /// # Safety
    ///
    /// The current process must own `sock`. If `release` is set, the value owns that lock.
    #[inline]
    pub(in crate::linux) unsafe fn from_lock(sock: &'a Sock<E>, release: bool) -> Self {
        // SAFETY: By the contract.
        let mut owned = unsafe { Self::as_it_is(sock, release) };
        owned.wake_certainly();
        owned
    }

    /// As [`from_lock`](Self::from_lock), and what sleeps sleeps on.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline]
    unsafe fn as_it_is(sock: &'a Sock<E>, release: bool) -> Self {
        Self {
            // SAFETY: The caller owns the socket.
            locked: unsafe { Locked::new(sock) },
            release,
            _lifetime: PhantomData,
        }
    }

    /// Wakes up what the socket has while it is connected: it may have fallen asleep whenever the
    /// lock was free. Only a BPF program may be without memory for it, and meets a socket that is
    /// not connected then.
    #[inline]
    pub(super) fn wake_certainly(&mut self) {
        if self.endpoint().resident().is_dormant() {
            // SAFETY: `self` is a live socket.
            let gfp = unsafe { b::newtcp_sk_gfp_certain(self.as_raw()) };
            let _ = self.wake(gfp);
        }
    }

    /// Processes now what came in while the lock was held.
    pub(crate) fn flush_backlog(&mut self) {
        // SAFETY: The process owns the socket. `&mut self` means that no reference into the
        // endpoint is alive while the backlog runs.
        unsafe { b::newtcp_sk_flush_backlog(self.as_raw()) };
    }

    /// Cuts the tie to the file: nobody waits for the socket or wakes up for it any more.
    pub(crate) fn orphan(&mut self) {
        // SAFETY: `self` is a live socket, locked.
        unsafe { b::newtcp_sock_orphan(self.as_raw()) };
    }
}

impl<E: Protocol> Drop for Owned<'_, E> {
    fn drop(&mut self) {
        self.deliver_sent();
        if self.release {
            // SAFETY: `lock` took it; no reference into the endpoint is alive.
            unsafe { b::release_sock(self.as_raw()) };
        }
    }
}

impl<'a, E: Protocol> Deref for Owned<'a, E> {
    type Target = Locked<'a, E>;

    #[inline]
    fn deref(&self) -> &Locked<'a, E> {
        &self.locked
    }
}

impl<'a, E: Protocol> DerefMut for Owned<'a, E> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Locked<'a, E> {
        &mut self.locked
    }
}
