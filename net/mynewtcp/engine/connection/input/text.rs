// SPDX-License-Identifier: GPL-2.0

//! Payload and FIN: the seventh and eighth step of RFC 9293, 3.10.7.4.

use crate::engine::buffer::{
    Context,
    Payload,
    Shell, //
};
use crate::engine::connection::input::Step;
use crate::engine::connection::Connection;
use crate::engine::counters::Counter;
use crate::engine::error::ConnectionError;
use crate::engine::event::Signal;
use crate::engine::fault::Fault;
use crate::engine::recv::reassembly::{
    accept,
    Accepted, //
};
use crate::engine::state::time_wait::TimeWait;
use crate::engine::state::StateName;
use crate::engine::timers::Timer;
use crate::engine::wire::{
    Control,
    Segment, //
};

impl Connection {
    pub(super) fn on_text<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
        payload: S::Payload,
    ) -> Step {
        if !self.state.can_receive() {
            // "This should not occur since a FIN has been received from the remote side. Ignore
            // the segment text."
            return Step::Continue;
        }
        let range = segment.payload_range();
        if self.user.closed && range.end().after(self.rcv.nxt) {
            cx.shell.count(Counter::AbortOnData, 1);
            let reset = self.reset();
            self.fail(cx, ConnectionError::Aborted, Some(reset));
            return Step::Done;
        }
        self.take_marks(segment);
        let len = payload.len();
        let had_gap = self.rcv.has_gap();
        let mut start = range.start();
        if cx.config.has(Fault::OrderIgnored) {
            start = self.rcv.nxt;
        }
        match accept(&mut self.rcv, cx.shell, start, payload) {
            Accepted::InOrder(_) => {
                self.pending.raise(Signal::Readable);
                self.schedule_ack(cx, len);
                // "a TCP receiver SHOULD send an immediate ACK when the incoming segment fills in
                // all or part of a gap in the sequence space." (RFC 5681, 4.2)
                if had_gap {
                    self.rcv.ack.now();
                }
            }
            Accepted::OutOfOrder => {
                cx.shell.count(Counter::OutOfOrder, 1);
                self.rcv.ack.now();
            }
            Accepted::Nothing => {
                cx.shell.count(Counter::DuplicateData, 1);
                self.rcv.ack.now();
            }
            Accepted::Refused => {
                cx.shell.count(Counter::ReceiveRefused, 1);
                self.rcv.ack.now();
            }
        }
        Step::Continue
    }

    fn schedule_ack<S: Shell>(&mut self, cx: &mut Context<'_, S>, len: u32) {
        let nxt = self.rcv.nxt;
        match self.rcv.ack.on_data(cx.now, cx.config, len, nxt) {
            Some(at) => self.timers.arm_earlier(Timer::DelayedAck, at),
            None => self.timers.stop(Timer::DelayedAck),
        }
    }

    pub(super) fn on_fin_bit<S: Shell>(&mut self, cx: &mut Context<'_, S>, segment: &Segment) {
        if !self.state.can_receive() {
            return;
        }
        if segment.control == Control::Fin {
            let fin = segment.end().minus(1);
            let edge = self.rcv.window.right_edge(self.rcv.nxt);
            if fin == self.rcv.nxt || (fin.after(self.rcv.nxt) && fin.before(edge)) {
                self.rcv.fin = Some(fin);
            }
            self.rcv.ack.now();
        }
        let early = cx.config.has(Fault::FinOvertakesData) && self.rcv.fin.is_some();
        if self.rcv.fin == Some(self.rcv.nxt) || early {
            self.on_fin(cx);
        }
    }

    fn on_fin<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        self.rcv.advance_over_fin();
        self.rcv.ack.now();
        self.pending.raise(Signal::PeerClosed);
        let time_wait = self.make_time_wait(cx);
        self.transition(cx, |state| state.on_fin(|| time_wait));
    }

    /// The object that would stay behind if the connection were over now.
    pub(super) fn make_time_wait<S: Shell>(&self, cx: &Context<'_, S>) -> TimeWait {
        TimeWait::new(
            cx.now,
            cx.config,
            self.snd.nxt,
            self.rcv.nxt,
            self.rcv.timestamps,
        )
    }

    /// The user has let go of both directions.
    pub fn is_orphan(&self) -> bool {
        self.user.closed && self.state() != StateName::Closed
    }
}
