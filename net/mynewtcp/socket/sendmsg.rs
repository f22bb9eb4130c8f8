// SPDX-License-Identifier: GPL-2.0

//! `sendmsg(2)`. There is no urgent data (MSG_OOB: EOPNOTSUPP) and no data in the SYN
//! (MSG_FASTOPEN: EOPNOTSUPP, as from a TCP with Fast Open switched off).

use crate::endpoint::cb::Cb;
use crate::endpoint::drive::drive_at;
use crate::endpoint::{
    now,
    with_connection_at,
    Owned,
    Sock, //
};
use crate::engine::connection::Connection;
use crate::icmp::follow_route;
use crate::linux::compat::prelude::*;
use crate::linux::msg::{
    flags as msg_flags,
    Msg, //
};
use crate::linux::sock::Wait;
use crate::linux::state;
use crate::linux::time::Timeout;

/// How many buffers are filled before segments that have arrived meanwhile get a turn.
const FLUSH_INTERVAL: u32 = 16;

/// Queues what the user sends and lets the engine transmit it.
pub(crate) fn sendmsg(sk: &Sock, msg: &mut Msg<'_>) -> Result<usize> {
    let flags = msg.flags();
    if flags & msg_flags::FASTOPEN != 0 {
        return Err(EOPNOTSUPP);
    }
    let mut sk = sk.lock();
    let mut timeout = sk.sndtimeo(flags & msg_flags::DONTWAIT != 0);
    let mut copied = 0;
    let outcome = wait_connected(&mut sk, &mut timeout)
        .and_then(|()| sk.check_control(msg))
        .and_then(|()| queue_all(&mut sk, msg, flags, &mut timeout, &mut copied));
    match outcome {
        Err(error) if copied == 0 => Err(explain(&sk, error, flags)),
        Ok(()) | Err(_) => Ok(copied),
    }
}

/// The error that the user gets, and the signal that goes with EPIPE.
fn explain(sk: &Sock, error: Error, flags: u32) -> Error {
    if error != EPIPE {
        return error;
    }
    if let Err(pending) = sk.take_error() {
        if pending != EPIPE {
            return pending;
        }
    }
    if flags & msg_flags::NOSIGNAL == 0 {
        sk.send_sigpipe();
    }
    EPIPE
}

/// Waits until the handshake is complete.
fn wait_connected(sk: &mut Owned<'_>, timeout: &mut Timeout) -> Result {
    loop {
        if matches!(sk.state(), state::ESTABLISHED | state::CLOSE_WAIT) {
            return Ok(());
        }
        sk.take_error()?;
        if !matches!(sk.state(), state::SYN_SENT | state::SYN_RECV) {
            return Err(EPIPE);
        }
        sk.wait(Wait::State, timeout, |sk| {
            sk.err() != 0 || !matches!(sk.state(), state::SYN_SENT | state::SYN_RECV)
        })?;
    }
}

fn queue_all(
    sk: &mut Owned<'_>,
    msg: &mut Msg<'_>,
    flags: u32,
    timeout: &mut Timeout,
    copied: &mut usize,
) -> Result {
    let mut filled = 0;
    loop {
        if sk.err() != 0 || sk.shutdown_mask() & state::SEND_SHUTDOWN != 0 {
            return Err(EPIPE);
        }
        if flags & msg_flags::OOB != 0 {
            return Err(EOPNOTSUPP);
        }
        let remaining = msg.remaining();
        if remaining == 0 {
            return Ok(());
        }
        match append(sk, msg, remaining) {
            Ok(octets) => {
                *copied += octets as usize;
                filled += 1;
                push(sk, octets, flags, msg.remaining())?;
            }
            Err(error) if error == EAGAIN => {
                push(sk, 0, 0, 0)?;
                // Whoever does not wait here is told by poll when there is room.
                let _ = sk.is_writeable_or_ask();
                if timeout.is_zero() {
                    return Err(EAGAIN);
                }
                sk.wait_for_memory(timeout)?;
            }
            Err(error) => return Err(error),
        }
        if filled >= FLUSH_INTERVAL {
            filled = 0;
            sk.flush_backlog();
        }
    }
}

/// Copies up to one buffer's worth onto the unsent list.
fn append(sk: &mut Owned<'_>, msg: &mut Msg<'_>, remaining: usize) -> Result<u32> {
    let goal = sk
        .endpoint()
        .connection()
        .map(Connection::size_goal)
        .ok_or(EPIPE)?;
    let may_join = sk
        .queues()
        .unsent()
        .back()
        .is_some_and(|skb| skb.cb::<Cb>().sealed == 0);
    let wanted = u32::try_from(remaining).unwrap_or(u32::MAX);
    Ok(sk.append(msg, wanted, goal, may_join)?.bytes)
}

/// Tells the engine about `octets` more, of a message of which `remaining` are still to come.
fn push(sk: &mut Owned<'_>, octets: u32, flags: u32, remaining: usize) -> Result {
    if remaining == 0 && flags & msg_flags::EOR != 0 {
        if let Some(skb) = sk.queues().unsent_mut().back_mut() {
            skb.cb_mut::<Cb>().sealed = 1;
        }
    }
    // A write of several segments is worth a look at the route, a smaller one fits it anyway.
    let endpoint = sk.endpoint();
    let mss = endpoint.connection().map(Connection::mss);
    if mss.is_some_and(|mss| octets > mss.octets()) {
        follow_route(sk);
    }
    let more = remaining > 0 || flags & msg_flags::MORE != 0;
    let now = now();
    with_connection_at(sk, now, |connection, cx| connection.send(cx, octets, more))
        .ok_or(EPIPE)?
        .map_err(crate::error::of_verb)?;
    drive_at(sk, now);
    Ok(())
}
