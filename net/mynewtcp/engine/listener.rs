// SPDX-License-Identifier: GPL-2.0

//! Connections that are not full connections: those being accepted ([`HalfOpen`]) and those that
//! only wait for old segments to die out ([`TimeWait`]). Both are small `Copy` objects that the
//! shell keeps in its own table, so that a flood of SYNs or of closed connections stays cheap.

use crate::engine::buffer::{
    Context,
    Shell, //
};
use crate::engine::config::{
    Config,
    Parameters, //
};
use crate::engine::connection::Connection;
use crate::engine::recv::window::ReceiveWindow;
use crate::engine::recv::PeerClock;
use crate::engine::seq::{
    Mss,
    SeqNum,
    SeqRange, //
};
use crate::engine::state::handshake::Handshake;
use crate::engine::time::Instant;
use crate::engine::wire::{
    Control,
    Options,
    SackBlocks,
    Segment,
    Transmit, //
};

pub use crate::engine::state::time_wait::{
    TimeWait,
    TimeWaitVerdict, //
};

/// A connection in SYN-RECEIVED that belongs to a listener.
///
/// Call order: [`HalfOpen::on_syn`] makes it, [`HalfOpen::transmit`] gives the SYN-ACK, then
/// [`HalfOpen::on_segment`] and [`HalfOpen::on_timeout`] until one of them says that it is over.
#[derive(Clone, Copy, Debug)]
pub struct HalfOpen {
    handshake: Handshake,
    advertised_mss: Mss,
    deadline: Instant,
    /// When the last challenge acknowledgment was sent.
    challenged_at: Instant,
}

/// What to do after a segment reached a half-open connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfOpenVerdict {
    /// The handshake is complete: make the connection with [`HalfOpen::into_connection`], then
    /// hand it this same segment with `on_segment`.
    Promote,
    /// The SYN came again: send [`HalfOpen::transmit`] again.
    Retransmit,
    /// Send this; the half-open connection stays.
    Reply(Transmit),
    /// The peer reset it: forget it.
    Forget,
    /// Nothing to do.
    Drop,
}

/// What to do when the deadline of a half-open connection has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfOpenTimeout {
    /// It has not passed yet.
    Early,
    /// Send [`HalfOpen::transmit`] again.
    Retransmit,
    /// That was the last try: forget it.
    GiveUp,
}

impl HalfOpen {
    /// A SYN has reached a listener. `None` if the segment is not one that opens a connection
    /// (then [`reset_reply`] says what to answer).
    pub fn on_syn(
        now: Instant,
        config: &Config,
        parameters: &Parameters,
        segment: &Segment,
    ) -> Option<Self> {
        if segment.control != Control::Syn || segment.ack.is_some() {
            return None;
        }
        let options = &segment.options;
        let mut window =
            ReceiveWindow::new(parameters.receive_window, parameters.receive_window_max);
        window.synchronize(segment.seq.plus(1));
        let peer_scale = options.window_scale.filter(|_| config.window_scaling);
        if peer_scale.is_none() {
            window.disable_scaling();
        }
        let timestamps = options.timestamps.filter(|_| config.timestamps);
        let handshake = Handshake {
            iss: parameters.iss,
            irs: segment.seq,
            peer_mss: options.mss.unwrap_or(parameters.default_mss),
            peer_scale,
            window,
            timestamps: timestamps.map(|ts| PeerClock {
                recent: ts.val,
                recent_at: now,
                offset: parameters.ts_offset,
            }),
            sack: options.sack_permitted && config.sack,
            sent: 0,
            sent_at: now,
        };
        Some(Self {
            handshake,
            advertised_mss: parameters.advertised_mss,
            deadline: now.after(config.rto_initial),
            challenged_at: Instant::ZERO,
        })
    }

    fn rcv_nxt(&self) -> SeqNum {
        self.handshake.irs.plus(1)
    }

    /// The SYN-ACK to send now.
    pub fn transmit(&mut self, now: Instant, config: &Config) -> Transmit {
        let backoff = u32::from(self.handshake.sent);
        let wait = config
            .rto_initial
            .doubled(backoff)
            .clamped(config.rto_min, config.rto_max);
        let mut transmit = Transmit::bare(self.handshake.iss, Some(self.rcv_nxt()), Control::Syn);
        transmit.retransmission = self.handshake.sent > 0;
        transmit.window = self.handshake.window.initial_field();
        transmit.options = Options {
            mss: Some(self.advertised_mss),
            window_scale: self
                .handshake
                .peer_scale
                .map(|_| self.handshake.window.scale),
            timestamps: self.handshake.timestamps.map(|clock| clock.option(now)),
            sack_permitted: self.handshake.sack,
            sack: SackBlocks::NONE,
        };
        self.handshake.sent = self.handshake.sent.saturating_add(1);
        self.handshake.sent_at = now;
        self.deadline = now.after(wait);
        transmit
    }

