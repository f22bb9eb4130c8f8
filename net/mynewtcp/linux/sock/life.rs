// SPDX-License-Identifier: GPL-2.0

//! The beginning and the end of a socket.

use super::{
    Floor,
    Locked,
    NewtcpSock,
    Sock,
    SockFlag, //
};
use crate::linux::{
    bindings as b,
    compat,
    memory::charge,
    proto::Protocol, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Full,
        Release, //
    }, //
};

/// Initialises our part of a socket that `sk_alloc()` has made and nobody else knows, and gives
/// it our destructor. On failure the destructor that the C stack had set stays.
///
/// # Safety
///
/// `sk` must come from `sk_alloc()` with our `struct proto`, its C fields set up, and must not
/// be visible to anyone else.
#[inline]
pub(in crate::linux) unsafe fn setup<E: Protocol>(sk: *mut b::sock) -> Result {
    // SAFETY: By the contract, and all doors lead through here.
    unsafe {
        init_floor::<E>(sk);
        // The endpoint comes into being here, and `E::new` gets a socket whose endpoint it
        // cannot reach, since it has no lock on it.
        let sock = Sock::<E>::from_raw(sk);
        E::new(sock)
            .and_then(|init| init_tail(sock, init))
            .inspect_err(|_| drop_floor::<E>(sk))?;
        adopt::<E>(sk);
        sock.floor().alive.store(1, Release);
    }
    Ok(())
}

/// The same for a child that `sk_clone()` has made: its copy of the listener's part is
/// overwritten, never dropped, since what it refers to belongs to the listener.
///
/// # Safety
///
/// `child` must come from `sk_clone()` of a socket of ours and must not be visible to anyone
/// else, and its destructor must not be ours yet.
pub(super) unsafe fn child_setup<E: Protocol>(
    child: *mut b::sock,
    init: impl PinInit<E, Error>,
) -> Result {
    // SAFETY: By the contract.
    unsafe {
        init_floor::<E>(child);
        let sock = Sock::<E>::from_raw(child);
        init_tail(sock, init).inspect_err(|_| drop_floor::<E>(child))?;
        b::newtcp_set_destruct(child, Some(destruct::<E>));
        // `sk_clone()` has counted the socket already, but not in the protocol's column.
        b::newtcp_prot_inuse_add(child, 1);
        sock.floor().alive.store(1, Release);
    }
    Ok(())
}

/// # Safety
///
/// `sk` must be an object of `size_of::<NewtcpSock<E>>()` bytes that nobody else knows.
unsafe fn init_floor<E: Protocol>(sk: *mut b::sock) {
    let object: *mut NewtcpSock<E> = sk.cast();
    // SAFETY: By the contract. Whatever bytes are there are not dropped.
    unsafe { (&raw mut (*object).floor).write(Floor::new()) };
}

/// # Safety
///
/// Our part of `sk` must be initialised and is not used again.
unsafe fn drop_floor<E: Protocol>(sk: *mut b::sock) {
    // SAFETY: By the contract.
    unsafe { core::ptr::drop_in_place(&raw mut (*sk.cast::<NewtcpSock<E>>()).floor) };
}

/// A socket whose creation failed after [`setup`], or in it: takes back what was counted. The
/// endpoint, if there is one, is dropped in [`destruct`].
///
/// # Safety
///
/// Nobody else may know `sk`.
pub(in crate::linux) unsafe fn give_up<E: Protocol>(sk: *mut b::sock) {
    // SAFETY: By the contract. `alive` is zero unless `setup` has finished.
    unsafe {
        let sock = Sock::<E>::from_raw(sk);
        if sock.floor().alive.xchg(0, Full) == 0 {
            return;
        }
        b::sk_stop_timer(sk, b::newtcp_sk_timer(sk));
        b::newtcp_sockets_allocated_dec(sk);
        b::newtcp_prot_inuse_add(sk, -1);
    }
}

/// # Safety
///
/// The endpoint of `sock` must not be initialised, and nobody else may know it.
unsafe fn init_tail<E: Protocol>(sock: &Sock<E>, init: impl PinInit<E, Error>) -> Result {
    // SAFETY: The place is valid, pinned in the socket until `destruct` drops it, and not
    // initialised.
    unsafe { compat::raw_try_init(sock.tail(), init) }
}

/// Makes the socket one of ours to the C stack.
///
/// # Safety
///
/// Our part of `sk` must be initialised.
unsafe fn adopt<E: Protocol>(sk: *mut b::sock) {
    // SAFETY: `sk` is live and not shared yet. The timer replaces one that has no function.
    unsafe {
        b::newtcp_timer_setup(
            b::newtcp_sk_timer(sk),
            Some(crate::linux::proto::callbacks::timer::<E>),
        );
        b::newtcp_sk_setup(sk);
        b::newtcp_set_destruct(sk, Some(destruct::<E>));
        b::newtcp_sockets_allocated_inc(sk);
        b::newtcp_prot_inuse_add(sk, 1);
    }
}

/// `sk_destruct`: the last reference is gone, and an RCU grace period has passed since.
///
/// # Safety
///
/// Called by the C stack, once, for a socket that [`setup`] or [`child_setup`] has finished.
pub(in crate::linux) unsafe extern "C" fn destruct<E: Protocol>(sk: *mut b::sock) {
    // SAFETY: Nobody else can reach the socket any more; its endpoint is initialised and is
    // dropped here, once.
    unsafe {
        let sock = Sock::<E>::from_raw(sk);
        Locked::new(sock).queues().purge();
        core::ptr::drop_in_place(sock.tail());
        drop_floor::<E>(sk);
        charge::observe(sk, 0, || b::newtcp_sock_destruct(sk));
    }
}

impl<E: Protocol> Locked<'_, E> {
    /// The end: stops the timer, empties the queues, and gives back the protocol's reference.
    /// The endpoint is dropped when the last reference goes.
    ///
    /// Acts on an orphan only, and only once. The tables and the port must have been left
    /// before, since they hold references too.
    #[inline]
    pub(crate) fn destroy(&mut self) {
        if !self.flag(SockFlag::Dead) {
            kernel::warn_on!(true);
            return;
        }
        if self.floor().alive.xchg(0, Full) == 0 {
            return;
        }
        self.queues().purge();
        if self.state() != crate::linux::state::CLOSE {
            self.set_state(crate::linux::state::CLOSE);
        }
        let sk = self.as_raw();
        // SAFETY: The socket is locked and alive by the caller's reference. The reference put
        // last is the one that it was born with, as `alive` was still set.
        unsafe {
            b::sk_stop_timer(sk, b::newtcp_sk_timer(sk));
            self.stop_pacing();
            b::newtcp_sockets_allocated_dec(sk);
            b::newtcp_prot_inuse_add(sk, -1);
            charge::observe(sk, 0, || b::sk_stream_kill_queues(sk));
            b::newtcp_xfrm_free_policy(sk);
            b::newtcp_sock_put(sk);
        }
    }
}
