// SPDX-License-Identifier: GPL-2.0

//! `close(2)`: the user lets go. What is left of the connection becomes an orphan that the
//! engine brings to its end.

use crate::endpoint::drive::{
    closed,
    drive,
    drive_at,
    retire, //
};
use crate::endpoint::{
    discard_received,
    now,
    with_connection,
    with_connection_at,
    Owned,
    Role,
    Sock,
    SockRef, //
};
use crate::engine::counters::Counter;
use crate::linux::sock::{
    SockFlag,
    Wait, //
};
use crate::linux::state;
use crate::linux::time::Timeout;
use crate::mib;
use crate::orphans::{
    self,
    Orphan, //
};
use crate::socket::listen;

/// Closes a socket; waits up to `timeout` for the peer to acknowledge everything (SO_LINGER).
pub(crate) fn close(sk: &Sock, timeout: Timeout) {
    let mut sk = sk.lock();
    sk.set_shutdown_mask(state::SHUTDOWN_MASK);
    begin(&mut sk);
    linger(&mut sk, timeout);
    sk.orphan();
    sk.flush_backlog();
    finish(&mut sk);
}

/// Tells the peer, one way or the other.
fn begin(sk: &mut Owned<'_>) {
    match sk.endpoint().role() {
        Role::Listening => listen::stop(sk),
        Role::Closed => {}
        Role::Connected => {
            let at_once = sk.flag(SockFlag::Linger) && sk.linger_time().is_zero();
            if at_once {
                sk.endpoint().namespace.count(Counter::AbortOnData, 1);
            }
            let now = now();
            with_connection_at(sk, now, |connection, cx| {
                if at_once {
                    connection.abort(cx);
                } else {
                    connection.close(cx);
                }
            });
            drive_at(sk, now);
        }
    }
    discard_received(sk);
}

/// Waits while our side of the connection still has something to say.
fn linger(sk: &mut Owned<'_>, timeout: Timeout) {
    if timeout.is_zero() {
        return;
    }
    let mut timeout = timeout;
    // A signal or the end of the time ends the waiting; both leave an orphan, which is all that
    // close can promise.
    let _ = sk.wait(Wait::State, &mut timeout, |sk| {
        !matches!(
            sk.state(),
            state::FIN_WAIT1 | state::CLOSING | state::LAST_ACK
        )
    });
}

/// Nobody can reach the socket any more: free it, or leave it to the engine.
fn finish(sk: &mut Owned<'_>) {
    if sk.endpoint().role() == Role::Closed {
        if sk.state() != state::CLOSE {
            sk.set_state(state::CLOSE);
        }
        crate::demux::leave_for_good(sk);
        sk.destroy();
        return;
    }
    sk.endpoint().get_mut().orphan = Some(Orphan::new());
    let no_wait = sk.endpoint().switches.no_linger2 && sk.state() == state::FIN_WAIT2;
    let too_many = orphans::are_too_many(sk, 0);
    if too_many {
        sk.endpoint().namespace.note(mib::Event::AbortOnMemory);
    } else if no_wait {
        sk.endpoint().namespace.note(mib::Event::AbortOnLinger);
    }
    if no_wait || too_many {
        with_connection(sk, |connection, cx| connection.abort(cx));
    } else if sk.state() == state::FIN_WAIT2 {
        retire(sk);
    } else {
        return;
    }
    drive(sk);
}

/// Resets a connection that nobody has accepted.
pub(crate) fn abandon(child: SockRef) {
    let mut child = child.lock_nested();
    child.set_shutdown_mask(state::SHUTDOWN_MASK);
    with_connection(&mut child, |connection, cx| connection.abort(cx));
    child.orphan();
    drive(&mut child);
    discard_received(&mut child);
    if child.endpoint().role() == Role::Closed {
        crate::demux::leave_for_good(&mut child);
        child.destroy();
    } else {
        closed(&mut child);
    }
}

/// Ends a connection from outside (`ss -K`): the user finds `err`.
pub(crate) fn abort(sk: &Sock, err: kernel::error::Error) {
    let mut sk = sk.lock();
    match sk.endpoint().role() {
        Role::Listening => listen::stop(&mut sk),
        Role::Closed => {}
        Role::Connected => {
            sk.set_err(err);
            with_connection(&mut sk, |connection, cx| connection.abort(cx));
            drive(&mut sk);
        }
    }
}
