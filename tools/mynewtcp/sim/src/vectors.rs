// SPDX-License-Identifier: GPL-2.0

//! Chooses runs that are worth keeping as scripts, which the kernel plays too: for each reason the
//! first seed that has it and is short.

use std::fs;

use mynewtcp_engine::engine::counters::Counter;
use mynewtcp_engine::engine::selftest::player::play;
use mynewtcp_engine::engine::selftest::vectors::PIECES;

use crate::attack::Attack;
use crate::journal::Journal;
use crate::scenario::Scenario;
use crate::world::World;

/// Where the scripts are kept.
pub const KEPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../net/mynewtcp/engine/selftest/vectors"
);

/// Seeds that are tried.
const SEEDS: u64 = 5_000;
/// Octets of a script at most.
const SIZE: usize = 7_000;

/// What a run looks like from one end.
struct View<'a> {
    scenario: &'a Scenario,
    world: &'a World,
    who: usize,
    text: &'a str,
}

impl View<'_> {
    fn count(&self, counter: Counter) -> u64 {
        self.world.hosts[self.who].store.counter(counter)
    }

    fn times(&self, what: &str) -> usize {
        self.text.matches(what).count()
    }

    fn victim_of(&self, attack: fn(Attack) -> bool) -> bool {
        self.scenario.hosts[self.who ^ 1].attack.is_some_and(attack)
    }

    fn is_plain(&self) -> bool {
        self.scenario.is_orderly() && self.count(Counter::Timeouts) == 0
    }
}

