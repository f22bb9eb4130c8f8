// SPDX-License-Identifier: GPL-2.0

//! Many connections at once, each verified byte by byte.

use crate::family::{
    pattern,
    Transport, //
};
use socket2::Socket;
use std::{
    io::{
        self,
        Read,
        Write, //
    },
    net::{
        Shutdown,
        SocketAddr, //
    },
    sync::{
        Arc,
        Barrier, //
    },
    thread,
};

/// Threads that only copy need little stack.
const STACK_BYTES: usize = 128 << 10;

/// A thread that may fail.
type Worker = thread::JoinHandle<io::Result<()>>;

fn spawn(body: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<Worker> {
    thread::Builder::new().stack_size(STACK_BYTES).spawn(body)
}

fn join_all(workers: Vec<Worker>) -> io::Result<()> {
    for worker in workers {
        worker
            .join()
            .map_err(|_| io::Error::other("a thread panicked"))??;
    }
    Ok(())
}

/// Accept `connections` connections and send back what each of them sends.
pub(crate) fn serve(
    transport: &Transport,
    address: SocketAddr,
    connections: usize,
) -> io::Result<String> {
    let listener = transport.listen(address, 1024)?;
    // Whoever started us waits for this line before it connects.
    println!("listening");
    let mut workers = Vec::new();
    for _ in 0..connections {
        let (mut socket, _) = listener.accept()?;
        workers.push(spawn(move || {
            let mut buffer = vec![0; 16 << 10];
            loop {
                match socket.read(&mut buffer)? {
                    0 => return socket.shutdown(Shutdown::Write),
                    count => socket.write_all(&buffer[..count])?,
                }
            }
        })?);
    }
    join_all(workers)?;
    Ok(format!("echoed {connections} connections"))
}

/// One connection: write everything in a thread of its own, read it back here.
fn exchange(socket: Socket, data: Vec<u8>) -> io::Result<()> {
    let mut reader = socket.try_clone()?;
    let mut writer = socket;
    let data = Arc::new(data);
    let sent = Arc::clone(&data);
    let worker = spawn(move || {
        writer.write_all(&sent)?;
        writer.shutdown(Shutdown::Write)
    })?;
    let mut found = Vec::with_capacity(data.len());
    reader.read_to_end(&mut found)?;
    join_all(vec![worker])?;
    if found != *data {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "{} bytes came back, not the {} that were sent",
                found.len(),
                data.len()
            ),
        ));
    }
    Ok(())
}

/// Open `connections` connections, hold them all, and check each one's echo.
pub(crate) fn check(
    transport: &Transport,
    address: SocketAddr,
    connections: usize,
    bytes: usize,
) -> io::Result<String> {
    let all_open = Arc::new(Barrier::new(connections));
    let mut workers = Vec::new();
    for number in 0..connections {
        let all_open = Arc::clone(&all_open);
        let transport = *transport;
        workers.push(spawn(move || {
            let socket = transport.connect(address);
            // Wait also after an error, or the others would wait for ever.
            all_open.wait();
            exchange(socket?, pattern(bytes, number + 1))
        })?);
    }
    join_all(workers)?;
    Ok(format!(
        "{connections} connections echoed {bytes} bytes each"
    ))
}
