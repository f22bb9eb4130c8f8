// SPDX-License-Identifier: GPL-2.0

//! How much later the last octet arrives because one segment was lost, for each segment.

use crate::figures::{
    bulk,
    Algorithm, //
};
use crate::link::Quality;
use crate::scenario::MS;
use crate::world::World;

/// Octets of payload of a segment with timestamps.
const SEGMENT: u64 = 1448;
const RTT: u64 = 100 * MS;

/// The table.
pub(super) fn table() -> String {
    let mut text = String::from(
        "\n## RTTs that the loss of the n-th segment costs, RTT 100 ms, no queue\n\n\
         n counts from 1; a row has ten of them.\n",
    );
    for segments in [1, 2, 3, 4, 10, 30] {
        let costs: Vec<f64> = (0..segments).map(|lost| cost(segments, lost)).collect();
        let most = costs.iter().copied().fold(0.0, f64::max);
        text += &format!("\ntransfer of {segments} segments, at most {most:.2}\n");
        for row in costs.chunks(10) {
            let row: Vec<String> = row.iter().map(|cost| format!("{cost:5.2}")).collect();
            text += &format!("  {}\n", row.join(" "));
        }
    }
    text
}

fn cost(segments: u64, lost: u64) -> f64 {
    let clean = duration(segments, Vec::new());
    (duration(segments, vec![lost]) - clean) as f64 / RTT as f64
}

fn duration(segments: u64, drops: Vec<u64>) -> i64 {
    let quality = Quality {
        delay: RTT / 2,
        ..Quality::default()
    };
    let mut scenario = bulk(
        Algorithm::ALL[0],
        segments * SEGMENT,
        1 << 20,
        quality,
        &[0],
    );
    scenario.drops[0].clone_from(&drops);
    let mut world = World::new(&scenario, false);
    if let Err(why) = world.run(&scenario) {
        panic!("{segments} segments without {drops:?}: {why}");
    }
    world.hosts[1].app.read_last_at as i64
}
