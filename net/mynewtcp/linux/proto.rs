// SPDX-License-Identifier: GPL-2.0

//! What a protocol has to provide, and the `struct proto` made of it.
//!
//! A protocol implements [`Protocol`] on its per-socket object. Each method says in its
//! argument's type which lock is held and whether it may sleep; `callbacks` has the C functions
//! that call them.

pub(super) mod callbacks;

use super::{
    addr::SocketAddr,
    bindings as b,
    facts::Facts,
    icmp::IcmpError,
    mini::MiniRef,
    msg::Msg,
    net::Net,
    poll::PollMask,
    proc_net::Columns,
    resident::Resident,
    rx::Rx,
    skb::{
        DropReason,
        SkBuff,
        SkbCb, //
    },
    sock::{
        Locked,
        NewtcpSock,
        Owned,
        Sock,
        SockRef, //
    },
    sockopt::{
        OptIn,
        OptOut, //
    },
    statics::Statics,
    sysctl::{
        File,
        Text, //
    },
    time::Timeout,
};
use core::{
    mem::offset_of,
    pin::Pin, //
};
use kernel::{
    ffi,
    prelude::*,
    seq_file::SeqFile, //
};

/// The protocol's number in the IP header.
pub(crate) const IP_PROTOCOL: u8 = b::NEWTCP_IPPROTO as u8;

/// The name of the protocol in `/proc/net/protocols`.
const NAME: &[u8] = b"NEW_TCP";

