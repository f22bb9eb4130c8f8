// SPDX-License-Identifier: GPL-2.0

//! Socket diagnosis (`inet_diag`): questions about sockets over netlink, for protocol
//! [`IP_PROTOCOL`].
//!
//! A dump walks listeners, then sockets that have a port and nothing else, then connections, a
//! handful at a time. Where it has got to is in `args` of the dump: phase, bucket, position.

use super::{
    addr::{
        Flow,
        Ip, //
    },
    bindings as b,
    compat::prelude::*,
    demux::{
        self,
        Entry,
        Handful,
        Shelf, //
    },
    facts::Facts,
    mini::Head,
    net::Net,
    ports::{
        self,
        Ports, //
    },
    proto::{
        Protocol,
        IP_PROTOCOL, //
    },
    sock::Sock,
    state, //
};
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    ffi,
    sync::{
        atomic::Relaxed,
        rcu, //
    }, //
};

/// The bit of a question's states that asks for sockets with a port and nothing else.
const BOUND_INACTIVE: u32 = 1 << b::TCP_BOUND_INACTIVE;

/// A message does not fit.
struct Full;

/// Who asks, and for what.
struct Question<'a> {
    cb: *mut b::netlink_callback,
    req: &'a b::inet_diag_req_v2,
    net: &'a Net,
    net_admin: bool,
    flags: ffi::c_int,
}

/// `struct inet_diag_handler` of protocol `E`.
pub(super) const fn table<E: Protocol>() -> b::inet_diag_handler {
    let mut handler: b::inet_diag_handler = pin_init::zeroed();
    handler.dump = Some(dump::<E>);
    handler.dump_one = Some(dump_one::<E>);
    handler.idiag_get_info = Some(get_info::<E>);
    #[cfg(CONFIG_INET_DIAG_DESTROY)]
    {
        handler.destroy = Some(destroy::<E>);
    }
    handler.idiag_type = IP_PROTOCOL as u16;
    handler.idiag_info_size = E::INFO_LEN as u16;
    handler
}

impl<'a> Question<'a> {
    /// # Safety
    ///
    /// Both pointers must be those that a handler is called with, for the duration of the call.
    unsafe fn new(
        cb: *mut b::netlink_callback,
        req: *const b::inet_diag_req_v2,
        flags: u32,
    ) -> Self {
        // SAFETY: By the contract; the asking socket holds its namespace.
        unsafe {
            let skb = b::newtcp_diag_question(cb);
            Self {
                cb,
                req: &*req,
                net: Net::from_raw(b::newtcp_diag_net(skb)),
                net_admin: b::newtcp_diag_net_admin(skb),
                flags: flags as ffi::c_int,
            }
        }
    }

    fn wants_state(&self, state: u8) -> bool {
        1u32.checked_shl(u32::from(state))
            .is_some_and(|bit| self.req.idiag_states & bit != 0)
    }

    fn wants(&self, extension: u32) -> bool {
        u32::from(self.req.idiag_ext) & (1 << (extension - 1)) != 0
    }

    /// The ports of the question, 0 for any, fit.
    fn wants_ports(&self, lport: u16, rport: u16) -> bool {
        let id = &self.req.id;
        (id.idiag_sport == 0 || id.idiag_sport == lport.to_be())
            && (id.idiag_dport == 0 || id.idiag_dport == rport.to_be())
    }

    fn wants_family(&self, v6: bool) -> bool {
        let family = if v6 { b::AF_INET6 } else { b::AF_INET };
        self.req.sdiag_family == 0 || u32::from(self.req.sdiag_family) == family
    }
}

/// A message being written; dropped without [`finish`](Self::finish) it is taken back.
struct Message {
    skb: *mut b::sk_buff,
    nlh: *mut b::nlmsghdr,
}

