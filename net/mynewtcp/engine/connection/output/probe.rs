// SPDX-License-Identifier: GPL-2.0

//! Finding out how large a segment may be (RFC 4821). The bookkeeping is that of
//! [`send::pmtu`](crate::engine::send::pmtu); here it meets the rest of the connection.

use crate::engine::buffer::{
    Context,
    Shell,
    TxMeta, //
};
use crate::engine::connection::Connection;
use crate::engine::counters::Counter;
use crate::engine::send::recovery::Phase;
use crate::engine::seq::{
    Mss,
    SeqRange, //
};
use crate::engine::wire::Transmit;

/// `mtu_probing`: once a black hole is suspected.
const ON_SUSPICION: u8 = 1;
/// `mtu_probing`: from the start.
const ALWAYS: u8 = 2;

impl Connection {
    /// Segments that must be able to follow a probe, so that its loss shows in duplicates.
    const FOLLOWERS: u32 = 4;
    /// A congestion window of so many segments can spare the one that a probe may lose.
    const SPARE: u32 = 11;

    /// The connection is ESTABLISHED.
    pub(crate) fn start_mtu_probing<S: Shell>(&mut self, cx: &Context<'_, S>) {
        if cx.config.mtu_probing >= ALWAYS {
            self.snd.pmtu.begin(cx.now, cx.config, self.snd.size.peer);
            self.follow_path_mtu();
        }
    }

    /// A retransmission time-out has come.
    pub(crate) fn doubt_path_mtu<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        if self.on_mtu_probe_lost(cx) {
            return;
        }
        self.snd.pmtu.forget_probe();
        let doubtful = self.snd.patience.retransmits >= cx.config.retries1.max(1);
        if doubtful && cx.config.mtu_probing >= ON_SUSPICION {
            let limit = self.snd.size.peer;
            self.snd.pmtu.on_black_hole(cx.now, cx.config, limit);
            self.follow_path_mtu();
        }
    }

    /// What is known of the path's MTU has changed. Returns the new segment size.
    pub(crate) fn follow_path_mtu(&mut self) -> Mss {
        self.snd.size.set_path(self.snd.pmtu.size());
        let mss = self.snd.size.mss();
        self.window.raise_to(mss);
        mss
    }

    /// SND.UNA has advanced.
    pub(crate) fn on_mtu_probe_acked<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        if self.snd.pmtu.on_ack(self.snd.una) {
            cx.shell.count(Counter::MtuProbeSuccesses, 1);
            self.follow_path_mtu();
        }
    }

    /// The octets at SND.UNA are lost. `true` if they were a probe: then they are sent again, in
    /// smaller segments, and the congestion window should stay what it is.
    pub(crate) fn on_mtu_probe_lost<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> bool {
        let una = self.snd.data_una();
        if !self.snd.pmtu.on_loss(una) {
            return false;
        }
        cx.shell.count(Counter::MtuProbeFailures, 1);
        true
    }

    /// A probe, if one is due and its loss can be borne: while the path's MTU is searched for.
    pub(super) fn poll_mtu_probe<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> Option<Transmit> {
        let size = self.next_mtu_probe(cx)?;
        let len = size.less_options(self.snd.size.options).octets();
        let range = SeqRange::new(self.snd.nxt, len);
        let at = self.snd.stamp(cx.now, false);
        if cx.shell.mark_sent(range, TxMeta::first(at)).is_err() {
            self.wait_for_memory(cx);
            return None;
        }
        self.snd.nxt = range.end();
        self.snd.pmtu.on_probe_sent(range, size);
        cx.shell.count(Counter::MtuProbes, 1);
        let mut transmit = Transmit::NONE;
        self.data_transmit(cx, range, false, false, &mut transmit);
        transmit.gso_size = u16::try_from(len).unwrap_or(u16::MAX);
        Some(transmit)
    }

    /// RFC 4821, 7.4: "Conditions for Probing".
    fn next_mtu_probe<S: Shell>(&mut self, cx: &Context<'_, S>) -> Option<Mss> {
        let mss = self.snd.size.mss().octets();
        let calm = self.snd.recovery.phase == Phase::Open && self.snd.board.sacked == 0;
        if !calm || self.window.cwnd_bytes < mss.saturating_mul(Self::SPARE) {
            return None;
        }
        let size = self
            .snd
            .pmtu
            .next_probe(cx.now, cx.config, self.snd.size.peer)?;
        let len = size.less_options(self.snd.size.options).octets();
        let needed = len.saturating_add(mss.saturating_mul(Self::FOLLOWERS));
        let enough = self.snd.unsent() >= needed
            && self.usable_window() >= needed
            && self.congestion_allows() >= len
            && cx.shell.unsent_front() >= len;
        enough.then_some(size)
    }
}
