// SPDX-License-Identifier: GPL-2.0

//! The same seed gives the same run, byte for byte: in another process, and whatever else runs
//! beside it.

use std::process::Command;

fn simulate(words: &[&str]) -> String {
    let program = env!("CARGO_BIN_EXE_mynewtcp-sim");
    let output = Command::new(program).args(words).output().expect("run");
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_log_is_the_same_in_another_process() {
    for seed in ["1", "4", "46", "720"] {
        let words = ["--seed", seed, "--trace"];
        assert_eq!(simulate(&words), simulate(&words));
    }
}

#[test]
fn jobs_do_not_matter() {
    let digest = |jobs| {
        let output = simulate(&["--seeds", "150", "--jobs", jobs]);
        let line = output.lines().find(|line| line.starts_with("digest"));
        line.expect("digest").to_owned()
    };
    let alone = digest("1");
    assert_eq!(alone, digest("3"));
    assert_eq!(alone, digest("7"));
}
