// SPDX-License-Identifier: GPL-2.0

//! How fast a transfer is on a few links that are not drawn but chosen. The bounds have room for
//! other ways to do it well, and none for doing it badly: a recovery that waits for time-outs, a
//! window update that waits for a probe.

use mynewtcp_engine::engine::config::Config;
use mynewtcp_engine::engine::seq::Mss;
use mynewtcp_engine::engine::time::Delta;
use mynewtcp_sim::link::{
    Outage,
    Quality,
    Spike, //
};
use mynewtcp_sim::scenario::{
    AppPlan,
    Closing,
    HostPlan,
    Kind,
    Scenario,
    MS,
    SECOND, //
};
use mynewtcp_sim::store::Failures;
use mynewtcp_sim::world::run;

/// A transfer of `total` octets over links of `quality`, with selective acknowledgments or
/// without, into a receive buffer of `capacity`.
fn scenario(total: u64, quality: Quality, sack: bool, capacity: u32) -> Scenario {
    let mut scenario = Scenario::new(1);
    let config = Config {
        sack,
        time_wait: Delta::from_millis(1),
        ..Config::DEFAULT
    };
    let app = AppPlan {
        total,
        write_max: 60_000,
        write_pause: 0,
        send_buffer: 1_000_000,
        more: 0,
        nodelay: false,
        read_max: 1_000_000,
        read_pause: 0,
        read_start: 0,
        closing: Closing::First,
        abort_at: None,
    };
    let host = |me: usize, total, closing| {
        let mut parameters = scenario.hosts[me].parameters;
        parameters.path_mss = Mss::new(1460);
        parameters.advertised_mss = Mss::new(1460);
        parameters.gso_max_size = 20_000;
        parameters.receive_window = capacity;
        parameters.receive_window_max = capacity;
        HostPlan {
            config: config.clone(),
            parameters,
            capacity,
            failures: Failures::default(),
            app: AppPlan {
                total,
                closing,
                ..app
            },
            connect_at: (me == 0).then_some(0),
            keepalive: false,
            mtu_change: None,
            listens: me == 1,
            attack: None,
            access: 0,
        }
    };
    scenario.hosts = vec![
        host(0, total, Closing::First),
        host(1, 0, Closing::AfterPeer),
    ];
    Scenario {
        kind: Kind::Transfer,
        links: [quality; 2],
        drops: Default::default(),
        injectors: Vec::new(),
        cut_at: u64::MAX,
        limit: 3600 * SECOND,
        ..scenario
    }
}

/// The rate in octets per millisecond of virtual time.
fn rate(total: u64, quality: Quality, sack: bool, capacity: u32) -> u64 {
    let outcome = run(&scenario(total, quality, sack, capacity), false);
    assert_eq!(outcome.failure, None);
    total * MS / outcome.nanos
}

const CLEAN: Quality = Quality {
    delay: 10 * MS,
    jitter: 0,
    loss: 0,
    burst: 0,
    burst_len: 0,
    reorder: 0,
    duplicate: 0,
    corrupt: 0,
    per_octet: 0,
    queue: 0,
    mark: 0,
    mtu: 0,
    mtu_at: 0,
    black_hole: false,
    outage: Outage {
        from: 0,
        len: 0,
        icmp: None,
    },
    spike: Spike {
        from: 0,
        len: 0,
        extra: 0,
        overtaken: false,
    },
};

#[test]
fn clean_link_is_filled_to_the_window() {
    // 400,000 octets per round trip of 20 ms.
    let rate = rate(8_000_000, CLEAN, true, 400_000);
    assert!(rate > 12_000, "{rate}");
}

#[test]
fn small_buffer_is_kept_busy() {
    // 8,000 octets per round trip of 20 ms, if no window update waits for a probe.
    let rate = rate(400_000, CLEAN, true, 8_000);
    assert!(rate > 200, "{rate}");
}

#[test]
fn slow_link_with_a_short_queue_is_filled() {
    // 1,000 octets per millisecond; the queue holds half of what is on the way.
    let slow = Quality {
        per_octet: 1_000,
        queue: 10 * MS,
        ..CLEAN
    };
    for (sack, least) in [(true, 700), (false, 700)] {
        let rate = rate(3_000_000, slow, sack, 400_000);
        assert!(rate > least, "sack {sack}: {rate}");
    }
}

#[test]
fn random_loss_costs_what_reno_must_pay() {
    // 1460 * 1.22 / sqrt(0.02) octets per round trip of 20 ms are 630 per millisecond.
    let lossy = Quality { loss: 20, ..CLEAN };
    for (sack, least) in [(true, 400), (false, 350)] {
        let rate = rate(1_000_000, lossy, sack, 400_000);
        assert!(rate > least, "sack {sack}: {rate}");
    }
}
