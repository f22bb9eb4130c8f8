// SPDX-License-Identifier: GPL-2.0

//! The fields of `struct sock` that the protocol reads and writes, and its wake-ups.
//!
//! What [`Sock`] offers needs no lock: single words, read and written whole. What needs the lock
//! is on [`Ctx`].

use super::{
    Ctx,
    Owned,
    Sock, //
};
use crate::linux::{
    addr::{
        Flow,
        Ip,
        SocketAddr, //
    },
    bindings as b,
    net::Net,
    proto::Protocol,
    time::Timeout, //
};
use kernel::prelude::*;

/// A bit of `sk_flags`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum SockFlag {
    /// No file refers to the socket any more.
    Dead = b::sock_flags_SOCK_DEAD,
    /// The peer's FIN is in.
    Done = b::sock_flags_SOCK_DONE,
    /// `SO_KEEPALIVE`.
    KeepOpen = b::sock_flags_SOCK_KEEPOPEN,
    /// `SO_LINGER`.
    Linger = b::sock_flags_SOCK_LINGER,
    /// `SO_ZEROCOPY`.
    Zerocopy = b::sock_flags_SOCK_ZEROCOPY,
}

/// What `SIGIO` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wake {
    /// Something to read.
    In,
    /// Room to write, or connected.
    Out,
    /// Closed both ways.
    Hup,
}

/// `sk_userlocks`: the user bound an address, a port; set the buffers.
const BINDADDR_LOCK: u8 = b::SOCK_BINDADDR_LOCK as u8;
const BINDPORT_LOCK: u8 = b::SOCK_BINDPORT_LOCK as u8;
const SNDBUF_LOCK: u8 = b::SOCK_SNDBUF_LOCK as u8;
const RCVBUF_LOCK: u8 = b::SOCK_RCVBUF_LOCK as u8;

/// Generates getters around one helper each.
macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident($helper:ident) -> $ty:ty $(, $conv:expr)?;)*) => {$(
        $(#[$doc])*
        #[inline]
        pub(crate) fn $name(&self) -> $ty {
            // SAFETY: `self` is a live socket; the field is read in one access.
            let value = unsafe { b::$helper(self.as_raw()) };
            $(let value = ($conv)(value);)?
            value
        }
    )*};
}

/// A count that C keeps in an int and that is never negative when it matters.
fn count(n: i32) -> u32 {
    n.max(0) as u32
}

impl<E: Protocol> Sock<E> {
    getters! {
        /// The state, one of [`state`](crate::linux::state).
        state(newtcp_sk_state) -> u8;
        /// Made for IPv6, which may mean talking IPv4 through mapped addresses.
        is_v6(newtcp_sk_family) -> bool, |family| u32::from(family as u16) == b::AF_INET6;
        /// `IPV6_V6ONLY`.
        is_v6only(newtcp_sk_ipv6only) -> bool;
        /// `SO_BINDTODEVICE`, 0 for none.
        bound_ifindex(newtcp_sk_bound_ifindex) -> u32, count;
        /// `SO_MARK`.
        mark(newtcp_sk_mark) -> u32;
        /// `SO_REUSEADDR`.
        reuse(newtcp_sk_reuse) -> bool, |reuse| reuse != 0;
        /// `SO_REUSEPORT`.
        reuseport(newtcp_sk_reuseport) -> bool;
        /// It is in a group of sockets that share a port, maybe the only one.
        is_grouped(newtcp_reuseport_is_grouped) -> bool;
        /// `SO_INCOMING_CPU` is the processor that this runs on.
        is_for_this_cpu(newtcp_sk_is_for_this_cpu) -> bool;
        /// The user who made the socket.
        uid(newtcp_sk_uid) -> u32;
        /// The pending error as a positive errno, 0 for none; stays pending.
        err(newtcp_sk_err) -> i32;
        /// [`RCV_SHUTDOWN`](crate::linux::state::RCV_SHUTDOWN) and
        /// [`SEND_SHUTDOWN`](crate::linux::state::SEND_SHUTDOWN).
        shutdown_mask(newtcp_sk_shutdown) -> u8;
        /// The send buffer, bytes.
        sndbuf(newtcp_sndbuf) -> u32, count;
        /// The receive buffer, bytes.
        rcvbuf(newtcp_rcvbuf) -> u32, count;
        /// A writer waits for room in the send buffer.
        has_waiting_writer(newtcp_has_nospace) -> bool;
        /// Packets are to be spaced out (`SO_MAX_PACING_RATE`) and no packet scheduler does it.
        wants_pacing(newtcp_wants_pacing) -> bool;
        /// `SO_MAX_PACING_RATE` in bytes per second, `u64::MAX` for none.
        max_pacing_rate(newtcp_max_pacing_rate) -> u64;
        /// The caller may administer the network namespace (CAP_NET_ADMIN).
        may_administer_net(newtcp_is_net_admin) -> bool;
        /// `SO_RCVLOWAT`.
        rcvlowat(newtcp_rcvlowat) -> u32, count;
        /// Bytes of memory in the receive queues.
        rmem_alloc(newtcp_rmem_alloc) -> u32, count;
        /// A writer would be let in.
        is_writeable(newtcp_stream_is_writeable) -> bool;
        /// Bytes of memory that wait until the process that has the socket lets go of it.
        backlog_len(newtcp_backlog_len) -> u32, count;
        /// `SO_LINGER`'s time.
        linger_time(newtcp_lingertime) -> Timeout, Timeout;
        /// Something waits for `MSG_ERRQUEUE`.
        has_queued_errors(newtcp_has_queued_errors) -> bool;
    }

