// SPDX-License-Identifier: GPL-2.0

//! Opening a connection.

use crate::engine::config::Config;
use crate::engine::connection::StateName;
use crate::engine::error::{
    ConnectionError,
    IcmpError, //
};
use crate::engine::listener::{
    HalfOpen,
    HalfOpenTimeout,
    HalfOpenVerdict, //
};
use crate::engine::selftest::end::{
    parameters,
    segment,
    End,
    Pair,
    IRS,
    ISS,
    PLAIN, //
};
use crate::engine::selftest::{
    ensure,
    Outcome, //
};
use crate::engine::seq::{
    Mss,
    WindowScale, //
};
use crate::engine::time::Instant;
use crate::engine::wire::{
    Control,
    Ports,
    Timestamps, //
};

fn connecting(config: Config) -> Result<End, &'static str> {
    let mut end = End::new(config, ISS);
    end.with(|connection, cx| connection.connect(cx))
        .map_err(|_| "connect was refused")?;
    Ok(end)
}

/// RFC 9293, figure 6, from the left.
pub fn active_open() -> Outcome {
    let mut end = connecting(Config::DEFAULT)?;
    let syn = end.transmit("no SYN")?;
    ensure(syn.control == Control::Syn && syn.seq == ISS, "wrong SYN")?;
    ensure(
        syn.ack.is_none() && syn.options.mss.is_some(),
        "wrong SYN fields",
    )?;
    end.silent("more than a SYN")?;
    end.receive(&segment(Control::Syn, IRS, Some(ISS.plus(1)), 0));
    end.is_in(StateName::Established, "not ESTABLISHED")?;
    let ack = end.transmit("no acknowledgment")?;
    ensure(
        ack.seq == ISS.plus(1) && ack.ack == Some(IRS.plus(1)),
        "wrong acknowledgment",
    )?;
    end.silent("more than an acknowledgment")
}

/// RFC 9293, figure 6, from the right.
pub fn passive_open() -> Outcome {
    let mut pair = Pair::new(&Config::DEFAULT, ISS, IRS);
    pair.connect()?;
    pair.b.is_in(StateName::Established, "not ESTABLISHED")?;
    ensure(pair.b.connection.irs() == ISS, "wrong IRS")?;
    ensure(pair.b.connection.rcv_nxt() == ISS.plus(1), "wrong RCV.NXT")
}

/// RFC 9293, figure 7.
pub fn simultaneous_open() -> Outcome {
    let ports = Ports { src: 1, dst: 2 };
    let mut a = connecting(Config::DEFAULT)?;
    let mut b = End::new(Config::DEFAULT, IRS);
    b.with(|connection, cx| connection.connect(cx))
        .map_err(|_| "connect was refused")?;
    let from_a = a.transmit("no SYN")?;
    let from_b = b.transmit("no SYN")?;
    a.receive(&from_b.as_received(ports));
    b.receive(&from_a.as_received(ports));
    a.is_in(StateName::SynReceived, "not SYN-RECEIVED")?;
    let from_a = a.transmit("no SYN-ACK")?;
    let from_b = b.transmit("no SYN-ACK")?;
    ensure(
        from_a.control == Control::Syn && from_a.ack.is_some(),
        "wrong SYN-ACK",
    )?;
    a.receive(&from_b.as_received(ports));
    b.receive(&from_a.as_received(ports));
    let mut pair = Pair { a, b, irs: IRS };
    pair.exchange(|_| false)?;
    pair.a
        .is_in(StateName::Established, "a is not ESTABLISHED")?;
    pair.b.is_in(StateName::Established, "b is not ESTABLISHED")
}

