// SPDX-License-Identifier: GPL-2.0

//! What each option reads and sets. The table has checked the range.

use crate::endpoint::drive::drive;
use crate::endpoint::{
    with_connection,
    Locked,
    SaveSyn,
    Sock,
    Switches, //
};
use crate::engine::config::Config;
use crate::engine::time::Delta;
use crate::linux::compat::prelude::*;
use crate::linux::sock::SockFlag;
use crate::linux::sockopt::OptOut;
use crate::linux::state;
use crate::memory;
use crate::socket::options::{
    info,
    keepalive, //
};
use crate::tuning::Wishes;

/// FIN-WAIT-2 without a user lasts no longer than this, seconds.
const LINGER2_MAX: i32 = 120;

/// The engine's tunables as they are for this socket.
fn config<'a>(sk: &'a mut Locked<'_>) -> &'a Config {
    &sk.endpoint().get_mut().values().config
}

pub(super) fn wish(sk: &mut Locked<'_>, change: impl FnOnce(&mut Wishes)) -> Result {
    sk.endpoint().get_mut().wish(change)
}

fn switches<'a>(sk: &'a mut Locked<'_>) -> &'a mut Switches {
    &mut sk.endpoint().get_mut().switches
}

fn seconds(value: i32) -> Delta {
    Delta::from_secs(u64::try_from(value).unwrap_or(0))
}

fn whole_seconds(value: Delta) -> i32 {
    saturated(value.as_millis() / 1000)
}

