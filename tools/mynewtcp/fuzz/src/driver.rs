// SPDX-License-Identifier: GPL-2.0

//! A connection under fire: it gets anything, and after each thing must be in order.

use crate::engine::buffer::{
    Context,
    ReceiveQueue, //
};
use crate::engine::config::{
    Config,
    Parameters, //
};
use crate::engine::connection::{
    Connection,
    StateName, //
};
use crate::engine::event::Event;
use crate::engine::listener::{
    HalfOpen,
    HalfOpenVerdict, //
};
use crate::engine::seq::{
    Mss,
    SeqNum,
    SeqRange,
    WindowScale, //
};
use crate::engine::time::{
    Delta,
    Instant, //
};
use crate::engine::wire::{
    Control,
    Ports,
    Segment,
    Timestamps,
    Transmit,
    MAX_HEADER_LEN, //
};
use crate::input::Input;
use crate::store::{
    Piece,
    Store, //
};

const PORTS: Ports = Ports { src: 1, dst: 2 };
/// Transmissions after one event that no sane engine exceeds.
const TRANSMIT_LIMIT: usize = 20_000;
/// Deadlines in a row after which a connection with a silent peer must have come to rest.
const PATIENCE: usize = 1000;

/// One connection with its queues and its clock.
#[derive(Debug)]
pub struct Driver {
    /// The connection.
    pub connection: Connection,
    /// Its queues.
    pub store: Store,
    config: Config,
    now: Instant,
    edge: Option<SeqNum>,
    /// The next transmission fails.
    pub transmit_fails: bool,
    over: bool,
}

fn parameters(input: &mut Input<'_>) -> Parameters {
    let mss = Mss::new([48, 536, 1460, 9000][usize::from(input.u8() % 4)]);
    let capacity = [0, 2000, 65_535, 1 << 20][usize::from(input.u8() % 4)];
    Parameters {
        iss: SeqNum::new(input.u32()),
        ts_offset: 0x1234_5678,
        path_mss: mss,
        advertised_mss: mss,
        default_mss: Mss::DEFAULT,
        gso_max_size: [0, 3000, 65_536][usize::from(input.u8() % 3)],
        receive_window_max: capacity,
        receive_window: capacity,
    }
}

impl Driver {
    /// A connection as the first octets of the input want it: connecting, connected, accepted.
    pub fn new(input: &mut Input<'_>) -> Self {
        let flags = input.u8();
        let config = Config {
            timestamps: flags & 1 != 0,
            sack: flags & 2 != 0,
            window_scaling: flags & 4 != 0,
            user_timeout: Delta::from_secs(u64::from(flags >> 7) * 30),
            ..Config::DEFAULT
        };
        let parameters = parameters(input);
        let store = Store::new(parameters.receive_window);
        let mut driver = Self {
            connection: Connection::new(&config, &parameters),
            store,
            config,
            now: Instant::from_nanos(1 << 40),
            edge: None,
            transmit_fails: false,
            over: false,
        };
        match (flags >> 3) & 3 {
            0 => driver.connect(),
            1 => {
                driver.connect();
                let syn_ack = driver.segment(input, Control::Syn, SeqNum::new(7), true);
                driver.feed(&syn_ack);
            }
            _ => driver.accept(input, &parameters),
        }
        driver
    }

    /// What surrounds a call into the connection.
    pub fn parts(&mut self) -> (&mut Connection, Context<'_, Store>) {
        let cx = Context {
            now: self.now,
            config: &self.config,
            shell: &mut self.store,
        };
        (&mut self.connection, cx)
    }

    fn connect(&mut self) {
        let (connection, mut cx) = self.parts();
        assert_eq!(connection.connect(&mut cx), Ok(()));
        self.settle();
    }

