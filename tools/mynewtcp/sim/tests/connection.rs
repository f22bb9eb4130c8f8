// SPDX-License-Identifier: GPL-2.0

//! Properties of a whole connection that is given segments at random, as an attacker would who
//! knows the numbers.

use std::rc::Rc;

use mynewtcp_engine::engine::buffer::{
    Context,
    ReceiveQueue, //
};
use mynewtcp_engine::engine::config::{
    Config,
    Parameters, //
};
use mynewtcp_engine::engine::connection::Connection;
use mynewtcp_engine::engine::seq::{
    Mss,
    SeqNum,
    SeqRange, //
};
use mynewtcp_engine::engine::time::{
    Delta,
    Instant, //
};
use mynewtcp_engine::engine::wire::{
    Control,
    Ports,
    SackBlocks,
    Segment,
    Timestamps,
    Transmit, //
};
use mynewtcp_sim::rng::{
    stream_octet,
    Rng, //
};
use mynewtcp_sim::store::{
    Bytes,
    Failures,
    Store, //
};
use proptest::prelude::*;

const ISS: SeqNum = SeqNum::new(u32::MAX - 700);
const IRS: SeqNum = SeqNum::new(u32::MAX - 300);
const CAPACITY: u32 = 4000;
const PORTS: Ports = Ports { src: 1, dst: 2 };

struct Subject {
    connection: Connection,
    store: Store,
    config: Config,
    now: Instant,
}

impl Subject {
    fn new(sack: bool, timestamps: bool) -> Self {
        let config = Config {
            sack,
            timestamps,
            ..Config::DEFAULT
        };
        let parameters = Parameters {
            iss: ISS,
            ts_offset: 0,
            path_mss: Mss::new(500),
            advertised_mss: Mss::new(500),
            default_mss: Mss::DEFAULT,
            gso_max_size: 2000,
            receive_window_max: CAPACITY,
            receive_window: CAPACITY,
        };
        let rng = Rng::new(0, 0);
        let mut subject = Self {
            connection: Connection::new(&config, &parameters),
            store: Store::new(ISS, CAPACITY, Failures::default(), rng),
            config,
            now: Instant::from_nanos(1 << 40),
        };
        subject
            .with(|connection, cx| connection.connect(cx))
            .expect("connect");
        subject.drain();
        let mut answer = Transmit::bare(IRS, Some(ISS.plus(1)), Control::Syn);
        answer.window = 3000;
        answer.options.sack_permitted = true;
        answer.options.timestamps = Some(Timestamps { val: 10, ecr: 0 });
        subject.store.expect(IRS.plus(1));
        subject.receive(&answer.as_received(PORTS));
        subject
    }

