// SPDX-License-Identifier: GPL-2.0

//! What is done about losses: RACK-TLP (RFC 8985) with selective acknowledgments, NewReno
//! (RFC 6582) without; proportional rate reduction (RFC 9937); time-outs (RFC 5681, RFC 6298).
//!
//! - [`report`]: what an acknowledgment tells, and what is measured;
//! - `undo`: reductions that were a mistake (RFC 5682, RFC 3522, RFC 3708);
//! - `probe`: tail loss probes.

mod probe;
pub(super) mod report;
mod undo;

use crate::engine::buffer::{
    Context,
    Shell, //
};
use crate::engine::congestion::Cause;
use crate::engine::connection::control::News;
use crate::engine::connection::repair::report::Report;
use crate::engine::connection::Connection;
use crate::engine::counters::Counter;
use crate::engine::send::prr::Progress;
use crate::engine::send::recovery::{
    Frto,
    Phase, //
};
use crate::engine::send::scoreboard::{
    Losses,
    Reneged, //
};
use crate::engine::time::Delta;
use crate::engine::timers::Timer;

/// Whether an acknowledgment has ended a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// It has.
    Yes,
    /// It has not, or there was none.
    No,
}

impl Connection {
    /// An acknowledgment has been taken in: what does it mean for what is under way?
    pub(super) fn repair<S: Shell>(&mut self, cx: &mut Context<'_, S>, report: &Report) {
        let delivery = &report.delivery;
        let rtt = self.measure_rtt(cx, report);
        self.snd.rack.on_delivery(delivery);
        self.snd.rack.end_round(self.snd.una);
        if delivery.overtaken.is_some() {
            self.note_reordering(cx, report);
        }
        self.judge_probe(cx, report);
        if report.ece {
            self.snd.undo.require();
        }
        let was_repairing = self.snd.recovery.is_repairing();
        let mut delivered = delivery.bytes;
        let ended = self.advance_phase(cx, report, &mut delivered);
        let lost = self.find_losses(cx, report);
        let remains = ended == Ended::Yes && self.snd.board.awaiting_retransmission() > 0;
        if (lost > 0 || remains) && !self.snd.recovery.is_repairing() {
            self.enter_recovery(cx, report.prior_flight, delivered);
        }
        if report.ece {
            self.on_echo(cx, report.prior_flight, delivered);
        }
        if self.snd.recovery.is_reducing() {
            let safe = report.has_advanced && lost == 0;
            self.apply_prr(delivered, safe);
        }
        if report.has_advanced {
            let reducing = self.snd.recovery.is_reducing();
            let news = News {
                acked_bytes: report.acked,
                prior_flight: report.prior_flight,
                rtt,
                sent_at: delivery.youngest,
                ece: report.ece,
            };
            self.on_data_acked(
                cx,
                news,
                !(reducing || was_repairing && ended == Ended::Yes),
            );
            self.usage.refresh(self.snd.una);
            self.snd.refresh();
            self.arm_retransmit(cx);
        }
        self.expect_reneging(cx);
    }

    /// The network has reordered: from `delivery.overtaken` to what had arrived before it.
    fn note_reordering<S: Shell>(&mut self, cx: &mut Context<'_, S>, report: &Report) {
        let delivery = &report.delivery;
        if !self.rcv.sack {
            return;
        }
        let low = delivery.overtaken.unwrap_or(report.prior_una);
        let octets = delivery.fack.saturating_distance_from(low);
        let segments = octets.div_ceil(delivery.mss.octets());
        self.snd.rack.on_reordering(segments, cx.config);
        cx.shell.count(
            if delivery.echo.is_some() {
                Counter::TsReorder
            } else {
                Counter::SackReorder
            },
            1,
        );
    }

