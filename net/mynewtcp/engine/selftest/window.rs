// SPDX-License-Identifier: GPL-2.0

//! Windows, and what else decides whether a segment is welcome.

use crate::engine::config::Config;
use crate::engine::connection::StateName;
use crate::engine::selftest::end::{
    segment,
    End,
    Pair,
    CAPACITY,
    IRS,
    ISS, //
};
use crate::engine::selftest::{
    ensure,
    Outcome, //
};
use crate::engine::time::Delta;
use crate::engine::wire::{
    Control,
    Timestamps, //
};

/// RFC 9293, 3.8.6.1: probes, ever more slowly, for as long as they are answered.
pub fn closed_window_is_probed() -> Outcome {
    let mut end = End::established()?;
    let mut closed = segment(Control::None, IRS.plus(1), Some(ISS.plus(1)), 0);
    closed.window = 0;
    end.receive(&closed);
    end.write(500)?;
    end.silent("sent into a closed window")?;
    let mut last = Delta::ZERO;
    for _ in 0..30 {
        let passed = end.wait()?;
        ensure(
            passed > last || passed == end.config.persist_max,
            "no back-off",
        )?;
        last = passed;
        let probe = end.transmit("no probe")?;
        ensure(probe.seq == ISS && probe.range.is_empty(), "wrong probe")?;
        end.silent("more than a probe")?;
        end.receive(&closed);
        end.silent("an answer was answered")?;
    }
    end.is_in(StateName::Established, "given up although the peer answers")?;
    let mut open = closed;
    open.window = 1_000;
    end.receive(&open);
    let data = end.transmit("an open window is not used")?;
    ensure(data.range.len() == 500, "wrong data")
}

/// A reader that makes room says so.
pub fn reader_reopens_the_window() -> Outcome {
    let mut pair = Pair::new(&Config::DEFAULT, ISS, IRS);
    pair.connect()?;
    for _ in 0..3 {
        pair.a.write(10_000)?;
    }
    pair.exchange(|_| false)?;
    for _ in 0..20 {
        if pair.b.shell.delivered == CAPACITY {
            break;
        }
        pair.wait()?;
        pair.exchange(|_| false)?;
    }
    ensure(
        pair.b.shell.delivered == CAPACITY,
        "the window was not filled",
    )?;
    pair.b.read();
    pair.exchange(|_| false)?;
    ensure(
        pair.b.shell.delivered == 30_000,
        "the open window was not told or not used",
    )
}

/// The right edge never moves back, however little room there is.
pub fn right_edge_stays() -> Outcome {
    let mut end = End::established()?;
    let mut edge = end.connection.rcv_right_edge();
    for i in 0..10 {
        end.receive_data(i * 900, 900);
        end.shell.capacity = 1_000;
        while let Some(ack) = end.poll() {
            let now = end.connection.rcv_right_edge();
            ensure(now.after_or_eq(edge), "the right edge moved back")?;
            let nxt = ack.ack.ok_or("no acknowledgment")?;
            ensure(
                nxt.plus(u32::from(ack.window)) == now,
                "the field says something else",
            )?;
            edge = now;
        }
    }
    ensure(end.shell.delivered == 9_000, "a promise was not kept")
}

/// The user's limit on the window, which takes nothing back that has been promised.
pub fn clamped_window_stays_small() -> Outcome {
    let mut end = End::established()?;
    let edge = end.connection.rcv_right_edge();
    end.with(|connection, cx| connection.set_window_clamp(cx, 3_000));
    let mut offset = 0;
    while end.connection.rcv_right_edge() == edge {
        ensure(offset < CAPACITY, "the window is as large as ever")?;
        end.receive_data(offset, 1_000);
        offset += 1_000;
        end.read();
        while end.poll().is_some() {}
    }
    for _ in 0..10 {
        end.receive_data(offset, 1_000);
        offset += 1_000;
        end.read();
        while let Some(ack) = end.poll() {
            ensure(ack.window <= 3_000, "the window is larger than the limit")?;
        }
    }
    ensure(end.shell.delivered == offset, "a promise was not kept")
}

/// PAWS (RFC 7323, section 5): an old timestamp is not taken, but answered.
pub fn old_timestamps_are_rejected() -> Outcome {
    let mut end = End::new(Config::DEFAULT, ISS);
    end.with(|connection, cx| connection.connect(cx))
        .map_err(|_| "connect was refused")?;
    end.transmit("no SYN")?;
    let mut answer = segment(Control::Syn, IRS, Some(ISS.plus(1)), 0);
    answer.options.timestamps = Some(Timestamps { val: 100, ecr: 0 });
    end.receive(&answer);
    end.transmit("no acknowledgment")?;
    let mut data = segment(Control::None, IRS.plus(1), Some(ISS.plus(1)), 10);
    data.options.timestamps = Some(Timestamps { val: 99, ecr: 0 });
    end.receive(&data);
    ensure(end.shell.delivered == 0, "an old segment was taken")?;
    end.transmit("an old segment was not answered")?;
    data.options.timestamps = Some(Timestamps { val: 101, ecr: 0 });
    end.receive(&data);
    ensure(end.shell.delivered == 10, "a new segment was not taken")?;
    let ack = end.transmit("no acknowledgment")?;
    let echo = ack.options.timestamps.map(|ts| ts.ecr);
    ensure(echo == Some(101), "the timestamp is not echoed")
}

/// Who knows RCV.NXT but not what is under way cannot set TS.Recent forward (RFC 5961, 5.2): PAWS
/// would reject the true peer from then on.
pub fn strangers_do_not_set_the_clock() -> Outcome {
    let mut end = End::new(Config::DEFAULT, ISS);
    end.with(|connection, cx| connection.connect(cx))
        .map_err(|_| "connect was refused")?;
    end.transmit("no SYN")?;
    let mut answer = segment(Control::Syn, IRS, Some(ISS.plus(1)), 0);
    answer.options.timestamps = Some(Timestamps { val: 100, ecr: 0 });
    end.receive(&answer);
    end.transmit("no acknowledgment")?;
    let mut forged = segment(Control::None, IRS.plus(1), Some(ISS.plus(1 << 30)), 10);
    forged.options.timestamps = Some(Timestamps {
        val: 1 << 30,
        ecr: 0,
    });
    end.receive(&forged);
    ensure(end.shell.delivered == 0, "a forged segment was taken")?;
    let mut data = segment(Control::None, IRS.plus(1), Some(ISS.plus(1)), 10);
    data.options.timestamps = Some(Timestamps { val: 101, ecr: 0 });
    end.receive(&data);
    ensure(end.shell.delivered == 10, "the true peer was rejected")
}

/// Keepalive: a peer that answers is kept, one that does not is given up.
pub fn idle_peer_is_probed() -> Outcome {
    let mut end = End::established()?;
    end.with(|connection, cx| connection.set_keepalive(cx, true));
    for _ in 0..3 {
        let passed = end.wait()?;
        ensure(passed >= end.config.keepalive_interval, "probed too early")?;
        let probe = end.transmit("no probe")?;
        ensure(probe.seq == ISS, "wrong probe")?;
        end.receive(&segment(Control::None, IRS.plus(1), Some(ISS.plus(1)), 0));
        // The probe after an answer is a full idle time later.
        end.wait()?;
        end.silent("probed although it has just answered")?;
    }
    for _ in 0..30 {
        if end.told.closed {
            break;
        }
        end.wait()?;
        end.poll();
    }
    ensure(end.told.failed && end.told.closed, "a dead peer is kept")
}