    fn with<R>(&mut self, call: impl FnOnce(&mut Connection, &mut Context<'_, Store>) -> R) -> R {
        let mut cx = Context {
            now: self.now,
            config: &self.config,
            shell: &mut self.store,
        };
        call(&mut self.connection, &mut cx)
    }

    fn drain(&mut self) {
        for _ in 0..1000 {
            let Some(transmit) = self.with(|connection, cx| connection.poll_transmit(cx)) else {
                while self.connection.poll_event().is_some() {}
                let checked = self.connection.check_invariants(&self.store);
                assert_eq!(checked, Ok(()));
                return;
            };
            self.store
                .payload(transmit.range)
                .expect("payload of a transmission");
        }
        panic!("it transmits without end");
    }

    /// The octet at each sequence number is fixed, so that overlaps agree.
    fn receive(&mut self, segment: &Segment) {
        let range = segment.payload_range();
        let first = range.start().distance_from(IRS.plus(1));
        let octets: Vec<u8> = (0..range.len())
            .map(|i| stream_octet(0, u64::from(first.wrapping_add(i))))
            .collect();
        let payload = (!octets.is_empty()).then(|| Bytes::new(Rc::from(octets), 0));
        self.with(|connection, cx| connection.on_segment(cx, segment, payload));
        self.drain();
    }
}

#[derive(Clone, Debug)]
enum Step {
    Segment {
        control: Control,
        seq: i32,
        len: u32,
        ack: Option<i32>,
        window: u16,
        sack: Vec<(i32, u32)>,
        clock: u32,
    },
    Write(u32),
    Read(usize),
    Timeout,
    Wait(u64),
    Mtu(u16),
    ShutdownWrite,
}

fn near() -> impl Strategy<Value = i32> {
    prop_oneof![
        6 => -100i32..5000,
        1 => any::<i32>(),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let control = prop_oneof![
        60 => Just(Control::None),
        3 => Just(Control::Fin),
        1 => Just(Control::Syn),
        1 => Just(Control::Rst),
    ];
    let sack = prop::collection::vec((near(), 0u32..2000), 0..4);
    let segment = (
        control,
        near(),
        0u32..1500,
        prop::option::weighted(0.95, near()),
        any::<u16>(),
        sack,
        0u32..30,
    )
        .prop_map(
            |(control, seq, len, ack, window, sack, clock)| Step::Segment {
                control,
                seq,
                len,
                ack,
                window,
                sack,
                clock,
            },
        );
    prop_oneof![
        20 => segment,
        3 => (1u32..3000).prop_map(Step::Write),
        3 => (1usize..3000).prop_map(Step::Read),
        2 => Just(Step::Timeout),
        2 => (0u64..2_000_000_000).prop_map(Step::Wait),
        1 => (0u16..600).prop_map(Step::Mtu),
        1 => Just(Step::ShutdownWrite),
    ]
}

fn take(subject: &mut Subject, step: Step) {
    match step {
        Step::Segment {
            control,
            seq,
            len,
            ack,
            window,
            sack,
            clock,
        } => {
            let at = |base: SeqNum, n: i32| base.plus(n as u32);
            let seq = at(IRS.plus(1), seq);
            let mut transmit = Transmit::bare(seq, ack.map(|n| at(ISS.plus(1), n)), control);
            transmit.range = SeqRange::new(seq, len);
            transmit.window = window;
            transmit.options.timestamps = Some(Timestamps { val: clock, ecr: 0 });
            let mut blocks = SackBlocks::NONE;
            for (start, len) in sack {
                blocks.push(SeqRange::new(at(ISS.plus(1), start), len));
            }
            transmit.options.sack = blocks;
            subject.receive(&transmit.as_received(PORTS));
        }
        Step::Write(n) => {
            if subject.connection.can_send() {
                let goal = subject.connection.size_goal();
                subject.store.write((0..n).map(|_| 0), goal);
                let _ = subject.with(|connection, _| connection.send(n, false));
            }
        }
        Step::Read(n) => {
            subject.store.read(n);
            subject.with(|connection, cx| connection.recv(cx));
        }
        Step::Timeout => {
            if let Some(at) = subject.connection.poll_deadline() {
                subject.now = subject.now.max(at);
            }
            subject.with(|connection, cx| connection.on_timeout(cx));
        }
        Step::Wait(nanos) => {
            subject.now = subject.now.after(Delta::from_nanos(nanos));
            subject.with(|connection, cx| connection.on_timeout(cx));
        }
        Step::Mtu(n) => {
            subject.with(|connection, cx| connection.on_mtu_change(cx, Mss::new(n)));
        }
        Step::ShutdownWrite => {
            let _ = subject.with(|connection, cx| connection.shutdown_write(cx));
        }
    }
    subject.drain();
}

proptest! {
    #![proptest_config(ProptestConfig {
        // More are asked for with PROPTEST_CASES.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever comes, the invariants hold after each step.
    #[test]
    fn nothing_breaks_the_invariants(
        sack: bool,
        timestamps: bool,
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut subject = Subject::new(sack, timestamps);
        for step in steps {
            take(&mut subject, step);
        }
    }

    /// Reassembly against a naive buffer: pieces in any order, overlapping in any way, give
    /// exactly the octets up to the first gap, each once.
    #[test]
    fn reassembly_is_that_of_a_naive_buffer(
        pieces in prop::collection::vec((0u32..CAPACITY, 1u32..600), 1..80),
    ) {
        let mut subject = Subject::new(true, false);
        let mut naive = vec![false; CAPACITY as usize];
        let mut read = Vec::new();
        for (start, len) in pieces {
            let seq = IRS.plus(1 + start);
            let mut transmit = Transmit::bare(seq, Some(ISS.plus(1)), Control::None);
            transmit.range = SeqRange::new(seq, len);
            subject.receive(&transmit.as_received(PORTS));
            let end = (start + len).min(CAPACITY) as usize;
            naive[start as usize..end].fill(true);
            let expected = naive.iter().take_while(|&&there| there).count();
            prop_assert_eq!(subject.store.unread() as usize, expected);
        }
        read.extend(subject.store.read(usize::MAX));
        for (at, octet) in read.into_iter().enumerate() {
            prop_assert_eq!(octet, stream_octet(0, at as u64));
        }
    }
}
