// SPDX-License-Identifier: GPL-2.0

//! One end of a connection, or two of them facing each other.

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
use crate::engine::selftest::shell::{
    FixedShell,
    Piece, //
};
use crate::engine::selftest::{
    ensure,
    Outcome, //
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
    Transmit, //
};

/// The MSS of both ends.
pub const MSS: u16 = 1000;
/// The receive buffer of both ends.
pub const CAPACITY: u32 = 20_000;
/// Where our sequence numbers begin: the first octet is at 1000.
pub const ISS: SeqNum = SeqNum::new(999);
/// Where the peer's do: the first octet is at 5000.
pub const IRS: SeqNum = SeqNum::new(4999);

/// A configuration without options, so that segments are what scripts say they are.
pub const PLAIN: Config = Config {
    window_scaling: false,
    timestamps: false,
    sack: false,
    ..Config::DEFAULT
};

/// What a connection of these vectors is born with.
pub const fn parameters(iss: SeqNum) -> Parameters {
    Parameters {
        iss,
        ts_offset: 7,
        path_mss: Mss::new(MSS),
        advertised_mss: Mss::new(MSS),
        default_mss: Mss::DEFAULT,
        gso_max_size: 0,
        receive_window_max: CAPACITY,
        receive_window: CAPACITY,
    }
}

/// A segment from the peer.
pub fn segment(control: Control, seq: SeqNum, ack: Option<SeqNum>, len: u32) -> Segment {
    let mut transmit = Transmit::bare(seq, ack, control);
    transmit.window = 20_000;
    transmit.range = SeqRange::new(seq, len);
    transmit.as_received(Ports { src: 2, dst: 1 })
}

/// What has been told by events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// `Connected`.
    pub connected: bool,
    /// `PeerClosed`.
    pub peer_closed: bool,
    /// `Failed`.
    pub failed: bool,
    /// `TimeWait`.
    pub time_wait: bool,
    /// `Closed`.
    pub closed: bool,
}

/// One end: a connection, its queues, its clock.
#[derive(Debug)]
pub struct End {
    /// The connection.
    pub connection: Connection,
    /// Its queues.
    pub shell: FixedShell,
    /// Its tunables.
    pub config: Config,
    /// The time.
    pub now: Instant,
    /// What it has told.
    pub told: Told,
}

impl End {
    /// An end in CLOSED.
    pub fn new(config: Config, iss: SeqNum) -> Self {
        Self {
            connection: Connection::new(&config, &parameters(iss)),
            shell: FixedShell::new(CAPACITY),
            config,
            now: Instant::from_nanos(1_000_000_000_000),
            told: Told::default(),
        }
    }

