// SPDX-License-Identifier: GPL-2.0

//! Which way a benchmark's packets take: loopback, or from one network
//! namespace to another.

use crate::family::Transport;
use clap::Args;
use std::{
    fs::File,
    io,
    net::{
        IpAddr,
        SocketAddr, //
    },
    os::fd::AsRawFd,
    path::PathBuf,
};

/// The server's address, and the namespaces of both ends.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Route {
    /// Address of the server; loopback if not given.
    #[arg(long)]
    address: Option<IpAddr>,
    /// The server's network namespace, a file as /run/netns/NAME.
    #[arg(long, value_name = "FILE")]
    server_net: Option<PathBuf>,
    /// The client's network namespace.
    #[arg(long, value_name = "FILE")]
    client_net: Option<PathBuf>,
}

impl Route {
    /// Where to listen; the kernel chooses the port.
    pub(crate) fn address(&self, transport: &Transport) -> SocketAddr {
        match self.address {
            Some(address) => (address, 0).into(),
            None => transport.loopback(),
        }
    }

    /// From here on new sockets are the server's.
    pub(crate) fn enter_server(&self) -> io::Result<()> {
        enter(self.server_net.as_ref())
    }

    /// From here on new sockets are the client's.
    pub(crate) fn enter_client(&self) -> io::Result<()> {
        enter(self.client_net.as_ref())
    }
}

fn enter(net: Option<&PathBuf>) -> io::Result<()> {
    let Some(path) = net else { return Ok(()) };
    let file = File::open(path)?;
    // SAFETY: The descriptor is open for the length of the call, which reads
    // no memory of ours.
    if unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
