// SPDX-License-Identifier: GPL-2.0

//! Bulk between two machines: each end says what it cost there.

use crate::{
    bench,
    family::Transport,
    meter::{
        Line,
        Meter, //
    },
};
use std::{
    io,
    net::SocketAddr,
    thread,
    time::{
        Duration,
        Instant, //
    },
};

/// How long the other machine may take to boot.
const PATIENCE: Duration = Duration::from_secs(300);

/// Accept one connection and read what it brings.
pub(crate) fn serve(
    transport: &Transport,
    address: SocketAddr,
    bytes: u64,
    chunk: usize,
) -> io::Result<String> {
    let listener = transport.listen(address, 1)?;
    let (mut socket, _) = listener.accept()?;
    let cost = bench::bulk_reader(&mut socket, chunk, |read| {
        let meter = Meter::start()?;
        read(bytes)?;
        meter.stop()
    })?;
    Ok(Line::new("link-server", transport, "byte")
        .cost(cost, bytes)
        .end())
}

/// Connect, as soon as somebody listens, and write.
pub(crate) fn send(
    transport: &Transport,
    address: SocketAddr,
    bytes: u64,
    chunk: usize,
) -> io::Result<String> {
    let started = Instant::now();
    let mut socket = loop {
        match transport.connect(address) {
            Ok(socket) => break socket,
            Err(error) if started.elapsed() > PATIENCE => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(200)),
        }
    };
    bench::bulk_writer(&mut socket, transport, "link-client", bytes, chunk)
}