impl Message {
    /// # Safety
    ///
    /// `skb` must be what the answers to `question` go into.
    unsafe fn new(skb: *mut b::sk_buff, question: &Question<'_>) -> Result<Self, Full> {
        // SAFETY: By the contract.
        let nlh = unsafe { b::newtcp_diag_begin(skb, question.cb, question.flags) };
        if nlh.is_null() {
            return Err(Full);
        }
        Ok(Self { skb, nlh })
    }

    fn body(&mut self) -> *mut b::inet_diag_msg {
        // SAFETY: The message was begun and has room for its body.
        unsafe { b::newtcp_diag_msg(self.nlh) }
    }

    /// Fills in the body: `common` is a socket, or a stand-in for one.
    ///
    /// # Safety
    ///
    /// The common part of `common` must be valid.
    unsafe fn fill(&mut self, common: *mut b::sock, facts: &Facts) {
        let body = self.body();
        // SAFETY: By the contract; the body is writable.
        unsafe {
            b::inet_diag_msg_common_fill(body, common);
            (*body).idiag_state = facts.state;
            (*body).idiag_timer = facts.timer as u8;
            (*body).idiag_retrans = facts.retrans;
            (*body).idiag_expires = facts.expires_ms;
            (*body).idiag_rqueue = facts.rqueue;
            (*body).idiag_wqueue = facts.wqueue;
            (*body).idiag_uid = 0;
            (*body).idiag_inode = 0;
        }
    }

    fn finish(mut self) {
        // SAFETY: The message was begun in this buffer.
        unsafe { b::newtcp_diag_end(self.skb, self.nlh) };
        self.nlh = null_mut();
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        if !self.nlh.is_null() {
            // SAFETY: The message was begun in this buffer and is the last one in it.
            unsafe { b::newtcp_diag_cancel(self.skb, self.nlh) };
        }
    }
}

fn ok_or_full(fits: bool) -> Result<(), Full> {
    if fits {
        Ok(())
    } else {
        Err(Full)
    }
}

/// Writes the answer about a socket. May sleep for its lock.
///
/// # Safety
///
/// `skb` must be what the answers to `question` go into.
unsafe fn fill_sock<E: Protocol>(
    skb: *mut b::sk_buff,
    question: &Question<'_>,
    sock: &Sock<E>,
) -> Result<(), Full> {
    let (facts, info, congestion) = sock.look(|sk| {
        let info = question.wants(b::INET_DIAG_INFO).then(|| E::info(sk));
        (E::facts(sk), info, E::congestion_name(sk))
    });
    let sk = sock.as_raw();
    // SAFETY: By the contract, and the socket is live.
    unsafe {
        let mut message = Message::new(skb, question)?;
        message.fill(sk, &facts);
        let body = message.body();
        let extensions = ffi::c_int::from(question.req.idiag_ext);
        ok_or_full(b::newtcp_diag_sock_attrs(
            sk,
            skb,
            body,
            question.cb,
            extensions,
            question.net_admin,
        ))?;
        if let Some(info) = info {
            let info = info.as_ref();
            ok_or_full(b::newtcp_diag_put_info(
                skb,
                info.len() as ffi::c_int,
                info.as_ptr().cast(),
            ))?;
        }
        if question.wants(b::INET_DIAG_CONG) {
            ok_or_full(b::newtcp_diag_put_congestion(
                skb,
                congestion.as_ptr().cast(),
                congestion.len() as ffi::c_int,
            ))?;
        }
        message.finish();
    }
    Ok(())
}

/// A request on the stack that has the common part of a socket, filled in from a mini object.
fn stand_in(net: &Net, head: &Head) -> b::inet_request_sock {
    let mut ireq = b::inet_request_sock::default();
    let flow = &head.flow;
    // SAFETY: All pointers are valid for the call.
    unsafe {
        b::newtcp_diag_stand_in(
            &raw mut ireq,
            net.as_raw(),
            flow.is_v4(),
            flow.laddr.as_in6(),
            flow.lport,
            flow.raddr.as_in6(),
            flow.rport,
            flow.ifindex as ffi::c_int,
            head.cookie.load(Relaxed),
        );
    }
    ireq
}