    /// The phase follows the acknowledgment. `delivered` is corrected by what duplicates had told
    /// of before.
    fn advance_phase<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        report: &Report,
        delivered: &mut u32,
    ) -> Ended {
        let una = self.snd.una;
        let over = una.after_or_eq(self.snd.recovery.recovery_point);
        match self.snd.recovery.phase {
            Phase::Open => {
                if report.has_advanced {
                    self.snd.recovery.dup_acks = 0;
                }
                self.undo_if_reported(cx);
                Ended::No
            }
            // The mark of congestion was answered with the first segment sent after it.
            Phase::Cwr if una.after(self.snd.recovery.recovery_point) => {
                self.end_reduction();
                Ended::Yes
            }
            Phase::Cwr => Ended::No,
            Phase::Recovery if over => {
                self.end_recovery(cx, report);
                Ended::Yes
            }
            Phase::Recovery => self.advance_recovery(cx, report, delivered),
            Phase::Loss => self.advance_loss(cx, report, over),
        }
    }

    /// In the middle of a recovery.
    fn advance_recovery<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        report: &Report,
        delivered: &mut u32,
    ) -> Ended {
        if self.undo_partial(cx, report) {
            return Ended::Yes;
        }
        if !self.rcv.sack {
            let mss = self.snd.size.mss();
            if report.has_advanced {
                let known = self.snd.recovery.on_partial_ack(report.acked, mss);
                *delivered = delivered.saturating_sub(known);
            } else if report.is_duplicate {
                *delivered = mss.octets();
            }
        }
        Ended::No
    }

    /// The window is what it was reduced to.
    fn end_reduction(&mut self) {
        let mss = self.snd.size.mss().octets();
        self.window.cwnd_bytes = self.window.ssthresh_bytes.max(mss);
        self.snd.recovery.leave();
    }

    /// Loss detection: returns how many octets were newly held to be lost.
    fn find_losses<S: Shell>(&mut self, cx: &mut Context<'_, S>, report: &Report) -> u32 {
        if self.rcv.sack {
            let board = &self.snd.board;
            if board.sacked == 0 && board.lost == 0 && !report.delivery.repeated {
                self.timers.stop(Timer::Reorder);
                return 0;
            }
            let losses = self.detect_by_time(cx);
            return losses.lost.saturating_add(losses.lost_again);
        }
        let una = self.snd.data_una();
        let mss = self.snd.size.mss().octets();
        let calls = match self.snd.recovery.phase {
            Phase::Open | Phase::Cwr | Phase::Loss => {
                let behind = report.prior_flight.div_ceil(mss).saturating_sub(1);
                let thresh = self.snd.rack.reordering;
                report.is_duplicate && self.snd.recovery.on_dup_ack(una, thresh, behind)
            }
            // "Partial acknowledgments: [...] retransmit the first unacknowledged segment"
            // (RFC 6582, 3.2, step 3)
            Phase::Recovery if report.has_advanced => {
                self.snd.recovery.first_is_due = true;
                true
            }
            Phase::Recovery => {
                if report.is_duplicate {
                    let behind = report.prior_flight.div_ceil(mss).saturating_sub(1);
                    let _ = self.snd.recovery.on_dup_ack(una, u16::MAX, behind);
                }
                false
            }
        };
        if calls {
            self.snd.board.mark_front_lost(cx.shell, una, mss)
        } else {
            0
        }
    }

    /// RACK_detect_loss() of RFC 8985, 6.2, step 5, and its timer.
    pub(super) fn detect_by_time<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> Losses {
        let reo_wnd = self.reo_wnd(cx);
        let (rack, now) = (self.snd.rack, cx.now);
        let nxt = self.snd.data_nxt();
        let losses = self
            .snd
            .board
            .detect_losses(cx.shell, nxt, |sent| rack.judge(sent, now, reo_wnd));
        if losses.waits {
            let deadline = rack.reorder_deadline(reo_wnd);
            let soon = cx.now.after(Delta::from_micros(1));
            self.timers.arm(Timer::Reorder, deadline.max(soon));
        } else {
            self.timers.stop(Timer::Reorder);
        }
        if losses.lost_again > 0 {
            let mss = self.snd.size.mss().octets();
            cx.shell
                .count(Counter::LostRetransmit, losses.lost_again.div_ceil(mss));
        }
        losses
    }

    fn reo_wnd<S: Shell>(&self, cx: &Context<'_, S>) -> Delta {
        let sacked_segs = if cx.config.rack_no_dup_thresh {
            0
        } else {
            self.snd.board.sacked_segs
        };
        self.snd.rack.reo_wnd(
            self.snd.rtt.min(),
            self.snd.rtt.srtt,
            self.snd.recovery.is_repairing(),
            sacked_segs,
        )
    }

    /// What waited for the reordering window has waited long enough.
    pub(super) fn on_reorder_timeout<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        if !self.state.is_synchronized() || !self.rcv.sack {
            return;
        }
        let losses = self.detect_by_time(cx);
        if losses.lost > 0 && !self.snd.recovery.is_repairing() {
            let flight = self.snd.flight_size_bytes();
            self.enter_recovery(cx, flight, 0);
            self.apply_prr(0, false);
        }
    }

    /// A loss was detected with `flight` octets under way, by an acknowledgment that has told of
    /// `delivered`.
    fn enter_recovery<S: Shell>(&mut self, cx: &mut Context<'_, S>, flight: u32, delivered: u32) {
        cx.shell.count(
            if self.rcv.sack {
                Counter::SackRecovery
            } else {
                Counter::RenoRecovery
            },
            1,
        );
        if self.snd.recovery.phase == Phase::Cwr {
            let una = self.snd.data_una();
            self.snd.undo.begin(self.window, una, 0);
            self.snd.undo.require();
        } else {
            self.begin_reduction(cx, Cause::Loss, flight, delivered);
        }
        self.snd.recovery.enter_recovery(self.snd.nxt);
    }

    /// The peer echoed a mark of congestion: the window is reduced as if a segment had been lost,
    /// by an acknowledgment that has told of `delivered`.
    pub(super) fn enter_cwr<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        flight: u32,
        delivered: u32,
    ) {
        self.begin_reduction(cx, Cause::Mark, flight, delivered);
        self.snd.undo.disarm();
        self.snd.recovery.enter_cwr(self.snd.nxt);
    }

    /// The window will be reduced, from now until the phase that begins now is over.
    fn begin_reduction<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        cause: Cause,
        flight: u32,
        delivered: u32,
    ) {
        let (mss, una) = (self.snd.size.mss(), self.snd.data_una());
        self.snd.undo.begin(self.window, una, 0);
        self.snd.tlp.cancel();
        if cause == Cause::Loss && self.on_mtu_probe_lost(cx) {
            let least = mss.octets().saturating_mul(2);
            self.window.ssthresh_bytes = self.window.cwnd_bytes.max(least);
        } else {
            self.reduce_window(cause, flight);
        }
        // "RecoverFS = SND.NXT - SND.UNA [...] Bytes SACKed before entering recovery will not be
        // marked as delivered during recovery" (RFC 9937, 6.2)
        let under_way = self
            .snd
            .flight_size_bytes()
            .saturating_sub(self.snd.board.sacked)
            .saturating_sub(self.snd.recovery.dup_acked_bytes(mss));
        self.snd.prr.begin(under_way.saturating_add(delivered));
    }

    /// Proportional rate reduction, for an acknowledgment that has told of `delivered` octets.
    fn apply_prr(&mut self, delivered: u32, safe: bool) {
        let mss = self.snd.size.mss();
        let inflight = self.snd.pipe_bytes();
        self.snd.prr.on_ack(&Progress {
            delivered,
            inflight,
            ssthresh: self.window.ssthresh_bytes,
            safe,
            mss,
        });
        let cwnd = inflight.saturating_add(self.snd.prr.allows());
        self.window.cwnd_bytes = cwnd.max(mss.octets());
    }

    /// What the window still allows.
    pub(super) fn congestion_allows(&self) -> u32 {
        if self.snd.recovery.is_reducing() {
            return self.snd.prr.allows();
        }
        self.window.cwnd_bytes.saturating_sub(self.snd.pipe_bytes())
    }

    /// A retransmission time-out (RFC 5681, 3.1, and RFC 6298, 5.4 to 5.6), the `first` since
    /// there was progress.
    pub(super) fn enter_loss<S: Shell>(&mut self, cx: &mut Context<'_, S>, first: bool) {
        let mss = self.snd.size.mss();
        let (una, nxt) = (self.snd.data_una(), self.snd.nxt);
        let was_repairing = self.snd.recovery.is_repairing();
        self.count_failure(cx);
        // "When a TCP sender detects segment loss using the retransmission timer and the given
        // segment has already been retransmitted by way of the retransmission timer at least once,
        // the value of ssthresh is held constant." Nor is it reduced twice for one flight.
        let over = self.snd.una.after_or_eq(self.snd.recovery.recovery_point);
        let reduces = match self.snd.recovery.phase {
            Phase::Open => true,
            Phase::Cwr | Phase::Recovery => over,
            Phase::Loss => first,
        };
        if reduces {
            let flight = self.snd.flight_size_bytes();
            let outstanding = self.snd.board.retransmitted;
            self.snd.undo.begin(self.window, una, outstanding);
            self.reduce_window(Cause::Timeout, flight);
        }
        self.congestion.on_timeout();
        self.snd.tlp.cancel();
        self.timers.stop(Timer::Reorder);
        // "the first outstanding segment is marked lost [...] other segments are only marked lost
        // if the time elapsed since they were sent is at least RACK.rtt and the reordering window"
        // (RFC 8985, 6.3); without selective acknowledgments nobody would tell of the others.
        let reo_wnd = self.reo_wnd(cx);
        let (rack, sack, now) = (self.snd.rack, self.rcv.sack, cx.now);
        let is_lost = |sent_at| !sack || rack.is_overdue(sent_at, now, reo_wnd);
        if self.snd.board.on_timeout(cx.shell, una, is_lost) == Reneged::Yes {
            cx.shell.count(Counter::SackReneging, 1);
        }
        // RFC 5682, 3.1, step 1: not if losses were being repaired already, but for time-outs of
        // the same segment again.
        let frto = if cx.config.frto && (!was_repairing || !first) {
            Frto::FirstAck
        } else {
            Frto::Off
        };
        self.snd.recovery.enter_loss(nxt, frto);
        let pipe = self.snd.pipe_bytes();
        self.window.cwnd_bytes = pipe.saturating_add(mss.octets());
        self.snd.control_lost = self.state.fin().is_some_and(|fin| nxt.after(fin));
    }

    fn count_failure<S: Shell>(&self, cx: &mut Context<'_, S>) {
        match (self.snd.recovery.phase, self.rcv.sack) {
            (Phase::Recovery, true) => cx.shell.count(Counter::SackFailures, 1),
            (Phase::Recovery, false) => cx.shell.count(Counter::RenoFailures, 1),
            (Phase::Loss, _) => cx.shell.count(Counter::LossFailures, 1),
            (Phase::Open | Phase::Cwr, _) => {}
        }
    }

    /// The first octet that the peer has not acknowledged cumulatively is one that it has
    /// acknowledged selectively: it has dropped it, or the acknowledgment is yet to come. It gets
    /// a little time, not a whole time-out.
    fn expect_reneging<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        if self.snd.board.sacked == 0 {
            return;
        }
        let una = self.snd.data_una();
        if self.snd.board.is_sacked(cx.shell, una) {
            let patience = self.snd.rtt.srtt.halved(1).max(Delta::from_millis(10));
            let at = cx.now.after(patience);
            self.timers.arm_earlier(Timer::Retransmit, at);
        }
    }
}
