// SPDX-License-Identifier: GPL-2.0

//! One host: a connection or what there is instead of one, and its user.

use crate::edges::Node;
use crate::engine::buffer::{
    Context,
    ReceiveQueue, //
};
use crate::engine::connection::{
    Connection,
    StateName, //
};
use crate::engine::event::Event;
use crate::engine::listener::{
    reset_reply,
    HalfOpen,
    HalfOpenTimeout,
    HalfOpenVerdict,
    TimeWait,
    TimeWaitVerdict, //
};
use crate::engine::seq::SeqRange;
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
use crate::fingerprint::Fingerprint;
use crate::prediction::compare_ways;
use crate::scenario::{
    Closing,
    Scenario, //
};
use crate::store::{
    Piece,
    Store, //
};
use crate::user::{
    Act,
    Seen, //
};

/// The clock of each host at the start: far from the epoch, which means "never".
const START: Instant = Instant::from_nanos(1_000_000_000_000);
/// Transmissions in one step that no sane engine exceeds.
pub const TRANSMIT_LIMIT: usize = 1000;

/// What a step put out.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// Segments for the peer.
    pub segments: Vec<Segment>,
    /// Edges of the state diagram, and whether the connection failed with it.
    pub edges: Vec<(Node, Node, bool)>,
}

/// A host under way.
#[derive(Clone, Debug)]
pub struct Host {
    me: usize,
    now: Instant,
    listens: bool,
    incarnation: u32,
    /// The full connection, while there is one.
    pub connection: Option<Connection>,
    half_open: Option<HalfOpen>,
    time_wait: Option<TimeWait>,
    /// Its queues.
    pub store: Store,
    /// Its user.
    pub seen: Seen,
}

/// The name of a connection's state in the diagram.
pub fn node_of(state: StateName) -> Node {
    match state {
        StateName::Closed => Node::Closed,
        StateName::SynSent => Node::SynSent,
        StateName::SynReceived => Node::SynReceived,
        StateName::Established => Node::Established,
        StateName::FinWait1 => Node::FinWait1,
        StateName::FinWait2 => Node::FinWait2,
        StateName::CloseWait => Node::CloseWait,
        StateName::Closing => Node::Closing,
        StateName::LastAck => Node::LastAck,
    }
}

/// What surrounds a call into the engine.
pub fn context<'a>(
    now: Instant,
    scenario: &'a Scenario,
    store: &'a mut Store,
) -> Context<'a, Store> {
    Context {
        now,
        config: &scenario.config,
        shell: store,
    }
}

type Step = Result<Output, String>;

impl Host {
    /// A host that has just connected or begun to listen.
    pub fn new(scenario: &Scenario, me: usize) -> Result<(Self, Output), String> {
        let user = &scenario.users[me];
        let mut host = Self {
            me,
            now: START,
            listens: !user.connects,
            incarnation: 0,
            connection: None,
            half_open: None,
            time_wait: None,
            store: Store::new(user.capacity),
            seen: Seen::default(),
        };
        let mut out = Output::default();
        if host.listens {
            out.edges.push((Node::Closed, Node::Listen, false));
            return Ok((host, out));
        }
        let mut connection = Connection::new(&scenario.config, &scenario.parameters(me, 0));
        let mut cx = context(host.now, scenario, &mut host.store);
        connection
            .connect(&mut cx)
            .map_err(|error| format!("connect: {error:?}"))?;
        host.connection = Some(connection);
        host.drive(scenario, Node::Closed, &mut out)?;
        Ok((host, out))
    }

    /// All that decides what it will do from now on.
    pub fn fingerprint(&self) -> Fingerprint {
        let Self {
            me: _,
            now,
            listens,
            incarnation,
            connection,
            half_open,
            time_wait,
            store,
            seen,
        } = self;
        let mut print = Fingerprint::default();
        print.add((u64::from(*listens) << 32) | u64::from(*incarnation));
        print.show(*now, connection);
        print.show(*now, half_open);
        print.show(*now, time_wait);
        print.show(*now, store);
        print.show(*now, seen);
        print
    }

    /// The state of the diagram that it is in.
    pub fn node(&self) -> Node {
        match (&self.connection, &self.half_open, &self.time_wait) {
            (Some(connection), _, _) => node_of(connection.state()),
            (None, Some(_), _) => Node::SynReceived,
            (None, None, Some(_)) => Node::TimeWait,
            (None, None, None) if self.listens => Node::Listen,
            (None, None, None) => Node::Closed,
        }
    }

