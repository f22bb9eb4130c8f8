// SPDX-License-Identifier: GPL-2.0

//! The small worlds to explore.

use crate::engine::config::{
    Config,
    Parameters, //
};
use crate::engine::congestion::Kind;
use crate::engine::fault::Fault;
use crate::engine::seq::{
    Mss,
    SeqNum, //
};
use crate::engine::time::Delta;

/// How the user of a host lets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// Shuts down at any time after the last write, lets go at the end of the peer's stream.
    AnyTime,
    /// Shuts down only after the end of the peer's stream.
    AfterPeer,
    /// Lets go of both directions at any time, even while it is still connecting.
    LetsGo,
    /// May abort at any time, and shuts down like [`Closing::AnyTime`] if it does not.
    MayAbort,
}

/// What the user of a host does.
#[derive(Clone, Copy, Debug)]
pub struct User {
    /// It connects; else it listens.
    pub connects: bool,
    /// How often it writes.
    pub writes: u8,
    /// Octets of each write.
    pub write_len: u32,
    /// Its receive buffer.
    pub capacity: u32,
    /// Reading is a step of its own; else all is read at once.
    pub reads_late: bool,
    /// How it lets go.
    pub closing: Closing,
}

/// A world to explore.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What to call it.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// The two users.
    pub users: [User; 2],
    /// Losses, duplications and reorderings in all.
    pub mischief: u8,
    /// Time-outs that come although something else could happen.
    pub early_timeouts: u8,
    /// Time that passes on a host with each segment that reaches it.
    pub tick: Delta,
    /// The tunables.
    pub config: Config,
}

/// Octets of a full segment.
pub const MSS: u16 = 100;
const ISS: u32 = 0xffff_ff80;

const CONNECTS: User = User {
    connects: true,
    writes: 1,
    write_len: MSS as u32,
    capacity: 10_000,
    reads_late: false,
    closing: Closing::AnyTime,
};
const LISTENS: User = User {
    connects: false,
    ..CONNECTS
};

impl Scenario {
    fn new(name: &'static str, about: &'static str, users: [User; 2]) -> Self {
        Self {
            name,
            about,
            users,
            mischief: 2,
            early_timeouts: 1,
            tick: Delta::ZERO,
            config: Config {
                timestamps: false,
                // Windows grow by simple steps, so that more ways lead to the same world.
                congestion: Kind::Reno,
                ..Config::DEFAULT
            },
        }
    }

    /// All worlds, the smallest first.
    pub fn all() -> Vec<Self> {
        let mut all = Self::orderly();
        all.extend(Self::rough());
        all
    }

    /// Worlds in which both users wait for the end: nothing may fail in them.
    fn orderly() -> Vec<Self> {
        let silent = User {
            writes: 0,
            ..LISTENS
        };
        let opens = User {
            writes: 0,
            ..CONNECTS
        };
        let after = User {
            writes: 0,
            closing: Closing::AfterPeer,
            ..LISTENS
        };
        let three = User {
            writes: 3,
            ..CONNECTS
        };
        let two = User {
            writes: 2,
            ..CONNECTS
        };
        let narrow = User {
            writes: 0,
            capacity: 2 * u32::from(MSS),
            reads_late: true,
            ..LISTENS
        };
        vec![
            Self::new("open", "open and close without data", [opens, silent]),
            Self::new("both-open", "two SYNs cross, no data", [opens, opens]),
            Self::new("upload", "three segments one way", [three, after]),
            Self::new("window", "three segments into two", [three, narrow]),
            Self::new("exchange", "two segments against one", [two, LISTENS]),
            Self::new(
                "both-open-data",
                "two SYNs cross, data both ways",
                [CONNECTS, CONNECTS],
            ),
        ]
    }

    /// Worlds in which a user may stop caring.
    fn rough() -> Vec<Self> {
        let let_go = |user: User| User {
            closing: Closing::LetsGo,
            ..user
        };
        let abort = |user: User| User {
            closing: Closing::MayAbort,
            ..user
        };
        let mut rough = vec![
            Self::new(
                "lets-go",
                "users let go of both directions",
                [let_go(CONNECTS), let_go(LISTENS)],
            ),
            Self::new(
                "both-open-lets-go",
                "two SYNs cross, users let go",
                [let_go(CONNECTS), let_go(CONNECTS)],
            ),
            Self::new("aborts", "users abort", [abort(CONNECTS), abort(LISTENS)]),
        ];
        for scenario in &mut rough {
            scenario.mischief = 1;
        }
        rough
    }

    /// The world called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|one| one.name == name)
    }

    /// The same world with a mistake in the engine.
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.config.fault = Some(fault);
        self
    }

    /// Nobody lets go early, so nothing may fail.
    pub fn is_orderly(&self) -> bool {
        self.users.iter().all(|user| match user.closing {
            Closing::AnyTime | Closing::AfterPeer => true,
            Closing::LetsGo | Closing::MayAbort => false,
        })
    }

    /// Both hosts are alike, so that two worlds that mirror each other are one.
    pub fn is_symmetric(&self) -> bool {
        let [a, b] = &self.users;
        a.connects && b.connects && format!("{a:?}") == format!("{b:?}")
    }

    /// What the connection of host `who` is born with; `incarnation` tells one from the next.
    pub fn parameters(&self, who: usize, incarnation: u32) -> Parameters {
        let own = if self.is_symmetric() { 0 } else { who as u32 };
        let mss = Mss::new(MSS);
        let capacity = self.users[who].capacity;
        Parameters {
            iss: SeqNum::new(ISS)
                .plus(own * 1_000_000)
                .plus(incarnation * 100_000),
            ts_offset: 0,
            path_mss: mss,
            advertised_mss: mss,
            default_mss: Mss::DEFAULT,
            gso_max_size: 65_536,
            receive_window_max: capacity,
            receive_window: capacity,
        }
    }
}
