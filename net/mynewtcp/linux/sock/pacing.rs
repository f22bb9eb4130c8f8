// SPDX-License-Identifier: GPL-2.0

//! The timer of a socket that paces. Most sockets never need it, so it is made when one does.

use super::{
    Ctx,
    Sock, //
};
use crate::linux::{
    bindings as b,
    proto::{
        callbacks,
        Protocol, //
    },
};
use core::{
    cell::UnsafeCell,
    mem::offset_of, //
};
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// A timer that knows its socket.
struct Pacer {
    timer: Opaque<b::hrtimer>,
    sk: *mut b::sock,
}

/// The place of the timer. It belongs to the lock holder, and to nobody else once the last
/// reference to the socket is gone.
pub(super) struct Pacing(UnsafeCell<Option<KBox<Pacer>>>);

impl Pacing {
    pub(super) const fn new() -> Self {
        Self(UnsafeCell::new(None))
    }
}

impl<E: Protocol> Sock<E> {
    /// The socket of a pacing timer.
    ///
    /// # Safety
    ///
    /// `timer` must be one that [`Ctx::set_pacing_deadline`] has made.
    pub(in crate::linux) unsafe fn of_pacing_timer(timer: *mut b::hrtimer) -> *mut b::sock {
        // SAFETY: By the contract it is part of a `Pacer`, whose socket never changes.
        unsafe {
            let pacer: *mut Pacer = timer.byte_sub(offset_of!(Pacer, timer)).cast();
            (*pacer).sk
        }
    }
}

impl<E: Protocol> Ctx<'_, E> {
    /// Sees to it that [`Protocol::on_timer`] runs at `deadline_ns`, to the microsecond; without
    /// memory a little later. One at a time: while one is queued another is not heard, since the
    /// deadline of a pacer does not move back.
    #[inline]
    pub(crate) fn set_pacing_deadline(&mut self, deadline_ns: Option<u64>) {
        if let Some(deadline_ns) = deadline_ns {
            self.pace(deadline_ns);
        }
    }

    fn pace(&mut self, deadline_ns: u64) {
        let Some(timer) = self.pacing_timer() else {
            self.set_deadline(Some(deadline_ns));
            return;
        };
        // SAFETY: The timer is that of a live socket, whose lock is held, so nobody else queues
        // it. A queued timer holds a reference.
        unsafe {
            if !b::newtcp_hrtimer_is_queued(timer) {
                b::newtcp_sock_hold(self.as_raw());
                b::newtcp_hrtimer_start(timer, deadline_ns);
            }
        }
    }

    /// The timer, made if there is none yet; it stays where it is for the life of the socket.
    fn pacing_timer(&mut self) -> Option<*mut b::hrtimer> {
        let sk = self.as_raw();
        // SAFETY: The place belongs to the lock holder.
        let place = unsafe { &mut *self.floor().pacing.0.get() };
        if place.is_none() {
            let pacer = Pacer {
                timer: Opaque::zeroed(),
                sk,
            };
            let pacer = KBox::new(pacer, GFP_ATOMIC).ok()?;
            // SAFETY: The timer is new.
            unsafe {
                b::newtcp_hrtimer_setup(pacer.timer.get(), Some(callbacks::pacing_timer::<E>))
            };
            *place = Some(pacer);
        }
        place.as_ref().map(|pacer| pacer.timer.get())
    }

    /// Stops the timer. A queued one gives its reference back, one that is just running does so
    /// itself.
    pub(super) fn stop_pacing(&mut self) {
        // SAFETY: The place belongs to the lock holder. The caller has another reference.
        unsafe {
            if let Some(pacer) = &*self.floor().pacing.0.get() {
                if b::hrtimer_try_to_cancel(pacer.timer.get()) == 1 {
                    b::newtcp_sock_put_not_last(self.as_raw());
                }
            }
        }
    }
}
