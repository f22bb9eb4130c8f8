// SPDX-License-Identifier: GPL-2.0

//! The calls from the kernel, handed on to where they belong.

use kernel::prelude::*;
use kernel::seq_file::SeqFile;
use kernel::sync::Arc;

#[cfg(CONFIG_MY_NEWTCP_DIAG)]
use crate::demux;
use crate::diag;
use crate::endpoint::cb::Cb;
use crate::endpoint::{
    drive,
    Endpoint,
    Locked,
    Owned,
    Request,
    RequestRef,
    Shared,
    Sock,
    SockRef,
    TimeWaitRef,
    Waiting, //
};
use crate::engine::connection::Connection;
use crate::engine::dormant::Dormant;
use crate::icmp;
use crate::input;
use crate::linux::addr::SocketAddr;
use crate::linux::facts::Facts;
use crate::linux::icmp::IcmpError;
use crate::linux::msg::Msg;
use crate::linux::net::Net;
use crate::linux::poll::PollMask;
use crate::linux::proc_net::Columns;
use crate::linux::proto::Protocol;
use crate::linux::resident::Resident;
use crate::linux::rx::Rx;
use crate::linux::skb::{
    DropReason,
    SkBuff, //
};
use crate::linux::sockopt::{
    OptIn,
    OptOut, //
};
use crate::linux::statics::Statics;
use crate::linux::sysctl::{
    File,
    Text, //
};
use crate::linux::time::Timeout;
use crate::mib::Namespace;
use crate::socket;
#[cfg(CONFIG_MY_NEWTCP_DIAG)]
use crate::socket::options::info::{
    self,
    Snapshot, //
};
use crate::sysctl;
use crate::usage;

/// What a network namespace has of ours.
pub(crate) struct PerNet {
    pub(crate) namespace: Arc<Namespace>,
}

/// Octets not yet transmitted from which on a socket counts as full.
fn notsent_lowat(sk: &Sock) -> u32 {
    match sk.shared().notsent_lowat() {
        0 => sk
            .net()
            .get::<Endpoint>()
            .map_or(u32::MAX, |net| net.namespace.tuning.notsent_lowat()),
        own => own,
    }
}

impl Protocol for Endpoint {
    type Shared = Shared;
    type Resident = Connection;
    type Dormant = Dormant;
    type Request = Request;
    type TimeWait = Waiting;
    type Net = PerNet;
    type Cb = Cb;