/// Writes the answer about a mini object.
///
/// # Safety
///
/// `skb` must be what the answers to `question` go into.
unsafe fn fill_mini(
    skb: *mut b::sk_buff,
    question: &Question<'_>,
    head: &Head,
    facts: &Facts,
) -> Result<(), Full> {
    let mut ireq = stand_in(question.net, head);
    // SAFETY: By the contract; what reads the stand-in reads the common part only.
    unsafe {
        let mut message = Message::new(skb, question)?;
        message.fill((&raw mut ireq).cast(), facts);
        // The cookie that it was given the first time is its cookie from now on.
        let cookie = b::newtcp_diag_stand_in_cookie(&raw mut ireq);
        head.cookie.store(cookie, Relaxed);
        if question.net_admin {
            ok_or_full(b::newtcp_diag_put_mark(skb, 0))?;
        }
        message.finish();
    }
    Ok(())
}

/// Writes the answer about `entry`, if it is one of those asked for.
///
/// # Safety
///
/// `skb` must be what the answers to `question` go into.
unsafe fn answer<E: Protocol>(
    skb: *mut b::sk_buff,
    question: &Question<'_>,
    entry: &Entry<E>,
) -> Result<(), Full> {
    // SAFETY: By the contract for all of it; the entries are live.
    unsafe {
        let (head, facts) = match entry {
            Entry::Sock(sock) => return answer_sock(skb, question, sock),
            Entry::Request(mini) if question.wants_state(state::SYN_RECV) => {
                (mini.head(), E::request_facts(mini))
            }
            Entry::TimeWait(mini) => {
                let facts = E::time_wait_facts(mini);
                if !question.wants_state(facts.state) {
                    return Ok(());
                }
                (mini.head(), facts)
            }
            Entry::Request(_) => return Ok(()),
        };
        let flow = &head.flow;
        if !question.wants_family(!flow.is_v4()) || !question.wants_ports(flow.lport, flow.rport) {
            return Ok(());
        }
        let mut ireq = stand_in(question.net, head);
        if !b::newtcp_diag_wanted(question.cb, (&raw mut ireq).cast()) {
            return Ok(());
        }
        fill_mini(skb, question, head, &facts)
    }
}

/// # Safety
///
/// As for [`answer`].
unsafe fn answer_sock<E: Protocol>(
    skb: *mut b::sk_buff,
    question: &Question<'_>,
    sock: &Sock<E>,
) -> Result<(), Full> {
    let flow = sock.flow();
    let state = sock.state();
    let wanted = if state == state::CLOSE {
        question.req.idiag_states & BOUND_INACTIVE != 0
    } else {
        question.wants_state(state)
    };
    if !wanted
        || !question.wants_family(sock.is_v6())
        || !question.wants_ports(flow.lport, flow.rport)
    {
        return Ok(());
    }
    // SAFETY: The socket is live; the rest by the contract.
    unsafe {
        if !b::newtcp_diag_wanted(question.cb, sock.as_raw()) {
            return Ok(());
        }
        fill_sock(skb, question, sock)
    }
}

/// The parts of a dump.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Listeners = 0,
    Bound = 1,
    Connections = 2,
    Done = 3,
}

impl Phase {
    fn of(n: usize) -> Self {
        match n {
            0 => Self::Listeners,
            1 => Self::Bound,
            2 => Self::Connections,
            _ => Self::Done,
        }
    }

    fn next(self) -> Self {
        Self::of(self as usize + 1)
    }

    fn buckets<E: Protocol>(self) -> usize {
        match self {
            Self::Listeners => demux::demux::<E>().buckets(Shelf::Listeners),
            Self::Bound => Ports::<E>::CHAINS,
            Self::Connections => demux::demux::<E>().buckets(Shelf::Connections),
            Self::Done => 0,
        }
    }

