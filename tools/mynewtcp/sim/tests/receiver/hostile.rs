// SPDX-License-Identifier: GPL-2.0

//! Peers that send much packing and little payload. Whatever they do, memory stays within the
//! receive buffer and one packet more, the work per segment stays small, and the connection goes
//! on once the peer behaves.

use mynewtcp_engine::engine::config::Config;
use mynewtcp_engine::engine::counters::Counter;
use mynewtcp_engine::engine::time::{
    Delta,
    Instant, //
};

use super::shell::PROMISED;
use super::{
    Receiver,
    MSS, //
};

const CAPACITY: u32 = 131_072;
const LIMIT: u32 = 1 << 18;
/// What a packet costs at least.
const TINY: u32 = 768;

fn receiver() -> Receiver {
    let at = |ms: u64| Instant::from_nanos(1_000_000).after(Delta::from_millis(ms));
    let config = Config {
        timestamps: false,
        ..Config::DEFAULT
    };
    Receiver::new(config, at(0), at(10), CAPACITY, LIMIT)
}

/// Memory stayed within its bounds, with `segments` received.
fn check(receiver: &Receiver, cost: u32, segments: u64) {
    let peak = receiver.shell.peak;
    assert!(peak <= LIMIT + cost, "{peak} octets of memory");
    let work = receiver.shell.work.get() / segments.max(1);
    assert!(work <= 32, "{work} operations per segment");
}

/// The peer behaves from here on, and so does the reader.
fn recovers(receiver: &mut Receiver) {
    receiver.read();
    receiver.replies();
    let from = receiver.received();
    for _ in 0..50 {
        let next = receiver.received();
        receiver.receive(next, MSS, 2304, None);
        receiver.read();
        receiver.replies();
    }
    let progress = receiver.received() - from;
    assert!(progress >= 50 * MSS, "only {progress} octets more");
    assert!(receiver.window() >= 2 * MSS, "{}", receiver.window());
}

#[test]
fn tiny_segments_in_order_for_a_reader_that_never_reads() {
    let mut receiver = receiver();
    let mut segments = 0;
    for _ in 0..300_000 {
        let next = receiver.received();
        receiver.receive(next, 1, TINY, None);
        receiver.replies_soon();
        segments += 1;
    }
    check(&receiver, TINY, segments);
    assert!(receiver.shell.counter(Counter::PruneCalled) > 0);
    assert!(receiver.shell.counter(Counter::RcvCollapsed) > 0);
    // Nearly all of the memory holds payload, and no more is promised.
    assert_eq!(receiver.window(), 0);
    assert!(receiver.received() >= LIMIT / 2, "{}", receiver.received());
    recovers(&mut receiver);
}

/// Out-of-order segments of one octet with gaps between them, in the order that `place` says.
fn flood(place: impl Fn(u32) -> u32, cost: u32) -> Receiver {
    let mut receiver = receiver();
    let count = 30_000u32;
    for n in 0..3 * count {
        receiver.receive(place(n % count), 1, cost, None);
        receiver.replies();
    }
    check(&receiver, cost, u64::from(3 * count));
    receiver
}

#[test]
fn tiny_pieces_out_of_order() {
    let count = 30_000u32;
    let ascending = flood(|n| 1 + 2 * n, TINY);
    let descending = flood(|n| 1 + 2 * (count - n), TINY);
    let scattered = flood(|n| 1 + 2 * (n.wrapping_mul(7_919) % count), TINY);
    for mut receiver in [ascending, descending, scattered] {
        assert!(receiver.shell.counter(Counter::PruneCalled) > 0);
        assert_eq!(receiver.received(), 0);
        // The segment that was missing is taken although the buffer is full.
        receiver.receive(0, 1, TINY, None);
        assert!(receiver.received() > 0);
        recovers(&mut receiver);
    }
}

#[test]
fn huge_buffers_for_one_octet() {
    let mut receiver = flood(|n| 1 + 2 * (30_000 - n), 66_000);
    assert!(receiver.shell.counter(Counter::OfoPruned) > 0);
    assert!(receiver.shell.out_of_order_len() <= (LIMIT / 66_000) as usize + 1);
    recovers(&mut receiver);
}

#[test]
fn overlaps_of_every_kind() {
    let mut receiver = receiver();
    let mut seed = 1u32;
    let mut draw = |n: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % n
    };
    for _ in 0..100_000 {
        receiver.receive(1 + draw(60_000), 1 + draw(50), TINY + draw(3000), None);
        receiver.replies();
    }
    check(&receiver, 4000, 100_000);
    recovers(&mut receiver);
}

#[test]
fn pruning_begins_at_the_top_and_takes_back_what_was_acknowledged() {
    let mut receiver = receiver();
    receiver.shell.limit = CAPACITY;
    // Room for about 30 of these; pieces that follow each other, the first one missing.
    for n in 1..30 {
        receiver.receive(n * 1000, 1000, 4352, None);
    }
    receiver.replies();
    let before = receiver.shell.out_of_order_len();
    for n in [45, 44, 43, 42] {
        receiver.receive(n * 1000, 1000, 4352, None);
    }
    // One that is lower displaces the highest ones.
    receiver.receive(35_000, 1000, 4352, None);
    assert!(receiver.shell.counter(Counter::OfoPruned) > 0);
    assert!(receiver.shell.out_of_order_len() <= before + 2);
    let end = super::IRS.plus(1 + 45_000);
    let replies = receiver.replies();
    let told = &replies.last().expect("no acknowledgment").options.sack;
    assert!(told.iter().all(|block| block.end().before(end)), "{told:?}");
    // What is kept is still what the blocks say.
    receiver.receive(0, 1000, 2304, None);
    assert_eq!(receiver.received(), 30_000);
}

#[test]
fn exhausted_pool_lets_readers_go_on() {
    let mut receiver = receiver();
    receiver.shell.pool = 20_000;
    for n in 1..30 {
        receiver.receive(n * 1000, 1000, 2304, None);
    }
    assert!(receiver.shell.peak <= 20_000);
    assert!(receiver.shell.counter(Counter::OfoDrop) > 0);
    receiver.shell.pool = 0;
    // Nothing is left: one segment at a time is still taken from who reads.
    for n in 0..40 {
        receiver.receive(n * 1000, 1000, 2304, None);
        receiver.read();
        receiver.replies();
    }
    assert!(receiver.received() >= 40_000);
    receiver.shell.pool = u32::MAX;
    recovers(&mut receiver);
}

#[test]
fn exhausted_pool_gives_what_is_promised_and_no_more() {
    let mut receiver = receiver();
    receiver.shell.pool = 0;
    receiver.receive_merged(0, 10_000, PROMISED + 1, None, 10);
    assert_eq!(receiver.received(), 0);
    receiver.receive_merged(0, 4_000, PROMISED, None, 4);
    assert_eq!(receiver.received(), 4_000);
    // There is something to read now: no segment is small enough.
    receiver.receive(4_000, 1, 500, None);
    assert_eq!(receiver.received(), 4_000);
    receiver.read();
    // One segment is, whatever it costs: it does not come in smaller pieces.
    receiver.receive(4_000, 9_000, 3 * PROMISED, None);
    assert_eq!(receiver.received(), 13_000);
}
