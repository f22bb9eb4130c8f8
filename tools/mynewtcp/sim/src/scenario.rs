// SPDX-License-Identifier: GPL-2.0

//! What happens in one run, drawn from its seed.

use mynewtcp_engine::engine::config::{
    Config,
    Parameters, //
};
use mynewtcp_engine::engine::seq::{
    Mss,
    SeqNum, //
};
use mynewtcp_engine::engine::time::Delta;

use crate::link::Quality;
use crate::rng::Rng;
use crate::store::Failures;

/// Nanoseconds in a millisecond.
pub const MS: u64 = 1_000_000;
/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000 * MS;

/// What the run is about, and so how it must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One side listens, one connects: everything arrives and both close.
    Transfer,
    /// Both connect at the same time: the same.
    SimultaneousOpen,
    /// A transfer in which one side aborts: what arrived is a prefix, and the other side learns
    /// of it.
    Abort,
    /// The link is cut: what arrived is a prefix, and both sides give up in the end.
    Cut,
    /// Nobody listens: the connection is refused.
    Refused,
    /// Nobody answers: the attempt times out.
    Silence,
}

/// When a side closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// Shuts down writing after its last octet, reads on to the end.
    First,
    /// Shuts down writing after its last octet and the peer's end.
    AfterPeer,
    /// Lets go of both directions after its last octet and the last one it expects.
    AtOnce,
}

/// What the program on one host does.
#[derive(Clone, Copy, Debug)]
pub struct AppPlan {
    /// Octets to write.
    pub total: u64,
    /// Octets in one write, at most.
    pub write_max: u64,
    /// Pause between writes, at most.
    pub write_pause: u64,
    /// Octets queued at most.
    pub send_buffer: u32,
    /// Chance that a write announces more.
    pub more: u32,
    /// Partial segments go at once.
    pub nodelay: bool,
    /// Octets in one read, at most.
    pub read_max: u64,
    /// Pause between reads, at most.
    pub read_pause: u64,
    /// Time before the first read.
    pub read_start: u64,
    /// When it closes.
    pub closing: Closing,
    /// When it aborts.
    pub abort_at: Option<u64>,
}

/// One host.
#[derive(Clone, Debug)]
pub struct HostPlan {
    /// Its tunables.
    pub config: Config,
    /// Its side of the connection.
    pub parameters: Parameters,
    /// Its receive buffer.
    pub capacity: u32,
    /// Its failures.
    pub failures: Failures,
    /// Its program.
    pub app: AppPlan,
    /// When it connects, if it does.
    pub connect_at: Option<u64>,
    /// It probes an idle peer.
    pub keepalive: bool,
    /// When the path's MTU changes, and the payload that fits from then on.
    pub mtu_change: Option<(u64, u16)>,
    /// It listens.
    pub listens: bool,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where it comes from.
    pub seed: u64,
    /// What it is about.
    pub kind: Kind,
    /// The hosts: the first one connects.
    pub hosts: [HostPlan; 2],
    /// The link away from each host.
    pub links: [Quality; 2],
    /// When the links are cut.
    pub cut_at: u64,
    /// When it must be over.
    pub limit: u64,
}

impl Scenario {
    /// The scenario of `seed`.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed, 0);
        let kind = match rng.range(0, 99) {
            0..=69 => Kind::Transfer,
            70..=81 => Kind::SimultaneousOpen,
            82..=89 => Kind::Abort,
            90..=94 => Kind::Cut,
            95..=97 => Kind::Refused,
            _ => Kind::Silence,
        };
        let quality = quality(&mut rng);
        let back = if rng.chance(700) {
            quality
        } else {
            self::quality(&mut rng)
        };
        let mut hosts = [host(&mut rng), host(&mut rng)];
        hosts[0].connect_at = Some(0);
        // Only probes tell a reader that its peer is gone.
        let keepalive = matches!(kind, Kind::Abort | Kind::Cut);
        hosts.iter_mut().for_each(|host| host.keepalive = keepalive);
        let crossing = rng.range(0, quality.delay);
        match kind {
            Kind::SimultaneousOpen => hosts[1].connect_at = Some(crossing),
            Kind::Refused => {}
            Kind::Transfer | Kind::Abort | Kind::Cut | Kind::Silence => hosts[1].listens = true,
        }
        // Two sides that wait for each other would wait for ever.
        if hosts[0].app.closing == Closing::AfterPeer {
            hosts[1].app.closing = Closing::First;
        }
        let middle = rng.octaves(MS, 20 * SECOND);
        if kind == Kind::Abort {
            let who = rng.range(0, 1) as usize;
            hosts[who].app.abort_at = Some(middle);
        }
        Self {
            seed,
            kind,
            hosts,
            links: [quality, back],
            cut_at: match kind {
                Kind::Cut => middle,
                Kind::Silence => 0,
                _ => u64::MAX,
            },
            limit: 24 * 3600 * SECOND,
        }
    }

    /// It ends with all octets delivered and both sides closed in order.
    pub fn is_orderly(&self) -> bool {
        matches!(self.kind, Kind::Transfer | Kind::SimultaneousOpen)
    }
}

