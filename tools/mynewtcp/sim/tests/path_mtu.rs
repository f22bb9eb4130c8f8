// SPDX-License-Identifier: GPL-2.0

//! Links that swallow long packets and say nothing: RFC 4821 gets all octets through, on links
//! that are bad in every other way too.

use mynewtcp_sim::scenario::{
    Kind,
    Scenario, //
};
use mynewtcp_sim::world::run;

/// IPv4 and bare transport header: the simulator's packets carry no others.
const HEADERS: u16 = 40;

/// The first `count` scenarios of the kind whose links now swallow what is longer than `mtu`.
fn holes(count: usize, mtu: u16, mtu_probing: u8) -> impl Iterator<Item = Scenario> {
    (0..)
        .map(Scenario::new)
        .filter(|scenario| scenario.kind == Kind::Transfer && scenario.injectors.is_empty())
        .filter(|scenario| scenario.hosts.len() == 2)
        .filter(|scenario| scenario.hosts.iter().all(|host| host.attack.is_none()))
        .map(move |mut scenario| {
            for link in &mut scenario.links {
                link.mtu = mtu;
                link.mtu_at = link.mtu_at.min(50_000_000);
                link.black_hole = true;
            }
            for host in &mut scenario.hosts {
                host.config.mtu_probing = mtu_probing;
                host.config.base_mss = 1024.min(mtu - HEADERS);
                host.mtu_change = None;
            }
            scenario
        })
        .take(count)
}

#[test]
fn black_holes_are_left() {
    for mtu in [600, 1100, 1400] {
        for scenario in holes(60, mtu, 1) {
            let outcome = run(&scenario, false);
            assert_eq!(outcome.failure, None, "seed {} mtu {mtu}", scenario.seed);
        }
    }
}

#[test]
fn searching_harms_nobody() {
    for mtu in [600, 1100, 1400, 9000] {
        for scenario in holes(60, mtu, 2) {
            let outcome = run(&scenario, false);
            assert_eq!(outcome.failure, None, "seed {} mtu {mtu}", scenario.seed);
        }
    }
}
