// SPDX-License-Identifier: GPL-2.0

//! The one place where the engine's words for failure become errno.

use crate::engine::error::{
    ConnectionError,
    IcmpError,
    VerbError, //
};
use crate::linux::compat::prelude::*;

/// What a user reads from `SO_ERROR` after a connection failed.
pub(crate) fn of_connection(error: ConnectionError) -> Error {
    match error {
        ConnectionError::Refused => ECONNREFUSED,
        ConnectionError::Reset => ECONNRESET,
        ConnectionError::BrokenPipe => EPIPE,
        ConnectionError::TimedOut => ETIMEDOUT,
        ConnectionError::Aborted => ECONNABORTED,
        ConnectionError::Icmp(error) => of_icmp(error),
    }
}

/// What an ICMP error means to the user, as in Linux' `icmp_err_convert`.
pub(crate) fn of_icmp(error: IcmpError) -> Error {
    match error {
        IcmpError::NetworkUnreachable => ENETUNREACH,
        IcmpError::HostUnreachable | IcmpError::TimeExceeded => EHOSTUNREACH,
        IcmpError::ProtocolUnreachable => ENOPROTOOPT,
        IcmpError::PortUnreachable => ECONNREFUSED,
        IcmpError::Prohibited => EACCES,
        IcmpError::ParameterProblem => EPROTO,
    }
}

/// Why a verb was refused.
pub(crate) fn of_verb(error: VerbError) -> Error {
    match error {
        VerbError::NotConnected => ENOTCONN,
        VerbError::AlreadyConnected => EISCONN,
        VerbError::WriteClosed => EPIPE,
    }
}
