// SPDX-License-Identifier: GPL-2.0

//! The per-socket object: it binds one connection, or one listener, to one kernel socket.
//!
//! - [`cb`]: what is noted in each buffer;
//! - [`shell`]: the engine's view of the socket's queues;
//! - [`drive`]: carrying out what the engine wants, in one place;
//! - [`parameters`]: what the engine needs to know of a connection at its start;
//! - [`hooks`]: the calls from the kernel, handed on to where they belong.

use kernel::prelude::{
    try_init,
    Error,
    Init,
    KBox,
    KVec, //
};
use kernel::sync::atomic::{
    Atomic,
    Full,
    Relaxed, //
};
use kernel::sync::Arc;

use crate::demux::lingering::HeldPort;
use crate::engine::buffer::Context;
use crate::engine::config::Parameters;
use crate::engine::connection::Connection;
use crate::engine::listener::{
    HalfOpen,
    TimeWait, //
};
use crate::engine::time::Instant;
use crate::linux;
use crate::linux::resident::{
    Patience,
    Resident, //
};
use crate::linux::route::KeptRoute;
use crate::mib::{
    self,
    Namespace, //
};
use crate::orphans::Orphan;
use crate::tuning::{
    RouteWishes,
    Tunables,
    Tuned,
    Wishes, //
};

pub(crate) mod cb;
pub(crate) mod drive;
mod hooks;
mod parameters;
pub(crate) mod shell;

pub(crate) use parameters::{
    mss_of_mtu,
    parameters_of,
    superpacket_payload, //
};

use shell::EndpointShell;

/// A socket of ours: alive, not locked.
pub(crate) type Sock = linux::sock::Sock<Endpoint>;
/// A counted reference to one.
pub(crate) type SockRef = linux::sock::SockRef<Endpoint>;
/// A socket locked by a process, which may sleep.
pub(crate) type Owned<'a> = linux::sock::Owned<'a, Endpoint>;
/// A socket locked by anyone.
pub(crate) type Locked<'a> = linux::sock::Locked<'a, Endpoint>;
/// The kernel's half of a locked socket.
pub(crate) type Ctx<'a> = linux::sock::Ctx<'a, Endpoint>;
/// The queues of a locked socket.
pub(crate) type Queues<'a> = linux::skb::Queues<'a, Endpoint>;
/// A half-open connection in the demux table.
pub(crate) type RequestRef = linux::mini::MiniRef<Endpoint, Request>;
/// A connection in TIME-WAIT in the demux table.
pub(crate) type TimeWaitRef = linux::mini::MiniRef<Endpoint, Waiting>;

/// What may be read without the socket's lock.
pub(crate) struct Shared {
    /// Octets in the receive queue.
    unread: Atomic<u32>,
    /// A call waits for data.
    has_reader: Atomic<u32>,
    /// An acknowledgment is owed that goes when the reader waits again.
    owes_reader: Atomic<u32>,
    /// Octets that were accepted from the user and not yet transmitted.
    unsent: Atomic<u32>,
    /// Connections in the accept queue.
    ready: Atomic<u32>,
    /// Half-open connections of this listener.
    half_open: Atomic<u32>,
    /// Those of them whose SYN-ACK has never timed out.
    young: Atomic<u32>,
    /// When this listener last answered with a cookie, in the engine's time; 0 for never.
    cookie_at: Atomic<u64>,
    /// The log tells of a flood of this listener.
    flood_told: Atomic<u32>,
    /// The most connections that may be in the accept queue.
    backlog: Atomic<u32>,
    /// The port was chosen by connect, other connections may share it.
    port_shared: Atomic<u32>,
    /// TCP_NOTSENT_LOWAT, 0 for "no limit".
    notsent_lowat: Atomic<u32>,
    /// TCP_WINDOW_CLAMP, 0 for "no limit".
    window_clamp: Atomic<u32>,
    /// A path MTU that ICMP told while a process had the socket, 0 for none.
    pending_mtu: Atomic<u32>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            unread: Atomic::new(0),
            has_reader: Atomic::new(0),
            owes_reader: Atomic::new(0),
            unsent: Atomic::new(0),
            ready: Atomic::new(0),
            half_open: Atomic::new(0),
            young: Atomic::new(0),
            cookie_at: Atomic::new(0),
            flood_told: Atomic::new(0),
            backlog: Atomic::new(0),
            port_shared: Atomic::new(0),
            notsent_lowat: Atomic::new(0),
            window_clamp: Atomic::new(0),
            pending_mtu: Atomic::new(0),
        }
    }
}

