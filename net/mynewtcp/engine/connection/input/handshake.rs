// SPDX-License-Identifier: GPL-2.0

//! SYN-SENT and SYN-RECEIVED.

use crate::engine::buffer::{
    Context,
    Shell, //
};
use crate::engine::config::Config;
use crate::engine::connection::input::Step;
use crate::engine::connection::Connection;
use crate::engine::counters::Counter;
use crate::engine::recv::{
    timestamp_clock,
    PeerClock, //
};
use crate::engine::seq::{
    SeqNum,
    WindowScale, //
};
use crate::engine::state::handshake::{
    Handshake,
    Opened,
    Reset, //
};
use crate::engine::state::open::Established;
use crate::engine::state::State;
use crate::engine::time::Instant;
use crate::engine::timers::Timer;
use crate::engine::wire::options::TIMESTAMPS_LEN;
use crate::engine::wire::{
    Control,
    Segment, //
};

impl Connection {
    /// RFC 9293, 3.10.7.3.
    pub(super) fn on_segment_in_syn_sent<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
    ) {
        let acknowledged = match segment.ack {
            Some(ack) if ack == self.snd.nxt && ack != self.snd.iss => true,
            Some(ack) => {
                // "send a reset (unless the RST bit is set, if so drop the segment and return)
                // <SEQ=SEG.ACK><CTL=RST>"
                if segment.control != Control::Rst {
                    self.reply_reset(ack);
                }
                return;
            }
            None => false,
        };
        if acknowledged && self.echoes_the_unsent(cx, segment) {
            cx.shell.count(Counter::PawsActive, 1);
            if segment.control != Control::Rst {
                self.reply_reset(self.snd.nxt);
            }
            return;
        }
        match (segment.control, acknowledged) {
            (Control::Rst, true) => self.on_reset(cx),
            (Control::Syn, true) => self.on_syn_ack(cx, segment),
            (Control::Syn, false) => self.on_crossing_syn(cx, segment),
            (Control::Rst, false) | (Control::None | Control::Fin, _) => {}
        }
    }

    /// The segment answers our SYN, but echoes a timestamp from before the first one or from the
    /// future: it answers the SYN of an earlier connection, or is forged.
    fn echoes_the_unsent<S: Shell>(&self, cx: &Context<'_, S>, segment: &Segment) -> bool {
        let Some(ts) = segment.options.timestamps else {
            return false;
        };
        let first = match self.snd.patience.owes_since() {
            Some(at) => at.min(self.snd.control_sent_at),
            None => self.snd.control_sent_at,
        };
        let oldest = timestamp_clock(first, self.ts_offset);
        let newest = timestamp_clock(cx.now, self.ts_offset);
        // Some stacks echo nothing in a SYN-ACK.
        cx.config.timestamps
            && ts.ecr != 0
            && ts.ecr.wrapping_sub(oldest) > newest.wrapping_sub(oldest)
    }

    fn reply_reset(&mut self, seq: SeqNum) {
        let reset = Some(Reset { seq, ack: None });
        match &mut self.state {
            State::SynSent(state) => state.reset = reset,
            State::SynReceived(state) => state.reset = reset,
            State::Closed(_)
            | State::Established(_)
            | State::FinWait1(_)
            | State::FinWait2(_)
            | State::CloseWait(_)
            | State::Closing(_)
            | State::LastAck(_) => {}
        }
    }

    fn on_syn_ack<S: Shell>(&mut self, cx: &mut Context<'_, S>, segment: &Segment) {
        self.rcv.synchronize(segment.seq);
        self.rcv.last_at = cx.now;
        self.negotiate(cx.now, cx.config, segment);
        self.ecn.on_syn_ack(segment);
        self.on_syn_acked(cx, Some(self.snd.control_sent_at));
        self.snd.window.set(segment, self.snd.una);
        self.rcv.ack.now();
        self.transition(cx, |state| match state {
            State::SynSent(state) => State::Established(state.on_syn_ack()),
            State::Closed(_)
            | State::SynReceived(_)
            | State::Established(_)
            | State::FinWait1(_)
            | State::FinWait2(_)
            | State::CloseWait(_)
            | State::Closing(_)
            | State::LastAck(_) => state,
        });
    }

    fn on_crossing_syn<S: Shell>(&mut self, cx: &mut Context<'_, S>, segment: &Segment) {
        self.rcv.synchronize(segment.seq);
        self.rcv.last_at = cx.now;
        self.negotiate(cx.now, cx.config, segment);
        self.ecn.on_crossing_syn(segment, self.needs_ecn());
        self.snd.window.set(segment, self.snd.una);
        self.snd.control_lost = true;
        self.transition(cx, |state| match state {
            State::SynSent(state) => State::SynReceived(state.on_syn()),
            State::Closed(_)
            | State::SynReceived(_)
            | State::Established(_)
            | State::FinWait1(_)
            | State::FinWait2(_)
            | State::CloseWait(_)
            | State::Closing(_)
            | State::LastAck(_) => state,
        });
    }

    /// What both SYNs offer is used (RFC 7323, RFC 2018).
    fn negotiate(&mut self, now: Instant, config: &Config, segment: &Segment) {
        let options = &segment.options;
        if let Some(mss) = options.mss {
            self.snd.size.set_peer(mss);
        }
        match options.window_scale {
            Some(scale) if config.window_scaling => self.snd.window.scale = scale,
            Some(_) | None => {
                self.snd.window.scale = WindowScale::NONE;
                self.rcv.window.disable_scaling();
            }
        }
        let offset = self.ts_offset;
        let timestamps = options.timestamps.filter(|_| config.timestamps);
        self.use_timestamps(timestamps.map(|ts| PeerClock {
            recent: ts.val,
            recent_at: now,
            offset,
        }));
        self.peer_scales = options.window_scale.is_some() && config.window_scaling;
        self.rcv.sack = options.sack_permitted && config.sack;
        self.snd.recovery.sack = self.rcv.sack;
    }

    /// The handshake that a listener has made for this new connection is complete.
    pub(crate) fn complete_handshake<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        handshake: &Handshake,
        segment: &Segment,
    ) {
        let first = handshake.iss.plus(1);
        self.ts_offset = handshake.timestamps.map_or(self.ts_offset, |c| c.offset);
        self.snd.nxt = first;
        self.snd.patience.retransmits = handshake.sent.saturating_sub(1);
        self.snd.size.set_peer(handshake.peer_mss);
        self.snd.window.scale = handshake.peer_scale.unwrap_or_default();
        self.peer_scales = handshake.peer_scale.is_some();
        self.rcv.synchronize(handshake.irs);
        self.rcv.window = handshake.window;
        self.rcv.last_at = cx.now;
        self.rcv.sack = handshake.sack;
        self.snd.recovery.sack = handshake.sack;
        self.ecn.agreed = handshake.ecn;
        self.use_timestamps(handshake.timestamps);
        self.on_syn_acked(cx, handshake.sent_at);
        self.snd.window.set(segment, first);
        cx.shell.count(Counter::PassiveOpens, 1);
        self.transition(cx, |_| State::Established(Established::new()));
    }

    fn use_timestamps(&mut self, clock: Option<PeerClock>) {
        self.rcv.timestamps = clock;
        self.snd.size.set_options(match clock {
            Some(_) => TIMESTAMPS_LEN,
            None => 0,
        });
    }

    /// Our SYN, last sent at `sent_at`, has arrived.
    #[inline]
    fn on_syn_acked<S: Shell>(&mut self, cx: &mut Context<'_, S>, sent_at: Option<Instant>) {
        self.snd.una = self.snd.nxt;
        self.snd.syn_acked = true;
        self.snd.syn_repeats = self.snd.patience.retransmits;
        self.snd.control_lost = false;
        match sent_at {
            Some(at) if self.snd.patience.retransmits == 0 => {
                let (rtt, window) = (cx.now.since(at), cx.config.min_rtt_window);
                self.snd.rtt.on_sample(rtt);
                self.snd.rtt.on_min_sample(rtt, cx.now, window);
            }
            Some(_) => self.snd.rtt.on_repeated_handshake(),
            None => {}
        }
        self.snd.patience.on_progress();
        self.timers.stop(Timer::Retransmit);
    }

    /// In SYN-RECEIVED the peer's SYN may come again. With an acknowledgment of ours it is worth
    /// that acknowledgment, without one it asks for our SYN-ACK.
    pub(super) fn without_crossing_syn(&mut self, segment: &Segment) -> Option<Segment> {
        if segment.control != Control::Syn || segment.seq != self.rcv.irs {
            return Some(*segment);
        }
        if segment.ack != Some(self.snd.nxt) {
            self.snd.control_lost = true;
            return None;
        }
        // Its window is unscaled and its payload, if any, is not looked at: it comes again.
        Some(Segment {
            seq: self.rcv.nxt,
            control: Control::None,
            payload_len: 0,
            window: self
                .snd
                .window
                .scale
                .scale_down(self.snd.window.offered_by(segment)),
            ..*segment
        })
    }

    /// Fifth step in SYN-RECEIVED:
    ///
    ///   "If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED state [...] If the segment
    ///   acknowledgment is not acceptable, form a reset segment <SEQ=SEG.ACK><CTL=RST>"
    pub(super) fn on_ack_in_syn_received<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
        ack: SeqNum,
    ) -> Step {
        if ack != self.snd.nxt || ack == self.snd.iss {
            self.reply_reset(ack);
            return Step::Done;
        }
        self.on_syn_acked(cx, Some(self.snd.control_sent_at));
        self.snd.window.set(segment, ack);
        let fin = self.snd.write_seq;
        self.transition(cx, |state| match state {
            State::SynReceived(state) => match state.on_syn_acked(fin) {
                Opened::Established(state) => State::Established(state),
                Opened::FinWait1(state) => State::FinWait1(state),
            },
            State::Closed(_)
            | State::SynSent(_)
            | State::Established(_)
            | State::FinWait1(_)
            | State::FinWait2(_)
            | State::CloseWait(_)
            | State::Closing(_)
            | State::LastAck(_) => state,
        });
        Step::Continue
    }
}