    /// Octets of the user's that it takes for acknowledged.
    pub fn acknowledged(&self, scenario: &Scenario) -> u32 {
        let Some(connection) = &self.connection else {
            return 0;
        };
        let first = scenario.parameters(self.me, 0).iss.plus(1);
        let acked = connection.snd_una().saturating_distance_from(first);
        acked.min(self.seen.written)
    }

    /// It behaves as if the peer had received its FIN.
    pub fn knows_that_fin_arrived(&self) -> bool {
        match self.node() {
            Node::FinWait2 | Node::TimeWait => true,
            Node::Closed | Node::Listen => self.seen.over && self.seen.failed.is_none(),
            Node::SynSent
            | Node::SynReceived
            | Node::Established
            | Node::FinWait1
            | Node::CloseWait
            | Node::Closing
            | Node::LastAck => false,
        }
    }

    /// The next deadline.
    pub fn deadline(&self) -> Option<Instant> {
        let connection = self.connection.as_ref().and_then(Connection::poll_deadline);
        let half_open = self.half_open.as_ref().map(HalfOpen::deadline);
        let time_wait = self.time_wait.as_ref().map(TimeWait::deadline);
        [connection, half_open, time_wait]
            .into_iter()
            .flatten()
            .min()
    }

    /// How long it would wait for its next deadline.
    pub fn patience(&self) -> Delta {
        self.deadline().map_or(Delta::ZERO, |at| at.since(self.now))
    }

    /// Time passes on the other host. It does here too, if not past a deadline: how late a
    /// host's timers are is open, but no clock stands still.
    pub fn pass(&mut self, time: Delta) {
        let until = self.now.after(time);
        self.now = self
            .deadline()
            .map_or(until, |at| until.min(at.max(self.now)));
    }

    /// The only thing that it waits for is the end of TIME-WAIT.
    pub fn only_lingers(&self) -> bool {
        let idle = |connection: &Connection| connection.poll_deadline().is_none();
        self.half_open.is_none() && self.connection.as_ref().is_none_or(idle)
    }

    /// Its clock.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Whether the user may do `act` now.
    pub fn may(&self, scenario: &Scenario, act: Act) -> bool {
        let user = &scenario.users[self.me];
        let seen = &self.seen;
        if act == Act::Unlisten {
            let idle = self.half_open.is_none() && self.incarnation == 0;
            return user.closing == Closing::MayAbort && self.listens && idle;
        }
        let Some(connection) = self.connection.as_ref().filter(|_| !seen.let_go) else {
            return false;
        };
        let opening = connection.state() == StateName::SynSent;
        match act {
            Act::Write => seen.writes < user.writes && connection.can_send(),
            Act::Read => self.store.unread() > 0,
            Act::Shutdown => {
                let done = seen.writes == user.writes && !seen.shut_down && !opening;
                let allowed = match user.closing {
                    Closing::AnyTime | Closing::MayAbort => true,
                    Closing::AfterPeer => seen.peer_closed && self.store.unread() == 0,
                    Closing::LetsGo => false,
                };
                done && allowed
            }
            Act::Close => user.closing == Closing::LetsGo,
            Act::Abort => user.closing == Closing::MayAbort,
            Act::Unlisten => false,
        }
    }

    /// The user does `act`.
    pub fn act(&mut self, scenario: &Scenario, act: Act) -> Step {
        let mut out = Output::default();
        if act == Act::Unlisten {
            self.listens = false;
            out.edges.push((Node::Listen, Node::Closed, false));
            return Ok(out);
        }
        let from = self.node();
        let Some(connection) = &mut self.connection else {
            return Err("no connection to act on".into());
        };
        let mut cx = context(self.now, scenario, &mut self.store);
        match act {
            Act::Write => {
                let n = scenario.users[self.me].write_len;
                cx.shell.write(n, connection.size_goal());
                connection
                    .send(n, false)
                    .map_err(|error| format!("send: {error:?}"))?;
                self.seen.writes += 1;
                self.seen.written += n;
            }
            Act::Read => {
                cx.shell.read = cx.shell.delivered;
                connection.recv(&mut cx);
            }
            Act::Shutdown => {
                connection
                    .shutdown_write(&mut cx)
                    .map_err(|error| format!("shutdown: {error:?}"))?;
                self.seen.shut_down = true;
            }
            Act::Close | Act::Abort => {
                self.seen.shut_down = true;
                self.seen.let_go = true;
                if act == Act::Close {
                    connection.close(&mut cx);
                } else {
                    connection.abort(&mut cx);
                }
            }
            Act::Unlisten => {}
        }
        self.drive(scenario, from, &mut out)?;
        Ok(out)
    }

