// SPDX-License-Identifier: GPL-2.0

//! `ioctl(2)`: how much there is to read and how much is still on its way.

use kernel::prelude::*;

use crate::endpoint::{
    with_connection,
    Sock, //
};
use crate::linux::ioctl;
use crate::linux::state;

/// Answers the four questions that a stream socket knows. There is no urgent data, so that no
/// octet is at its mark.
pub(crate) fn ioctl(sk: &Sock, cmd: u32) -> Result<i32> {
    if cmd == ioctl::SIOCATMARK {
        return Ok(0);
    }
    if !matches!(cmd, ioctl::SIOCINQ | ioctl::SIOCOUTQ | ioctl::SIOCOUTQNSD) {
        return Err(ENOIOCTLCMD);
    }
    let mut sk = sk.lock();
    if sk.state() == state::LISTEN {
        return Err(EINVAL);
    }
    let octets = match cmd {
        ioctl::SIOCINQ => sk.shared().unread(),
        _ if matches!(sk.state(), state::SYN_SENT | state::SYN_RECV) => 0,
        ioctl::SIOCOUTQ => with_connection(&mut sk, |connection, _| {
            connection.unacked().saturating_add(connection.unsent())
        })
        .unwrap_or(0),
        _ => sk.shared().unsent(),
    };
    Ok(i32::try_from(octets).unwrap_or(i32::MAX))
}
