// SPDX-License-Identifier: GPL-2.0

//! `struct proto_ops`: what a file descriptor of the family does.
//!
//! | slot | what it is |
//! |---|---|
//! | `release bind connect accept getname ioctl shutdown sendmsg recvmsg splice_eof` | the inet layer's, which calls `struct proto` |
//! | `listen poll peek_len set_rcvlowat` | ours: the inet layer's are TCP's |
//! | `setsockopt getsockopt` | the generic ones, which call `struct proto` |
//! | `set_peek_off` | the generic one |
//! | `socketpair` | EOPNOTSUPP |
//! | `mmap` | ENODEV |
//! | `splice_read` | none: the core copies through `recvmsg` |
//! | `read_sock read_skb sendmsg_locked` | none: kernel users other than the socket calls |

use super::{
    bindings as b,
    proto::Protocol,
    sock::{
        Owned,
        Sock, //
    },
    sockaddr, //
};
use kernel::{
    error::from_result,
    ffi,
    prelude::*, //
};

/// The table of AF_INET sockets.
pub(super) const fn table4<E: Protocol>() -> b::proto_ops {
    let mut ops = common::<E>();
    ops.family = b::AF_INET as ffi::c_int;
    ops.release = Some(b::inet_release);
    ops.bind = Some(bind4);
    ops.getname = Some(b::inet_getname);
    ops.ioctl = Some(b::inet_ioctl);
    ops.sendmsg = Some(b::inet_sendmsg);
    ops.recvmsg = Some(b::inet_recvmsg);
    ops
}

/// The table of AF_INET6 sockets.
#[cfg(CONFIG_MY_NEWTCP_IPV6)]
pub(super) const fn table6<E: Protocol>() -> b::proto_ops {
    let mut ops = common::<E>();
    ops.family = b::AF_INET6 as ffi::c_int;
    ops.release = Some(b::inet6_release);
    ops.bind = Some(bind6);
    ops.getname = Some(b::inet6_getname);
    ops.ioctl = Some(b::inet6_ioctl);
    ops.sendmsg = Some(b::inet6_sendmsg);
    ops.recvmsg = Some(b::inet6_recvmsg);
    #[cfg(CONFIG_COMPAT)]
    {
        ops.compat_ioctl = Some(b::inet6_compat_ioctl);
    }
    ops
}

/// Without IPv6 nothing ever uses this table.
#[cfg(not(CONFIG_MY_NEWTCP_IPV6))]
pub(super) const fn table6<E: Protocol>() -> b::proto_ops {
    table4::<E>()
}

const fn common<E: Protocol>() -> b::proto_ops {
    let mut ops: b::proto_ops = pin_init::zeroed();
    ops.connect = Some(connect);
    ops.socketpair = Some(b::sock_no_socketpair);
    ops.accept = Some(accept);
    ops.poll = Some(poll::<E>);
    ops.gettstamp = Some(b::sock_gettstamp);
    ops.listen = Some(listen::<E>);
    ops.shutdown = Some(b::inet_shutdown);
    ops.setsockopt = Some(b::sock_common_setsockopt);
    ops.getsockopt = Some(b::sock_common_getsockopt);
    ops.mmap = Some(b::sock_no_mmap);
    ops.splice_eof = Some(b::inet_splice_eof);
    ops.set_rcvlowat = Some(set_rcvlowat::<E>);
    ops.set_peek_off = Some(b::sk_set_peek_off);
    ops.peek_len = Some(peek_len::<E>);
    ops
}

/// Called by `bind(2)`; AF_INET_NEW_TCP in the address means the family of the socket.
unsafe extern "C" fn bind4(
    sock: *mut b::socket,
    addr: *mut b::sockaddr_unsized,
    len: ffi::c_int,
) -> ffi::c_int {
    // SAFETY: The caller gives a copy of the user's address, `len` bytes of it.
    unsafe {
        if sockaddr::normalize(addr, len, b::AF_INET as u16) {
            match b::newtcp_security_bind(sock, addr, len) {
                0 => {}
                err => return err,
            }
        }
        b::inet_bind(sock, addr, len)
    }
}

