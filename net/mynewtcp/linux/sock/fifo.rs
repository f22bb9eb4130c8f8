// SPDX-License-Identifier: GPL-2.0

//! The accept queue: sockets in a row, linked through themselves, so that a new one costs no
//! allocation.

use super::{
    Sock,
    SockRef, //
};
use crate::linux::proto::Protocol;
use core::{
    marker::PhantomData,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Full,
        Relaxed, //
    }, //
};

/// Sockets, first in first out.
///
/// # Invariants
///
/// Each socket in it has `in_fifo` set, so that it is in no other, and one reference to it
/// belongs to the queue. `fifo_next` of each is the next one, null at the last.
pub(crate) struct SockFifo<E: Protocol> {
    first: *mut Sock<E>,
    last: *mut Sock<E>,
    len: u32,
    _owns: PhantomData<SockRef<E>>,
}

// SAFETY: It owns counted references, which may be dropped anywhere.
unsafe impl<E: Protocol> Send for SockFifo<E> {}

impl<E: Protocol> SockFifo<E> {
    /// An empty one.
    pub(crate) const fn new() -> Self {
        Self {
            first: null_mut(),
            last: null_mut(),
            len: 0,
            _owns: PhantomData,
        }
    }

    /// Puts one last. `EBUSY` if it is in a queue already.
    pub(crate) fn push(&mut self, sock: SockRef<E>) -> Result {
        if sock.floor().in_fifo.xchg(1, Full) != 0 {
            return Err(EBUSY);
        }
        sock.floor().fifo_next.store(null_mut(), Relaxed);
        let sock = SockRef::into_raw(sock).as_ptr();
        if self.last.is_null() {
            self.first = sock;
        } else {
            // SAFETY: The last one is alive, as the queue owns a reference to it.
            unsafe { &*self.last }
                .floor()
                .fifo_next
                .store(sock.cast(), Relaxed);
        }
        // INVARIANT: The reference is the queue's now, and `in_fifo` is set.
        self.last = sock;
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// Takes the first out.
    pub(crate) fn pop(&mut self) -> Option<SockRef<E>> {
        let first = NonNull::new(self.first)?;
        // SAFETY: The queue owns a reference to it, which goes to the caller.
        let sock = unsafe { SockRef::from_raw(first) };
        self.first = sock.floor().fifo_next.load(Relaxed).cast();
        if self.first.is_null() {
            self.last = null_mut();
        }
        self.len = self.len.saturating_sub(1);
        sock.floor().in_fifo.store(0, Relaxed);
        Some(sock)
    }
}

impl<E: Protocol> Drop for SockFifo<E> {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}
