// SPDX-License-Identifier: GPL-2.0

//! Waiting for a socket in process context.

use super::{
    Locked,
    Owned, //
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

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: The entry was queued there and has not moved since.
        unsafe { b::remove_wait_queue(self.head, &raw mut self.entry) };
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
        let mut entry = Entry {
            // SAFETY: A socket that a process waits for has a wait queue.
            head: unsafe { b::newtcp_sk_sleep(sk) },
            entry: pin_init::zeroed(),
        };
        // SAFETY: The entry stays where it is until `Entry::drop` takes it out of the queue.
        unsafe {
            b::newtcp_init_wait(&raw mut entry.entry);
            if kind == Wait::Accept {
                b::add_wait_queue_exclusive(entry.head, &raw mut entry.entry);
            } else {
                b::add_wait_queue(entry.head, &raw mut entry.entry);
            }
        }
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
        to_result(unsafe { b::sk_stream_wait_memory(self.as_raw(), &raw mut timeout.0) })
    }
}