    /// An end that is ESTABLISHED with a peer at [`IRS`], no options in use.
    pub fn established() -> Result<Self, &'static str> {
        let mut end = Self::new(PLAIN, ISS);
        end.with(|connection, cx| connection.connect(cx))
            .map_err(|_| "connect was refused")?;
        let syn = end.transmit("no SYN")?;
        ensure(syn.control == Control::Syn, "what is sent first is no SYN")?;
        let mut answer = segment(Control::Syn, IRS, Some(ISS.plus(1)), 0);
        answer.options.mss = Some(Mss::new(MSS));
        end.receive(&answer);
        let ack = end.transmit("the SYN-ACK is not acknowledged")?;
        ensure(
            ack.ack == Some(IRS.plus(1)),
            "wrong acknowledgment of the SYN-ACK",
        )?;
        ensure(end.told.connected, "Connected was not told")?;
        Ok(end)
    }

    /// An end like [`End::established`], with selective acknowledgments.
    pub fn selective() -> Result<Self, &'static str> {
        let config = Config {
            sack: true,
            ..PLAIN
        };
        let mut end = Self::new(config, ISS);
        end.with(|connection, cx| connection.connect(cx))
            .map_err(|_| "connect was refused")?;
        end.transmit("no SYN")?;
        let mut answer = segment(Control::Syn, IRS, Some(ISS.plus(1)), 0);
        answer.options.mss = Some(Mss::new(MSS));
        answer.options.sack_permitted = true;
        end.receive(&answer);
        end.transmit("the SYN-ACK is not acknowledged")?;
        Ok(end)
    }

    /// An end like [`End::established`], with windows and superpackets as large as can be.
    pub fn wide() -> Result<Self, &'static str> {
        let config = Config {
            window_scaling: true,
            ..PLAIN
        };
        let mut end = Self::new(config, ISS);
        let wide = Parameters {
            gso_max_size: 1 << 30,
            ..parameters(ISS)
        };
        end.connection = Connection::new(&end.config, &wide);
        end.with(|connection, cx| connection.connect(cx))
            .map_err(|_| "connect was refused")?;
        end.transmit("no SYN")?;
        let mut answer = segment(Control::Syn, IRS, Some(ISS.plus(1)), 0);
        answer.options.mss = Some(Mss::new(MSS));
        answer.options.window_scale = Some(WindowScale::MAX);
        end.receive(&answer);
        end.transmit("the SYN-ACK is not acknowledged")?;
        Ok(end)
    }

    /// Calls into the connection, then listens to what it tells.
    pub fn with<R>(
        &mut self,
        call: impl FnOnce(&mut Connection, &mut Context<'_, FixedShell>) -> R,
    ) -> R {
        let mut cx = Context {
            now: self.now,
            config: &self.config,
            shell: &mut self.shell,
        };
        let result = call(&mut self.connection, &mut cx);
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::Connected => self.told.connected = true,
                Event::PeerClosed => self.told.peer_closed = true,
                Event::Failed(_) => self.told.failed = true,
                Event::TimeWait(_) => self.told.time_wait = true,
                Event::Closed => self.told.closed = true,
                Event::Readable | Event::Writable => {}
            }
        }
        result
    }

    /// What it sends next.
    pub fn poll(&mut self) -> Option<Transmit> {
        self.with(|connection, cx| connection.poll_transmit(cx))
    }

    /// What it sends next; it must send something.
    pub fn transmit(&mut self, otherwise: &'static str) -> Result<Transmit, &'static str> {
        self.poll().ok_or(otherwise)
    }

    /// It must have nothing to send.
    pub fn silent(&mut self, otherwise: &'static str) -> Outcome {
        ensure(self.poll().is_none(), otherwise)
    }

    /// A segment arrives.
    pub fn receive(&mut self, segment: &Segment) {
        let range = segment.payload_range();
        let payload = (!range.is_empty()).then_some(Piece(range));
        self.with(|connection, cx| connection.on_segment(cx, segment, payload));
    }

    /// Plain data of the peer arrives: `len` octets, `offset` after its first one.
    pub fn receive_data(&mut self, offset: u32, len: u32) {
        let ack = self.connection.snd_nxt();
        let data = segment(Control::None, IRS.plus(1 + offset), Some(ack), len);
        self.receive(&data);
    }

    /// The peer acknowledges everything up to `offset` octets after our first one.
    pub fn receive_ack(&mut self, offset: u32) {
        let ack = ISS.plus(1 + offset);
        let seq = self.connection.rcv_nxt();
        self.receive(&segment(Control::None, seq, Some(ack), 0));
    }

    /// The user writes `n` octets.
    pub fn write(&mut self, n: u32) -> Outcome {
        self.shell.write(n);
        self.with(|connection, _| connection.send(n, false))
            .map_err(|_| "send was refused")
    }

    /// The user reads everything there is.
    pub fn read(&mut self) {
        self.read_some(self.shell.unread());
    }

    /// The user reads `n` octets.
    pub fn read_some(&mut self, n: u32) {
        self.shell.read += n;
        self.with(|connection, cx| connection.recv(cx));
    }

    /// Lets the clock run to the next deadline.
    pub fn wait(&mut self) -> Result<Delta, &'static str> {
        let deadline = self.connection.poll_deadline().ok_or("no deadline")?;
        let passed = deadline.since(self.now);
        self.now = self.now.max(deadline);
        self.with(|connection, cx| connection.on_timeout(cx));
        Ok(passed)
    }

    /// The state must be `state`.
    pub fn is_in(&self, state: StateName, otherwise: &'static str) -> Outcome {
        ensure(self.connection.state() == state, otherwise)
    }
}

