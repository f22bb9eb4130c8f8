// SPDX-License-Identifier: GPL-2.0

//! Why a connection ended and why a verb was refused. The shell maps these to errno in one file.

/// Why a connection came to its end before both sides had closed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionError {
    /// The peer answered the SYN with a reset (`ECONNREFUSED`).
    Refused,
    /// The peer reset the connection (`ECONNRESET`).
    Reset,
    /// The peer reset the connection after it had already closed its side (`EPIPE`).
    BrokenPipe,
    /// The peer stopped answering (`ETIMEDOUT`).
    TimedOut,
    /// Our own user aborted (`ECONNABORTED`).
    Aborted,
    /// ICMP said so while connecting, or it was the last word before a time-out.
    Icmp(IcmpError),
}

/// What an ICMP error message says about the path or the peer, IPv4 and IPv6 alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpError {
    /// No route to the network (`ENETUNREACH`).
    NetworkUnreachable,
    /// The host does not answer (`EHOSTUNREACH`).
    HostUnreachable,
    /// The host does not know the protocol (`ENOPROTOOPT`).
    ProtocolUnreachable,
    /// Nobody listens on the port (`ECONNREFUSED`).
    PortUnreachable,
    /// Communication is forbidden by an administrator (`EACCES` or `EHOSTUNREACH`).
    Prohibited,
    /// The time to live ran out on the way (`EHOSTUNREACH`).
    TimeExceeded,
    /// A header field was found wrong (`EPROTO`).
    ParameterProblem,
}

/// A user verb does not fit the state of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerbError {
    /// There is no connection (`ENOTCONN`).
    NotConnected,
    /// There is one already (`EISCONN`, `EALREADY` while it is being made).
    AlreadyConnected,
    /// The sending side has been shut down (`EPIPE`).
    WriteClosed,
}

/// The shell has no memory for this now; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;
