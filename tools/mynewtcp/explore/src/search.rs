// SPDX-License-Identifier: GPL-2.0

//! The exploration: breadth first, so that what fails first has the shortest trace.

use std::collections::{
    HashMap,
    HashSet, //
};
use std::hash::{
    BuildHasherDefault,
    Hasher, //
};
use std::time::{
    Duration,
    Instant, //
};

use crate::edges::Coverage;
use crate::fingerprint::Fingerprint;
use crate::illegal;
use crate::scenario::Scenario;
use crate::world::{
    Action,
    World, //
};

/// When to stop early.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Distinct worlds.
    pub states: usize,
    /// Time.
    pub time: Duration,
}

impl Limits {
    /// None worth mentioning.
    pub const NONE: Self = Self {
        states: u32::MAX as usize,
        time: Duration::MAX,
    };
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Distinct worlds.
    pub states: usize,
    /// Steps between them.
    pub steps: usize,
    /// The longest shortest way to one of them.
    pub depth: usize,
    /// Worlds in which nothing can happen any more.
    pub ends: usize,
    /// Every world was seen.
    pub complete: bool,
    /// The edges of the state diagram taken.
    pub coverage: Coverage,
    /// What went wrong and how it came to that.
    pub failure: Option<Failure>,
}

/// A counterexample.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What went wrong.
    pub what: String,
    /// Each step with the world after it.
    pub trace: Vec<String>,
}

/// A fingerprint is a hash already.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = self.0.rotate_left(32) ^ value;
    }
}

type Known = HashMap<Fingerprint, u32, BuildHasherDefault<AsIs>>;

struct Search<'a> {
    scenario: &'a Scenario,
    limits: Limits,
    known: Known,
    /// The world before each, and what led on from it.
    parents: Vec<(u32, Action)>,
    /// All steps, to look back from the ends.
    steps: Vec<(u32, u32)>,
    ends: Vec<u32>,
    /// Hosts that everything illegal was tried on.
    tried: HashSet<Fingerprint, BuildHasherDefault<AsIs>>,
    outcome: Outcome,
}

/// The beginning has no parent.
const NONE: (u32, Action) = (u32::MAX, Action::Wait { who: 0 });

/// Explores `scenario`.
pub fn explore(scenario: &Scenario, limits: Limits) -> Outcome {
    let mut search = Search {
        scenario,
        limits,
        known: Known::default(),
        parents: Vec::new(),
        steps: Vec::new(),
        ends: Vec::new(),
        tried: HashSet::default(),
        outcome: Outcome::default(),
    };
    let found = search.run();
    let mut outcome = search.outcome;
    outcome.states = search.parents.len();
    outcome.steps = search.steps.len();
    outcome.ends = search.ends.len();
    outcome.failure = found.err().map(|(at, last, what)| {
        let mut actions = way_to(&search.parents, at);
        actions.extend(last);
        Failure {
            what,
            trace: replay(scenario, &actions),
        }
    });
    outcome
}

/// Where it was, what happened then, if anything, and what was wrong with that.
type Found = (u32, Option<Action>, String);

impl Search<'_> {
    fn run(&mut self) -> Result<(), Found> {
        let begin = Instant::now();
        let world = World::new(self.scenario, &mut self.outcome.coverage)
            .map_err(|what| (u32::MAX, None, what))?;
        let mut frontier = Vec::new();
        self.meet(world, NONE, &mut frontier)?;
        while !frontier.is_empty() {
            let mut next = Vec::new();
            for (at, world) in frontier {
                self.expand(at, &world, &mut next)?;
                if self.parents.len() >= self.limits.states || begin.elapsed() >= self.limits.time {
                    return Ok(());
                }
            }
            self.outcome.depth += usize::from(!next.is_empty());
            frontier = next;
        }
        self.outcome.complete = true;
        self.check_progress()
    }

    fn expand(
        &mut self,
        at: u32,
        world: &World,
        next: &mut Vec<(u32, World)>,
    ) -> Result<(), Found> {
        let actions = world.actions(self.scenario);
        if actions.is_empty() {
            self.ends.push(at);
            let judged = world.judge(self.scenario);
            return judged.map_err(|what| (at, None, what));
        }
        for action in actions {
            let mut after = world.clone();
            after
                .apply(self.scenario, action, &mut self.outcome.coverage)
                .map_err(|what| (at, Some(action), what))?;
            let to = self.meet(after, (at, action), next)?;
            self.steps.push((at, to));
        }
        Ok(())
    }

    /// Knows `world` from now on.
    fn meet(
        &mut self,
        world: World,
        parent: (u32, Action),
        next: &mut Vec<(u32, World)>,
    ) -> Result<u32, Found> {
        let print = world.fingerprint(self.scenario);
        let new = self.parents.len() as u32;
        let at = *self.known.entry(print).or_insert(new);
        if at == new {
            self.parents.push(parent);
            for who in [0, 1] {
                if self.tried.insert(world.print(who)) {
                    illegal::check(self.scenario, world.host(who))
                        .map_err(|what| (new, None, format!("host {who}: {what}")))?;
                }
            }
            next.push((new, world));
        }
        Ok(at)
    }

    /// From every world some way leads to an end: else it would go round in circles for ever.
    fn check_progress(&self) -> Result<(), Found> {
        let n = self.parents.len();
        let mut before: Vec<Vec<u32>> = vec![Vec::new(); n];
        for &(from, to) in &self.steps {
            before[to as usize].push(from);
        }
        let mut ends = vec![false; n];
        let mut todo = self.ends.clone();
        while let Some(at) = todo.pop() {
            if !std::mem::replace(&mut ends[at as usize], true) {
                todo.extend(&before[at as usize]);
            }
        }
        match ends.iter().position(|&ends| !ends) {
            Some(at) => Err((at as u32, None, "from here it goes round in circles".into())),
            None => Ok(()),
        }
    }
}

fn way_to(parents: &[(u32, Action)], mut at: u32) -> Vec<Action> {
    let mut actions = Vec::new();
    while let Some(&(parent, action)) = parents.get(at as usize) {
        if parent == u32::MAX {
            break;
        }
        actions.push(action);
        at = parent;
    }
    actions.reverse();
    actions
}

fn replay(scenario: &Scenario, actions: &[Action]) -> Vec<String> {
    let mut coverage = Coverage::default();
    let Ok(mut world) = World::new(scenario, &mut coverage) else {
        return Vec::new();
    };
    let mut lines = vec![format!("{:<50} {}", "begin", world.line())];
    for &action in actions {
        let applied = world.apply(scenario, action, &mut coverage);
        let line = format!("{:<50} {}", action.to_string(), world.line());
        lines.push(line);
        if applied.is_err() {
            break;
        }
    }
    lines
}
