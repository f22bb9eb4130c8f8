// SPDX-License-Identifier: GPL-2.0

//! Reductions of the window that were a mistake are taken back: nothing had been lost.

use crate::engine::buffer::{
    Context,
    Shell, //
};
use crate::engine::connection::repair::report::Report;
use crate::engine::connection::repair::Ended;
use crate::engine::connection::Connection;
use crate::engine::counters::Counter;
use crate::engine::send::recovery::{
    Frto,
    Phase, //
};

impl Connection {
    /// Every octet that was sent again since the last reduction was reported as a duplicate.
    pub(crate) fn undo_if_reported<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> bool {
        // After a time-out it takes progress too.
        if self.snd.recovery.phase == Phase::Loss || !self.snd.undo.is_all_reported() {
            return false;
        }
        cx.shell.count(Counter::DsackUndo, 1);
        self.undo(cx);
        true
    }

    /// Nothing is held to be lost, and the window is what it was, unless a mark of congestion
    /// asked for less.
    fn undo<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        let una = self.snd.data_una();
        self.snd.board.unmark_lost(cx.shell, una);
        if self.snd.undo.restore(&mut self.window) {
            let mss = self.snd.size.mss();
            self.window.raise_to(mss);
            self.congestion.on_undo();
            self.ecn.on_undone();
        } else if self.snd.recovery.is_reducing() {
            self.end_reduction();
        }
        self.snd.recovery.leave();
    }

    /// All is acknowledged that was sent when the recovery began.
    pub(super) fn end_recovery<S: Shell>(&mut self, cx: &mut Context<'_, S>, report: &Report) {
        if self.snd.undo.is_all_reported() {
            cx.shell.count(Counter::DsackUndo, 1);
            self.undo(cx);
        } else if self.snd.undo.is_echo_of_original(report.delivery.echo) {
            self.note_reordering(cx, report);
            cx.shell.count(Counter::FullUndo, 1);
            self.undo(cx);
        } else {
            self.end_reduction();
            self.snd.rack.on_recovered();
        }
    }

    /// In the middle of a recovery: SND.UNA has advanced over a hole, and the acknowledgment was
    /// made for what was first sent there. It had only been late, longer than the reordering
    /// window.
    pub(super) fn undo_partial<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        report: &Report,
    ) -> bool {
        let late = self.snd.undo.is_echo_of_original(report.delivery.echo);
        if !(report.has_advanced && late) {
            return self.undo_if_reported(cx);
        }
        self.note_reordering(cx, report);
        cx.shell.count(Counter::PartialUndo, 1);
        self.undo(cx);
        true
    }

    /// After a time-out.
    pub(super) fn advance_loss<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        report: &Report,
        over: bool,
    ) -> Ended {
        let late = self.snd.undo.is_echo_of_original(report.delivery.echo);
        if report.has_advanced && (late || self.snd.undo.is_all_reported()) {
            self.undo_loss(cx, report);
            return Ended::Yes;
        }
        if self.advance_frto(report, over) {
            cx.shell.count(Counter::SpuriousRtos, 1);
            self.undo_loss(cx, report);
            return Ended::Yes;
        }
        if over {
            self.snd.recovery.leave();
            self.snd.rack.on_recovered();
            return Ended::Yes;
        }
        Ended::No
    }

    fn undo_loss<S: Shell>(&mut self, cx: &mut Context<'_, S>, report: &Report) {
        cx.shell.count(Counter::LossUndo, 1);
        self.undo(cx);
        self.snd.patience.on_progress();
        let sample = self.echoed_rtt(cx, report);
        self.snd.rtt.on_spurious_timeout(sample);
    }

    /// RFC 5682, 2.1 and 3.1. `true` if the time-out was a mistake:
    ///
    ///   "(3.b) If the acknowledgment [...] acknowledges data that was not retransmitted after
    ///   timeout, declare the timeout spurious"
    fn advance_frto(&mut self, report: &Report, over: bool) -> bool {
        let delivery = &report.delivery;
        if self.snd.recovery.frto == Frto::Off {
            return false;
        }
        // Without selective acknowledgments, one that covers a retransmission may owe it all to
        // that. With timestamps, the echo is that of the retransmission then.
        let by_repetition = delivery.sacked == 0
            && (delivery.echo.is_some() || !self.rcv.sack)
            && delivery.repeated;
        if delivery.original && !by_repetition && self.snd.undo.is_armed() {
            return true;
        }
        let hints_at_loss = report.is_duplicate || delivery.sacked > 0;
        if hints_at_loss && self.snd.recovery.frto == Frto::SecondAck {
            // "(3.a) [...] set the congestion window to no more than 3 * MSS, and continue with
            // the slow start algorithm retransmitting unacknowledged segments"
            let mss = delivery.mss.octets();
            let room = self.snd.pipe_bytes().saturating_add(mss);
            let most = room.min(mss.saturating_mul(3));
            self.window.cwnd_bytes = self.window.cwnd_bytes.max(most);
        }
        self.snd.recovery.frto = match self.snd.recovery.frto {
            Frto::FirstAck if report.has_advanced && !over && self.can_send_new() => {
                // "(2.b) [...] transmit up to two new (previously unsent) segments"
                self.snd.recovery.recovery_point = self.snd.nxt;
                self.snd.force_partial = true;
                Frto::SecondAck
            }
            Frto::FirstAck if report.has_advanced || hints_at_loss => Frto::Off,
            Frto::SecondAck if report.has_advanced || hints_at_loss => Frto::Off,
            Frto::FirstAck => Frto::FirstAck,
            Frto::SecondAck => Frto::SecondAck,
            Frto::Off => Frto::Off,
        };
        false
    }

    fn can_send_new(&self) -> bool {
        self.snd.unsent() > 0 && self.usable_window() > 0
    }
}
