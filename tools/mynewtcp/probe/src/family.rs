// SPDX-License-Identifier: GPL-2.0

//! Sockets of the protocol under test.

use crate::route::Route;
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
    /// UDP: what a datagram costs without any promise.
    Udp,
    /// A connected pair of AF_UNIX stream sockets: no network at all.
    Unix,
}

impl Family {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Family::Tcp => "tcp",
            Family::Newtcp => "newtcp",
            Family::Udp => "udp",
            Family::Unix => "unix",
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
        let ip = if is_ipv6 { Domain::IPV6 } else { Domain::IPV4 };
        let own = if is_ipv6 {
            NEWTCP_PROTO_INET6
        } else {
            NEWTCP_PROTO_INET
        };
        match self.family {
            Family::Tcp => Socket::new(ip, Type::STREAM, None),
            Family::Newtcp => Socket::new(
                Domain::from(AF_INET_NEW_TCP),
                Type::STREAM,
                Some(Protocol::from(own)),
            ),
            Family::Udp => Socket::new(ip, Type::DGRAM, None),
            Family::Unix => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "AF_UNIX has no IP addresses",
            )),
        }
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

    /// Two connected sockets: the client's and the server's.
    pub(crate) fn pair(&self, route: &Route) -> io::Result<(Socket, Socket)> {
        let address = route.address(self);
        match self.family {
            Family::Unix => Socket::pair(Domain::UNIX, Type::STREAM, None),
            Family::Udp => {
                route.enter_server()?;
                let server = self.socket(address.is_ipv6())?;
                server.bind(&address.into())?;
                route.enter_client()?;
                let client = self.connect(local_address(&server)?)?;
                server.connect(&client.local_addr()?)?;
                Ok((client, server))
            }
            Family::Tcp | Family::Newtcp => {
                route.enter_server()?;
                let listener = self.listen(address, 1)?;
                route.enter_client()?;
                let client = self.connect(local_address(&listener)?)?;
                Ok((client, listener.accept()?.0))
            }
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

/// What a run ends with whose bytes are not those sent.
pub(crate) fn wrong_bytes() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the bytes are not the ones sent",
    )
}
