// SPDX-License-Identifier: GPL-2.0

//! Listeners in need: cookies, a full accept queue, waiting for data.

use crate::engine::buffer::Context;
use crate::engine::config::Config;
use crate::engine::connection::{
    Connection,
    StateName, //
};
use crate::engine::cookie::Which;
use crate::engine::listener::{
    synack_retries,
    HalfOpen,
    HalfOpenTimeout,
    HalfOpenVerdict, //
};
use crate::engine::selftest::end::{
    parameters,
    segment,
    End,
    IRS,
    ISS,
    PLAIN, //
};
use crate::engine::selftest::{
    ensure,
    Outcome, //
};
use crate::engine::time::{
    Delta,
    Instant, //
};
use crate::engine::wire::{
    Control,
    Ports,
    Segment, //
};

const NOW: Instant = Instant::from_nanos(1_000_000_000_000);
const PORTS: Ports = Ports { src: 1, dst: 2 };

/// Stands for a keyed hash.
fn hash(count: u32, which: Which) -> u32 {
    match which {
        Which::Outer => 0x1234_5678,
        Which::Inner => count.wrapping_mul(0x9e37_79b9) ^ 0x0bad_cafe,
    }
}

/// What a listener that remembers nothing makes of a client's acknowledgment.
fn back(config: &Config, ack: &Segment, now: Instant) -> Option<HalfOpen> {
    HalfOpen::from_cookie(now, config, &parameters(IRS), ack, &hash)
}

/// A client whose SYN was answered with a cookie, and its acknowledgment of that.
fn answered(config: &Config) -> Result<(End, Segment), &'static str> {
    let mut client = End::new(config.clone(), ISS);
    client
        .with(|connection, cx| connection.connect(cx))
        .map_err(|_| "connect was refused")?;
    let syn = client.transmit("no SYN")?.as_received(PORTS);
    let mut half = HalfOpen::with_cookie(NOW, config, &parameters(IRS), &syn, &hash)
        .ok_or("the SYN was not taken")?;
    let answer = half.transmit(NOW, config);
    client.receive(&answer.as_received(PORTS));
    client.is_in(StateName::Established, "the cookie is no SYN-ACK")?;
    let ack = client.transmit("no acknowledgment")?.as_received(PORTS);
    Ok((client, ack))
}

/// RFC 4987, 3.6: the listener forgets the SYN, and knows all of it again when the handshake is
/// completed: MSS, window scale, SACK and timestamps.
pub fn cookie_brings_everything_back() -> Outcome {
    let (client, ack) = answered(&Config::DEFAULT)?;
    let half = back(&Config::DEFAULT, &ack, NOW).ok_or("the cookie is not taken")?;
    let mut server = End::new(Config::DEFAULT, IRS);
    let mut cx = Context {
        now: NOW,
        config: &Config::DEFAULT,
        shell: &mut server.shell,
    };
    server.connection = half.into_connection(&mut cx, &parameters(IRS), &ack);
    server.receive(&ack);
    server.is_in(StateName::Established, "not ESTABLISHED")?;
    let info = |connection: &Connection| connection.info(NOW, &Config::DEFAULT);
    let (ours, theirs) = (info(&server.connection), info(&client.connection));
    ensure(ours.sack && ours.timestamps, "an option is lost")?;
    ensure(
        ours.snd_wscale == theirs.rcv_wscale && ours.rcv_wscale == theirs.snd_wscale,
        "a window scale is lost",
    )?;
    ensure(ours.snd_mss == 536 - 12, "not the nearest MSS below")?;
    ensure(ours.rtt == Delta::ZERO, "a round trip was made up")?;
    server.write(100)?;
    let data = server.transmit("no data")?;
    ensure(data.range.len() == 100, "wrong data")
}

/// Without timestamps nothing carries the other options.
pub fn cookie_without_timestamps_is_plain() -> Outcome {
    let config = Config {
        timestamps: false,
        ..Config::DEFAULT
    };
    let (client, ack) = answered(&config)?;
    let info = client.connection.info(NOW, &config);
    ensure(
        !info.sack && info.snd_wscale == 0,
        "it offers what it forgets",
    )?;
    ensure(
        back(&config, &ack, NOW).is_some(),
        "the cookie is not taken",
    )
}

/// What is not a cookie, or an old one, or somebody else's, opens nothing.
pub fn false_cookies_are_refused() -> Outcome {
    let (_, ack) = answered(&Config::DEFAULT)?;
    let refused = |ack: &Segment, now| match back(&Config::DEFAULT, ack, now) {
        Some(_) => Err("a false cookie was taken"),
        None => Ok(()),
    };
    let minutes = |n: u64| NOW.after(Delta::from_secs(60 * n));
    ensure(
        back(&Config::DEFAULT, &ack, minutes(1)).is_some(),
        "forgotten too soon",
    )?;
    refused(&ack, minutes(2))?;
    let mut wrong = ack;
    wrong.ack = ack.ack.map(|n| n.plus(100));
    refused(&wrong, NOW)?;
    wrong = ack;
    wrong.seq = ack.seq.plus(1 << 25);
    refused(&wrong, NOW)?;
    for control in [Control::Rst, Control::Syn] {
        refused(&Segment { control, ..ack }, NOW)?;
    }
    wrong = ack;
    wrong.ack = None;
    refused(&wrong, NOW)
}

/// `TCP_DEFER_ACCEPT`: a bare acknowledgment does not complete the handshake, data does; and so
/// does the acknowledgment of the last SYN-ACK, which is sent for that.
pub fn deferred_accept_waits_for_data() -> Outcome {
    let config = Config {
        defer_accept: 3,
        ..PLAIN
    };
    let syn = segment(Control::Syn, IRS, None, 0);
    let bare = segment(Control::None, IRS.plus(1), Some(ISS.plus(1)), 0);
    let data = segment(Control::None, IRS.plus(1), Some(ISS.plus(1)), 1);
    let mut half =
        HalfOpen::on_syn(NOW, &config, &parameters(ISS), &syn).ok_or("the SYN was not taken")?;
    half.transmit(NOW, &config);
    let verdict = half.on_segment(NOW, &config, &bare);
    ensure(verdict == HalfOpenVerdict::Deferred, "not deferred")?;
    let verdict = half.on_segment(NOW, &config, &data);
    ensure(
        verdict == HalfOpenVerdict::Promote,
        "data does not complete",
    )?;
    // The first two deadlines pass in silence, at the third the peer is asked again.
    for expected in [
        HalfOpenTimeout::Early,
        HalfOpenTimeout::Early,
        HalfOpenTimeout::Retransmit,
    ] {
        let at = half.deadline();
        ensure(half.on_timeout(at, &config) == expected, "wrong time-out")?;
    }
    let late = half.deadline().before(Delta::from_millis(1));
    half.transmit(late, &config);
    let verdict = half.on_segment(late, &config, &bare);
    ensure(verdict == HalfOpenVerdict::Promote, "the wait has no end")
}

/// A listener that is short of room asks the old again less often.
pub fn old_attempts_make_room() -> Outcome {
    let retries = |half_open, young| synack_retries(&PLAIN, half_open, young, 128);
    ensure(retries(64, 0) == PLAIN.synack_retries, "haste without need")?;
    ensure(retries(5, 0) == PLAIN.synack_retries, "haste without need")?;
    ensure(retries(100, 90) == PLAIN.synack_retries, "the young suffer")?;
    ensure(retries(100, 20) == 3, "not in proportion")?;
    ensure(retries(100, 0) == 2, "a flood stays")
}