fn saturated(value: u64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Tells the connection when to hold data back.
fn tell(sk: &mut Locked<'_>) {
    let &mut Switches { nodelay, cork, .. } = switches(sk);
    with_connection(sk, |connection, cx| {
        connection.set_nodelay(cx, nodelay);
        connection.set_cork(cx, cork);
    });
    drive(sk);
}

pub(super) fn nodelay(sk: &mut Locked<'_>) -> i32 {
    i32::from(switches(sk).nodelay)
}

pub(super) fn set_nodelay(sk: &mut Locked<'_>, value: i32) -> Result {
    switches(sk).nodelay = value != 0;
    tell(sk);
    Ok(())
}

pub(super) fn cork(sk: &mut Locked<'_>) -> i32 {
    i32::from(switches(sk).cork)
}

pub(super) fn set_cork(sk: &mut Locked<'_>, value: i32) -> Result {
    switches(sk).cork = value != 0;
    tell(sk);
    Ok(())
}

pub(super) fn maxseg(sk: &mut Locked<'_>) -> i32 {
    let wish = switches(sk).maxseg;
    match sk.endpoint().connection() {
        Some(connection) => saturated(u64::from(connection.mss().octets())),
        None if wish != 0 => i32::from(wish),
        None => 536,
    }
}

pub(super) fn set_maxseg(sk: &mut Locked<'_>, value: i32) -> Result {
    // As Linux' TCP: a segment that is mostly header is somebody's mistake.
    if value != 0 && value < 88 {
        return Err(EINVAL);
    }
    switches(sk).maxseg = value as u16;
    Ok(())
}

pub(super) fn keepidle(sk: &mut Locked<'_>) -> i32 {
    whole_seconds(config(sk).keepalive_time)
}

pub(super) fn set_keepidle(sk: &mut Locked<'_>, value: i32) -> Result {
    wish(sk, |wishes| wishes.keepalive_time = Some(seconds(value)))?;
    if sk.flag(SockFlag::KeepOpen) {
        keepalive(sk, true);
    }
    Ok(())
}

pub(super) fn keepintvl(sk: &mut Locked<'_>) -> i32 {
    whole_seconds(config(sk).keepalive_interval)
}

pub(super) fn set_keepintvl(sk: &mut Locked<'_>, value: i32) -> Result {
    wish(sk, |wishes| {
        wishes.keepalive_interval = Some(seconds(value))
    })
}

pub(super) fn keepcnt(sk: &mut Locked<'_>) -> i32 {
    i32::from(config(sk).keepalive_probes)
}

pub(super) fn set_keepcnt(sk: &mut Locked<'_>, value: i32) -> Result {
    wish(sk, |wishes| wishes.keepalive_probes = Some(value as u8))
}

pub(super) fn syncnt(sk: &mut Locked<'_>) -> i32 {
    i32::from(config(sk).syn_retries)
}

pub(super) fn set_syncnt(sk: &mut Locked<'_>, value: i32) -> Result {
    wish(sk, |wishes| wishes.syn_retries = Some(value as u8))
}

pub(super) fn linger2(sk: &mut Locked<'_>) -> i32 {
    if switches(sk).no_linger2 {
        return -1;
    }
    whole_seconds(config(sk).fin_timeout)
}

pub(super) fn set_linger2(sk: &mut Locked<'_>, value: i32) -> Result {
    let timeout = match value {
        ..0 => Some(Delta::ZERO),
        0 => None,
        1.. => Some(seconds(value.min(LINGER2_MAX))),
    };
    wish(sk, |wishes| wishes.fin_timeout = timeout)?;
    switches(sk).no_linger2 = value < 0;
    Ok(())
}

/// Seconds that the first SYN-ACK waits, and that later ones wait at most.
const SYNACK_FIRST: i32 = 1;
const SYNACK_MAX: i32 = 120;

/// SYN-ACK retransmissions that fit into so many seconds, started ones included.
fn retransmissions_in(seconds: i32) -> u8 {
    let (mut count, mut period, mut wait) = (0, SYNACK_FIRST, SYNACK_FIRST);
    if seconds <= 0 {
        return 0;
    }
    count += 1;
    while seconds > period && count < u8::MAX {
        count += 1;
        wait = (wait * 2).min(SYNACK_MAX);
        period += wait;
    }
    count
}

/// The seconds that so many SYN-ACK retransmissions take.
fn seconds_of(retransmissions: u8) -> i32 {
    let (mut period, mut wait) = (0, SYNACK_FIRST);
    for _ in 0..retransmissions {
        period += wait;
        wait = (wait * 2).min(SYNACK_MAX);
    }
    period
}

pub(super) fn defer_accept(sk: &mut Locked<'_>) -> i32 {
    if switches(sk).was_accepted {
        return 0;
    }
    seconds_of(config(sk).defer_accept)
}

pub(super) fn set_defer_accept(sk: &mut Locked<'_>, value: i32) -> Result {
    wish(sk, |wishes| {
        wishes.defer_accept = Some(retransmissions_in(value))
    })?;
    switches(sk).was_accepted = false;
    Ok(())
}

pub(super) fn window_clamp(sk: &mut Locked<'_>) -> i32 {
    saturated(u64::from(sk.shared().window_clamp()))
}

/// Tells the connection, if there is one and a wish.
pub(super) fn apply_window_clamp(sk: &mut Locked<'_>) {
    let clamp = sk.shared().window_clamp();
    if clamp != 0 {
        with_connection(sk, |connection, cx| connection.set_window_clamp(cx, clamp));
    }
}

pub(super) fn set_window_clamp(sk: &mut Locked<'_>, value: i32) -> Result {
    if value == 0 && sk.state() != state::CLOSE {
        return Err(EINVAL);
    }
    let clamp = match value {
        0 => 0,
        _ => u32::try_from(value)
            .unwrap_or(0)
            .max(memory::SMALLEST_WINDOW),
    };
    sk.shared().set_window_clamp(clamp);
    apply_window_clamp(sk);
    Ok(())
}

pub(super) fn info(sk: &Sock, out: OptOut<'_>) -> Result {
    let snapshot = info::snapshot(&mut sk.lock());
    out.write_bytes(snapshot.as_bytes())
}

pub(super) fn quickack(sk: &mut Locked<'_>) -> i32 {
    let is_quick = match sk.endpoint().connection() {
        Some(connection) => connection.is_quick_ack(),
        None => sk.endpoint().switches.quickack,
    };
    i32::from(is_quick)
}

pub(super) fn set_quickack(sk: &mut Locked<'_>, value: i32) -> Result {
    let on = value != 0;
    switches(sk).quickack = on;
    with_connection(sk, |connection, cx| connection.set_quick_ack(cx, on));
    drive(sk);
    Ok(())
}

pub(super) fn user_timeout(sk: &mut Locked<'_>) -> i32 {
    saturated(config(sk).user_timeout.as_millis())
}

pub(super) fn set_user_timeout(sk: &mut Locked<'_>, value: i32) -> Result {
    let timeout = Delta::from_millis(value as u64);
    wish(sk, |wishes| wishes.user_timeout = Some(timeout))
}

pub(super) fn notsent_lowat(sk: &mut Locked<'_>) -> i32 {
    sk.shared().notsent_lowat() as i32
}

pub(super) fn set_notsent_lowat(sk: &mut Locked<'_>, value: i32) -> Result {
    sk.shared().set_notsent_lowat(value as u32);
    sk.write_space();
    Ok(())
}

pub(super) fn inq(sk: &mut Locked<'_>) -> i32 {
    i32::from(switches(sk).inq)
}

pub(super) fn set_inq(sk: &mut Locked<'_>, value: i32) -> Result {
    switches(sk).inq = value != 0;
    Ok(())
}

pub(super) fn save_syn(sk: &mut Locked<'_>) -> i32 {
    switches(sk).save_syn as i32
}

pub(super) fn set_save_syn(sk: &mut Locked<'_>, value: i32) -> Result {
    switches(sk).save_syn = match value {
        0 => SaveSyn::No,
        1 => SaveSyn::FromIp,
        _ => SaveSyn::FromLink,
    };
    Ok(())
}

pub(super) fn saved_syn(sk: &Sock, out: OptOut<'_>) -> Result {
    let mut sk = sk.lock();
    let saved = &mut sk.endpoint().get_mut().saved_syn;
    out.write_whole(saved.as_ref().map_or(&[], |headers| headers.as_slice()))?;
    *saved = None;
    Ok(())
}

pub(super) fn tx_delay(sk: &mut Locked<'_>) -> i32 {
    switches(sk).tx_delay as i32
}

pub(super) fn set_tx_delay(sk: &mut Locked<'_>, value: i32) -> Result {
    switches(sk).tx_delay = value as u32;
    Ok(())
}

pub(super) fn rto_max(sk: &mut Locked<'_>) -> i32 {
    saturated(config(sk).rto_max.as_millis())
}

pub(super) fn set_rto_max(sk: &mut Locked<'_>, value: i32) -> Result {
    let most = Delta::from_millis(value as u64);
    wish(sk, |wishes| wishes.rto_max = Some(most))
}

pub(super) fn rto_min(sk: &mut Locked<'_>) -> i32 {
    saturated(config(sk).rto_min.as_micros())
}

pub(super) fn set_rto_min(sk: &mut Locked<'_>, value: i32) -> Result {
    let least = Delta::from_micros(value as u64);
    wish(sk, |wishes| wishes.rto_min = Some(least))
}

pub(super) fn delack_max(sk: &mut Locked<'_>) -> i32 {
    saturated(config(sk).delack_max.as_micros())
}

pub(super) fn set_delack_max(sk: &mut Locked<'_>, value: i32) -> Result {
    let most = Delta::from_micros(value as u64);
    wish(sk, |wishes| wishes.delack_max = Some(most))
}
