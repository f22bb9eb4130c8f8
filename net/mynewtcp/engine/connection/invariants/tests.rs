// SPDX-License-Identifier: GPL-2.0

//! Each invariant is broken once, to see that its check fires.

use crate::engine::buffer::{
    ReceiveQueue,
    SendQueue,
    TxMeta, //
};
use crate::engine::congestion::Window;
use crate::engine::connection::StateName;
use crate::engine::selftest::end::{
    segment,
    End,
    IRS,
    ISS,
    MSS, //
};
use crate::engine::selftest::shell::Piece;
use crate::engine::send::recovery::Phase;
use crate::engine::seq::SeqRange;
use crate::engine::timers::Timer;
use crate::engine::wire::Control;

/// An end with 5000 octets under way and 1000 that wait for the window.
fn busy() -> End {
    let mut end = End::established().unwrap();
    end.connection.window.cwnd_bytes = 5 * u32::from(MSS);
    for _ in 0..6 {
        end.write(u32::from(MSS)).unwrap();
    }
    while end.poll().is_some() {}
    assert_eq!(end.connection.check_invariants(&end.shell), Ok(()));
    assert_eq!(end.connection.unacked(), 5 * u32::from(MSS));
    end
}

/// Breaks something and expects this complaint.
fn complains(of: &str, broken: impl FnOnce(&mut End)) {
    let mut end = busy();
    broken(&mut end);
    let result = end.connection.check_invariants(&end.shell);
    assert_eq!(result.err(), Some(of));
}

#[test]
fn numbers_out_of_order() {
    complains("SND.UNA is after SND.NXT", |end| {
        let snd = &mut end.connection.snd;
        snd.una = snd.nxt.plus(1);
    });
    complains("SND.NXT is after the FIN", |end| {
        let snd = &mut end.connection.snd;
        snd.write_seq = snd.nxt.minus(2);
    });
    complains("a selective block is not beyond RCV.NXT", |end| {
        let rcv = &mut end.connection.rcv;
        rcv.blocks.push(SeqRange::new(rcv.nxt, 1));
    });
}

#[test]
fn windows_beyond_their_limits() {
    complains("cwnd is under one segment", |end| {
        end.connection.window.cwnd_bytes = u32::from(MSS) - 1;
    });
    complains("ssthresh is under two segments", |end| {
        end.connection.window.ssthresh_bytes = 2 * u32::from(MSS) - 1;
    });
    complains("cwnd is beyond its limit", |end| {
        end.connection.window.cwnd_bytes = Window::CWND_MAX + 1;
    });
    complains("more was sent in recovery than was delivered", |end| {
        let snd = &mut end.connection.snd;
        snd.recovery.phase = Phase::Recovery;
        snd.prr.begin(5000);
        snd.prr.on_sent(1, false);
    });
}

#[test]
fn deadlines_that_are_missing() {
    complains("something is under way and no time-out is armed", |end| {
        end.connection.timers.stop(Timer::Retransmit);
        // Others do not count.
        let at = end.now.after(end.config.keepalive_time);
        end.connection.timers.arm(Timer::Keepalive, at);
    });
    complains(
        "an acknowledgment is owed and no deadline is armed for it",
        |end| {
            end.connection.rcv.ack.now();
        },
    );
    let mut end = busy();
    end.receive_ack(5 * u32::from(MSS));
    while end.poll().is_some() {}
    end.receive_ack(6 * u32::from(MSS));
    end.write(10).unwrap();
    end.connection.timers.stop_all();
    let result = end.connection.check_invariants(&end.shell);
    let what = "something is queued and no deadline is armed for it";
    assert_eq!(result, Err(what));
}

#[test]
fn orphan_that_waits_for_ever() {
    let mut end = End::established().unwrap();
    end.with(|connection, cx| connection.close(cx));
    end.transmit("no FIN").unwrap();
    end.silent("more than a FIN").unwrap();
    end.receive(&segment(Control::None, IRS.plus(1), Some(ISS.plus(2)), 0));
    end.is_in(StateName::FinWait2, "not in FIN-WAIT-2").unwrap();
    assert_eq!(end.connection.check_invariants(&end.shell), Ok(()));
    end.connection.timers.stop(Timer::FinWait2);
    let what = "nobody waits for the peer's FIN and no deadline ends it";
    assert_eq!(end.connection.check_invariants(&end.shell), Err(what));
}

#[test]
fn deadline_after_the_end() {
    complains("a closed connection has a deadline", |end| {
        end.with(|connection, cx| connection.abort(cx));
        let at = end.now;
        end.connection.timers.arm(Timer::Persist, at);
    });
}

#[test]
fn scoreboard_that_does_not_add_up() {
    complains("sum of SACKed octets", |end| {
        end.connection.snd.board.sacked = 1;
    });
    complains("sum of lost octets", |end| {
        end.connection.snd.board.lost = 1;
    });
    complains("sum of retransmitted octets", |end| {
        end.connection.snd.board.retransmitted = 1;
    });
    complains("pipe is negative", |end| {
        let start = end.connection.snd.una;
        let mut meta = end.shell.chunk_at(start).unwrap().meta;
        meta.flags = TxMeta::SACKED | TxMeta::LOST;
        for n in 0..5 {
            end.shell.set_meta(start.plus(n * u32::from(MSS)), meta);
        }
        end.connection.snd.board.sacked = 5 * u32::from(MSS);
        end.connection.snd.board.lost = 5 * u32::from(MSS);
    });
    complains("the sent store has a hole", |end| {
        end.shell.release(end.connection.snd.nxt);
    });
    complains("the sent store holds what was acknowledged", |end| {
        end.connection.snd.una = end.connection.snd.una.plus(1);
    });
}

#[test]
fn piece_that_could_be_delivered() {
    complains("an out-of-order piece could be delivered", |end| {
        let start = IRS.plus(1);
        let piece = Piece(SeqRange::new(start, 5));
        end.shell.ooo_insert(start, piece).unwrap();
    });
}
