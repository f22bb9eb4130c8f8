// SPDX-License-Identifier: GPL-2.0

//! The benchmarks of one connection: two processes, one line of JSON.

use crate::{
    family::{
        local_address,
        pattern,
        wrong_bytes,
        Transport, //
    },
    meter::{
        Line,
        Meter, //
    },
    peer::Peer,
    route::Route,
};
use socket2::Socket;
use std::io::{
    self,
    Read,
    Write, //
};

/// Bytes that are compared one by one before the ones that are timed, and as many behind.
const VERIFIED_BYTES: u64 = 2 << 20;

/// Of each read of the timed ones, this many are compared at both ends.
const SAMPLE_BYTES: usize = 16;

/// One-byte (or `size`-byte) round trips on one connection.
pub(crate) fn round_trips(
    transport: &Transport,
    route: &Route,
    count: u64,
    size: usize,
) -> io::Result<String> {
    let warm_up = count / 10;
    let (mut socket, mut server) = transport.pair(route)?;
    let peer = Peer::fork(move || {
        let mut buffer = vec![0; size];
        for _ in 0..warm_up + count {
            server.read_exact(&mut buffer)?;
            server.write_all(&buffer)?;
        }
        Ok(())
    })?;
    let mut trips = |number: u64| -> io::Result<()> {
        let mut question = pattern(size, 1);
        let mut answer = vec![0; size];
        for trip in 0..number {
            question[0] = trip as u8;
            socket.write_all(&question)?;
            socket.read_exact(&mut answer)?;
            if answer != question {
                return Err(wrong_bytes());
            }
        }
        Ok(())
    };
    trips(warm_up)?;
    let meter = Meter::start()?;
    trips(count)?;
    let cost = meter.stop()?;
    peer.join()?;
    Ok(Line::new("rr", transport, "round trip")
        .cost(cost, count)
        .end())
}

/// Serve `count` connections: one byte there, the same byte back.
pub(crate) fn serve(listener: &Socket, count: u64) -> io::Result<()> {
    let mut byte = [0];
    for _ in 0..count {
        let (mut socket, _) = listener.accept()?;
        socket.read_exact(&mut byte)?;
        socket.write_all(&byte)?;
    }
    Ok(())
}

/// Make `count` such connections, one after the other.
pub(crate) fn visit(
    transport: &Transport,
    address: std::net::SocketAddr,
    count: u64,
) -> io::Result<()> {
    let mut answer = [0];
    for turn in 0..count {
        let mut socket = transport.connect(address)?;
        socket.write_all(&[turn as u8])?;
        socket.read_exact(&mut answer)?;
        if answer != [turn as u8] {
            return Err(wrong_bytes());
        }
    }
    Ok(())
}

/// Whole connections: connect, one byte there, one back, close.
pub(crate) fn connections(transport: &Transport, count: u64) -> io::Result<String> {
    let warm_up = count / 10;
    let listener = transport.listen(transport.loopback(), 16)?;
    let address = local_address(&listener)?;
    let peer = Peer::fork(|| serve(&listener, warm_up + count))?;
    visit(transport, address, warm_up)?;
    let meter = Meter::start()?;
    visit(transport, address, count)?;
    let cost = meter.stop()?;
    peer.join()?;
    Ok(Line::new("crr", transport, "connection")
        .cost(cost, count)
        .end())
}

/// How closely a reader looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// At every byte.
    Closely,
    /// At both ends of each read: a lost, doubled or moved piece shows there.
    Briefly,
}

/// Is `found` what a stream that repeats `block` has at `position`?
fn is_right(mut found: &[u8], position: u64, block: &[u8]) -> bool {
    let mut start = (position % block.len() as u64) as usize;
    while !found.is_empty() {
        let length = found.len().min(block.len() - start);
        let (now, later) = found.split_at(length);
        if now != &block[start..start + length] {
            return false;
        }
        found = later;
        start = 0;
    }
    true
}

/// Read `length` bytes, which have to repeat `block`.
fn drain(socket: &mut Socket, length: u64, block: &[u8], look: Look) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    let mut position = 0;
    while position < length {
        let wanted = buffer.len().min((length - position) as usize);
        let found = socket.read(&mut buffer[..wanted])?;
        if found == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let sample = match look {
            Look::Closely => found,
            Look::Briefly => found.min(SAMPLE_BYTES),
        };
        let tail = found - sample;
        if !is_right(&buffer[..sample], position, block)
            || !is_right(&buffer[tail..found], position + tail as u64, block)
        {
            return Err(wrong_bytes());
        }
        position += found as u64;
    }
    Ok(())
}

/// Send `length` bytes that repeat `block`, then wait for the reader's word.
fn pump(socket: &mut Socket, length: u64, block: &[u8]) -> io::Result<()> {
    let mut missing = length;
    while missing > 0 {
        let part = &block[..block.len().min(missing as usize)];
        socket.write_all(part)?;
        missing -= part.len() as u64;
    }
    socket.read_exact(&mut [0])
}

/// The reader's side of a bulk run; `timed` reads the bytes that are timed.
pub(crate) fn bulk_reader<T>(
    socket: &mut Socket,
    chunk: usize,
    timed: impl FnOnce(&mut dyn FnMut(u64) -> io::Result<()>) -> io::Result<T>,
) -> io::Result<T> {
    let block = pattern(chunk, 2);
    drain(socket, VERIFIED_BYTES, &block, Look::Closely)?;
    socket.write_all(b"v")?;
    let found = timed(&mut |bytes| drain(socket, bytes, &block, Look::Briefly))?;
    socket.write_all(b"d")?;
    drain(socket, VERIFIED_BYTES, &block, Look::Closely)?;
    socket.write_all(b"v")?;
    Ok(found)
}

/// The writer's side, measured; `bench` is what the line is named.
pub(crate) fn bulk_writer(
    socket: &mut Socket,
    transport: &Transport,
    bench: &str,
    bytes: u64,
    chunk: usize,
) -> io::Result<String> {
    let block = pattern(chunk, 2);
    pump(socket, VERIFIED_BYTES, &block)?;
    let meter = Meter::start()?;
    pump(socket, bytes, &block)?;
    let cost = meter.stop()?;
    pump(socket, VERIFIED_BYTES, &block)?;
    Ok(Line::new(bench, transport, "byte").cost(cost, bytes).end())
}

/// One stream, as fast as it goes.
pub(crate) fn bulk(
    transport: &Transport,
    route: &Route,
    bytes: u64,
    chunk: usize,
) -> io::Result<String> {
    let (mut socket, mut server) = transport.pair(route)?;
    let peer = Peer::fork(move || bulk_reader(&mut server, chunk, |read| read(bytes)))?;
    let line = bulk_writer(&mut socket, transport, "bulk", bytes, chunk)?;
    peer.join()?;
    Ok(line)
}
