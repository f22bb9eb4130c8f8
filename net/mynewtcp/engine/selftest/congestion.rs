// SPDX-License-Identifier: GPL-2.0

//! Congestion: marks instead of losses, pacing, windows that were not used.

use crate::engine::config::Config;
use crate::engine::congestion::ecn::EcnMode;
use crate::engine::congestion::Kind;
use crate::engine::selftest::end::{
    End,
    Pair,
    IRS,
    ISS, //
};
use crate::engine::selftest::{
    ensure,
    Outcome, //
};
use crate::engine::send::pacing::PacingLimits;
use crate::engine::time::Delta;
use crate::engine::wire::Ecn;

const ECN: Config = Config {
    ecn: EcnMode::On,
    ..Config::DEFAULT
};

/// RFC 3168, 6.1.1: ECE and CWR on the SYN; a SYN that was lost offers no more, because some
/// networks drop such offers.
pub fn ecn_is_offered_once() -> Outcome {
    let mut end = End::new(ECN, ISS);
    end.with(|connection, cx| connection.connect(cx))
        .map_err(|_| "connect was refused")?;
    let syn = end.transmit("no SYN")?;
    ensure(syn.ece && syn.cwr, "the SYN does not offer ECN")?;
    ensure(syn.ecn == Ecn::NotEct, "the SYN is ECN-capable")?;
    end.wait()?;
    let again = end.transmit("the SYN is not repeated")?;
    ensure(!again.ece && !again.cwr, "the repeated SYN offers ECN")
}

/// Who did not offer and who did not agree send data that routers drop and do not mark.
pub fn ecn_needs_both() -> Outcome {
    for (config, wanted) in [(&ECN, Ecn::Ect0), (&Config::DEFAULT, Ecn::NotEct)] {
        let mut pair = Pair::new(config, ISS, IRS);
        pair.connect()?;
        pair.a.write(3_000)?;
        let mut right = true;
        pair.carry(|transmit| {
            right &= transmit.range.is_empty() || transmit.ecn == wanted;
            true
        })?;
        ensure(right, "data with the wrong codepoint")?;
        ensure(
            pair.a.connection.uses_ecn() == (wanted == Ecn::Ect0),
            "wrong agreement",
        )?;
    }
    Ok(())
}

/// RFC 3168, 6.1.2: a mark has the window reduced once, without a retransmission, and the peer is
/// told once.
pub fn mark_reduces_the_window_once() -> Outcome {
    let mut pair = Pair::new(&ECN, ISS, IRS);
    pair.connect()?;
    let before = pair.a.connection.cwnd_bytes();
    pair.a.write(8_000)?;
    let (mut sent, mut again) = (0, 0);
    pair.carry(|transmit| {
        sent += u32::from(!transmit.range.is_empty());
        again += u32::from(transmit.retransmission);
        if sent == 2 || sent == 4 {
            transmit.ecn = Ecn::Ce;
        }
        true
    })?;
    ensure(pair.b.shell.delivered == 8_000, "not all was delivered")?;
    ensure(again == 0, "a mark is no loss")?;
    let after = pair.a.connection.cwnd_bytes();
    ensure(after < before, "the window is not smaller")?;
    // Seven tenths of the seven segments that were under way.
    ensure(after >= 4_800, "reduced more than once")?;
    pair.a.write(4_000)?;
    let mut reports = 0;
    pair.carry(|transmit| {
        reports += u32::from(transmit.cwr);
        true
    })?;
    ensure(reports == 1, "the reaction is not reported once")?;
    // The echo has ended: nothing reduces the window any more.
    pair.a.write(4_000)?;
    pair.carry(|_| true)?;
    let before = pair.a.connection.cwnd_bytes();
    ensure(before >= after, "the echo has not ended")?;
    // The echo of a mark may be what acknowledges all that is under way.
    pair.a.write(1_000)?;
    pair.carry(|transmit| {
        if !transmit.range.is_empty() {
            transmit.ecn = Ecn::Ce;
        }
        true
    })?;
    ensure(pair.a.connection.unacked() == 0, "data is under way")?;
    ensure(
        pair.a.connection.cwnd_bytes() < before,
        "a mark of the last segment means nothing",
    )
}