    /// The network namespace.
    #[inline]
    pub(crate) fn net(&self) -> &Net {
        // SAFETY: A socket keeps its namespace alive.
        unsafe { Net::from_raw(b::newtcp_sock_net(self.as_raw())) }
    }

    /// Our address and port, unspecified and 0 before they are known.
    pub(crate) fn local(&self) -> SocketAddr {
        let mut addr = SocketAddr::default();
        // SAFETY: `self` is live, both out pointers are valid.
        unsafe { b::newtcp_sk_local(self.as_raw(), addr.ip.as_in6_mut(), &raw mut addr.port) };
        addr
    }

    /// The peer's address and port, unspecified and 0 while there is none.
    pub(crate) fn remote(&self) -> SocketAddr {
        let mut addr = SocketAddr::default();
        // SAFETY: `self` is live, both out pointers are valid.
        unsafe { b::newtcp_sk_remote(self.as_raw(), addr.ip.as_in6_mut(), &raw mut addr.port) };
        addr
    }

    /// Both ends: the key in the connection table.
    pub(crate) fn flow(&self) -> Flow {
        let (local, remote) = (self.local(), self.remote());
        Flow {
            net: self.net().id(),
            laddr: local.ip,
            lport: local.port,
            raddr: remote.ip,
            rport: remote.port,
            ifindex: self.bound_ifindex(),
        }
    }

    /// Packets of this socket travel in IPv6.
    pub(crate) fn sends_v6(&self) -> bool {
        self.is_v6() && !self.remote().ip.is_v4()
    }

    /// It takes a port that others have who share theirs with it (`SO_REUSEPORT`). One that has a
    /// program to choose among listeners already, and with it a group, does not join another's.
    pub(crate) fn joins_others(&self) -> bool {
        self.reuseport() && !self.is_grouped()
    }

    /// The range that ports are picked from, both ends included.
    pub(crate) fn local_port_range(&self) -> (u16, u16) {
        let (mut low, mut high) = (0, 0);
        // SAFETY: `self` is live, both out pointers are valid.
        unsafe { b::inet_sk_get_local_port_range(self.as_raw(), &raw mut low, &raw mut high) };
        (low.clamp(0, 65_535) as u16, high.clamp(0, 65_535) as u16)
    }

    /// One bit of `sk_flags`.
    #[inline]
    pub(crate) fn flag(&self, flag: SockFlag) -> bool {
        // SAFETY: `self` is a live socket.
        unsafe { b::newtcp_sk_flag(self.as_raw(), flag as u32) }
    }