impl Shared {
    /// Octets that can be read now.
    pub(crate) fn unread(&self) -> u32 {
        self.unread.load(Relaxed)
    }

    /// `n` octets have joined the receive queue.
    pub(crate) fn add_unread(&self, n: u32) {
        self.unread.store(self.unread().saturating_add(n), Relaxed);
    }

    /// `n` octets have left the receive queue.
    pub(crate) fn take_unread(&self, n: u32) {
        self.unread.store(self.unread().saturating_sub(n), Relaxed);
    }

    /// A call waits for data.
    pub(crate) fn has_reader(&self) -> bool {
        self.has_reader.load(Relaxed) != 0
    }

    /// A call begins to wait for data, or is done with that.
    pub(crate) fn set_reader(&self, waits: bool) {
        self.has_reader.store(u32::from(waits), Relaxed);
    }

    /// An acknowledgment is owed that goes when the reader waits again.
    pub(crate) fn owes_reader(&self) -> bool {
        self.owes_reader.load(Relaxed) != 0
    }

    /// Notes whether one is.
    pub(crate) fn set_owes_reader(&self, owes: bool) {
        self.owes_reader.store(u32::from(owes), Relaxed);
    }

    /// Octets not yet transmitted.
    pub(crate) fn unsent(&self) -> u32 {
        self.unsent.load(Relaxed)
    }

    /// There are `n` octets not yet transmitted.
    pub(crate) fn set_unsent(&self, n: u32) {
        self.unsent.store(n, Relaxed);
    }

    /// Connections that accept can take.
    pub(crate) fn ready(&self) -> u32 {
        self.ready.load(Relaxed)
    }

    /// There are `n` connections that accept can take.
    pub(crate) fn set_ready(&self, n: u32) {
        self.ready.store(n, Relaxed);
    }

    /// Half-open connections.
    pub(crate) fn half_open(&self) -> u32 {
        self.half_open.load(Relaxed)
    }

    /// Half-open connections whose SYN-ACK has never timed out.
    pub(crate) fn young(&self) -> u32 {
        self.young.load(Relaxed)
    }

    /// A half-open connection was made.
    pub(crate) fn half_open_made(&self) {
        self.half_open.add(1u32, Relaxed);
        self.young.add(1u32, Relaxed);
    }

    /// A half-open connection is no longer a young one.
    pub(crate) fn young_gone(&self) {
        self.young.fetch_sub(1u32, Relaxed);
    }

    /// A SYN has been answered with a cookie.
    pub(crate) fn cookie_sent(&self, now: Instant) {
        self.cookie_at.store(now.as_nanos().max(1), Relaxed);
    }

    /// When a SYN was last answered with a cookie.
    pub(crate) fn cookie_at(&self) -> Option<Instant> {
        let at = self.cookie_at.load(Relaxed);
        (at != 0).then_some(Instant::from_nanos(at))
    }

    /// True the first time only: the log should tell of a flood.
    pub(crate) fn tell_of_flood(&self) -> bool {
        self.flood_told.xchg(1, Full) == 0
    }

    /// A half-open connection is gone.
    pub(crate) fn half_open_gone(&self) {
        self.half_open.fetch_sub(1u32, Relaxed);
    }

