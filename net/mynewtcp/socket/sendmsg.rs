// SPDX-License-Identifier: GPL-2.0

//! `sendmsg(2)`. There is no urgent data (MSG_OOB: EOPNOTSUPP) and no data in the SYN
//! (MSG_FASTOPEN: EOPNOTSUPP, as from a TCP with Fast Open switched off).

use crate::endpoint::cb::Cb;
use crate::endpoint::drive::drive;
use crate::endpoint::{
    Owned,
    Sock, //
};
use crate::engine::connection::Connection;
use crate::icmp::follow_route;
use crate::linux::compat::prelude::*;
use crate::linux::msg::{
    flags as msg_flags,
    Msg,
    Stamps, //
};
use crate::linux::sock::Wait;
use crate::linux::state;
use crate::linux::time::Timeout;
use core::{
    mem::take,
    ptr, //
};

/// How many buffers are filled before segments that have arrived meanwhile get a turn.
const FLUSH_INTERVAL: u32 = 16;

/// Queues what the user sends and lets the engine transmit it.
pub(crate) fn sendmsg(sk: &Sock, msg: &mut Msg<'_>) -> Result<usize> {
    let flags = msg.flags();
    if flags & msg_flags::FASTOPEN != 0 {
        return Err(EOPNOTSUPP);
    }
    let mut sk = sk.lock();
    let mut writer = Writer {
        flags,
        timeout: sk.sndtimeo(flags & msg_flags::DONTWAIT != 0),
        stamps: Stamps::NONE,
        copied: 0,
        pending: 0,
    };
    if is_plain(&sk, msg, flags) {
        writer.write_plainly(&mut sk, msg);
        if msg.remaining() == 0 {
            return Ok(writer.copied);
        }
    }
    let pinning = sk.choose_way(msg)?;
    let outcome = writer.run(&mut sk, msg);
    if let Some(pinning) = pinning {
        sk.end_pinning(msg, pinning, writer.copied > 0);
    }
    match outcome {
        Err(error) if writer.copied == 0 => Err(explain(&sk, error, flags)),
        Ok(()) | Err(_) => Ok(writer.copied),
    }
}

/// One call's progress.
struct Writer {
    flags: u32,
    timeout: Timeout,
    /// The time stamps that the user wants of the last octet.
    stamps: Stamps,
    copied: usize,
    /// Octets that are queued and that the engine does not know of yet.
    pending: u32,
}

/// Flags that say nothing about how octets are sent.
const PLAIN: u32 = msg_flags::DONTWAIT | msg_flags::NOSIGNAL;

/// Octets that are few enough for one buffer.
const FEW: usize = 1024;