/// The same for IPv6.
#[cfg(CONFIG_MY_NEWTCP_IPV6)]
unsafe extern "C" fn bind6(
    sock: *mut b::socket,
    addr: *mut b::sockaddr_unsized,
    len: ffi::c_int,
) -> ffi::c_int {
    // SAFETY: As for `bind4`.
    unsafe {
        if sockaddr::normalize(addr, len, b::AF_INET6 as u16) {
            match b::newtcp_security_bind(sock, addr, len) {
                0 => {}
                err => return err,
            }
        }
        b::inet6_bind(sock, addr, len)
    }
}

/// Called by `connect(2)`; AF_INET_NEW_TCP in the address means the family of the socket.
unsafe extern "C" fn connect(
    sock: *mut b::socket,
    addr: *mut b::sockaddr_unsized,
    len: ffi::c_int,
    flags: ffi::c_int,
) -> ffi::c_int {
    // SAFETY: The caller gives a copy of the user's address, `len` bytes of it, or none.
    unsafe {
        if !addr.is_null() {
            let family = b::newtcp_sk_family(b::newtcp_socket_sk(sock));
            if sockaddr::normalize(addr, len, family) {
                match b::newtcp_security_connect(sock, addr, len) {
                    0 => {}
                    err => return err,
                }
            }
        }
        b::inet_stream_connect(sock, addr, len, flags)
    }
}

/// Called by `accept(2)`.
unsafe extern "C" fn accept(
    sock: *mut b::socket,
    newsock: *mut b::socket,
    arg: *mut b::proto_accept_arg,
) -> ffi::c_int {
    // SAFETY: The caller gives a listening socket of ours and a new one that is its own still.
    unsafe {
        let err = b::inet_accept(sock, newsock, arg);
        if err == 0 {
            b::newtcp_socket_customize(newsock);
        }
        err
    }
}

/// Called by `listen(2)`, which has limited the backlog to `net.core.somaxconn`.
unsafe extern "C" fn listen<E: Protocol>(sock: *mut b::socket, backlog: ffi::c_int) -> ffi::c_int {
    // SAFETY: A socket file of ours, whose socket is alive while the call lasts.
    let (sk, state) = unsafe {
        (
            Sock::<E>::from_raw(b::newtcp_socket_sk(sock)),
            b::newtcp_socket_state(sock),
        )
    };
    from_result(|| {
        let mut owned: Owned<'_, E> = sk.lock();
        if state as u32 != b::socket_state_SS_UNCONNECTED {
            return Err(EINVAL);
        }
        E::listen(&mut owned, backlog.max(0) as u32).map(|()| 0)
    })
}

/// Called by `poll(2)`, `select(2)` and epoll.
unsafe extern "C" fn poll<E: Protocol>(
    file: *mut b::file,
    sock: *mut b::socket,
    wait: *mut b::poll_table_struct,
) -> b::__poll_t {
    // SAFETY: A socket file of ours, whose socket is alive while the call lasts.
    unsafe {
        b::newtcp_poll_wait(file, sock, wait);
        E::poll(Sock::from_raw(b::newtcp_socket_sk(sock))).0
    }
}

/// Called by `SO_RCVLOWAT`, with the socket locked by the process.
unsafe extern "C" fn set_rcvlowat<E: Protocol>(sk: *mut b::sock, bytes: ffi::c_int) -> ffi::c_int {
    // SAFETY: A live socket of ours, locked by the caller, who releases it.
    let mut owned = unsafe { Owned::<E>::from_lock(Sock::from_raw(sk), false) };
    E::set_rcvlowat(&mut owned, bytes.max(0) as u32);
    0
}

/// Called by kernel users that want to know how much there is.
unsafe extern "C" fn peek_len<E: Protocol>(sock: *mut b::socket) -> ffi::c_int {
    // SAFETY: A socket file of ours, whose socket is alive while the call lasts.
    let n = E::peek_len(unsafe { Sock::from_raw(b::newtcp_socket_sk(sock)) });
    n.min(ffi::c_int::MAX as usize) as ffi::c_int
}
