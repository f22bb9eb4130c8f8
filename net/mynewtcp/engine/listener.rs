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
use crate::engine::cookie::{
    self,
    Carried,
    CookieHash, //
};
use crate::engine::recv::window::ReceiveWindow;
use crate::engine::recv::PeerClock;
use crate::engine::seq::{
    Mss,
    SeqNum,
    SeqRange, //
};
use crate::engine::state::handshake::Handshake;
use crate::engine::time::{
    Delta,
    Instant, //
};
use crate::engine::wire::{
    Control,
    Ecn,
    Options,
    SackBlocks,
    Segment,
    Timestamps,
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
///
/// A listener that has too many of them calls [`HalfOpen::with_cookie`] and forgets the SYN once
/// its SYN-ACK is sent; an acknowledgment that nobody knows goes to [`HalfOpen::from_cookie`].
#[derive(Clone, Copy, Debug)]
pub struct HalfOpen {
    handshake: Handshake,
    advertised_mss: Mss,
    deadline: Instant,
    /// How often the deadline has passed.
    timeouts: u8,
    /// The peer has completed the handshake, and could not be accepted yet.
    acked: bool,
    /// The low bits of the timestamp carry the options.
    is_cookie: bool,
    /// When a segment that asks for nothing new was last answered.
    answered_at: Instant,
    /// When the first SYN-ACK was sent; `None` if nobody remembers.
    first_sent_at: Option<Instant>,
}

/// What is wrong with the timestamps of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockFault {
    /// There are none, although both sides agreed on them.
    Missing,
    /// It is older than one that came before (`PAWSEstab`).
    Old,
    /// It echoes what we did not send (`TSEcrRejected`).
    Echo,
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
    /// It deserves an answer, and had one just now (`TCPACKSkippedSynRecv`).
    Limited,
    /// The handshake is complete, but the listener waits for data (`TCPDeferAcceptDrop`).
    Deferred,
    /// Nothing to do.
    Drop,
}

/// What to do when the deadline of a half-open connection has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfOpenTimeout {
    /// It has not passed yet, or there is nothing to do but to wait for the next one.
    Early,
    /// Send [`HalfOpen::transmit`] again.
    Retransmit,
    /// That was the last try: forget it.
    GiveUp,
}

