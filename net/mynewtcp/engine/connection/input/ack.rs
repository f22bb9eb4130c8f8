// SPDX-License-Identifier: GPL-2.0

//! Acknowledgments: what has arrived, what is lost, how wide the windows are.

use crate::engine::buffer::{
    Context,
    Shell, //
};
use crate::engine::congestion::Cause;
use crate::engine::connection::control::News;
use crate::engine::connection::input::Step;
use crate::engine::connection::Connection;
use crate::engine::counters::Counter;
use crate::engine::event::Signal;
use crate::engine::fault::Fault;
use crate::engine::recv::timestamp_clock;
use crate::engine::send::loss::is_lost;
use crate::engine::send::recovery::Phase;
use crate::engine::send::scoreboard::Acked;
use crate::engine::send::window::Updated;
use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};
use crate::engine::time::Delta;
use crate::engine::timers::Timer;
use crate::engine::wire::{
    Control,
    Segment, //
};

impl Connection {
    /// Fifth step: the ACK field.
    pub(super) fn on_ack<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
        ack: SeqNum,
    ) -> Step {
        // "If the ACK acks something not yet sent (SEG.ACK > SND.NXT), then send an ACK, drop the
        // segment, and return."
        if ack.after(self.snd.nxt) {
            self.acknowledge_unacceptable(cx, segment, Counter::AckSkippedSeq);
            return Step::Done;
        }
        // "The ACK value is considered acceptable only if it is in the range of ((SND.UNA -
        // MAX.SND.WND) <= SEG.ACK <= SND.NXT). All incoming segments whose ACK value doesn't
        // satisfy the above condition MUST be discarded and an ACK sent back." (RFC 5961, 5.2)
        let oldest = self.snd.una.minus(self.snd.window.max.octets());
        if ack.before(oldest) {
            self.challenge(cx);
            return Step::Done;
        }
        self.snd.patience.on_answer();
        if ack.before(self.snd.una) {
            return Step::Continue;
        }
        // The path works: what ICMP said of it is over.
        self.soft_error = None;
        let updated = self.update_send_window(segment, ack);
        let prior_flight = self.snd.flight_size_bytes();
        let news = self.take_sack_blocks(cx, segment, ack);
        if self.ecn.is_echo(segment) {
            self.on_echo(cx, prior_flight);
        }
        if ack.after(self.snd.una) {
            self.on_new_ack(cx, segment, ack, prior_flight);
        } else if self.is_duplicate(segment, updated, news) {
            self.on_dup_ack(cx);
        }
        self.detect_losses(cx, prior_flight);
        Step::Continue
    }

    fn update_send_window(&mut self, segment: &Segment, ack: SeqNum) -> Updated {
        let updated = self.snd.window.update(segment, ack, self.snd.una);
        let edge = self.snd.window.right_edge(ack);
        if edge.after(self.snd.nxt) {
            self.snd.patience.on_open_window();
            if updated == Updated::Yes {
                self.timers.stop(Timer::Persist);
            }
        }
        updated
    }

    /// Returns how many octets the blocks tell of that we did not know of.
    fn take_sack_blocks<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
        ack: SeqNum,
    ) -> u32 {
        if !self.rcv.sack {
            return 0;
        }
        let low = self.snd.data_una().latest(ack);
        let high = self.snd.data_nxt();
        let mut news = 0u32;
        for block in segment.options.sack.iter() {
            // A block that lies below tells of a duplicate (RFC 2883), one that lies above of a
            // mistake.
            if block.start().before(low) || block.end().after(high) {
                continue;
            }
            let found = self.snd.board.on_sack(cx.shell, block);
            news = news.saturating_add(found);
        }
        news
    }

    /// RFC 5681, section 2; with selective acknowledgments RFC 6675, section 2.
    fn is_duplicate(&self, segment: &Segment, updated: Updated, news: u32) -> bool {
        if self.rcv.sack {
            return news > 0;
        }
        segment.payload_len == 0
            && segment.control == Control::None
            && updated == Updated::No
            && self.snd.flight_size_bytes() > 0
            && self.snd.window.wnd.octets() != 0
    }

    fn on_new_ack<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
        ack: SeqNum,
        prior_flight: u32,
    ) {
        let from = self.snd.data_una();
        self.snd.una = ack;
        let acked = self
            .snd
            .board
            .on_cumulative_ack(cx.shell, from, self.snd.data_una());
        self.measure_rtt(cx, segment, &acked);
        self.snd.patience.on_progress();
        self.on_mtu_probe_acked(cx);
        if segment.payload_len == 0 {
            cx.shell.count(Counter::PureAcks, 1);
        }
        if acked.bytes > 0 {
            self.pending.raise(Signal::Writable);
        }
        let rtt = acked
            .oldest_sent_at
            .filter(|_| !acked.retransmitted)
            .map(|sent_at| cx.now.since(sent_at));
        let news = News {
            acked_bytes: acked.bytes,
            prior_flight,
            rtt,
            ece: self.ecn.is_echo(segment),
        };
        self.advance_recovery(cx, &acked, news);
        self.snd.refresh();
        self.usage.refresh(self.snd.una);
        self.timers.stop(Timer::Persist);
        self.timers.stop(Timer::UserTimeout);
        if self.snd.has_outstanding() {
            let at = cx.now.after(self.rto(cx));
            self.timers.arm(Timer::Retransmit, at);
        } else {
            self.timers.stop(Timer::Retransmit);
        }
        let early = u32::from(cx.config.has(Fault::FinAckedEarly));
        if self
            .state
            .fin()
            .is_some_and(|fin| ack.plus(early).after(fin))
        {
            self.on_fin_acked(cx);
        }
    }

    fn on_fin_acked<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        self.snd.control_lost = false;
        let time_wait = self.make_time_wait(cx);
        self.transition(cx, |state| state.on_fin_acked(|| time_wait));
    }

    /// A measurement needs octets that were sent once only (Karn's algorithm), or timestamps.
    fn measure_rtt<S: Shell>(&mut self, cx: &Context<'_, S>, segment: &Segment, acked: &Acked) {
        if let (Some(sent_at), false) = (acked.oldest_sent_at, acked.retransmitted) {
            self.snd.rtt.on_sample(cx.now.since(sent_at));
            return;
        }
        let (Some(clock), Some(ts)) = (self.rcv.timestamps, segment.options.timestamps) else {
            return;
        };
        let millis = timestamp_clock(cx.now, clock.offset).wrapping_sub(ts.ecr);
        // An echo from the future, or of an age that no segment reaches, is made up.
        if ts.ecr != 0 && millis < 600_000 {
            self.snd
                .rtt
                .on_sample(Delta::from_millis(u64::from(millis.max(1))));
        }
    }

    /// SND.UNA has advanced: congestion window and phase follow.
    fn advance_recovery<S: Shell>(&mut self, cx: &mut Context<'_, S>, acked: &Acked, news: News) {
        let una = self.snd.una;
        let over = una.after_or_eq(self.snd.recovery.recovery_point);
        let mss = self.snd.size.mss();
        match self.snd.recovery.phase {
            Phase::Open => {
                self.snd.recovery.dup_acks = 0;
                self.on_data_acked(cx, news, true);
            }
            Phase::Recovery if over => {
                self.on_data_acked(cx, news, false);
                self.window.cwnd_bytes = self.window.ssthresh_bytes;
                self.snd.recovery.leave();
            }
            Phase::Recovery => {
                self.on_data_acked(cx, news, false);
                self.snd.recovery.on_partial_ack(acked.bytes, mss);
                if !self.rcv.sack {
                    let una = self.snd.data_una();
                    self.snd.board.mark_front_lost(cx.shell, una, mss.octets());
                    self.snd.recovery.first_is_due = true;
                }
            }
            Phase::Loss => {
                self.on_data_acked(cx, news, true);
                if over {
                    self.snd.recovery.leave();
                }
            }
        }
    }

    fn on_dup_ack<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        let una = self.snd.data_una();
        let prior_flight = self.snd.flight_size_bytes();
        if !self.snd.recovery.on_dup_ack(una) {
            return;
        }
        let mss = self.snd.size.mss().octets();
        self.snd.board.mark_front_lost(cx.shell, una, mss);
        if self.snd.board.awaiting_retransmission() > 0 {
            self.enter_recovery(cx, prior_flight);
        }
    }

    /// RFC 6675, section 5, step 2: `IsLost (HighACK + 1)`.
    fn detect_losses<S: Shell>(&mut self, cx: &mut Context<'_, S>, prior_flight: u32) {
        if !self.rcv.sack || self.snd.board.sacked == 0 {
            return;
        }
        let mss = self.snd.size.mss();
        let lost = self
            .snd
            .board
            .detect_losses(cx.shell, |arrived| is_lost(arrived, mss));
        if lost > 0 && self.snd.recovery.phase == Phase::Open {
            self.enter_recovery(cx, prior_flight);
        }
    }

    fn enter_recovery<S: Shell>(&mut self, cx: &mut Context<'_, S>, flight: u32) {
        cx.shell.count(
            if self.rcv.sack {
                Counter::SackRecovery
            } else {
                Counter::RenoRecovery
            },
            1,
        );
        if self.on_mtu_probe_lost(cx) {
            self.window.ssthresh_bytes = self.window.cwnd_bytes;
        } else {
            self.reduce_window(Cause::Loss, flight);
            self.window.cwnd_bytes = self.window.ssthresh_bytes;
        }
        self.snd.recovery.enter_recovery(self.snd.nxt);
    }

    /// What lies between the peer's right edge and SND.NXT.
    pub(crate) fn usable_window(&self) -> u32 {
        let edge = self.snd.window.right_edge(self.snd.una);
        SeqRange::between(self.snd.nxt, edge).map_or(0, SeqRange::len)
    }
}
