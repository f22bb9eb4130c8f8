// SPDX-License-Identifier: GPL-2.0

//! Plays what the simulator has recorded of one end of a connection: the same segments, timeouts
//! and calls go in, and the same must come out. One line is one step:
//!
//! ```text
//! config NAME=VALUE ...    tunables, see [`FIELDS`]; times in nanoseconds
//! host NAME=VALUE ...      numbers and buffers of this end
//! t NANOSECONDS            the time
//! connect | write N MORE | read N | shutdown | close | abort
//! < HEADER LENGTH ECN      a segment arrives: its header in hexadecimal, octets of payload, and
//!                          the ECN field of the IP header
//! timer                    a deadline has passed
//! mtu MSS                  so much payload fits the path from now on
//! icmp SEQ NAME            a router reports an error
//! memory ON                whether there is any
//! refuse BITS              which of the allocations from here on fail, the lowest bit first
//! > HEADER LENGTH GSO ECN  it must transmit this next, in segments of so many octets
//! x                        that transmission fails
//! ! NAME                   it must tell this next
//! = STATE DEADLINE         it must have nothing more to transmit or to tell, and be in this
//!                          state, with a deadline so many nanoseconds from now
//! ```

use crate::engine::buffer::Context;
use crate::engine::config::{
    Config,
    Parameters, //
};
use crate::engine::connection::{
    Connection,
    StateName, //
};
use crate::engine::error::IcmpError;
use crate::engine::event::Event;
use crate::engine::listener::{
    reset_reply,
    HalfOpen,
    HalfOpenTimeout,
    HalfOpenVerdict,
    TimeWait,
    TimeWaitVerdict, //
};
use crate::engine::selftest::script::{
    hex,
    Words,
    FIELDS, //
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
    SeqNum, //
};
use crate::engine::time::Instant;
use crate::engine::wire::{
    Ecn,
    Ports,
    Segment,
    Transmit,
    MAX_HEADER_LEN, //
};

/// A step at which the end did something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The line of the script, counted from 1.
    pub line: usize,
    /// What was wrong.
    pub what: &'static str,
}

/// Ports of all headers in scripts.
pub const PORTS: Ports = Ports { src: 1, dst: 2 };

/// One end under way.
struct Player<const N: usize> {
    config: Config,
    parameters: Parameters,
    shell: FixedShell<N>,
    listens: bool,
    nodelay: bool,
    keepalive: bool,
    connection: Option<Connection>,
    half_open: Option<HalfOpen>,
    time_wait: Option<TimeWait>,
    is_closed: bool,
    /// What something smaller than a connection has to say.
    reply: Option<Transmit>,
    last: Option<Transmit>,
    now: Instant,
}

/// Plays a script to its end, with room for `N` pieces in each queue.
pub fn play<const N: usize>(script: &str) -> Result<(), Mismatch> {
    let mut player = Player::<N>::new();
    for (at, line) in script.lines().enumerate() {
        let step = player.step(line);
        step.map_err(|what| Mismatch { line: at + 1, what })?;
    }
    Ok(())
}

impl<const N: usize> Player<N> {
    const fn new() -> Self {
        Self {
            config: Config::DEFAULT,
            parameters: Parameters {
                iss: SeqNum::new(0),
                ts_offset: 0,
                path_mss: Mss::DEFAULT,
                advertised_mss: Mss::DEFAULT,
                default_mss: Mss::DEFAULT,
                gso_max_size: 0,
                receive_window_max: 0,
                receive_window: 0,
            },
            shell: FixedShell::new(0),
            listens: false,
            nodelay: false,
            keepalive: false,
            connection: None,
            half_open: None,
            time_wait: None,
            is_closed: false,
            reply: None,
            last: None,
            now: Instant::ZERO,
        }
    }

