// SPDX-License-Identifier: GPL-2.0

//! One host: a connection or what there is instead of one, its program, its device.

use std::rc::Rc;

use mynewtcp_engine::engine::buffer::Context;
use mynewtcp_engine::engine::connection::{
    Connection,
    StateName, //
};
use mynewtcp_engine::engine::dormant::Dormant;
use mynewtcp_engine::engine::error::ConnectionError;
use mynewtcp_engine::engine::event::Event;
use mynewtcp_engine::engine::listener::{
    reset_reply,
    HalfOpen,
    HalfOpenTimeout,
    HalfOpenVerdict,
    TimeWait,
    TimeWaitVerdict, //
};
use mynewtcp_engine::engine::selftest::player::{
    event_name,
    icmp_name, //
};
use mynewtcp_engine::engine::seq::{
    Mss,
    SeqNum,
    SeqRange, //
};
use mynewtcp_engine::engine::time::Instant;
use mynewtcp_engine::engine::wire::checksum::{
    Addresses,
    Sum, //
};
use mynewtcp_engine::engine::wire::{
    Control,
    Ports,
    Segment,
    Transmit,
    MAX_HEADER_LEN, //
};

use crate::app::App;
use crate::attack::{
    Forged,
    Numbers, //
};
use crate::check::Watch;
use crate::journal;
use crate::packet::{
    Icmp,
    Packet, //
};
use crate::scenario::HostPlan;
use crate::store::{
    Bytes,
    Sabotage,
    Store, //
};

/// The IP protocol number in the pseudo-header.
const PROTOCOL: u8 = 253;
/// Transmissions in one go that no sane engine exceeds.
const TRANSMIT_LIMIT: usize = 100_000;

/// A host under way.
#[derive(Debug)]
pub struct Host {
    plan: HostPlan,
    ports: Ports,
    addresses: Addresses,
    connection: Option<Connection>,
    half_open: Option<HalfOpen>,
    time_wait: Option<TimeWait>,
    /// What the path is known to take.
    path_mss: u16,
    /// A listener has accepted its connection.
    accepted: bool,
    connected: bool,
    /// Its queues.
    pub store: Store,
    /// Its program.
    pub app: App,
    /// What it may and may not do.
    pub watch: Watch,
    /// How its connection failed.
    pub error: Option<ConnectionError>,
    /// Its connection is over.
    pub is_closed: bool,
    /// The invariants are checked at every step.
    pub checked: bool,
}

impl Host {
    /// A host that has done nothing yet. It talks to the one whose number differs in the last bit.
    pub fn new(me: u8, plan: HostPlan, store: Store, app: App) -> Self {
        let address = |n| [10, 0, 0, n + 1];
        let port = |n| 1000 + u16::from(n);
        Self {
            ports: Ports {
                src: port(me),
                dst: port(me ^ 1),
            },
            addresses: Addresses::V4(address(me), address(me ^ 1)),
            path_mss: plan.parameters.path_mss.field(),
            plan,
            connection: None,
            half_open: None,
            time_wait: None,
            accepted: false,
            connected: false,
            store,
            app,
            watch: Watch::default(),
            error: None,
            is_closed: false,
            checked: true,
        }
    }

    /// The state of the connection.
    pub fn state(&self) -> StateName {
        self.connection
            .as_ref()
            .map_or(StateName::Closed, Connection::state)
    }

    /// Additional time that its packets need, both ways.
    pub fn access(&self) -> u64 {
        self.plan.access
    }

    /// Its connection, if it has one.
    pub fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// What there is to know about its connection, once both sides agree on their numbers.
    pub fn numbers(&self) -> Option<Numbers> {
        let connection = self.connection.as_ref()?;
        match connection.state() {
            StateName::Closed | StateName::SynSent | StateName::SynReceived => None,
            StateName::Established
            | StateName::FinWait1
            | StateName::FinWait2
            | StateName::CloseWait
            | StateName::Closing
            | StateName::LastAck => Some(Numbers {
                snd_una: connection.snd_una(),
                rcv_nxt: connection.rcv_nxt(),
                rcv_wnd: connection
                    .rcv_right_edge()
                    .distance_from(connection.rcv_nxt()),
            }),
        }
    }

