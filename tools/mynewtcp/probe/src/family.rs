// SPDX-License-Identifier: GPL-2.0

//! Sockets of the protocol under test.

use clap::{
    Args,
    ValueEnum, //
};
use socket2::{
    Domain,
    Protocol,
    Socket,
    Type, //
};
use std::{
    io,
    net::{
        Ipv4Addr,
        Ipv6Addr,
        SocketAddr, //
    },
};

const AF_INET_NEW_TCP: i32 = 46;
const NEWTCP_PROTO_INET: i32 = 0;
const NEWTCP_PROTO_INET6: i32 = 1;

/// The protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Family {
    /// The kernel's TCP.
    Tcp,
    /// NEW_TCP, opened by its own family number.
    Newtcp,
}

impl Family {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Family::Tcp => "tcp",
            Family::Newtcp => "newtcp",
        }
    }
}

/// The protocol and the IP version below it.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Transport {
    /// Protocol to use.
    #[arg(long, value_enum, default_value_t = Family::Newtcp, global = true)]
    pub(crate) family: Family,
    /// Use IPv6 where no address says so.
    #[arg(long, global = true)]
    pub(crate) ipv6: bool,
}

impl Transport {
    /// A socket for addresses of that IP version.
    pub(crate) fn socket(&self, is_ipv6: bool) -> io::Result<Socket> {
        let (domain, protocol) = match (self.family, is_ipv6) {
            (Family::Tcp, false) => (Domain::IPV4, None),
            (Family::Tcp, true) => (Domain::IPV6, None),
            (Family::Newtcp, false) => (Domain::from(AF_INET_NEW_TCP), Some(NEWTCP_PROTO_INET)),
            (Family::Newtcp, true) => (Domain::from(AF_INET_NEW_TCP), Some(NEWTCP_PROTO_INET6)),
        };
        Socket::new(domain, Type::STREAM, protocol.map(Protocol::from))
    }

    /// A listener on that address.
    pub(crate) fn listen(&self, address: SocketAddr, backlog: i32) -> io::Result<Socket> {
        let socket = self.socket(address.is_ipv6())?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(backlog)?;
        Ok(socket)
    }

    /// A connection to that address.
    pub(crate) fn connect(&self, address: SocketAddr) -> io::Result<Socket> {
        let socket = self.socket(address.is_ipv6())?;
        socket.connect(&address.into())?;
        Ok(socket)
    }

    /// Loopback, with a port that the kernel chooses.
    pub(crate) fn loopback(&self) -> SocketAddr {
        if self.ipv6 {
            (Ipv6Addr::LOCALHOST, 0).into()
        } else {
            (Ipv4Addr::LOCALHOST, 0).into()
        }
    }
}

/// The address that a socket is bound to.
pub(crate) fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    socket
        .local_addr()?
        .as_socket()
        .ok_or_else(|| io::Error::other("getsockname gave no IP address"))
}

/// Bytes that differ from offset to offset, for a stream of that number.
pub(crate) fn pattern(length: usize, stream: usize) -> Vec<u8> {
    let mut state = (stream as u32).wrapping_mul(2_654_435_761) | 1;
    (0..length)
        .map(|_| {
            // Marsaglia's xorshift: cheap, and no two streams look alike.
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 24) as u8
        })
        .collect()
}
