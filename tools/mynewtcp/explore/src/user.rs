// SPDX-License-Identifier: GPL-2.0

//! The user of a host: what it may do, and what it has done and seen.

use crate::engine::error::ConnectionError;

/// Something that a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Writes once.
    Write,
    /// Shuts the sending side down.
    Shutdown,
    /// Reads all there is.
    Read,
    /// Lets go of both directions.
    Close,
    /// Aborts.
    Abort,
    /// Stops to listen.
    Unlisten,
}

impl Act {
    /// Every act, those first that the user will do sooner or later.
    pub const ALL: [Self; 6] = [
        Self::Write,
        Self::Shutdown,
        Self::Read,
        Self::Close,
        Self::Abort,
        Self::Unlisten,
    ];

    /// The user might never do it.
    pub const fn is_optional(self) -> bool {
        match self {
            Self::Write | Self::Shutdown | Self::Read => false,
            Self::Close | Self::Abort | Self::Unlisten => true,
        }
    }
}

/// What the user has done and seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Writes done.
    pub writes: u8,
    /// Octets written.
    pub written: u32,
    /// The handshake was complete.
    pub connected: bool,
    /// It will write no more.
    pub shut_down: bool,
    /// It has let go.
    pub let_go: bool,
    /// The peer's end was announced.
    pub peer_closed: bool,
    /// The connection failed.
    pub failed: Option<ConnectionError>,
    /// The connection is over.
    pub over: bool,
}
