// SPDX-License-Identifier: GPL-2.0

//! A receiver whose memory costs something: how fast its buffer grows with the path (`tuning`),
//! and what a hostile peer can do to it (`hostile`).

mod counts;
mod hostile;
mod shell;
mod tuning;

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
    Timestamps,
    Transmit, //
};

use mynewtcp_engine::engine::buffer::Context;
use shell::{
    Costly,
    Piece, //
};

const ISS: SeqNum = SeqNum::new(7);
const IRS: SeqNum = SeqNum::new(u32::MAX - 70_000);
const MSS: u32 = 1448;

/// A receiver, its clock, and what it was told last.
struct Receiver {
    connection: Connection,
    shell: Costly,
    config: Config,
    now: Instant,
    /// Its timestamp, which the peer echoes.
    clock: Option<u32>,
}

impl Receiver {
    /// Connected at `established`, by a SYN sent at `now`, with a buffer of `capacity` that may
    /// grow to `limit`.
    fn new(config: Config, now: Instant, established: Instant, capacity: u32, limit: u32) -> Self {
        let parameters = Parameters {
            iss: ISS,
            ts_offset: 1000,
            path_mss: Mss::new(1460),
            advertised_mss: Mss::new(1460),
            default_mss: Mss::DEFAULT,
            gso_max_size: 0,
            receive_window_max: limit / 2,
            receive_window: capacity / 2,
        };
        let mut receiver = Self {
            connection: Connection::new(&config, &parameters),
            shell: Costly::new(IRS.plus(1), capacity, limit),
            config,
            now,
            clock: None,
        };
        receiver
            .with(|connection, cx| connection.connect(cx))
            .expect("connect");
        receiver.replies();
        receiver.now = established;
        let mut answer = Transmit::bare(IRS, Some(ISS.plus(1)), Control::Syn);
        answer.window = 30_000;
        answer.options.mss = Some(Mss::new(1460));
        answer.options.window_scale = Some(mynewtcp_engine::engine::seq::WindowScale::new(7));
        answer.options.sack_permitted = true;
        answer.options.timestamps = receiver.clock.map(|ecr| Timestamps { val: 1, ecr });
        let segment = answer.as_received(PORTS);
        receiver.with(|connection, cx| connection.on_segment(cx, &segment, None));
        receiver
    }

    fn with<R>(&mut self, call: impl FnOnce(&mut Connection, &mut Context<'_, Costly>) -> R) -> R {
        let mut cx = Context {
            now: self.now,
            config: &self.config,
            shell: &mut self.shell,
        };
        call(&mut self.connection, &mut cx)
    }

    /// What it sends now.
    fn replies(&mut self) -> Vec<Transmit> {
        let mut replies = Vec::new();
        while let Some(transmit) = self.with(|connection, cx| connection.poll_transmit(cx)) {
            self.clock = transmit.options.timestamps.map(|ts| ts.val);
            replies.push(transmit);
        }
        while self.connection.poll_event().is_some() {}
        let checked = self.connection.check_invariants(&self.shell);
        assert_eq!(checked, Ok(()));
        replies
    }

    /// What it sends now and within a millisecond.
    fn replies_soon(&mut self) -> Vec<Transmit> {
        let mut replies = self.replies();
        self.now = self.now.after(Delta::from_millis(1));
        self.with(|connection, cx| connection.on_timeout(cx));
        replies.extend(self.replies());
        replies
    }

    /// `len` octets arrive, `offset` after the first one, in a buffer that costs `cost`.
    fn receive(&mut self, offset: u32, len: u32, cost: u32, echo: Option<u32>) {
        self.receive_merged(offset, len, cost, echo, 1);
    }

    /// The same, of several segments that were merged on their way.
    fn receive_merged(
        &mut self,
        offset: u32,
        len: u32,
        cost: u32,
        echo: Option<u32>,
        segments: u32,
    ) {
        let range = SeqRange::new(IRS.plus(1).plus(offset), len);
        let mut transmit = Transmit::bare(range.start(), Some(ISS.plus(1)), Control::None);
        transmit.range = range;
        transmit.window = 30_000;
        transmit.options.timestamps = echo.map(|ecr| Timestamps { val: 1, ecr });
        let segment = transmit.as_received(PORTS);
        let piece = Piece::new(range, cost, segments);
        self.with(|connection, cx| connection.on_segment(cx, &segment, Some(piece)));
    }

    /// The reader takes everything.
    fn read(&mut self) {
        self.shell.read_all();
        self.with(|connection, cx| connection.recv(cx));
    }

    /// Octets that it has taken in order.
    fn received(&self) -> u32 {
        self.connection.rcv_nxt().distance_from(IRS.plus(1))
    }

    /// The window that is open now.
    fn window(&self) -> u32 {
        let nxt = self.connection.rcv_nxt();
        self.connection.rcv_right_edge().distance_from(nxt)
    }
}

const PORTS: Ports = Ports { src: 2, dst: 1 };