    fn step(&mut self, line: &str) -> Outcome {
        let mut words = Words::new(line);
        match words.next() {
            None | Some("#") => Ok(()),
            Some("config") => self.read_config(words),
            Some("host") => self.read_host(words),
            Some("t") => {
                self.now = Instant::from_nanos(words.number()?);
                Ok(())
            }
            Some("<") => self.receive(&mut words),
            Some(">") => self.expect_transmit(&mut words),
            Some("!") => self.expect_event(&mut words),
            Some("=") => self.expect_quiet(&mut words),
            Some("timer") => self.on_timer(),
            Some("memory") => {
                self.shell.out_of_memory = words.number()? == 0;
                Ok(())
            }
            Some("refuse") => {
                self.shell.refusals = words.number()?;
                Ok(())
            }
            Some("connect") => {
                self.connection = Some(Connection::new(&self.config, &self.parameters));
                self.apply_options()?;
                let done = self.with(|connection, cx| connection.connect(cx))?;
                done.map_err(|_| "connect is refused")
            }
            Some(verb) => self.call(verb, &mut words),
        }
    }

    fn read_config(&mut self, words: Words<'_>) -> Outcome {
        for word in words {
            let (name, value) = Words::pair(word)?;
            let field = FIELDS.iter().find(|field| field.name == name);
            let field = field.ok_or("no such tunable")?;
            (field.set)(&mut self.config, value);
        }
        Ok(())
    }

    fn read_host(&mut self, words: Words<'_>) -> Outcome {
        let parameters = &mut self.parameters;
        for word in words {
            let (name, value) = Words::pair(word)?;
            match name {
                "iss" => parameters.iss = SeqNum::new(value as u32),
                "ts" => parameters.ts_offset = value as u32,
                "path" => parameters.path_mss = Mss::new(value as u16),
                "advertised" => parameters.advertised_mss = Mss::new(value as u16),
                "default" => parameters.default_mss = Mss::new(value as u16),
                "gso" => parameters.gso_max_size = value as u32,
                "max" => parameters.receive_window_max = value as u32,
                "window" => parameters.receive_window = value as u32,
                "capacity" => self.shell.capacity = value as u32,
                "listens" => self.listens = value != 0,
                "nodelay" => self.nodelay = value != 0,
                "keepalive" => self.keepalive = value != 0,
                "pressure" => self.shell.pressure = value != 0,
                _ => return Err("no such property of a host"),
            }
        }
        Ok(())
    }

    fn with<R>(
        &mut self,
        call: impl FnOnce(&mut Connection, &mut Context<'_, FixedShell<N>>) -> R,
    ) -> Result<R, &'static str> {
        let mut cx = Context {
            now: self.now,
            config: &self.config,
            shell: &mut self.shell,
        };
        let connection = self.connection.as_mut().ok_or("there is no connection")?;
        Ok(call(connection, &mut cx))
    }

    fn call(&mut self, verb: &str, words: &mut Words<'_>) -> Outcome {
        match verb {
            "write" => {
                let (n, more) = (words.number()? as u32, words.number()? != 0);
                let goal = self.with(|connection, _| connection.size_goal())?;
                self.shell.fill(n, goal);
                let done = self.with(|connection, _| connection.send(n, more))?;
                done.map_err(|_| "send is refused")
            }
            "read" => {
                self.shell.read = self.shell.read.wrapping_add(words.number()? as u32);
                self.with(|connection, cx| connection.recv(cx)).map(drop)
            }
            "shutdown" => {
                let done = self.with(|connection, cx| connection.shutdown_write(cx))?;
                done.map_err(|_| "shutdown is refused")
            }
            "close" => self.with(|connection, cx| connection.close(cx)),
            "abort" => self.with(|connection, cx| connection.abort(cx)),
            "mtu" => {
                let mss = Mss::new(words.number()? as u16);
                self.with(|connection, cx| connection.on_mtu_change(cx, mss))
            }
            "icmp" => {
                let quoted = SeqNum::new(words.number()? as u32);
                let error = icmp_error(words.word()?)?;
                self.with(|connection, cx| connection.on_icmp(cx, quoted, error))
            }
            "x" => {
                let failed = self.last.take().ok_or("nothing was transmitted")?;
                self.with(|connection, cx| connection.on_transmit_failed(cx, &failed))
            }
            _ => Err("no such step"),
        }
    }

