// SPDX-License-Identifier: GPL-2.0

//! The figures are those of the table that is kept. A change that moves them shows by how much,
//! and says that it is meant by writing the table again.

use mynewtcp_sim::figures::{
    figures,
    KEPT, //
};

/// The lines that differ, old and new side by side.
fn difference(kept: &str, now: &str) -> Vec<String> {
    let (kept, now): (Vec<&str>, Vec<&str>) = (kept.lines().collect(), now.lines().collect());
    let mut lines = Vec::new();
    for at in 0..kept.len().max(now.len()) {
        let (old, new) = (kept.get(at), now.get(at));
        if old != new {
            lines.extend(old.map(|line| format!("-{line}")));
            lines.extend(new.map(|line| format!("+{line}")));
        }
    }
    lines
}

#[test]
fn figures_are_those_kept() {
    let kept = std::fs::read_to_string(KEPT).expect("the kept table");
    let changed = difference(&kept, &figures());
    assert!(
        changed.is_empty(),
        "figures have changed; if they should, `make figures` writes them again:\n{}",
        changed.join("\n")
    );
}
