// SPDX-License-Identifier: GPL-2.0

//! `setsockopt(2)` and `getsockopt(2)` at the level of the protocol. Options keep the numbers
//! that Linux' TCP gave them; what is not in the table is ENOPROTOOPT.

use crate::endpoint::drive::drive;
use crate::endpoint::{
    with_connection,
    Locked,
    Sock, //
};
use crate::engine::config::Config;
use crate::engine::time::Delta;
use crate::linux::compat::prelude::*;
use crate::linux::sockopt::{
    OptIn,
    OptOut, //
};
use crate::tuning::Wishes;

mod congestion;
pub(crate) mod info;

/// Level of TCP's options, which ours are meant to be.
const SOL_TCP: i32 = 6;
/// Level of the options that only this protocol has.
const SOL_NEWTCP: i32 = 288;

const TCP_INFO: i32 = 11;
const TCP_CONGESTION: i32 = 13;
const TCP_CC_INFO: i32 = 26;

/// FIN-WAIT-2 without a user lasts no longer than this.
const LINGER2_MAX: i32 = 120;

/// One option whose value is an int.
struct Number {
    name: i32,
    /// What may be set; anything else is EINVAL.
    range: core::ops::RangeInclusive<i32>,
    set: fn(&mut Locked<'_>, i32) -> Result,
    get: fn(&mut Locked<'_>) -> i32,
}

const ANY: core::ops::RangeInclusive<i32> = i32::MIN..=i32::MAX;

/// Every option with an int value.
static NUMBERS: [Number; 14] = [
    // TCP_NODELAY
    Number {
        name: 1,
        range: ANY,
        set: |sk, value| {
            sk.endpoint().get_mut().switches.nodelay = value != 0;
            tell(sk);
            Ok(())
        },
        get: |sk| i32::from(sk.endpoint().switches.nodelay),
    },
    // TCP_MAXSEG
    Number {
        name: 2,
        range: 0..=32767,
        set: set_maxseg,
        get: get_maxseg,
    },
    // TCP_CORK
    Number {
        name: 3,
        range: ANY,
        set: |sk, value| {
            sk.endpoint().get_mut().switches.cork = value != 0;
            tell(sk);
            Ok(())
        },
        get: |sk| i32::from(sk.endpoint().switches.cork),
    },
    // TCP_KEEPIDLE
    Number {
        name: 4,
        range: 1..=32767,
        set: |sk, value| {
            wish(sk, |wishes| wishes.keepalive_time = Some(seconds(value)))?;
            restart_keepalive(sk);
            Ok(())
        },
        get: |sk| whole_seconds(config(sk).keepalive_time),
    },
    // TCP_KEEPINTVL
    Number {
        name: 5,
        range: 1..=32767,
        set: |sk, value| {
            wish(sk, |wishes| {
                wishes.keepalive_interval = Some(seconds(value))
            })
        },
        get: |sk| whole_seconds(config(sk).keepalive_interval),
    },
    // TCP_KEEPCNT
    Number {
        name: 6,
        range: 1..=127,
        set: |sk, value| wish(sk, |wishes| wishes.keepalive_probes = Some(value as u8)),
        get: |sk| i32::from(config(sk).keepalive_probes),
    },
    // TCP_SYNCNT
    Number {
        name: 7,
        range: 1..=127,
        set: |sk, value| wish(sk, |wishes| wishes.syn_retries = Some(value as u8)),
        get: |sk| i32::from(config(sk).syn_retries),
    },
    // TCP_LINGER2
    Number {
        name: 8,
        range: ANY,
        set: set_linger2,
        get: |sk| {
            if sk.endpoint().switches.no_linger2 {
                -1
            } else {
                whole_seconds(config(sk).fin_timeout)
            }
        },
    },
    // TCP_QUICKACK
    Number {
        name: 12,
        range: ANY,
        set: |sk, value| {
            sk.endpoint().get_mut().switches.quickack = value != 0;
            with_connection(sk, |connection, cx| {
                connection.set_quick_ack(cx, value != 0);
            });
            drive(sk);
            Ok(())
        },
        get: |sk| i32::from(sk.endpoint().switches.quickack),
    },
    // TCP_USER_TIMEOUT
    Number {
        name: 18,
        range: 0..=i32::MAX,
        set: |sk, value| {
            let timeout = Delta::from_millis(value as u64);
            wish(sk, |wishes| wishes.user_timeout = Some(timeout))
        },
        get: |sk| saturated(config(sk).user_timeout.as_millis()),
    },
    // TCP_NOTSENT_LOWAT
    Number {
        name: 25,
        range: ANY,
        set: |sk, value| {
            sk.shared().set_notsent_lowat(value as u32);
            sk.write_space();
            Ok(())
        },
        get: |sk| sk.shared().notsent_lowat() as i32,
    },
    // TCP_RTO_MAX_MS
    Number {
        name: 44,
        range: 1000..=120_000,
        set: |sk, value| {
            let most = Delta::from_millis(value as u64);
            wish(sk, |wishes| wishes.rto_max = Some(most))
        },
        get: |sk| saturated(config(sk).rto_max.as_millis()),
    },
    // TCP_RTO_MIN_US
    Number {
        name: 45,
        range: 2000..=200_000,
        set: |sk, value| {
            let least = Delta::from_micros(value as u64);
            wish(sk, |wishes| wishes.rto_min = Some(least))
        },
        get: |sk| saturated(config(sk).rto_min.as_micros()),
    },
    // TCP_DELACK_MAX_US
    Number {
        name: 46,
        range: 2000..=200_000,
        set: |sk, value| {
            let most = Delta::from_micros(value as u64);
            wish(sk, |wishes| wishes.delack_max = Some(most))
        },
        get: |sk| saturated(config(sk).delack_max.as_micros()),
    },
];

/// The engine's tunables as they are for this socket.
fn config<'a>(sk: &'a mut Locked<'_>) -> &'a Config {
    &sk.endpoint().get_mut().values().config
}

fn wish(sk: &mut Locked<'_>, change: impl FnOnce(&mut Wishes)) -> Result {
    sk.endpoint().get_mut().wish(change)
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

fn set_maxseg(sk: &mut Locked<'_>, value: i32) -> Result {
    // As Linux' TCP: a segment that is mostly header is somebody's mistake.
    if value != 0 && value < 88 {
        return Err(EINVAL);
    }
    sk.endpoint().get_mut().switches.maxseg = value as u16;
    Ok(())
}

fn get_maxseg(sk: &mut Locked<'_>) -> i32 {
    let wish = sk.endpoint().switches.maxseg;
    match sk.endpoint().connection() {
        Some(connection) => saturated(u64::from(connection.mss().octets())),
        None if wish != 0 => i32::from(wish),
        None => 536,
    }
}

fn set_linger2(sk: &mut Locked<'_>, value: i32) -> Result {
    sk.endpoint().get_mut().switches.no_linger2 = value < 0;
    let timeout = match value {
        ..0 => Some(Delta::ZERO),
        0 => None,
        1.. => Some(seconds(value.min(LINGER2_MAX))),
    };
    wish(sk, |wishes| wishes.fin_timeout = timeout)
}

/// Tells the connection when to hold data back.
fn tell(sk: &mut Locked<'_>) {
    let switches = sk.endpoint().switches;
    with_connection(sk, |connection, cx| {
        connection.set_nodelay(cx, switches.nodelay);
        connection.set_cork(cx, switches.cork);
    });
    drive(sk);
}

fn restart_keepalive(sk: &mut Locked<'_>) {
    if sk.flag(crate::linux::sock::SockFlag::KeepOpen) {
        keepalive(sk, true);
    }
}

/// SO_KEEPALIVE was switched.
pub(crate) fn keepalive(sk: &mut Locked<'_>, on: bool) {
    with_connection(sk, |connection, cx| connection.set_keepalive(cx, on));
    drive(sk);
}

/// Tells a new connection what was asked of its socket, or of the listener that it came from.
pub(crate) fn apply(sk: &mut Locked<'_>) {
    let switches = sk.endpoint().switches;
    let keepalive = sk.flag(crate::linux::sock::SockFlag::KeepOpen);
    with_connection(sk, |connection, cx| {
        connection.set_nodelay(cx, switches.nodelay);
        connection.set_cork(cx, switches.cork);
        if !switches.quickack {
            connection.set_quick_ack(cx, false);
        }
        if keepalive {
            connection.set_keepalive(cx, true);
        }
    });
}

fn is_ours(level: i32) -> bool {
    level == SOL_TCP || level == SOL_NEWTCP
}

fn find(name: i32) -> Result<&'static Number> {
    NUMBERS
        .iter()
        .find(|number| number.name == name)
        .ok_or(ENOPROTOOPT)
}

/// Sets an option of any level but SOL_SOCKET.
pub(crate) fn set(sk: &Sock, level: i32, name: i32, value: OptIn<'_>) -> Result {
    if !is_ours(level) {
        return sk.ip_setsockopt(level, name, value);
    }
    if name == TCP_CONGESTION {
        return congestion::set(sk, value);
    }
    let wanted = value.read_i32()?;
    let number = find(name)?;
    if !number.range.contains(&wanted) {
        return Err(EINVAL);
    }
    (number.set)(&mut sk.lock(), wanted)
}

/// Reads an option of any level but SOL_SOCKET.
pub(crate) fn get(sk: &Sock, level: i32, name: i32, out: OptOut<'_>) -> Result {
    if !is_ours(level) {
        return sk.ip_getsockopt(level, name, out);
    }
    if name == TCP_INFO {
        let snapshot = info::snapshot(&mut sk.lock());
        return out.write_bytes(snapshot.as_bytes());
    }
    if name == TCP_CONGESTION {
        return congestion::get(sk, out);
    }
    if name == TCP_CC_INFO {
        return congestion::get_info(sk, out);
    }
    let number = find(name)?;
    let value = (number.get)(&mut sk.lock());
    out.write_i32(value)
}
