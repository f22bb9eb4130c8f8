// SPDX-License-Identifier: GPL-2.0

//! The numbers that the stack and its tools know socket states and shutdown bits by.

use super::bindings as b;

/// Connected, data may flow both ways.
pub(crate) const ESTABLISHED: u8 = b::TCP_ESTABLISHED as u8;
/// A SYN is out.
pub(crate) const SYN_SENT: u8 = b::TCP_SYN_SENT as u8;
/// Both SYNs have crossed (simultaneous open).
pub(crate) const SYN_RECV: u8 = b::TCP_SYN_RECV as u8;
/// Our FIN is out.
pub(crate) const FIN_WAIT1: u8 = b::TCP_FIN_WAIT1 as u8;
/// Our FIN is acknowledged.
pub(crate) const FIN_WAIT2: u8 = b::TCP_FIN_WAIT2 as u8;
/// Not connected.
pub(crate) const CLOSE: u8 = b::TCP_CLOSE as u8;
/// The peer's FIN has come.
pub(crate) const CLOSE_WAIT: u8 = b::TCP_CLOSE_WAIT as u8;
/// Both FINs are out, ours came second.
pub(crate) const LAST_ACK: u8 = b::TCP_LAST_ACK as u8;
/// Accepting connections.
pub(crate) const LISTEN: u8 = b::TCP_LISTEN as u8;
/// Both FINs have crossed.
pub(crate) const CLOSING: u8 = b::TCP_CLOSING as u8;

/// The user will read no more, or the peer will send no more.
pub(crate) const RCV_SHUTDOWN: u8 = b::RCV_SHUTDOWN as u8;
/// The user will write no more.
pub(crate) const SEND_SHUTDOWN: u8 = b::SEND_SHUTDOWN as u8;
/// Both.
pub(crate) const SHUTDOWN_MASK: u8 = b::SHUTDOWN_MASK as u8;
