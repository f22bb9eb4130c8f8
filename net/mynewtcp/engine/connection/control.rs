// SPDX-License-Identifier: GPL-2.0

//! How much may be under way: between the connection and its congestion control algorithm.

use crate::engine::buffer::{
    Context,
    Shell, //
};
use crate::engine::congestion::ecn::{
    Answer,
    Echo, //
};
use crate::engine::congestion::usage::Patience;
use crate::engine::congestion::{
    AckSample,
    Cause,
    Congestion,
    Detail,
    Kind,
    Window, //
};
use crate::engine::connection::Connection;
use crate::engine::counters::Counter;
use crate::engine::send::chrono::Activity;
use crate::engine::send::pacing::PacingLimits;
use crate::engine::send::recovery::Phase;
use crate::engine::send::Send;
use crate::engine::seq::SeqRange;
use crate::engine::time::{Delta, Instant};
use crate::engine::timers::Timer;
use crate::engine::wire::{
    Control,
    Segment,
    Transmit, //
};

/// What an acknowledgment of new data has told besides its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct News {
    /// Octets acknowledged.
    pub(super) acked_bytes: u32,
    /// FlightSize before.
    pub(super) prior_flight: u32,
    /// The round-trip time that it has measured.
    pub(super) rtt: Option<Delta>,
    /// When the newest of them that were sent only once were sent.
    pub(super) sent_at: Option<Instant>,
    /// It echoes a mark of congestion.
    pub(super) ece: bool,
}

impl Connection {
    /// Chooses the congestion control algorithm (`TCP_CONGESTION`), at any time. The windows
    /// stay, what the old algorithm has learned goes.
    pub fn set_congestion<S: Shell>(&mut self, _cx: &mut Context<'_, S>, kind: Kind) {
        self.congestion = Congestion::new(kind);
    }

    /// The congestion control algorithm.
    pub fn congestion(&self) -> Kind {
        self.congestion.kind()
    }

    /// What it tells of itself (`TCP_CC_INFO`).
    pub fn congestion_detail(&self) -> Detail {
        self.congestion.detail()
    }

    /// Acknowledgments echo a mark at present: DCTCP.CE of RFC 8257 for those who echo exactly.
    pub fn echoes_mark(&self) -> bool {
        self.ecn.echo
    }

    /// What the shell asks of pacing. It may say so as often as it likes.
    pub fn set_pacing(&mut self, limits: PacingLimits) {
        self.snd.pacer.set_limits(limits);
    }

    /// The pacing rate in octets per second; [`u64::MAX`] while none is known.
    pub fn pacing_rate(&self) -> u64 {
        self.snd.pacer.rate()
    }

    /// The part of [`poll_deadline`](Self::poll_deadline) that wants a timer as fine as the gaps
    /// between packets: the next transmission that pacing allows.
    pub fn poll_pacing_deadline(&self) -> Option<Instant> {
        self.timers.deadline(Timer::Pacing)
    }

    /// The rest of it, for which a timer that ticks in milliseconds will do.
    pub fn poll_coarse_deadline(&mut self) -> Option<Instant> {
        self.timers.settle_floor()
    }

    /// [`poll_coarse_deadline`](Self::poll_coarse_deadline) is not before this, which may be
    /// known already: a timer that goes off then, or earlier, need not be set.
    #[inline]
    pub fn coarse_floor(&self) -> Instant {
        self.timers.floor()
    }

    /// Both ends use ECN.
    pub fn uses_ecn(&self) -> bool {
        self.ecn.agreed
    }

