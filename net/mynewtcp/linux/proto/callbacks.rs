// SPDX-License-Identifier: GPL-2.0

//! The functions of `struct proto`: each turns C arguments into typed ones, calls the protocol,
//! and turns its answer into an errno. Nothing is decided here.
//!
//! All of them are called by the C stack with a live socket of ours, whose endpoint is
//! initialised unless the function says otherwise, and with the lock that its comment names.

use super::Protocol;
use crate::linux::{
    bindings as b,
    compat::prelude::*,
    demux,
    loopback,
    memory::charge,
    msg::Msg,
    rx,
    skb::SkBuff,
    sock::{
        self,
        Locked,
        Owned,
        Sock,
        SockRef, //
    },
    sockaddr,
    sockopt::{
        OptIn,
        OptOut, //
    },
    time::{
        self,
        Timeout, //
    }, //
};
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    ffi,
    sync::rcu, //
};

/// The bit of `sk_tsq_flags` that says: the timer went off while a process owned the socket.
const TIMER_DEFERRED: u32 = 0;

/// When a timer that found no memory is tried again.
const RETRY_NS: u64 = 500_000_000;

/// Not locked.
pub(super) unsafe extern "C" fn close<E: Protocol>(sk: *mut b::sock, timeout: ffi::c_long) {
    // SAFETY: The caller's reference keeps the socket alive until it is held here.
    let sock: SockRef<E> = unsafe { Sock::from_raw(sk) }.into();
    E::close(&sock, Timeout(timeout));
}

/// Locked, in process context.
pub(super) unsafe extern "C" fn pre_connect(
    sk: *mut b::sock,
    addr: *mut b::sockaddr_unsized,
    len: ffi::c_int,
) -> ffi::c_int {
    // SAFETY: `addr` has `len` readable bytes. The programs run here may read a whole address
    // of the family, so there has to be one.
    unsafe {
        match sockaddr::read(addr, len) {
            Ok(_) => b::newtcp_bpf_pre_connect(sk, addr, len),
            Err(e) => e.to_errno(),
        }
    }
}

/// Locked, in process context.
pub(super) unsafe extern "C" fn connect<E: Protocol>(
    sk: *mut b::sock,
    addr: *mut b::sockaddr_unsized,
    len: ffi::c_int,
) -> ffi::c_int {
    // SAFETY: The caller owns the socket; `addr` has `len` readable bytes.
    let (mut owned, addr) = unsafe {
        (
            Owned::<E>::from_lock(Sock::from_raw(sk), false),
            sockaddr::read_for(addr, len, b::newtcp_sk_family(sk)),
        )
    };
    from_result(|| E::connect(&mut owned, addr?).map(|()| 0))
}

/// Locked, in process context.
pub(super) unsafe extern "C" fn disconnect<E: Protocol>(
    sk: *mut b::sock,
    flags: ffi::c_int,
) -> ffi::c_int {
    // SAFETY: The caller owns the socket.
    let mut owned = unsafe { Owned::<E>::from_lock(Sock::from_raw(sk), false) };
    from_result(|| E::disconnect(&mut owned, flags).map(|()| 0))
}

/// Not locked.
pub(super) unsafe extern "C" fn accept<E: Protocol>(
    sk: *mut b::sock,
    arg: *mut b::proto_accept_arg,
) -> *mut b::sock {
    // SAFETY: Both are live. The child that is returned has its life reference, which stays at
    // least until it has a file and that is closed.
    unsafe {
        let nonblocking = (*arg).flags & b::NEWTCP_O_NONBLOCK != 0;
        match E::accept(Sock::from_raw(sk), nonblocking) {
            Ok(child) => child.as_raw(),
            Err(e) => {
                (*arg).err = e.to_errno();
                null_mut()
            }
        }
    }
}

/// Not locked.
pub(super) unsafe extern "C" fn ioctl<E: Protocol>(
    sk: *mut b::sock,
    cmd: ffi::c_int,
    arg: *mut ffi::c_int,
) -> ffi::c_int {
    // SAFETY: Both are live.
    from_result(|| unsafe {
        *arg = E::ioctl(Sock::<E>::from_raw(sk), cmd as u32)?;
        Ok(0)
    })
}

/// A new socket that nobody else knows; its endpoint is not initialised yet.
pub(super) unsafe extern "C" fn init<E: Protocol>(sk: *mut b::sock) -> ffi::c_int {
    // SAFETY: Called by the functions that create sockets, before anyone can see this one.
    from_result(|| unsafe { sock::setup::<E>(sk) }.map(|()| 0))
}

/// A socket that could not be created after all; its endpoint may not be initialised.
pub(super) unsafe extern "C" fn destroy<E: Protocol>(sk: *mut b::sock) {
    // SAFETY: Nobody else knows the socket.
    unsafe { sock::give_up::<E>(sk) };
}

