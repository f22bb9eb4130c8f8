// SPDX-License-Identifier: GPL-2.0

//! Carrying out what the engine wants: segments, events, the timer. Everything that has touched
//! a connection ends here.

use crate::demux;
use crate::endpoint::{
    now,
    with_connection,
    with_connection_at,
    Endpoint,
    Locked, //
};
use crate::engine::connection::{
    Connection,
    Polled,
    StateName, //
};
use crate::engine::event::Event;
use crate::engine::listener::TimeWait;
use crate::engine::send::pacing::PacingLimits;
use crate::engine::time::Instant;
use crate::engine::timers::Timer;
use crate::engine::wire::Transmit;
use crate::error;
use crate::linux::sock::{
    SockFlag,
    Wake, //
};
use crate::linux::state;
use crate::memory;
use crate::mib;
use crate::orphans;
use crate::output;

/// Transmits, tells the user and arms the timer until the engine wants nothing more.
pub(crate) fn drive(sk: &mut Locked<'_>) {
    drive_at(sk, now());
}

/// The same for a caller that has just looked at the clock.
#[inline]
pub(crate) fn drive_at(sk: &mut Locked<'_>, now: Instant) {
    transmit_all(sk, now);
    finish(sk);
}

/// Tells the user and arms the timer, after all has been transmitted.
#[inline]
pub(crate) fn finish(sk: &mut Locked<'_>) {
    if show_state(sk) {
        retire(sk);
    }
    match take_ready(sk) {
        Some((readable, writable)) => {
            if readable {
                tell_readable(sk);
            }
            if writable {
                tell_writable(sk);
            }
        }
        None => carry_out_all(sk),
    }
    arm_timer(sk);
}

#[inline]
fn take_ready(sk: &mut Locked<'_>) -> Option<(bool, bool)> {
    let connection = sk.endpoint().get_mut().connection.get_mut()?;
    connection.take_ready()
}

/// Tells everything, in the order of a connection's life.
#[inline(never)]
fn carry_out_all(sk: &mut Locked<'_>) {
    while let Some(event) = next_event(sk) {
        carry_out(sk, event);
    }
}

fn transmit_all(sk: &mut Locked<'_>, now: Instant) {
    let limits = PacingLimits {
        max_rate: sk.max_pacing_rate(),
        internal: sk.wants_pacing(),
    };
    if let Some(connection) = sk.endpoint().get_mut().connection.get_mut() {
        connection.set_pacing(limits);
    }
    show_rate(sk);
    while transmit_one(sk, now) {}
}

/// Transmits once, if there is anything to transmit. True if there may be more.
#[inline(never)]
fn transmit_one(sk: &mut Locked<'_>, now: Instant) -> bool {
    let mut transmit = Transmit::NONE;
    let polled = with_connection_at(sk, now, |connection, cx| {
        connection.poll_transmit_into(cx, &mut transmit)
    });
    let again = match polled {
        Some(Polled::One) => true,
        Some(Polled::Last) => false,
        Some(Polled::Nothing) | None => return false,
    };
    if output::transmit(sk, &transmit).is_ok() {
        return again;
    }
    give_back(sk, now, &transmit);
    true
}

/// There was no memory for `transmit`.
#[cold]
#[inline(never)]
fn give_back(sk: &mut Locked<'_>, now: Instant, transmit: &Transmit) {
    with_connection_at(sk, now, |connection, cx| {
        connection.on_transmit_failed(cx, transmit);
    });
}

/// Shows how fast the connection may send.
#[inline]
pub(crate) fn show_rate(sk: &mut Locked<'_>) {
    let (ctx, endpoint) = sk.split();
    if let Some(connection) = endpoint.connection() {
        ctx.set_pacing_rate(connection.pacing_rate());
    }
}

fn next_event(sk: &mut Locked<'_>) -> Option<Event> {
    let connection = sk.endpoint().get_mut().connection.get_mut()?;
    connection.poll_event()
}

