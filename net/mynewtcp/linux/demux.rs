// SPDX-License-Identifier: GPL-2.0

//! The tables in which a packet finds its connection or listener.
//!
//! Connections are found by both ends, listeners by the local port. The table of connections
//! holds three kinds of object: sockets, half-open connections and connections in TIME-WAIT. A
//! table holds one reference to each object that is in it. Readers need RCU only; sockets and
//! [`Mini`] objects are freed after a grace period.
//!
//! Lock order: socket lock, port ([`ports`](super::ports)), bucket. Under a bucket lock nothing
//! else is locked, except by [`Demux::remove_requests`], which says so, and the core's groups of
//! listeners ([`group`]).

mod group;
mod link;
mod listeners;
mod table;
mod walk;

pub(crate) use group::Asking;
pub(super) use link::{
    Kind,
    Link, //
};
#[cfg(CONFIG_MY_NEWTCP_DIAG)]
pub(crate) use walk::Handful;
pub(crate) use walk::Shelf;

use super::{
    addr::Flow,
    bindings as b,
    compat::prelude::*,
    mini::{
        Head,
        Mini,
        MiniRef, //
    },
    net::Net,
    proto::Protocol,
    rx::Rx,
    sock::{
        Ctx,
        NewtcpSock,
        Sock,
        SockRef, //
    }, //
};
use core::{
    marker::PhantomData,
    mem::offset_of,
    ptr::NonNull, //
};
use kernel::sync::{
    aref::ARef,
    rcu, //
};
use link::Place;
use table::Table;

static CONNECTIONS: Table = Table::new();
static LISTENERS: Table = Table::new();

/// Buckets for connections: one for each so many pages of memory, within bounds.
const PAGES_PER_BUCKET: usize = 32;
const MIN_BUCKETS: usize = 1 << 9;
const MAX_BUCKETS: usize = 1 << 18;
const LISTENER_BUCKETS: usize = 1 << 8;

/// The tables, for the protocol `E`.
pub(crate) struct Demux<E: Protocol>(PhantomData<fn() -> E>);

/// The tables of `E`; there is one set, since there is one protocol.
pub(crate) fn demux<E: Protocol>() -> &'static Demux<E> {
    &Demux(PhantomData)
}

/// What stands in the table of connections.
pub(crate) enum Entry<E: Protocol> {
    /// A socket: any state but LISTEN.
    Sock(SockRef<E>),
    /// SYN received, SYN-ACK sent, no socket yet.
    Request(MiniRef<E, E::Request>),
    /// Closed on both sides, kept for late segments.
    TimeWait(MiniRef<E, E::TimeWait>),
}

/// The memory of the tables. Dropping it gives the memory back.
pub(super) struct Tables(());

impl Tables {
    /// Allocates the tables, sized for a machine with `pages` pages of memory.
    pub(super) fn new(pages: usize) -> Result<Self> {
        let buckets = (pages / PAGES_PER_BUCKET).clamp(MIN_BUCKETS, MAX_BUCKETS);
        let tables = Self(());
        let class = kernel::static_lock_class!();
        CONNECTIONS.init(buckets, c"newtcp_connections", class)?;
        let class = kernel::static_lock_class!();
        LISTENERS.init(LISTENER_BUCKETS, c"newtcp_listeners", class)?;
        Ok(tables)
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        // SAFETY: The tables are dropped only when the start-up fails, after everything through
        // which sockets and packets come in has been taken back.
        unsafe {
            LISTENERS.free();
            CONNECTIONS.free();
        }
    }
}

/// The socket around a link.
fn sock_of<E: Protocol>(link: &Link) -> *mut b::sock {
    let offset = offset_of!(NewtcpSock<E>, floor.link);
    core::ptr::from_ref(link)
        .cast_mut()
        .cast::<u8>()
        .wrapping_sub(offset)
        .cast()
}

/// The mini object around a link.
fn head_of(link: &Link) -> *mut Head {
    core::ptr::from_ref(link)
        .cast_mut()
        .cast::<u8>()
        .wrapping_sub(offset_of!(Head, link))
        .cast()
}

