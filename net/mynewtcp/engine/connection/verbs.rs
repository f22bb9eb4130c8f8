// SPDX-License-Identifier: GPL-2.0

//! What the user wants (RFC 9293, 3.10.1 to 3.10.6).

use crate::engine::buffer::{
    Context,
    Shell, //
};
use crate::engine::config::Config;
use crate::engine::connection::Connection;
use crate::engine::counters::Counter;
use crate::engine::error::{
    ConnectionError,
    VerbError, //
};
use crate::engine::event::Signal;
use crate::engine::recv::tuning::Reader;
use crate::engine::state::{
    State,
    StateName, //
};
use crate::engine::time::Delta;
use crate::engine::timers::Timer;

impl Connection {
    /// Opens the connection: a SYN goes out.
    pub fn connect<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> Result<(), VerbError> {
        if self.state() != StateName::Closed || self.error.is_some() {
            return Err(VerbError::AlreadyConnected);
        }
        cx.shell.count(Counter::ActiveOpens, 1);
        self.snd.control_lost = true;
        self.transition(cx, |state| match state {
            State::Closed(closed) => State::SynSent(closed.connect()),
            State::SynSent(_)
            | State::SynReceived(_)
            | State::Established(_)
            | State::FinWait1(_)
            | State::FinWait2(_)
            | State::CloseWait(_)
            | State::Closing(_)
            | State::LastAck(_) => state,
        });
        Ok(())
    }

    /// `n` octets have been appended to the unsent list. With `more` the user says that others
    /// follow at once, so that a partial segment waits for them.
    pub fn send(&mut self, n: u32, more: bool) -> Result<(), VerbError> {
        if !self.state.can_send() {
            return Err(match self.state() {
                StateName::Closed => VerbError::NotConnected,
                StateName::SynSent
                | StateName::SynReceived
                | StateName::Established
                | StateName::FinWait1
                | StateName::FinWait2
                | StateName::CloseWait
                | StateName::Closing
                | StateName::LastAck => VerbError::WriteClosed,
            });
        }
        self.snd.write_seq = self.snd.write_seq.plus(n);
        self.snd.more = more;
        Ok(())
    }

    /// The user has taken octets out of the receive queue: the buffer may be too small for how
    /// fast that goes, and the window may open. True if there is something to transmit now.
    pub fn recv<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> bool {
        if cx.config.moderate_rcvbuf {
            self.adjust_capacity(cx);
        }
        if !self.state.can_receive() {
            return self.rcv.ack.is_now();
        }
        let (nxt, unread, room) = (self.rcv.nxt, cx.shell.unread(), self.room(cx));
        let waits = self.rcv.ack.waits_for_room(nxt);
        let stretches = waits && self.stretches_ack();
        if (waits && !stretches) || self.rcv.window.update_is_due(nxt, room) {
            self.rcv.ack.now();
        }
        if unread == 0 {
            self.rcv.ack.on_all_read(nxt, stretches);
        }
        self.rcv.ack.is_now()
    }

    /// [`recv`](Self::recv) for a reader who has taken little and leaves `unread` octets: the
    /// buffer's size and the window are then what they were. `None` if it has to be `recv`.
    pub fn recv_little(&mut self, unread: u32) -> Option<bool> {
        let nxt = self.rcv.nxt;
        let offered = self.rcv.window.offered(nxt);
        let tuning = &self.rcv.tuning;
        let is_little = tuning.has_read_little(nxt.minus(unread));
        // A window update says twice as much as the peer knows, or helps one that is stuck.
        let is_open = offered >= u32::from(self.rcv.ack.peer_mss)
            && offered > tuning.most(false).div_ceil(2).saturating_add(offered / 4);
        let is_simple = is_little && is_open && !self.rcv.ack.waits_for_room(nxt);
        if !(is_simple && self.state.can_receive()) {
            return None;
        }
        if unread == 0 {
            self.rcv.ack.on_all_read(nxt, false);
        }
        Some(self.rcv.ack.is_now())
    }

    /// The user has read what there is and now waits for more. True if there is something to
    /// transmit now.
    pub fn on_reader_waits(&mut self) -> bool {
        self.rcv.ack.on_reader_waits();
        self.rcv.ack.is_now()
    }

    /// [`on_reader_waits`](Self::on_reader_waits) has something to do.
    pub fn waits_for_reader(&self) -> bool {
        self.rcv.ack.waits_for_reader() || self.rcv.ack.is_now()
    }