    /// New data was acknowledged: the algorithm takes note, and if `may_grow` lets it, widens the
    /// window.
    #[inline(always)]
    pub(super) fn on_data_acked<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        news: News,
        may_grow: bool,
    ) {
        let repairing = self.snd.recovery.is_repairing();
        let sample = AckSample {
            now: cx.now,
            acked_bytes: news.acked_bytes,
            flight_size_bytes: news.prior_flight,
            cwnd_limited: repairing || self.usage.is_cwnd_limited(&self.window),
            srtt: self.snd.rtt.srtt,
            rtt: news.rtt,
            una: self.snd.una,
            nxt: self.snd.nxt,
            ece: news.ece,
        };
        let mss = self.snd.size.mss();
        self.count_delivered(cx, news, mss.octets());
        let before = self.window.ssthresh_bytes;
        self.congestion.observe(&mut self.window, &sample);
        if self.window.ssthresh_bytes != before {
            let segments = self.window.cwnd_bytes / mss.octets();
            cx.shell.count(Counter::HystartDelayDetect, 1);
            cx.shell.count(Counter::HystartDelayCwnd, segments);
        }
        // "the TCP source does not increase the congestion window in response to the receipt of
        // an ECN-Echo ACK packet" (RFC 3168, 6.1.2).
        if may_grow && !news.ece {
            self.congestion.on_ack(&mut self.window, mss, &sample);
        }
    }

    #[inline]
    fn count_delivered<S: Shell>(&mut self, cx: &mut Context<'_, S>, news: News, mss: u32) {
        let segments = news.acked_bytes.div_ceil(mss);
        self.snd.delivered = self.snd.delivered.wrapping_add(segments);
        cx.shell.count(Counter::Delivered, segments);
        if news.ece {
            self.snd.delivered_ce = self.snd.delivered_ce.wrapping_add(segments);
            cx.shell.count(Counter::DeliveredCe, segments);
        }
        let delivered = self.snd.delivered_bytes();
        let una = self.snd.data_una();
        let min_rtt = self.snd.rtt.min();
        self.snd
            .rate
            .on_delivered(cx.now, delivered, una, news.sent_at, min_rtt);
    }

    /// Makes the window smaller: ssthresh is what the algorithm leaves of it. After a time-out cwnd
    /// is one segment at once; otherwise the phase that begins leads it to ssthresh.
    pub(super) fn reduce_window(&mut self, cause: Cause, flight: u32) {
        let mss = self.snd.size.mss();
        let ssthresh = self
            .congestion
            .on_congestion(&self.window, mss, flight, cause);
        self.window.ssthresh_bytes = ssthresh;
        match cause {
            Cause::Loss | Cause::Mark => {}
            Cause::Timeout => self.window.cwnd_bytes = mss.octets(),
        }
        self.ecn.on_reduced();
    }

    /// An acknowledgment echoes a mark. "TCP should not react to congestion indications more than
    /// once every window of data" (RFC 3168, 6.1.2), be they marks or losses.
    pub(super) fn on_echo<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        flight: u32,
        delivered: u32,
    ) {
        cx.shell.count(Counter::EcnEchoes, 1);
        // Of a recovery that has begun with this acknowledgment, too.
        self.snd.undo.require();
        if self.snd.recovery.phase == Phase::Open && flight > 0 {
            cx.shell.count(Counter::EcnReductions, 1);
            self.enter_cwr(cx, flight, delivered);
        }
    }

    /// Acceptable data has come: what its ECN field and CWR say.
    pub(super) fn take_marks(&mut self, segment: &Segment) {
        let echo = if self.congestion.kind().needs_ecn() {
            Echo::Exact
        } else {
            Echo::UntilReaction
        };
        let owed = self.rcv.ack.is_owed();
        match self.ecn.on_data(segment, echo, self.rcv.nxt, owed) {
            Answer::None => {}
            Answer::Now | Answer::Both => self.rcv.ack.now(),
        }
    }

    /// The acknowledgment that must go before the state of the echo changes.
    pub(super) fn poll_early_ack<S: Shell>(&mut self, cx: &mut Context<'_, S>) -> Option<Transmit> {
        let (ack, ece) = self.ecn.take_early()?;
        let mut transmit = Transmit::bare(self.snd.nxt, Some(ack), Control::None);
        transmit.window = self.rcv.window.repeat(ack);
        transmit.options.timestamps = self.rcv.timestamps.map(|clock| clock.option(cx.now));
        self.ecn.mark(&mut transmit, self.needs_ecn());
        transmit.ece = ece;
        Some(transmit)
    }

    /// ECN is needed whatever the configuration says.
    pub(super) fn needs_ecn(&self) -> bool {
        self.congestion.kind().needs_ecn()
    }

    fn patience_of<S: Shell>(snd: &Send, cx: &Context<'_, S>) -> Patience {
        let mss = snd.size.mss();
        Patience {
            rto: snd.rtt.rto(cx.config).delta(),
            initial: Window::initial(cx.config.initial_cwnd, mss).cwnd_bytes,
        }
    }

    /// Data goes out after a time with none under way: an old window says nothing about the path
    /// any more (RFC 5681, 4.1).
    #[inline]
    pub(super) fn restart_after_idle<S: Shell>(&mut self, cx: &Context<'_, S>) {
        if self.snd.has_outstanding() {
            return;
        }
        self.congestion.on_transmit_start(cx.now);
        if !cx.config.slow_start_after_idle {
            return;
        }
        let last_sent_at = self.snd.last_sent_at;
        let least_rto = cx.config.rto_min.min(cx.config.rto_max);
        if self.usage.restart_soon(cx.now, least_rto, last_sent_at) {
            return;
        }
        let patience = Self::patience_of(&self.snd, cx);
        let mss = self.snd.size.mss();
        self.usage
            .restart(cx.now, &mut self.window, mss, patience, last_sent_at);
    }

    /// The new data of `range` is about to be sent: from it a sample of the delivery rate may
    /// come.
    pub(super) fn follow_delivery(&mut self, now: Instant, range: SeqRange) {
        let delivered = self.snd.delivered_bytes();
        let restart = self.snd.flight_size_bytes() == 0;
        self.snd.rate.on_sent(now, range.end(), delivered, restart);
    }

    /// All has been sent that could be.
    pub(super) fn note_usage<S: Shell>(&mut self, cx: &Context<'_, S>) {
        let snd = &self.snd;
        let flight = snd.flight_size_bytes();
        self.usage
            .on_sent(snd.una, snd.nxt, flight, snd.cwnd_limited);
        let waiting_writer = cx.shell.has_waiting_writer();
        if cx.config.slow_start_after_idle && !snd.recovery.is_repairing() {
            self.validate_usage(cx, waiting_writer);
        }
        let activity = if self.snd.unsent() > 0 && self.snd.window_limited {
            Activity::WindowLimited
        } else if self.snd.unsent() == 0 && waiting_writer {
            Activity::BufferLimited
        } else if self.snd.unsent() > 0 || flight > 0 {
            Activity::Busy
        } else {
            Activity::Idle
        };
        self.snd.chrono.set(cx.now, activity);
        let has_room = self.snd.pipe_bytes() < self.window.cwnd_bytes;
        if self.snd.unsent() == 0 && has_room && self.snd.board.awaiting_retransmission() == 0 {
            self.snd.rate.on_app_limited(self.snd.nxt);
        }
    }

    /// A window that is not used shrinks.
    #[inline]
    pub(super) fn validate_usage<S: Shell>(&mut self, cx: &Context<'_, S>, waiting_writer: bool) {
        let least_rto = cx.config.rto_min.min(cx.config.rto_max);
        let snd = &self.snd;
        let patience = || Self::patience_of(snd, cx);
        self.usage.validate(
            cx.now,
            &mut self.window,
            least_rto,
            patience,
            !waiting_writer,
        );
    }

    /// The windows or the round-trip time may have changed.
    pub(super) fn update_pacing<S: Shell>(&mut self, cx: &Context<'_, S>) {
        let (flight, srtt) = (self.snd.flight_size_bytes(), self.snd.rtt.srtt);
        self.snd.pacer.update(cx.config, &self.window, flight, srtt);
    }

    /// There is something to send, and pacing says: not yet. Then its timer is armed.
    pub(super) fn is_paced<S: Shell>(&mut self, cx: &Context<'_, S>) -> bool {
        let wants = self.snd.unsent() > 0 || self.snd.board.awaiting_retransmission() > 0;
        match self.snd.pacer.wait(cx.now) {
            Some(at) if wants => {
                self.timers.arm(Timer::Pacing, at);
                let mss = self.snd.size.mss().octets();
                self.snd.cwnd_limited =
                    self.window.cwnd_bytes < self.snd.pipe_bytes().saturating_add(mss);
                true
            }
            Some(_) | None => {
                self.timers.stop(Timer::Pacing);
                false
            }
        }
    }

    /// Octets of payload in the largest superpacket to send now.
    pub(super) fn superpacket<S: Shell>(&self, cx: &Context<'_, S>) -> u32 {
        let size = &self.snd.size;
        self.snd
            .pacer
            .superpacket(cx.config, self.snd.rtt.min(), size.goal(), size.mss())
    }
}
