// SPDX-License-Identifier: GPL-2.0

//! [`Connection`], the one object with all the verbs.
//!
//! - `verbs`: what the user wants;
//! - `input`: what the network brings, with `input/{handshake,ack,text}`;
//! - `timeout`: what time brings;
//! - `repair`: what is done about losses, with `repair/{report,undo,probe}`;
//! - `output`: what goes out, with `output/data`;
//! - `control`: how much may be under way;
//! - `doze`: what becomes of it while nothing happens;
//! - [`info`]: what may be known about it;
//! - `invariants`: what must always hold.

mod control;
mod doze;
pub mod info;
mod input;
mod invariants;
mod output;
mod repair;
mod tally;
mod timeout;
mod verbs;

use crate::engine::buffer::{
    Context,
    Shell, //
};
use crate::engine::config::{
    Config,
    Parameters, //
};
use crate::engine::congestion::ecn::EcnState;
use crate::engine::congestion::usage::Usage;
use crate::engine::congestion::{
    Congestion,
    Window, //
};
use crate::engine::counters::Counter;
use crate::engine::error::{
    ConnectionError,
    IcmpError, //
};
use crate::engine::event::{
    Event,
    Pending,
    Signal, //
};
use crate::engine::recv::window::{
    ReceiveWindow,
    Room, //
};
use crate::engine::recv::Receive;
use crate::engine::send::Send;
use crate::engine::seq::{
    Mss,
    SeqNum, //
};
use crate::engine::state::handshake::{
    Closed,
    Reset, //
};
use crate::engine::state::time_wait::TimeWait;
use crate::engine::state::State;
use crate::engine::time::{
    Delta,
    Instant, //
};
use crate::engine::timers::{
    Timer,
    TimerTable, //
};

pub use crate::engine::connection::output::Polled;
pub use crate::engine::state::StateName;

/// One end of a connection.
///
/// It does nothing by itself. Its shell calls it, in this order:
///
/// 1. [`Connection::new`] makes it CLOSED; [`HalfOpen::into_connection`] makes it ESTABLISHED.
/// 2. One verb or input: [`connect`], [`send`], [`recv`], [`shutdown_write`], [`close`],
///    [`abort`], or [`on_segment`], [`on_timeout`], [`on_icmp`], [`on_mtu_change`].
/// 3. [`poll_transmit`] until it has nothing more: each [`Transmit`] is a header to build, and
///    payload to clone from the chunk that holds its range. If that fails,
///    [`on_transmit_failed`].
/// 4. [`poll_event`] until it has nothing more: wake whom it concerns.
/// 5. [`poll_deadline`]: call [`on_timeout`] then, or earlier, or both. The deadline of a call
///    stands until the next call of 2.
///
/// After [`Event::Closed`] nothing comes any more, and the connection may be dropped; what was
/// delivered may still be read. [`close`] says that the user has let go: from then on the
/// connection lives only until `Closed`.
///
/// [`HalfOpen::into_connection`]: crate::engine::listener::HalfOpen::into_connection
/// [`Transmit`]: crate::engine::wire::Transmit
/// [`connect`]: Connection::connect
/// [`send`]: Connection::send
/// [`recv`]: Connection::recv
/// [`shutdown_write`]: Connection::shutdown_write
/// [`close`]: Connection::close
/// [`abort`]: Connection::abort
/// [`on_segment`]: Connection::on_segment
/// [`on_timeout`]: Connection::on_timeout
/// [`on_icmp`]: Connection::on_icmp
/// [`on_mtu_change`]: Connection::on_mtu_change
/// [`on_transmit_failed`]: Connection::on_transmit_failed
/// [`poll_transmit`]: Connection::poll_transmit
/// [`poll_event`]: Connection::poll_event
/// [`poll_deadline`]: Connection::poll_deadline
#[derive(Debug)]
#[cfg_attr(mynewtcp_prove, derive(Clone))]
pub struct Connection {
    state: State,
    snd: Send,
    rcv: Receive,
    window: Window,
    congestion: Congestion,
    ecn: EcnState,
    usage: Usage,
    timers: TimerTable,
    pending: Pending,
    challenges: Challenges,
    user: User,
    error: Option<ConnectionError>,
    soft_error: Option<IcmpError>,
    ts_offset: u32,
    advertised_mss: Mss,
    /// The peer's SYN carried a window scale.
    peer_scales: bool,
    tally: tally::Tally,
}

