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
use crate::engine::recv::ack::{
    Outlook,
    Pace,
    Sample,
    Wait, //
};
use crate::engine::recv::reassembly::{
    accept,
    note_old,
    Accepted, //
};
use crate::engine::recv::timestamp_clock;
use crate::engine::recv::tuning::Arrival;
use crate::engine::seq::SeqRange;
use crate::engine::state::time_wait::TimeWait;
use crate::engine::state::StateName;
use crate::engine::timers::Timer;
use crate::engine::wire::{
    Control,
    Segment, //
};

impl Connection {
    /// Nobody will read what arrives now, and the peer has to learn of that: after close, and
    /// after shutdown of both directions, once our FIN is under way.
    fn loses_data(&self) -> bool {
        let fin_is_sent = matches!(
            self.state(),
            StateName::FinWait1 | StateName::FinWait2 | StateName::Closing
        );
        self.user.closed || (self.user.deaf && fin_is_sent)
    }

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
        if self.loses_data() && range.end().after(self.rcv.nxt) {
            cx.shell.count(Counter::AbortOnData, 1);
            let reset = self.reset();
            let why = if self.user.closed {
                ConnectionError::Aborted
            } else {
                ConnectionError::Reset
            };
            self.fail(cx, why, Some(reset));
            return Step::Done;
        }
        self.take_marks(segment);
        self.measure(cx, segment, &payload);
        let had_gap = self.rcv.has_gap();
        let mut start = range.start();
        if cx.config.has(Fault::OrderIgnored) {
            start = self.rcv.nxt;
        }
        match accept(&mut self.rcv, cx, start, payload) {
            Accepted::InOrder(_) => {
                self.pending.raise(Signal::Readable);
                self.schedule_ack(cx);
                // "a TCP receiver SHOULD send an immediate ACK when the incoming segment fills in
                // all or part of a gap in the sequence space." (RFC 5681, 4.2)
                if had_gap {
                    self.rcv.ack.now();
                }
            }
            Accepted::OutOfOrder => {
                cx.shell.count(Counter::OutOfOrder, 1);
                self.rcv.ack.on_gap();
            }
            Accepted::Nothing => {
                cx.shell.count(Counter::DuplicateData, 1);
                self.rcv.ack.enter_quick();
                self.rcv.ack.now();
            }
            Accepted::Refused => {
                cx.shell.count(Counter::ReceiveRefused, 1);
                self.rcv.ack.now();
            }
        }
        Step::Continue
    }

    /// Data came that is not acceptable: again, or too far ahead, or too late.
    pub(super) fn on_data_unacceptable<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        range: SeqRange,
    ) {
        if range.start().before(self.rcv.nxt) {
            cx.shell.count(Counter::DelayedAckLost, 1);
            self.rcv.ack.enter_quick();
            note_old(&mut self.rcv, cx, range);
        } else if self.rcv.window.offered(self.rcv.nxt) == 0 {
            cx.shell.count(Counter::ZeroWindowDrop, 1);
        }
    }

    /// Learns from a segment with payload what full segments are, what they cost, and how long a
    /// round trip takes.
    #[inline(always)]
    pub(super) fn measure<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
        payload: &S::Payload,
    ) {
        let arrival = Arrival {
            len: payload.len(),
            cost: payload.cost(),
        };
        let segment_len = payload.segment_len();
        let sample = Sample {
            segment_len,
            pushed: segment.psh,
        };
        let rcv = &mut self.rcv;
        if rcv.ack.measure(sample) {
            rcv.tuning.measure(arrival);
        }
        if arrival.is_telling() && !cx.shell.is_under_pressure() {
            let (free, limit) = (cx.shell.free_space(), cx.shell.capacity_limit());
            if rcv.tuning.on_arrival(arrival, free, limit) {
                rcv.ack.once_quick();
            }
        }
        if let (Some(clock), Some(ts), true) = (
            rcv.timestamps,
            segment.options.timestamps,
            segment_len >= u32::from(rcv.ack.peer_mss),
        ) {
            let now = timestamp_clock(cx.now, clock.offset);
            rcv.tuning.rtt.on_echo(now, ts.ecr);
        }
    }

    #[inline(always)]
    pub(super) fn schedule_ack<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        let nxt = self.rcv.nxt;
        let window = self.rcv.window.told(self.rcv.ack.last_sent);
        self.rcv.tuning.rtt.on_progress(cx.now, nxt, window);
        let pace = self.pace(cx);
        let outlook = Outlook {
            reader_waits: cx.shell.has_waiting_reader(),
            wait: self.awaited(cx),
        };
        match self.rcv.ack.on_data(cx.now, cx.config, pace, nxt, outlook) {
            Some(at) => self.timers.arm_earlier(Timer::DelayedAck, at),
            None => self.timers.stop(Timer::DelayedAck),
        }
    }

    /// What an acknowledgment waits for. What it would say of the window is worth saying before the
    /// user reads if that does not shrink, or if the user is not going to read what there is.
    #[inline]
    fn awaited<S: Shell>(&self, cx: &Context<'_, S>) -> Wait {
        let (nxt, ack) = (self.rcv.nxt, &self.rcv.ack);
        if !ack.owes_two(nxt) {
            return Wait::No;
        }
        if self.stretches_ack() {
            return Wait::ForMore;
        }
        let window = &self.rcv.window;
        if !cx.shell.has_enough_to_read()
            || window.keeps_its_size(ack.last_sent, nxt, self.room(cx))
        {
            return Wait::No;
        }
        Wait::ForRoom
    }

    /// The acknowledgment that is owed need not be sent before more data is.
    #[inline]
    pub(crate) fn stretches_ack(&self) -> bool {
        let told = self.rcv.window.told(self.rcv.ack.last_sent);
        let (nxt, min_rtt) = (self.rcv.nxt, self.snd.rtt.min());
        self.rcv.ack.stretches(nxt, told, min_rtt)
    }

    /// What the pace of acknowledgments depends on.
    pub(crate) fn pace<S: Shell>(&self, cx: &Context<'_, S>) -> Pace {
        Pace {
            srtt: self.snd.rtt.srtt,
            rto: self.rto(cx),
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
            if fin != self.rcv.nxt {
                self.rcv.ack.now();
            }
        }
        let early = cx.config.has(Fault::FinOvertakesData) && self.rcv.fin.is_some();
        if self.rcv.fin == Some(self.rcv.nxt) || early {
            self.on_fin(cx);
        }
    }

    fn on_fin<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        self.rcv.advance_over_fin();
        self.schedule_ack_of_fin(cx);
        self.pending.raise(Signal::PeerClosed);
        let until = TimeWait::deadline_of(cx.now, cx.config);
        self.transition(cx, |state| state.on_fin(until));
    }

    /// A user who hears of the FIN often lets go at once, and our FIN can carry the
    /// acknowledgment. Whoever has let go before has nothing to wait for.
    fn schedule_ack_of_fin<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        if !self.state.can_send() {
            self.rcv.ack.now();
            return;
        }
        let (pace, nxt) = (self.pace(cx), self.rcv.nxt);
        if let Some(at) = self.rcv.ack.on_fin(cx.now, cx.config, pace, nxt) {
            self.timers.arm_earlier(Timer::DelayedAck, at);
        }
    }

    /// Reasons to doubt that the peer of an orphan is still there, should there be too many of
    /// them: nothing has been sent for long, or ICMP says that nothing arrives. `None` if it is no
    /// orphan.
    pub fn doubts<S: Shell>(&self, cx: &Context<'_, S>) -> Option<u32> {
        let quiet = cx.now.since(self.snd.last_sent_at) > cx.config.rto_max.times(2);
        let doubts = u32::from(quiet) + u32::from(self.soft_error.is_some());
        self.is_orphan().then_some(doubts)
    }

    /// The user has let go of both directions.
    pub fn is_orphan(&self) -> bool {
        self.user.closed && self.state() != StateName::Closed
    }
}
