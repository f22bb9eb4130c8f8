// SPDX-License-Identifier: GPL-2.0

//! Two hosts, two links, one clock: runs a scenario to its end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use mynewtcp_engine::engine::connection::StateName;
use mynewtcp_engine::engine::error::ConnectionError;
use mynewtcp_engine::engine::time::Instant;
use mynewtcp_engine::engine::wire::Segment;

use crate::app::App;
use crate::host::Host;
use crate::link::{
    Link,
    Packet, //
};
use crate::rng::{
    mix,
    Rng, //
};
use crate::scenario::{
    Kind,
    Scenario, //
};
use crate::store::Store;

/// Events after which a run is held to be stuck in a circle.
const EVENT_LIMIT: u64 = 3_000_000;

/// How a run went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// A number that two runs share only if all their events were the same.
    pub digest: u64,
    /// Events that happened.
    pub events: u64,
    /// Segments that both hosts sent.
    pub segments: u64,
    /// Virtual nanoseconds that passed.
    pub nanos: u64,
    /// What went wrong, if anything did.
    pub failure: Option<String>,
    /// The log, if one was asked for.
    pub log: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival(usize, Packet),
    Deadline(usize),
    App(usize),
}

struct World {
    hosts: [Host; 2],
    links: [Link; 2],
    queue: BinaryHeap<Reverse<(u64, u64, Event)>>,
    order: u64,
    now: u64,
    digest: u64,
    events: u64,
    /// The earliest deadline and program wish that are queued, of each host.
    queued: [[u64; 2]; 2],
    log: Option<Vec<String>>,
}

/// Runs `scenario`, with a log if `trace`.
pub fn run(scenario: &Scenario, trace: bool) -> Outcome {
    let mut world = World::new(scenario, trace);
    let failure = world.run(scenario).err();
    Outcome {
        digest: world.digest,
        events: world.events,
        segments: world.hosts.iter().map(|host| host.watch.segments).sum(),
        nanos: world.now,
        failure,
        log: world.log.unwrap_or_default(),
    }
}

impl World {
    fn new(scenario: &Scenario, trace: bool) -> Self {
        let seed = scenario.seed;
        let stream = |n: usize| mix(seed ^ n as u64);
        let host = |me: usize| {
            let plan = &scenario.hosts[me];
            let other = &scenario.hosts[1 - me];
            let rng = |what| Rng::new(seed, what + me as u64);
            let iss = plan.parameters.iss;
            let store = Store::new(iss, plan.capacity, plan.failures, rng(10));
            let streams = (stream(me), stream(1 - me));
            let app = App::new(plan.app, other.app.total, streams, rng(20));
            Host::new(me as u8, plan.clone(), store, app)
        };
        let link = |me: usize| {
            let rng = Rng::new(seed, 30 + me as u64);
            Link::new(scenario.links[me], scenario.cut_at, rng)
        };
        Self {
            hosts: [host(0), host(1)],
            links: [link(0), link(1)],
            queue: BinaryHeap::new(),
            order: 0,
            now: 0,
            digest: seed,
            events: 0,
            queued: [[u64::MAX; 2]; 2],
            log: trace.then(Vec::new),
        }
    }

    fn run(&mut self, scenario: &Scenario) -> Result<(), String> {
        self.settle(0)?;
        self.settle(1)?;
        while let Some(Reverse((at, _, event))) = self.queue.pop() {
            if self.is_stale(at, &event) {
                continue;
            }
            self.now = at;
            self.events += 1;
            if at > scenario.limit || self.events > EVENT_LIMIT {
                return Err(self.stuck());
            }
            let who = self.step(event)?;
            self.settle(who)?;
        }
        self.judge(scenario)
    }

    /// An earlier wish has taken the place of this one.
    fn is_stale(&self, at: u64, event: &Event) -> bool {
        match *event {
            Event::Arrival(..) => false,
            Event::Deadline(who) => self.queued[who][0] != at,
            Event::App(who) => self.queued[who][1] != at,
        }
    }

    fn step(&mut self, event: Event) -> Result<usize, String> {
        let now = Instant::from_nanos(self.now);
        let (who, out) = match event {
            Event::Arrival(who, packet) => {
                self.note(who, "gets", &packet);
                (who, self.hosts[who].on_packet(now, &packet))
            }
            Event::Deadline(who) => {
                self.queued[who][0] = u64::MAX;
                (who, self.hosts[who].on_timer(now))
            }
            Event::App(who) => {
                self.queued[who][1] = u64::MAX;
                (who, self.hosts[who].on_app(now))
            }
        };
        let out = out.map_err(|why| self.blame(who, &why))?;
        self.send(who, out);
        Ok(who)
    }

