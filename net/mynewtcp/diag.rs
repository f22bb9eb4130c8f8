// SPDX-License-Identifier: GPL-2.0

//! What socket diagnosis and `/proc/net/mynewtcp` tell of each socket.

use crate::endpoint::{
    now,
    with_connection,
    Locked,
    RequestRef,
    Role,
    TimeWaitRef, //
};
use crate::engine::connection::Connection;
use crate::engine::time::{
    Delta,
    Instant, //
};
use crate::engine::timers::Timer;
use crate::linux::facts::{
    Facts,
    TimerKind,
    TIME_WAIT, //
};
use crate::linux::proc_net::Columns;
use crate::linux::state;

/// Clock ticks in a second, as user space counts them (`USER_HZ`).
const USER_HZ: u64 = 100;
/// Linux' TCP tells thresholds from here on as "none yet".
const INFINITE_SSTHRESH: u32 = 0x7fff_ffff;

fn millis_until(at: Instant, now: Instant) -> u32 {
    u32::try_from(at.since(now).as_millis()).unwrap_or(u32::MAX)
}

/// The timer to tell of when several run: the order is that of TCP's diagnosis.
fn timer_of(connection: &Connection) -> Option<(TimerKind, Instant)> {
    let by_rank = [
        (TimerKind::Retransmit, Timer::Retransmit),
        (TimerKind::Retransmit, Timer::Reorder),
        (TimerKind::Retransmit, Timer::Probe),
        (TimerKind::Probe, Timer::Persist),
        (TimerKind::Keepalive, Timer::Keepalive),
        (TimerKind::Keepalive, Timer::FinWait2),
    ];
    by_rank
        .into_iter()
        .find_map(|(kind, timer)| Some((kind, connection.deadline_of(timer)?)))
}

fn of_connection(connection: &Connection, retransmits: u8, probes: u8, facts: &mut Facts) {
    facts.wqueue = connection.unacked().saturating_add(connection.unsent());
    let Some((kind, at)) = timer_of(connection) else {
        return;
    };
    facts.timer = kind;
    facts.expires_ms = millis_until(at, now());
    facts.retrans = match kind {
        TimerKind::Retransmit => retransmits,
        TimerKind::Probe | TimerKind::Keepalive => probes,
        TimerKind::Off | TimerKind::TimeWait => 0,
    };
}

/// A socket.
pub(crate) fn facts(sk: &mut Locked<'_>) -> Facts {
    let mut facts = Facts {
        state: sk.state(),
        rqueue: sk.shared().unread(),
        ..Facts::default()
    };
    match sk.endpoint().role() {
        Role::Closed => {}
        Role::Listening => {
            facts.rqueue = sk.shared().ready();
            facts.wqueue = sk.shared().backlog();
        }
        Role::Connected => {
            with_connection(sk, |connection, cx| {
                let info = connection.info(cx.now, cx.config);
                of_connection(connection, info.retransmits, info.probes, &mut facts);
            });
        }
    }
    facts
}

fn ticks(delta: Delta) -> u64 {
    delta.as_millis().saturating_mul(USER_HZ) / 1000
}

/// What `/proc` shows behind that.
pub(crate) fn columns(sk: &mut Locked<'_>) -> Columns {
    let quickack = u32::from(sk.endpoint().switches.quickack);
    let info = with_connection(sk, |connection, cx| connection.info(cx.now, cx.config));
    let Some(info) = info else {
        return Columns {
            ssthresh: -1,
            ..Columns::default()
        };
    };
    let segments = |octets: u32| octets / info.snd_mss.max(1);
    Columns {
        rto: ticks(info.rto),
        ato: ticks(info.ato),
        ack_mode: quickack << 1,
        cwnd: segments(info.cwnd),
        ssthresh: if info.ssthresh >= INFINITE_SSTHRESH {
            -1
        } else {
            segments(info.ssthresh) as i32
        },
    }
}

#[cfg(CONFIG_MY_NEWTCP_DIAG)]
/// The congestion control algorithm, also of a socket that has no connection yet.
pub(crate) fn congestion_name(sk: &mut Locked<'_>) -> &'static str {
    let ours = with_connection(sk, |connection, cx| {
        connection.info(cx.now, cx.config).congestion
    });
    ours.unwrap_or_else(|| sk.endpoint().tuned.config().congestion.name())
}

/// A half-open connection.
pub(crate) fn request_facts(request: &RequestRef) -> Facts {
    let half_open = request.lock().half_open;
    Facts {
        state: state::SYN_RECV,
        timer: TimerKind::Retransmit,
        retrans: half_open.retransmissions(),
        expires_ms: millis_until(half_open.deadline(), now()),
        ..Facts::default()
    }
}

/// A connection in TIME-WAIT.
pub(crate) fn time_wait_facts(waiting: &TimeWaitRef) -> Facts {
    let time_wait = waiting.lock().time_wait;
    let deadline = time_wait.deadline();
    Facts {
        state: if time_wait.awaits_fin() {
            state::FIN_WAIT2
        } else {
            TIME_WAIT
        },
        timer: TimerKind::TimeWait,
        expires_ms: millis_until(deadline, now()),
        ..Facts::default()
    }
}
