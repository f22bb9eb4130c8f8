// SPDX-License-Identifier: GPL-2.0

//! Transmissions with payload or FIN, new ones and repeated ones.

use crate::engine::buffer::{
    Chunk,
    Context,
    Shell,
    TxMeta, //
};
use crate::engine::connection::output::put;
use crate::engine::connection::Connection;
use crate::engine::counters::Counter;
use crate::engine::recv::timestamp_clock;
use crate::engine::send::recovery::{
    Frto,
    Phase, //
};
use crate::engine::send::transmit::{
    Limits,
    Partial,
    Size, //
};
use crate::engine::seq::SeqRange;
use crate::engine::timers::Timer;
use crate::engine::wire::{
    Control,
    Transmit, //
};

impl Connection {
    pub(super) fn poll_retransmission<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
    ) -> Option<Transmit> {
        // RFC 5682, 2.1, step 2b: new data goes first, and its acknowledgment decides.
        if self.snd.recovery.frto == Frto::SecondAck {
            return None;
        }
        let Some(chunk) = self.snd.board.next_lost(cx.shell) else {
            return self.poll_lone_fin_again(cx);
        };
        let len = self.retransmission_len(cx, chunk)?;
        let range = SeqRange::new(chunk.range.start(), len);
        if len < chunk.range.len() && self.snd.board.split(cx.shell, range.end()).is_err() {
            self.wait_for_memory(cx);
            return None;
        }
        self.charge_window(len, self.snd.recovery.first_is_due);
        let (meta, at) = (chunk.meta, self.snd.stamp(cx.now, true));
        self.snd
            .board
            .on_retransmit(cx.shell, Chunk { range, meta }, at);
        self.snd.recovery.first_is_due = false;
        let segments = len.div_ceil(self.snd.size.mss().octets());
        match self.snd.recovery.phase {
            Phase::Recovery => cx.shell.count(Counter::FastRetrans, segments),
            Phase::Loss => cx.shell.count(Counter::SlowStartRetrans, segments),
            Phase::Open | Phase::Cwr => {}
        }
        let stamp = timestamp_clock(cx.now, self.ts_offset);
        self.snd.undo.on_repeated(len, stamp);
        if range.start() == self.snd.data_una() {
            // What was armed for its first transmission is nothing to this one.
            self.timers.stop(Timer::Retransmit);
        }
        Some(self.repeat(cx, range))
    }

    /// `len` octets go into the network, and if `forced` or nothing is there, whatever the window
    /// says.
    fn charge_window(&mut self, len: u32, forced: bool) {
        if self.snd.recovery.is_reducing() {
            let forced = forced || self.snd.pipe_bytes() == 0;
            self.snd.prr.on_sent(len, forced);
        }
    }

    /// The octets of `range`, which were sent before.
    pub(crate) fn repeat<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        range: SeqRange,
    ) -> Transmit {
        let segments = range.len().div_ceil(self.snd.size.mss().octets());
        self.snd.tally.on_repeated(segments, range.len());
        let with_fin = range.end() == self.snd.write_seq && self.fin_was_sent();
        let mut transmit = Transmit::NONE;
        self.data_transmit(cx, range, with_fin, true, &mut transmit);
        transmit
    }

    /// How much of the lost `chunk` may be sent again now.
    fn retransmission_len<S: Shell>(&mut self, cx: &Context<'_, S>, chunk: Chunk) -> Option<u32> {
        let mss = self.snd.size.mss().octets();
        let (start, len) = (chunk.range.start(), chunk.range.len());
        let mut allowed = self.congestion_allows();
        if self.snd.recovery.first_is_due || self.snd.pipe_bytes() == 0 {
            allowed = allowed.max(mss);
        }
        if allowed < mss.min(len) {
            self.snd.cwnd_limited = true;
            return None;
        }
        // Only the first octets are worth a try with a peer that has taken back its window.
        let edge = self.snd.window.right_edge(self.snd.una);
        if start != self.snd.data_una() && chunk.range.end().after(edge) {
            return None;
        }
        let goal = self.superpacket(cx);
        if len <= allowed && len <= goal {
            return Some(len);
        }
        let segments = (allowed.min(goal).min(len) / mss).max(1);
        Some(segments.saturating_mul(mss).min(len))
    }

    fn fin_was_sent(&self) -> bool {
        self.state.fin().is_some_and(|fin| self.snd.nxt.after(fin))
    }

    /// Our FIN again, when all data in front of it has arrived.
    pub(crate) fn poll_lone_fin_again<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
    ) -> Option<Transmit> {
        let data_is_under_way = self.snd.flight_size_bytes() > 0;
        if !self.snd.control_lost || data_is_under_way || !self.fin_was_sent() {
            return None;
        }
        let range = SeqRange::new(self.snd.write_seq, 0);
        let mut transmit = Transmit::NONE;
        self.data_transmit(cx, range, true, true, &mut transmit);
        Some(transmit)
    }

    pub(super) fn poll_new_data<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        out: &mut Transmit,
    ) -> bool {
        if self.snd.unsent() == 0 {
            self.snd.cwnd_limited = self.congestion_allows() < self.snd.size.mss().octets();
            return self.poll_new_fin(cx, out);
        }
        self.restart_after_idle(cx);
        if self.snd.pmtu.is_searching() && put(out, self.poll_mtu_probe(cx)) {
            return true;
        }
        if let Some(len) = self.unlimited_len(cx) {
            self.snd.window_limited = false;
            self.snd.force_partial = false;
            return self.send_new(cx, len, false, out);
        }
        let mut limits = self.limits(cx);
        if let Some(n) = limits.better_chunk() {
            cx.shell.grow_unsent(n);
            limits.chunk = cx.shell.unsent_front().min(limits.unsent);
        }
        match self.new_data_len(&limits) {
            Some(len) => self.send_new(cx, len, false, out),
            None => false,
        }
    }

    /// Octets to send where nothing else has to be sent before them, nothing is held to be lost,
    /// and [nothing limits](Self::unlimited_len) them.
    #[inline]
    pub(super) fn plain_len<S: Shell>(&self, cx: &Context<'_, S>) -> Option<u32> {
        let snd = &self.snd;
        let unsent = snd.write_seq.distance_from(snd.nxt);
        let flight = snd.nxt.distance_from(snd.una);
        let is_plain = self.is_established()
            && snd.syn_acked
            && cx.config.prediction
            && unsent.wrapping_sub(1) < snd.size.mss().octets()
            && snd.recovery.phase == Phase::Open
            && snd.recovery.dup_acks == 0
            && snd.board.is_clean(snd.una)
            && !(snd.tlp.due || snd.control_lost || snd.more || self.user.cork)
            && !(snd.pmtu.is_searching() || snd.pacer.is_internal())
            && !self.ecn.has_early()
            && self.rcv.blocks.is_empty()
            && !self.rcv.duplicates.is_owed()
            && flight.saturating_add(unsent) <= self.window.cwnd_bytes.min(snd.window.wnd.octets())
            && (self.user.nodelay || !snd.small_end.after(snd.una))
            && cx.shell.unsent_front() == unsent;
        is_plain.then_some(unsent)
    }

    /// Sends [so many](Self::plain_len).
    #[inline]
    pub(super) fn send_plainly<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        len: u32,
        out: &mut Transmit,
    ) -> bool {
        self.timers.stop(Timer::Pacing);
        self.restart_after_idle(cx);
        debug_assert_eq!(self.unlimited_len(cx), Some(len));
        self.snd.window_limited = false;
        self.snd.force_partial = false;
        self.send_new(cx, len, false, out)
    }

    /// What [`Limits::size`] would say where nothing limits: all that is unsent, if that is no
    /// more than a segment in one chunk.
    fn unlimited_len<S: Shell>(&self, cx: &Context<'_, S>) -> Option<u32> {
        let unsent = self.snd.unsent();
        let is_free = unsent <= self.snd.size.mss().octets()
            && cx.shell.unsent_front() == unsent
            && self.usable_window() >= unsent
            && self.congestion_allows() >= unsent
            && self.partial() == Partial::May;
        if !is_free {
            return None;
        }
        debug_assert_eq!(self.limits(cx).size(), Size::Send(unsent));
        Some(unsent)
    }

    /// One segment of new data, whatever the congestion window says: a tail loss probe.
    pub(crate) fn send_one_new<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> Option<Transmit> {
        let len = self.limits(cx).forced();
        let mut transmit = Transmit::NONE;
        let sent = len > 0 && self.send_new(cx, len, true, &mut transmit);
        sent.then_some(transmit)
    }

    #[inline]
    fn send_new<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        len: u32,
        forced: bool,
        out: &mut Transmit,
    ) -> bool {
        let range = SeqRange::new(self.snd.nxt, len);
        let at = self.snd.stamp(cx.now, false);
        if cx.shell.mark_sent(range, TxMeta::first(at)).is_err() {
            self.wait_for_memory(cx);
            return false;
        }
        self.charge_window(len, forced);
        self.follow_delivery(cx.now, range);
        self.snd.nxt = range.end();
        if len % self.snd.size.mss().octets() != 0 {
            self.snd.small_end = range.end();
        }
        let with_fin = self.fin_may_follow(range);
        if with_fin {
            self.snd.nxt = self.snd.nxt.plus(1);
        }
        self.data_transmit(cx, range, with_fin, false, out);
        true
    }

    fn new_data_len(&mut self, limits: &Limits) -> Option<u32> {
        match limits.size() {
            Size::Send(len) => {
                self.snd.window_limited = false;
                self.snd.force_partial = false;
                Some(len)
            }
            Size::CongestionLimited => {
                self.snd.cwnd_limited = true;
                self.snd.window_limited = false;
                None
            }
            size @ (Size::WindowLimited | Size::Held) => {
                self.snd.cwnd_limited = false;
                self.snd.window_limited = size == Size::WindowLimited;
                let forced = core::mem::take(&mut self.snd.force_partial);
                (forced && limits.forced() > 0).then(|| limits.forced())
            }
        }
    }

    #[inline]
    fn limits<S: Shell>(&self, cx: &Context<'_, S>) -> Limits {
        Limits {
            chunk: cx.shell.unsent_front().min(self.snd.unsent()),
            unsent: self.snd.unsent(),
            window: self.usable_window(),
            max_window: self.snd.window.max.octets(),
            congestion: self.congestion_allows(),
            pipe_is_empty: self.snd.pipe_bytes() == 0,
            goal: self.superpacket(cx),
            mss: self.snd.size.mss(),
            partial: self.partial(),
        }
    }

    /// Nagle's algorithm in Minshall's variant: a partial segment waits while another one is under
    /// way; and what the user wants of it.
    fn partial(&self) -> Partial {
        let closing = self.state.fin().is_some();
        let asked_to_wait = self.user.cork || self.snd.more;
        let small_is_under_way = self.snd.small_end.after(self.snd.una);
        if closing || (!asked_to_wait && (self.user.nodelay || !small_is_under_way)) {
            Partial::May
        } else {
            Partial::Waits
        }
    }

    /// Whether [`send`](Self::send) with `n` and `more` leaves nothing to do: there is no need to
    /// poll then. The first unsent chunk has `front` octets, with those of the `n` that are in it.
    pub fn is_still_waiting(&self, front: u32, n: u32, more: bool) -> bool {
        let unsent = self.snd.unsent();
        if unsent > front {
            // It could go without what follows it, and waits for a window.
            return true;
        }
        // A partial segment waits, and is one still.
        unsent > 0
            && front == unsent.saturating_add(n)
            && front < self.snd.size.mss().octets()
            && front < self.snd.window.max.octets().div_ceil(2)
            && more == self.snd.more
            && !self.snd.force_partial
            && self.partial() == Partial::Waits
    }

    /// Our FIN travels with the last octets if the peer's window has room for it.
    fn fin_may_follow(&self, range: SeqRange) -> bool {
        self.state.fin() == Some(range.end()) && self.usable_window() > 0
    }

    fn poll_new_fin<S: Shell>(&mut self, cx: &mut Context<'_, S>, out: &mut Transmit) -> bool {
        let range = SeqRange::new(self.snd.nxt, 0);
        if !self.fin_may_follow(range) {
            return false;
        }
        self.snd.nxt = self.snd.nxt.plus(1);
        self.data_transmit(cx, range, true, false, out);
        true
    }

    #[inline(always)]
    pub(super) fn data_transmit<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        range: SeqRange,
        with_fin: bool,
        again: bool,
        transmit: &mut Transmit,
    ) {
        let control = if with_fin {
            self.snd.control_lost = false;
            self.snd.control_sent_at = cx.now;
            Control::Fin
        } else {
            Control::None
        };
        self.header(cx, range.start(), control, transmit);
        transmit.range = range;
        transmit.retransmission = again;
        self.ecn.mark(transmit, self.needs_ecn());
        transmit.psh = !range.is_empty() && range.end() == self.snd.write_seq;
        self.snd
            .pacer
            .on_sent(cx.now, range.len(), transmit.segments());
        self.on_ack_sent(cx.now, !range.is_empty());
        self.timers.stop(Timer::Persist);
        self.arm_retransmit(cx);
    }

    /// The shell had no memory: the next try is the timer's.
    pub(crate) fn wait_for_memory<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        cx.shell.count(Counter::TransmitFailed, 1);
        let at = cx.now.after(cx.config.resource_probe_interval);
        self.timers.arm_earlier(Timer::Memory, at);
    }
}
