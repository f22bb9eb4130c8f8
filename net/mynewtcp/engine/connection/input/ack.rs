// SPDX-License-Identifier: GPL-2.0

//! Acknowledgments: what has arrived, and how wide the peer's window is. What is lost is `repair`'s
//! affair.

use crate::engine::buffer::{
    Context,
    Shell, //
};
use crate::engine::connection::input::Step;
use crate::engine::connection::repair::report::Report;
use crate::engine::connection::Connection;
use crate::engine::counters::Counter;
use crate::engine::event::Signal;
use crate::engine::fault::Fault;
use crate::engine::send::window::Updated;
use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};
use crate::engine::state::time_wait::TimeWait;
use crate::engine::timers::Timer;
use crate::engine::wire::{
    Control,
    Segment, //
};

impl Connection {
    /// Fifth step: the ACK field.
    #[inline]
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
        let mut report = self.begin_report(cx, segment, ack);
        if ack.before(self.snd.una) {
            self.undo_if_reported(cx);
            return Step::Continue;
        }
        // The path works: what ICMP said of it is over.
        self.soft_error = None;
        let updated = self.update_send_window(segment, ack);
        report.has_news |= updated == Updated::Yes;
        self.take_sack_blocks(cx, segment, &mut report);
        if ack.after(self.snd.una) {
            self.on_new_ack(cx, segment, &mut report);
        } else {
            report.is_duplicate = self.is_duplicate(segment, updated, &report);
        }
        self.repair(cx, &report);
        let early = u32::from(cx.config.has(Fault::FinAckedEarly));
        let reaches = ack.plus(early);
        if report.has_advanced && self.state.fin().is_some_and(|fin| reaches.after(fin)) {
            self.on_fin_acked(cx);
        }
        self.update_pacing(cx);
        Step::Continue
    }

    #[inline]
    pub(super) fn update_send_window(&mut self, segment: &Segment, ack: SeqNum) -> Updated {
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

    /// What the peer holds out of order.
    fn take_sack_blocks<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
        report: &mut Report,
    ) {
        if !self.rcv.sack {
            return;
        }
        let low = self.snd.data_una().latest(report.ack);
        let high = self.snd.data_nxt();
        for block in segment.options.sack.iter() {
            // A block that lies below tells of a duplicate (RFC 2883) or comes late, one that lies
            // above is a mistake.
            if block.end().after(high) {
                cx.shell.count(Counter::SackDiscard, 1);
            } else if block.start().after_or_eq(low) {
                self.snd
                    .board
                    .on_sack(cx.shell, block, &mut report.delivery);
            }
        }
        report.has_news |= report.delivery.sacked > 0;
    }

    /// RFC 5681, section 2; with selective acknowledgments RFC 6675, section 2.
    fn is_duplicate(&self, segment: &Segment, updated: Updated, report: &Report) -> bool {
        if self.rcv.sack {
            return report.delivery.sacked > 0;
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
        report: &mut Report,
    ) {
        let from = self.snd.data_una();
        self.snd.una = report.ack;
        let to = self.snd.data_una();
        self.snd
            .board
            .on_cumulative_ack(cx.shell, from, to, &mut report.delivery);
        report.acked = to.distance_from(from);
        report.has_advanced = true;
        report.has_news = true;
        self.note_progress(cx, segment, report.acked);
    }

    /// SND.UNA has advanced, over `acked` octets of data.
    #[inline(always)]
    pub(super) fn note_progress<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
        acked: u32,
    ) {
        self.snd.last_acked_at = cx.now;
        self.snd.patience.on_progress();
        self.on_mtu_probe_acked(cx);
        self.snd.tally.on_progress(cx.now);
        if segment.payload_len == 0 {
            cx.shell.count(Counter::PureAcks, 1);
        }
        if acked > 0 {
            self.pending.raise(Signal::Writable);
        }
        self.timers.stop(Timer::Persist);
        self.timers.stop(Timer::UserTimeout);
        self.timers.stop(Timer::Retransmit);
    }

    #[inline]
    fn on_fin_acked<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        self.snd.control_lost = false;
        let until = TimeWait::deadline_of(cx.now, cx.config);
        self.transition(cx, |state| state.on_fin_acked(until));
    }

    /// What lies between the peer's right edge and SND.NXT.
    pub(crate) fn usable_window(&self) -> u32 {
        let edge = self.snd.window.right_edge(self.snd.una);
        SeqRange::between(self.snd.nxt, edge).map_or(0, SeqRange::len)
    }
}
