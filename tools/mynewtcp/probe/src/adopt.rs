// SPDX-License-Identifier: GPL-2.0

//! Makes a [`TcpStream`] or [`TcpListener`] of the socket that the program has as standard input.
//!
//! It says "adopted", reads with a deadline that has to pass, says "timed out", and then sends
//! back whatever comes until the stream ends.

use std::{
    io::{
        self,
        ErrorKind,
        Read,
        Write, //
    },
    net::{
        TcpListener,
        TcpStream, //
    },
    os::fd::FromRawFd,
    time::Duration,
};

const STDIN: i32 = 0;

/// What the descriptor is.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum What {
    /// A connection.
    Stream,
    /// A listener, of which one connection is accepted.
    Listener,
}

/// Adopts standard input.
pub(crate) fn adopt(what: What) -> io::Result<String> {
    match what {
        What::Stream => {
            // SAFETY: Nobody else in this program uses standard input.
            let stream = unsafe { TcpStream::from_raw_fd(STDIN) };
            say("adopted")?;
            echo(&stream)
        }
        What::Listener => {
            // SAFETY: As above.
            let listener = unsafe { TcpListener::from_raw_fd(STDIN) };
            say("adopted")?;
            let (stream, _) = listener.accept()?;
            echo(&stream)
        }
    }
}

fn say(word: &str) -> io::Result<()> {
    println!("{word}");
    io::stdout().flush()
}

fn echo(mut stream: &TcpStream) -> io::Result<String> {
    stream.peer_addr()?;
    stream.set_nonblocking(true)?;
    expect(stream, ErrorKind::WouldBlock)?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
    expect(stream, ErrorKind::WouldBlock)?;
    say("timed out")?;
    stream.set_read_timeout(None)?;
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok("done".into()),
            count => stream.write_all(&buffer[..count])?,
        }
    }
}

/// A read finds nothing.
fn expect(mut stream: &TcpStream, kind: ErrorKind) -> io::Result<()> {
    match stream.read(&mut [0]) {
        Err(error) if error.kind() == kind => Ok(()),
        other => Err(io::Error::other(format!("read gave {other:?}"))),
    }
}
