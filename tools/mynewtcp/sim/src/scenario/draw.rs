// SPDX-License-Identifier: GPL-2.0

//! Draws a scenario from its seed.

use mynewtcp_engine::engine::config::{
    Config,
    Parameters, //
};
use mynewtcp_engine::engine::congestion::ecn::EcnMode;
use mynewtcp_engine::engine::congestion::Kind as Algorithm;
use mynewtcp_engine::engine::error::IcmpError;
use mynewtcp_engine::engine::seq::{
    Mss,
    SeqNum, //
};
use mynewtcp_engine::engine::time::Delta;

use crate::attack::{
    Attack,
    InjectPlan,
    Knowledge, //
};
use crate::link::{
    Outage,
    Quality,
    Spike, //
};
use crate::rng::Rng;
use crate::scenario::{
    AppPlan,
    Closing,
    HostPlan,
    Kind,
    Scenario,
    MS,
    SECOND, //
};
use crate::store::Failures;

impl Scenario {
    /// The scenario of `seed`.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed, 0);
        let kind = match rng.range(0, 99) {
            0..=64 => Kind::Transfer,
            65..=75 => Kind::SimultaneousOpen,
            76..=83 => Kind::Abort,
            84..=87 => Kind::Cut,
            88..=89 => Kind::Refused,
            90..=91 => Kind::Silence,
            _ => Kind::Hostile,
        };
        let forward = quality(&mut rng);
        let back = if rng.chance(700) {
            forward
        } else {
            quality(&mut rng)
        };
        let mut scenario = Self {
            seed,
            kind,
            hosts: pair(&mut rng, kind, forward.delay),
            links: [forward, back],
            drops: [drops(&mut rng), drops(&mut rng)],
            injectors: Vec::new(),
            cut_at: u64::MAX,
            limit: 24 * 3600 * SECOND,
            checked: true,
        };
        scenario.complicate(&mut rng);
        scenario.blacken(&mut rng);
        for link in &mut scenario.links {
            link.spike = spike(&mut rng);
        }
        scenario
    }

    /// What is particular to the kind.
    fn complicate(&mut self, rng: &mut Rng) {
        let middle = rng.octaves(MS, 20 * SECOND);
        match self.kind {
            Kind::Transfer => {
                if rng.chance(150) {
                    self.crowd(rng);
                } else if rng.chance(200) {
                    self.spoil(rng);
                }
                if rng.chance(200) {
                    self.invite_stranger(rng);
                }
            }
            Kind::SimultaneousOpen | Kind::Refused => {}
            Kind::Abort => {
                let who = rng.range(0, 1) as usize;
                self.hosts[who].app.abort_at = Some(middle);
            }
            Kind::Cut => self.cut_at = middle,
            Kind::Silence => self.cut_at = 0,
            Kind::Hostile => self.betray(rng),
        }
    }

    /// Routers may keep to themselves that a packet was too long, if the hosts look for it.
    fn blacken(&mut self, rng: &mut Rng) {
        let all_look = self.hosts.iter().all(|host| host.config.mtu_probing > 0);
        for link in &mut self.links {
            link.black_hole = all_look && rng.chance(500);
        }
    }

    /// More pairs share the links.
    fn crowd(&mut self, rng: &mut Rng) {
        let delay = self.links[0].delay;
        for _ in 0..rng.range(1, 3) {
            let mut more = pair(rng, Kind::Transfer, delay);
            more[0].connect_at = Some(rng.octaves(0, SECOND));
            let access = rng.octaves(0, 50 * MS);
            more.iter_mut().for_each(|host| host.access = access);
            self.hosts.append(&mut more);
        }
    }

    /// One side is up to something that must not matter.
    fn spoil(&mut self, rng: &mut Rng) {
        let attack = match rng.range(0, 4) {
            0 => Attack::Tiny(rng.range(2, 60) as u8),
            1 => Attack::AckDivision(rng.range(2, 20) as u8),
            2 => Attack::ShrinkingWindow,
            3 => Attack::OptionGarbage,
            _ => Attack::Echo(rng.range(2, 4) as u8),
        };
        let who = rng.range(0, 1) as usize;
        self.hosts[who].attack = Some(attack);
        // Each octet becomes a packet or so.
        for host in &mut self.hosts {
            host.app.total = host.app.total.min(20_000);
        }
    }

    fn invite_stranger(&mut self, rng: &mut Rng) {
        self.injectors.push(InjectPlan {
            victim: rng.range(0, 1) as usize,
            from: rng.octaves(MS, SECOND),
            interval: rng.octaves(MS / 10, 200 * MS),
            count: rng.range(10, 100) as u32,
            knows: rng.pick(&[
                Knowledge::Nothing,
                Knowledge::Window,
                Knowledge::Sequence,
                Knowledge::Acknowledgment,
            ]),
        });
    }

    /// One side lies. The victim's program has patience for so long.
    fn betray(&mut self, rng: &mut Rng) {
        let attack = match rng.range(0, 2) {
            0 => Attack::OptimisticAck,
            1 => Attack::SackLies,
            _ => Attack::ZeroWindow(rng.octaves(MS, 5 * SECOND)),
        };
        let who = rng.range(0, 1) as usize;
        self.hosts[who].attack = Some(attack);
        let patience = rng.octaves(SECOND, 600 * SECOND);
        for host in &mut self.hosts {
            host.app.abort_at = Some(patience);
        }
    }
}

