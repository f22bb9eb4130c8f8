// SPDX-License-Identifier: GPL-2.0

//! Each mistake that can be put into the engine is found, and nothing is found without one.

use mynewtcp_explore::engine::fault::Fault;
use mynewtcp_explore::scenario::Scenario;
use mynewtcp_explore::search::{
    explore,
    Limits, //
};

const FEW: Limits = Limits {
    states: 60_000,
    ..Limits::NONE
};

fn world(name: &str) -> Scenario {
    Scenario::named(name).expect("there is a world of this name")
}

/// The counterexample is about `what` and has at most `steps` steps.
#[track_caller]
fn found(fault: Fault, name: &str, what: &str, steps: usize) {
    let outcome = explore(&world(name).with_fault(fault), FEW);
    let failure = outcome.failure.expect("the mistake is found");
    assert!(failure.what.contains(what), "{}", failure.what);
    // The first line of a trace is the beginning.
    assert!(failure.trace.len() - 1 <= steps, "{:#?}", failure.trace);
}

#[test]
fn fin_that_overtakes_data_is_found() {
    found(Fault::FinOvertakesData, "upload", "saw the end after", 7);
}

#[test]
fn fin_that_is_acknowledged_early_is_found() {
    let what = "takes its FIN for received";
    found(Fault::FinAckedEarly, "exchange", what, 9);
}

#[test]
fn reset_at_any_number_is_found() {
    let what = "a reset inside the window, not at RCV.NXT changed";
    found(Fault::AnyReset, "open", what, 2);
}

#[test]
fn octets_in_the_place_of_others_are_found() {
    found(Fault::OrderIgnored, "upload", "in the place of others", 5);
}

#[test]
fn window_without_a_timer_is_found() {
    let what = "no deadline is armed";
    found(Fault::NoPersist, "window", what, 8);
}

#[test]
fn without_a_mistake_nothing_is_found() {
    for name in ["open", "both-open"] {
        let mut world = world(name);
        world.mischief = 1;
        world.early_timeouts = 0;
        let outcome = explore(&world, Limits::NONE);
        assert!(outcome.failure.is_none(), "{:#?}", outcome.failure);
        assert!(outcome.complete && outcome.ends > 0);
        assert!(outcome.states > 100, "{} states", outcome.states);
    }
}

#[test]
fn same_world_is_explored_the_same_way() {
    let limits = Limits {
        states: 5000,
        ..FEW
    };
    let [a, b] = [0, 1].map(|_| explore(&world("open"), limits));
    assert_eq!((a.states, a.steps, a.ends), (b.states, b.steps, b.ends));
}
