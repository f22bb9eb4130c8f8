// SPDX-License-Identifier: GPL-2.0

//! What the network brings (RFC 9293, 3.10.7).
//!
//! - `handshake`: SYN-SENT and SYN-RECEIVED;
//! - `ack`: acknowledgments, windows, losses;
//! - `text`: payload and FIN;
//! - `predicted`: the short way of the segment that comes next.

mod ack;
mod handshake;
mod predicted;
mod text;

use crate::engine::buffer::{
    Context,
    Payload,
    Shell, //
};
use crate::engine::connection::Connection;
use crate::engine::counters::Counter;
use crate::engine::error::{
    ConnectionError,
    IcmpError, //
};
use crate::engine::fault::Fault;
use crate::engine::seq::{
    Mss,
    SeqNum, //
};
use crate::engine::state::StateName;
use crate::engine::timers::Timer;
use crate::engine::wire::{
    Control,
    Segment,
    Transmit, //
};

/// Whether to go on with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
enum Step {
    /// To the next check.
    Continue,
    /// It has been dealt with.
    Done,
}

impl Connection {
    /// A segment has arrived, with a right checksum. `payload` covers its
    /// [`payload_range`](Segment::payload_range), and is `None` if that is empty.
    #[inline]
    pub fn on_segment<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
        payload: Option<S::Payload>,
    ) {
        let segments = payload.as_ref().map_or(1, Payload::segments);
        cx.shell.count(Counter::InSegs, segments);
        self.rcv.tally.count(segments, payload.is_some());
        if segment.ecn.is_capable() {
            let octets = payload.as_ref().map_or(0, Payload::len);
            self.rcv.tally.ecn.count(segment.ecn, segments, octets);
        }
        match self.state() {
            StateName::Closed => {}
            StateName::SynSent => self.on_segment_in_syn_sent(cx, segment),
            StateName::SynReceived => {
                if let Some(segment) = self.without_crossing_syn(segment) {
                    self.on_segment_synchronized(cx, &segment, payload);
                }
            }
            StateName::Established if cx.config.prediction => {
                if let Err(payload) = self.take_predicted(cx, segment, payload) {
                    self.on_segment_synchronized(cx, segment, payload);
                }
            }
            StateName::Established
            | StateName::FinWait1
            | StateName::FinWait2
            | StateName::CloseWait
            | StateName::Closing
            | StateName::LastAck => self.on_segment_synchronized(cx, segment, payload),
        }
    }

    /// The checks of RFC 9293, 3.10.7.4, in their order.
    #[inline]
    fn on_segment_synchronized<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
        payload: Option<S::Payload>,
    ) {
        if self.check_sequence(cx, segment) == Step::Done
            || self.check_control(cx, segment) == Step::Done
        {
            return;
        }
        // "if the ACK bit is off, drop the segment and return"
        let Some(ack) = segment.ack else {
            return;
        };
        if self.state() == StateName::SynReceived
            && self.on_ack_in_syn_received(cx, segment, ack) == Step::Done
        {
            return;
        }
        if self.on_ack(cx, segment, ack) == Step::Done {
            return;
        }
        self.update_timestamp(cx, segment);
        if let Some(payload) = payload.filter(|payload| !payload.is_empty()) {
            if self.on_text(cx, segment, payload) == Step::Done {
                return;
            }
        }
        self.on_fin_bit(cx, segment);
    }

    /// First step: the sequence number, and the timestamp with it.
    ///
    ///   "If an incoming segment is not acceptable, an acknowledgment should be sent in reply
    ///   (unless the RST bit is set, if so drop the segment and return)"
    fn check_sequence<S: Shell>(&mut self, cx: &mut Context<'_, S>, segment: &Segment) -> Step {
        let is_reset = segment.control == Control::Rst;
        if let (Some(clock), false) = (self.rcv.timestamps, is_reset) {
            // "If a non-<RST> segment is received without a TSopt, a TCP SHOULD silently drop the
            // segment." (RFC 7323, 3.2)
            let Some(ts) = segment.options.timestamps else {
                return Step::Done;
            };
            if clock.rejects(cx.now, ts.val) {
                let late = segment.is_empty() && segment.seq.before(self.rcv.nxt);
                let why = if late {
                    Counter::PawsOldAck
                } else {
                    Counter::PawsEstab
                };
                cx.shell.count(why, 1);
                self.acknowledge_unacceptable(cx, segment, Counter::AckSkippedPaws);
                return Step::Done;
            }
        }
        if !self.rcv.accepts(segment) {
            cx.shell.count(Counter::BeyondWindow, 1);
            if !is_reset {
                self.acknowledge_unacceptable(cx, segment, Counter::AckSkippedSeq);
                self.take_ack_of_probe(cx, segment);
            }
            return Step::Done;
        }
        self.rcv.last_at = cx.now;
        Step::Continue
    }

    /// "If the RCV.WND is zero, no segments will be acceptable, but special allowance should be
    /// made to accept valid ACKs" (RFC 9293, 3.10.7.4)
    fn take_ack_of_probe<S: Shell>(&mut self, cx: &mut Context<'_, S>, segment: &Segment) {
        let plain = match segment.control {
            Control::None | Control::Fin => segment.seq == self.rcv.nxt,
            Control::Syn | Control::Rst => false,
        };
        if let (true, true, Some(ack)) = (plain, self.state.is_synchronized(), segment.ack) {
            let _ = self.on_ack(cx, segment, ack);
        }
    }

    /// RFC 7323, 4.3: TS.Recent follows segments that cover the last acknowledgment sent. Their
    /// own acknowledgment must have been acceptable: otherwise a stranger who guesses RCV.NXT
    /// alone could set the clock forward, and PAWS would reject the true peer.
    #[inline]
    fn update_timestamp<S: Shell>(&mut self, cx: &mut Context<'_, S>, segment: &Segment) {
        let covers = segment.seq.before_or_eq(self.rcv.ack.last_sent);
        if let (Some(clock), Some(ts), true) = (
            self.rcv.timestamps.as_mut(),
            segment.options.timestamps,
            covers,
        ) {
            clock.update(cx.now, ts.val);
        }
    }

    /// Tells the peer what we expect. Data deserves it each time, because its acknowledgment may
    /// have been lost; empty segments only so often. `skipped` counts those that had to go without.
    fn acknowledge_unacceptable<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
        skipped: Counter,
    ) {
        if segment.control == Control::Syn {
            self.challenge_syn(cx);
        } else if !segment.is_empty() {
            cx.shell.count(Counter::DuplicateData, 1);
            self.on_data_unacceptable(cx, segment.payload_range());
            self.rcv.ack.now();
        } else if self
            .challenges
            .permit_answer(cx.now, cx.config.invalid_ratelimit)
        {
            self.rcv.ack.now();
        } else {
            cx.shell.count(skipped, 1);
        }
    }

    /// A challenge acknowledgment (RFC 5961): who really is our peer will know what to do.
    fn challenge<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        let (now, config) = (cx.now, cx.config);
        if self.challenges.permit_answer(now, config.invalid_ratelimit)
            && self.challenges.permit(now, config.challenge_ack_limit)
        {
            cx.shell.count(Counter::ChallengeAcks, 1);
            self.rcv.ack.now();
        } else {
            cx.shell.count(Counter::AckSkippedChallenge, 1);
        }
    }

    fn challenge_syn<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        cx.shell.count(Counter::SynChallenges, 1);
        self.challenge(cx);
    }

    /// Second and fourth step: RST and SYN.
    fn check_control<S: Shell>(&mut self, cx: &mut Context<'_, S>, segment: &Segment) -> Step {
        match segment.control {
            Control::None | Control::Fin => Step::Continue,
            Control::Rst => {
                // "If the RST bit is set and the sequence number does not exactly match the next
                // expected sequence value, yet is within the current receive window, TCP endpoints
                // MUST send an acknowledgment (challenge ACK)" (RFC 9293, 3.10.7.4)
                if segment.seq == self.rcv.nxt || cx.config.has(Fault::AnyReset) {
                    self.on_reset(cx);
                } else {
                    self.challenge(cx);
                }
                Step::Done
            }
            // "If the SYN bit is set, irrespective of the sequence number, TCP endpoints MUST send
            // a 'challenge ACK'" (RFC 9293, 3.10.7.4)
            Control::Syn => {
                self.challenge_syn(cx);
                Step::Done
            }
        }
    }

    fn on_reset<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        let error = match self.state() {
            StateName::SynSent | StateName::SynReceived => ConnectionError::Refused,
            StateName::CloseWait => ConnectionError::BrokenPipe,
            StateName::Closed
            | StateName::Established
            | StateName::FinWait1
            | StateName::FinWait2
            | StateName::Closing
            | StateName::LastAck => ConnectionError::Reset,
        };
        self.fail(cx, error, None);
    }

    /// ICMP has reported `error` about a segment of ours that began at `quoted`.
    ///
    /// RFC 5927: the quoted number must be one that is under way; and once there is a connection,
    /// ICMP alone does not end it.
    pub fn on_icmp<S: Shell>(&mut self, cx: &mut Context<'_, S>, quoted: SeqNum, error: IcmpError) {
        let under_way = quoted.after_or_eq(self.snd.una) && quoted.before(self.snd.nxt);
        if !under_way {
            return;
        }
        match self.state() {
            StateName::SynSent | StateName::SynReceived => {
                self.fail(cx, ConnectionError::Icmp(error), None);
            }
            StateName::Closed => {}
            StateName::Established
            | StateName::FinWait1
            | StateName::FinWait2
            | StateName::CloseWait
            | StateName::Closing
            | StateName::LastAck => {
                self.soft_error = Some(error);
                self.revert_back_off(cx, quoted, error);
            }
        }
    }

    /// A router that says that it has no way for our retransmission has taken the place of the
    /// congestion that the back-off assumes (RFC 6069, section 4.1): try again sooner.
    fn revert_back_off<S: Shell>(&mut self, cx: &Context<'_, S>, quoted: SeqNum, error: IcmpError) {
        let no_way = match error {
            IcmpError::NetworkUnreachable | IcmpError::HostUnreachable => true,
            IcmpError::ProtocolUnreachable
            | IcmpError::PortUnreachable
            | IcmpError::Prohibited
            | IcmpError::TimeExceeded
            | IcmpError::ParameterProblem => false,
        };
        let before = self.rto(cx);
        if !no_way || quoted != self.snd.una || !self.snd.rtt.revert_back_off() {
            return;
        }
        let sooner = before.minus(self.rto(cx));
        if let Some(at) = self.timers.deadline(Timer::Retransmit) {
            let at = at.before(sooner).max(cx.now);
            self.timers.arm(Timer::Retransmit, at);
        }
    }

    /// The path's MTU is another one: `path_mss` octets of payload fit behind bare headers.
    ///
    /// What is under way and no longer fits is sent again, in segments of the new size.
    pub fn on_mtu_change<S: Shell>(&mut self, cx: &mut Context<'_, S>, path_mss: Mss) {
        let before = self.snd.size.mss();
        self.snd.pmtu.on_route(path_mss);
        let mss = self.follow_path_mtu();
        let smaller = mss < before;
        if smaller && self.state.is_synchronized() {
            let una = self.snd.data_una();
            self.snd.board.mark_front_lost(cx.shell, una, mss.octets());
            self.snd.recovery.first_is_due = self.snd.board.awaiting_retransmission() > 0;
        }
    }

    /// The shell could not send what [`Connection::poll_transmit`] gave it, for want of memory.
    /// It is tried again after a while; for congestion control nothing has been lost.
    pub fn on_transmit_failed<S: Shell>(&mut self, cx: &mut Context<'_, S>, transmit: &Transmit) {
        cx.shell.count(Counter::TransmitFailed, 1);
        if self.state() == StateName::Closed {
            if transmit.control == Control::Rst {
                cx.shell.count(Counter::AbortFailed, 1);
            }
            // Last words are not repeated: the peer's next segment will earn others.
            return;
        }
        self.ecn.on_transmit_failed(transmit);
        if !transmit.range.is_empty() {
            self.snd.board.mark_unsent(cx.shell, transmit.range.start());
            self.snd.prr.on_unsent(transmit.range.len());
            if transmit.retransmission {
                self.snd.undo.on_unsent(transmit.range.len());
            }
        }
        match transmit.control {
            Control::Syn | Control::Fin => self.snd.control_lost = true,
            Control::Rst | Control::None => {}
        }
        if self.state.is_synchronized() {
            self.rcv.ack.now();
        }
        let soon = cx.now.after(cx.config.resource_probe_interval);
        self.timers.arm_earlier(Timer::Memory, soon);
    }
}
