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
use crate::engine::send::recovery::Phase;
use crate::engine::time::Delta;
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

    /// Both ends use ECN.
    pub fn uses_ecn(&self) -> bool {
        self.ecn.agreed
    }

    /// New data was acknowledged: the algorithm takes note, and if `may_grow` lets it, widens the
    /// window.
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
        let before = self.window.ssthresh_bytes;
        self.congestion.observe(&mut self.window, &sample);
        if self.window.ssthresh_bytes != before {
            let segments = self.window.cwnd_bytes / mss.octets();
            cx.shell.count(Counter::HystartDelayDetect, 1);
            cx.shell.count(Counter::HystartDelayCwnd, segments);
        }
        self.ecn.refresh(self.snd.una);
        // "the TCP source does not increase the congestion window in response to the receipt of
        // an ECN-Echo ACK packet" (RFC 3168, 6.1.2), nor until its reaction has had an effect.
        if may_grow && !news.ece && !self.ecn.is_reduced() {
            self.congestion.on_ack(&mut self.window, mss, &sample);
        }
    }

    /// Makes the window smaller: ssthresh is what the algorithm leaves of it. cwnd is led there by
    /// proportional rate reduction, except after [`Cause::Timeout`], when it begins anew.
    ///
    ///   "TCP should not react to congestion indications more than once every window of data"
    ///   (RFC 3168, 6.1.2): a loss among what was sent before the reaction to a mark changes
    ///   nothing.
    pub(super) fn reduce_window(&mut self, cause: Cause, flight: u32) {
        let mss = self.snd.size.mss();
        match cause {
            Cause::Loss if self.ecn.is_reduced() => return,
            Cause::Loss | Cause::Mark | Cause::Timeout => {}
        }
        let ssthresh = self
            .congestion
            .on_congestion(&self.window, mss, flight, cause);
        self.window.ssthresh_bytes = ssthresh;
        match cause {
            Cause::Loss => {}
            Cause::Mark => self.ecn.on_reduced_by_mark(self.snd.nxt),
            Cause::Timeout => self.window.cwnd_bytes = mss.octets(),
        }
        self.ecn.on_reduced();
    }

    /// The acknowledgment `segment` echoes a mark: once in a window of data that is a reason to
    /// send less.
    pub(super) fn on_echo<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        flight: u32,
        delivered: u32,
    ) {
        cx.shell.count(Counter::EcnEchoes, 1);
        if self.snd.recovery.phase == Phase::Open
            && !self.ecn.is_reduced()
            && self.snd.flight_size_bytes() > 0
        {
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

    fn usage_patience<S: Shell>(&self, cx: &Context<'_, S>) -> Patience {
        let mss = self.snd.size.mss();
        Patience {
            rto: self.rto(cx),
            initial: Window::initial(cx.config.initial_cwnd, mss).cwnd_bytes,
        }
    }

    /// Data goes out after a time with none under way: an old window says nothing about the path
    /// any more (RFC 5681, 4.1).
    pub(super) fn restart_after_idle<S: Shell>(&mut self, cx: &Context<'_, S>) {
        if self.snd.has_outstanding() {
            return;
        }
        self.congestion.on_transmit_start(cx.now);
        if !cx.config.slow_start_after_idle {
            return;
        }
        let idle = cx.now.since(self.snd.last_sent_at);
        let patience = self.usage_patience(cx);
        let mss = self.snd.size.mss();
        self.usage
            .restart(cx.now, &mut self.window, mss, patience, idle);
    }

    /// All has been sent that could be.
    pub(super) fn note_usage<S: Shell>(&mut self, cx: &Context<'_, S>) {
        let snd = &self.snd;
        let flight = snd.flight_size_bytes();
        self.usage
            .on_sent(snd.una, snd.nxt, flight, snd.cwnd_limited);
        if cx.config.slow_start_after_idle && !snd.recovery.is_repairing() {
            let patience = self.usage_patience(cx);
            let application_limited = !cx.shell.has_waiting_writer();
            self.usage
                .validate(cx.now, &mut self.window, patience, application_limited);
        }
    }
}