/// A reference to the object around `link`, unless its last one is gone already.
#[inline]
fn entry_of<E: Protocol>(link: &Link) -> Option<Entry<E>> {
    match link.kind()? {
        Kind::Sock => sock_ref_of(link).map(Entry::Sock),
        // SAFETY: The kind says what the link is embedded in, and the object's memory is there,
        // since the caller could get at the link.
        Kind::Request => unsafe { Mini::try_ref(head_of(link)) }.map(Entry::Request),
        // SAFETY: As above.
        Kind::TimeWait => unsafe { Mini::try_ref(head_of(link)) }.map(Entry::TimeWait),
    }
}

fn sock_ref_of<E: Protocol>(link: &Link) -> Option<SockRef<E>> {
    // SAFETY: A link of this kind is embedded in a socket, whose memory is there since the caller
    // could get at the link.
    unsafe { ref_of_raw(sock_of::<E>(link)) }
}

/// A reference to `sk`, unless its last one is gone already.
///
/// # Safety
///
/// `sk` must be a socket of protocol `E` whose memory is there.
unsafe fn ref_of_raw<E: Protocol>(sk: *mut b::sock) -> Option<SockRef<E>> {
    // SAFETY: By the contract; the new reference is handed to the `ARef`.
    unsafe {
        b::newtcp_sock_hold_not_zero(sk)
            .then(|| ARef::from_raw(NonNull::from(Sock::<E>::from_raw(sk)).cast()))
    }
}

/// Takes the reference of the table that the socket of `ctx` enters.
fn take_table_reference<E: Protocol>(ctx: &Ctx<'_, E>) {
    // SAFETY: The socket is live and locked.
    unsafe {
        b::newtcp_sock_hold(ctx.as_raw());
        b::newtcp_sk_mark_hashed(ctx.as_raw());
    }
}

/// Drops the reference that a table held to the socket of `ctx`.
fn put_table_reference<E: Protocol>(ctx: &Ctx<'_, E>) {
    // SAFETY: The socket is locked; the table's reference is given up. It is not the last one:
    // `ctx` has the socket alive.
    unsafe {
        b::newtcp_sk_mark_unhashed(ctx.as_raw());
        b::newtcp_sock_put(ctx.as_raw());
    }
}

/// What [`Flow::hash`] gives, found out before.
#[derive(Clone, Copy)]
pub(crate) struct FlowHash(u32);

impl FlowHash {
    /// The hash of the socket's flow, as of that of its peer, while the socket is in the table.
    pub(super) fn of_connection<E: Protocol>(sock: &Sock<E>) -> Option<Self> {
        let link = &sock.floor().link;
        (link.place() == Place::Connections).then(|| Self(link.hash()))
    }

    /// The same of a half-open connection.
    pub(super) fn of_request<E: Protocol>(mini: &Mini<E, E::Request>) -> Option<Self> {
        let link = &mini.head().link;
        (link.place() == Place::Connections).then(|| Self(link.hash()))
    }

    /// To be kept where only this floor writes.
    pub(super) fn bits(self) -> u32 {
        self.0
    }

    /// From [`bits`](Self::bits).
    pub(super) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

impl<E: Protocol> Demux<E> {
    /// The connection between the two ends of `flow`, whose `ifindex` is the device that the
    /// packet came in on.
    /// `hash` is that of the flow, where it is known.
    #[inline]
    pub(crate) fn lookup(
        &self,
        rcu: &rcu::Guard,
        flow: &Flow,
        hash: Option<FlowHash>,
    ) -> Option<Entry<E>> {
        let hash = hash.map_or_else(|| flow.hash(), |hash| hash.0);
        loop {
            let mut version = 0;
            let link = CONNECTIONS.find(rcu, hash, |link| {
                version = link.version();
                link.matches(flow)
            })?;
            let Some(entry) = entry_of(link) else {
                // It is on its way out; its place may have a new owner already.
                if link.is_listed() {
                    continue;
                }
                return self.lookup_again(rcu, flow, hash);
            };
            // Between the match and the reference the object may have changed hands.
            if link.version() == version {
                return Some(entry);
            }
        }
    }

