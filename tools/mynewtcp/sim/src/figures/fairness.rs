// SPDX-License-Identifier: GPL-2.0

//! How evenly transfers share a bottleneck.

use crate::figures::{
    bottleneck,
    bulk,
    Algorithm, //
};
use crate::scenario::{
    MS,
    SECOND, //
};
use crate::world::World;

const RATE: u64 = 50;
const RTT: u64 = 20 * MS;
const TIME: u64 = 20 * SECOND;

/// The table.
pub(super) fn table() -> String {
    let mut text = String::from(
        "\n## Transfers that share 50 Mbit/s for 20 s, RTT 20 ms, begun 100 ms apart\n\n\
         algorithm  transfers  Jain's index  least     most  Mbit/s together\n",
    );
    for &algorithm in Algorithm::ALL {
        for count in [2, 8] {
            text += &row(algorithm, count);
        }
    }
    text
}

fn row(algorithm: Algorithm, count: u64) -> String {
    let begin: Vec<u64> = (0..count).map(|n| n * 100 * MS).collect();
    let scenario = bulk(
        algorithm,
        1 << 40,
        1 << 20,
        bottleneck(RTT, RATE, 0),
        &begin,
    );
    let mut world = World::new(&scenario, false);
    if let Err(why) = world.run_until(TIME) {
        panic!("{algorithm:?}, {count} transfers: {why}");
    }
    let readers = world.hosts.iter().skip(1).step_by(2);
    let rates: Vec<f64> = readers
        .map(|host| host.app.read as f64 * 8e3 / TIME as f64)
        .collect();
    let sum: f64 = rates.iter().sum();
    let squares: f64 = rates.iter().map(|rate| rate * rate).sum();
    let jain = sum * sum / (count as f64 * squares);
    let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let most = rates.iter().copied().fold(0.0, f64::max);
    let name = algorithm.name();
    format!("{name:<9} {count:>10} {jain:>13.4} {least:>6.2} {most:>8.2} {sum:>16.2}\n")
}
