// SPDX-License-Identifier: GPL-2.0

//! The child process at the other end of a benchmark.

use std::{
    io,
    process, //
};

/// A forked child; it is waited for, and its failure is an error.
pub(crate) struct Peer {
    pid: libc::pid_t,
}

impl Peer {
    /// Run `body` in a child. The program must have no other threads.
    pub(crate) fn fork(body: impl FnOnce() -> io::Result<()>) -> io::Result<Peer> {
        // SAFETY: The program is single-threaded here, so the child may do
        // everything that the parent may.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                let status = match body() {
                    Ok(()) => 0,
                    Err(error) => {
                        eprintln!("mynewtcp-probe: peer: {error}");
                        1
                    }
                };
                process::exit(status)
            }
            pid => Ok(Peer { pid }),
        }
    }

    /// Wait for its end.
    pub(crate) fn join(self) -> io::Result<()> {
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