    /// The limit of the accept queue.
    pub(crate) fn backlog(&self) -> u32 {
        self.backlog.load(Relaxed)
    }

    /// Changes the limit of the accept queue.
    pub(crate) fn set_backlog(&self, n: u32) {
        self.backlog.store(n, Relaxed);
    }

    /// The accept queue is full. As in Linux' TCP, a backlog of n admits n + 1.
    pub(crate) fn is_accept_queue_full(&self) -> bool {
        self.ready() > self.backlog()
    }

    /// The local port was chosen by connect.
    pub(crate) fn is_port_shared(&self) -> bool {
        self.port_shared.load(Relaxed) != 0
    }

    /// Octets not yet transmitted from which on the socket counts as full, 0 for "no limit".
    pub(crate) fn notsent_lowat(&self) -> u32 {
        self.notsent_lowat.load(Relaxed)
    }

    /// Changes the limit of octets not yet transmitted.
    pub(crate) fn set_notsent_lowat(&self, n: u32) {
        self.notsent_lowat.store(n, Relaxed);
    }

    /// The most octets that the receive window may have, 0 for "no limit".
    pub(crate) fn window_clamp(&self) -> u32 {
        self.window_clamp.load(Relaxed)
    }

    /// Changes the limit of the receive window.
    pub(crate) fn set_window_clamp(&self, n: u32) {
        self.window_clamp.store(n, Relaxed);
    }

    /// `octets`, or as many as the receive window may have.
    pub(crate) fn clamped_window(&self, octets: u32) -> u32 {
        match self.window_clamp() {
            0 => octets,
            clamp => octets.min(clamp),
        }
    }

    /// The route has a largest window of `octets`, unless that is 0. What the user wants comes
    /// first.
    pub(crate) fn clamp_window(&self, octets: u32) {
        if octets != 0 && self.window_clamp() == 0 {
            self.set_window_clamp(octets);
        }
    }

    /// Takes over what a listener was asked for.
    pub(crate) fn inherit(&self, listener: &Self) {
        self.set_notsent_lowat(listener.notsent_lowat());
        self.set_window_clamp(listener.window_clamp());
    }

    /// Keeps a path MTU until the socket is released.
    pub(crate) fn set_pending_mtu(&self, mtu: u32) {
        self.pending_mtu.store(mtu, Relaxed);
    }

    /// Takes the path MTU that was kept.
    pub(crate) fn take_pending_mtu(&self) -> Option<u32> {
        if self.pending_mtu.load(Relaxed) == 0 {
            return None;
        }
        Some(self.pending_mtu.xchg(0, Full)).filter(|&mtu| mtu != 0)
    }

    /// Notes whether the local port was chosen by connect.
    pub(crate) fn set_port_shared(&self, shared: bool) {
        self.port_shared.store(u32::from(shared), Relaxed);
    }
}

/// What an endpoint is at the moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Neither connected nor listening.
    Closed,
    /// Accepting connections.
    Listening,
    /// Has a connection, in whatever state.
    Connected,
}

/// What is kept of the SYN of a connection that is accepted (TCP_SAVE_SYN).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SaveSyn {
    /// Nothing.
    No,
    /// The IP header and ours.
    FromIp,
    /// The link layer's header too.
    FromLink,
}

/// The headers of a SYN.
pub(crate) type SavedSyn = KBox<KVec<u8>>;

/// What `setsockopt` asked for that the connection is told when it begins: no tunables.
#[derive(Clone, Copy)]
pub(crate) struct Switches {
    /// TCP_NODELAY.
    pub(crate) nodelay: bool,
    /// TCP_CORK.
    pub(crate) cork: bool,
    /// TCP_MAXSEG, 0 for "no wish".
    pub(crate) maxseg: u16,
    /// TCP_QUICKACK.
    pub(crate) quickack: bool,
    /// TCP_LINGER2 was negative: do not wait for the peer's FIN at all.
    pub(crate) no_linger2: bool,
    /// TCP_INQ: say with each read how much is left.
    pub(crate) inq: bool,
    /// TCP_TX_DELAY: how long each packet waits, microseconds.
    pub(crate) tx_delay: u32,
    /// TCP_SAVE_SYN: keep the SYNs of connections.
    pub(crate) save_syn: SaveSyn,
    /// A listener's child: its TCP_DEFER_ACCEPT is the listener's and does not count here.
    pub(crate) was_accepted: bool,
}