    /// Time passes up to the next deadline.
    pub fn on_deadline(&mut self, scenario: &Scenario) -> Step {
        let mut out = Output::default();
        let from = self.node();
        self.now = self.deadline().map_or(self.now, |at| at.max(self.now));
        if let Some(connection) = &mut self.connection {
            connection.on_timeout(&mut context(self.now, scenario, &mut self.store));
        }
        if let Some(half_open) = &mut self.half_open {
            match half_open.on_timeout(self.now, &scenario.config) {
                HalfOpenTimeout::Early => {}
                HalfOpenTimeout::Retransmit => {
                    let transmit = half_open.transmit(self.now, &scenario.config);
                    self.put(scenario, &transmit, &mut out)?;
                }
                HalfOpenTimeout::GiveUp => self.forget_half_open(&mut out),
            }
        }
        if self.time_wait.is_some_and(|tw| tw.deadline() <= self.now) {
            self.time_wait = None;
            out.edges.push((Node::TimeWait, Node::Closed, false));
        }
        self.drive(scenario, from, &mut out)?;
        Ok(out)
    }

    fn forget_half_open(&mut self, out: &mut Output) {
        self.half_open = None;
        out.edges.push((Node::SynReceived, Node::Listen, false));
    }

    /// `segment` has arrived.
    pub fn on_segment(&mut self, scenario: &Scenario, segment: &Segment) -> Step {
        self.now = self.now.after(scenario.tick);
        let mut out = Output::default();
        if self.connection.is_some() {
            let from = self.node();
            self.feed_connection(scenario, segment)?;
            self.drive(scenario, from, &mut out)?;
        } else if self.half_open.is_some() {
            self.feed_half_open(scenario, segment, &mut out)?;
        } else {
            self.feed_nobody(scenario, segment, &mut out)?;
        }
        Ok(out)
    }

    fn feed_connection(&mut self, scenario: &Scenario, segment: &Segment) -> Result<(), String> {
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        if segment.control == Control::Syn {
            self.store.expect(segment.seq.plus(1));
        }
        let range = segment.payload_range();
        let payload = (!range.is_empty()).then_some(Piece(range));
        let before = (connection.clone(), self.store.clone());
        let mut cx = context(self.now, scenario, &mut self.store);
        connection.on_segment(&mut cx, segment, payload);
        compare_ways(self.now, scenario, segment, before)
    }

    fn feed_half_open(
        &mut self,
        scenario: &Scenario,
        segment: &Segment,
        out: &mut Output,
    ) -> Result<(), String> {
        let Some(half_open) = &mut self.half_open else {
            return Ok(());
        };
        match half_open.on_segment(self.now, &scenario.config, segment) {
            HalfOpenVerdict::Promote => {
                if self.seen.connected {
                    return Err("old segments have opened a second connection".into());
                }
                let half_open = *half_open;
                let parameters = scenario.parameters(self.me, self.incarnation);
                let mut cx = context(self.now, scenario, &mut self.store);
                let connection = half_open.into_connection(&mut cx, &parameters, segment);
                self.connection = Some(connection);
                self.half_open = None;
                self.feed_connection(scenario, segment)?;
                self.drive(scenario, Node::SynReceived, out)
            }
            HalfOpenVerdict::Retransmit => {
                let transmit = half_open.transmit(self.now, &scenario.config);
                self.put(scenario, &transmit, out)
            }
            HalfOpenVerdict::Reply(transmit) => self.put(scenario, &transmit, out),
            HalfOpenVerdict::Forget => {
                self.forget_half_open(out);
                Ok(())
            }
            HalfOpenVerdict::Limited | HalfOpenVerdict::Deferred | HalfOpenVerdict::Drop => Ok(()),
        }
    }

    fn feed_nobody(
        &mut self,
        scenario: &Scenario,
        segment: &Segment,
        out: &mut Output,
    ) -> Result<(), String> {
        if let Some(time_wait) = &mut self.time_wait {
            return match time_wait.on_segment(self.now, &scenario.config, segment) {
                TimeWaitVerdict::Ack(transmit) => self.put(scenario, &transmit, out),
                TimeWaitVerdict::Drop | TimeWaitVerdict::Limited => Ok(()),
                TimeWaitVerdict::Reset(transmit) => {
                    self.time_wait = None;
                    self.put(scenario, &transmit, out)
                }
                TimeWaitVerdict::Forget => {
                    self.time_wait = None;
                    out.edges.push((Node::TimeWait, Node::Closed, true));
                    Ok(())
                }
                TimeWaitVerdict::Reuse { .. } => {
                    Err("an old SYN looks like a new incarnation".into())
                }
            };
        }
        if self.listens {
            let parameters = scenario.parameters(self.me, self.incarnation);
            let half_open = HalfOpen::on_syn(self.now, &scenario.config, &parameters, segment);
            if let Some(mut half_open) = half_open {
                self.store.expect(segment.seq.plus(1));
                let transmit = half_open.transmit(self.now, &scenario.config);
                self.half_open = Some(half_open);
                out.edges.push((Node::Listen, Node::SynReceived, false));
                return self.put(scenario, &transmit, out);
            }
        }
        match reset_reply(segment) {
            Some(transmit) => self.put(scenario, &transmit, out),
            None => Ok(()),
        }
    }

