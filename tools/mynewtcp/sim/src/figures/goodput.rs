// SPDX-License-Identifier: GPL-2.0

//! Goodput of one transfer over a bottleneck that loses packets at random.

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

/// Octets that each transfer moves at most, and how long it would take at the full rate at most.
const TOTAL: u64 = 32 << 20;
const TIME: u64 = 10 * SECOND;

/// The table.
pub(super) fn table() -> String {
    let mut text = String::from(
        "\n## Goodput in Mbit/s of a transfer of 32 MiB, or of 10 s at the full rate\n\n\
         algorithm  loss   RTT     10 Mbit/s  100 Mbit/s  1000 Mbit/s\n",
    );
    for &algorithm in Algorithm::ALL {
        for loss in [0, 1, 10, 30] {
            for rtt in [1, 20, 100] {
                let rates = [10, 100, 1000].map(|rate| goodput(algorithm, loss, rtt, rate));
                let [a, b, c] = rates;
                let name = algorithm.name();
                let percent = f64::from(loss) / 10.0;
                text += &format!(
                    "{name:<9} {percent:>4} % {rtt:>4} ms {a:>12.2} {b:>11.2} {c:>12.2}\n"
                );
            }
        }
    }
    text
}

fn goodput(algorithm: Algorithm, loss: u32, rtt: u64, megabits: u64) -> f64 {
    let quality = bottleneck(rtt * MS, megabits, loss);
    let product = rtt * MS / quality.per_octet;
    let buffer = (4 * product + (1 << 18)) as u32;
    let total = TOTAL.min(TIME / quality.per_octet);
    let scenario = bulk(algorithm, total, buffer, quality, &[0]);
    let mut world = World::new(&scenario, false);
    if let Err(why) = world.run(&scenario) {
        panic!("{algorithm:?}, loss {loss}, RTT {rtt}, rate {megabits}: {why}");
    }
    let nanos = world.hosts[1].app.read_last_at;
    total as f64 * 8e3 / nanos as f64
}
