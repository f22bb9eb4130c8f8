// SPDX-License-Identifier: GPL-2.0

//! What goes out. `data` holds the two kinds of transmissions with payload, `probe` those that
//! find out how large a segment may be.

mod data;
mod probe;

use crate::engine::buffer::{
    Context,
    Shell, //
};
use crate::engine::congestion::ecn::EcnMode;
use crate::engine::connection::Connection;
use crate::engine::counters::Counter;
use crate::engine::fault::Fault;
use crate::engine::recv::timestamp_clock;
use crate::engine::send::chrono::Activity;
use crate::engine::send::recovery::Phase;
use crate::engine::seq::SeqNum;
use crate::engine::state::handshake::Reset;
use crate::engine::state::{
    State,
    StateName, //
};
use crate::engine::time::{
    Delta,
    Instant, //
};
use crate::engine::timers::Timer;
use crate::engine::wire::{
    Control,
    Ecn,
    Options,
    SackBlocks,
    Timestamps,
    Transmit, //
};

/// What a connection has to say when it is asked for a transmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Polled {
    /// There is none.
    Nothing,
    /// There is one, and there may be others: ask again.
    One,
    /// There is one, and no other; should it fail, ask again nevertheless.
    Last,
}

/// Puts what was found, if anything was, where it is wanted.
fn put(out: &mut Transmit, found: Option<Transmit>) -> bool {
    match found {
        Some(transmit) => {
            *out = transmit;
            true
        }
        None => false,
    }
}

impl Connection {
    /// The next transmission, if there is one. Ask until there is none.
    pub fn poll_transmit<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> Option<Transmit> {
        let mut transmit = Transmit::NONE;
        match self.poll_transmit_into(cx, &mut transmit) {
            Polled::Nothing => None,
            Polled::One | Polled::Last => Some(transmit),
        }
    }