    fn accept(&mut self, input: &mut Input<'_>, parameters: &Parameters) {
        let syn = self.segment(input, Control::Syn, SeqNum::new(7), false);
        let half_open = HalfOpen::on_syn(self.now, &self.config, parameters, &syn);
        let mut half_open = half_open.expect("a SYN opens");
        half_open.transmit(self.now, &self.config);
        let mut last = Transmit::bare(syn.seq.plus(1), Some(parameters.iss.plus(1)), Control::None);
        last.window = input.u16();
        last.options.timestamps = syn.options.timestamps;
        let last = last.as_received(PORTS);
        if half_open.on_segment(self.now, &self.config, &last) != HalfOpenVerdict::Promote {
            self.connect();
            return;
        }
        self.store.expect(last.seq);
        let (_, mut cx) = self.parts();
        self.connection = half_open.into_connection(&mut cx, parameters, &last);
        self.feed(&last);
    }

    /// A SYN with the options that the input wants.
    fn segment(
        &self,
        input: &mut Input<'_>,
        control: Control,
        seq: SeqNum,
        answers: bool,
    ) -> Segment {
        let ack = answers.then_some(self.connection.snd_nxt());
        let mut transmit = Transmit::bare(seq, ack, control);
        let flags = input.u8();
        transmit.window = input.u16();
        transmit.options.mss = (flags & 1 != 0).then(|| Mss::new(input.u16()));
        transmit.options.window_scale = (flags & 2 != 0).then(|| WindowScale::new(input.u8()));
        transmit.options.sack_permitted = flags & 4 != 0;
        transmit.options.timestamps = (flags & 8 != 0).then_some(Timestamps { val: 1000, ecr: 0 });
        transmit.as_received(PORTS)
    }

    /// A segment near what the connection expects, as the input wants it.
    pub fn near(&self, input: &mut Input<'_>) -> Segment {
        let flags = input.u8();
        let control = match flags & 7 {
            0..=4 => Control::None,
            5 => Control::Fin,
            6 => Control::Rst,
            _ => Control::Syn,
        };
        let seq = self.connection.rcv_nxt().plus(input.offset());
        let from = if flags & 8 == 0 {
            self.connection.snd_nxt()
        } else {
            self.connection.snd_una()
        };
        let ack = (flags & 0x70 != 0x70).then(|| from.plus(input.offset()));
        let mut transmit = Transmit::bare(seq, ack, control);
        transmit.window = input.u16();
        transmit.psh = flags & 0x80 != 0;
        self.options(input, &mut transmit);
        let len = if flags & 0x10 == 0 {
            0
        } else {
            u32::from(input.u16()) % 5000
        };
        transmit.range = SeqRange::new(seq, len);
        transmit.as_received(PORTS)
    }

    fn options(&self, input: &mut Input<'_>, transmit: &mut Transmit) {
        let flags = input.u8();
        transmit.ece = flags & 0x40 != 0;
        transmit.cwr = flags & 0x80 != 0;
        let clock = (self.now.as_millis() as u32).wrapping_add(0x1234_5678);
        transmit.options.timestamps = (flags & 0x20 == 0).then(|| Timestamps {
            val: 1000u32.wrapping_add(input.offset()),
            ecr: clock.wrapping_sub(u32::from(flags & 0x10)),
        });
        for _ in 0..flags & 3 {
            let start = self.connection.snd_una().plus(input.offset());
            let block = SeqRange::new(start, u32::from(input.u16()));
            transmit.options.sack.push(block);
        }
        if transmit.control == Control::Syn {
            transmit.options.mss = Some(Mss::new(input.u16()));
        }
    }

    /// The connection gets `segment`.
    pub fn feed(&mut self, segment: &Segment) {
        let state = self.connection.state();
        if segment.control == Control::Syn && state == StateName::SynSent {
            self.store.expect(segment.seq.plus(1));
        }
        let range = segment.payload_range();
        let payload = (!range.is_empty()).then_some(Piece(range));
        let (connection, mut cx) = self.parts();
        connection.on_segment(&mut cx, segment, payload);
        self.settle();
    }