/// RFC 8257, 3.2: as many octets are acknowledged with an echo as arrived with a mark.
pub fn dctcp_counts_marks_exactly() -> Outcome {
    let config = Config {
        congestion: Kind::Dctcp,
        ..Config::DEFAULT
    };
    let mut pair = Pair::new(&config, ISS, IRS);
    pair.connect()?;
    ensure(pair.a.connection.uses_ecn(), "it did not ask for marks")?;
    let (mut sent, mut marked) = (0u32, 0);
    for _ in 0..6 {
        pair.a.write(8_000)?;
        pair.carry(|transmit| {
            if !transmit.range.is_empty() {
                sent += 1;
                if sent % 3 == 0 {
                    transmit.ecn = Ecn::Ce;
                    marked += 1;
                }
            }
            true
        })?;
        pair.b.read();
        // Acknowledgments that were delayed come too.
        while pair.a.connection.unacked() > 0 {
            pair.wait()?;
            pair.carry(|_| true)?;
        }
    }
    let info = pair.a.connection.info(pair.a.now, &config);
    ensure(info.delivered >= 48, "too few were delivered")?;
    ensure(
        info.delivered_ce == marked,
        "marks were not counted exactly",
    )
}

/// The algorithm may be changed while data flows, and the windows stay.
pub fn algorithm_changes_on_the_way() -> Outcome {
    let mut pair = Pair::new(&Config::DEFAULT, ISS, IRS);
    pair.connect()?;
    ensure(
        pair.a.connection.congestion() == Kind::Cubic,
        "wrong default",
    )?;
    for &kind in Kind::ALL {
        let before = pair.a.connection.cwnd_bytes();
        pair.a
            .with(|connection, cx| connection.set_congestion(cx, kind));
        ensure(pair.a.connection.congestion() == kind, "not changed")?;
        ensure(
            pair.a.connection.cwnd_bytes() == before,
            "the window has changed",
        )?;
        pair.a.write(4_000)?;
        pair.carry(|_| true)?;
    }
    ensure(pair.b.shell.delivered == 12_000, "not all was delivered")
}

/// RFC 2861: a window that was not used is a new connection's again.
pub fn idle_window_shrinks() -> Outcome {
    let mut end = End::established()?;
    let first = end.connection.cwnd_bytes();
    let mut sent = 0;
    for _ in 0..3 {
        for _ in 0..10 {
            end.write(1_000)?;
            sent += 1_000;
            end.transmit("no data")?;
        }
        end.receive_ack(sent);
    }
    ensure(end.connection.cwnd_bytes() > first, "it did not grow")?;
    end.now = end.now.after(Delta::from_secs(100));
    end.write(1_000)?;
    end.transmit("no data")?;
    ensure(
        end.connection.cwnd_bytes() == first,
        "it did not shrink to the first window",
    )
}

/// A limit to the rate spreads transmissions out; acknowledgments do not wait.
pub fn pacing_spreads_data_out() -> Outcome {
    let mut end = End::established()?;
    for _ in 0..10 {
        end.write(1_000)?;
        end.transmit("the first segments wait")?;
    }
    end.receive_ack(10_000);
    end.connection.set_pacing(PacingLimits {
        max_rate: 10_000,
        internal: true,
    });
    end.write(1_000)?;
    end.write(1_000)?;
    end.write(1_000)?;
    end.transmit("no data")?;
    end.silent("the second segment does not wait")?;
    end.wait()?;
    end.transmit("it waits too long")?;
    end.silent("the third segment does not wait")?;
    end.receive_data(0, 500);
    let ack = end.transmit("the acknowledgment waits")?;
    ensure(ack.range.is_empty(), "data goes too early")?;
    let passed = end.wait()?;
    ensure(passed == Delta::from_millis(100), "the rate is another one")?;
    end.transmit("it waits too long")?;
    Ok(())
}
