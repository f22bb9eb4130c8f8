// SPDX-License-Identifier: GPL-2.0

//! The child process at the other end of a benchmark.

use std::{
    io::{
        self,
        Read, //
    },
    net::Shutdown,
    os::unix::net::UnixStream,
    process,
};

/// A forked child; it is waited for, and its failure is an error.
///
/// When its work is done it stays until it is waited for: its end is not part
/// of what is measured.
pub(crate) struct Peer {
    pid: libc::pid_t,
    stay: UnixStream,
}

fn live(body: impl FnOnce() -> io::Result<()>, mut until: UnixStream) -> io::Result<()> {
    body()?;
    until.read(&mut [0]).map(drop)
}

impl Peer {
    /// Run `body` in a child. The program must have no other threads.
    pub(crate) fn fork(body: impl FnOnce() -> io::Result<()>) -> io::Result<Peer> {
        let (until, stay) = UnixStream::pair()?;
        // SAFETY: The program is single-threaded here, so the child may do
        // everything that the parent may.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                drop(stay);
                let status = match live(body, until) {
                    Ok(()) => 0,
                    Err(error) => {
                        eprintln!("mynewtcp-probe: peer: {error}");
                        1
                    }
                };
                process::exit(status)
            }
            pid => Ok(Peer { pid, stay }),
        }
    }

    /// Let it go and wait for its end.
    pub(crate) fn join(self) -> io::Result<()> {
        // Not only closed: later children have copies of it.
        self.stay.shutdown(Shutdown::Both)?;
        let mut status = 0;
        // SAFETY: `status` is valid for writes and lives through the call.
        if unsafe { libc::waitpid(self.pid, &mut status, 0) } < 0 {
            return Err(io::Error::last_os_error());
        }
        if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0 {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "the peer's wait status is {status:#x}"
        )))
    }
}