    /// When [`HalfOpen::on_timeout`] wants to be called.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The deadline may have passed.
    pub fn on_timeout(&mut self, now: Instant, config: &Config) -> HalfOpenTimeout {
        if now < self.deadline {
            HalfOpenTimeout::Early
        } else if self.handshake.sent > config.synack_retries {
            HalfOpenTimeout::GiveUp
        } else {
            HalfOpenTimeout::Retransmit
        }
    }

    /// A segment of this connection has arrived (RFC 9293, 3.10.7.4, in SYN-RECEIVED).
    pub fn on_segment(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &Segment,
    ) -> HalfOpenVerdict {
        if segment.control == Control::Syn
            && segment.seq == self.handshake.irs
            && segment.ack.is_none()
        {
            return HalfOpenVerdict::Retransmit;
        }
        if !self.accepts(now, segment) {
            return match segment.control {
                Control::Rst => HalfOpenVerdict::Drop,
                Control::None | Control::Syn | Control::Fin => self.challenge(now, config),
            };
        }
        match segment.control {
            Control::Rst if segment.seq == self.rcv_nxt() => return HalfOpenVerdict::Forget,
            Control::Rst | Control::Syn => return self.challenge(now, config),
            Control::None | Control::Fin => {}
        }
        match segment.ack {
            None => HalfOpenVerdict::Drop,
            Some(ack) if ack == self.handshake.iss.plus(1) => HalfOpenVerdict::Promote,
            Some(ack) => HalfOpenVerdict::Reply(Transmit::bare(ack, None, Control::Rst)),
        }
    }

    fn accepts(&self, now: Instant, segment: &Segment) -> bool {
        if segment.control != Control::Rst {
            if let Some(clock) = self.handshake.timestamps {
                match segment.options.timestamps {
                    Some(ts) if !clock.rejects(now, ts.val) => {}
                    Some(_) | None => return false,
                }
            }
        }
        let nxt = self.rcv_nxt();
        let edge = self.handshake.window.right_edge(nxt);
        if segment.is_empty() || edge == nxt {
            return segment.seq.after_or_eq(nxt) && segment.seq.before_or_eq(edge);
        }
        let window = SeqRange::between(nxt, edge).unwrap_or_default();
        window.contains(segment.seq) || window.contains(segment.end().minus(1))
    }

    fn challenge(&mut self, now: Instant, config: &Config) -> HalfOpenVerdict {
        let recently = self.challenged_at != Instant::ZERO
            && now.since(self.challenged_at) < config.resource_probe_interval;
        if recently {
            return HalfOpenVerdict::Drop;
        }
        self.challenged_at = now;
        let seq = self.handshake.iss.plus(1);
        let mut transmit = Transmit::bare(seq, Some(self.rcv_nxt()), Control::None);
        transmit.window = self.handshake.window.field(self.rcv_nxt());
        transmit.options.timestamps = self.handshake.timestamps.map(|clock| clock.option(now));
        HalfOpenVerdict::Reply(transmit)
    }

    /// Makes the full connection, ESTABLISHED, with `Connected` as its first event. `segment` is
    /// the one that was answered with [`HalfOpenVerdict::Promote`].
    pub fn into_connection<S: Shell>(
        self,
        cx: &mut Context<'_, S>,
        parameters: &Parameters,
        segment: &Segment,
    ) -> Connection {
        Connection::from_handshake(cx, parameters, &self.handshake, segment)
    }
}

/// The answer to a segment for which there is no connection and no listener, or that a listener
/// cannot use (RFC 9293, 3.10.7.1 and 3.10.7.2). `None` for a reset.
///
///   "If the ACK bit is off, sequence number zero is used, <SEQ=0><ACK=SEG.SEQ+SEG.LEN>
///   <CTL=RST,ACK>. If the ACK bit is on, <SEQ=SEG.ACK><CTL=RST>"
pub fn reset_reply(segment: &Segment) -> Option<Transmit> {
    match (segment.control, segment.ack) {
        (Control::Rst, _) => None,
        (Control::None | Control::Syn | Control::Fin, Some(ack)) => {
            Some(Transmit::bare(ack, None, Control::Rst))
        }
        (Control::None | Control::Syn | Control::Fin, None) => Some(Transmit::bare(
            SeqNum::new(0),
            Some(segment.end()),
            Control::Rst,
        )),
    }
}