    /// The socket of the connection between the two ends of `flow`, without a reference: its
    /// memory is there as long as the guard.
    pub(super) fn glance<'r>(&self, rcu: &'r rcu::Guard, flow: &Flow) -> Option<&'r Sock<E>> {
        let link = CONNECTIONS.find(rcu, flow.hash(), |link| link.matches(flow))?;
        // SAFETY: A link of this kind is embedded in a socket.
        (link.kind() == Some(Kind::Sock)).then(|| unsafe { Sock::from_raw(sock_of::<E>(link)) })
    }

    /// The receiver of a packet: the connection that it was [found](Rx::found) to be for, or that
    /// of its flow.
    #[inline]
    pub(crate) fn receiver(&self, rcu: &rcu::Guard, rx: &Rx<'_>) -> Option<Entry<E>> {
        rx.found::<E>()
            .and_then(|sk| Self::still(sk, rx.flow()))
            .or_else(|| self.lookup(rcu, rx.flow(), rx.flow_hash()))
    }

    /// A reference to `sk` if it is in the table as the connection of `flow`.
    #[inline]
    fn still(sk: &Sock<E>, flow: &Flow) -> Option<Entry<E>> {
        let link = &sk.floor().link;
        let version = link.version();
        if link.place() != Place::Connections || !link.matches(flow) {
            return None;
        }
        let entry = sock_ref_of(link).map(Entry::Sock)?;
        // As in `lookup`.
        (link.version() == version).then_some(entry)
    }

    /// One more look, past an object that was found dying.
    fn lookup_again(&self, rcu: &rcu::Guard, flow: &Flow, hash: u32) -> Option<Entry<E>> {
        let link = CONNECTIONS.find(rcu, hash, |link| link.is_listed() && link.matches(flow))?;
        entry_of(link)
    }

    /// Enters the socket under its [`flow`](Sock::flow).
    ///
    /// # Errors
    ///
    /// `EADDRNOTAVAIL` if there is such a connection already, `EISCONN` if the socket is in a
    /// table.
    #[inline]
    pub(crate) fn insert(&self, ctx: &mut Ctx<'_, E>) -> Result {
        let flow = ctx.flow();
        let link = &ctx.floor().link;
        if link.is_listed() {
            return Err(EISCONN);
        }
        let hash = flow.hash();
        let mut bucket = CONNECTIONS.lock(hash).ok_or(ENOMEM)?;
        if bucket.iter().any(|other| other.matches(&flow)) {
            return Err(EADDRNOTAVAIL);
        }
        link.set_key(Kind::Sock, &flow, hash);
        link.set_place(Place::Connections);
        take_table_reference(ctx);
        // SAFETY: The link is in no chain, this is the bucket of its hash, and the reference
        // keeps the socket, which is freed after a grace period.
        unsafe { bucket.push(link) };
        Ok(())
    }

    /// Enters a half-open connection under its flow, whose hash may be known.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is such a connection already.
    pub(crate) fn insert_request(
        &self,
        mini: &MiniRef<E, E::Request>,
        hash: Option<FlowHash>,
    ) -> Result {
        let head = mini.head();
        // Any device may bring the next segment, unless the addresses mean something on one
        // device only.
        let mut flow = head.flow;
        if !flow.laddr.is_link_local() && !flow.raddr.is_link_local() {
            flow.ifindex = 0;
        }
        let hash = hash.map_or_else(|| flow.hash(), |hash| hash.0);
        let mut bucket = CONNECTIONS.lock(hash).ok_or(ENOMEM)?;
        if head.link.is_listed() || bucket.iter().any(|other| other.matches(&flow)) {
            return Err(EEXIST);
        }
        head.link.set_key(Kind::Request, &flow, hash);
        head.link.set_place(Place::Connections);
        head.hold();
        // SAFETY: The link is in no chain, this is the bucket of its hash, and the reference just
        // taken keeps the object, which is freed after a grace period.
        unsafe { bucket.push(&head.link) };
        Ok(())
    }

    /// Puts the accepted socket into the place of the half-open connection that it comes from.
    ///
    /// # Errors
    ///
    /// `ENOENT` if the half-open connection is not in the table any more.
    pub(crate) fn replace_request(
        &self,
        mini: &MiniRef<E, E::Request>,
        child: &mut Ctx<'_, E>,
    ) -> Result {
        let flow = child.flow();
        let (old, new) = (&mini.head().link, &child.floor().link);
        let hash = if old.matches(&flow) {
            old.hash()
        } else {
            flow.hash()
        };
        if new.is_listed() {
            return Err(EISCONN);
        }
        let mut bucket = CONNECTIONS.lock(hash).ok_or(ENOMEM)?;
        if !old.is_listed() || old.hash() != hash {
            return Err(ENOENT);
        }
        new.set_key(Kind::Sock, &flow, hash);
        // SAFETY: As in `insert`.
        if !unsafe { bucket.replace(old, new) } {
            return Err(ENOENT);
        }
        new.set_place(Place::Connections);
        old.set_place(Place::Nowhere);
        take_table_reference(child);
        drop(bucket);
        mini.head().left_table();
        Ok(())
    }

    /// Puts a connection in TIME-WAIT into the place of its socket.
    ///
    /// # Errors
    ///
    /// `ENOENT` if the socket is not in the table of connections.
    pub(crate) fn replace_with_time_wait(
        &self,
        ctx: &mut Ctx<'_, E>,
        mini: &MiniRef<E, E::TimeWait>,
    ) -> Result {
        let (old, new) = (&ctx.floor().link, &mini.head().link);
        let hash = old.hash();
        let mut bucket = CONNECTIONS.lock(hash).ok_or(ENOMEM)?;
        if old.place() != Place::Connections || new.is_listed() {
            return Err(ENOENT);
        }
        new.set_key(Kind::TimeWait, &mini.head().flow, hash);
        // SAFETY: The new link is in no chain; the reference below is taken before the bucket is
        // unlocked, and the object is freed after a grace period.
        if !unsafe { bucket.replace(old, new) } {
            return Err(ENOENT);
        }
        new.set_place(Place::Connections);
        old.set_place(Place::Nowhere);
        mini.head().hold();
        drop(bucket);
        put_table_reference(ctx);
        Ok(())
    }

    /// Takes the socket out of the table that it is in, if it is in one.
    #[inline]
    pub(crate) fn remove(&self, ctx: &mut Ctx<'_, E>) {
        let link = &ctx.floor().link;
        let table = match link.place() {
            Place::Connections => &CONNECTIONS,
            Place::Listeners => &LISTENERS,
            Place::Nowhere => return,
        };
        let Some(mut bucket) = table.lock(link.hash()) else {
            return;
        };
        if link.place() == Place::Listeners {
            group::quit(ctx);
        }
        let was_there = bucket.unlink(link);
        link.set_place(Place::Nowhere);
        drop(bucket);
        if was_there {
            put_table_reference(ctx);
        }
    }

    /// Takes out the half-open connections that `matches` takes: those of a listener that is
    /// being closed. `matches` runs with bucket and object locked.
    pub(crate) fn remove_requests(&self, mut matches: impl FnMut(&E::Request) -> bool) {
        for bucket in 0..CONNECTIONS.len() {
            while let Some(mini) = self.find_locked(bucket, |entry| match entry {
                Entry::Request(mini) if matches(&mini.lock()) => Some(mini),
                Entry::Sock(_) | Entry::Request(_) | Entry::TimeWait(_) => None,
            }) {
                mini.remove();
            }
        }
    }

    /// The first entry of a bucket that `pick` makes something of.
    fn find_locked<R>(
        &self,
        bucket: usize,
        mut pick: impl FnMut(Entry<E>) -> Option<R>,
    ) -> Option<R> {
        // Entries dropped here are never the last reference: the table has one, and the bucket
        // is locked.
        let bucket = CONNECTIONS.lock(bucket as u32)?;
        let found = bucket
            .iter()
            .filter(|link| link.kind() != Some(Kind::Sock))
            .filter_map(entry_of)
            .find_map(&mut pick);
        found
    }

    /// Takes everything out that is no socket and belongs to a namespace that is going away, and
    /// waits for its timers. Sockets hold their namespace, so there are none left. May sleep.
    pub(super) fn purge(&self, net: &Net) {
        let wanted = net.id().bits();
        for bucket in 0..CONNECTIONS.len() {
            loop {
                let found = CONNECTIONS.lock(bucket as u32).and_then(|bucket| {
                    bucket
                        .iter()
                        .filter(|link| link.kind() != Some(Kind::Sock) && link.net_bits() == wanted)
                        .find_map(entry_of::<E>)
                });
                match found {
                    Some(Entry::Request(mini)) => mini.remove_sync(),
                    Some(Entry::TimeWait(mini)) => mini.remove_sync(),
                    Some(Entry::Sock(_)) | None => break,
                }
            }
        }
    }
}

/// Takes a mini object out of the table of connections. False if it was in none.
pub(super) fn unlink_mini(head: &Head) -> bool {
    let Some(mut bucket) = CONNECTIONS.lock(head.link.hash()) else {
        return false;
    };
    if !head.link.is_listed() {
        return false;
    }
    head.link.set_place(Place::Nowhere);
    bucket.unlink(&head.link)
}