/// What the user has asked for.
#[derive(Clone, Copy, Debug, Default)]
struct User {
    /// Partial segments go at once.
    nodelay: bool,
    /// Partial segments wait.
    cork: bool,
    /// An idle peer is probed.
    keepalive: bool,
    /// The user will not read what is still to come.
    deaf: bool,
    /// The user has let go.
    closed: bool,
}

crate::engine::dormant::packed!(struct User { nodelay, cork, keepalive, deaf, closed });

/// Counts answers to suspicious segments, so that nobody can make us send more than a few.
/// The count is this connection's own: RFC 5961's shared one is a side channel (CVE-2016-5696).
#[derive(Clone, Copy, Debug)]
struct Challenges {
    since: Instant,
    count: u8,
    /// When an unacceptable segment without payload was last answered.
    answered_at: Instant,
}

crate::engine::dormant::packed!(struct Challenges { since, count, answered_at });

impl Challenges {
    const INTERVAL: Delta = Delta::from_secs(1);

    const fn new() -> Self {
        Self {
            since: Instant::ZERO,
            count: 0,
            answered_at: Instant::ZERO,
        }
    }

    /// An answer now does not follow the last one too soon: two hosts that both think the other
    /// is wrong would never stop.
    fn permit_answer(&mut self, now: Instant, interval: Delta) -> bool {
        if self.answered_at != Instant::ZERO && now.since(self.answered_at) < interval {
            return false;
        }
        self.answered_at = now;
        true
    }

    /// One more answer is within the limit.
    fn permit(&mut self, now: Instant, limit: u8) -> bool {
        if now.since(self.since) >= Self::INTERVAL {
            self.since = now;
            self.count = 0;
        }
        if self.count >= limit {
            return false;
        }
        self.count += 1;
        true
    }
}

impl Connection {
    /// A connection in CLOSED, for an active open.
    ///
    /// It is large: inlined, it can be made where it is to stay.
    #[inline(always)]
    pub fn new(config: &Config, parameters: &Parameters) -> Self {
        let snd = Send::new(config, parameters);
        let window = ReceiveWindow::new(parameters.receive_window, parameters.receive_window_max);
        let cwnd = Window::initial(config.initial_cwnd, snd.size.mss());
        Self {
            state: State::Closed(Closed::new()),
            snd,
            rcv: Receive::new(window, parameters.receive_window, parameters.advertised_mss),
            window: cwnd,
            congestion: Congestion::new(config.congestion),
            ecn: EcnState::default(),
            usage: Usage::new(parameters.iss),
            timers: TimerTable::new(),
            pending: Pending::default(),
            challenges: Challenges::new(),
            user: User::default(),
            error: None,
            soft_error: None,
            ts_offset: parameters.ts_offset,
            advertised_mss: parameters.advertised_mss,
            peer_scales: false,
            tally: tally::Tally::default(),
        }
    }

    /// All that [`poll_event`](Self::poll_event) has to tell, if that is at most that there is
    /// something to read, and that there is room to write: whether it is. `None` if it is more,
    /// and has to be polled.
    #[inline]
    pub fn take_ready(&mut self) -> Option<(bool, bool)> {
        self.pending.take_ready()
    }

    /// It is in ESTABLISHED, where most of them are most of the time.
    #[inline]
    pub fn is_established(&self) -> bool {
        matches!(self.state, State::Established(_))
    }