/// A SYN is sent syn_linear_timeouts times more at the same pace, then syn_retries times ever more
/// slowly, and then no more.
pub fn syn_is_repeated_then_times_out() -> Outcome {
    let mut end = connecting(PLAIN)?;
    let linear = end.config.syn_linear_timeouts;
    let mut expected = end.config.rto_initial;
    for sent in 0..=linear + end.config.syn_retries {
        let syn = end.transmit("no SYN")?;
        ensure(syn.control == Control::Syn && syn.seq == ISS, "wrong SYN")?;
        if sent > linear {
            expected = expected.times(2).min(end.config.rto_max);
        }
        ensure(end.wait()? == expected, "wrong back-off")?;
    }
    let error = end.connection.error();
    ensure(error == Some(ConnectionError::TimedOut), "not timed out")?;
    ensure(end.told.closed, "Closed was not told")
}

/// A reset refuses, if it acknowledges the SYN.
pub fn refused_by_reset() -> Outcome {
    let mut end = connecting(PLAIN)?;
    end.transmit("no SYN")?;
    end.receive(&segment(Control::Rst, IRS, None, 0));
    end.receive(&segment(Control::Rst, IRS, Some(ISS.plus(2)), 0));
    end.is_in(StateName::SynSent, "a stranger's reset was believed")?;
    end.receive(&segment(Control::Rst, IRS, Some(ISS.plus(1)), 0));
    ensure(
        end.connection.error() == Some(ConnectionError::Refused),
        "not refused",
    )?;
    end.silent("a reset was answered")
}

/// A SYN-ACK is sent synack_retries times more, and again whenever the SYN comes again.
pub fn half_open_repeats_then_gives_up() -> Outcome {
    let mut now = Instant::from_nanos(1_000_000_000);
    let syn = segment(Control::Syn, IRS, None, 0);
    let mut half =
        HalfOpen::on_syn(now, &PLAIN, &parameters(ISS), &syn).ok_or("the SYN was not taken")?;
    let answer = half.transmit(now, &PLAIN);
    ensure(
        answer.seq == ISS && answer.ack == Some(IRS.plus(1)),
        "wrong SYN-ACK",
    )?;
    let verdict = half.on_segment(now, &PLAIN, &syn);
    ensure(
        verdict == HalfOpenVerdict::Retransmit,
        "SYN again is not answered",
    )?;
    let verdict = half.on_segment(now, &PLAIN, &syn);
    ensure(
        verdict == HalfOpenVerdict::Limited,
        "SYNs are answered without limit",
    )?;
    for _ in 0..PLAIN.synack_retries {
        let early = half.on_timeout(now, &PLAIN);
        ensure(early == HalfOpenTimeout::Early, "too early")?;
        now = half.deadline();
        let late = half.on_timeout(now, &PLAIN);
        ensure(late == HalfOpenTimeout::Retransmit, "gives up too soon")?;
        half.transmit(now, &PLAIN);
    }
    let last = half.on_timeout(half.deadline(), &PLAIN);
    ensure(last == HalfOpenTimeout::GiveUp, "does not give up")
}

/// A half-open connection goes by an exact reset only, and answers a wrong acknowledgment.
pub fn half_open_is_reset() -> Outcome {
    let now = Instant::from_nanos(1_000_000_000);
    let syn = segment(Control::Syn, IRS, None, 0);
    let mut half =
        HalfOpen::on_syn(now, &PLAIN, &parameters(ISS), &syn).ok_or("the SYN was not taken")?;
    half.transmit(now, &PLAIN);
    let wrong = segment(Control::None, IRS.plus(1), Some(ISS.plus(9)), 0);
    let HalfOpenVerdict::Reply(reply) = half.on_segment(now, &PLAIN, &wrong) else {
        return Err("a wrong acknowledgment is not answered");
    };
    ensure(
        reply.control == Control::Rst && reply.seq == ISS.plus(9),
        "wrong answer",
    )?;
    let far = segment(Control::Rst, IRS.plus(5), None, 0);
    let verdict = half.on_segment(now, &PLAIN, &far);
    ensure(
        verdict != HalfOpenVerdict::Forget,
        "a guessed reset was believed",
    )?;
    let exact = segment(Control::Rst, IRS.plus(1), None, 0);
    let verdict = half.on_segment(now, &PLAIN, &exact);
    ensure(
        verdict == HalfOpenVerdict::Forget,
        "an exact reset was not believed",
    )
}