impl HalfOpen {
    /// A SYN has reached a listener. `None` if the segment is not one that opens a connection
    /// (then [`reset_reply`] says what to answer).
    #[inline]
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
            ecn: config.ecn.agrees(segment, config.congestion.needs_ecn()),
            sent: 0,
            sent_at: None,
        };
        Some(Self {
            handshake,
            advertised_mss: parameters.advertised_mss,
            deadline: now.after(config.rto_initial),
            timeouts: 0,
            acked: false,
            is_cookie: false,
            answered_at: Instant::ZERO,
            first_sent_at: None,
        })
    }

    /// As [`HalfOpen::on_syn`], but all that must be remembered is in the SYN-ACK itself. It is
    /// to be sent once, and this object need not be kept.
    pub fn with_cookie(
        now: Instant,
        config: &Config,
        parameters: &Parameters,
        segment: &Segment,
        hash: &impl CookieHash,
    ) -> Option<Self> {
        let mut half = Self::on_syn(now, config, parameters, segment)?;
        let handshake = &mut half.handshake;
        let peer_mss = handshake.peer_mss;
        handshake.iss = cookie::seal(now, hash, segment.seq, peer_mss, parameters.default_mss);
        if handshake.timestamps.is_none() {
            // Nothing carries the other options.
            handshake.peer_scale = None;
            handshake.sack = false;
            handshake.ecn = false;
            handshake.window.disable_scaling();
        }
        half.is_cookie = true;
        Some(half)
    }

    /// An acknowledgment has reached a listener that may have sent a cookie. `None` if it does
    /// not bring one back. What is made here is complete: [`HalfOpen::on_segment`] would promote
    /// it.
    pub fn from_cookie(
        now: Instant,
        config: &Config,
        parameters: &Parameters,
        segment: &Segment,
        hash: &impl CookieHash,
    ) -> Option<Self> {
        match segment.control {
            Control::None | Control::Fin => {}
            Control::Syn | Control::Rst => return None,
        }
        let (iss, irs) = (segment.ack?.minus(1), segment.seq.minus(1));
        let peer_mss = cookie::open(now, hash, iss, irs, parameters.default_mss)?;
        let carried = match segment.options.timestamps {
            Some(ts) => Carried::of_clock(ts.ecr.wrapping_sub(parameters.ts_offset)),
            None => Carried::NONE,
        };
        // What has been switched off since the SYN-ACK went cannot be taken back.
        let refused = (carried.scale.is_some() && !config.window_scaling)
            || (carried.sack && !config.sack)
            || (segment.options.timestamps.is_some() && !config.timestamps);
        if refused {
            return None;
        }
        let mut syn = *segment;
        syn.control = Control::Syn;
        syn.seq = irs;
        syn.ack = None;
        syn.options.mss = Some(peer_mss);
        syn.options.window_scale = carried.scale;
        syn.options.sack_permitted = carried.sack;
        let mut half = Self::on_syn(now, config, parameters, &syn)?;
        half.handshake.iss = iss;
        half.handshake.ecn = carried.ecn;
        half.handshake.sent = 1;
        half.is_cookie = true;
        Some(half)
    }

    fn rcv_nxt(&self) -> SeqNum {
        self.handshake.irs.plus(1)
    }

    /// The SYN-ACK to send now.
    pub fn transmit(&mut self, now: Instant, config: &Config) -> Transmit {
        let mut transmit = Transmit::bare(self.handshake.iss, Some(self.rcv_nxt()), Control::Syn);
        transmit.retransmission = self.handshake.sent > 0;
        transmit.window = self.handshake.window.initial_field();
        transmit.ece = self.handshake.ecn;
        if self.handshake.ecn && config.congestion.needs_ecn() {
            transmit.ecn = Ecn::Ect0;
        }
        transmit.options = Options {
            mss: Some(self.advertised_mss),
            window_scale: self
                .handshake
                .peer_scale
                .map(|_| self.handshake.window.scale),
            timestamps: self.timestamps(now),
            sack_permitted: self.handshake.sack,
            sack: SackBlocks::NONE,
        };
        self.handshake.sent = self.handshake.sent.saturating_add(1);
        self.handshake.sent_at = Some(now);
        self.first_sent_at = self.first_sent_at.or(Some(now));
        self.deadline = now.after(self.patience(config));
        transmit
    }

    /// The timestamps option of a SYN-ACK.
    fn timestamps(&self, now: Instant) -> Option<Timestamps> {
        let clock = self.handshake.timestamps?;
        let mut option = clock.option(now);
        if self.is_cookie {
            let carried = Carried {
                scale: self.handshake.peer_scale,
                sack: self.handshake.sack,
                ecn: self.handshake.ecn,
            };
            let millis = option.val.wrapping_sub(clock.offset);
            option.val = carried.into_clock(millis).wrapping_add(clock.offset);
        }
        Some(option)
    }

    /// How long the peer has until the next deadline.
    fn patience(&self, config: &Config) -> Delta {
        config
            .rto_initial
            .doubled(u32::from(self.timeouts))
            .clamped(config.rto_min, config.rto_max)
    }

    /// No deadline has passed yet: it is likely that the peer is there.
    pub fn is_young(&self) -> bool {
        self.timeouts == 0
    }

    /// The handshake was completed while the accept queue was full: its last segment will come
    /// again.
    pub fn note_acked(&mut self) {
        self.acked = true;
    }

    /// How often the SYN-ACK was sent again.
    pub fn retransmissions(&self) -> u8 {
        self.handshake.sent.saturating_sub(1)
    }

    /// When [`HalfOpen::on_timeout`] wants to be called.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The deadline may have passed.
    pub fn on_timeout(&mut self, now: Instant, config: &Config) -> HalfOpenTimeout {
        self.on_timeout_within(now, config, config.synack_retries)
    }

    /// The same, with `retries` from [`synack_retries`] for a listener that may be short of room.
    pub fn on_timeout_within(
        &mut self,
        now: Instant,
        config: &Config,
        retries: u8,
    ) -> HalfOpenTimeout {
        if now < self.deadline {
            return HalfOpenTimeout::Early;
        }
        let deferral_is_over = self.timeouts >= config.defer_accept;
        if self.timeouts >= retries && (!self.acked || deferral_is_over) {
            return HalfOpenTimeout::GiveUp;
        }
        // Who has answered and is kept waiting is asked again only at the end, as a last chance.
        let ask = !self.acked || self.timeouts.saturating_add(1) >= config.defer_accept;
        self.timeouts = self.timeouts.saturating_add(1);
        self.deadline = now.after(self.patience(config));
        if ask {
            HalfOpenTimeout::Retransmit
        } else {
            HalfOpenTimeout::Early
        }
    }

    /// A segment of this connection has arrived (RFC 9293, 3.10.7.4, in SYN-RECEIVED).
    #[inline]
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
            return self.unless_limited(now, config, HalfOpenVerdict::Retransmit);
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
            Some(ack) if ack == self.handshake.iss.plus(1) => self.complete(config, segment),
            Some(ack) => HalfOpenVerdict::Reply(Transmit::bare(ack, None, Control::Rst)),
        }
    }

    fn complete(&mut self, config: &Config, segment: &Segment) -> HalfOpenVerdict {
        let is_bare = segment.is_empty();
        if is_bare && self.timeouts < config.defer_accept {
            self.acked = true;
            return HalfOpenVerdict::Deferred;
        }
        HalfOpenVerdict::Promote
    }

    /// `verdict`, but not too soon after the last one.
    fn unless_limited(
        &mut self,
        now: Instant,
        config: &Config,
        verdict: HalfOpenVerdict,
    ) -> HalfOpenVerdict {
        let recently = self.answered_at != Instant::ZERO
            && now.since(self.answered_at) < config.invalid_ratelimit;
        if recently {
            return HalfOpenVerdict::Limited;
        }
        self.answered_at = now;
        verdict
    }

    /// What is wrong with the timestamps of a segment, if anything is.
    pub fn clock_fault(&self, now: Instant, segment: &Segment) -> Option<ClockFault> {
        if segment.control == Control::Rst {
            return None;
        }
        let clock = self.handshake.timestamps?;
        let Some(ts) = segment.options.timestamps else {
            return Some(ClockFault::Missing);
        };
        if clock.rejects(now, ts.val) {
            return Some(ClockFault::Old);
        }
        // Nobody who has heard our SYN-ACKs echoes something else.
        let (first, last) = (self.first_sent_at?, self.handshake.sent_at?);
        let since_first = ts.ecr.wrapping_sub(clock.option(first).val);
        let longest = clock.option(last).val.wrapping_sub(clock.option(first).val);
        (ts.ecr != 0 && since_first > longest).then_some(ClockFault::Echo)
    }

    fn accepts(&self, now: Instant, segment: &Segment) -> bool {
        if self.clock_fault(now, segment).is_some() {
            return false;
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
        let seq = self.handshake.iss.plus(1);
        let mut transmit = Transmit::bare(seq, Some(self.rcv_nxt()), Control::None);
        transmit.window = self.handshake.window.field(self.rcv_nxt());
        transmit.options.timestamps = self.handshake.timestamps.map(|clock| clock.option(now));
        self.unless_limited(now, config, HalfOpenVerdict::Reply(transmit))
    }

    /// The reset that tells the peer of a complete handshake that there is no room for it
    /// (`tcp_abort_on_overflow`).
    pub fn refusal(&self) -> Transmit {
        let seq = self.handshake.iss.plus(1);
        Transmit::bare(seq, Some(self.rcv_nxt()), Control::Rst)
    }

    /// ISS.
    pub fn iss(&self) -> SeqNum {
        self.handshake.iss
    }

    /// Makes the full connection, ESTABLISHED, with `Connected` as its first event. `segment` is
    /// the one that was answered with [`HalfOpenVerdict::Promote`].
    pub fn into_connection<S: Shell>(
        self,
        cx: &mut Context<'_, S>,
        parameters: &Parameters,
        segment: &Segment,
    ) -> Connection {
        let mut connection = Connection::new(cx.config, &self.parameters(parameters));
        self.open(cx, &mut connection, segment);
        connection
    }

    /// What the connection is born with: `parameters`, but for what the handshake has settled.
    pub fn parameters(&self, parameters: &Parameters) -> Parameters {
        Parameters {
            iss: self.handshake.iss,
            ..*parameters
        }
    }

    /// The same as [`into_connection`](Self::into_connection) for a shell that has just made the
    /// connection, with [`parameters`](Self::parameters), where it is to stay.
    pub fn open<S: Shell>(
        &self,
        cx: &mut Context<'_, S>,
        connection: &mut Connection,
        segment: &Segment,
    ) {
        connection.complete_handshake(cx, &self.handshake, segment);
    }
}

/// How often a listener with `half_open` half-open connections, `young` of which have never timed
/// out, asks each of them again.
///
/// With room for more than half of `backlog` it is `synack_retries`. With less, half of the room
/// is the young ones': most of these are completed at once, and what stays old is most likely a
/// flood. The fewer young ones there are, the sooner the old have to go.
pub fn synack_retries(config: &Config, half_open: u32, young: u32, backlog: u32) -> u8 {
    /// Fewer half-open connections than this are no reason for haste.
    const FEW: u32 = 8;
    /// A lost SYN-ACK gets another try or two in any case.
    const LEAST: u8 = 2;
    let mut retries = config.synack_retries;
    if half_open.saturating_mul(2) <= backlog.max(FEW) {
        return retries;
    }
    let mut reserved = young.saturating_mul(2);
    while retries > LEAST && half_open >= reserved {
        retries -= 1;
        reserved = reserved.saturating_mul(2);
    }
    retries
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
