// SPDX-License-Identifier: GPL-2.0

//! What becomes of the congestion window between two whole connections: marks make it smaller,
//! algorithms make it grow in their own ways, and reductions that were a mistake are taken back.
//! Each claim is checked the other way round as well, with what should bring it about switched
//! off.

use mynewtcp_engine::engine::config::Config;
use mynewtcp_engine::engine::congestion::ecn::EcnMode;
use mynewtcp_engine::engine::congestion::Kind as Algorithm;
use mynewtcp_engine::engine::connection::info::Info;
use mynewtcp_engine::engine::counters::Counter;
use mynewtcp_engine::engine::seq::Mss;
use mynewtcp_engine::engine::time::{
    Delta,
    Instant, //
};
use mynewtcp_sim::link::{
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

/// A transfer of `total` octets from the first host to the second over links of `quality`, with
/// a window of `buffer` octets at most.
fn transfer(config: &Config, total: u64, buffer: u32, quality: Quality) -> Scenario {
    let mut scenario = Scenario::new(1);
    scenario.kind = Kind::Transfer;
    scenario.hosts.truncate(2);
    scenario.links = [quality; 2];
    scenario.drops = Default::default();
    scenario.injectors.clear();
    scenario.cut_at = u64::MAX;
    scenario.limit = 3600 * SECOND;
    scenario.checked = false;
    for (me, host) in scenario.hosts.iter_mut().enumerate() {
        host.config = Config {
            time_wait: Delta::from_millis(1),
            ..config.clone()
        };
        host.parameters.path_mss = Mss::new(1460);
        host.parameters.advertised_mss = Mss::new(1460);
        host.parameters.gso_max_size = 65_536;
        host.parameters.receive_window = buffer;
        host.parameters.receive_window_max = buffer;
        host.capacity = buffer;
        host.failures = Failures::default();
        let app = &mut host.app;
        app.total = if me == 0 { total } else { 0 };
        (app.write_max, app.write_pause, app.more) = (1 << 30, 0, 0);
        (app.read_max, app.read_pause, app.read_start) = (1 << 30, 0, 0);
        (app.send_buffer, app.nodelay, app.abort_at) = (buffer, true, None);
        app.closing = [Closing::First, Closing::AfterPeer][me];
        host.connect_at = (me == 0).then_some(0);
        host.listens = me == 1;
        (host.keepalive, host.mtu_change, host.attack, host.access) = (false, None, None, 0);
    }
    scenario
}

/// A run that is looked at on its way.
struct Run {
    world: World,
    config: Config,
}

impl Run {
    fn new(scenario: &Scenario) -> Self {
        Self {
            world: World::new(scenario, false),
            config: scenario.hosts[0].config.clone(),
        }
    }

    fn until(&mut self, at: u64) {
        let over = self.world.run_until(at);
        assert_eq!(over, Ok(false), "over too soon");
    }

    fn finish(&mut self, scenario: &Scenario) {
        assert_eq!(self.world.run(scenario), Ok(()));
    }

    /// What the sender knows.
    fn info(&self) -> Info {
        let sender = &self.world.hosts[0];
        let now = Instant::from_nanos(self.world.now);
        let connection = sender.connection().expect("a connection");
        connection.info(now, &self.config)
    }

    /// cwnd and ssthresh.
    fn window(&self) -> (u32, u32) {
        let info = self.info();
        (info.cwnd, info.ssthresh)
    }

    fn sender(&self, counter: Counter) -> u64 {
        self.world.hosts[0].store.counter(counter)
    }

    /// Octets that have been read.
    fn read(&self) -> u64 {
        self.world.hosts[1].app.read
    }
}

fn config(congestion: Algorithm, ecn: EcnMode) -> Config {
    Config {
        congestion,
        ecn,
        ..Config::DEFAULT
    }
}

/// A router that marks what has to wait instead of dropping it (RFC 3168): the window follows,
/// and not one segment has to be sent again. Without ECN nothing holds it back.
#[test]
fn marks_reduce_the_window_without_a_loss() {
    // 1,000 octets per millisecond, marked after 10 ms, and room for whatever the peer's window
    // allows.
    let quality = Quality {
        delay: 10 * MS,
        per_octet: 1_000,
        queue: 600 * MS,
        mark: 10 * MS,
        ..Quality::default()
    };
    for algorithm in [Algorithm::Reno, Algorithm::Cubic] {
        for ecn in [EcnMode::On, EcnMode::Off] {
            let mut config = config(algorithm, ecn);
            // The peer's window is the limit without ECN, and that is not to count.
            config.slow_start_after_idle = false;
            let scenario = transfer(&config, 4_000_000, 400_000, quality);
            let mut run = Run::new(&scenario);
            let (mut widest, mut reductions) = (0, 0);
            for step in 2..30 {
                run.until(step * 100 * MS);
                let (cwnd, _) = run.window();
                reductions += u32::from(cwnd < widest);
                widest = cwnd.max(widest);
            }
            let what = format!("{algorithm:?}, {ecn:?}");
            let info = run.info();
            let marked = run.world.links[0].marked;
            run.finish(&scenario);
            assert_eq!(run.world.links[0].overflowed, 0, "{what}");
            assert_eq!(run.sender(Counter::RetransSegs), 0, "{what}");
            if ecn == EcnMode::On {
                assert!(marked > 0 && info.delivered_ce > 0, "{what}");
                assert!(run.sender(Counter::EcnReductions) > 1, "{what}");
                assert!(reductions > 0 && info.cwnd < 120_000, "{what}: {info:?}");
            } else {
                assert_eq!((marked, info.delivered_ce), (0, 0), "{what}");
                assert_eq!(reductions, 0, "{what}");
                assert!(info.cwnd > 120_000, "{what}: {info:?}");
            }
        }
    }
}

/// The longest time that a packet waits in a data centre's switch, and the octets that pass it
/// in half a second, once the beginning is over.
fn standing_queue(algorithm: Algorithm, mark: u64) -> (u64, u64) {
    // 125 octets per microsecond, 1 ms there and back.
    let quality = Quality {
        delay: MS / 2,
        per_octet: 8,
        queue: 3 * MS,
        mark,
        ..Quality::default()
    };
    let config = config(algorithm, EcnMode::Accept);
    let scenario = transfer(&config, 1 << 40, 4_000_000, quality);
    let mut run = Run::new(&scenario);
    run.until(200 * MS);
    let before = run.read();
    run.world.links[0].longest_wait = 0;
    run.until(700 * MS);
    (run.world.links[0].longest_wait, run.read() - before)
}

/// DCTCP fills the link with a fraction of the queue that others need to hear of congestion.
#[test]
fn dctcp_keeps_the_queue_short() {
    let mark = MS / 4;
    let (short, most) = standing_queue(Algorithm::Dctcp, mark);
    assert!(short < MS, "{} us", short / 1000);
    // Nine tenths of what the link can carry, headers included.
    assert!(most > 62_500_000 * 90 / 100, "{most}");
    for algorithm in [Algorithm::Reno, Algorithm::Cubic] {
        let (long, _) = standing_queue(algorithm, mark);
        assert!(long > 2 * MS, "{algorithm:?}: {} us", long / 1000);
    }
    // So does DCTCP if nobody marks.
    let (long, _) = standing_queue(Algorithm::Dctcp, 0);
    assert!(long > 2 * MS, "{} us", long / 1000);
}

/// On a long fat link a single loss costs Reno half of its window for minutes. CUBIC is where it
/// was in seconds: K = cbrt(W_max (1 - 0.7) / 0.4), RFC 9438, 4.2.
#[test]
fn cubic_outgrows_reno_on_a_long_fat_link() {
    // Percents of the window that met the loss, of which `left` were left.
    let grown = |algorithm, left| {
        let quality = Quality {
            delay: 100 * MS,
            ..Quality::default()
        };
        let config = config(algorithm, EcnMode::Off);
        let mut scenario = transfer(&config, 1 << 40, 8_000_000, quality);
        scenario.drops[0] = vec![1_000];
        let mut run = Run::new(&scenario);
        run.until(14 * SECOND);
        assert_eq!(run.sender(Counter::RetransSegs), 1, "{algorithm:?}");
        let (cwnd, ssthresh) = run.window();
        assert!(ssthresh > 600_000, "{algorithm:?}: {ssthresh}");
        u64::from(cwnd) * left / u64::from(ssthresh)
    };
    let (reno, cubic) = (grown(Algorithm::Reno, 50), grown(Algorithm::Cubic, 70));
    assert!(reno < 65, "{reno} % of the window");
    assert!(cubic > 95, "{cubic} % of the window");
}

/// What is switched on in a run with a delay spike.
#[derive(Clone, Copy, Debug)]
struct Means {
    timestamps: bool,
    sack: bool,
    dsack: bool,
    frto: bool,
}

/// The spike comes in the middle of a transfer that has been through one loss, so that ssthresh
/// is a number. Returns the windows before it and after all was cleared up.
fn through(spike: Spike, means: Means) -> ((u32, u32), (u32, u32), Run) {
    let quality = Quality {
        delay: 50 * MS,
        per_octet: 2_000,
        queue: SECOND,
        ..Quality::default()
    };
    let config = Config {
        timestamps: means.timestamps,
        sack: means.sack,
        dsack: means.dsack,
        frto: means.frto,
        congestion: Algorithm::Reno,
        tail_loss_probe: false,
        ..Config::DEFAULT
    };
    let mut scenario = transfer(&config, 1 << 40, 1 << 20, quality);
    scenario.drops[0] = vec![100];
    scenario.links[0].spike = spike;
    let mut run = Run::new(&scenario);
    run.until(spike.from);
    let before = run.window();
    assert!(before.1 < 1 << 20, "{means:?}: no loss at the beginning");
    run.until(spike.from + spike.extra + SECOND);
    let after = run.window();
    (before, after, run)
}

const NOTHING: Means = Means {
    timestamps: false,
    sack: false,
    dsack: false,
    frto: false,
};

/// The route hangs for two seconds, then everything arrives. Reno grows by a segment per round
/// trip, so that only what was given back can be that wide one second later.
#[test]
fn spurious_time_outs_are_taken_back() {
    let spike = Spike {
        from: 5 * SECOND,
        len: 2 * SECOND,
        extra: 2 * SECOND,
        overtaken: false,
    };
    let by_echo = Means {
        timestamps: true,
        ..NOTHING
    };
    let by_frto = Means {
        frto: true,
        ..NOTHING
    };
    let by_frto_with_sack = Means {
        sack: true,
        ..by_frto
    };
    let all = Means {
        timestamps: true,
        sack: true,
        dsack: true,
        frto: true,
    };
    for means in [by_echo, by_frto, by_frto_with_sack, all] {
        let (before, after, run) = through(spike, means);
        assert!(run.sender(Counter::Timeouts) > 0, "{means:?}");
        assert_eq!(run.sender(Counter::LossUndo), 1, "{means:?}");
        let wide = after.0 >= before.0 && after.1 == before.1;
        assert!(wide, "{means:?}: {before:?}, {after:?}");
    }
    let with_sack = Means {
        sack: true,
        ..NOTHING
    };
    for means in [NOTHING, with_sack] {
        let (before, after, run) = through(spike, means);
        assert!(run.sender(Counter::Timeouts) > 0, "{means:?}");
        assert_eq!(run.sender(Counter::LossUndo), 0, "{means:?}");
        assert!(after.1 < before.1, "{means:?}: {before:?}, {after:?}");
    }
}

/// A few segments take another route and are overtaken by all the others: they are sent again,
/// and then they arrive.
#[test]
fn spurious_recoveries_are_taken_back() {
    let spike = Spike {
        from: 5 * SECOND,
        len: 6 * MS,
        extra: 80 * MS,
        overtaken: true,
    };
    let by_echo = Means {
        timestamps: true,
        ..NOTHING
    };
    let by_report = Means {
        sack: true,
        dsack: true,
        ..NOTHING
    };
    let by_both = Means {
        timestamps: true,
        ..by_report
    };
    let undone = |run: &Run| {
        let undo = [
            Counter::FullUndo,
            Counter::PartialUndo,
            Counter::DsackUndo, //
        ];
        undo.iter().map(|&counter| run.sender(counter)).sum::<u64>()
    };
    for means in [by_echo, by_report, by_both] {
        let (before, after, run) = through(spike, means);
        assert_eq!(run.sender(Counter::Timeouts), 0, "{means:?}");
        assert!(undone(&run) > 0, "{means:?}");
        let wide = after.0 >= before.0 && after.1 == before.1;
        assert!(wide, "{means:?}: {before:?}, {after:?}");
    }
    let with_sack = Means {
        sack: true,
        ..NOTHING
    };
    for means in [NOTHING, with_sack] {
        let (before, after, run) = through(spike, means);
        assert_eq!(undone(&run), 0, "{means:?}");
        assert!(after.1 < before.1, "{means:?}: {before:?}, {after:?}");
    }
}

/// Slow start ends once, when the queue in front of a slow link makes round trips longer, and the
/// window that it leaves is counted.
#[test]
fn the_end_of_slow_start_is_counted() {
    let quality = Quality {
        delay: 10 * MS,
        per_octet: 1_000,
        queue: 600 * MS,
        ..Quality::default()
    };
    let scenario = transfer(
        &config(Algorithm::Cubic, EcnMode::Off),
        1_000_000,
        400_000,
        quality,
    );
    let mut run = Run::new(&scenario);
    run.finish(&scenario);
    assert_eq!(run.sender(Counter::HystartDelayDetect), 1);
    assert_eq!(run.sender(Counter::HystartDelayCwnd), 135);
}

/// A transfer between two hosts 50 us apart whose packets come merged: how long it takes, how
/// many segments the sender gets, and how often an acknowledgment waited for data in vain.
fn nearby(send_buffer: u32, always_quick: bool) -> (u64, u64, u64) {
    const TOTAL: u64 = 64 << 20;
    let quality = Quality {
        delay: MS / 40,
        ..Quality::default()
    };
    let mut config = config(Algorithm::Cubic, EcnMode::Accept);
    config.always_quick = always_quick;
    let mut scenario = transfer(&config, TOTAL, 4 << 20, quality);
    for host in &mut scenario.hosts {
        host.parameters.path_mss = Mss::new(30_000);
        host.parameters.advertised_mss = Mss::new(30_000);
    }
    scenario.hosts[0].app.send_buffer = send_buffer;
    let mut run = Run::new(&scenario);
    let (mut at, mut segments) = (0, 0);
    while run.read() < TOTAL {
        if let Some(connection) = run.world.hosts[0].connection() {
            let now = Instant::from_nanos(run.world.now);
            segments = connection.info(now, &run.config).received.segments;
        }
        at += MS / 10;
        run.until(at);
    }
    let waits = run.world.hosts[1].store.counter(Counter::DelayedAcks);
    (at, u64::from(segments), waits)
}

/// Close by, a sender that does not wait for acknowledgments gets few of them; one that does gets
/// them all, after few attempts to do without.
#[test]
fn acknowledgments_are_few_where_nobody_waits_for_them() {
    let (all, quick, _) = nearby(4 << 20, true);
    let (time, few, waits) = nearby(4 << 20, false);
    assert!(few * 3 < quick, "{few} acknowledgments instead of {quick}");
    assert!(
        time <= all + MS && waits <= 2,
        "{time} ns instead of {all}, {waits} waits"
    );
    for buffer in [70_000, 130_000, 200_000, 300_000] {
        let (all, _, _) = nearby(buffer, true);
        let (time, _, waits) = nearby(buffer, false);
        let what = format!("{buffer}: {time} ns instead of {all}, {waits} waits");
        assert!(waits <= 6 && time <= all + 12 * MS, "{what}");
    }
}