    /// Lets the program of `who` do what it can, then sees to its next deadline.
    fn settle(&mut self, who: usize) -> Result<(), String> {
        let now = Instant::from_nanos(self.now);
        let wish = self.hosts[who].app_wants(now);
        let (wish, out) = wish.map_err(|why| self.blame(who, &why))?;
        self.send(who, out);
        self.hosts[who].reap();
        if let Some(at) = wish {
            self.wake(who, 1, at, Event::App(who));
        }
        if let Some(at) = self.hosts[who].deadline() {
            self.wake(who, 0, at.as_nanos(), Event::Deadline(who));
        }
        Ok(())
    }

    fn wake(&mut self, who: usize, what: usize, at: u64, event: Event) {
        let at = at.max(self.now);
        if at < self.queued[who][what] {
            self.queued[who][what] = at;
            self.push(at, event);
        }
    }

    fn push(&mut self, at: u64, event: Event) {
        self.order += 1;
        self.queue.push(Reverse((at, self.order, event)));
    }

    fn send(&mut self, who: usize, packets: Vec<Packet>) {
        for packet in packets {
            self.note(who, "puts", &packet);
            for (at, packet) in self.links[who].send(self.now, packet) {
                self.push(at, Event::Arrival(1 - who, packet));
            }
        }
    }

    fn note(&mut self, who: usize, verb: &str, packet: &Packet) {
        for word in packet.chunks(8).take(8) {
            let mut octets = [0; 8];
            octets[..word.len()].copy_from_slice(word);
            self.digest = mix(self.digest ^ u64::from_le_bytes(octets));
        }
        self.digest = mix(self.digest ^ self.now ^ ((who as u64) << 63));
        if let Some(log) = &mut self.log {
            let state = self.hosts[who].state();
            let what = match Segment::parse(packet, packet.len() as u32) {
                Ok(segment) => describe(&segment),
                Err(error) => format!("{error:?}"),
            };
            let seconds = self.now as f64 / 1e9;
            log.push(format!("{seconds:12.6} {who} {state:?} {verb} {what}"));
        }
    }

    fn blame(&self, who: usize, why: &str) -> String {
        let seconds = self.now as f64 / 1e9;
        format!(
            "host {who} at {seconds:.6} s in {:?}: {why}",
            self.hosts[who].state()
        )
    }

    fn stuck(&self) -> String {
        let state = |host: &Host| {
            let App { written, read, .. } = host.app;
            format!("{:?} (wrote {written}, read {read})", host.state())
        };
        let [a, b] = &self.hosts;
        format!("stuck: {} and {}", state(a), state(b))
    }

    /// Nothing more will happen: is everything as it should be?
    fn judge(&self, scenario: &Scenario) -> Result<(), String> {
        for (who, host) in self.hosts.iter().enumerate() {
            if !host.is_idle() {
                return Err(self.blame(who, &format!("nothing happens any more; {}", self.stuck())));
            }
            if scenario.is_orderly() {
                self.judge_orderly(who, scenario)?;
            }
        }
        let errors = [self.hosts[0].error, self.hosts[1].error];
        match scenario.kind {
            Kind::Refused if errors[0] != Some(ConnectionError::Refused) => {
                Err(format!("not refused: {errors:?}"))
            }
            Kind::Silence if errors[0] != Some(ConnectionError::TimedOut) => {
                Err(format!("not timed out: {errors:?}"))
            }
            _ => Ok(()),
        }
    }

    fn judge_orderly(&self, who: usize, scenario: &Scenario) -> Result<(), String> {
        let host = &self.hosts[who];
        let expected = scenario.hosts[1 - who].app.total;
        if let Some(error) = host.error {
            return Err(self.blame(who, &format!("failed: {error:?}")));
        }
        if host.app.read != expected {
            let why = format!("read {} of {expected} octets", host.app.read);
            return Err(self.blame(who, &why));
        }
        if host.store.queued() != 0 {
            return Err(self.blame(who, "octets remain in the send queue"));
        }
        if host.store.out_of_order_len() != 0 {
            return Err(self.blame(who, "octets remain out of order"));
        }
        if host.state() != StateName::Closed {
            return Err(self.blame(who, "not closed"));
        }
        Ok(())
    }
}

fn describe(segment: &Segment) -> String {
    let ack = segment.ack.map_or("-".into(), |ack| ack.raw().to_string());
    let mut text = format!(
        "{:?} seq {} len {} ack {ack} win {}",
        segment.control,
        segment.seq.raw(),
        segment.payload_len,
        segment.window,
    );
    for block in segment.options.sack.iter() {
        text += &format!(" sack {}-{}", block.start().raw(), block.end().raw());
    }
    text
}
