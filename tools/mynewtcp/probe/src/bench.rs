// SPDX-License-Identifier: GPL-2.0

//! The benchmarks: two processes, loopback, one line of JSON.
//!
//! Under QEMU's instruction counter a guest nanosecond is an instruction, so
//! the same clock serves for both ways of measuring.

use crate::{
    family::{
        local_address,
        pattern,
        Transport, //
    },
    peer::Peer, //
};
use socket2::Socket;
use std::{
    io::{
        self,
        Read,
        Write, //
    },
    time::Instant,
};

/// Bytes whose content is compared before the ones that are timed.
const VERIFIED_BYTES: u64 = 4 << 20;

fn report(what: &str, transport: &Transport, unit: &str, units: u64, started: Instant) -> String {
    let nanoseconds = started.elapsed().as_nanos();
    format!(
        concat!(
            "{{\"bench\": \"{}\", \"family\": \"{}\", \"ipv6\": {}, \"unit\": \"{}\", ",
            "\"units\": {}, \"ns\": {}, \"ns_per_unit\": {:.4}}}"
        ),
        what,
        transport.family.name(),
        transport.ipv6,
        unit,
        units,
        nanoseconds,
        nanoseconds as f64 / units as f64,
    )
}

fn wrong_bytes() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the bytes are not the ones sent",
    )
}

/// One-byte (or `size`-byte) round trips on one connection.
pub(crate) fn round_trips(transport: &Transport, count: u64, size: usize) -> io::Result<String> {
    let warm_up = count / 10;
    let listener = transport.listen(transport.loopback(), 1)?;
    let address = local_address(&listener)?;
    let peer = Peer::fork(|| {
        let (mut socket, _) = listener.accept()?;
        let mut buffer = vec![0; size];
        for _ in 0..warm_up + count {
            socket.read_exact(&mut buffer)?;
            socket.write_all(&buffer)?;
        }
        Ok(())
    })?;
    let mut socket = transport.connect(address)?;
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
    let started = Instant::now();
    trips(count)?;
    let line = report("rr", transport, "round trip", count, started);
    peer.join()?;
    Ok(line)
}

/// Whole connections: connect, one byte there, one back, close.
pub(crate) fn connections(transport: &Transport, count: u64) -> io::Result<String> {
    let warm_up = count / 10;
    let listener = transport.listen(transport.loopback(), 16)?;
    let address = local_address(&listener)?;
    let peer = Peer::fork(|| {
        let mut byte = [0];
        for _ in 0..warm_up + count {
            let (mut socket, _) = listener.accept()?;
            socket.read_exact(&mut byte)?;
            socket.write_all(&byte)?;
        }
        Ok(())
    })?;
    let connect = |number: u64| -> io::Result<()> {
        let mut answer = [0];
        for turn in 0..number {
            let mut socket = transport.connect(address)?;
            socket.write_all(&[turn as u8])?;
            socket.read_exact(&mut answer)?;
            if answer != [turn as u8] {
                return Err(wrong_bytes());
            }
        }
        Ok(())
    };
    connect(warm_up)?;
    let started = Instant::now();
    connect(count)?;
    let line = report("crr", transport, "connection", count, started);
    peer.join()?;
    Ok(line)
}

/// Read `length` bytes; with a `block` they have to repeat it.
fn drain(socket: &mut Socket, length: u64, block: &[u8], buffer: &mut [u8]) -> io::Result<()> {
    let mut position = 0;
    while position < length {
        let wanted = buffer.len().min((length - position) as usize);
        let found = socket.read(&mut buffer[..wanted])?;
        if found == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !block.is_empty() {
            let start = (position % block.len() as u64) as usize;
            let expected = block[start..].iter().chain(block.iter().cycle());
            if !buffer[..found].iter().eq(expected.take(found)) {
                return Err(wrong_bytes());
            }
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

/// One stream: first bytes that are compared, then bytes that are timed.
pub(crate) fn bulk(transport: &Transport, bytes: u64, chunk: usize) -> io::Result<String> {
    let block = pattern(chunk, 2);
    let listener = transport.listen(transport.loopback(), 1)?;
    let address = local_address(&listener)?;
    let peer = Peer::fork(|| {
        let (mut socket, _) = listener.accept()?;
        let mut buffer = vec![0; 64 << 10];
        drain(&mut socket, VERIFIED_BYTES, &block, &mut buffer)?;
        socket.write_all(b"v")?;
        drain(&mut socket, bytes, &[], &mut buffer)?;
        socket.write_all(b"d")
    })?;
    let mut socket = transport.connect(address)?;
    pump(&mut socket, VERIFIED_BYTES, &block)?;
    let started = Instant::now();
    pump(&mut socket, bytes, &block)?;
    let line = report("bulk", transport, "byte", bytes, started);
    peer.join()?;
    Ok(line)
}