fn quality(rng: &mut Rng) -> Quality {
    let delay = rng.octaves(10_000, 150 * MS);
    let bad = rng.range(0, 3) as u32;
    let mut chance = |high| {
        if bad == 0 {
            0
        } else {
            rng.octaves(0, high) as u32
        }
    };
    let (loss, burst, reorder) = (chance(150), chance(20), chance(200));
    let (duplicate, corrupt) = (chance(100), chance(30));
    Quality {
        delay,
        jitter: rng.octaves(0, delay),
        loss,
        burst,
        burst_len: rng.octaves(MS, 300 * MS),
        reorder,
        duplicate,
        corrupt,
        per_octet: rng.pick(&[0, 0, 8, 80, 800, 8_000]),
        queue: rng.range(20 * MS, 400 * MS),
    }
}

fn host(rng: &mut Rng) -> HostPlan {
    let mss = Mss::new(rng.pick(&[100, 536, 1000, 1460, 1460, 9000]));
    let capacity = rng.octaves(500, 400_000) as u32;
    let config = Config {
        window_scaling: rng.chance(800),
        timestamps: rng.chance(700),
        sack: rng.chance(650),
        orphan_retries: 15,
        synack_retries: 12,
        syn_retries: 12,
        // Longer than any program here takes to close.
        fin_timeout: Delta::from_secs(4 * 3600),
        time_wait: Delta::from_secs(rng.range(60, 240)),
        ..Config::DEFAULT
    };
    // Near the end of the number space, so that it wraps.
    let iss = (rng.draw() as u32) | if rng.chance(500) { 0xffff_0000 } else { 0 };
    let parameters = Parameters {
        iss: SeqNum::new(iss),
        ts_offset: rng.draw() as u32,
        path_mss: mss,
        advertised_mss: mss,
        default_mss: Mss::DEFAULT,
        gso_max_size: rng.pick(&[0, 0, 3000, 65_536]),
        receive_window_max: capacity,
        receive_window: capacity,
    };
    let failing = rng.chance(150);
    let failures = Failures {
        send_memory: if failing { 50 } else { 0 },
        receive_memory: if failing { 20 } else { 0 },
        transmit: if failing { 20 } else { 0 },
        pressure: failing && rng.chance(500),
    };
    HostPlan {
        config,
        parameters,
        capacity,
        failures,
        app: app(rng),
        connect_at: None,
        keepalive: false,
        mtu_change: rng
            .chance(300)
            .then(|| (rng.octaves(MS, 5 * SECOND), rng.range(60, 1500) as u16)),
        listens: false,
    }
}

fn app(rng: &mut Rng) -> AppPlan {
    let pauses = [0, 0, MS, 30 * MS, 300 * MS];
    AppPlan {
        total: if rng.chance(200) {
            0
        } else {
            rng.octaves(1, 300_000)
        },
        write_max: rng.octaves(1, 70_000).max(64),
        write_pause: rng.pick(&pauses),
        send_buffer: rng.octaves(2_000, 300_000) as u32,
        more: if rng.chance(200) { 500 } else { 0 },
        nodelay: rng.chance(300),
        read_max: rng.octaves(1, 100_000).max(64),
        read_pause: rng.pick(&pauses),
        read_start: if rng.chance(300) {
            rng.octaves(1, 30 * SECOND)
        } else {
            0
        },
        closing: rng.pick(&[Closing::First, Closing::AfterPeer, Closing::AtOnce]),
        abort_at: None,
    }
}
