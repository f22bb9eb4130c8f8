// SPDX-License-Identifier: GPL-2.0

//! How losses are repaired between two whole connections: which means were used, and how long it
//! took.

use mynewtcp_engine::engine::config::Config;
use mynewtcp_engine::engine::counters::Counter;
use mynewtcp_engine::engine::seq::Mss;
use mynewtcp_engine::engine::time::Delta;
use mynewtcp_sim::link::{
    Outage,
    Quality,
    Spike, //
};
use mynewtcp_sim::scenario::{
    Closing,
    Kind,
    Scenario,
    MS,
    SECOND, //
};
use mynewtcp_sim::store::Failures;
use mynewtcp_sim::world::World;

const RTT: u64 = 100 * MS;
/// Octets of payload of a segment with timestamps.
const SEGMENT: u64 = 1448;
const PATH: Quality = Quality {
    delay: RTT / 2,
    ..CLEAN
};
const CLEAN: Quality = Quality {
    delay: 0,
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

/// A transfer of `segments` segments from the first host to the second.
fn transfer(segments: u64, sack: bool) -> Scenario {
    let mut scenario = Scenario::new(1);
    scenario.kind = Kind::Transfer;
    scenario.hosts.truncate(2);
    scenario.links = [PATH; 2];
    scenario.drops = Default::default();
    scenario.injectors.clear();
    scenario.cut_at = u64::MAX;
    scenario.limit = 3600 * SECOND;
    for (me, host) in scenario.hosts.iter_mut().enumerate() {
        host.config = Config {
            sack,
            time_wait: Delta::from_millis(1),
            ..Config::DEFAULT
        };
        host.parameters.path_mss = Mss::new(1460);
        host.parameters.advertised_mss = Mss::new(1460);
        host.parameters.gso_max_size = 65_536;
        host.parameters.receive_window = 1 << 20;
        host.parameters.receive_window_max = 1 << 20;
        host.capacity = 1 << 20;
        host.failures = Failures::default();
        let app = &mut host.app;
        app.total = if me == 0 { segments * SEGMENT } else { 0 };
        (app.write_max, app.write_pause, app.more) = (1 << 20, 0, 0);
        (app.read_max, app.read_pause, app.read_start) = (1 << 30, 0, 0);
        (app.send_buffer, app.nodelay, app.abort_at) = (1 << 20, true, None);
        app.closing = [Closing::First, Closing::AfterPeer][me];
        host.connect_at = (me == 0).then_some(0);
        host.listens = me == 1;
        (host.keepalive, host.mtu_change, host.attack, host.access) = (false, None, None, 0);
    }
    scenario
}

/// What one run was like.
struct Run(World);

impl Run {
    fn new(scenario: &Scenario) -> Self {
        let mut world = World::new(scenario, false);
        assert_eq!(world.run(scenario), Ok(()), "drops {:?}", scenario.drops);
        Self(world)
    }

    /// The same with these of the sender's packets with payload lost.
    fn without(scenario: &Scenario, drops: &[u64]) -> Self {
        let mut scenario = scenario.clone();
        scenario.drops[0] = drops.to_vec();
        Self::new(&scenario)
    }

    fn sender(&self, counter: Counter) -> u64 {
        self.0.hosts[0].store.counter(counter)
    }

    /// When the last octet was read.
    fn last_octet_at(&self) -> u64 {
        self.0.hosts[1].app.read_last_at
    }
}

/// Whatever single segment of a short transfer is lost: no time-out is waited for, one segment is
/// sent again, and it arrives two round trips after it should have at the latest.
#[test]
fn single_losses_in_a_tail_cost_two_round_trips_at_most() {
    for segments in 1..=12 {
        let scenario = transfer(segments, true);
        let clean = Run::new(&scenario);
        assert_eq!(clean.sender(Counter::RetransSegs), 0);
        assert_eq!(clean.sender(Counter::LossProbes), 0);
        for lost in 0..segments {
            let run = Run::without(&scenario, &[lost]);
            let what = format!("{lost} of {segments}");
            assert_eq!(run.sender(Counter::Timeouts), 0, "{what}");
            assert_eq!(run.sender(Counter::RetransSegs), 1, "{what}");
            let late = run.last_octet_at() - clean.last_octet_at();
            assert!(late <= 2 * RTT + RTT / 50, "{what}: {} ms", late / MS);
        }
    }
}

/// Two neighbours lost, anywhere in a flight: only the pair at the very end needs more than one
/// try, and none a time-out.
#[test]
fn pairs_of_losses_need_no_time_out() {
    let scenario = transfer(10, true);
    for lost in 0..9 {
        let run = Run::without(&scenario, &[lost, lost + 1]);
        assert_eq!(run.sender(Counter::Timeouts), 0, "{lost}");
    }
}

/// A segment is lost, and its retransmission too.
#[test]
fn lost_retransmissions_need_no_time_out() {
    let scenario = transfer(60, true);
    let mut found = 0;
    for again in 21..60 {
        let run = Run::without(&scenario, &[20, again]);
        assert_eq!(run.sender(Counter::Timeouts), 0, "{again}");
        found += run.sender(Counter::LostRetransmit);
    }
    assert_eq!(found, 1, "retransmissions that were lost");
}

/// For a while only acknowledgments are lost. The time-out that follows is a mistake, for the peer
/// has everything, as it reports; so the window is what it was.
#[test]
fn time_outs_that_were_mistakes_are_taken_back() {
    let mut scenario = transfer(400, true);
    scenario.links[1].outage = Outage {
        from: 140 * MS,
        len: 350 * MS,
        icmp: None,
    };
    for timestamps in [true, false] {
        for host in &mut scenario.hosts {
            host.config.timestamps = timestamps;
            host.config.tail_loss_probe = false;
        }
        let run = Run::new(&scenario);
        let undone = run.sender(Counter::LossUndo) + run.sender(Counter::DsackUndo);
        assert!(run.sender(Counter::Timeouts) > 0, "{timestamps}");
        assert!(undone > 0, "{timestamps}");
    }
}

/// A path that reorders a little: after the first surprises nothing is sent again without need.
#[test]
fn reordering_is_learned() {
    let mut scenario = transfer(3000, true);
    scenario.links[0].reorder = 20;
    let run = Run::new(&scenario);
    let again = run.sender(Counter::RetransSegs);
    let undone = run.sender(Counter::DsackUndo)
        + run.sender(Counter::FullUndo)
        + run.sender(Counter::PartialUndo);
    assert_eq!(run.sender(Counter::Timeouts), 0);
    assert!(again < 300, "{again} sent again");
    assert!(run.sender(Counter::SackReorder) + run.sender(Counter::TsReorder) > 0);
    assert!(undone > 0, "no mistake was taken back");
}
