// SPDX-License-Identifier: GPL-2.0

//! Two hosts, the segments between them, and what may happen next.

use std::fmt;
use std::rc::Rc;

use crate::edges::{
    Coverage,
    Node, //
};
use crate::engine::buffer::ReceiveQueue;
use crate::engine::wire::Segment;
use crate::fingerprint::Fingerprint;
use crate::host::{
    Host,
    Output, //
};
use crate::scenario::Scenario;
use crate::user::Act;

/// A segment on its way.
#[derive(Clone, Copy, Debug)]
struct Flight {
    segment: Segment,
    print: Fingerprint,
}

/// One thing that may happen. Hosts are 0 and 1; segments are counted from the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Segment `at` reaches host `to`; not the oldest: it has overtaken.
    Deliver {
        /// Where it goes.
        to: u8,
        /// Which one.
        at: u8,
    },
    /// Segment `at` is lost.
    Lose {
        /// Where it would have gone.
        to: u8,
        /// Which one.
        at: u8,
    },
    /// A copy of the oldest segment reaches host `to`, and it is still on its way.
    Duplicate {
        /// Where it goes.
        to: u8,
    },
    /// Time passes on host `who` up to its next deadline.
    Wait {
        /// Which host.
        who: u8,
    },
    /// The user of host `who` does something.
    User {
        /// Which host.
        who: u8,
        /// What.
        act: Act,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliver { to, at: 0 } => write!(f, "host {to} gets its next segment"),
            Self::Deliver { to, at } => write!(f, "host {to} gets segment {at}, out of order"),
            Self::Lose { to, at } => write!(f, "segment {at} to host {to} is lost"),
            Self::Duplicate { to } => {
                write!(f, "host {to} gets its next segment, not for the last time")
            }
            Self::Wait { who } => write!(f, "time passes on host {who}"),
            Self::User { who, act } => write!(f, "user {who}: {act:?}"),
        }
    }
}

/// Everything there is.
#[derive(Clone, Debug)]
pub struct World {
    hosts: [Rc<Host>; 2],
    prints: [Fingerprint; 2],
    /// Segments on their way to each host, oldest first.
    nets: [Vec<Flight>; 2],
    mischief: u8,
    early: u8,
}

impl World {
    /// The world at the beginning.
    pub fn new(scenario: &Scenario, coverage: &mut Coverage) -> Result<Self, String> {
        let (a, from_a) = Host::new(scenario, 0)?;
        let (b, from_b) = Host::new(scenario, 1)?;
        let mut world = Self {
            prints: [a.fingerprint(), b.fingerprint()],
            hosts: [Rc::new(a), Rc::new(b)],
            nets: [Vec::new(), Vec::new()],
            mischief: scenario.mischief,
            early: scenario.early_timeouts,
        };
        world.take(0, from_a, coverage)?;
        world.take(1, from_b, coverage)?;
        Ok(world)
    }

    /// Host `who`.
    pub fn host(&self, who: usize) -> &Host {
        &self.hosts[who]
    }

    /// What makes host `who` this host and no other.
    pub fn print(&self, who: usize) -> Fingerprint {
        self.prints[who]
    }

    /// What makes it this world and no other.
    pub fn fingerprint(&self, scenario: &Scenario) -> Fingerprint {
        let mut sides = [0, 1].map(|who| {
            let mut print = self.prints[who];
            print.add(self.nets[who].len() as u64);
            for flight in &self.nets[who] {
                print.join(flight.print);
            }
            print
        });
        if scenario.is_symmetric() {
            sides.sort();
        }
        let mut print = Fingerprint::default();
        print.add((u64::from(self.mischief) << 8) | u64::from(self.early));
        sides.into_iter().for_each(|side| print.join(side));
        print
    }

