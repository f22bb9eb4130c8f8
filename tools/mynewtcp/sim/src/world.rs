// SPDX-License-Identifier: GPL-2.0

//! Hosts in pairs, two directions of one link between all of them, one clock: runs a scenario to
//! its end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use mynewtcp_engine::engine::time::Instant;
use mynewtcp_engine::engine::wire::Segment;

use crate::app::App;
use crate::attack::{
    Injector,
    Mangler, //
};
use crate::host::Host;
use crate::judge;
use crate::link::Link;
use crate::packet::{
    Icmp,
    Packet, //
};
use crate::rng::{
    mix,
    Rng, //
};
use crate::scenario::Scenario;
use crate::store::Store;

/// Events after which a run is held to be stuck in a circle.
const EVENT_LIMIT: u64 = 10_000_000;

/// How a run went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// A number that two runs share only if all their events were the same.
    pub digest: u64,
    /// Events that happened.
    pub events: u64,
    /// Segments that all hosts sent.
    pub segments: u64,
    /// Virtual nanoseconds that passed until the last packet was sent or arrived.
    pub nanos: u64,
    /// What went wrong, if anything did.
    pub failure: Option<String>,
    /// The log, if one was asked for.
    pub log: Vec<String>,
}

#[derive(Debug)]
enum Event {
    Arrival(usize, Packet),
    Icmp(usize, Packet, Icmp),
    Deadline(usize),
    App(usize),
    Attack(usize),
}

/// An event in the queue: the earlier one is the greater one.
#[derive(Debug)]
struct Queued {
    at: Reverse<(u64, u64)>,
    event: Event,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

/// A run under way.
pub struct World {
    /// Hosts 2n and 2n + 1 talk to each other.
    pub hosts: Vec<Host>,
    /// The link away from the even hosts, and the one away from the odd ones.
    pub links: [Link; 2],
    manglers: Vec<Option<Mangler>>,
    injectors: Vec<Injector>,
    queue: BinaryHeap<Queued>,
    order: u64,
    /// The time in nanoseconds.
    pub now: u64,
    last_packet_at: u64,
    digest: u64,
    events: u64,
    /// The earliest deadline and program wish that are queued, of each host.
    queued: Vec<[u64; 2]>,
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
        nanos: world.last_packet_at,
        failure,
        log: world.log.unwrap_or_default(),
    }
}

impl World {
    /// The world of `scenario` before anything happens.
    pub fn new(scenario: &Scenario, trace: bool) -> Self {
        let seed = scenario.seed;
        let count = scenario.hosts.len();
        let link = |me: usize| {
            let rng = Rng::new(seed, 30 + me as u64);
            let drops = scenario.drops[me].clone();
            Link::new(scenario.links[me], scenario.cut_at, drops, rng)
        };
        let mangler = |me: usize| {
            let attack = scenario.hosts[me].attack?;
            Some(Mangler::new(attack, Rng::new(seed, 1000 + me as u64)))
        };
        let injector = |(n, plan)| Injector::new(plan, Rng::new(seed, 2000 + n as u64));
        Self {
            hosts: (0..count).map(|me| host(scenario, me)).collect(),
            links: [link(0), link(1)],
            manglers: (0..count).map(mangler).collect(),
            injectors: scenario
                .injectors
                .iter()
                .copied()
                .enumerate()
                .map(injector)
                .collect(),
            queue: BinaryHeap::new(),
            order: 0,
            now: 0,
            last_packet_at: 0,
            digest: seed,
            events: 0,
            queued: vec![[u64::MAX; 2]; count],
            log: trace.then(Vec::new),
        }
    }

    /// Runs it until nothing more will happen, and judges how it ended.
    pub fn run(&mut self, scenario: &Scenario) -> Result<(), String> {
        if self.run_until(scenario.limit)? {
            return judge::judge(&self.hosts, scenario);
        }
        Err(judge::stuck(&self.hosts))
    }

    /// Runs it until then, and may go on later. `true` if nothing more will happen.
    pub fn run_until(&mut self, limit: u64) -> Result<bool, String> {
        for who in 0..self.hosts.len() {
            self.settle(who)?;
        }
        for n in 0..self.injectors.len() {
            self.schedule_attack(n);
        }
        while let Some(next) = self.queue.peek() {
            let (at, _) = next.at.0;
            let stale = self.is_stale(at, &next.event);
            if !stale && (at > limit || self.events > EVENT_LIMIT) {
                return Ok(false);
            }
            let event = self.queue.pop().map(|next| next.event);
            let Some(event) = event.filter(|_| !stale) else {
                continue;
            };
            self.now = at;
            self.events += 1;
            if let Some(who) = self.step(event)? {
                self.settle(who)?;
            }
        }
        Ok(true)
    }

    /// An earlier wish has taken the place of this one.
    fn is_stale(&self, at: u64, event: &Event) -> bool {
        match *event {
            Event::Arrival(..) | Event::Icmp(..) | Event::Attack(_) => false,
            Event::Deadline(who) => self.queued[who][0] != at,
            Event::App(who) => self.queued[who][1] != at,
        }
    }