/// A reason to keep a run.
struct Reason {
    name: &'static str,
    what: &'static str,
    holds: fn(&View<'_>) -> bool,
}

macro_rules! reasons {
    ($($name:literal, $what:literal, $holds:expr;)*) => {
        const REASONS: &[Reason] = &[$(Reason { name: $name, what: $what, holds: $holds },)*];
    };
}

reasons! {
    "sack-recovery", "a loss that selective acknowledgments repair",
        |v| v.count(Counter::SackRecovery) > 0 && v.is_plain();
    "reno-recovery", "a loss that duplicate acknowledgments repair",
        |v| v.count(Counter::RenoRecovery) > 0 && v.is_plain();
    "timeouts", "a retransmission time-out that backs off",
        |v| v.count(Counter::Timeouts) > 2 && v.count(Counter::OutSegs) > 4
            && v.scenario.is_orderly();
    "simultaneous-open", "SYNs that cross",
        |v| v.times("= SYN-RECEIVED") > 0 && v.count(Counter::ActiveOpens) > 0
            && v.count(Counter::OutSegs) > 4;
    "simultaneous-close", "FINs that cross",
        |v| v.times("= CLOSING") > 0 && v.count(Counter::OutSegs) > 4;
    "passive-close", "a listener's connection that the peer closes first",
        |v| v.times("= CLOSE-WAIT") > 1 && v.times("= LAST-ACK") > 0
            && v.count(Counter::ActiveOpens) == 0;
    "time-wait", "TIME-WAIT, and what it answers",
        |v| v.text.split("! time-wait").nth(1).is_some_and(|rest| rest.contains("\n> "));
    "zero-window", "a window that closes and is probed",
        |v| v.count(Counter::WindowProbes) > 1;
    "out-of-order", "segments that arrive in the wrong order",
        |v| v.count(Counter::OutOfOrder) > 3;
    "tiny-segments", "a peer that cuts its data small, overlapping, last piece first",
        |v| v.victim_of(|attack| matches!(attack, Attack::Tiny(_)))
            && v.count(Counter::OutOfOrder) > 4;
    "sack-lies", "a peer that claims to hold what it does not",
        |v| v.victim_of(|attack| attack == Attack::SackLies) && v.count(Counter::OutSegs) > 6;
    "optimistic-ack", "a peer that acknowledges what it has not received",
        |v| v.victim_of(|attack| attack == Attack::OptimisticAck)
            && v.count(Counter::OutSegs) > 8;
    "option-garbage", "a peer that adds options which nobody knows",
        |v| v.victim_of(|attack| attack == Attack::OptionGarbage)
            && v.count(Counter::OutSegs) > 4;
    "stranger", "forged segments that are challenged",
        |v| v.count(Counter::ChallengeAcks) > 1 && v.count(Counter::OutSegs) > 4;
    "old-timestamps", "segments that PAWS rejects",
        |v| v.count(Counter::PawsEstab) > 0;
    "mtu", "a path whose MTU shrinks while data is under way",
        |v| v.times("\nmtu ") > 0 && v.count(Counter::RetransSegs) > 0 && v.is_plain();
    "icmp", "a router that reports errors",
        |v| v.times("\nicmp ") > 1;
    "no-memory", "allocations that fail on both sides",
        |v| v.times("\nrefuse ") + v.times("\nmemory 0") > 1 && v.times("\nx\n") > 0
            && v.scenario.is_orderly();
    "refused", "nobody listens",
        |v| v.times("! failed") > 0 && v.times("= ESTABLISHED") == 0;
    "abort", "a user who gives up",
        |v| v.times("\nabort\n") > 0 && v.times("= ESTABLISHED") > 3;
    "superpackets", "transmissions of many segments",
        |v| v.scenario.hosts[v.who].parameters.gso_max_size > 60_000
            && v.count(Counter::OutSegs) > 30;
}

/// The script of one end of a run, and how the run went.
pub fn record(scenario: &Scenario, who: usize) -> (String, Result<(), String>) {
    let mut world = World::new(scenario, false);
    let journal = Journal::new(&scenario.hosts[who]);
    world.hosts[who].store.journal = Some(Box::new(journal));
    let result = world.run(scenario);
    let text = script(&world, who, scenario, "a recorded run");
    (text, result)
}

fn script(world: &World, who: usize, scenario: &Scenario, what: &str) -> String {
    let journal = &world.hosts[who].store.journal;
    let text = journal.as_ref().map_or("", |journal| journal.text());
    format!(
        "# SPDX-License-Identifier: GPL-2.0\n\
         # {what}: seed {}, host {who}. The simulator writes this file.\n{text}",
        scenario.seed
    )
}

/// The seeds of the scripts that are kept now: most of them will do again.
fn kept_seeds() -> Vec<u64> {
    let seed = |reason: &Reason| {
        let text = fs::read_to_string(format!("{KEPT}/{}.txt", reason.name)).ok()?;
        let (_, rest) = text.split_once(": seed ")?;
        rest.split_once(',')?.0.parse().ok()
    };
    REASONS.iter().filter_map(seed).collect()
}

/// Finds a run for each reason, if there is one among the first seeds: name and script.
pub fn search() -> Vec<(&'static str, Option<String>)> {
    let mut found: Vec<Option<String>> = REASONS.iter().map(|_| None).collect();
    for seed in kept_seeds().into_iter().chain(0..SEEDS) {
        if found.iter().all(Option::is_some) {
            break;
        }
        let scenario = Scenario::new(seed);
        let mut world = World::new(&scenario, false);
        for who in 0..2 {
            let journal = Journal::new(&scenario.hosts[who]);
            world.hosts[who].store.journal = Some(Box::new(journal));
        }
        if world.run(&scenario).is_err() {
            continue;
        }
        for who in 0..2 {
            take(&mut found, &scenario, &world, who);
        }
    }
    let names = REASONS.iter().map(|reason| reason.name);
    names.zip(found).collect()
}

fn take(found: &mut [Option<String>], scenario: &Scenario, world: &World, who: usize) {
    let text = script(world, who, scenario, "");
    if text.len() > SIZE || play::<PIECES>(&text).is_err() {
        return;
    }
    let view = View {
        scenario,
        world,
        who,
        text: &text,
    };
    for (reason, slot) in REASONS.iter().zip(found) {
        if slot.is_none() && (reason.holds)(&view) {
            *slot = Some(script(world, who, scenario, reason.what));
            return;
        }
    }
}

/// Writes the scripts that are kept, and says for which reasons there is none.
pub fn write() -> Result<String, String> {
    let (mut count, mut missing) = (0, Vec::new());
    for (name, text) in search() {
        let Some(text) = text else {
            missing.push(name);
            continue;
        };
        let path = format!("{KEPT}/{name}.txt");
        fs::write(&path, text).map_err(|why| format!("{path}: {why}"))?;
        count += 1;
    }
    if missing.is_empty() {
        return Ok(format!("{count} scripts"));
    }
    Err(format!(
        "{count} scripts, and none for {}",
        missing.join(", ")
    ))
}