impl Switches {
    const NONE: Self = Self {
        nodelay: false,
        cork: false,
        maxseg: 0,
        quickack: true,
        no_linger2: false,
        inq: false,
        tx_delay: 0,
        save_syn: SaveSyn::No,
        was_accepted: false,
    };
}

/// Everything about a socket that its lock protects.
pub(crate) struct Endpoint {
    /// Accepting connections. Then there is no connection.
    pub(crate) listens: bool,
    /// The connection, in whatever state.
    pub(crate) connection: Resident<Self>,
    /// The values that count for this socket.
    pub(crate) tuned: Arc<Tuned>,
    pub(crate) switches: Switches,
    pub(crate) namespace: Arc<Namespace>,
    /// Set while no user has the socket.
    pub(crate) orphan: Option<Orphan>,
    /// Set while it is ESTABLISHED or in CLOSE-WAIT.
    pub(crate) current: Option<mib::Current>,
    /// Connections that wait to be accepted.
    pub(crate) accept_queue: linux::sock::SockFifo<Self>,
    /// The SYN that began the connection, until somebody has read it.
    pub(crate) saved_syn: Option<SavedSyn>,
}

impl Endpoint {
    /// A new socket.
    pub(crate) fn fresh(namespace: Arc<Namespace>) -> impl Init<Self, Error> {
        let tuned = namespace.tuning.current();
        Self::with(namespace, tuned, Switches::NONE)
    }

    fn with(
        namespace: Arc<Namespace>,
        tuned: Arc<Tuned>,
        switches: Switches,
    ) -> impl Init<Self, Error> {
        try_init!(Self {
            listens: false,
            connection: Resident::empty(),
            tuned,
            switches,
            namespace,
            orphan: None,
            current: None,
            accept_queue: linux::sock::SockFifo::new(),
            saved_syn: None,
        }? Error)
    }

    /// The endpoint of a connection that this listener accepts.
    pub(crate) fn child(&self) -> impl Init<Self, Error> {
        let switches = Switches {
            quickack: true,
            was_accepted: true,
            ..self.switches
        };
        Self::with(self.namespace.clone(), self.tuned.clone(), switches)
    }

    /// What it is at the moment.
    pub(crate) fn role(&self) -> Role {
        match (self.listens, self.connection.is_empty()) {
            (_, false) => Role::Connected,
            (true, true) => Role::Listening,
            (false, true) => Role::Closed,
        }
    }

    /// The values that count for this socket now.
    pub(crate) fn values(&mut self) -> &Tunables {
        self.namespace.tuning.refresh(&mut self.tuned);
        self.tuned.values()
    }

    /// Changes what this socket wants otherwise than its namespace.
    pub(crate) fn wish(&mut self, change: impl FnOnce(&mut Wishes)) -> kernel::error::Result {
        self.namespace.tuning.wish(&mut self.tuned, change)
    }

    /// What its send buffer should have room for, if there is a connection.
    pub(crate) fn send_buffer_wanted(&mut self) -> Option<u32> {
        self.namespace.tuning.refresh(&mut self.tuned);
        let config = self.tuned.config();
        self.connection()
            .map(|connection| connection.send_buffer_wanted(config))
    }

    /// Makes the connection, in CLOSED.
    #[inline(never)]
    pub(crate) fn begin(
        &mut self,
        parameters: &Parameters,
        patience: Patience,
    ) -> kernel::error::Result<&mut Connection> {
        let make = || Connection::new(self.tuned.config(), parameters);
        self.connection.fill(patience, make)
    }