    /// The next thing to tell the user, if there is one.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            return Some(match self.pending.take()? {
                Signal::Connected => Event::Connected,
                Signal::Readable => Event::Readable,
                Signal::Writable => Event::Writable,
                Signal::PeerClosed => Event::PeerClosed,
                Signal::Closed => Event::Closed,
                Signal::Failed => match self.error {
                    Some(error) => Event::Failed(error),
                    None => continue,
                },
                Signal::TimeWait => match self.left_behind() {
                    Some(time_wait) => Event::TimeWait(time_wait),
                    None => continue,
                },
            });
        }
    }

    /// When [`Connection::on_timeout`] wants to be called, if ever.
    pub fn poll_deadline(&self) -> Option<Instant> {
        self.timers.earliest()
    }

    /// When `timer` goes off, if it is set.
    pub fn deadline_of(&self, timer: Timer) -> Option<Instant> {
        self.timers.deadline(timer)
    }

    /// The state.
    pub fn state(&self) -> StateName {
        self.state.name()
    }

    /// [`Connection::send`] would be accepted.
    pub fn can_send(&self) -> bool {
        self.state.can_send()
    }

    /// The peer may still send, or its FIN has not arrived yet.
    pub fn can_receive(&self) -> bool {
        self.state.can_receive()
    }

    /// Why it failed, if it did.
    pub fn error(&self) -> Option<ConnectionError> {
        self.error
    }

    /// What ICMP last said that was not reason enough to fail.
    pub fn soft_error(&self) -> Option<IcmpError> {
        self.soft_error
    }

    /// Octets of payload of a full segment.
    pub fn mss(&self) -> Mss {
        self.snd.size.mss()
    }

    /// What [`Connection::on_mtu_change`] was last told, or the parameters said.
    pub fn route_mss(&self) -> Mss {
        self.snd.pmtu.route()
    }

    /// Octets up to which the last unsent chunk should be filled.
    pub fn size_goal(&self) -> u32 {
        self.snd.size.goal()
    }

    /// The device in the path takes superpackets of so many octets of payload and so many
    /// segments; one segment is always possible.
    pub fn set_superpacket(&mut self, octets: u32, segments: u32) {
        self.snd.size.set_superpacket(octets, segments);
    }

    /// Octets of the largest window that the peer has offered so far.
    pub fn max_window(&self) -> u32 {
        self.snd.window.max.octets()
    }

    /// SND.UNA.
    pub fn snd_una(&self) -> SeqNum {
        self.snd.una
    }

    /// SND.NXT.
    pub fn snd_nxt(&self) -> SeqNum {
        self.snd.nxt
    }

    /// The sequence number that the next octet queued will have.
    pub fn write_seq(&self) -> SeqNum {
        self.snd.write_seq
    }

    /// Octets queued and never sent.
    pub fn unsent(&self) -> u32 {
        self.snd.unsent()
    }

    /// Octets sent and not acknowledged.
    pub fn unacked(&self) -> u32 {
        self.snd.flight_size_bytes()
    }

    /// The congestion window.
    pub fn cwnd_bytes(&self) -> u32 {
        self.window.cwnd_bytes
    }

    /// Smoothed round-trip time, zero before the first measurement.
    pub fn srtt(&self) -> Delta {
        self.snd.rtt.srtt
    }

    /// RCV.NXT.
    pub fn rcv_nxt(&self) -> SeqNum {
        self.rcv.nxt
    }

    /// The right edge of the window that we have offered.
    pub fn rcv_right_edge(&self) -> SeqNum {
        self.rcv.window.right_edge(self.rcv.nxt)
    }

    /// ISS.
    pub fn iss(&self) -> SeqNum {
        self.snd.iss
    }

    /// IRS, once the peer's SYN has come.
    pub fn irs(&self) -> SeqNum {
        self.rcv.irs
    }

    /// When the connection is to be forgotten, if it is in what RFC 9293 calls TIME-WAIT.
    /// Until then it may wait for the peer's FIN, as is said too.
    fn remembered_until(&self) -> Option<(Instant, bool)> {
        match &self.state {
            State::Closed(closed) => Some((closed.remembered_until, closed.awaits_fin))
                .filter(|&(until, _)| until != Instant::MAX),
            State::SynSent(_)
            | State::SynReceived(_)
            | State::Established(_)
            | State::FinWait1(_)
            | State::FinWait2(_)
            | State::CloseWait(_)
            | State::Closing(_)
            | State::LastAck(_) => None,
        }
    }

    /// The object that stays behind.
    #[inline(never)]
    fn left_behind(&self) -> Option<TimeWait> {
        let (until, awaits_fin) = self.remembered_until()?;
        let (snd_nxt, rcv_nxt) = (self.snd.nxt, self.rcv.nxt);
        let whole = TimeWait::new(until, snd_nxt, rcv_nxt, self.rcv.timestamps);
        Some(if awaits_fin { whole.half() } else { whole })
    }

    /// The one place where the state changes.
    fn transition<S: Shell>(&mut self, cx: &mut Context<'_, S>, edge: impl FnOnce(State) -> State) {
        let before = self.state.name();
        let state = core::mem::replace(&mut self.state, State::Closed(Closed::new()));
        self.state = edge(state);
        let after = self.state.name();
        if before == after {
            return;
        }
        match after {
            StateName::Closed => self.on_closed(cx),
            StateName::Established => self.on_established(cx),
            StateName::FinWait2 => self.arm_fin_wait_2(cx),
            StateName::FinWait1 if before == StateName::SynReceived => self.on_established(cx),
            StateName::SynSent
            | StateName::SynReceived
            | StateName::FinWait1
            | StateName::CloseWait
            | StateName::Closing
            | StateName::LastAck => {}
        }
    }

    fn on_closed<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        self.timers.stop_all();
        if let Some((_, awaits_fin)) = self.remembered_until() {
            cx.shell.count(Counter::TimeWaits, u32::from(!awaits_fin));
            self.pending.raise(Signal::TimeWait);
        }
        self.pending.raise(Signal::Closed);
    }

    #[inline]
    fn on_established<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        self.start_mtu_probing(cx);
        // "if the SYN or SYN/ACK is lost, the initial window used by a sender after a correctly
        // transmitted SYN MUST be one segment" (RFC 5681, 3.1). Like Linux we forgive one: a first
        // time-out of one second may have been too short.
        let lost = self.snd.syn_repeats > 1;
        let segments = if lost { 1 } else { cx.config.initial_cwnd };
        let mss = self.snd.size.mss();
        self.window = Window::initial(segments, mss).with_ssthresh(cx.config.initial_ssthresh, mss);
        let (nxt, capacity) = (self.rcv.nxt, cx.shell.capacity());
        self.rcv.tuning.begin(cx.now, cx.config, nxt, capacity);
        self.update_pacing(cx);
        self.pending.raise(Signal::Connected);
        if self.user.keepalive {
            let at = cx.now.after(cx.config.keepalive_time);
            self.timers.arm(Timer::Keepalive, at);
        }
    }

    /// Nobody waits for the peer's FIN for ever once the user has let go.
    fn arm_fin_wait_2<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        if self.user.closed && self.state.name() == StateName::FinWait2 {
            let at = cx.now.after(cx.config.fin_timeout);
            self.timers.arm_earlier(Timer::FinWait2, at);
        }
    }

    /// The end: with `error`, and with a reset for the peer if it should know.
    fn fail<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        error: ConnectionError,
        reset: Option<Reset>,
    ) {
        let counter = if self.state.is_synchronized() {
            Counter::EstabResets
        } else {
            Counter::AttemptFails
        };
        cx.shell.count(counter, 1);
        self.error = Some(error);
        self.pending.raise(Signal::Failed);
        self.transition(cx, |_| {
            State::Closed(match reset {
                Some(reset) => Closed::with_reset(reset),
                None => Closed::new(),
            })
        });
    }

    /// The reset that a synchronized connection sends.
    fn reset(&self) -> Reset {
        Reset {
            seq: self.snd.nxt,
            ack: Some(self.rcv.nxt),
        }
    }

    /// What there is room for in the receive buffer.
    fn room<S: Shell>(&self, cx: &Context<'_, S>) -> Room {
        self.room_under(cx, cx.shell.is_under_pressure())
    }

    /// The same for a caller that knows whether there is memory pressure.
    #[inline]
    fn room_under<S: Shell>(&self, cx: &Context<'_, S>, pressure: bool) -> Room {
        let tuning = &self.rcv.tuning;
        Room {
            free: tuning.window_of(cx.shell.free_space()),
            most: tuning.most(pressure),
            capacity: tuning.window_of(cx.shell.capacity()).min(tuning.clamp),
            mss: u32::from(self.rcv.ack.peer_mss),
        }
    }

    /// The retransmission time-out now.
    fn rto<S: Shell>(&self, cx: &Context<'_, S>) -> Delta {
        self.snd.rtt.rto(cx.config).delta()
    }
}