    fn handful<E: Protocol>(self, net: &Net, bucket: usize, skip: usize) -> Handful<E> {
        let tables = demux::demux::<E>();
        match self {
            Self::Listeners => tables.handful(Shelf::Listeners, bucket, net.id(), skip),
            Self::Bound => ports::ports::<E>().bound(bucket, net.id(), skip),
            Self::Connections | Self::Done => {
                tables.handful(Shelf::Connections, bucket, net.id(), skip)
            }
        }
    }

    /// There is nothing to be found here for this question.
    fn is_pointless(self, question: &Question<'_>) -> bool {
        let states = question.req.idiag_states;
        let listen = 1 << state::LISTEN;
        match self {
            Self::Listeners => states & listen == 0 || question.req.id.idiag_dport != 0,
            Self::Bound => states & BOUND_INACTIVE == 0,
            Self::Connections => states & !(listen | BOUND_INACTIVE) == 0,
            Self::Done => true,
        }
    }
}

/// Goes on with a dump until the buffer is full or all has been said.
unsafe extern "C" fn dump<E: Protocol>(
    skb: *mut b::sk_buff,
    cb: *mut b::netlink_callback,
    req: *const b::inet_diag_req_v2,
) {
    // SAFETY: What a handler is called with; `args` has six words for us.
    let (question, args) = unsafe {
        let question = Question::new(cb, req, b::NLM_F_MULTI);
        (question, &mut *b::newtcp_diag_args(cb).cast::<[usize; 3]>())
    };
    let [phase, bucket, position] = args;
    while Phase::of(*phase) != Phase::Done {
        let now = Phase::of(*phase);
        if now.is_pointless(&question) || *bucket >= now.buckets::<E>() {
            (*phase, *bucket, *position) = (now.next() as usize, 0, 0);
            continue;
        }
        let handful = now.handful::<E>(question.net, *bucket, *position);
        for (at, entry) in handful.iter() {
            // SAFETY: The buffer that the handler is called with.
            if unsafe { answer(skb, &question, entry) }.is_err() {
                *position = at;
                return;
            }
        }
        if handful.is_full() {
            *position = handful.next();
        } else {
            (*bucket, *position) = (*bucket + 1, 0);
        }
        // SAFETY: Process context, nothing locked.
        unsafe { b::newtcp_cond_resched() };
    }
}

/// The entry that a question names by both ends and its cookie.
fn find<E: Protocol>(net: &Net, req: &b::inet_diag_req_v2) -> Result<Entry<E>> {
    let id = &req.id;
    let ip = |words: &[u32; 4]| match u32::from(req.sdiag_family) {
        b::AF_INET => Ok(Ip::from_be32(words[0])),
        b::AF_INET6 => {
            let mut octets = [0; 16];
            for (to, word) in octets.chunks_exact_mut(4).zip(words) {
                to.copy_from_slice(&word.to_ne_bytes());
            }
            Ok(Ip::from_octets(octets))
        }
        _ => Err(EINVAL),
    };
    let flow = Flow {
        net: net.id(),
        laddr: ip(&id.idiag_src)?,
        lport: u16::from_be(id.idiag_sport),
        raddr: ip(&id.idiag_dst)?,
        rport: u16::from_be(id.idiag_dport),
        ifindex: id.idiag_if,
    };
    let tables = demux::demux::<E>();
    let rcu = rcu::read_lock();
    let entry = tables
        .lookup(&rcu, &flow, None)
        .or_else(|| tables.lookup_listener(&rcu, &flow, None).map(Entry::Sock));
    drop(rcu);
    let entry = entry.ok_or(ENOENT)?;
    check_cookie(net, &entry, id)?;
    Ok(entry)
}