    /// Heeds what the route of a new connection wants.
    pub(crate) fn heed(&mut self, route: Option<RouteWishes>) -> kernel::error::Result {
        self.namespace.tuning.heed(&mut self.tuned, route)
    }

    /// The connection, if there is one.
    pub(crate) fn connection(&self) -> Option<&Connection> {
        self.connection.get()
    }
}

/// One of the half-open connections that its listener counts, until dropped.
pub(crate) struct Slot {
    listener: SockRef,
    is_young: bool,
}

impl Slot {
    /// One more for `listener`.
    #[inline]
    pub(crate) fn new(listener: SockRef) -> Self {
        listener.shared().half_open_made();
        Self {
            listener,
            is_young: true,
        }
    }

    /// The SYN-ACK has timed out.
    pub(crate) fn grow_old(&mut self) {
        if core::mem::take(&mut self.is_young) {
            self.listener.shared().young_gone();
        }
    }

    /// Who wants to accept it.
    pub(crate) fn listener(&self) -> &SockRef {
        &self.listener
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.grow_old();
        self.listener.shared().half_open_gone();
    }
}

/// What a half-open connection carries in the demux table.
pub(crate) struct Request {
    pub(crate) half_open: HalfOpen,
    pub(crate) parameters: Parameters,
    pub(crate) tuned: Arc<Tuned>,
    /// Its place at the listener; none once it has left the table, before its memory goes.
    pub(crate) slot: Option<Slot>,
    /// The SYN, if the listener wants to have it kept.
    pub(crate) saved_syn: Option<SavedSyn>,
    /// The route for its socket, if one is known.
    pub(crate) route: Option<KeptRoute>,
}

impl Request {
    /// Who wants to accept it.
    pub(crate) fn listener(&self) -> Option<SockRef> {
        self.slot.as_ref().map(|slot| slot.listener().clone())
    }
}

/// What a connection in TIME-WAIT carries in the demux table.
pub(crate) struct Waiting {
    pub(crate) time_wait: TimeWait,
    pub(crate) tuned: Arc<Tuned>,
    /// Keeps the port from others; none once it has left the table.
    pub(crate) port: Option<HeldPort>,
}

/// The engine's clock.
pub(crate) fn now() -> Instant {
    Instant::from_nanos(linux::time::now_ns())
}

/// Frees what was received and not read.
pub(crate) fn discard_received(sk: &mut Locked<'_>) {
    sk.purge_received();
    let shared = sk.shared();
    shared.take_unread(shared.unread());
}

/// Runs `f` on the connection of `sk` with the context that it needs. `None` if there is no
/// connection.
pub(crate) fn with_connection<R>(
    sk: &mut Locked<'_>,
    f: impl FnOnce(&mut Connection, &mut Context<'_, EndpointShell<'_>>) -> R,
) -> Option<R> {
    with_connection_at(sk, now(), f)
}

/// The same for a caller that has looked at the clock a moment ago: that is a costly thing to do
/// several times for one packet.
#[inline]
pub(crate) fn with_connection_at<R>(
    sk: &mut Locked<'_>,
    now: Instant,
    f: impl FnOnce(&mut Connection, &mut Context<'_, EndpointShell<'_>>) -> R,
) -> Option<R> {
    let (ctx, endpoint) = sk.split();
    let Endpoint {
        connection,
        tuned,
        namespace,
        listens: _,
        switches: _,
        orphan: _,
        current: _,
        accept_queue: _,
        saved_syn: _,
    } = endpoint.get_mut();
    let connection = connection.get_mut()?;
    namespace.tuning.refresh(tuned);
    let mut shell = EndpointShell {
        queues: ctx.queues(),
        namespace,
    };
    let mut cx = Context {
        now,
        config: tuned.config(),
        shell: &mut shell,
    };
    Some(f(connection, &mut cx))
}
