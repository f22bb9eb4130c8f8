// SPDX-License-Identifier: GPL-2.0

//! Closing a connection, in every order.

use crate::engine::config::Config;
use crate::engine::connection::StateName;
use crate::engine::selftest::end::{
    segment,
    End,
    Pair,
    IRS,
    ISS, //
};
use crate::engine::selftest::{
    ensure,
    Outcome, //
};
use crate::engine::wire::Control;

fn shut_down(end: &mut End) -> Outcome {
    end.with(|connection, cx| connection.shutdown_write(cx))
        .map_err(|_| "shutdown was refused")
}

fn pair() -> Pair {
    Pair::new(&Config::DEFAULT, ISS, IRS)
}

/// The user of `b` does not answer the FIN, so that its acknowledgment goes alone in the end.
fn acknowledge_fin(pair: &mut Pair) -> Outcome {
    pair.a.is_in(StateName::FinWait1, "not FIN-WAIT-1")?;
    pair.b.wait()?;
    pair.exchange(|_| false)?;
    pair.a.is_in(StateName::FinWait2, "not FIN-WAIT-2")
}

/// RFC 9293, figure 12: who closes first waits.
pub fn active_then_time_wait() -> Outcome {
    let mut pair = pair();
    pair.connect()?;
    shut_down(&mut pair.a)?;
    pair.a.is_in(StateName::FinWait1, "not FIN-WAIT-1")?;
    pair.exchange(|_| false)?;
    pair.b.is_in(StateName::CloseWait, "not CLOSE-WAIT")?;
    acknowledge_fin(&mut pair)?;
    shut_down(&mut pair.b)?;
    pair.exchange(|_| false)?;
    ensure(pair.a.told.time_wait && pair.a.told.closed, "no TIME-WAIT")?;
    ensure(
        pair.a.told.peer_closed && pair.b.told.peer_closed,
        "no end of file",
    )?;
    ensure(
        pair.b.told.closed && !pair.b.told.failed,
        "b is not closed in order",
    )
}

/// The other side of the same.
pub fn passive_needs_no_time_wait() -> Outcome {
    let mut end = End::established()?;
    end.receive(&segment(Control::Fin, IRS.plus(1), Some(ISS.plus(1)), 0));
    end.is_in(StateName::CloseWait, "not CLOSE-WAIT")?;
    end.silent("the user was given no time to answer")?;
    let waited = end.wait()?;
    ensure(
        waited <= end.config.delack_max,
        "the FIN is acknowledged too late",
    )?;
    let ack = end.transmit("the FIN is not acknowledged")?;
    ensure(ack.ack == Some(IRS.plus(2)), "wrong acknowledgment")?;
    end.write(10)?;
    shut_down(&mut end)?;
    end.is_in(StateName::LastAck, "not LAST-ACK")?;
    let fin = end.transmit("no FIN")?;
    ensure(
        fin.control == Control::Fin && fin.range.len() == 10,
        "FIN not with the last octets",
    )?;
    end.receive_ack(11);
    end.is_in(StateName::Closed, "not CLOSED")?;
    ensure(!end.told.time_wait, "TIME-WAIT on the wrong side")
}

/// A user who closes when the peer has does so in one segment.
pub fn fin_answers_fin() -> Outcome {
    let mut end = End::established()?;
    end.receive(&segment(Control::Fin, IRS.plus(1), Some(ISS.plus(1)), 0));
    end.silent("the FIN is acknowledged alone")?;
    end.with(|connection, cx| connection.close(cx));
    let fin = end.transmit("no FIN")?;
    ensure(
        fin.control == Control::Fin && fin.ack == Some(IRS.plus(2)),
        "the FIN does not acknowledge the other",
    )?;
    end.silent("the FIN is acknowledged twice")
}

/// A FIN sent again was not acknowledged in time.
pub fn repeated_fin_is_acknowledged_at_once() -> Outcome {
    let mut end = End::established()?;
    let fin = segment(Control::Fin, IRS.plus(1), Some(ISS.plus(1)), 0);
    end.receive(&fin);
    end.silent("the FIN is acknowledged alone")?;
    end.receive(&fin);
    let ack = end.transmit("the FIN is not acknowledged")?;
    ensure(ack.ack == Some(IRS.plus(2)), "wrong acknowledgment")
}

