// SPDX-License-Identifier: GPL-2.0

//! The targets on the inputs worth keeping and on mutations of them, always the same ones.
//! `FUZZ_RUNS` says how many mutations of each target; `FUZZ_SEED` where to begin.

use std::panic::catch_unwind;

use mynewtcp_fuzz::mutate::{
    child,
    Rng, //
};
use mynewtcp_fuzz::{
    corpus,
    Target,
    TARGETS, //
};

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().expect("a number"))
}

fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|(target, _)| *target == name);
    found.expect("there is such a target").1
}

/// Runs one input; a failure says how to have it again.
#[track_caller]
fn run(name: &str, input: &[u8]) {
    let run = target(name);
    if catch_unwind(|| run(input)).is_err() {
        panic!("target {name} fails on {}", corpus::encode(input));
    }
}

#[track_caller]
fn run_all(name: &str) {
    let inputs = corpus::load(name).expect("there are kept inputs");
    assert!(!inputs.is_empty());
    inputs.iter().for_each(|input| run(name, input));
    let seed = number("FUZZ_SEED", 0);
    for n in 0..number("FUZZ_RUNS", 5000) {
        let mut rng = Rng::new(seed + n);
        run(name, &child(&inputs, &mut rng));
    }
}

#[test]
fn parser_takes_anything() {
    run_all("parser");
}

#[test]
fn segments_of_any_kind_do_no_harm() {
    run_all("segment");
}

#[test]
fn operations_in_any_order_do_no_harm() {
    run_all("connection");
}