    /// Carries out what the connection puts out, and lets the user take it.
    fn drive(&mut self, scenario: &Scenario, from: Node, out: &mut Output) -> Result<(), String> {
        let to = match &self.connection {
            Some(connection) => node_of(connection.state()),
            None => return Ok(()),
        };
        loop {
            self.transmit(scenario, out)?;
            let event = self.connection.as_mut().and_then(Connection::poll_event);
            let Some(event) = event else {
                break;
            };
            self.on_event(scenario, event)?;
        }
        let lingers = to == Node::Closed && self.time_wait.is_some();
        let to = if lingers { Node::TimeWait } else { to };
        let failed = self.seen.failed.is_some();
        out.edges.push((from, to, failed));
        self.let_go(scenario, to, out)?;
        if self.seen.over {
            self.connection = None;
            self.incarnation += 1;
        }
        Ok(())
    }

    fn transmit(&mut self, scenario: &Scenario, out: &mut Output) -> Result<(), String> {
        for _ in 0..TRANSMIT_LIMIT {
            let Some(connection) = &mut self.connection else {
                return Ok(());
            };
            let mut cx = context(self.now, scenario, &mut self.store);
            let Some(transmit) = connection.poll_transmit(&mut cx) else {
                connection.check_invariants(&self.store)?;
                return match self.store.wrong {
                    Some(what) => Err(what.into()),
                    None => Ok(()),
                };
            };
            self.put(scenario, &transmit, out)?;
        }
        Err("it transmits without end".into())
    }

    /// The user who has shut down and has seen the end has nothing more to wait for.
    fn let_go(&mut self, scenario: &Scenario, from: Node, out: &mut Output) -> Result<(), String> {
        let seen = &mut self.seen;
        let read_all = self.store.unread() == 0;
        if !(seen.shut_down && seen.peer_closed && read_all) || seen.let_go || seen.over {
            return Ok(());
        }
        seen.let_go = true;
        let mut cx = context(self.now, scenario, &mut self.store);
        if let Some(connection) = &mut self.connection {
            connection.close(&mut cx);
        }
        self.drive(scenario, from, out)
    }

    fn on_event(&mut self, scenario: &Scenario, event: Event) -> Result<(), String> {
        if self.seen.over {
            return Err(format!("{event:?} after Closed"));
        }
        match event {
            Event::Connected if self.seen.connected => return Err("connected twice".into()),
            Event::Connected => self.seen.connected = true,
            Event::Readable if !scenario.users[self.me].reads_late => {
                self.store.read = self.store.delivered;
                let mut cx = context(self.now, scenario, &mut self.store);
                if let Some(connection) = &mut self.connection {
                    connection.recv(&mut cx);
                }
            }
            Event::PeerClosed if self.seen.peer_closed => return Err("closed twice".into()),
            Event::PeerClosed => self.seen.peer_closed = true,
            Event::Failed(error) => self.seen.failed = Some(error),
            Event::TimeWait(time_wait) => self.time_wait = Some(time_wait),
            Event::Closed => self.seen.over = true,
            Event::Readable | Event::Writable => {}
        }
        Ok(())
    }

    /// A transmission becomes segments.
    fn put(
        &self,
        scenario: &Scenario,
        transmit: &Transmit,
        out: &mut Output,
    ) -> Result<(), String> {
        let first = scenario.parameters(self.me, 0).iss.plus(1);
        let range = transmit.range;
        if !range.is_empty() {
            let written = SeqRange::new(first, self.seen.written);
            if range.start() != transmit.seq || !written.covers(range) {
                return Err(format!("it sends {range:?}, written is {written:?}"));
            }
        }
        let size = u32::from(transmit.gso_size).max(1);
        let mut start = range.start();
        loop {
            let left = range.end().distance_from(start);
            let len = left.min(size);
            let last = len == left;
            let mut one = *transmit;
            if !range.is_empty() {
                one.seq = start;
                one.range = SeqRange::new(start, len);
            }
            if !last {
                one.control = Control::None;
                one.psh = false;
            }
            out.segments.push(one.as_received(Ports { src: 1, dst: 2 }));
            start = start.plus(len);
            if last {
                return Ok(());
            }
        }
    }
}