/// Locked, in process context.
pub(super) unsafe extern "C" fn shutdown<E: Protocol>(sk: *mut b::sock, how: ffi::c_int) {
    // SAFETY: The caller owns the socket.
    let mut owned = unsafe { Owned::<E>::from_lock(Sock::from_raw(sk), false) };
    E::shutdown(&mut owned, how);
}

/// Not locked.
pub(super) unsafe extern "C" fn setsockopt<E: Protocol>(
    sk: *mut b::sock,
    level: ffi::c_int,
    name: ffi::c_int,
    val: b::sockptr_t,
    len: ffi::c_uint,
) -> ffi::c_int {
    // SAFETY: The socket is live; `val` and `len` are of one call.
    from_result(|| unsafe {
        E::setsockopt(Sock::from_raw(sk), level, name, OptIn::new(val, len)).map(|()| 0)
    })
}

/// Not locked.
pub(super) unsafe extern "C" fn getsockopt<E: Protocol>(
    sk: *mut b::sock,
    level: ffi::c_int,
    name: ffi::c_int,
    val: *mut ffi::c_char,
    len: *mut ffi::c_int,
) -> ffi::c_int {
    // SAFETY: The socket is live; `val` and `len` are of one call.
    from_result(|| unsafe {
        E::getsockopt(Sock::from_raw(sk), level, name, OptOut::new(val, len)).map(|()| 0)
    })
}

/// Locked, in process context.
pub(super) unsafe extern "C" fn keepalive<E: Protocol>(sk: *mut b::sock, on: ffi::c_int) {
    // SAFETY: The caller owns the socket.
    let mut owned = unsafe { Owned::<E>::from_lock(Sock::from_raw(sk), false) };
    E::keepalive(&mut owned, on != 0);
}

/// Not locked.
pub(super) unsafe extern "C" fn sendmsg<E: Protocol>(
    sk: *mut b::sock,
    msg: *mut b::msghdr,
    len: usize,
) -> ffi::c_int {
    // SAFETY: Both are live, and the message is this call's.
    let (sock, mut msg) = unsafe { (Sock::from_raw(sk), Msg::from_raw(msg)) };
    from_result(|| E::sendmsg(sock, &mut msg, len).map(|n| n as ffi::c_int))
}

/// Not locked.
pub(super) unsafe extern "C" fn recvmsg<E: Protocol>(
    sk: *mut b::sock,
    msg: *mut b::msghdr,
    len: usize,
    flags: ffi::c_int,
) -> ffi::c_int {
    // SAFETY: Both are live, and the message is this call's.
    let (sock, mut msg) = unsafe { (Sock::from_raw(sk), Msg::from_raw(msg)) };
    from_result(|| E::recvmsg(sock, &mut msg, len, flags as u32).map(|n| n as ffi::c_int))
}

/// Locked: by the process that is about to release the socket, or in softirq.
pub(super) unsafe extern "C" fn backlog_rcv<E: Protocol>(
    sk: *mut b::sock,
    skb: *mut b::sk_buff,
) -> ffi::c_int {
    // SAFETY: The socket is locked, and the skb is given to us.
    let (mut locked, skb) = unsafe {
        (
            Locked::<E>::new(Sock::from_raw(sk)),
            SkBuff::from_raw(NonNull::new_unchecked(skb)),
        )
    };
    // The backlog of a process runs with softirqs on; what the protocol calls from here takes
    // locks that softirqs take, and reads what RCU protects.
    // SAFETY: Paired.
    unsafe { b::newtcp_local_bh_disable() };
    let rcu = rcu::read_lock();
    match locked.rouse() {
        Ok(()) => E::receive_locked(&mut locked, skb),
        Err(_) => rx::too_tired(&locked, skb),
    }
    drop(rcu);
    // The spin lock is free: the process owns the socket.
    loopback::deliver::<E>(locked.take_outbox());
    // SAFETY: As above.
    unsafe { b::newtcp_local_bh_enable() };
    0
}

/// Locked: owned by the process that is about to release it, with softirqs off.
pub(super) unsafe extern "C" fn release_cb<E: Protocol>(sk: *mut b::sock) {
    // SAFETY: By the contract of this module.
    let mut locked = unsafe { Locked::<E>::new(Sock::from_raw(sk)) };
    // SAFETY: The socket is live.
    let deferred = unsafe { b::newtcp_tsq_test_and_clear(sk, TIMER_DEFERRED) };
    if deferred && !try_later(&mut locked) {
        E::on_late_timer(&mut locked);
    }
    E::on_release(&mut locked);
    // The spin lock is held: the device has to deliver this.
    drop(locked.take_outbox());
    // SAFETY: Locked.
    unsafe { charge::settle(sk) };
    if deferred {
        // SAFETY: The reference that `timer` took; the process has another.
        unsafe { b::newtcp_sock_put_not_last(sk) };
    }
}