    fn user_lock(&self, bit: u8) -> bool {
        // SAFETY: `self` is a live socket.
        unsafe { b::newtcp_sk_userlocks(self.as_raw()) & bit != 0 }
    }

    /// The user bound to this very port.
    pub(crate) fn is_port_locked(&self) -> bool {
        self.user_lock(BINDPORT_LOCK)
    }

    /// The user bound to this very address.
    pub(crate) fn is_addr_locked(&self) -> bool {
        self.user_lock(BINDADDR_LOCK)
    }

    /// The user set the send buffer, which therefore does not grow by itself.
    pub(crate) fn sndbuf_locked(&self) -> bool {
        self.user_lock(SNDBUF_LOCK)
    }

    /// The user set the receive buffer, which therefore does not grow by itself.
    pub(crate) fn rcvbuf_locked(&self) -> bool {
        self.user_lock(RCVBUF_LOCK)
    }

    /// How long a writer waits.
    pub(crate) fn sndtimeo(&self, nonblocking: bool) -> Timeout {
        // SAFETY: `self` is a live socket.
        Timeout(unsafe { b::newtcp_sndtimeo(self.as_raw(), nonblocking) })
    }

    /// How long a reader waits.
    pub(crate) fn rcvtimeo(&self, nonblocking: bool) -> Timeout {
        // SAFETY: `self` is a live socket.
        Timeout(unsafe { b::newtcp_rcvtimeo(self.as_raw(), nonblocking) })
    }

    /// Takes the pending error, if there is one.
    pub(crate) fn take_error(&self) -> Result {
        // SAFETY: `self` is a live socket; the error is exchanged for 0 in one step.
        kernel::error::to_result(unsafe { b::newtcp_sock_error(self.as_raw()) })
    }

    /// Makes an error pending. Whoever waits learns of it by
    /// [`error_report`](Self::error_report).
    pub(crate) fn set_err(&self, err: Error) {
        // SAFETY: `self` is a live socket.
        unsafe { b::newtcp_sk_set_err(self.as_raw(), err.to_errno().saturating_neg()) };
    }

    /// Notes trouble that may pass; a later time-out reports it as its cause.
    pub(crate) fn set_err_soft(&self, err: Error) {
        // SAFETY: `self` is a live socket.
        unsafe { b::newtcp_sk_set_err_soft(self.as_raw(), err.to_errno().saturating_neg()) };
    }

    /// As [`is_writeable`](Self::is_writeable); if not, a wake-up follows when it becomes so.
    pub(crate) fn is_writeable_or_ask(&self) -> bool {
        if self.is_writeable() {
            return true;
        }
        // SAFETY: `self` is a live socket. The flag is set before the second look, so room made
        // in between is either seen here or reported to us.
        unsafe { b::newtcp_set_nospace(self.as_raw()) };
        self.is_writeable()
    }

    /// Wakes everyone who waits for this socket: its state has changed.
    pub(crate) fn state_change(&self) {
        // SAFETY: `self` is a live socket; the callback copes with one that has no file.
        unsafe { b::newtcp_state_change(self.as_raw()) };
    }

    /// Wakes readers.
    pub(crate) fn data_ready(&self) {
        // SAFETY: As in `state_change`.
        unsafe { b::newtcp_data_ready(self.as_raw()) };
    }

    /// Wakes writers if one has been turned away and there is room now.
    pub(crate) fn write_space(&self) {
        // SAFETY: As in `state_change`.
        unsafe { b::newtcp_write_space(self.as_raw()) };
    }

    /// Wakes everyone who waits: there is a pending error.
    pub(crate) fn error_report(&self) {
        // SAFETY: As in `state_change`.
        unsafe { b::sk_error_report(self.as_raw()) };
    }

    /// Sends `SIGIO` to those who asked for it.
    pub(crate) fn wake_async(&self, wake: Wake) {
        let (how, band) = match wake {
            Wake::In => (b::SOCK_WAKE_WAITD, b::NEWTCP_POLL_IN),
            Wake::Out => (b::SOCK_WAKE_IO, b::NEWTCP_POLL_OUT),
            Wake::Hup => (b::SOCK_WAKE_WAITD, b::NEWTCP_POLL_HUP),
        };
        // SAFETY: As in `state_change`.
        unsafe { b::newtcp_wake_async(self.as_raw(), how as i32, band as i32) };
    }
}

