// SPDX-License-Identifier: GPL-2.0

//! Several processors: listeners that share a port, a client on each processor.

use crate::{
    bench,
    family::{
        local_address,
        Transport, //
    },
    meter::{
        Cost,
        Line, //
    },
    peer::Peer,
};
use socket2::Socket;
use std::{
    io,
    mem,
    net::SocketAddr,
    time::Instant, //
};

/// Stay on that processor.
fn pin(processor: usize) -> io::Result<()> {
    // SAFETY: A cpu_set_t is a bit mask; all zeroes is the empty one.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: `set` is a valid set, and the macro checks the number's range.
    unsafe { libc::CPU_SET(processor, &mut set) };
    // SAFETY: `set` is valid for reads of the size given.
    if unsafe { libc::sched_setaffinity(0, mem::size_of_val(&set), &set) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// One of the listeners that share a port.
fn shared(transport: &Transport, address: SocketAddr) -> io::Result<Socket> {
    let socket = transport.socket(address.is_ipv6())?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(128)?;
    Ok(socket)
}

/// Whole connections from `processors` clients to as many listeners.
///
/// The kernel spreads the connections over the listeners, so none of them
/// knows its share: each serves until its listener is shut down.
pub(crate) fn spread(transport: &Transport, processors: usize, count: u64) -> io::Result<String> {
    let first = shared(transport, transport.loopback())?;
    let address = local_address(&first)?;
    let mut listeners = vec![first];
    for _ in 1..processors {
        listeners.push(shared(transport, address)?);
    }
    let mut servers = Vec::new();
    for (processor, listener) in listeners.iter().enumerate() {
        servers.push(Peer::fork(|| {
            pin(processor)?;
            // The end of the listener is the end of the work.
            while bench::serve(listener, 1).is_ok() {}
            Ok(())
        })?);
    }
    bench::visit(transport, address, count / 10)?;
    let started = Instant::now();
    let mut clients = Vec::new();
    for processor in 0..processors {
        clients.push(Peer::fork(|| {
            pin(processor)?;
            bench::visit(transport, address, count)
        })?);
    }
    for client in clients {
        client.join()?;
    }
    let elapsed = started.elapsed().as_nanos() as u64;
    for listener in &listeners {
        listener.shutdown(std::net::Shutdown::Both)?;
    }
    for server in servers {
        server.join()?;
    }
    let cost = Cost { elapsed, busy: 0 };
    Ok(Line::new("spread", transport, "connection")
        .number("processors", processors as f64)
        .cost(cost, count * processors as u64)
        .end())
}
