// SPDX-License-Identifier: GPL-2.0

//! Links that swallow long packets and say nothing: RFC 4821 gets all octets through, on links
//! that are bad in every other way too.

use mynewtcp_engine::engine::counters::Counter;
use mynewtcp_engine::engine::seq::Mss;
use mynewtcp_sim::host::Host;
use mynewtcp_sim::scenario::{
    Kind,
    Scenario, //
};
use mynewtcp_sim::world::{
    run,
    World, //
};

/// IPv4 and bare transport header: the simulator's packets carry no others.
const HEADERS: u16 = 40;

/// The MSS of an Ethernet with jumbo frames, and a window that holds a few such segments.
const LONGEST: u16 = 9000 - HEADERS;
const CAPACITY: u32 = 200_000;

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

/// Longer segments could go between the hosts than the search begins with, and they have data
/// and windows for them: without those nothing is tried.
fn with_much_to_find(mut scenario: Scenario) -> Scenario {
    for host in &mut scenario.hosts {
        host.parameters.path_mss = Mss::new(LONGEST);
        host.parameters.advertised_mss = Mss::new(LONGEST);
        host.capacity = host.capacity.max(CAPACITY);
        host.parameters.receive_window = host.capacity;
        host.parameters.receive_window_max = host.capacity;
        host.app.total = host.app.total.max(u64::from(2 * CAPACITY));
        host.app.write_max = host.app.write_max.max(u64::from(CAPACITY) / 2);
        host.app.send_buffer = host.app.send_buffer.max(CAPACITY);
    }
    scenario
}

#[test]
fn searching_harms_nobody() {
    for mtu in [600, 1100, 1400, 9000] {
        let mut probes = 0;
        for scenario in holes(30, mtu, 2).map(with_much_to_find) {
            let mut world = World::new(&scenario, false);
            let failure = world.run(&scenario).err();
            assert_eq!(failure, None, "seed {} mtu {mtu}", scenario.seed);
            let sent = |host: &Host| host.store.counter(Counter::MtuProbes);
            probes += world.hosts.iter().map(sent).sum::<u64>();
        }
        assert!(probes > 0, "no probe with mtu {mtu}");
    }
}