    fn receive(&mut self, words: &mut Words<'_>) -> Outcome {
        let mut header = [0; MAX_HEADER_LEN];
        let len = hex(words.word()?, &mut header)?;
        let payload_len = words.number()? as u32;
        let segment = Segment::parse(&header, (len as u32).wrapping_add(payload_len));
        let mut segment = segment.map_err(|_| "the segment is malformed")?;
        segment.ecn = Ecn::from_tos(words.number()? as u8);
        if self.connection.is_some() && !self.is_closed {
            return self.feed(&segment);
        }
        if self.half_open.is_some() {
            return self.feed_half_open(&segment);
        }
        self.feed_nobody(&segment);
        Ok(())
    }

    fn feed(&mut self, segment: &Segment) -> Outcome {
        let range = segment.payload_range();
        let payload = (!range.is_empty()).then_some(Piece(range));
        self.with(|connection, cx| connection.on_segment(cx, segment, payload))
    }

    fn feed_half_open(&mut self, segment: &Segment) -> Outcome {
        let Some(half) = &mut self.half_open else {
            return Ok(());
        };
        match half.on_segment(self.now, &self.config, segment) {
            HalfOpenVerdict::Promote => {
                let half = *half;
                self.half_open = None;
                let mut cx = Context {
                    now: self.now,
                    config: &self.config,
                    shell: &mut self.shell,
                };
                let connection = half.into_connection(&mut cx, &self.parameters, segment);
                self.connection = Some(connection);
                self.apply_options()?;
                return self.feed(segment);
            }
            HalfOpenVerdict::Retransmit => {
                self.reply = Some(half.transmit(self.now, &self.config));
            }
            HalfOpenVerdict::Reply(transmit) => self.reply = Some(transmit),
            HalfOpenVerdict::Forget => self.half_open = None,
            HalfOpenVerdict::Limited | HalfOpenVerdict::Deferred | HalfOpenVerdict::Drop => {}
        }
        Ok(())
    }

    fn apply_options(&mut self) -> Outcome {
        let (nodelay, keepalive) = (self.nodelay, self.keepalive);
        self.with(|connection, cx| {
            connection.set_nodelay(cx, nodelay);
            connection.set_keepalive(cx, keepalive);
        })
    }

    fn feed_nobody(&mut self, segment: &Segment) {
        if let Some(time_wait) = &mut self.time_wait {
            match time_wait.on_segment(self.now, &self.config, segment) {
                TimeWaitVerdict::Ack(transmit) => self.reply = Some(transmit),
                TimeWaitVerdict::Reset(transmit) => {
                    self.reply = Some(transmit);
                    self.time_wait = None;
                }
                TimeWaitVerdict::Forget => self.time_wait = None,
                TimeWaitVerdict::Drop
                | TimeWaitVerdict::Limited
                | TimeWaitVerdict::Reuse { .. } => {}
            }
            return;
        }
        if self.listens {
            let half = HalfOpen::on_syn(self.now, &self.config, &self.parameters, segment);
            if let Some(half) = half {
                let half = self.half_open.insert(half);
                self.reply = Some(half.transmit(self.now, &self.config));
                return;
            }
        }
        self.reply = reset_reply(segment);
    }

    fn on_timer(&mut self) -> Outcome {
        if self.connection.is_some() {
            self.with(|connection, cx| connection.on_timeout(cx))?;
        }
        if let Some(half) = &mut self.half_open {
            match half.on_timeout(self.now, &self.config) {
                HalfOpenTimeout::Early => {}
                HalfOpenTimeout::GiveUp => self.half_open = None,
                HalfOpenTimeout::Retransmit => {
                    self.reply = Some(half.transmit(self.now, &self.config));
                }
            }
        }
        if self.time_wait.is_some_and(|tw| tw.deadline() <= self.now) {
            self.time_wait = None;
        }
        Ok(())
    }