    /// Nothing is left of it, not even a memory.
    pub fn is_idle(&self) -> bool {
        self.connection.is_none() && self.half_open.is_none() && self.time_wait.is_none()
    }

    /// A packet has arrived.
    pub fn on_packet(&mut self, now: Instant, packet: &Packet) -> Result<Vec<Packet>, String> {
        let bytes = &packet.bytes;
        let len = bytes.len() as u32;
        let sum = Sum::pseudo_header(self.peer_addresses(), PROTOCOL, len);
        if sum.plus(bytes).finish() != 0 {
            return Ok(Vec::new());
        }
        let mut segment = Segment::parse(bytes, len)
            .map_err(|error| format!("a packet with a right checksum is {error:?}"))?;
        segment.ecn = packet.ecn;
        let mut seen = segment;
        if self.store.sabotaged(Sabotage::HiddenWindow) {
            seen.window /= 2;
        }
        self.watch.on_segment(&seen)?;
        self.feed(now, &segment, bytes)
    }

    /// A stranger has forged something. The watch does not hear of it: it must change nothing.
    pub fn on_forged(&mut self, now: Instant, forged: &Forged) -> Result<Vec<Packet>, String> {
        match forged {
            Forged::Segment(transmit) => {
                let payload = vec![0xee; transmit.range.len() as usize];
                let packet = self.packet(transmit, &payload)?;
                let bytes = &packet.bytes;
                let segment = Segment::parse(bytes, bytes.len() as u32)
                    .map_err(|error| format!("a forged segment is {error:?}"))?;
                self.feed(now, &segment, bytes)
            }
            Forged::Icmp(quoted, icmp) => self.on_icmp(now, *quoted, *icmp),
        }
    }

    /// A router has something to say about a packet that began at `quoted`.
    pub fn on_icmp(
        &mut self,
        now: Instant,
        quoted: SeqNum,
        icmp: Icmp,
    ) -> Result<Vec<Packet>, String> {
        self.nap()?;
        let Some(connection) = &mut self.connection else {
            return Ok(Vec::new());
        };
        let mut cx = context(now, &self.plan, &mut self.store);
        match icmp {
            Icmp::Error(error) => {
                cx.shell
                    .note(|| format!("icmp {} {}", quoted.raw(), icmp_name(error)));
                connection.on_icmp(&mut cx, quoted, error);
            }
            Icmp::TooBig(mtu) => {
                let under_way =
                    quoted.after_or_eq(connection.snd_una()) && quoted.before(connection.snd_nxt());
                let mss = mtu.saturating_sub(Packet::IP_HEADER as u16 + 20);
                if under_way && mss < self.path_mss {
                    self.path_mss = mss;
                    cx.shell.note(|| format!("mtu {mss}"));
                    connection.on_mtu_change(&mut cx, Mss::new(mss));
                }
            }
        }
        self.drive(now, Vec::new())
    }

    fn feed(
        &mut self,
        now: Instant,
        segment: &Segment,
        bytes: &Rc<[u8]>,
    ) -> Result<Vec<Packet>, String> {
        self.nap()?;
        let mut out = Vec::new();
        let header_len = usize::from(segment.header_len);
        self.note(now, || journal::arrival(bytes, header_len, segment.ecn));
        if self.connection.is_some() && !self.is_closed {
            self.feed_connection(now, segment, bytes);
        } else if self.half_open.is_some() {
            self.feed_half_open(now, segment, bytes, &mut out)?;
        } else {
            self.feed_nobody(now, segment, &mut out)?;
        }
        self.drive(now, out)
    }

    fn peer_addresses(&self) -> Addresses {
        match self.addresses {
            Addresses::V4(a, b) => Addresses::V4(b, a),
            Addresses::V6(a, b) => Addresses::V6(b, a),
        }
    }