/// RFC 9293, figure 13.
pub fn simultaneous() -> Outcome {
    let mut pair = pair();
    pair.connect()?;
    shut_down(&mut pair.a)?;
    shut_down(&mut pair.b)?;
    let from_b = pair.b.transmit("no FIN")?;
    pair.a.transmit("no FIN")?;
    pair.a
        .receive(&from_b.as_received(crate::engine::wire::Ports { src: 2, dst: 1 }));
    pair.a.is_in(StateName::Closing, "not CLOSING")?;
    // The FIN of a is lost: its time-out repeats it.
    pair.exchange(|_| false)?;
    pair.wait()?;
    pair.exchange(|_| false)?;
    ensure(
        pair.a.told.time_wait && pair.b.told.closed,
        "not closed on both sides",
    )
}

/// Whoever has closed its side can still be sent to.
pub fn half_closed_side_still_receives() -> Outcome {
    let mut pair = pair();
    pair.connect()?;
    shut_down(&mut pair.a)?;
    pair.exchange(|_| false)?;
    pair.b.write(6_000)?;
    shut_down(&mut pair.b)?;
    pair.exchange(|_| false)?;
    ensure(pair.a.shell.delivered == 6_000, "not all was delivered")?;
    ensure(
        pair.a.told.time_wait && pair.b.told.closed,
        "not closed on both sides",
    )
}

/// A FIN that overtakes data takes effect after the data.
pub fn fin_in_front_of_data_waits() -> Outcome {
    let mut end = End::established()?;
    end.receive(&segment(Control::Fin, IRS.plus(101), Some(ISS.plus(1)), 50));
    end.is_in(StateName::Established, "the FIN came too early")?;
    ensure(!end.told.peer_closed, "end of file in front of data")?;
    end.receive_data(0, 100);
    end.is_in(StateName::CloseWait, "the FIN was forgotten")?;
    ensure(end.shell.delivered == 150, "not all was delivered")?;
    let ack = end.transmit("no acknowledgment")?;
    ensure(
        ack.ack == Some(IRS.plus(152)),
        "the FIN is not acknowledged",
    )
}

/// A lost FIN is sent again.
pub fn lost_fin_is_repeated() -> Outcome {
    let mut pair = pair();
    pair.connect()?;
    pair.a.write(100)?;
    shut_down(&mut pair.a)?;
    pair.exchange(|transmit| transmit.control == Control::Fin)?;
    pair.b
        .is_in(StateName::Established, "the FIN was not lost")?;
    pair.wait()?;
    pair.exchange(|_| false)?;
    pair.b
        .is_in(StateName::CloseWait, "the FIN was not sent again")?;
    ensure(pair.b.shell.delivered == 100, "not all was delivered")
}

/// FIN-WAIT-2 ends by itself when the user has let go.
pub fn orphan_does_not_wait_for_ever() -> Outcome {
    let mut pair = pair();
    pair.connect()?;
    pair.a.with(|connection, cx| connection.close(cx));
    pair.exchange(|_| false)?;
    acknowledge_fin(&mut pair)?;
    let passed = pair.a.wait()?;
    ensure(passed == pair.a.config.fin_timeout, "wrong time")?;
    ensure(pair.a.told.closed, "still there")
}

/// Where only the peer's FIN is missing and nobody can reach the connection any more, a small
/// object waits for it, after all that is owed has been acknowledged.
pub fn orphan_leaves_fin_wait_2_to_others() -> Outcome {
    let mut end = End::established()?;
    end.with(|connection, cx| connection.set_quick_ack(cx, false));
    shut_down(&mut end)?;
    end.transmit("no FIN")?;
    end.receive_ack(1);
    end.is_in(StateName::FinWait2, "not FIN-WAIT-2")?;
    end.receive_data(0, 100);
    end.read();
    end.silent("the acknowledgment is not delayed")?;
    let early = end.with(|connection, cx| connection.retire(cx));
    end.with(|connection, cx| connection.close(cx));
    end.is_in(StateName::FinWait2, "retired with a user")?;
    let owes = end.with(|connection, cx| connection.retire(cx));
    ensure(!early && owes, "what is owed is forgotten")?;
    let ack = end.transmit("no acknowledgment")?;
    ensure(ack.ack == Some(IRS.plus(101)), "wrong acknowledgment")?;
    let owes = end.with(|connection, cx| connection.retire(cx));
    ensure(
        !owes && end.told.time_wait && end.told.closed,
        "not retired",
    )?;
    end.silent("more than an acknowledgment")
}