fn check_cookie<E: Protocol>(net: &Net, entry: &Entry<E>, id: &b::inet_diag_sockid) -> Result {
    let cookie = id.idiag_cookie.as_ptr();
    let check = |head: &Head| {
        let mut ireq = stand_in(net, head);
        // SAFETY: Only the cookie in the common part is read.
        unsafe { b::sock_diag_check_cookie((&raw mut ireq).cast(), cookie) }
    };
    let result = match entry {
        // SAFETY: The socket is live.
        Entry::Sock(sock) => unsafe { b::sock_diag_check_cookie(sock.as_raw(), cookie) },
        Entry::Request(mini) => check(mini.head()),
        Entry::TimeWait(mini) => check(mini.head()),
    };
    to_result(result).map_err(|_| ENOENT)
}

/// An answer that is freed unless it is sent.
struct Answer(NonNull<b::sk_buff>);

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: The buffer is ours until it is sent.
        unsafe { b::newtcp_diag_free(self.0.as_ptr()) };
    }
}

/// Answers a question about one socket.
unsafe extern "C" fn dump_one<E: Protocol>(
    cb: *mut b::netlink_callback,
    req: *const b::inet_diag_req_v2,
) -> ffi::c_int {
    // SAFETY: What a handler is called with.
    let question = unsafe { Question::new(cb, req, 0) };
    from_result(|| {
        let entry = find::<E>(question.net, question.req)?;
        // SAFETY: No requirements.
        let skb = unsafe { b::newtcp_diag_answer(E::INFO_LEN as ffi::c_int) };
        let answer = Answer(NonNull::new(skb).ok_or(ENOMEM)?);
        // SAFETY: The buffer is new and has room for one answer.
        unsafe {
            match &entry {
                Entry::Sock(sock) => fill_sock(skb, &question, sock),
                Entry::Request(mini) => {
                    fill_mini(skb, &question, mini.head(), &E::request_facts(mini))
                }
                Entry::TimeWait(mini) => {
                    fill_mini(skb, &question, mini.head(), &E::time_wait_facts(mini))
                }
            }
        }
        .map_err(|Full| EMSGSIZE)?;
        core::mem::forget(answer);
        // SAFETY: The buffer passes to the callee.
        to_result(unsafe {
            b::newtcp_diag_send(
                question.net.as_raw(),
                skb,
                b::newtcp_diag_question(question.cb),
            )
        })?;
        Ok(0)
    })
}

/// Ends what a question names, as an administrator may.
#[cfg(CONFIG_INET_DIAG_DESTROY)]
unsafe extern "C" fn destroy<E: Protocol>(
    skb: *mut b::sk_buff,
    req: *const b::inet_diag_req_v2,
) -> ffi::c_int {
    // SAFETY: What a handler is called with; the asking socket holds its namespace.
    let (net, req) = unsafe { (Net::from_raw(b::newtcp_diag_net(skb)), &*req) };
    from_result(|| {
        let entry = find::<E>(net, req)?;
        // SAFETY: The namespace is live.
        if !unsafe { b::newtcp_diag_may_destroy(net.as_raw()) } {
            return Err(EPERM);
        }
        match entry {
            Entry::Sock(sock) => E::abort(&sock, ECONNABORTED)?,
            Entry::Request(mini) => E::forget_request(&mini),
            Entry::TimeWait(mini) => E::forget_time_wait(&mini),
        }
        Ok(0)
    })
}

/// Fills in what `facts` knows, for messages that the generic code writes.
unsafe extern "C" fn get_info<E: Protocol>(
    sk: *mut b::sock,
    msg: *mut b::inet_diag_msg,
    info: *mut ffi::c_void,
) {
    // SAFETY: Called in process context with a live socket of ours, a message, and room for
    // `idiag_info_size` octets or null.
    unsafe {
        let (facts, from) = Sock::<E>::from_raw(sk).look(|sk| {
            let info = (!info.is_null()).then(|| E::info(sk));
            (E::facts(sk), info)
        });
        (*msg).idiag_rqueue = facts.rqueue;
        (*msg).idiag_wqueue = facts.wqueue;
        if let Some(from) = from {
            let from = from.as_ref();
            core::ptr::copy_nonoverlapping(from.as_ptr(), info.cast(), from.len().min(E::INFO_LEN));
        }
    }
}