/// A transport protocol, implemented on the object that each of its sockets has.
pub(crate) trait Protocol: Send + Sized + Unpin + 'static {
    /// The part of a socket that needs no lock: atomics.
    type Shared: Default + Send + Sync;
    /// What a socket has while it is connected.
    type Resident: Send;
    /// The octets that are left of it while it sleeps, 255 at most.
    type Dormant: AsRef<[u8]>;
    /// What a half-open connection carries.
    type Request: Send + 'static;
    /// What a connection in TIME-WAIT carries.
    type TimeWait: Send + 'static;
    /// What a network namespace carries.
    type Net: Send + Sync + 'static;
    /// The control block of an skb in a queue.
    type Cb: SkbCb;

    /// The static tables of this protocol.
    fn statics() -> &'static Statics<Self>;

    /// The object of a new socket, initialised in place.
    fn new(sk: &Sock<Self>) -> Result<impl PinInit<Self, Error>>;

    /// The object of a new namespace.
    fn net_init(net: &Net) -> Result<Self::Net>;

    /// The file of `net.mynewtcp` in row `row`, `None` behind the last one.
    fn sysctl_file(row: usize) -> Option<&'static File>;

    /// What the file of a row says; `None` if it has no number.
    fn sysctl_read(net: &Self::Net, row: usize) -> Option<i64>;

    /// `number`, which is in the file's range, was written to the file of a row.
    fn sysctl_write(net: &Self::Net, row: usize, number: i64) -> Result;

    /// Puts what the file of a row says into `text`.
    fn sysctl_read_text(net: &Self::Net, row: usize, text: &mut Text);

    /// `words` were written to the file of a row, in the `first` namespace or in another.
    fn sysctl_write_text(net: &Self::Net, row: usize, words: &[u8], first: bool) -> Result;

    /// Whether packets to the sockets of a namespace get their socket before their route.
    fn wants_early_demux(net: &Self::Net) -> bool;

    /// Sets what belongs to the host, before the first namespace is.
    fn sysctl_init();

    #[cfg(CONFIG_MY_NEWTCP_DIAG)]
    /// Octets of [`Info`](Self::Info).
    const INFO_LEN: usize;
    #[cfg(CONFIG_MY_NEWTCP_DIAG)]
    /// What `INET_DIAG_INFO` and `TCP_INFO` answer.
    type Info: AsRef<[u8]>;

    /// Writes the counters of a namespace, one to a line.
    fn show_counters(net: &Net, out: &SeqFile);

    /// Writes who uses how many sockets and pages, and what the limits are.
    fn show_usage(net: &Net, out: &SeqFile);

    // Process context, nothing locked.

    /// The last file has been closed. Leads to [`Locked::destroy`], now or when the connection
    /// is over.
    fn close(sk: &Sock<Self>, timeout: Timeout);
    /// The next connection of a listener.
    fn accept(sk: &Sock<Self>, nonblocking: bool) -> Result<SockRef<Self>>;
    /// Sends `len` bytes.
    fn sendmsg(sk: &Sock<Self>, msg: &mut Msg<'_>, len: usize) -> Result<usize>;
    /// Receives up to `len` bytes.
    fn recvmsg(sk: &Sock<Self>, msg: &mut Msg<'_>, len: usize, flags: u32) -> Result<usize>;
    /// Answers an [`ioctl`](super::ioctl) with a number.
    fn ioctl(sk: &Sock<Self>, cmd: u32) -> Result<i32>;
    /// Sets an option of any level except `SOL_SOCKET`.
    fn setsockopt(sk: &Sock<Self>, level: i32, name: i32, value: OptIn<'_>) -> Result;
    /// Reads an option of any level except `SOL_SOCKET`.
    fn getsockopt(sk: &Sock<Self>, level: i32, name: i32, out: OptOut<'_>) -> Result;
    /// What the socket is ready for. Must not sleep.
    fn poll(sk: &Sock<Self>) -> PollMask;
    /// Ends the connection with `err` (SOCK_DESTROY).
    fn abort(sk: &Sock<Self>, err: Error) -> Result;
    /// How many bytes a read would find.
    fn peek_len(sk: &Sock<Self>) -> usize;

    // Process context, socket locked.

    /// Starts a connection: on success the state is SYN-SENT and the caller waits for it to
    /// change.
    fn connect(sk: &mut Owned<'_, Self>, addr: SocketAddr) -> Result;
    /// Ends a connection, or an attempt, at once; the socket can be used again.
    fn disconnect(sk: &mut Owned<'_, Self>, flags: i32) -> Result;
    /// Starts listening, or changes the backlog.
    fn listen(sk: &mut Owned<'_, Self>, backlog: u32) -> Result;
    /// The user shut down the directions in `how`.
    fn shutdown(sk: &mut Owned<'_, Self>, how: i32);
    /// `SO_RCVLOWAT`: reading waits for so many bytes.
    fn set_rcvlowat(sk: &mut Owned<'_, Self>, bytes: u32);
    /// Takes a local port, any if `port` is 0.
    fn get_port(sk: &mut Owned<'_, Self>, port: u16) -> Result;

    // Socket locked, must not sleep.

    /// Where the resident of a socket is.
    fn resident(self: Pin<&mut Self>) -> &mut Resident<Self>;
    /// What is left of a resident while it sleeps, if it can.
    fn doze(resident: &Self::Resident) -> Option<Self::Dormant>;
    /// The resident that [dozed off](Self::doze), exactly, from what was left of it.
    fn wake(record: &[u8]) -> Self::Resident;
    /// How long after it was woken its timer has to look at it, in nanoseconds.
    const WAKE_FOR_NS: u64;

    /// Gives the local port back.
    fn put_port(sk: &mut Locked<'_, Self>);
    /// `SO_KEEPALIVE` has changed.
    fn keepalive(sk: &mut Locked<'_, Self>, on: bool);
    /// A packet for the socket, directly or from its backlog.
    fn receive_locked(sk: &mut Locked<'_, Self>, skb: SkBuff);
    /// The timer has gone off, maybe early.
    fn on_timer(sk: &mut Locked<'_, Self>);

    /// The same, after a process had the socket when it went off.
    fn on_late_timer(sk: &mut Locked<'_, Self>);
    /// A process is about to release the socket.
    fn on_release(_sk: &mut Locked<'_, Self>) {}

    /// What diagnosis says of a socket.
    fn facts(sk: &mut Locked<'_, Self>) -> Facts;
    /// The last columns of a socket in `/proc`.
    fn columns(sk: &mut Locked<'_, Self>) -> Columns;
    /// The answer to `TCP_INFO`.
    #[cfg(CONFIG_MY_NEWTCP_DIAG)]
    fn info(sk: &mut Locked<'_, Self>) -> Self::Info;
    /// The congestion control algorithm.
    #[cfg(CONFIG_MY_NEWTCP_DIAG)]
    fn congestion_name(sk: &mut Locked<'_, Self>) -> &'static str;

    // Process context, nothing locked.

    /// What diagnosis says of a half-open connection.
    fn request_facts(request: &MiniRef<Self, Self::Request>) -> Facts;
    /// What diagnosis says of a connection in TIME-WAIT.
    fn time_wait_facts(time_wait: &MiniRef<Self, Self::TimeWait>) -> Facts;
    /// Ends a half-open connection without a word.
    #[cfg(CONFIG_MY_NEWTCP_DIAG)]
    fn forget_request(request: &MiniRef<Self, Self::Request>);
    /// Ends TIME-WAIT early.
    #[cfg(CONFIG_MY_NEWTCP_DIAG)]
    fn forget_time_wait(time_wait: &MiniRef<Self, Self::TimeWait>);

    // Any context, nothing locked, must not sleep.

    /// A condition of the protocol's for letting a writer in.
    fn memory_free(sk: &Sock<Self>, wake: bool) -> bool;

    // Softirq, nothing locked, under RCU.

    /// A packet of the protocol: its header of 20 bytes is linear, its checksum sum begun.
    fn receive(skb: SkBuff, rx: &Rx<'_>);
    /// A packet was refused before [`receive`](Self::receive), for this reason.
    fn damaged(net: &Net, reason: DropReason);
    /// An ICMP message about a packet of ours.
    fn icmp_error(error: &IcmpError<'_>);
    /// The timer of a half-open connection has gone off, maybe early.
    fn request_timer(request: &MiniRef<Self, Self::Request>);
    /// The timer of a connection in TIME-WAIT has gone off, maybe early.
    fn time_wait_timer(time_wait: &MiniRef<Self, Self::TimeWait>);
}

const fn name() -> [ffi::c_char; 32] {
    let mut name = [0; 32];
    let mut i = 0;
    while i < NAME.len() {
        name[i] = NAME[i];
        i += 1;
    }
    name
}

/// `struct proto` of protocol `E`, which [`Registration`](super::init) hands to the C stack.
pub(super) const fn table<E: Protocol>() -> b::proto {
    let mut proto: b::proto = pin_init::zeroed();
    proto.name = name();
    proto.close = Some(callbacks::close::<E>);
    proto.pre_connect = Some(callbacks::pre_connect);
    proto.connect = Some(callbacks::connect::<E>);
    proto.disconnect = Some(callbacks::disconnect::<E>);
    proto.accept = Some(callbacks::accept::<E>);
    proto.ioctl = Some(callbacks::ioctl::<E>);
    proto.init = Some(callbacks::init::<E>);
    proto.destroy = Some(callbacks::destroy::<E>);
    proto.shutdown = Some(callbacks::shutdown::<E>);
    proto.setsockopt = Some(callbacks::setsockopt::<E>);
    proto.getsockopt = Some(callbacks::getsockopt::<E>);
    proto.keepalive = Some(callbacks::keepalive::<E>);
    proto.sendmsg = Some(callbacks::sendmsg::<E>);
    proto.recvmsg = Some(callbacks::recvmsg::<E>);
    proto.backlog_rcv = Some(callbacks::backlog_rcv::<E>);
    proto.release_cb = Some(callbacks::release_cb::<E>);
    proto.hash = Some(callbacks::hash);
    proto.unhash = Some(callbacks::unhash::<E>);
    proto.get_port = Some(callbacks::get_port::<E>);
    proto.put_port = Some(callbacks::put_port::<E>);
    proto.stream_memory_free = Some(callbacks::stream_memory_free::<E>);
    proto.diag_destroy = Some(callbacks::diag_destroy::<E>);
    proto.enter_memory_pressure = Some(callbacks::enter_memory_pressure);
    proto.leave_memory_pressure = Some(callbacks::leave_memory_pressure);
    proto.memory_allocated = &raw mut b::newtcp_memory_allocated;
    proto.per_cpu_fw_alloc = &raw mut b::newtcp_memory_per_cpu_fw_alloc;
    proto.sockets_allocated = &raw mut b::newtcp_sockets_allocated;
    proto.memory_pressure = &raw mut b::newtcp_memory_pressure;
    proto.sysctl_mem = (&raw mut b::newtcp_sysctl_mem).cast();
    proto.sysctl_wmem_offset = b::NEWTCP_SYSCTL_WMEM_OFFSET;
    proto.sysctl_rmem_offset = b::NEWTCP_SYSCTL_RMEM_OFFSET;
    proto.max_header = b::NEWTCP_MAX_HEADER as ffi::c_int;
    // A write to a socket that is not connected is an error, not a reason to bind it.
    proto.no_autobind = true;
    // Every socket pays for what we add to the C stack's part.
    const { assert!(NewtcpSock::<E>::OWN <= 368) };
    proto.obj_size = size_of::<NewtcpSock<E>>() as u32;
    proto.ipv6_pinfo_offset = offset_of!(NewtcpSock<E>, inet6) as u32;
    proto
}
