// SPDX-License-Identifier: GPL-2.0

//! What a receiver without room counts, to the last one.

use mynewtcp_engine::engine::config::Config;
use mynewtcp_engine::engine::counters::Counter;
use mynewtcp_engine::engine::time::{
    Delta,
    Instant, //
};

use super::Receiver;

/// Octets of memory for a segment of 1000 octets.
const COST: u32 = 4352;
const CAPACITY: u32 = 131_072;
/// As many of them as fit.
const FIT: u32 = CAPACITY / COST;

fn receiver() -> Receiver {
    let at = |ms: u64| Instant::from_nanos(1_000_000).after(Delta::from_millis(ms));
    let config = Config {
        timestamps: false,
        ..Config::DEFAULT
    };
    let mut receiver = Receiver::new(config, at(0), at(10), CAPACITY, CAPACITY);
    receiver.shell.limit = CAPACITY;
    receiver
}

/// What has been counted, in this order.
fn counts(receiver: &Receiver) -> [u64; 7] {
    [
        Counter::OutOfOrder,
        Counter::OfoDrop,
        Counter::ReceiveRefused,
        Counter::PruneCalled,
        Counter::RcvPruned,
        Counter::OfoPruned,
        Counter::RcvCollapsed,
    ]
    .map(|counter| receiver.shell.counter(counter))
}

#[test]
fn a_pool_without_room() {
    let mut receiver = receiver();
    receiver.shell.pool = 5 * COST;
    for n in 1..=8 {
        receiver.receive(n * 1000, 1000, COST, None);
    }
    // The last three find nothing.
    assert_eq!(counts(&receiver), [5, 3, 3, 3, 3, 0, 0]);
}

#[test]
fn a_buffer_without_room() {
    let mut receiver = receiver();
    for n in (1..=FIT + 3).rev() {
        receiver.receive(n * 2000, 1000, COST, None);
    }
    // What is highest makes room, once, for what is lower.
    assert_eq!(counts(&receiver), [32, 0, 0, 1, 0, 1, 0]);
}

#[test]
fn a_reader_who_never_reads() {
    let mut receiver = receiver();
    for n in 0..FIT + 3 {
        receiver.receive(n * 100, 100, COST, None);
    }
    // Little payload in large buffers: it moves together.
    assert_eq!(counts(&receiver), [0, 0, 0, 1, 0, 0, 30]);
}

#[test]
fn windows_that_are_not_taken_back() {
    let mut receiver = receiver();
    for n in 0..FIT {
        receiver.receive(n * 100, 100, COST, None);
    }
    // What waits for the reader goes without him.
    while receiver.replies_soon().is_empty() {}
    assert_eq!(receiver.shell.counter(Counter::WantZeroWindow), 1);
}

#[test]
fn no_memory_for_a_segment_and_for_a_reset() {
    let mut receiver = receiver();
    receiver.receive(1000, 1000, COST, None);
    for sent in receiver.replies() {
        receiver.with(|connection, cx| connection.on_transmit_failed(cx, &sent));
    }
    let found = |receiver: &Receiver| {
        [Counter::TransmitFailed, Counter::AbortFailed]
            .map(|counter| receiver.shell.counter(counter))
    };
    assert_eq!(found(&receiver), [1, 0]);
    receiver.now = receiver.now.after(Delta::from_secs(1));
    receiver.with(|connection, cx| connection.on_timeout(cx));
    receiver.replies();
    receiver.with(|connection, cx| connection.abort(cx));
    for sent in receiver.replies() {
        receiver.with(|connection, cx| connection.on_transmit_failed(cx, &sent));
    }
    assert_eq!(found(&receiver), [2, 1]);
}
