// SPDX-License-Identifier: GPL-2.0

//! Figures of loss recovery and congestion control, as one table that a test compares with the
//! one kept: `goodput`, `fairness`, and `tail`, the time that a single loss costs.

mod fairness;
mod goodput;
mod tail;

use mynewtcp_engine::engine::config::{
    Config,
    Parameters, //
};
use mynewtcp_engine::engine::congestion;
use mynewtcp_engine::engine::seq::{
    Mss,
    SeqNum, //
};
use mynewtcp_engine::engine::time::Delta;

use crate::link::Quality;
use crate::scenario::{
    AppPlan,
    Closing,
    HostPlan,
    Kind,
    Scenario,
    SECOND, //
};
use crate::store::Failures;

/// Where the table is kept.
pub const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots/figures.txt");

/// Octets of an Ethernet packet.
const PACKET: u64 = 1500;

/// A congestion control algorithm that is compared.
#[derive(Clone, Copy, Debug)]
struct Algorithm(congestion::Kind);

impl Algorithm {
    const ALL: &'static [Self] = &[Self(congestion::Kind::Reno), Self(congestion::Kind::Cubic)];

    fn name(self) -> &'static str {
        self.0.name()
    }

    /// The configuration of a host that uses it.
    fn config(self) -> Config {
        Config {
            congestion: self.0,
            time_wait: Delta::from_secs(60),
            ..Config::DEFAULT
        }
    }
}

/// All figures, as text.
pub fn figures() -> String {
    let parts = [goodput::table(), fairness::table(), tail::table()];
    format!("{}{}", HEAD, parts.join(""))
}

const HEAD: &str = "\
# SPDX-License-Identifier: GPL-2.0
# Measured by the simulator in virtual time: the same on every machine. To write it again:
#
#   make figures
";

/// One host of a bulk transfer: it writes `total` octets as fast as it can.
fn host(algorithm: Algorithm, total: u64, buffer: u32, connects: Option<u64>) -> HostPlan {
    let mss = Mss::new(1460);
    HostPlan {
        config: algorithm.config(),
        parameters: Parameters {
            iss: SeqNum::new(0x8000_0000),
            ts_offset: 0,
            path_mss: mss,
            advertised_mss: mss,
            default_mss: Mss::DEFAULT,
            gso_max_size: 65_536,
            receive_window_max: buffer,
            receive_window: buffer,
        },
        capacity: buffer,
        failures: Failures::default(),
        app: AppPlan {
            total,
            write_max: 65_536,
            write_pause: 0,
            send_buffer: buffer,
            more: 0,
            nodelay: true,
            read_max: u64::from(u32::MAX),
            read_pause: 0,
            read_start: 0,
            closing: if connects.is_some() {
                Closing::First
            } else {
                Closing::AfterPeer
            },
            abort_at: None,
        },
        connect_at: connects,
        keepalive: false,
        mtu_change: None,
        listens: connects.is_none(),
        attack: None,
        access: 0,
    }
}

/// Bulk transfers of `total` octets over a link of `quality`, one for each time to begin.
fn bulk(
    algorithm: Algorithm,
    total: u64,
    buffer: u32,
    quality: Quality,
    begin: &[u64],
) -> Scenario {
    let pair = |&at| {
        let writer = host(algorithm, total, buffer, Some(at));
        [writer, host(algorithm, 0, buffer, None)]
    };
    // Acknowledgments have the link to themselves.
    let back = Quality {
        delay: quality.delay,
        ..Quality::default()
    };
    Scenario {
        seed: 1,
        kind: Kind::Transfer,
        hosts: begin.iter().flat_map(pair).collect(),
        links: [quality, back],
        drops: Default::default(),
        injectors: Vec::new(),
        cut_at: u64::MAX,
        limit: 24 * 3600 * SECOND,
        checked: false,
    }
}

/// A bottleneck with a queue of one bandwidth-delay product, or ten packets if that is more.
fn bottleneck(rtt: u64, megabits: u64, loss: u32) -> Quality {
    let per_octet = 8_000 / megabits;
    Quality {
        delay: rtt / 2,
        loss,
        per_octet,
        queue: rtt.max(10 * PACKET * per_octet),
        ..Quality::default()
    }
}