    /// Everything that may happen next.
    pub fn actions(&self, scenario: &Scenario) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut busy = false;
        for who in [0u8, 1] {
            let host = &self.hosts[usize::from(who)];
            for act in Act::ALL {
                if host.may(scenario, act) {
                    busy |= !act.is_optional();
                    actions.push(Action::User { who, act });
                }
            }
            busy |= !self.nets[usize::from(who)].is_empty();
            self.add_network_actions(who, &mut actions);
        }
        for who in [0u8, 1] {
            let host = &self.hosts[usize::from(who)];
            let other = &self.hosts[usize::from(1 - who)];
            // 2 MSL is longer than any segment lives, and than the peer goes on asking.
            let lingers = host.only_lingers();
            let may = if lingers {
                !busy && other.only_lingers()
            } else {
                !busy || self.early > 0
            };
            if may && host.deadline().is_some() {
                actions.push(Action::Wait { who });
            }
        }
        actions
    }

    fn add_network_actions(&self, to: u8, actions: &mut Vec<Action>) {
        let net = &self.nets[usize::from(to)];
        for (at, flight) in (0u8..).zip(net) {
            let same = |other: &Flight| other.print == flight.print;
            if net[..usize::from(at)].iter().any(same) {
                continue;
            }
            if at == 0 || self.mischief > 0 {
                actions.push(Action::Deliver { to, at });
            }
            if self.mischief > 0 {
                actions.push(Action::Lose { to, at });
            }
        }
        if self.mischief > 0 && !net.is_empty() {
            actions.push(Action::Duplicate { to });
        }
    }

    /// Nothing but time could go on.
    fn is_quiet(&self, scenario: &Scenario) -> bool {
        let busy = |host: &Rc<Host>| {
            Act::ALL
                .into_iter()
                .any(|act| !act.is_optional() && host.may(scenario, act))
        };
        self.nets.iter().all(Vec::is_empty) && !self.hosts.iter().any(busy)
    }

    /// `action` happens.
    pub fn apply(
        &mut self,
        scenario: &Scenario,
        action: Action,
        coverage: &mut Coverage,
    ) -> Result<(), String> {
        let (who, output) = match action {
            Action::Deliver { to, at } => {
                let (who, at) = (usize::from(to), usize::from(at));
                self.mischief -= u8::from(at > 0);
                let flight = self.nets[who].remove(at);
                (
                    who,
                    self.step(who, |host| host.on_segment(scenario, &flight.segment))?,
                )
            }
            Action::Duplicate { to } => {
                let who = usize::from(to);
                self.mischief -= 1;
                let flight = self.nets[who][0];
                (
                    who,
                    self.step(who, |host| host.on_segment(scenario, &flight.segment))?,
                )
            }
            Action::Lose { to, at } => {
                self.mischief -= 1;
                self.nets[usize::from(to)].remove(usize::from(at));
                return Ok(());
            }
            Action::Wait { who } => {
                let who = usize::from(who);
                if !self.is_quiet(scenario) {
                    self.early -= 1;
                }
                let time = self.hosts[who].patience();
                let other = Rc::make_mut(&mut self.hosts[1 - who]);
                other.pass(time);
                self.prints[1 - who] = other.fingerprint();
                (who, self.step(who, |host| host.on_deadline(scenario))?)
            }
            Action::User { who, act } => {
                let who = usize::from(who);
                (who, self.step(who, |host| host.act(scenario, act))?)
            }
        };
        self.take(who, output, coverage)?;
        self.check(scenario)
    }

    fn step(
        &mut self,
        who: usize,
        step: impl FnOnce(&mut Host) -> Result<Output, String>,
    ) -> Result<Output, String> {
        let host = Rc::make_mut(&mut self.hosts[who]);
        let output = step(host).map_err(|why| format!("host {who}: {why}"))?;
        self.prints[who] = host.fingerprint();
        Ok(output)
    }

    fn take(&mut self, who: usize, output: Output, coverage: &mut Coverage) -> Result<(), String> {
        for segment in output.segments {
            let mut print = Fingerprint::default();
            print.show(self.hosts[who].now(), &segment);
            self.nets[1 - who].push(Flight { segment, print });
        }
        for (from, to, failed) in output.edges {
            coverage
                .take(from, to, failed)
                .map_err(|why| format!("host {who}: {why}"))?;
        }
        Ok(())
    }

    /// What must hold in every world.
    fn check(&self, scenario: &Scenario) -> Result<(), String> {
        for who in [0, 1] {
            let (host, other) = (&self.hosts[who], &self.hosts[1 - who]);
            let (got, written) = (host.store.delivered, other.seen.written);
            if got > written {
                return Err(format!("host {who} got {got} octets of {written}"));
            }
            if host.seen.peer_closed && (got != written || !other.seen.shut_down) {
                return Err(format!(
                    "host {who} saw the end after {got} of {written} octets"
                ));
            }
            if host.acknowledged(scenario) > other.store.delivered {
                return Err(format!(
                    "host {who} takes for acknowledged what was never received"
                ));
            }
            let knows = host.knows_that_fin_arrived() && scenario.is_orderly();
            if knows && !other.seen.peer_closed {
                return Err(format!(
                    "host {who} takes its FIN for received, but it was not"
                ));
            }
            if let (Some(error), true) = (host.seen.failed, scenario.is_orderly()) {
                return Err(format!("host {who} failed: {error:?}"));
            }
        }
        Ok(())
    }

    /// Nothing can happen any more: is everything as it should be?
    pub fn judge(&self, scenario: &Scenario) -> Result<(), String> {
        for who in [0, 1] {
            let host = &self.hosts[who];
            let at_rest = matches!(host.node(), Node::Closed | Node::Listen);
            if !at_rest {
                return Err(format!(
                    "deadlock: host {who} waits in {:?} for ever",
                    host.node()
                ));
            }
            if !scenario.is_orderly() {
                continue;
            }
            let seen = &host.seen;
            if !(seen.connected && seen.peer_closed && seen.over) {
                return Err(format!("deadlock: host {who} has seen only {seen:?}"));
            }
            if !host.store.is_empty() || host.store.unread() > 0 {
                return Err(format!("host {who} has octets left in its queues"));
            }
        }
        Ok(())
    }

    /// One line about both hosts and the network.
    pub fn line(&self) -> String {
        let host = |who: usize| {
            let host = &self.hosts[who];
            format!(
                "{:?} {}/{}",
                host.node(),
                host.store.delivered,
                host.seen.written
            )
        };
        let net = |who: usize| -> String {
            let text = self.nets[who]
                .iter()
                .map(|flight| describe(&flight.segment));
            text.collect::<Vec<_>>().join(", ")
        };
        format!(
            "[{}] -> {{{}}} {{{}}} <- [{}]",
            host(0),
            net(1),
            net(0),
            host(1)
        )
    }
}

/// A segment in a few characters.
fn describe(segment: &Segment) -> String {
    let control = format!("{:?}", segment.control);
    let ack = segment
        .ack
        .map_or(String::new(), |ack| format!(" ack {}", ack.raw()));
    format!(
        "{control} {}+{}{ack}",
        segment.seq.raw(),
        segment.payload_len
    )
}
