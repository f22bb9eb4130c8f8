// SPDX-License-Identifier: GPL-2.0

//! What an exploration tells.

use std::fmt::Write;
use std::time::Duration;

use crate::scenario::Scenario;
use crate::search::Outcome;

/// One line per scenario.
pub fn line(scenario: &Scenario, outcome: &Outcome, took: Duration) -> String {
    let Outcome {
        states,
        steps,
        depth,
        ends,
        complete,
        coverage: _,
        failure: _,
    } = outcome;
    let all = if *complete { "all" } else { "cut off" };
    format!(
        "{:<18} {states:>9} states {steps:>10} steps  depth {depth:>3}  {ends:>6} ends  {all:<7} {:>6.1} s",
        scenario.name,
        took.as_secs_f64()
    )
}

/// A counterexample in full.
pub fn failure(scenario: &Scenario, outcome: &Outcome) -> Option<String> {
    let failure = outcome.failure.as_ref()?;
    let mut text = format!("{}: {}\n", scenario.name, failure.what);
    for (n, step) in failure.trace.iter().enumerate() {
        let _ = writeln!(text, "  {n:>3}  {step}");
    }
    let _ = write!(
        text,
        "again with: mynewtcp-explore --only {}",
        scenario.name
    );
    Some(text)
}