    fn next_transmit(&mut self) -> Result<Option<Transmit>, &'static str> {
        if let Some(reply) = self.reply.take() {
            return Ok(Some(reply));
        }
        if self.connection.is_none() {
            return Ok(None);
        }
        self.with(|connection, cx| connection.poll_transmit(cx))
    }

    fn expect_transmit(&mut self, words: &mut Words<'_>) -> Outcome {
        let transmit = self.next_transmit()?.ok_or("it transmits nothing")?;
        let (mut expected, mut header) = ([0; MAX_HEADER_LEN], [0; MAX_HEADER_LEN]);
        let expected_len = hex(words.word()?, &mut expected)?;
        let len = transmit.emit(PORTS, &mut header);
        let len = len.ok_or("a header does not fit")?;
        ensure(
            len == expected_len && header == expected,
            "it transmits another header",
        )?;
        let payload = u64::from(transmit.range.len());
        ensure(payload == words.number()?, "it transmits more or less")?;
        let gso = u64::from(transmit.gso_size);
        ensure(gso == words.number()?, "segments of another size")?;
        let ecn = u64::from(transmit.ecn.bits());
        ensure(ecn == words.number()?, "another ECN field")?;
        self.last = Some(transmit);
        Ok(())
    }

    fn next_event(&mut self) -> Option<Event> {
        let event = self.connection.as_mut()?.poll_event()?;
        match event {
            Event::Closed => self.is_closed = true,
            Event::TimeWait(time_wait) => self.time_wait = Some(time_wait),
            Event::Connected
            | Event::Readable
            | Event::Writable
            | Event::PeerClosed
            | Event::Failed(_) => {}
        }
        Some(event)
    }

    fn expect_event(&mut self, words: &mut Words<'_>) -> Outcome {
        let event = self.next_event().ok_or("it tells nothing")?;
        ensure(event_name(event) == words.word()?, "it tells another thing")
    }

    fn expect_quiet(&mut self, words: &mut Words<'_>) -> Outcome {
        ensure(self.next_transmit()?.is_none(), "it transmits more")?;
        ensure(self.next_event().is_none(), "it tells more")?;
        let connection = self.connection.as_ref();
        let state = connection.map_or(StateName::Closed, Connection::state);
        ensure(state_name(state) == words.word()?, "another state")?;
        let deadlines = [
            connection.and_then(Connection::poll_deadline),
            self.half_open.as_ref().map(HalfOpen::deadline),
            self.time_wait.as_ref().map(TimeWait::deadline),
        ];
        let deadline = deadlines.into_iter().flatten().min();
        let wanted = match words.word()? {
            "-" => None,
            word => Some(Words::parse(word)?),
        };
        let left = deadline.map(|at| at.since(self.now).as_nanos());
        ensure(left == wanted, "another deadline")?;
        ensure(!self.shell.is_corrupt, "a wrong octet was delivered")?;
        match connection {
            Some(connection) => connection.check_invariants(&self.shell),
            None => Ok(()),
        }
    }
}

/// The name of a state.
pub fn state_name(state: StateName) -> &'static str {
    match state {
        StateName::Closed => "CLOSED",
        StateName::SynSent => "SYN-SENT",
        StateName::SynReceived => "SYN-RECEIVED",
        StateName::Established => "ESTABLISHED",
        StateName::FinWait1 => "FIN-WAIT-1",
        StateName::FinWait2 => "FIN-WAIT-2",
        StateName::CloseWait => "CLOSE-WAIT",
        StateName::Closing => "CLOSING",
        StateName::LastAck => "LAST-ACK",
    }
}

/// The name of an event.
pub fn event_name(event: Event) -> &'static str {
    match event {
        Event::Connected => "connected",
        Event::Readable => "readable",
        Event::Writable => "writable",
        Event::PeerClosed => "peer-closed",
        Event::Failed(_) => "failed",
        Event::TimeWait(_) => "time-wait",
        Event::Closed => "closed",
    }
}

const ICMP_ERRORS: [(&str, IcmpError); 7] = [
    ("network-unreachable", IcmpError::NetworkUnreachable),
    ("host-unreachable", IcmpError::HostUnreachable),
    ("protocol-unreachable", IcmpError::ProtocolUnreachable),
    ("port-unreachable", IcmpError::PortUnreachable),
    ("prohibited", IcmpError::Prohibited),
    ("time-exceeded", IcmpError::TimeExceeded),
    ("parameter-problem", IcmpError::ParameterProblem),
];

/// The name of an ICMP error.
pub fn icmp_name(error: IcmpError) -> &'static str {
    let found = ICMP_ERRORS.iter().find(|(_, other)| *other == error);
    found.map_or("?", |(name, _)| name)
}

fn icmp_error(name: &str) -> Result<IcmpError, &'static str> {
    let found = ICMP_ERRORS.iter().find(|(other, _)| *other == name);
    found.map(|(_, error)| *error).ok_or("no such ICMP error")
}