    /// Time passes, and the connection learns of it if it wants to.
    pub fn pass(&mut self, time: Delta) {
        self.now = self.now.after(time);
        let (connection, mut cx) = self.parts();
        connection.on_timeout(&mut cx);
        self.settle();
    }

    /// Time passes until the next deadline, if there is one.
    pub fn pass_to_deadline(&mut self) -> bool {
        let Some(at) = self.connection.poll_deadline() else {
            return false;
        };
        self.pass(at.since(self.now));
        true
    }

    /// Lets out what the connection has to say, and checks that all is in order.
    pub fn settle(&mut self) {
        let mut left = TRANSMIT_LIMIT;
        loop {
            let (connection, mut cx) = self.parts();
            let Some(transmit) = connection.poll_transmit(&mut cx) else {
                break;
            };
            if std::mem::take(&mut self.transmit_fails) {
                let (connection, mut cx) = self.parts();
                connection.on_transmit_failed(&mut cx, &transmit);
            } else {
                self.check_transmit(&transmit);
            }
            left -= 1;
            assert!(left > 0, "it transmits without end");
        }
        while let Some(event) = self.connection.poll_event() {
            assert!(!self.over, "{event:?} after Closed");
            self.over = event == Event::Closed;
        }
        let held = self.connection.check_invariants(&self.store);
        assert_eq!(held, Ok(()), "in {:?}", self.connection.state());
        assert_eq!(self.store.wrong, None);
        self.check_edge();
    }

    fn check_edge(&mut self) {
        match self.connection.state() {
            StateName::Closed | StateName::SynSent | StateName::SynReceived => {}
            StateName::Established
            | StateName::FinWait1
            | StateName::FinWait2
            | StateName::CloseWait
            | StateName::Closing
            | StateName::LastAck => {
                let edge = self.connection.rcv_right_edge();
                let before = self.edge.replace(edge);
                let shrunk = before.is_some_and(|before| edge.before(before));
                assert!(!shrunk, "the right edge went back");
            }
        }
    }

    fn check_transmit(&self, transmit: &Transmit) {
        let mut out = [0; MAX_HEADER_LEN];
        let len = transmit.emit(PORTS, &mut out).expect("it fits a header");
        let total = len as u32 + transmit.payload_len();
        let read = Segment::parse(&out[..len], total).expect("it can be read");
        assert_eq!(read, transmit.as_received(PORTS));
        let is_syn = transmit.control == Control::Syn;
        assert!(
            is_syn || transmit.options.mss.is_none(),
            "MSS outside of a SYN"
        );
        let agreed = self.connection.info(self.now, &self.config).timestamps;
        assert!(
            !agreed || transmit.options.timestamps.is_some(),
            "no timestamps"
        );
        if !transmit.range.is_empty() {
            let first = self.connection.iss().plus(1);
            let written = SeqRange::between(first, self.connection.write_seq());
            assert_eq!(transmit.range.start(), transmit.seq);
            let near = self.connection.write_seq().minus(1 << 30);
            let range = transmit.range;
            assert!(
                written.is_none_or(|written| written.covers(range)) || range.start().after(near),
                "it sends what was not written"
            );
        }
    }

    /// Reads all there is.
    pub fn read(&mut self) {
        if self.store.unread() > 0 {
            self.store.read = self.store.delivered;
            let (connection, mut cx) = self.parts();
            connection.recv(&mut cx);
            self.settle();
        }
    }

    /// Nothing comes any more: the connection comes to rest or to its end.
    pub fn end_in_silence(&mut self) {
        self.store.no_memory = false;
        self.transmit_fails = false;
        for _ in 0..PATIENCE {
            if !self.pass_to_deadline() {
                return;
            }
        }
        panic!("it never comes to rest in {:?}", self.connection.state());
    }
}