#[inline(always)]
fn arm_timer(sk: &mut Locked<'_>) {
    let (ctx, endpoint) = sk.split();
    let Some(connection) = endpoint.get_mut().connection.get_mut() else {
        return;
    };
    if !ctx.goes_off_by(connection.coarse_floor().as_nanos()) {
        let coarse = connection.poll_coarse_deadline();
        ctx.set_deadline(coarse.map(|at| at.as_nanos()));
    }
    let pacing = connection.poll_pacing_deadline();
    ctx.set_pacing_deadline(pacing.map(|at| at.as_nanos()));
}

/// Shows the engine's state to the kernel and to those who look without the lock. The end of a
/// connection is shown by [`closed`], together with all that belongs to it.
/// True if it has just become one that nobody can reach and that waits for the peer's FIN only.
fn show_state(sk: &mut Locked<'_>) -> bool {
    let (ctx, endpoint) = sk.split();
    let Some(connection) = endpoint.connection() else {
        return false;
    };
    ctx.shared().set_unsent(connection.unsent());
    if connection.is_established() && ctx.state() == state::ESTABLISHED {
        return false;
    }
    let new = match connection.state() {
        StateName::Closed => return false,
        StateName::SynSent => state::SYN_SENT,
        StateName::SynReceived => state::SYN_RECV,
        StateName::Established => state::ESTABLISHED,
        StateName::FinWait1 => state::FIN_WAIT1,
        StateName::FinWait2 => state::FIN_WAIT2,
        StateName::CloseWait => state::CLOSE_WAIT,
        StateName::Closing => state::CLOSING,
        StateName::LastAck => state::LAST_ACK,
    };
    if ctx.state() != new {
        ctx.set_state(new);
        let counts = matches!(new, state::ESTABLISHED | state::CLOSE_WAIT);
        let endpoint = endpoint.get_mut();
        match (counts, endpoint.current.is_some()) {
            (true, false) => {
                endpoint.current = Some(mib::Current::new(endpoint.namespace.clone()));
            }
            (false, true) => endpoint.current = None,
            (true, true) | (false, false) => {}
        }
        if new == state::FIN_WAIT2 {
            // A lingering close may be waiting for this.
            ctx.state_change();
            return endpoint.orphan.is_some();
        }
    }
    false
}

/// Has a small object wait for the peer's FIN, if there is nothing else to wait for.
#[inline(never)]
pub(crate) fn retire(sk: &mut Locked<'_>) {
    if with_connection(sk, |connection, cx| connection.retire(cx)) == Some(true) {
        transmit_all(sk, now());
        with_connection(sk, |connection, cx| connection.retire(cx));
    }
}

/// There is more to read.
#[inline]
fn tell_readable(sk: &mut Locked<'_>) {
    if memory::has_enough_to_read(sk) || sk.flag(SockFlag::Done) {
        sk.data_ready();
    }
}

/// There may be room to write.
#[inline]
fn tell_writable(sk: &mut Locked<'_>) {
    memory::grow_send_buffer(sk);
    sk.write_space();
}

fn carry_out(sk: &mut Locked<'_>, event: Event) {
    match event {
        Event::Connected => {
            // Room for the first flight, before the user writes it.
            memory::grow_send_buffer(sk);
            sk.state_change();
            sk.wake_async(Wake::Out);
        }
        Event::Readable => tell_readable(sk),
        Event::Writable => tell_writable(sk),
        Event::PeerClosed => peer_closed(sk),
        Event::Failed(why) => sk.set_err(error::of_connection(why)),
        Event::TimeWait(time_wait) => wait(sk, time_wait),
        Event::Closed => closed(sk),
    }
}

/// The peer will send no more.
fn peer_closed(sk: &mut Locked<'_>) {
    let shut = sk.shutdown_mask() | state::RCV_SHUTDOWN;
    sk.set_shutdown_mask(shut);
    sk.set_flag(SockFlag::Done, true);
    if sk.flag(SockFlag::Dead) {
        return;
    }
    sk.state_change();
    sk.wake_async(if shut == state::SHUTDOWN_MASK {
        Wake::Hup
    } else {
        Wake::In
    });
}

