// SPDX-License-Identifier: GPL-2.0

//! An established connection for the tests, with queues that check themselves.

#![allow(dead_code, reason = "no test needs all of it")]

use mynewtcp_engine::engine::buffer::Context;
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

use mynewtcp_fuzz::store::{
    Piece,
    Store, //
};

/// Octets of a full segment.
pub(crate) const MSS: u32 = 100;
/// The first octet that the peer sends, close to the wrap.
pub(crate) const PEER: SeqNum = SeqNum::new(u32::MAX - 700);
/// The first octet that we send.
pub(crate) const OURS: SeqNum = SeqNum::new(u32::MAX - 900);

/// What is added to our timestamp clock.
pub(crate) const OFFSET: u32 = 12_345;

/// One connection.
pub(crate) struct Bench {
    /// The connection.
    pub(crate) connection: Connection,
    /// Its queues.
    pub(crate) store: Store,
    config: Config,
    now: Instant,
    /// The timestamps of the peer, if it has any.
    pub(crate) clock: Option<Timestamps>,
}

impl Bench {
    /// Connected without timestamps, with a receive buffer of `capacity` octets.
    pub(crate) fn new(capacity: u32) -> Self {
        let mut bench = Self::connecting(capacity, false);
        bench.open();
        bench
    }

    /// It has sent its SYN.
    pub(crate) fn connecting(capacity: u32, timestamps: bool) -> Self {
        let config = Config {
            timestamps,
            ..Config::DEFAULT
        };
        let mss = Mss::new(MSS as u16);
        let parameters = Parameters {
            iss: OURS.minus(1),
            ts_offset: OFFSET,
            path_mss: mss,
            advertised_mss: mss,
            default_mss: mss,
            gso_max_size: 0,
            receive_window_max: capacity,
            receive_window: capacity,
        };
        let mut bench = Self {
            connection: Connection::new(&config, &parameters),
            store: Store::new(capacity),
            config,
            now: Instant::from_nanos(1 << 40),
            clock: timestamps.then_some(Timestamps { val: 1, ecr: 0 }),
        };
        let (connection, mut cx) = bench.parts();
        connection.connect(&mut cx).expect("it connects");
        bench
    }

    /// The peer answers the SYN.
    pub(crate) fn open(&mut self) {
        self.transmissions();
        self.store.expect(PEER);
        let mut syn = Transmit::bare(PEER.minus(1), Some(OURS), Control::Syn);
        syn.window = 60_000;
        syn.options.mss = Some(Mss::new(MSS as u16));
        syn.options.sack_permitted = true;
        self.feed(&syn);
        self.transmissions();
    }

    /// The time.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// What surrounds a call.
    pub(crate) fn parts(&mut self) -> (&mut Connection, Context<'_, Store>) {
        let cx = Context {
            now: self.now,
            config: &self.config,
            shell: &mut self.store,
        };
        (&mut self.connection, cx)
    }

    /// The peer sends `transmit`.
    pub(crate) fn feed(&mut self, transmit: &Transmit) {
        let mut transmit = *transmit;
        transmit.options.timestamps = self.clock;
        let segment: Segment = transmit.as_received(Ports { src: 1, dst: 2 });
        let range = segment.payload_range();
        let payload = (!range.is_empty()).then_some(Piece(range));
        let (connection, mut cx) = self.parts();
        connection.on_segment(&mut cx, &segment, payload);
    }

    /// The peer acknowledges up to `ack`, with blocks.
    pub(crate) fn feed_ack(&mut self, ack: SeqNum, window: u16, blocks: SackBlocks) {
        let mut transmit = Transmit::bare(PEER, Some(ack), Control::None);
        transmit.window = window;
        transmit.options.sack = blocks;
        self.feed(&transmit);
    }

    /// The peer sends data.
    pub(crate) fn feed_data(&mut self, range: SeqRange) {
        let mut transmit = Transmit::bare(range.start(), Some(OURS), Control::None);
        transmit.window = 60_000;
        transmit.range = range;
        self.feed(&transmit);
    }

    /// The user writes `n` octets.
    pub(crate) fn write(&mut self, n: u32) {
        self.store.write(n, self.connection.size_goal());
        self.connection.send(n, false).expect("it may send");
    }

    /// The user reads all there is.
    pub(crate) fn read(&mut self) {
        self.store.read = self.store.delivered;
        let (connection, mut cx) = self.parts();
        connection.recv(&mut cx);
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, time: Delta) {
        self.now = self.now.after(time);
        let (connection, mut cx) = self.parts();
        connection.on_timeout(&mut cx);
    }

    /// All that goes out now; then everything must be in order.
    pub(crate) fn transmissions(&mut self) -> Vec<Transmit> {
        let mut all = Vec::new();
        loop {
            let (connection, mut cx) = self.parts();
            let Some(transmit) = connection.poll_transmit(&mut cx) else {
                break;
            };
            all.push(transmit);
        }
        while self.connection.poll_event().is_some() {}
        assert_eq!(self.connection.check_invariants(&self.store), Ok(()));
        assert_eq!(self.store.wrong, None);
        all
    }

    /// What may be known of it.
    pub(crate) fn info(&self) -> mynewtcp_engine::engine::connection::info::Info {
        self.connection.info(self.now, &self.config)
    }
}