    /// Falls asleep and wakes up again, if nothing happens: nobody can tell, now or later.
    fn nap(&mut self) -> Result<(), String> {
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let Some(dormant) = connection.doze() else {
            return Ok(());
        };
        let woken = Dormant::wake(dormant.as_ref());
        if self.checked && format!("{woken:?}") != format!("{connection:?}") {
            return Err(format!("woke as another: {woken:?}, not {connection:?}"));
        }
        *connection = woken;
        Ok(())
    }

    fn feed_connection(&mut self, now: Instant, segment: &Segment, bytes: &Rc<[u8]>) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        let opens = connection.state() == StateName::SynSent;
        if opens && segment.control == Control::Syn {
            self.store.expect(segment.seq.plus(1));
        }
        let start = usize::from(segment.header_len);
        let payload = (segment.payload_len > 0)
            .then(|| self.store.take_in(Bytes::new(Rc::clone(bytes), start)));
        let mut cx = context(now, &self.plan, &mut self.store);
        connection.on_segment(&mut cx, segment, payload);
    }

    fn feed_half_open(
        &mut self,
        now: Instant,
        segment: &Segment,
        bytes: &Rc<[u8]>,
        out: &mut Vec<Packet>,
    ) -> Result<(), String> {
        let Some(half) = &mut self.half_open else {
            return Ok(());
        };
        match half.on_segment(now, &self.plan.config, segment) {
            HalfOpenVerdict::Promote => {
                if self.accepted {
                    return Err("a second connection was accepted".into());
                }
                self.accepted = true;
                let half = *half;
                let mut cx = context(now, &self.plan, &mut self.store);
                let parameters = &self.plan.parameters;
                let mut connection = half.into_connection(&mut cx, parameters, segment);
                connection.set_nodelay(&mut cx, self.plan.app.nodelay);
                connection.set_keepalive(&mut cx, self.plan.keepalive);
                self.connection = Some(connection);
                self.half_open = None;
                self.feed_connection(now, segment, bytes);
            }
            HalfOpenVerdict::Retransmit => {
                let transmit = half.transmit(now, &self.plan.config);
                self.put(&transmit, out)?;
            }
            HalfOpenVerdict::Reply(transmit) => self.put(&transmit, out)?,
            HalfOpenVerdict::Forget => self.half_open = None,
            HalfOpenVerdict::Limited | HalfOpenVerdict::Deferred | HalfOpenVerdict::Drop => {}
        }
        Ok(())
    }

    fn feed_nobody(
        &mut self,
        now: Instant,
        segment: &Segment,
        out: &mut Vec<Packet>,
    ) -> Result<(), String> {
        if let Some(time_wait) = &mut self.time_wait {
            match time_wait.on_segment(now, &self.plan.config, segment) {
                TimeWaitVerdict::Ack(transmit) => return self.put(&transmit, out),
                TimeWaitVerdict::Drop | TimeWaitVerdict::Limited => return Ok(()),
                TimeWaitVerdict::Reset(transmit) => {
                    self.time_wait = None;
                    return self.put(&transmit, out);
                }
                TimeWaitVerdict::Forget => {
                    self.time_wait = None;
                    return Ok(());
                }
                TimeWaitVerdict::Reuse { .. } => return Ok(()),
            }
        }
        if self.plan.listens {
            let (config, parameters) = (&self.plan.config, &self.plan.parameters);
            if let Some(mut half) = HalfOpen::on_syn(now, config, parameters, segment) {
                if !self.accepted {
                    self.store.expect(segment.seq.plus(1));
                }
                let transmit = half.transmit(now, config);
                self.half_open = Some(half);
                return self.put(&transmit, out);
            }
        }
        match reset_reply(segment) {
            Some(transmit) => self.put(&transmit, out),
            None => Ok(()),
        }
    }

    fn note(&mut self, now: Instant, what: impl FnOnce() -> String) {
        self.store.now = now.as_nanos();
        self.store.note(what);
    }

    /// The time of a deadline has come.
    pub fn on_timer(&mut self, now: Instant) -> Result<Vec<Packet>, String> {
        self.nap()?;
        let mut out = Vec::new();
        self.note(now, || "timer".into());
        if let Some(connection) = &mut self.connection {
            connection.on_timeout(&mut context(now, &self.plan, &mut self.store));
        }
        if let Some(half) = &mut self.half_open {
            match half.on_timeout(now, &self.plan.config) {
                HalfOpenTimeout::Early => {}
                HalfOpenTimeout::GiveUp => self.half_open = None,
                HalfOpenTimeout::Retransmit => {
                    let transmit = half.transmit(now, &self.plan.config);
                    self.put(&transmit, &mut out)?;
                }
            }
        }
        if self.time_wait.is_some_and(|tw| tw.deadline() <= now) {
            self.time_wait = None;
        }
        self.drive(now, out)
    }

    /// The program may go on.
    pub fn on_app(&mut self, now: Instant) -> Result<Vec<Packet>, String> {
        if self.plan.connect_at.is_some_and(|at| at <= now.as_nanos()) {
            self.plan.connect_at = None;
            self.note(now, || "connect".into());
            let mut connection = Connection::new(&self.plan.config, &self.plan.parameters);
            let mut cx = context(now, &self.plan, &mut self.store);
            connection.set_nodelay(&mut cx, self.plan.app.nodelay);
            connection.set_keepalive(&mut cx, self.plan.keepalive);
            connection
                .connect(&mut cx)
                .map_err(|error| format!("connect: {error:?}"))?;
            self.connection = Some(connection);
        }
        let due = self
            .plan
            .mtu_change
            .is_some_and(|(at, _)| at <= now.as_nanos());
        if let (true, Some(connection)) = (due, &mut self.connection) {
            let mss = self
                .plan
                .mtu_change
                .take()
                .map_or(Mss::DEFAULT, |(_, n)| Mss::new(n));
            self.path_mss = mss.field();
            let mut cx = context(now, &self.plan, &mut self.store);
            cx.shell.note(|| format!("mtu {}", mss.octets()));
            connection.on_mtu_change(&mut cx, mss);
        }
        self.drive(now, Vec::new())
    }

    /// When it wants to be called next, because of a deadline.
    pub fn deadline(&self) -> Option<Instant> {
        if self.store.sabotaged(Sabotage::DeafToDeadlines) {
            return None;
        }
        let connection = self.connection.as_ref().and_then(Connection::poll_deadline);
        let half_open = self.half_open.as_ref().map(HalfOpen::deadline);
        let time_wait = self.time_wait.as_ref().map(TimeWait::deadline);
        [connection, half_open, time_wait]
            .into_iter()
            .flatten()
            .min()
    }

    /// When the program wants to go on, because of the clock.
    pub fn app_wants(&mut self, now: Instant) -> Result<(Option<u64>, Vec<Packet>), String> {
        self.nap()?;
        let connect_at = self.plan.connect_at;
        let Some(connection) = &mut self.connection else {
            return Ok((connect_at, Vec::new()));
        };
        let mut cx = context(now, &self.plan, &mut self.store);
        let next = self.app.run(connection, &mut cx)?;
        let mtu_change_at = self.plan.mtu_change.map(|(at, _)| at);
        let next = [next, mtu_change_at].into_iter().flatten().min();
        let out = self.drive(now, Vec::new())?;
        Ok((next, out))
    }

    /// Carries out what the connection puts out.
    fn drive(&mut self, now: Instant, mut out: Vec<Packet>) -> Result<Vec<Packet>, String> {
        for _ in 0..TRANSMIT_LIMIT {
            let Some(connection) = &mut self.connection else {
                self.note_quiet(now);
                return Ok(out);
            };
            let mut cx = context(now, &self.plan, &mut self.store);
            let Some(transmit) = connection.poll_transmit(&mut cx) else {
                self.take_events(now)?;
                self.note_quiet(now);
                return Ok(out);
            };
            if cx.shell.transmit_fails() {
                cx.shell.note_answer(|journal| {
                    journal.transmit(&transmit);
                    journal.answer("x");
                });
                connection.on_transmit_failed(&mut cx, &transmit);
                continue;
            }
            self.put(&transmit, &mut out)?;
        }
        Err("it transmits without end".into())
    }

    fn note_quiet(&mut self, now: Instant) {
        let (state, deadline) = (self.state(), self.deadline());
        self.store
            .note_answer(|journal| journal.quiet(state, now, deadline));
    }

    fn take_events(&mut self, now: Instant) -> Result<(), String> {
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        if self.checked {
            connection.check_invariants(&self.store)?;
            self.store.check_memory()?;
        }
        if self.plan.failures.transmit == 0 && connection.state() != StateName::Closed {
            let patience = self.plan.config.delack_max;
            self.watch.on_quiet(now, connection.rcv_nxt(), patience)?;
        }
        while let Some(event) = connection.poll_event() {
            self.store
                .note_answer(|journal| journal.answer(&format!("! {}", event_name(event))));
            if self.is_closed {
                return Err(format!("{event:?} after Closed"));
            }
            match event {
                Event::Connected if self.connected => return Err("connected twice".into()),
                Event::Connected => self.connected = true,
                Event::Readable | Event::Writable => {}
                Event::PeerClosed => self.app.peer_closed = true,
                Event::Failed(error) => self.error = Some(error),
                Event::TimeWait(time_wait) => self.time_wait = Some(time_wait),
                Event::Closed => self.is_closed = true,
            }
        }
        Ok(())
    }

    /// Lets go of a connection that is over once the program has read all there is.
    pub fn reap(&mut self) {
        let failed = self.error.is_some();
        if self.is_closed && (self.app.has_closed || self.app.saw_end || failed) {
            self.connection = None;
        }
    }

    /// Turns a transmission into packets, as a device does with a superpacket.
    fn put(&mut self, transmit: &Transmit, out: &mut Vec<Packet>) -> Result<(), String> {
        let mut seen = *transmit;
        if self.store.sabotaged(Sabotage::WithdrawnWindow) && seen.control != Control::Syn {
            seen.window = 0;
        }
        let carries_nothing = seen.control == Control::None && seen.range.is_empty();
        if self.store.sabotaged(Sabotage::OlderAcknowledgment) && carries_nothing {
            seen.ack = seen.ack.map(|ack| ack.minus(1 << 20));
        }
        if !self.is_closed {
            self.watch.on_transmit(&seen)?;
        }
        self.store.note_answer(|journal| journal.transmit(transmit));
        let payload = self.store.payload(transmit.range)?;
        let size = usize::from(transmit.gso_size).max(1);
        let count = transmit.segments() as usize;
        for i in 0..count {
            let from = i * size;
            let to = if i + 1 == count {
                payload.len()
            } else {
                from + size
            };
            let mut part = *transmit;
            part.seq = transmit.seq.plus(from as u32);
            part.range = SeqRange::new(part.seq, (to - from) as u32);
            if i + 1 < count {
                part.psh = false;
                part.control = Control::None;
            }
            out.push(self.packet(&part, &payload[from..to])?);
        }
        Ok(())
    }

    fn packet(&self, transmit: &Transmit, payload: &[u8]) -> Result<Packet, String> {
        let mut header = [0; MAX_HEADER_LEN];
        let len = transmit
            .emit(self.ports, &mut header)
            .ok_or("header does not fit")?;
        let mut bytes = header[..len].to_vec();
        bytes.extend_from_slice(payload);
        Ok(Packet {
            ecn: transmit.ecn,
            ..self.seal(bytes)
        })
    }

    /// Header and payload with the right checksum.
    pub fn seal(&self, mut bytes: Vec<u8>) -> Packet {
        bytes[16..18].fill(0);
        let sum = Sum::pseudo_header(self.addresses, PROTOCOL, bytes.len() as u32);
        let checksum = sum.plus(&bytes).finish();
        bytes[16..18].copy_from_slice(&checksum.to_be_bytes());
        Packet::new(bytes)
    }
}

fn context<'a>(now: Instant, plan: &'a HostPlan, store: &'a mut Store) -> Context<'a, Store> {
    store.now = now.as_nanos();
    Context {
        now,
        config: &plan.config,
        shell: store,
    }
}