/// Two hosts that talk to each other in the way of `kind`.
fn pair(rng: &mut Rng, kind: Kind, delay: u64) -> Vec<HostPlan> {
    let mut hosts = vec![host(rng), host(rng)];
    hosts[0].connect_at = Some(0);
    // Only probes tell a reader that its peer is gone.
    let keepalive = matches!(kind, Kind::Abort | Kind::Cut | Kind::Hostile);
    hosts.iter_mut().for_each(|host| host.keepalive = keepalive);
    let crossing = rng.range(0, delay);
    match kind {
        Kind::SimultaneousOpen => hosts[1].connect_at = Some(crossing),
        Kind::Refused => {}
        Kind::Transfer | Kind::Abort | Kind::Cut | Kind::Silence | Kind::Hostile => {
            hosts[1].listens = true;
        }
    }
    // Two sides that wait for each other would wait for ever.
    if hosts[0].app.closing == Closing::AfterPeer {
        hosts[1].app.closing = Closing::First;
    }
    hosts
}

/// Which packets with payload are lost besides those that chance takes: often none.
fn drops(rng: &mut Rng) -> Vec<u64> {
    if !rng.chance(200) {
        return Vec::new();
    }
    let count = rng.range(1, 5);
    let mut drops: Vec<u64> = (0..count).map(|_| rng.octaves(0, 60)).collect();
    drops.sort_unstable();
    drops
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
    let queue = rng.range(20 * MS, 400 * MS);
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
        queue,
        mark: if rng.chance(400) { queue / 4 } else { 0 },
        mtu: if rng.chance(150) {
            rng.range(576, 1500) as u16
        } else {
            0
        },
        mtu_at: rng.octaves(MS, 2 * SECOND),
        black_hole: false,
        outage: outage(rng),
        spike: Spike::default(),
    }
}

fn spike(rng: &mut Rng) -> Spike {
    if !rng.chance(200) {
        return Spike::default();
    }
    Spike {
        from: rng.octaves(MS, 2 * SECOND),
        len: rng.octaves(MS, SECOND),
        extra: rng.octaves(MS, 3 * SECOND),
        overtaken: rng.chance(500),
    }
}

fn outage(rng: &mut Rng) -> Outage {
    if !rng.chance(100) {
        return Outage::default();
    }
    let reasons = [
        None,
        Some(IcmpError::NetworkUnreachable),
        Some(IcmpError::HostUnreachable),
        Some(IcmpError::TimeExceeded),
    ];
    Outage {
        from: rng.octaves(MS, 2 * SECOND),
        len: rng.octaves(MS, 5 * SECOND),
        icmp: rng.pick(&reasons),
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
        mtu_probing: rng.pick(&[0, 1, 1, 2]),
        congestion: rng.pick(Algorithm::ALL),
        ecn: rng.pick(&[EcnMode::Off, EcnMode::On, EcnMode::On, EcnMode::Accept]),
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
    HostPlan {
        config,
        parameters,
        capacity,
        failures: failures(rng, capacity),
        app: app(rng),
        connect_at: None,
        keepalive: false,
        mtu_change: rng
            .chance(300)
            .then(|| (rng.octaves(MS, 5 * SECOND), rng.range(60, 1500) as u16)),
        listens: false,
        attack: None,
        access: 0,
    }
}

/// How memory fails: now and then, for a while altogether, by a limit.
fn failures(rng: &mut Rng, capacity: u32) -> Failures {
    let failing = rng.chance(150);
    Failures {
        send_memory: if failing { 50 } else { 0 },
        receive_memory: if failing { 20 } else { 0 },
        transmit: if failing { 20 } else { 0 },
        pressure: failing && rng.chance(500),
        limit: if rng.chance(200) { capacity } else { 0 },
        spell_from: rng.octaves(MS, 2 * SECOND),
        spell_len: if rng.chance(100) {
            rng.octaves(MS, 5 * SECOND)
        } else {
            0
        },
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