impl<E: Protocol> Ctx<'_, E> {
    /// Changes the state, one of [`state`](crate::linux::state).
    pub(crate) fn set_state(&mut self, state: u8) {
        // The stack takes a full socket in one of these two for a mini socket and reads it as one.
        if matches!(u32::from(state), b::TCP_TIME_WAIT | b::TCP_NEW_SYN_RECV) {
            kernel::warn_on!(true);
            return;
        }
        // SAFETY: The socket is locked.
        unsafe { b::newtcp_sk_set_state(self.as_raw(), i32::from(state)) };
    }

    /// Changes one bit of `sk_flags`.
    pub(crate) fn set_flag(&mut self, flag: SockFlag, on: bool) {
        if flag == SockFlag::Dead {
            // Only `orphan` may: the life of the socket hangs on it.
            return;
        }
        // SAFETY: The socket is locked.
        unsafe { b::newtcp_sk_assign_flag(self.as_raw(), flag as u32, on) };
    }

    /// Changes what has been shut down.
    pub(crate) fn set_shutdown_mask(&mut self, mask: u8) {
        // SAFETY: The socket is locked.
        unsafe { b::newtcp_sk_set_shutdown(self.as_raw(), mask) };
    }

    /// Changes our address.
    pub(crate) fn set_local_addr(&mut self, ip: Ip) {
        // SAFETY: The socket is locked and the address readable.
        unsafe { b::newtcp_sk_set_local_addr(self.as_raw(), ip.as_in6()) };
    }

    /// Changes our port; 0 for none.
    pub(crate) fn set_local_port(&mut self, port: u16) {
        // SAFETY: The socket is locked.
        unsafe { b::newtcp_sk_set_local_port(self.as_raw(), port) };
    }

    /// Changes the peer's address and port.
    pub(crate) fn set_remote(&mut self, ip: Ip, port: u16) {
        // SAFETY: The socket is locked and the address readable.
        unsafe { b::newtcp_sk_set_remote(self.as_raw(), ip.as_in6(), port) };
    }

    /// Forgets the peer, and our address unless the user bound it.
    pub(crate) fn clear_remote(&mut self) {
        let any = if self.is_v6() { Ip::V6_ANY } else { Ip::V4_ANY };
        self.set_remote(any, 0);
        if !self.is_addr_locked() {
            // SAFETY: The socket is locked.
            unsafe { b::newtcp_sk_reset_saddr(self.as_raw()) };
        }
    }

    /// Changes the send buffer.
    pub(crate) fn set_sndbuf(&mut self, bytes: u32) {
        // SAFETY: The socket is locked.
        unsafe { b::newtcp_set_sndbuf(self.as_raw(), bytes.min(i32::MAX as u32) as i32) };
    }

    /// Changes the receive buffer.
    pub(crate) fn set_rcvbuf(&mut self, bytes: u32) {
        // SAFETY: The socket is locked.
        unsafe { b::newtcp_set_rcvbuf(self.as_raw(), bytes.min(i32::MAX as u32) as i32) };
    }

    /// Changes `SO_RCVLOWAT`.
    pub(crate) fn set_rcvlowat(&mut self, bytes: u32) {
        // SAFETY: The socket is locked.
        unsafe { b::newtcp_set_rcvlowat(self.as_raw(), bytes.min(i32::MAX as u32) as i32) };
    }

    /// Shows `accept()`'s queue to `ss` and its kind: how many wait, of how many.
    pub(crate) fn show_backlog(&mut self, ready: u32, max: u32) {
        // SAFETY: The socket is locked.
        unsafe {
            b::newtcp_set_ack_backlog(self.as_raw(), ready);
            b::newtcp_set_max_ack_backlog(self.as_raw(), max);
        }
    }
}

impl<E: Protocol> Owned<'_, E> {}
