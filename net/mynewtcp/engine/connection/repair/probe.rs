// SPDX-License-Identifier: GPL-2.0

//! Tail loss probes: when, with what, and what their answer means (RFC 8985, 7).

use crate::engine::buffer::{
    Chunk,
    Context,
    Shell, //
};
use crate::engine::congestion::Cause;
use crate::engine::connection::repair::report::Report;
use crate::engine::connection::Connection;
use crate::engine::counters::Counter;
use crate::engine::send::recovery::Phase;
use crate::engine::send::tlp::{
    Finding,
    Pace,
    ProbeAnswer, //
};
use crate::engine::seq::SeqRange;
use crate::engine::timers::Timer;
use crate::engine::wire::Transmit;

impl Connection {
    /// Sees to it that a probe is sent when it is due.
    ///
    ///   "The sender schedules a PTO only if all of the following conditions are met: the
    ///   connection supports SACK, the connection has no SACKed sequences in the SACK scoreboard,
    ///   the connection is not in loss recovery" (RFC 8985, 7.2)
    #[inline]
    pub(crate) fn arm_probe<S: Shell>(&mut self, cx: &Context<'_, S>) {
        let Some(timeout) = self.timers.deadline(Timer::Retransmit) else {
            self.timers.stop(Timer::Probe);
            return;
        };
        if !self.may_probe(cx) {
            self.timers.stop(Timer::Probe);
            return;
        }
        let flight = self.snd.flight_size_bytes();
        let pace = Pace {
            last_sent_at: self.snd.last_sent_at.max(self.snd.control_sent_at),
            last_acked_at: self.snd.last_acked_at,
            srtt: self.snd.rtt.srtt,
            min_rtt: self.snd.rtt.min(),
            is_alone: flight <= self.snd.size.mss().octets(),
        };
        let deadline = self.snd.tlp.deadline(&pace, cx.config);
        // "If Now() + PTO > TCP_RTO_expiration(): PTO = TCP_RTO_expiration() - Now()": the probe
        // is sent instead of the time-out then.
        self.timers.arm(Timer::Probe, deadline.min(timeout));
    }

    fn may_probe<S: Shell>(&self, cx: &Context<'_, S>) -> bool {
        let calm = match self.snd.recovery.phase {
            Phase::Open | Phase::Cwr => true,
            Phase::Recovery | Phase::Loss => false,
        };
        let board = &self.snd.board;
        let free = !self.snd.tlp.due && !self.snd.tlp.is_under_way();
        let nothing_known = board.sacked == 0 && board.lost == 0;
        let waits = self.snd.has_outstanding() && self.state.is_synchronized();
        cx.config.tail_loss_probe && self.rcv.sack && calm && free && nothing_known && waits
    }

    /// A probe is due.
    pub(crate) fn on_probe_timeout<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        if !self.may_probe(cx) {
            return;
        }
        cx.shell.count(Counter::LossProbes, 1);
        self.snd.tlp.due = true;
        // "the sender MUST re-arm the RTO timer, regardless of whether a loss probe was sent"
        let at = cx.now.after(self.rto(cx));
        self.timers.arm(Timer::Retransmit, at);
    }

    /// TLP_send_probe() of RFC 8985, 7.3: new data if there is any, or else the last segment
    /// again; whatever the congestion window says.
    pub(crate) fn poll_probe<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> Option<Transmit> {
        if !core::mem::take(&mut self.snd.tlp.due) {
            return None;
        }
        let is_new = self.snd.unsent() > 0 && self.usable_window() > 0;
        let transmit = if is_new {
            self.send_one_new(cx)
        } else {
            self.send_last_again(cx)
        };
        // Also if it failed for want of memory: the time-out is next.
        self.snd.tlp.on_sent(self.snd.nxt, !is_new);
        transmit
    }

    fn send_last_again<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> Option<Transmit> {
        if self.snd.flight_size_bytes() == 0 {
            self.snd.control_lost = true;
            return self.poll_lone_fin_again(cx);
        }
        let last = self.snd.data_nxt().minus(1);
        let Chunk { mut range, meta } = cx.shell.chunk_at(last)?;
        let mss = self.snd.size.mss().octets();
        let head = range.len().saturating_sub(1) / mss * mss;
        if head > 0 && meta.flags == 0 {
            let at = range.start().plus(head);
            if self.snd.board.split(cx.shell, at).is_err() {
                self.wait_for_memory(cx);
                return None;
            }
            range = SeqRange::between(at, range.end())?;
        }
        let at = self.snd.stamp(cx.now, true);
        self.snd.board.on_probe(cx.shell, Chunk { range, meta }, at);
        Some(self.repeat(cx, range))
    }

    /// TLP_process_ack(): a loss that a probe has repaired is a loss.
    pub(super) fn judge_probe<S: Shell>(&mut self, cx: &mut Context<'_, S>, report: &Report) {
        let finding = self.snd.tlp.on_ack(&ProbeAnswer {
            ack: report.ack,
            has_news: report.has_news,
            dsack_end: report.dsack.map(SeqRange::end),
        });
        match finding {
            Finding::Nothing => {}
            Finding::Repaired => {
                cx.shell.count(Counter::LossProbeRecovery, 1);
                if !self.snd.recovery.is_repairing() {
                    self.begin_reduction(
                        cx,
                        Cause::Loss,
                        report.prior_flight,
                        report.delivery.bytes,
                    );
                    self.end_reduction();
                }
            }
        }
    }
}
