// SPDX-License-Identifier: GPL-2.0

//! Waiting for a socket in process context.

use super::{
    Locked,
    Owned,
    Sock, //
};
use crate::linux::{
    bindings as b,
    proto::Protocol,
    time::Timeout, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};

/// What a process waits for: it decides who wakes it and whether it wakes alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    /// Something to read.
    Data,
    /// A connection to accept. One connection wakes one process.
    Accept,
    /// A change of state.
    State,
}

/// An entry in the socket's wait queue, gone from it when dropped.
struct Entry {
    head: *mut b::wait_queue_head,
    entry: b::wait_queue_entry,
}

impl Entry {
    /// For this process, in no queue yet: [`enter`](Self::enter) comes next.
    ///
    /// # Safety
    ///
    /// A process must wait for `sk`, which has a file then.
    #[inline]
    unsafe fn new(sk: *mut b::sock) -> Self {
        Self {
            // SAFETY: A socket that a process waits for has a wait queue.
            head: unsafe { b::newtcp_sk_sleep(sk) },
            entry: pin_init::zeroed(),
        }
    }

    /// # Safety
    ///
    /// The entry must stay where it is until it is dropped.
    #[inline]
    unsafe fn enter(&mut self, exclusive: bool) {
        // SAFETY: By the contract; `Entry::drop` takes it out of the queue.
        unsafe {
            b::newtcp_init_wait(&raw mut self.entry);
            if exclusive {
                b::add_wait_queue_exclusive(self.head, &raw mut self.entry);
            } else {
                b::add_wait_queue(self.head, &raw mut self.entry);
            }
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: The entry was queued there and has not moved since.
        unsafe { b::remove_wait_queue(self.head, &raw mut self.entry) };
    }
}

impl<E: Protocol> Sock<E> {
    /// Sleeps until `cond` holds, the time is up or a signal has come, without the lock: for what
    /// a process may see from outside. Whoever has slept locks the socket then and looks which of
    /// the three it was.
    pub(crate) fn wait_unlocked(&self, timeout: &mut Timeout, cond: impl Fn(&Self) -> bool) {
        let sk = self.as_raw();
        // SAFETY: A process waits.
        let mut entry = unsafe { Entry::new(sk) };
        // SAFETY: The entry stays where it is. The barrier orders the look at the socket after
        // its being there, as whoever changes the socket looks for entries after the change.
        unsafe {
            entry.enter(false);
            b::newtcp_smp_mb();
            b::newtcp_waiting_for_data(sk, true);
        }
        // SAFETY: Process context.
        while !cond(self) && !timeout.is_zero() && unsafe { !b::newtcp_signal_pending() } {
            // SAFETY: The entry is in the queue; its kind notes a wake-up that comes before this.
            timeout.0 = unsafe {
                b::wait_woken(
                    &raw mut entry.entry,
                    b::NEWTCP_TASK_INTERRUPTIBLE,
                    timeout.0,
                )
            };
        }
        // SAFETY: `self` is a live socket.
        unsafe { b::newtcp_waiting_for_data(sk, false) };
    }
}

impl<E: Protocol> Owned<'_, E> {
    /// Sleeps, with the lock released, until `cond` holds under the lock.
    ///
    /// `EAGAIN` when the time is up (also if there was none), `ERESTARTSYS` or `EINTR` on a
    /// signal. `timeout` is what is left of the time afterwards. Errors of the socket are for
    /// `cond` to look at.
    pub(crate) fn wait(
        &mut self,
        kind: Wait,
        timeout: &mut Timeout,
        mut cond: impl FnMut(&mut Locked<'_, E>) -> bool,
    ) -> Result {
        if cond(self) {
            return Ok(());
        }
        if timeout.is_zero() {
            return Err(EAGAIN);
        }
        self.deliver_sent();
        let sk = self.as_raw();
        // SAFETY: A process waits.
        let mut entry = unsafe { Entry::new(sk) };
        // SAFETY: The entry stays where it is.
        unsafe { entry.enter(kind == Wait::Accept) };
        let result = loop {
            // SAFETY: `self` is a live locked socket.
            unsafe { b::newtcp_waiting_for_data(sk, kind == Wait::Data) };
            if cond(self) {
                break Ok(());
            }
            if timeout.is_zero() {
                break Err(EAGAIN);
            }
            // SAFETY: Process context.
            if unsafe { b::newtcp_signal_pending() } {
                // SAFETY: Arithmetic.
                break to_result(unsafe { b::newtcp_intr_errno(timeout.0) });
            }
            // SAFETY: The process owns the socket; `&mut self` means that no reference into
            // the endpoint is alive while others change it.
            unsafe {
                b::release_sock(sk);
                timeout.0 = b::wait_woken(
                    &raw mut entry.entry,
                    b::NEWTCP_TASK_INTERRUPTIBLE,
                    timeout.0,
                );
                b::newtcp_lock_sock(sk);
            }
            self.wake_certainly();
        };
        // SAFETY: `self` is a live locked socket.
        unsafe { b::newtcp_waiting_for_data(sk, false) };
        result
    }

    /// Waits until a writer that got `EAGAIN` from [`append`](Self::append) may try again: there
    /// is room in the send buffer, or, if there was, some memory may have become free meanwhile.
    ///
    /// `EPIPE` on a pending error or when the socket is shut down for writing, else as
    /// [`wait`](Self::wait).
    pub(crate) fn wait_for_memory(&mut self, timeout: &mut Timeout) -> Result {
        self.deliver_sent();
        // SAFETY: The process owns the socket; `&mut self` means that no reference into the
        // endpoint is alive while the lock is released.
        let result =
            to_result(unsafe { b::sk_stream_wait_memory(self.as_raw(), &raw mut timeout.0) });
        self.wake_certainly();
        result
    }
}
