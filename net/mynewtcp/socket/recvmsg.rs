// SPDX-License-Identifier: GPL-2.0

//! `recvmsg(2)`. Urgent data is delivered in line, so that MSG_OOB finds none (EINVAL).

use crate::endpoint::cb::Cb;
use crate::endpoint::drive::{
    drive,
    drive_at, //
};
use crate::endpoint::{
    now,
    with_connection_at,
    Owned,
    Sock, //
};
use crate::linux::compat::prelude::*;
use crate::linux::msg::{
    flags as msg_flags,
    Msg, //
};
use crate::linux::skb::SkBuff;
use crate::linux::sock::{
    SockFlag,
    Wait, //
};
use crate::linux::state;
use crate::linux::time::Timeout;

/// One call's progress.
struct Reader {
    flags: u32,
    /// Octets that the user asked for.
    len: usize,
    /// Octets below which the call does not return by itself.
    target: usize,
    copied: usize,
    /// Octets that the engine knows to have been read.
    announced: usize,
    /// Where peeking begins, in octets of unread data.
    peek_from: usize,
    timeout: Timeout,
    /// The buffer that was read last, if the user wants to know when it came and it is not in
    /// the queue any more.
    last: Option<SkBuff>,
    /// The user wants to know.
    stamps: bool,
}

/// Whether to go on reading.
enum Next {
    Done,
    Wait,
    Flush,
}

/// Copies what has been received to the user, waiting for it if it may.
pub(crate) fn recvmsg(sk: &Sock, msg: &mut Msg<'_>, len: usize, flags: u32) -> Result<usize> {
    if flags & msg_flags::ERRQUEUE != 0 {
        return sk.recv_errqueue(msg, len);
    }
    let mut timeout = sk.rcvtimeo(flags & msg_flags::DONTWAIT != 0);
    if !timeout.is_zero() && flags & (msg_flags::PEEK | msg_flags::OOB) == 0 && is_quiet(sk) {
        sk.shared().set_reader(true);
        sk.wait_unlocked(&mut timeout, |sk| !is_at_rest(sk));
        sk.shared().set_reader(false);
    }
    let mut sk = sk.lock();
    if sk.state() == state::LISTEN {
        return Err(ENOTCONN);
    }
    if flags & msg_flags::OOB != 0 {
        return Err(EINVAL);
    }
    if flags & !msg_flags::DONTWAIT == 0 {
        if let Some(read) = read_first(&mut sk, msg, len) {
            let n = read?;
            announce(&mut sk);
            tell_of_rest(&mut sk, msg);
            return Ok(n);
        }
    }
    let mut reader = Reader::new(&sk, len, flags, timeout);
    let outcome = reader.run(&mut sk, msg);
    reader.announce_space(&mut sk);
    match outcome {
        Err(error) if reader.copied == 0 => return Err(error),
        Ok(()) | Err(_) => {}
    }
    reader.tell_when(&mut sk, msg);
    tell_of_rest(&mut sk, msg);
    Ok(reader.copied)
}

/// Says how much is left, if the user wants to know.
fn tell_of_rest(sk: &mut Owned<'_>, msg: &mut Msg<'_>) {
    if sk.endpoint().switches.inq {
        msg.put_control(SOL_TCP, TCP_CM_INQ, left_to_read(sk));
    }
}

/// Reads what is asked for if that is the first buffer, all of it and nothing else. `None` if
/// there is more to it.
#[inline]
fn read_first(sk: &mut Owned<'_>, msg: &mut Msg<'_>, len: usize) -> Option<Result<usize>> {
    if sk.wants_stamps() {
        return None;
    }
    let (unread, least) = (sk.shared().unread(), sk.rcvlowat());
    let mut queues = sk.queues();
    let skb = queues.receive_mut().front_mut()?;
    let &Cb { offset, len: n, .. } = skb.cb();
    let octets = n as usize;
    if octets != len && (octets > len || n != unread || n < least || queues.sock().has_backlog()) {
        return None;
    }
    let skb = queues.receive_mut().front_mut()?;
    if let Err(error) = skb.copy_to_msg(offset, msg, n) {
        return Some(Err(error));
    }
    queues.receive_mut().drop_front();
    queues.sock().shared().take_unread(n);
    queues.sock().peek_offset_back(n);
    Some(Ok(octets))
}