    fn adjust_capacity<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        if !self.state.is_synchronized() {
            return;
        }
        let unread = cx.shell.unread();
        let fin = u32::from(!self.state.can_receive());
        let nxt = self.rcv.nxt.minus(fin);
        let beyond = cx
            .shell
            .ooo_last()
            .map_or(0, |last| last.end().saturating_distance_from(nxt));
        let reader = Reader {
            read_to: nxt.minus(unread),
            unread,
            beyond,
        };
        let rtt = self.receiver_rtt();
        let wanted = self
            .rcv
            .tuning
            .wanted_capacity(cx.now, cx.config, rtt, reader);
        if let Some(wanted) = wanted {
            let wanted = wanted.min(cx.shell.capacity_limit());
            if wanted > cx.shell.capacity() {
                cx.shell.set_capacity(wanted);
            }
        }
    }

    /// The round-trip time as the receiving half knows it: from the handshake at first.
    pub(super) fn receiver_rtt(&self) -> Delta {
        match self.rcv.tuning.rtt.get() {
            Delta::ZERO => self.snd.rtt.srtt,
            rtt => rtt,
        }
    }

    /// Octets that a send buffer should have room for: two windows of what the network carries at
    /// a time, so that there is always something to send while acknowledgments are on their way.
    pub fn send_buffer_wanted(&self, config: &Config) -> u32 {
        let first = u32::from(config.initial_cwnd).saturating_mul(self.mss().octets());
        self.window.cwnd_bytes.max(first).saturating_mul(2)
    }

    /// The user wants no receive window larger than `octets` (`TCP_WINDOW_CLAMP`); [`u32::MAX`] is
    /// no wish. What has been promised stays so.
    pub fn set_window_clamp<S: Shell>(&mut self, _cx: &mut Context<'_, S>, octets: u32) {
        self.rcv.tuning.set_clamp(octets);
    }

    /// Acknowledgments go at once at present, as far as the user is concerned.
    pub fn is_quick_ack(&self) -> bool {
        self.rcv.ack.is_quick()
    }

    /// The user will send no more: a FIN follows what is queued.
    pub fn shutdown_write<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> Result<(), VerbError> {
        if self.state() == StateName::Closed {
            return Err(VerbError::NotConnected);
        }
        self.snd.more = false;
        let fin = self.snd.write_seq;
        self.transition(cx, |state| state.on_shutdown_write(fin));
        Ok(())
    }

    /// The user will read no more than has arrived. That alone tells the peer nothing; but once
    /// the user will not send either, this is the close of RFC 9293, 3.6.1, and new data is
    /// answered with a reset.
    pub fn shutdown_read<S: Shell>(&mut self, _cx: &mut Context<'_, S>) {
        self.user.deaf = true;
    }

    /// The user lets go, in both directions.
    ///
    ///   "If such a host issues a CLOSE call while received data is still pending in the TCP
    ///   connection, or if new data is received after CLOSE is called, its TCP implementation
    ///   SHOULD send a RST to show that data was lost (SHLD-3)." (RFC 9293, 3.6.1)
    pub fn close<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        self.user.closed = true;
        if self.state() == StateName::Closed {
            self.pending.raise(Signal::Closed);
            return;
        }
        if cx.shell.unread() > 0 && self.state.is_synchronized() {
            cx.shell.count(Counter::AbortOnClose, 1);
            let reset = self.reset();
            self.fail(cx, ConnectionError::Aborted, Some(reset));
            return;
        }
        self.snd.more = false;
        self.user.cork = false;
        let fin = self.snd.write_seq;
        self.transition(cx, |state| state.on_shutdown_write(fin));
        self.arm_fin_wait_2(cx);
    }

    /// Nobody can reach the connection any more, and its user has closed it. If it only waits for
    /// the peer's FIN, a small object can do that, which an event hands over. True if there is an
    /// acknowledgment to be sent first: poll for it and call again.
    pub fn retire<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> bool {
        if !self.user.closed || self.state() != StateName::FinWait2 {
            return false;
        }
        if self.rcv.ack.is_owed() {
            self.rcv.ack.now();
            return true;
        }
        let until = cx.now.after(cx.config.fin_timeout);
        self.transition(cx, |state| {
            state.end_fin_wait_2(|state| state.on_retire(until))
        });
        false
    }

    /// Ends the connection at once; the peer is told with a reset.
    pub fn abort<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        self.user.closed = true;
        let reset = match self.state() {
            StateName::Closed => {
                self.pending.raise(Signal::Closed);
                return;
            }
            StateName::SynSent => None,
            StateName::SynReceived
            | StateName::Established
            | StateName::FinWait1
            | StateName::FinWait2
            | StateName::CloseWait
            | StateName::Closing
            | StateName::LastAck => Some(self.reset()),
        };
        self.fail(cx, ConnectionError::Aborted, reset);
    }

    /// Partial segments go at once (`TCP_NODELAY`), or wait while a partial one is under way.
    pub fn set_nodelay<S: Shell>(&mut self, _cx: &mut Context<'_, S>, on: bool) {
        self.user.nodelay = on;
        if on {
            self.snd.more = false;
        }
    }

    /// Partial segments wait until it is taken off again (`TCP_CORK`), for 200 ms or so at most.
    pub fn set_cork<S: Shell>(&mut self, _cx: &mut Context<'_, S>, on: bool) {
        self.user.cork = on;
        if !on {
            self.snd.more = false;
        }
    }

    /// Acknowledgments go at once for a while, or wait for data to travel with (`TCP_QUICKACK`).
    pub fn set_quick_ack<S: Shell>(&mut self, _cx: &mut Context<'_, S>, on: bool) {
        self.rcv.ack.set_quick(on);
    }

    /// An idle peer is probed, with the times of the configuration (`SO_KEEPALIVE`).
    pub fn set_keepalive<S: Shell>(&mut self, cx: &mut Context<'_, S>, on: bool) {
        self.user.keepalive = on;
        if on && self.state.is_synchronized() {
            let due = self.rcv.last_at.after(cx.config.keepalive_time);
            self.timers.arm(Timer::Keepalive, due.max(cx.now));
        } else {
            self.timers.stop(Timer::Keepalive);
        }
    }
}
