// SPDX-License-Identifier: GPL-2.0

//! The program on one host: writes a stream, reads the other one, checks every octet.

use mynewtcp_engine::engine::buffer::{
    Context,
    ReceiveQueue, //
};
use mynewtcp_engine::engine::connection::{
    Connection,
    StateName, //
};

use crate::rng::{
    stream_octets,
    Rng, //
};
use crate::scenario::{
    AppPlan,
    Closing, //
};
use crate::store::Store;

/// A program under way.
#[derive(Debug)]
pub struct App {
    plan: AppPlan,
    rng: Rng,
    /// The stream that it writes.
    out_stream: u64,
    /// The stream that it expects.
    in_stream: u64,
    /// Octets that it expects.
    expected: u64,
    /// Octets written.
    pub written: u64,
    /// Octets read and found right.
    pub read: u64,
    /// When it last read something.
    pub read_last_at: u64,
    write_at: u64,
    read_at: u64,
    /// The peer's end has been announced.
    pub peer_closed: bool,
    /// It has read to the end.
    pub saw_end: bool,
    has_shut_down: bool,
    /// It has let go of the connection.
    pub has_closed: bool,
}

impl App {
    /// A program that has not begun. `streams` are what it writes and what it reads.
    pub fn new(plan: AppPlan, expected: u64, streams: (u64, u64), rng: Rng) -> Self {
        Self {
            plan,
            rng,
            out_stream: streams.0,
            in_stream: streams.1,
            expected,
            written: 0,
            read: 0,
            read_last_at: 0,
            write_at: 0,
            read_at: plan.read_start,
            peer_closed: false,
            saw_end: false,
            has_shut_down: false,
            has_closed: false,
        }
    }

    /// Does what it can do now. Returns when it wants to go on, if that is a matter of time.
    pub fn run(
        &mut self,
        connection: &mut Connection,
        cx: &mut Context<'_, Store>,
    ) -> Result<Option<u64>, String> {
        let now = cx.now.as_nanos();
        if self.has_closed {
            return Ok(None);
        }
        if self.plan.abort_at.is_some_and(|at| at <= now) {
            self.has_closed = true;
            cx.shell.note(|| "abort".into());
            connection.abort(cx);
            return Ok(None);
        }
        let mut next = self.plan.abort_at;
        let mut later = |at: Option<u64>| next = [next, at].into_iter().flatten().min();
        later(self.run_writer(connection, cx));
        later(self.run_reader(connection, cx)?);
        self.run_closer(connection, cx);
        Ok(next)
    }

    fn run_writer(
        &mut self,
        connection: &mut Connection,
        cx: &mut Context<'_, Store>,
    ) -> Option<u64> {
        let now = cx.now.as_nanos();
        while self.written < self.plan.total && connection.can_send() {
            if self.write_at > now {
                return Some(self.write_at);
            }
            let room = u64::from(self.plan.send_buffer.saturating_sub(cx.shell.queued()));
            let left = self.plan.total - self.written;
            let n = self.rng.octaves(1, self.plan.write_max).min(room).min(left);
            if n == 0 {
                return None;
            }
            let octets = stream_octets(self.out_stream, self.written, n as usize);
            cx.shell.write(octets.into_iter(), connection.size_goal());
            self.written += n;
            let more = self.rng.chance(self.plan.more) && self.written < self.plan.total;
            cx.shell.note(|| format!("write {n} {}", u8::from(more)));
            connection.send(n as u32, more).ok()?;
            self.write_at = now + self.rng.range(0, self.plan.write_pause);
        }
        None
    }

    fn run_reader(
        &mut self,
        connection: &mut Connection,
        cx: &mut Context<'_, Store>,
    ) -> Result<Option<u64>, String> {
        let now = cx.now.as_nanos();
        while cx.shell.unread() > 0 {
            if self.read_at > now {
                return Ok(Some(self.read_at));
            }
            let n = self.rng.octaves(1, self.plan.read_max) as usize;
            let octets = cx.shell.read(n);
            if octets != stream_octets(self.in_stream, self.read, octets.len()) {
                return Err(format!("wrong octets from {} on", self.read));
            }
            self.read += octets.len() as u64;
            self.read_last_at = now;
            if self.read > self.expected {
                return Err("more octets than were written".into());
            }
            cx.shell.note(|| format!("read {}", octets.len()));
            connection.recv(cx);
            self.read_at = now + self.rng.range(0, self.plan.read_pause);
        }
        self.saw_end |= self.peer_closed;
        Ok(None)
    }

    fn run_closer(&mut self, connection: &mut Connection, cx: &mut Context<'_, Store>) {
        // To close an attempt is to give it up.
        let is_attempt = connection.state() == StateName::SynSent;
        if self.written < self.plan.total || is_attempt {
            return;
        }
        let read_all = self.read == self.expected;
        match self.plan.closing {
            Closing::First => self.shut_down(connection, cx),
            Closing::AfterPeer if self.saw_end => self.shut_down(connection, cx),
            Closing::AtOnce if read_all => {
                self.let_go(connection, cx);
                return;
            }
            Closing::AfterPeer | Closing::AtOnce => {}
        }
        if self.has_shut_down && self.saw_end {
            self.let_go(connection, cx);
        }
    }

    fn let_go(&mut self, connection: &mut Connection, cx: &mut Context<'_, Store>) {
        self.has_closed = true;
        cx.shell.note(|| "close".into());
        connection.close(cx);
    }

    fn shut_down(&mut self, connection: &mut Connection, cx: &mut Context<'_, Store>) {
        if !self.has_shut_down {
            self.has_shut_down = connection.shutdown_write(cx).is_ok();
            if self.has_shut_down {
                cx.shell.note(|| "shutdown".into());
            }
        }
    }
}