/// Tells the engine that there is room again: maybe the peer wants to know.
#[inline]
fn announce(sk: &mut Owned<'_>) {
    let unread = sk.shared().unread();
    let Some(connection) = sk.endpoint().get_mut().connection.get_mut() else {
        return;
    };
    let little = connection.recv_little(unread);
    let waits = connection.waits_for_reader();
    sk.shared().set_owes_reader(waits);
    if little != Some(false) {
        announce_much(sk);
    }
}

/// The same where it may change something.
#[inline(never)]
fn announce_much(sk: &mut Owned<'_>) {
    let now = now();
    let owed = with_connection_at(sk, now, |connection, cx| connection.recv(cx));
    if owed == Some(true) {
        drive_at(sk, now);
    }
}

/// There is nothing to read, and nothing to say about it but that it may come.
fn is_at_rest(sk: &Sock) -> bool {
    sk.shared().unread() == 0
        && sk.err() == 0
        && sk.state() == state::ESTABLISHED
        && sk.shutdown_mask() & state::RCV_SHUTDOWN == 0
}

/// Who reads now has to wait, and nothing has to be done for the peer before. Most who wait for an
/// answer do so: they need not lock the socket to find that out, nor while they wait.
fn is_quiet(sk: &Sock) -> bool {
    is_at_rest(sk) && !sk.shared().owes_reader() && !sk.flag(SockFlag::Done)
}

/// The control message that TCP_INQ asks for, and its level.
const TCP_CM_INQ: i32 = 36;
const SOL_TCP: i32 = 6;

/// Octets that are there to be read; 1 if it is the end that is there.
fn left_to_read(sk: &Sock) -> i32 {
    let unread = sk.shared().unread();
    if unread == 0 && sk.flag(SockFlag::Done) {
        return 1;
    }
    i32::try_from(unread).unwrap_or(i32::MAX)
}

impl Reader {
    fn new(sk: &Sock, len: usize, flags: u32, timeout: Timeout) -> Self {
        let wanted = if flags & msg_flags::WAITALL != 0 {
            len
        } else {
            len.min(sk.rcvlowat() as usize)
        };
        Self {
            flags,
            len,
            target: wanted.max(1),
            copied: 0,
            announced: 0,
            peek_from: sk.peek_offset(flags) as usize,
            timeout,
            last: None,
            stamps: sk.wants_stamps(),
        }
    }

    /// Octets that the user still asks for.
    fn wanted(&self) -> u32 {
        u32::try_from(self.len - self.copied).unwrap_or(u32::MAX)
    }

    fn is_peeking(&self) -> bool {
        self.flags & msg_flags::PEEK != 0
    }

    fn run(&mut self, sk: &mut Owned<'_>, msg: &mut Msg<'_>) -> Result {
        loop {
            if self.is_peeking() {
                self.peek(sk, msg)?;
            } else {
                self.take(sk, msg)?;
            }
            if self.copied > 0 && self.copied >= self.len {
                return Ok(());
            }
            match self.next(sk)? {
                Next::Done => return Ok(()),
                Next::Flush => sk.flush_backlog(),
                Next::Wait => {
                    self.announce_space(sk);
                    self.wait(sk)?;
                }
            }
        }
    }

    /// Moves octets from the front of the receive queue to the user.
    fn take(&mut self, sk: &mut Owned<'_>, msg: &mut Msg<'_>) -> Result {
        let mut queues = sk.queues();
        while self.copied < self.len {
            let Some(skb) = queues.receive_mut().front_mut() else {
                break;
            };
            let &Cb { offset, len, .. } = skb.cb();
            let n = self.wanted().min(len);
            if self.flags & msg_flags::TRUNC == 0 {
                skb.copy_to_msg(offset, msg, n)?;
            }
            skb.cb_mut::<Cb>().trim_front(n);
            self.last = None;
            if n == len {
                let read = queues.receive_mut().pop_front();
                if self.stamps {
                    self.last = read;
                } else {
                    read.map(SkBuff::consume);
                }
            }
            queues.sock().shared().take_unread(n);
            queues.sock().peek_offset_back(n);
            self.copied += n as usize;
        }
        Ok(())
    }

