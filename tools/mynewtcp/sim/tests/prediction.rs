// SPDX-License-Identifier: GPL-2.0

//! Header prediction only saves work: without it the same runs put the same octets on the wire at
//! the same time. The explorer compares the connections themselves.

use mynewtcp_sim::scenario::Scenario;
use mynewtcp_sim::world::{
    run,
    Outcome, //
};

fn outcome(seed: u64, prediction: bool) -> Outcome {
    let mut scenario = Scenario::new(seed);
    for host in &mut scenario.hosts {
        host.config.prediction = prediction;
    }
    run(&scenario, false)
}

#[test]
fn runs_are_the_same_without_prediction() {
    for seed in 0..400 {
        let (with, without) = (outcome(seed, true), outcome(seed, false));
        assert_eq!(with.failure, None, "seed {seed}");
        assert_eq!(without.failure, None, "seed {seed}");
        let summary = |outcome: &Outcome| (outcome.digest, outcome.events, outcome.segments);
        assert_eq!(summary(&with), summary(&without), "seed {seed}");
        assert_eq!(with.nanos, without.nanos, "seed {seed}");
    }
}
