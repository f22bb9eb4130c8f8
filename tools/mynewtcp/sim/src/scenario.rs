// SPDX-License-Identifier: GPL-2.0

//! What happens in one run. `draw` draws it from a seed.

mod draw;

use mynewtcp_engine::engine::config::{
    Config,
    Parameters, //
};

use crate::attack::{
    Attack,
    InjectPlan, //
};
use crate::link::Quality;
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
    /// One side lies to the other, to its own harm: what arrived is a prefix, and both sides come
    /// to an end.
    Hostile,
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
    /// What it does to its peer.
    pub attack: Option<Attack>,
    /// Additional time that its packets need, both ways.
    pub access: u64,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where it comes from.
    pub seed: u64,
    /// What it is about.
    pub kind: Kind,
    /// The hosts: 2n and 2n + 1 are a pair of which the first one connects. All of them share the
    /// links.
    pub hosts: Vec<HostPlan>,
    /// The link away from the hosts with even numbers, and the one away from the others.
    pub links: [Quality; 2],
    /// Which packets with payload each link loses, counted from 0, in order.
    pub drops: [Vec<u64>; 2],
    /// Strangers.
    pub injectors: Vec<InjectPlan>,
    /// When the links are cut.
    pub cut_at: u64,
    /// When it must be over.
    pub limit: u64,
    /// The invariants are checked at every step, by walking all that is under way. Without it only
    /// the promises on the wire and the octets are.
    pub checked: bool,
}

impl Scenario {
    /// It ends with all octets delivered and both sides closed in order.
    pub fn is_orderly(&self) -> bool {
        matches!(self.kind, Kind::Transfer | Kind::SimultaneousOpen)
    }
}
