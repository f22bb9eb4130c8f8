// SPDX-License-Identifier: GPL-2.0

//! What a stream's reader and writer ask of their socket.

use super::Sock;
use crate::linux::{
    bindings as b,
    proto::Protocol, //
};

impl<E: Protocol> Sock<E> {
    /// Where `MSG_PEEK` begins, in bytes of unread data (`SO_PEEK_OFF`); 0 for a plain read.
    pub(crate) fn peek_offset(&self, flags: u32) -> u32 {
        // SAFETY: `self` is a live socket.
        unsafe { b::newtcp_peek_offset(self.as_raw(), flags as i32) }.max(0) as u32
    }

    /// `n` bytes were peeked at.
    pub(crate) fn peek_offset_forward(&self, n: u32) {
        // SAFETY: `self` is a live socket, whose lock the reader holds.
        unsafe { b::newtcp_peek_offset_fwd(self.as_raw(), n as i32) };
    }

    /// `n` bytes were read.
    pub(crate) fn peek_offset_back(&self, n: u32) {
        // SAFETY: `self` is a live socket, whose lock the reader holds.
        unsafe { b::newtcp_peek_offset_bwd(self.as_raw(), n as i32) };
    }

    /// Packets wait for the owner to release the socket.
    pub(crate) fn has_backlog(&self) -> bool {
        // SAFETY: `self` is a live socket; the field is read in one access.
        unsafe { b::newtcp_has_backlog(self.as_raw()) }
    }

    /// The process has written to a stream that is closed.
    pub(crate) fn send_sigpipe(&self) {
        // SAFETY: Process context: only a writer comes here.
        unsafe { b::newtcp_send_sigpipe() };
    }
}