    fn statics() -> &'static Statics<Self> {
        &crate::STATICS
    }

    #[inline]
    fn new(sk: &Sock) -> Result<impl PinInit<Self, Error>> {
        let namespace = sk.net().get::<Self>().ok_or(ENODEV);
        namespace.map(|per_net| Self::fresh(per_net.namespace.clone()))
    }

    fn net_init(_net: &Net) -> Result<Self::Net> {
        Ok(PerNet {
            namespace: Arc::pin_init(Namespace::new(), GFP_KERNEL)?,
        })
    }

    fn sysctl_file(row: usize) -> Option<&'static File> {
        sysctl::file(row)
    }

    fn sysctl_read(net: &PerNet, row: usize) -> Option<i64> {
        sysctl::read(&net.namespace, row)
    }

    fn sysctl_write(net: &PerNet, row: usize, number: i64) -> Result {
        sysctl::write(&net.namespace, row, number)
    }

    fn sysctl_read_text(net: &PerNet, row: usize, text: &mut Text) {
        sysctl::read_text(&net.namespace, row, text);
    }

    fn sysctl_write_text(net: &PerNet, row: usize, words: &[u8], first: bool) -> Result {
        sysctl::write_text(&net.namespace, row, words, first)
    }

    #[inline]
    fn wants_early_demux(net: &PerNet) -> bool {
        net.namespace.tuning.early_demux()
    }

    fn sysctl_init() {
        sysctl::init_host();
    }

    #[cfg(CONFIG_MY_NEWTCP_DIAG)]
    const INFO_LEN: usize = Snapshot::LEN;
    #[cfg(CONFIG_MY_NEWTCP_DIAG)]
    type Info = Snapshot;

    fn show_counters(net: &Net, out: &SeqFile) {
        if let Some(per_net) = net.get::<Self>() {
            per_net
                .namespace
                .for_each(|name, value| kernel::seq_print!(out, "{name} {value}\n"));
        }
        usage::counters(net, out);
    }

    fn show_usage(net: &Net, out: &SeqFile) {
        usage::show(net, out);
    }

    #[inline]
    fn close(sk: &Sock, timeout: Timeout) {
        socket::close::close(sk, timeout);
    }

    #[inline]
    fn accept(sk: &Sock, nonblocking: bool) -> Result<SockRef> {
        socket::accept::accept(sk, nonblocking)
    }

    #[inline]
    fn sendmsg(sk: &Sock, msg: &mut Msg<'_>, _len: usize) -> Result<usize> {
        socket::sendmsg::sendmsg(sk, msg)
    }

    #[inline]
    fn recvmsg(sk: &Sock, msg: &mut Msg<'_>, len: usize, flags: u32) -> Result<usize> {
        socket::recvmsg::recvmsg(sk, msg, len, flags)
    }

    fn ioctl(sk: &Sock, cmd: u32) -> Result<i32> {
        socket::ioctl::ioctl(sk, cmd)
    }

    fn setsockopt(sk: &Sock, level: i32, name: i32, value: OptIn<'_>) -> Result {
        socket::options::set(sk, level, name, value)
    }

    fn getsockopt(sk: &Sock, level: i32, name: i32, out: OptOut<'_>) -> Result {
        socket::options::get(sk, level, name, out)
    }

    fn keepalive(sk: &mut Locked<'_>, on: bool) {
        socket::options::keepalive(sk, on);
    }

    fn poll(sk: &Sock) -> PollMask {
        socket::poll::poll(sk)
    }

    fn abort(sk: &Sock, err: Error) -> Result {
        socket::close::abort(sk, err);
        Ok(())
    }

    fn peek_len(sk: &Sock) -> usize {
        sk.shared().unread() as usize
    }

    #[inline]
    fn connect(sk: &mut Owned<'_>, addr: SocketAddr) -> Result {
        socket::connect::connect(sk, addr)
    }

    fn disconnect(sk: &mut Owned<'_>, _flags: i32) -> Result {
        socket::connect::disconnect(sk)
    }

    fn listen(sk: &mut Owned<'_>, backlog: u32) -> Result {
        socket::listen::listen(sk, backlog)
    }

    fn shutdown(sk: &mut Owned<'_>, how: i32) {
        socket::shutdown::shutdown(sk, how as u8);
    }

    fn set_rcvlowat(sk: &mut Owned<'_>, bytes: u32) {
        crate::memory::set_rcvlowat(sk, bytes);
    }

    fn get_port(sk: &mut Owned<'_>, port: u16) -> Result {
        socket::bind::get_port(sk, port)
    }

    const WAKE_FOR_NS: u64 = Connection::DOZE_AFTER.as_nanos();

    #[inline]
    fn resident(self: Pin<&mut Self>) -> &mut Resident<Self> {
        &mut self.get_mut().connection
    }

    fn doze(connection: &Connection) -> Option<Dormant> {
        connection.doze()
    }

    fn wake(record: &[u8]) -> Connection {
        Dormant::wake(record)
    }

    fn put_port(sk: &mut Locked<'_>) {
        socket::bind::put_port(sk);
    }

    fn receive_locked(sk: &mut Locked<'_>, skb: SkBuff) {
        input::receive_locked(sk, skb);
    }

    fn on_timer(sk: &mut Locked<'_>) {
        drive::on_timer(sk);
        drive::rest(sk);
    }

    fn on_late_timer(sk: &mut Locked<'_>) {
        drive::on_late_timer(sk);
    }

    fn on_release(sk: &mut Locked<'_>) {
        if let Some(mtu) = sk.shared().take_pending_mtu() {
            // A caller in the C stack, or who only looks, can have locked one that sleeps.
            match sk.rouse() {
                Ok(()) => icmp::path_narrowed(sk, mtu),
                Err(_) => sk.shared().set_pending_mtu(mtu),
            }
        }
    }

    fn facts(sk: &mut Locked<'_>) -> Facts {
        diag::facts(sk)
    }

    fn columns(sk: &mut Locked<'_>) -> Columns {
        diag::columns(sk)
    }

    #[cfg(CONFIG_MY_NEWTCP_DIAG)]
    fn info(sk: &mut Locked<'_>) -> Snapshot {
        info::snapshot(sk)
    }

    #[cfg(CONFIG_MY_NEWTCP_DIAG)]
    fn congestion_name(sk: &mut Locked<'_>) -> &'static str {
        diag::congestion_name(sk)
    }

    fn request_facts(request: &RequestRef) -> Facts {
        diag::request_facts(request)
    }

    fn time_wait_facts(waiting: &TimeWaitRef) -> Facts {
        diag::time_wait_facts(waiting)
    }

    #[cfg(CONFIG_MY_NEWTCP_DIAG)]
    fn forget_request(request: &RequestRef) {
        demux::forget_request(request);
    }

    #[cfg(CONFIG_MY_NEWTCP_DIAG)]
    fn forget_time_wait(waiting: &TimeWaitRef) {
        demux::kill_time_wait(waiting);
    }

    fn memory_free(sk: &Sock, wake: bool) -> bool {
        // Whoever has stopped writing is woken when half of the room is free.
        let unsent = u64::from(sk.shared().unsent()) << u32::from(wake);
        unsent < u64::from(notsent_lowat(sk))
    }

    #[inline]
    fn receive(skb: SkBuff, rx: &Rx<'_>) {
        input::receive(skb, rx);
    }

    fn damaged(net: &Net, reason: DropReason) {
        if let Some(per_net) = net.get::<Self>() {
            input::count_unseen(&per_net.namespace, reason);
        }
    }

    fn icmp_error(error: &IcmpError<'_>) {
        icmp::receive(error);
    }

    fn request_timer(request: &RequestRef) {
        input::listen::on_timer(request);
    }

    fn time_wait_timer(waiting: &TimeWaitRef) {
        input::time_wait::on_timer(waiting);
    }
}