/// A few octets to copy, and nothing else to heed. Most writes are such ones.
#[inline]
fn is_plain(sk: &Sock, msg: &Msg<'_>, flags: u32) -> bool {
    flags & !PLAIN == 0
        && sk.state() == state::ESTABLISHED
        && sk.err() == 0
        && sk.shutdown_mask() & state::SEND_SHUTDOWN == 0
        && sk.timestamping() == 0
        && !msg.has_control()
        && (1..=FEW).contains(&msg.remaining())
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

impl Writer {
    /// Sends what fits into one buffer, if that is all: [`run`](Self::run) goes on with the rest.
    #[inline]
    fn write_plainly(&mut self, sk: &mut Owned<'_>, msg: &mut Msg<'_>) {
        let remaining = msg.remaining();
        // Whatever is in the way will be met again.
        let Ok(octets) = append(sk, msg, remaining) else {
            return;
        };
        self.copied = octets as usize;
        self.pending = octets;
        if msg.remaining() == 0 {
            // What is copied is sent, whatever becomes of the connection.
            let _ = self.push(sk, 0);
        }
    }

    fn run(&mut self, sk: &mut Owned<'_>, msg: &mut Msg<'_>) -> Result {
        wait_connected(sk, &mut self.timeout)?;
        self.stamps = sk.check_control(msg)?;
        let mut outcome = self.queue_all(sk, msg);
        if self.pending > 0 {
            // The end of the message, or what was queued in front of a failure.
            if outcome.is_err() {
                self.flags &= !msg_flags::EOR;
            }
            outcome = outcome.and(self.push(sk, 0));
        }
        // The end of the message has its stamps already.
        if outcome.is_err() && self.copied > 0 {
            self.stamp(sk);
        }
        outcome
    }

    /// Queues until the message is finished or something is in the way. The engine has a look at
    /// whole superpackets, not at each page.
    fn queue_all(&mut self, sk: &mut Owned<'_>, msg: &mut Msg<'_>) -> Result {
        let mut filled = 0;
        loop {
            if sk.err() != 0 || sk.shutdown_mask() & state::SEND_SHUTDOWN != 0 {
                return Err(EPIPE);
            }
            if self.flags & msg_flags::OOB != 0 {
                return Err(EOPNOTSUPP);
            }
            let remaining = msg.remaining();
            if remaining == 0 {
                return Ok(());
            }
            match append(sk, msg, remaining) {
                Ok(octets) => {
                    self.copied += octets as usize;
                    self.pending = self.pending.saturating_add(octets);
                    filled += 1;
                    if msg.remaining() == 0 {
                        if self.stamps != Stamps::NONE {
                            self.stamp_unsent(sk, self.pending);
                        }
                    } else if is_due(sk, self.pending) {
                        self.push(sk, msg.remaining())?;
                    }
                }
                Err(error) if error == EAGAIN => {
                    push(sk, take(&mut self.pending), 0, 0)?;
                    // Whoever does not wait here is told by poll when there is room.
                    let _ = sk.is_writeable_or_ask();
                    if self.timeout.is_zero() {
                        return Err(EAGAIN);
                    }
                    sk.wait_for_memory(&mut self.timeout)?;
                }
                Err(error) => return Err(error),
            }
            if filled >= FLUSH_INTERVAL && msg.remaining() > 0 {
                filled = 0;
                self.push(sk, msg.remaining())?;
                sk.flush_backlog();
            }
        }
    }

    /// Tells the engine what it does not know of yet.
    #[inline]
    fn push(&mut self, sk: &mut Owned<'_>, remaining: usize) -> Result {
        push(sk, take(&mut self.pending), self.flags, remaining)
    }

    /// Asks for time stamps of the last octet that is queued; the engine does not know of the
    /// last `fresh` octets yet.
    fn stamp_unsent(&self, sk: &mut Owned<'_>, fresh: u32) -> bool {
        if self.stamps == Stamps::NONE {
            return true;
        }
        let last = last_known(sk).wrapping_add(fresh);
        if !sk.stamp_unsent(self.stamps, last) {
            return false;
        }
        if let Some(skb) = sk.queues().unsent_mut().back_mut() {
            let len = skb.len();
            skb.cb_mut::<Cb>().stamp(len, self.stamps.has_ack());
        }
        true
    }

    /// The same when all has been told to the engine, and may have been sent.
    fn stamp(&self, sk: &mut Owned<'_>) {
        if self.stamp_unsent(sk, 0) {
            return;
        }
        let last = last_known(sk);
        let ack = self.stamps.has_ack();
        let sent = sk
            .queues()
            .sent()
            .floor(last)
            .map(|skb| skb.cb::<Cb>().range());
        let Some(start) = sent.map(|range| range.start().raw()) else {
            return;
        };
        sk.stamp_sent(self.stamps, start, last);
        if let Some(skb) = sk.queues().sent_mut().get_mut(start) {
            let cb = skb.cb_mut::<Cb>();
            cb.stamp(cb.end(), ack);
        }
    }
}

/// The sequence number of the last octet that the engine knows of.
fn last_known(sk: &mut Owned<'_>) -> u32 {
    let endpoint = sk.endpoint();
    endpoint.connection().map_or(0, |connection| {
        let end = connection.snd_nxt().raw().wrapping_add(connection.unsent());
        end.wrapping_sub(1)
    })
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

/// Is it worth a transmission now? Yes for a full buffer that is next to be sent, and when the
/// peer might be waiting: half of the window that it ever offered is here.
fn is_due(sk: &mut Owned<'_>, pending: u32) -> bool {
    let endpoint = sk.endpoint();
    let Some(connection) = endpoint.connection() else {
        return true;
    };
    let (goal, half_window) = (connection.size_goal(), connection.max_window() / 2);
    let queues = sk.queues();
    let (front, back) = (queues.unsent().front(), queues.unsent().back());
    let is_next = matches!((front, back), (Some(front), Some(back)) if ptr::eq(front, back));
    pending > half_window || (is_next && front.is_some_and(|skb| skb.len() >= goal))
}

/// Tells the engine about `octets` more, of a message of which `remaining` are still to come.
#[inline]
fn push(sk: &mut Owned<'_>, octets: u32, flags: u32, remaining: usize) -> Result {
    if remaining == 0 && flags & msg_flags::EOR != 0 {
        if let Some(skb) = sk.queues().unsent_mut().back_mut() {
            skb.cb_mut::<Cb>().sealed = 1;
        }
    }
    let more = remaining > 0 || flags & msg_flags::MORE != 0;
    if is_still_waiting(sk, octets, more) {
        return tell(sk, octets, more);
    }
    // A write of several segments is worth a look at the route, a smaller one fits it anyway.
    let endpoint = sk.endpoint();
    let mss = endpoint.connection().map(Connection::mss);
    if mss.is_some_and(|mss| octets > mss.octets()) {
        follow_route(sk);
    }
    tell(sk, octets, more)?;
    drive(sk);
    Ok(())
}

/// Does what is queued wait still, as it did without the last `octets`?
fn is_still_waiting(sk: &mut Owned<'_>, octets: u32, more: bool) -> bool {
    if sk.shared().unsent() == 0 {
        return false;
    }
    let queues = sk.queues();
    let Some(front) = queues.unsent().front().map(|skb| skb.len()) else {
        return false;
    };
    let endpoint = sk.endpoint();
    let connection = endpoint.connection();
    connection.is_some_and(|connection| connection.is_still_waiting(front, octets, more))
}

/// Tells the engine of `octets` more, and whoever looks without the lock.
fn tell(sk: &mut Owned<'_>, octets: u32, more: bool) -> Result {
    let (ctx, endpoint) = sk.split();
    let connection = endpoint.get_mut().connection.get_mut().ok_or(EPIPE)?;
    connection
        .send(octets, more)
        .map_err(crate::error::of_verb)?;
    ctx.shared().set_unsent(connection.unsent());
    Ok(())
}
