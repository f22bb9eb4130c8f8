// SPDX-License-Identifier: GPL-2.0

//! Dynamic right-sizing against a sender that is never the reason: how many round trips until the
//! window holds what the path does.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use mynewtcp_engine::engine::config::Config;
use mynewtcp_engine::engine::time::{
    Delta,
    Instant, //
};

use super::{
    Receiver,
    MSS, //
};

/// The default of `net.mynewtcp.rmem`.
const CAPACITY: u32 = 131_072;
/// What a full segment costs in a buffer of its own.
const COST: u32 = 2304;
const MS: u64 = 1_000_000;

/// A path and the ones at its ends.
#[derive(Clone, Copy, Debug)]
struct Path {
    rtt: u64,
    megabits: u64,
    /// Segments that the sender sends at once, to begin with; it doubles them in a round trip.
    first: u32,
    /// The most that it has under way.
    most: u64,
    timestamps: bool,
    limit: u32,
}

impl Path {
    fn octets(&self) -> u64 {
        self.rtt * self.megabits / 8_000
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Data(u32, Option<u32>),
    Ack(u32, u32, Option<u32>),
}

struct Sender {
    path: Path,
    una: u32,
    nxt: u32,
    edge: u32,
    cwnd: u32,
    echo: Option<u32>,
    link_free: u64,
}

impl Sender {
    fn send(&mut self, now: u64, queue: &mut BinaryHeap<Reverse<(u64, Event)>>) {
        while self.nxt + MSS <= (self.una + self.cwnd).min(self.edge) {
            let leaves = self.link_free.max(now) + u64::from(MSS) * 8_000 / self.path.megabits;
            self.link_free = leaves;
            let event = Event::Data(self.nxt, self.echo);
            queue.push(Reverse((leaves + self.path.rtt / 2, event)));
            self.nxt += MSS;
        }
    }
}

/// Round trips from the first data until the window is 90 % of what the path holds, and the
/// buffer at the end of 12.
fn grow(path: Path) -> (Option<u64>, u32) {
    let start = 1000 * MS + 345_678;
    let config = Config {
        timestamps: path.timestamps,
        ..Config::DEFAULT
    };
    let at = Instant::from_nanos;
    let established = start + path.rtt;
    let mut receiver = Receiver::new(config, at(start), at(established), CAPACITY, path.limit);
    let mut sender = Sender {
        path,
        una: 0,
        nxt: 0,
        edge: 0,
        cwnd: (path.first * MSS).min(path.most as u32),
        echo: None,
        link_free: 0,
    };
    let mut queue = BinaryHeap::new();
    let began = established + path.rtt;
    let mut reached = None;
    let mut now = established;
    loop {
        for reply in receiver.replies() {
            let ack = reply.ack.unwrap().distance_from(super::IRS.plus(1));
            let edge = ack + receiver.window();
            let event = Event::Ack(ack, edge, receiver.clock);
            queue.push(Reverse((now + path.rtt / 2, event)));
        }
        if u64::from(receiver.window()) >= path.octets() * 9 / 10 {
            reached = reached.or(Some((now.saturating_sub(began)).div_ceil(path.rtt)));
        }
        let deadline = receiver.connection.poll_deadline();
        let next = queue.peek().map_or(u64::MAX, |Reverse((at, _))| *at);
        now = deadline.map_or(next, |at| at.as_nanos().min(next));
        if now >= began + 12 * path.rtt {
            return (reached, receiver.shell.capacity);
        }
        receiver.now = at(now);
        if next > now {
            receiver.with(|connection, cx| connection.on_timeout(cx));
            continue;
        }
        match queue.pop().unwrap().0 .1 {
            Event::Data(offset, echo) => {
                receiver.receive(offset, MSS, COST, echo);
                receiver.read();
            }
            Event::Ack(ack, edge, echo) => {
                let cwnd = sender.cwnd.saturating_add(ack - sender.una);
                sender.cwnd = cwnd.min(path.most as u32);
                sender.una = ack;
                sender.edge = sender.edge.max(edge);
                sender.echo = echo;
                sender.send(now, &mut queue);
            }
        }
    }
}

fn paths(first: u32, octets: u64) -> impl Iterator<Item = Path> {
    [1, 10, 100].into_iter().flat_map(move |ms| {
        [false, true].map(|timestamps| Path {
            rtt: ms * MS,
            megabits: octets * 8 / (ms * 1000),
            first,
            most: octets * 5 / 4,
            timestamps,
            limit: 32 << 20,
        })
    })
}

#[test]
fn window_holds_nine_tenths_of_the_path_in_eight_round_trips() {
    // A sender in slow start, and one that knows the path already.
    let slow = [125_000, 500_000, 1_000_000].map(|octets| (10, octets));
    let fast = [1_250_000, 5_000_000].map(|octets| (100_000, octets));
    for (first, octets) in slow.into_iter().chain(fast) {
        for path in paths(first, octets) {
            let (round_trips, capacity) = grow(path);
            println!("{path:?}: {round_trips:?} round trips, buffer {capacity}");
            assert!(
                round_trips.is_some_and(|n| n <= 8),
                "{path:?}: {round_trips:?}"
            );
        }
    }
}

#[test]
fn buffer_is_not_much_larger_than_what_the_path_needs() {
    for path in paths(10, 250_000) {
        let (_, capacity) = grow(path);
        // Twice what is under way for the round trip that it takes to know, three times that for
        // a sender that doubles, and what segments cost beyond their payload.
        let most = path.most * u64::from(COST) / u64::from(MSS) * 6;
        assert!(u64::from(capacity) <= most, "{path:?}: {capacity}");
    }
}

#[test]
fn limit_is_never_exceeded() {
    for path in paths(100_000, 5_000_000) {
        let path = Path {
            limit: 1 << 20,
            ..path
        };
        // The shell checks it each time.
        let (round_trips, capacity) = grow(path);
        assert_eq!((round_trips, capacity), (None, path.limit), "{path:?}");
    }
}

#[test]
fn buffer_stays_when_it_is_told_to() {
    let path = Path {
        rtt: 10 * MS,
        megabits: 1000,
        first: 100_000,
        most: 2_000_000,
        timestamps: true,
        limit: CAPACITY,
    };
    assert_eq!(grow(path).1, CAPACITY);
}

#[test]
fn pressure_shrinks_the_window_and_its_end_lets_it_grow() {
    let at = |ms: u64| Instant::from_nanos(MS).after(Delta::from_millis(ms));
    let mut receiver = Receiver::new(Config::DEFAULT, at(0), at(10), CAPACITY, 32 << 20);
    let mut next = 0;
    let mut run = |receiver: &mut Receiver, segments: u32| {
        for _ in 0..segments {
            let echo = receiver.clock;
            receiver.receive(next, MSS, COST, echo);
            next += MSS;
            receiver.read();
            receiver.replies();
        }
        receiver.window()
    };
    let before = run(&mut receiver, 20);
    assert!(before > 60_000, "{before}");
    receiver.shell.pressure = true;
    receiver.shell.limit = CAPACITY;
    let pressed = run(&mut receiver, 200);
    // The right edge does not go back: what was promised is used up first.
    assert!(pressed <= 4 * 1460 + 512, "{pressed}");
    receiver.shell.pressure = false;
    let after = run(&mut receiver, 200);
    assert!(after > 60_000, "{after}");
}