/// `sk_timer` has gone off; the pending timer owned a reference. Softirq, not locked.
pub(in crate::linux) unsafe extern "C" fn timer<E: Protocol>(timer: *mut b::timer_list) {
    // SAFETY: The timer is `sk_timer` of a live socket of ours.
    unsafe {
        let sk = b::newtcp_sk_of_timer(timer);
        let sock: &Sock<E> = Sock::from_raw(sk);
        sock.run_or_defer(|| defer_timer(sk), on_timer);
        b::newtcp_sock_put(sk);
    }
}

/// The pacing timer has gone off; the queued timer owned a reference. Softirq, not locked.
pub(in crate::linux) unsafe extern "C" fn pacing_timer<E: Protocol>(
    timer: *mut b::hrtimer,
) -> b::hrtimer_restart {
    // SAFETY: The timer is that of a live socket of ours, kept by the timer's reference.
    unsafe {
        let sk = Sock::<E>::of_pacing_timer(timer);
        let sock: &Sock<E> = Sock::from_raw(sk);
        sock.run_or_defer(|| defer_timer(sk), on_timer);
        b::newtcp_sock_put(sk);
    }
    b::hrtimer_restart_HRTIMER_NORESTART
}

fn on_timer<E: Protocol>(sk: &mut Locked<'_, E>) {
    if !try_later(sk) {
        E::on_timer(sk);
    }
}

/// There is no memory to wake the connection up with: its timer goes off again soon.
fn try_later<E: Protocol>(sk: &mut Locked<'_, E>) -> bool {
    let is_tired = sk.rouse_for_timer().is_err();
    if is_tired {
        sk.set_deadline(Some(time::now_ns().saturating_add(RETRY_NS)));
    }
    is_tired
}

/// Has [`release_cb`] do what a timer wanted.
///
/// # Safety
///
/// `sk` must be a live socket of ours whose spin lock is held.
unsafe fn defer_timer(sk: *mut b::sock) {
    // SAFETY: By the contract.
    unsafe {
        if !b::newtcp_tsq_test_and_set(sk, TIMER_DEFERRED) {
            // A reference goes with the bit.
            b::newtcp_sock_hold(sk);
        }
    }
}

/// Nothing to do: sockets enter the tables when they get a peer or listen.
pub(super) unsafe extern "C" fn hash(_sk: *mut b::sock) -> ffi::c_int {
    0
}

/// A socket that could not be created, or whose kernel owner takes it out of sight; its endpoint
/// may not be initialised.
pub(super) unsafe extern "C" fn unhash<E: Protocol>(sk: *mut b::sock) {
    // SAFETY: Nobody else uses the socket. The link of one without endpoint is zeroed, which
    // means "in no table".
    let mut locked = unsafe { Locked::<E>::new(Sock::from_raw(sk)) };
    demux::demux::<E>().remove(&mut locked);
}

/// Locked, in process context.
pub(super) unsafe extern "C" fn get_port<E: Protocol>(
    sk: *mut b::sock,
    port: ffi::c_ushort,
) -> ffi::c_int {
    // SAFETY: The caller owns the socket.
    let mut owned = unsafe { Owned::<E>::from_lock(Sock::from_raw(sk), false) };
    from_result(|| E::get_port(&mut owned, port).map(|()| 0))
}

/// Locked.
pub(super) unsafe extern "C" fn put_port<E: Protocol>(sk: *mut b::sock) {
    // SAFETY: The caller has the lock.
    E::put_port(&mut unsafe { Locked::<E>::new(Sock::from_raw(sk)) });
}

/// Any context.
pub(super) unsafe extern "C" fn stream_memory_free<E: Protocol>(
    sk: *const b::sock,
    wake: ffi::c_int,
) -> bool {
    // SAFETY: The socket is live.
    E::memory_free(unsafe { Sock::<E>::from_raw(sk.cast_mut()) }, wake != 0)
}

/// Not locked. `err` is a positive errno.
pub(super) unsafe extern "C" fn diag_destroy<E: Protocol>(
    sk: *mut b::sock,
    err: ffi::c_int,
) -> ffi::c_int {
    from_result(|| {
        let err = to_result(err.saturating_neg())
            .err()
            .unwrap_or(ECONNABORTED);
        // SAFETY: The socket is live.
        E::abort(unsafe { Sock::<E>::from_raw(sk) }, err).map(|()| 0)
    })
}

/// The protocol's memory has passed the second number of `net.mynewtcp.mem`. Any context.
pub(super) unsafe extern "C" fn enter_memory_pressure(sk: *mut b::sock) {
    // SAFETY: The socket is live.
    unsafe { crate::linux::memory::enter_pressure(sk) };
}

/// The protocol's memory is below the first number of `net.mynewtcp.mem`. Any context.
pub(super) unsafe extern "C" fn leave_memory_pressure(sk: *mut b::sock) {
    // SAFETY: The socket is live.
    unsafe { crate::linux::memory::leave_pressure(sk) };
}