/// Leaves a small object behind that answers for the connection until its segments have died
/// out, or waits for the peer's FIN. Without memory for it there is neither, as in Linux' TCP.
#[inline(never)]
fn wait(sk: &mut Locked<'_>, time_wait: TimeWait) {
    let (ctx, endpoint) = sk.split();
    if demux::enter_time_wait(ctx, &endpoint, time_wait).is_err() {
        endpoint.namespace.note(mib::Event::TimeWaitOverflow);
    }
}

/// The connection is over. What was delivered may still be read.
#[inline(never)]
pub(crate) fn closed(sk: &mut Locked<'_>) {
    let endpoint: &mut Endpoint = sk.endpoint().get_mut();
    endpoint.connection.clear();
    endpoint.current = None;
    sk.set_deadline(None);
    sk.set_state(state::CLOSE);
    sk.set_shutdown_mask(state::SHUTDOWN_MASK);
    sk.shared().set_unsent(0);
    if sk.flag(SockFlag::Dead) {
        demux::leave_for_good(sk);
    } else {
        demux::leave(sk);
    }
    {
        let mut queues = sk.queues();
        queues.unsent_mut().purge();
        queues.sent_mut().purge();
        queues.out_of_order_mut().purge();
    }
    if sk.flag(SockFlag::Dead) {
        sk.destroy();
        return;
    }
    sk.state_change();
    if sk.err() != 0 {
        sk.error_report();
    }
}

/// The timer of the socket has run out, or someone thought so.
pub(crate) fn on_timer(sk: &mut Locked<'_>) {
    let due = sk
        .endpoint()
        .connection()
        .and_then(|connection| connection.poll_deadline())
        .is_some_and(|at| at <= now());
    if !due {
        arm_timer(sk);
        return;
    }
    with_connection(sk, |connection, cx| connection.on_timeout(cx));
    doubt_route(sk);
    doubt_orphan(sk);
    drive(sk);
}

/// Lets a connection sleep to which nothing has happened for a while, or looks at it again when
/// that may be so. Only a timer does this, with no process owning the socket: who owns it relies on
/// its being awake.
#[inline(never)]
pub(crate) fn rest(sk: &mut Locked<'_>) {
    let (ctx, endpoint) = sk.split();
    let resident = &mut endpoint.get_mut().connection;
    match resident.get().and_then(Connection::drowsy_at) {
        Some(at) if at <= now() => resident.sleep(),
        Some(at) => ctx.set_deadline(Some(at.as_nanos())),
        None => {}
    }
}

/// The same, when the process that had the socket lets go of it.
pub(crate) fn on_late_timer(sk: &mut Locked<'_>) {
    let now = now();
    let endpoint = sk.endpoint();
    let late = endpoint
        .connection()
        .and_then(|connection| connection.deadline_of(Timer::DelayedAck))
        .is_some_and(|at| at <= now);
    if late {
        endpoint.namespace.note(mib::Event::DelayedAckLocked);
    }
    on_timer(sk);
    if sk.endpoint().connection().is_some() {
        // Time to rest is when the timer goes off next.
        let soon = now.after(Connection::DOZE_AFTER);
        sk.set_deadline(Some(soon.as_nanos()));
    }
}

/// A connection without a user that gets no answer goes first when there are too many of them.
fn doubt_orphan(sk: &mut Locked<'_>) {
    if !sk.flag(SockFlag::Dead) {
        return;
    }
    let doubts = with_connection(sk, |connection, cx| connection.doubts(cx)).flatten();
    if doubts.is_some_and(|doubts| orphans::are_too_many(sk, doubts)) {
        sk.endpoint().namespace.note(mib::Event::AbortOnMemory);
        with_connection(sk, |connection, cx| connection.abort(cx));
    }
}

/// Lets routing look for another way when a connection gets no answer.
fn doubt_route(sk: &mut Locked<'_>) {
    let is_opening = sk.state() == state::SYN_SENT;
    let retries1 = sk.endpoint().get_mut().values().config.retries1;
    let retransmits = with_connection(sk, |connection, cx| {
        connection.info(cx.now, cx.config).retransmits
    });
    match retransmits {
        Some(n) if n > 0 && (n == retries1 || is_opening) => sk.distrust_route(),
        Some(_) | None => {}
    }
}