/// Two ends and nothing between them.
#[derive(Debug)]
pub struct Pair {
    /// The one that connects.
    pub a: End,
    /// The one that accepts.
    pub b: End,
    /// Its first sequence number.
    pub irs: SeqNum,
}

/// The ports that segments of a pair carry; nobody looks at them.
const PORTS: Ports = Ports { src: 1, dst: 2 };

impl Pair {
    /// Two ends in CLOSED.
    pub fn new(config: &Config, iss: SeqNum, irs: SeqNum) -> Self {
        Self {
            a: End::new(config.clone(), iss),
            b: End::new(config.clone(), irs),
            irs,
        }
    }

    /// Connects them, through a listener. In place: a stack in the kernel has no room for many
    /// ends.
    pub fn connect(&mut self) -> Outcome {
        let Self { a, b, irs } = self;
        let (config, irs) = (&b.config, *irs);
        a.with(|connection, cx| connection.connect(cx))
            .map_err(|_| "connect was refused")?;
        let syn = a.transmit("no SYN")?.as_received(PORTS);
        let mut half = HalfOpen::on_syn(b.now, config, &parameters(irs), &syn)
            .ok_or("the SYN was not taken")?;
        a.receive(&half.transmit(b.now, config).as_received(PORTS));
        let ack = a
            .transmit("the SYN-ACK is not acknowledged")?
            .as_received(PORTS);
        let verdict = half.on_segment(b.now, config, &ack);
        ensure(verdict == HalfOpenVerdict::Promote, "not promoted")?;
        let mut cx = Context {
            now: b.now,
            config,
            shell: &mut b.shell,
        };
        b.connection = half.into_connection(&mut cx, &parameters(irs), &ack);
        b.receive(&ack);
        ensure(a.told.connected && b.told.connected, "not connected")
    }

    /// Carries segments both ways until both are silent. `lose` says which are lost, of those
    /// that `a` sends.
    pub fn exchange(&mut self, mut lose: impl FnMut(&Transmit) -> bool) -> Outcome {
        self.carry(|transmit| !lose(transmit))
    }

    /// The same, with a network that may change what `a` sends; `pass` says what arrives.
    pub fn carry(&mut self, mut pass: impl FnMut(&mut Transmit) -> bool) -> Outcome {
        for _ in 0..1000 {
            // What `a` has to send now is under way before any answer comes.
            let mut burst = [None; 16];
            for slot in &mut burst {
                *slot = self.a.poll();
            }
            for mut transmit in burst.into_iter().flatten() {
                if pass(&mut transmit) {
                    self.b.receive(&transmit.as_received(PORTS));
                    self.answer();
                }
            }
            if !self.answer() && burst.iter().all(Option::is_none) {
                return self.check();
            }
        }
        Err("the ends never fall silent")
    }

    /// Carries what `b` has to send to `a`. `true` if there was anything.
    fn answer(&mut self) -> bool {
        let mut any = false;
        while let Some(transmit) = self.b.poll() {
            any = true;
            self.a.receive(&transmit.as_received(PORTS));
        }
        any
    }

    /// Both clocks run to the earlier of the two deadlines.
    pub fn wait(&mut self) -> Outcome {
        let deadlines = [&self.a, &self.b].map(|end| end.connection.poll_deadline());
        let next = deadlines.into_iter().flatten().min().ok_or("no deadline")?;
        for end in [&mut self.a, &mut self.b] {
            end.now = end.now.max(next);
            end.with(|connection, cx| connection.on_timeout(cx));
        }
        Ok(())
    }

    fn check(&self) -> Outcome {
        for end in [&self.a, &self.b] {
            end.connection.check_invariants(&end.shell)?;
            ensure(!end.shell.is_corrupt, "a wrong octet was delivered")?;
        }
        Ok(())
    }
}