    /// Copies octets to the user that stay in the queue.
    fn peek(&mut self, sk: &mut Owned<'_>, msg: &mut Msg<'_>) -> Result {
        let queues = sk.queues();
        let seen = self.peek_from + self.copied;
        let mut skip = u32::try_from(seen).unwrap_or(u32::MAX);
        for skb in queues.receive().iter() {
            let &Cb { offset, len, .. } = skb.cb();
            if skip >= len {
                skip -= len;
                continue;
            }
            let n = self.wanted().min(len - skip);
            if self.flags & msg_flags::TRUNC == 0 {
                skb.copy_to_msg(offset.saturating_add(skip), msg, n)?;
            }
            queues.sock().peek_offset_forward(n);
            self.copied += n as usize;
            skip = 0;
            if self.copied >= self.len {
                break;
            }
        }
        Ok(())
    }

    /// Says when the last octet that was copied has come.
    fn tell_when(&mut self, sk: &mut Owned<'_>, msg: &mut Msg<'_>) {
        if !self.stamps || self.copied == 0 {
            return;
        }
        if let Some(skb) = self.last.take() {
            sk.put_stamps(msg, &skb);
            skb.consume();
            return;
        }
        let queues = sk.queues();
        let mut before = if self.is_peeking() {
            u32::try_from(self.peek_from + self.copied - 1).unwrap_or(u32::MAX)
        } else {
            0
        };
        for skb in queues.receive().iter() {
            let &Cb { len, .. } = skb.cb();
            if before < len {
                queues.sock().put_stamps(msg, skb);
                return;
            }
            before -= len;
        }
    }

    /// What to do when the queue has no more for us.
    fn next(&self, sk: &mut Owned<'_>) -> Result<Next> {
        if self.copied >= self.target && !sk.has_backlog() {
            return Ok(Next::Done);
        }
        let ended = sk.err() != 0
            || sk.state() == state::CLOSE
            || sk.shutdown_mask() & state::RCV_SHUTDOWN != 0;
        if self.copied > 0 {
            if ended || self.timeout.is_zero() {
                return Ok(Next::Done);
            }
        } else if sk.flag(SockFlag::Done) {
            return Ok(Next::Done);
        } else if sk.err() != 0 {
            sk.take_error()?;
        } else if sk.shutdown_mask() & state::RCV_SHUTDOWN != 0 {
            return Ok(Next::Done);
        } else if sk.state() == state::CLOSE {
            return Err(ENOTCONN);
        } else if self.timeout.is_zero() {
            return Err(EAGAIN);
        }
        Ok(if self.copied >= self.target {
            Next::Flush
        } else {
            Next::Wait
        })
    }

    fn wait(&mut self, sk: &mut Owned<'_>) -> Result {
        let seen = if self.is_peeking() {
            self.peek_from + self.copied
        } else {
            0
        };
        let owed = match sk.endpoint().get_mut().connection.get_mut() {
            Some(connection) => connection.on_reader_waits(),
            None => false,
        };
        if owed {
            drive(sk);
        }
        sk.shared().set_reader(true);
        let outcome = sk.wait(Wait::Data, &mut self.timeout, |sk| {
            sk.shared().unread() as usize > seen
                || sk.err() != 0
                || sk.state() == state::CLOSE
                || sk.shutdown_mask() & state::RCV_SHUTDOWN != 0
        });
        sk.shared().set_reader(false);
        outcome
    }

    /// Tells the engine of the room that it does not know of yet.
    fn announce_space(&mut self, sk: &mut Owned<'_>) {
        if self.copied == self.announced || self.is_peeking() {
            return;
        }
        self.announced = self.copied;
        announce(sk);
    }
}
