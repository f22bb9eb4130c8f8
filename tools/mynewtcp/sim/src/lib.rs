// SPDX-License-Identifier: GPL-2.0

//! Two NEW_TCP engines, a virtual clock and a bad network.
//!
//! A seed fixes everything: the hosts, the links, the programs, each loss. The same seed gives
//! the same run, event for event.
//!
//! - [`scenario`]: what happens in a run, drawn from its seed;
//! - [`world`]: runs it, and [`judge`] says how it should have ended;
//! - [`host`], [`app`], [`link`], [`packet`], [`store`]: what the world is made of;
//! - [`attack`]: peers and strangers that mean no good;
//! - [`check`]: what must hold of the segments that a host sends;
//! - [`journal`], [`vectors`]: runs written down for the engine's player, and which are kept;
//! - [`figures`]: how fast and how fair it is, as a table;
//! - [`rng`]: random numbers and the octets of the streams.

pub mod app;
pub mod attack;
pub mod check;
pub mod figures;
pub mod host;
pub mod journal;
pub mod judge;
pub mod link;
pub mod packet;
pub mod rng;
pub mod scenario;
pub mod store;
pub mod vectors;
pub mod world;

#[cfg(test)]
mod tests {
    use crate::scenario::Scenario;
    use crate::world::run;

    #[test]
    fn first_seeds_pass() {
        for seed in 0..60 {
            let outcome = run(&Scenario::new(seed), false);
            assert_eq!(outcome.failure, None, "mynewtcp-sim --seed {seed} --trace");
        }
    }

    #[test]
    fn same_seed_gives_the_same_log() {
        for seed in 0..10 {
            let (a, b) = (
                run(&Scenario::new(seed), true),
                run(&Scenario::new(seed), true),
            );
            assert_eq!((a.digest, a.log), (b.digest, b.log));
        }
    }
}
