// SPDX-License-Identifier: GPL-2.0

//! What may never change anything: segments that no honest peer would send now, and verbs that do
//! not fit the state.

use crate::engine::buffer::Context;
use crate::engine::connection::{
    Connection,
    StateName, //
};
use crate::engine::error::VerbError;
use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};
use crate::engine::wire::{
    Control,
    Ports,
    Segment,
    Transmit, //
};
use crate::host::{
    context,
    Host, //
};
use crate::scenario::Scenario;
use crate::store::{
    Piece,
    Store, //
};

/// What a user or the peer could tell the difference by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Face {
    state: StateName,
    una: SeqNum,
    nxt: SeqNum,
    write_seq: SeqNum,
    rcv_nxt: SeqNum,
    delivered: u32,
    cwnd_bytes: u32,
    has_event: bool,
}

fn face(connection: &Connection, store: &Store) -> Face {
    Face {
        state: connection.state(),
        una: connection.snd_una(),
        nxt: connection.snd_nxt(),
        write_seq: connection.write_seq(),
        rcv_nxt: connection.rcv_nxt(),
        delivered: store.delivered,
        cwnd_bytes: connection.cwnd_bytes(),
        has_event: connection.clone().poll_event().is_some(),
    }
}

fn segment(seq: SeqNum, ack: Option<SeqNum>, control: Control, len: u32) -> Segment {
    let mut transmit = Transmit::bare(seq, ack, control);
    transmit.range = SeqRange::new(seq, len);
    transmit.window = 1000;
    transmit.as_received(Ports { src: 1, dst: 2 })
}

/// Segments that must not change a synchronized connection, with the reason.
fn to_synchronized(connection: &Connection) -> Vec<(&'static str, Segment)> {
    let (nxt, edge) = (connection.rcv_nxt(), connection.rcv_right_edge());
    let (una, sent) = (connection.snd_una(), connection.snd_nxt());
    // It acknowledges nothing new: even a closed window lets an acknowledgment pass.
    let good = Some(una);
    let mut list = vec![
        (
            "a reset behind the window",
            segment(edge.plus(1), good, Control::Rst, 0),
        ),
        (
            "a reset in front of the window",
            segment(nxt.minus(1), good, Control::Rst, 0),
        ),
        ("a SYN at RCV.NXT", segment(nxt, None, Control::Syn, 0)),
        (
            "a SYN,ACK behind the window",
            segment(edge.plus(5), good, Control::Syn, 0),
        ),
        (
            "data behind the window",
            segment(edge, good, Control::None, 10),
        ),
        (
            "data that was delivered long ago",
            segment(nxt.minus(500), good, Control::None, 10),
        ),
        (
            "a FIN behind the window",
            segment(edge, good, Control::Fin, 0),
        ),
        (
            "an acknowledgment of what was not sent",
            segment(nxt, Some(sent.plus(1)), Control::None, 0),
        ),
        (
            "an acknowledgment from long ago",
            segment(nxt, Some(una.minus(0x4000_0000)), Control::None, 0),
        ),
        (
            "data without an acknowledgment",
            segment(nxt, None, Control::None, 10),
        ),
        (
            "a FIN without an acknowledgment",
            segment(nxt, None, Control::Fin, 0),
        ),
    ];
    if nxt.plus(1).before(edge) {
        list.push((
            "a reset inside the window, not at RCV.NXT",
            segment(nxt.plus(1), good, Control::Rst, 0),
        ));
        list.push((
            "a SYN inside the window",
            segment(nxt.plus(1), good, Control::Syn, 0),
        ));
    }
    list
}

/// Segments that must not change SYN-SENT.
fn to_syn_sent(connection: &Connection) -> Vec<(&'static str, Segment)> {
    let sent = connection.snd_nxt();
    let any = SeqNum::new(7);
    vec![
        (
            "a reset with a wrong acknowledgment",
            segment(any, Some(sent.plus(1)), Control::Rst, 0),
        ),
        ("a reset without one", segment(any, None, Control::Rst, 0)),
        (
            "a SYN,ACK of another SYN",
            segment(any, Some(sent.plus(9)), Control::Syn, 0),
        ),
        (
            "a SYN,ACK of our ISS",
            segment(any, Some(connection.iss()), Control::Syn, 0),
        ),
        (
            "an acknowledgment without a SYN",
            segment(any, Some(sent), Control::None, 0),
        ),
        ("data", segment(any, None, Control::None, 10)),
        ("a FIN", segment(any, Some(sent), Control::Fin, 0)),
    ]
}

/// Tries everything illegal on a copy of the host's connection.
pub fn check(scenario: &Scenario, host: &Host) -> Result<(), String> {
    let Some(connection) = &host.connection else {
        return Ok(());
    };
    let list = match connection.state() {
        StateName::Closed => Vec::new(),
        StateName::SynSent => to_syn_sent(connection),
        StateName::SynReceived
        | StateName::Established
        | StateName::FinWait1
        | StateName::FinWait2
        | StateName::CloseWait
        | StateName::Closing
        | StateName::LastAck => to_synchronized(connection),
    };
    for (what, segment) in list {
        unchanged(scenario, host, what, |connection, cx| {
            let range = segment.payload_range();
            let payload = (!range.is_empty()).then_some(Piece(range));
            connection.on_segment(cx, &segment, payload);
            Ok(())
        })?;
    }
    unchanged(scenario, host, "a second connect", |connection, cx| {
        let refused = connection.connect(cx) == Err(VerbError::AlreadyConnected);
        refused.then_some(()).ok_or("a second connect was accepted")
    })?;
    if host.seen.shut_down {
        unchanged(scenario, host, "writing after the end", |connection, _| {
            let refused = connection.send(10, false).is_err();
            refused
                .then_some(())
                .ok_or("writing after the end was accepted")
        })?;
    }
    unchanged(scenario, host, "time that is not over", |connection, cx| {
        if connection.poll_deadline().is_none_or(|at| at > cx.now) {
            connection.on_timeout(cx);
        }
        Ok(())
    })
}

fn unchanged(
    scenario: &Scenario,
    host: &Host,
    what: &str,
    event: impl FnOnce(&mut Connection, &mut Context<'_, Store>) -> Result<(), &'static str>,
) -> Result<(), String> {
    let Some(mut connection) = host.connection.clone() else {
        return Ok(());
    };
    let mut store = host.store.clone();
    let before = face(&connection, &store);
    let now = host.now();
    event(&mut connection, &mut context(now, scenario, &mut store))?;
    let after = face(&connection, &store);
    if before != after {
        return Err(format!("{what} changed {before:?} to {after:?}"));
    }
    // What it answers must not break it either.
    for _ in 0..10 {
        let mut cx = context(now, scenario, &mut store);
        if connection.poll_transmit(&mut cx).is_none() {
            break;
        }
    }
    connection
        .check_invariants(&store)
        .map_err(|why| format!("after {what}: {why}"))
}