/// An answer to our SYN may echo the timestamp of any SYN that was sent, or none. One that echoes
/// anything else is for another connection: it is reset, and a reset is not believed.
pub fn echo_of_a_later_syn_only() -> Outcome {
    for (shift, taken) in [(-1i32, false), (0, true), (1000, true), (1001, false)] {
        let mut end = connecting(Config::DEFAULT)?;
        let syn = end.transmit("no SYN")?;
        let first = syn.options.timestamps.ok_or("no timestamp")?.val;
        end.silent("more than a SYN")?;
        end.wait()?;
        end.transmit("no second SYN")?;
        let echo = Timestamps {
            val: 1,
            ecr: first.wrapping_add_signed(shift),
        };
        if !taken {
            let mut reset = segment(Control::Rst, IRS, Some(ISS.plus(1)), 0);
            reset.options.timestamps = Some(echo);
            end.receive(&reset);
            end.silent("a reset was answered")?;
        }
        let mut answer = segment(Control::Syn, IRS, Some(ISS.plus(1)), 0);
        answer.options.timestamps = Some(echo);
        end.receive(&answer);
        let reply = end.transmit("no reply")?;
        if taken {
            end.is_in(StateName::Established, "an honest echo was not believed")?;
        } else {
            ensure(
                reply.control == Control::Rst && reply.seq == ISS.plus(1),
                "a wrong echo was not reset",
            )?;
            end.is_in(StateName::SynSent, "a wrong echo was believed")?;
        }
    }
    Ok(())
}

/// An option that one side does not offer is not used.
pub fn options_need_both_sides() -> Outcome {
    let mut end = connecting(Config::DEFAULT)?;
    let syn = end.transmit("no SYN")?;
    ensure(
        syn.options.timestamps.is_some() && syn.options.sack_permitted,
        "not offered",
    )?;
    let mut answer = segment(Control::Syn, IRS, Some(ISS.plus(1)), 0);
    answer.options.mss = Some(Mss::new(700));
    end.receive(&answer);
    let ack = end.transmit("no acknowledgment")?;
    ensure(
        ack.options.is_empty(),
        "an option is used that was not agreed on",
    )?;
    ensure(
        end.connection.mss() == Mss::new(700),
        "the peer's MSS is not respected",
    )?;

    let mut end = connecting(Config::DEFAULT)?;
    end.transmit("no SYN")?;
    answer.options.timestamps = Some(Timestamps { val: 1, ecr: 0 });
    answer.options.window_scale = Some(WindowScale::new(2));
    end.receive(&answer);
    let ack = end.transmit("no acknowledgment")?;
    ensure(ack.options.timestamps.is_some(), "timestamps are not used")?;
    ensure(
        end.connection.mss() == Mss::new(688),
        "options are not subtracted",
    )
}

/// RFC 5927: ICMP ends an attempt, not a connection, and only if it quotes what is under way.
pub fn icmp_ends_an_attempt_only() -> Outcome {
    let error = IcmpError::HostUnreachable;
    let mut end = End::established()?;
    end.write(10)?;
    end.transmit("no data")?;
    end.with(|connection, cx| connection.on_icmp(cx, ISS.plus(1), error));
    end.is_in(StateName::Established, "ICMP ended a connection")?;
    ensure(
        end.connection.soft_error() == Some(error),
        "ICMP was not noted",
    )?;
    let mut end = connecting(PLAIN)?;
    end.transmit("no SYN")?;
    end.with(|connection, cx| connection.on_icmp(cx, ISS.plus(1), error));
    end.is_in(StateName::SynSent, "a made-up quote was believed")?;
    end.with(|connection, cx| connection.on_icmp(cx, ISS, error));
    ensure(
        end.connection.error() == Some(ConnectionError::Icmp(error)),
        "not ended",
    )
}