    /// Returns the host that the event was about.
    fn step(&mut self, event: Event) -> Result<Option<usize>, String> {
        let now = Instant::from_nanos(self.now);
        let (who, out) = match event {
            Event::Arrival(who, packet) => {
                self.note(who, "gets", &packet);
                if let Some(mangler) = &mut self.manglers[who] {
                    mangler.observe(&packet);
                }
                (who, self.hosts[who].on_packet(now, &packet))
            }
            Event::Icmp(who, packet, icmp) => {
                self.remark(who, || {
                    format!("gets {icmp:?} about {}", packet.seq().raw())
                });
                (who, self.hosts[who].on_icmp(now, packet.seq(), icmp))
            }
            Event::Deadline(who) => {
                self.queued[who][0] = u64::MAX;
                (who, self.hosts[who].on_timer(now))
            }
            Event::App(who) => {
                self.queued[who][1] = u64::MAX;
                (who, self.hosts[who].on_app(now))
            }
            Event::Attack(n) => return self.attack(n),
        };
        let out = out.map_err(|why| self.blame(who, &why))?;
        self.send(who, out);
        Ok(Some(who))
    }

    fn schedule_attack(&mut self, n: usize) {
        if let Some(at) = self.injectors[n].next_at(self.now) {
            self.push(at, Event::Attack(n));
        }
    }

    /// Something forged reaches a host.
    fn attack(&mut self, n: usize) -> Result<Option<usize>, String> {
        self.schedule_attack(n);
        let who = self.injectors[n].plan().victim;
        let now = Instant::from_nanos(self.now);
        let host = &mut self.hosts[who];
        let Some(numbers) = host.numbers() else {
            return Ok(None);
        };
        let forged = self.injectors[n].forge(&numbers);
        self.remark(who, || format!("is told {forged:?}"));
        let out = self.hosts[who].on_forged(now, &forged);
        let out = out.map_err(|why| self.blame(who, &why))?;
        self.send(who, out);
        Ok(Some(who))
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
        let at = Reverse((at, self.order));
        self.queue.push(Queued { at, event });
    }

    fn send(&mut self, who: usize, packets: Vec<Packet>) {
        for packet in packets {
            let Some(mut mangler) = self.manglers[who].take() else {
                self.put(who, packet);
                continue;
            };
            for packet in mangler.mangle(self.now, &self.hosts[who], packet) {
                self.put(who, packet);
            }
            self.manglers[who] = Some(mangler);
        }
    }

    fn put(&mut self, who: usize, packet: Packet) {
        self.note(who, "puts", &packet);
        let access = self.hosts[who].access() + self.hosts[who ^ 1].access();
        let told = packet.clone();
        let fate = self.links[who % 2].send(self.now, packet);
        for (at, packet) in fate.arrivals {
            self.push(at + access, Event::Arrival(who ^ 1, packet));
        }
        if let Some((at, icmp)) = fate.icmp {
            self.push(at, Event::Icmp(who, told, icmp));
        }
    }

    fn note(&mut self, who: usize, verb: &str, packet: &Packet) {
        self.last_packet_at = self.now;
        for word in packet.bytes.chunks(8).take(8) {
            let mut octets = [0; 8];
            octets[..word.len()].copy_from_slice(word);
            self.digest = mix(self.digest ^ u64::from_le_bytes(octets));
        }
        self.remark(who, || {
            let bytes = &packet.bytes;
            let what = match Segment::parse(bytes, bytes.len() as u32) {
                Ok(segment) => describe(&segment),
                Err(error) => format!("{error:?}"),
            };
            format!("{verb} {what}")
        });
    }

    /// What happens goes into the digest, and into the log if there is one.
    fn remark(&mut self, who: usize, what: impl FnOnce() -> String) {
        self.digest = mix(self.digest ^ self.now ^ ((who as u64) << 56));
        if let Some(log) = &mut self.log {
            let state = self.hosts[who].state();
            let seconds = self.now as f64 / 1e9;
            log.push(format!("{seconds:12.6} {who} {state:?} {}", what()));
        }
    }

    fn blame(&self, who: usize, why: &str) -> String {
        let seconds = self.now as f64 / 1e9;
        format!(
            "host {who} at {seconds:.6} s in {:?}: {why}",
            self.hosts[who].state()
        )
    }
}

fn host(scenario: &Scenario, me: usize) -> Host {
    let seed = scenario.seed;
    let stream = |n: usize| mix(seed ^ n as u64);
    let (plan, other) = (&scenario.hosts[me], &scenario.hosts[me ^ 1]);
    let rng = |what| Rng::new(seed, what + 100 * (me / 2) as u64 + (me % 2) as u64);
    let iss = plan.parameters.iss;
    let store = Store::new(iss, plan.capacity, plan.failures, rng(10));
    let streams = (stream(me), stream(me ^ 1));
    let app = App::new(plan.app, other.app.total, streams, rng(20));
    let mut host = Host::new(me as u8, plan.clone(), store, app);
    host.checked = scenario.checked;
    host.watch.peer_lies = other.attack.is_some_and(|attack| !attack.is_harmless());
    host
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