    /// The same, where the transmission is to stay: moving it about costs more than making it.
    pub fn poll_transmit_into<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        out: &mut Transmit,
    ) -> Polled {
        if self.timers.is_armed(Timer::Memory) {
            return Polled::Nothing;
        }
        let found = match self.plain_len(cx) {
            Some(len) => {
                let sent = self.send_plainly(cx, len, out);
                if sent && !self.snd.probe_due {
                    self.rest_after_plain(cx, len);
                    return Polled::Last;
                }
                sent || self.poll_without_data(cx, out)
            }
            None => self.poll_long(cx, out),
        };
        if !found {
            return Polled::Nothing;
        }
        self.count_transmit(cx, out);
        if self.state.is_synchronized() && self.has_nothing_to_send() {
            self.rest(cx);
            return Polled::Last;
        }
        Polled::One
    }

    /// [`poll_transmit_into`](Self::poll_transmit_into) where there is more to look at than a few
    /// octets to send.
    fn poll_long<S: Shell>(&mut self, cx: &mut Context<'_, S>, out: &mut Transmit) -> bool {
        match self.state() {
            StateName::Closed => put(out, self.poll_closed(cx)),
            StateName::SynSent | StateName::SynReceived => put(out, self.poll_handshake(cx)),
            StateName::Established
            | StateName::FinWait1
            | StateName::FinWait2
            | StateName::CloseWait
            | StateName::Closing
            | StateName::LastAck => self.poll_synchronized(cx, out),
        }
    }

    /// `len` octets were all that there was to send, one segment of new data. What follows any
    /// transmission then: it is counted, and the connection rests.
    #[inline]
    fn rest_after_plain<S: Shell>(&mut self, cx: &mut Context<'_, S>, len: u32) {
        debug_assert!(self.has_nothing_to_send() && self.is_plain());
        cx.shell.count(Counter::OutSegs, 1);
        cx.shell.count(Counter::OrigDataSent, 1);
        self.tally.count_segment(len);
        self.timers.stop(Timer::Pacing);
        self.rest_plainly(cx);
    }

    /// Whether there is nothing to transmit, so that [`poll_transmit`](Self::poll_transmit) need
    /// not be asked. That is how most segments leave a connection.
    #[inline]
    pub fn rests<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> bool {
        let rests = self.state.is_synchronized()
            && !self.timers.is_armed(Timer::Memory)
            && self.has_nothing_to_send();
        if rests {
            self.rest(cx);
        }
        rests
    }

    fn count_transmit<S: Shell>(&mut self, cx: &mut Context<'_, S>, transmit: &Transmit) {
        let counter = match (transmit.control, transmit.retransmission) {
            (Control::Rst, _) => Counter::OutRsts,
            (Control::None | Control::Syn | Control::Fin, true) => Counter::RetransSegs,
            (Control::None | Control::Syn | Control::Fin, false) => Counter::OutSegs,
        };
        cx.shell.count(counter, transmit.segments());
        match (transmit.control, transmit.retransmission) {
            (Control::Syn, true) => cx.shell.count(Counter::SynRetrans, 1),
            (Control::None | Control::Fin, false) if !transmit.range.is_empty() => {
                cx.shell.count(Counter::OrigDataSent, transmit.segments());
            }
            (Control::None | Control::Syn | Control::Fin | Control::Rst, _) => {}
        }
        self.tally.count(transmit);
    }

    /// Last words: a reset, or the acknowledgment of the FIN that ended it all.
    fn poll_closed<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> Option<Transmit> {
        if let Some(reset) = self.take_reset() {
            return Some(self.reset_transmit(cx, reset));
        }
        if !self.rcv.ack.is_now() {
            return None;
        }
        self.rcv.ack.on_sent(cx.now, self.rcv.nxt, false);
        Some(self.left_behind()?.acknowledge(cx.now))
    }

    fn take_reset(&mut self) -> Option<Reset> {
        match &mut self.state {
            State::Closed(state) => state.reset.take(),
            State::SynSent(state) => state.reset.take(),
            State::SynReceived(state) => state.reset.take(),
            State::Established(_)
            | State::FinWait1(_)
            | State::FinWait2(_)
            | State::CloseWait(_)
            | State::Closing(_)
            | State::LastAck(_) => None,
        }
    }

    fn reset_transmit<S: Shell>(&self, cx: &Context<'_, S>, reset: Reset) -> Transmit {
        let mut transmit = Transmit::bare(reset.seq, reset.ack, Control::Rst);
        transmit.options.timestamps = self.rcv.timestamps.map(|clock| clock.option(cx.now));
        transmit
    }

    fn poll_handshake<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> Option<Transmit> {
        if let Some(reset) = self.take_reset() {
            return Some(self.reset_transmit(cx, reset));
        }
        if self.snd.control_lost {
            return Some(self.transmit_syn(cx));
        }
        if self.rcv.ack.is_now() && self.state() == StateName::SynReceived {
            let mut transmit = Transmit::NONE;
            self.transmit_ack(cx, &mut transmit);
            return Some(transmit);
        }
        self.arm_retransmit(cx);
        self.arm_user_timeout(cx);
        None
    }

    /// <SEQ=ISS><CTL=SYN>, or <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>.
    fn transmit_syn<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> Transmit {
        let answers = self.state() == StateName::SynReceived;
        let ack = answers.then_some(self.rcv.nxt);
        let mut transmit = Transmit::bare(self.snd.iss, ack, Control::Syn);
        transmit.window = self.rcv.window.initial_field();
        transmit.retransmission = self.snd.nxt != self.snd.iss;
        transmit.options = self.syn_options(cx, answers);
        self.mark_syn(cx, &mut transmit, answers);
        self.snd.nxt = self.snd.iss.plus(1);
        self.snd.control_lost = false;
        self.snd.control_sent_at = cx.now;
        if answers {
            self.rcv.ack.on_sent(cx.now, self.rcv.nxt, false);
        }
        self.arm_retransmit(cx);
        transmit
    }

    /// ECN on a SYN. An algorithm that needs marks sends its SYNs ECN-capable too, as Linux does:
    /// a lost SYN costs a second.
    fn mark_syn<S: Shell>(&mut self, cx: &Context<'_, S>, transmit: &mut Transmit, answers: bool) {
        let needs = self.needs_ecn();
        if answers {
            transmit.ece = self.ecn.agreed;
        } else if cx.config.ecn == EcnMode::On || needs {
            self.ecn.offer(transmit, cx.config.ecn_fallback);
        }
        if needs && transmit.ece {
            transmit.ecn = Ecn::Ect0;
        }
    }

    /// A SYN offers what the configuration allows, a SYN-ACK what both sides want.
    fn syn_options<S: Shell>(&self, cx: &Context<'_, S>, answers: bool) -> Options {
        let scaling = if answers {
            self.peer_scales
        } else {
            cx.config.window_scaling
        };
        let offer = Timestamps {
            val: timestamp_clock(cx.now, self.ts_offset),
            ecr: 0,
        };
        Options {
            mss: Some(self.advertised_mss),
            window_scale: scaling.then_some(self.rcv.window.scale),
            timestamps: if answers {
                self.rcv.timestamps.map(|clock| clock.option(cx.now))
            } else {
                cx.config.timestamps.then_some(offer)
            },
            sack_permitted: if answers {
                self.rcv.sack
            } else {
                cx.config.sack
            },
            sack: SackBlocks::NONE,
        }
    }

    fn poll_synchronized<S: Shell>(&mut self, cx: &mut Context<'_, S>, out: &mut Transmit) -> bool {
        if self.has_nothing_to_send() {
            self.rest(cx);
            return false;
        }
        self.poll_output(cx, out)
    }

    /// There is [nothing to send](Self::has_nothing_to_send).
    #[inline]
    fn rest<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        self.timers.stop(Timer::Pacing);
        if self.is_plain() && cx.config.prediction {
            self.rest_plainly(cx);
            return;
        }
        self.snd.cwnd_limited = self.congestion_allows() < self.snd.size.mss().octets();
        self.settle(cx);
    }

    /// All that was ever queued is under way or has arrived, and nothing is held to be lost.
    #[inline]
    fn is_plain(&self) -> bool {
        self.snd.syn_acked
            && self.snd.nxt == self.snd.write_seq
            && self.snd.recovery.phase == Phase::Open
            && self.snd.recovery.dup_acks == 0
            && self.snd.board.is_clean(self.snd.una)
    }

    /// The same where all that was ever queued is under way or has arrived and nothing is held to
    /// be lost: what [`settle`](Self::settle) does then.
    #[inline(always)]
    fn rest_plainly<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        let flight = self.snd.nxt.distance_from(self.snd.una);
        let room = self.window.cwnd_bytes.saturating_sub(flight);
        let is_limited = room < self.snd.size.mss().octets();
        self.snd.cwnd_limited = is_limited;
        self.usage
            .on_sent(self.snd.una, self.snd.nxt, flight, is_limited);
        let waiting_writer = cx.shell.has_waiting_writer();
        if cx.config.slow_start_after_idle {
            self.validate_usage(cx, waiting_writer);
        }
        let activity = match (waiting_writer, flight) {
            (true, _) => Activity::BufferLimited,
            (false, 0) => Activity::Idle,
            (false, _) => Activity::Busy,
        };
        self.snd.chrono.set(cx.now, activity);
        if room > 0 {
            self.snd.rate.on_app_limited(self.snd.nxt);
        }
        if flight == 0 {
            self.timers.stop(Timer::Probe);
            let _ = self.snd.patience.waiting_since(cx.now, None);
            self.timers.stop(Timer::UserTimeout);
            return;
        }
        self.arm_retransmit(cx);
        self.arm_probe(cx);
        self.arm_user_timeout(cx);
    }

    /// All that could be a reason to transmit is absent.
    #[inline]
    fn has_nothing_to_send(&self) -> bool {
        let snd = &self.snd;
        let asked = self.rcv.ack.is_now() || snd.probe_due || snd.tlp.due || snd.control_lost;
        !asked
            && snd.unsent() == 0
            && snd.board.awaiting_retransmission() == 0
            && !self.ecn.has_early()
            && self.state.fin().is_none()
    }

    fn poll_output<S: Shell>(&mut self, cx: &mut Context<'_, S>, out: &mut Transmit) -> bool {
        self.poll_before_ack(cx, out) || self.poll_without_data(cx, out)
    }

    /// What goes when no data does.
    #[inline]
    fn poll_without_data<S: Shell>(&mut self, cx: &mut Context<'_, S>, out: &mut Transmit) -> bool {
        if self.rcv.ack.is_now() {
            self.transmit_ack(cx, out);
            return true;
        }
        if self.snd.probe_due {
            self.snd.probe_due = false;
            return put(out, Some(self.transmit_probe(cx)));
        }
        self.settle(cx);
        false
    }

    /// What goes before an acknowledgment that nothing else carries.
    fn poll_before_ack<S: Shell>(&mut self, cx: &mut Context<'_, S>, out: &mut Transmit) -> bool {
        if self.ecn.has_early() && put(out, self.poll_early_ack(cx)) {
            return true;
        }
        // Data carries no selective acknowledgments: they would make its segments shorter. So
        // what they have to say goes first.
        let has_report = !self.rcv.blocks.is_empty() || self.rcv.duplicates.is_owed();
        if self.rcv.ack.is_now() && has_report {
            self.transmit_ack(cx, out);
            return true;
        }
        if self.snd.tlp.due && put(out, self.poll_probe(cx)) {
            return true;
        }
        if !self.is_paced(cx) {
            let again = self.snd.control_lost || self.snd.board.awaiting_retransmission() > 0;
            if again && put(out, self.poll_retransmission(cx)) {
                return true;
            }
            if self.poll_new_data(cx, out) {
                return true;
            }
        }
        false
    }

    /// All has been sent that could be: what is waited for now?
    #[inline]
    fn settle<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        self.note_usage(cx);
        self.arm_retransmit(cx);
        self.arm_probe(cx);
        self.arm_persist(cx);
        self.arm_user_timeout(cx);
    }

    #[inline]
    fn transmit_ack<S: Shell>(&mut self, cx: &mut Context<'_, S>, transmit: &mut Transmit) {
        let seq = self.snd.nxt;
        self.header(cx, seq, Control::None, transmit);
        transmit.options.sack = self.rcv.blocks;
        //   "the first block of the SACK option [...] specifies the range of the duplicate
        //   segment" (RFC 2883, section 4)
        if let Some(duplicate) = self.rcv.duplicates.take() {
            transmit.options.sack.push_front(duplicate);
        }
        transmit
            .options
            .sack
            .truncate(if self.rcv.timestamps.is_some() {
                SackBlocks::MAX_WITH_TIMESTAMPS
            } else {
                SackBlocks::MAX
            });
        if !self.rcv.sack {
            transmit.options.sack = SackBlocks::NONE;
        }
        self.snd.probe_due = false;
        self.ecn.mark(transmit, self.needs_ecn());
        self.on_ack_sent(cx.now, false);
    }

    /// A segment in front of the window, without payload: whoever gets it must say what it has and
    /// what it will take. Nothing of the queue has to be cut up for it.
    fn transmit_probe<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> Transmit {
        let seq = self.snd.una.minus(1);
        let mut transmit = Transmit::NONE;
        self.header(cx, seq, Control::None, &mut transmit);
        self.ecn.mark(&mut transmit, self.needs_ecn());
        self.on_ack_sent(cx.now, false);
        transmit
    }

    /// A header with everything that each segment of a synchronized connection has.
    #[inline(always)]
    fn header<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        seq: SeqNum,
        control: Control,
        transmit: &mut Transmit,
    ) {
        let pressure = cx.shell.is_under_pressure();
        if pressure {
            self.rcv.tuning.on_pressure();
        }
        let room = self.room_under(cx, pressure);
        let nxt = self.rcv.nxt;
        let was_open = !self.rcv.window.is_closed();
        *transmit = Transmit::bare(seq, Some(nxt), control);
        transmit.window = self.rcv.window.offer(nxt, room);
        match (was_open, transmit.window > 0) {
            (true, false) => cx.shell.count(Counter::ToZeroWindow, 1),
            (false, true) => cx.shell.count(Counter::FromZeroWindow, 1),
            (true, true) if room.is_scarce() => cx.shell.count(Counter::WantZeroWindow, 1),
            (true, true) | (false, false) => {}
        }
        transmit.options.timestamps = self.rcv.timestamps.map(|clock| clock.option(cx.now));
        transmit.gso_size = self.snd.size.mss().field();
    }

    fn on_ack_sent(&mut self, now: Instant, with_data: bool) {
        self.rcv.ack.on_sent(now, self.rcv.nxt, with_data);
        self.timers.stop(Timer::DelayedAck);
    }

    /// What is under way is waited for.
    pub(super) fn arm_retransmit<S: Shell>(&mut self, cx: &Context<'_, S>) {
        if self.snd.has_outstanding() && !self.timers.is_armed(Timer::Retransmit) {
            let at = cx.now.after(self.rto(cx));
            self.timers.arm(Timer::Retransmit, at);
        }
    }

    /// The user's patience runs from the last progress.
    fn arm_user_timeout<S: Shell>(&mut self, cx: &Context<'_, S>) {
        let owed = self.snd.has_outstanding() || self.snd.unsent() > 0;
        let una = self.snd.una;
        let since = self.snd.patience.waiting_since(cx.now, owed.then_some(una));
        if cx.config.user_timeout == Delta::ZERO || !owed {
            self.timers.stop(Timer::UserTimeout);
        } else {
            let at = since.after(cx.config.user_timeout);
            self.timers.arm(Timer::UserTimeout, at);
        }
    }

    /// What is queued and cannot go is waited for too.
    fn arm_persist<S: Shell>(&mut self, cx: &Context<'_, S>) {
        let fin_is_unsent = self.state.fin() == Some(self.snd.nxt);
        let waits = !cx.config.has(Fault::NoPersist);
        let owed = waits && (self.snd.unsent() > 0 || fin_is_unsent);
        if owed && !self.snd.has_outstanding() && !self.timers.is_armed(Timer::Persist) {
            let interval = self.snd.patience.probe_interval(&self.snd.rtt, cx.config);
            self.timers.arm(Timer::Persist, cx.now.after(interval));
        }
    }
}
