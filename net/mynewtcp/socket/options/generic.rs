// SPDX-License-Identifier: GPL-2.0

//! Options of SOL_SOCKET. The core does nearly all of it; here is what it does for TCP by name.

use crate::endpoint::{
    with_connection,
    Sock, //
};
use crate::linux::compat::prelude::*;
use crate::linux::msg::TIMESTAMPING_MASK;
use crate::linux::sock::SockFlag;
use crate::linux::sockopt::OptIn;
use crate::linux::state;

const SO_ATTACH_FILTER: i32 = 26;
const SO_TIMESTAMPING_OLD: i32 = 37;
const SO_ZEROCOPY: i32 = 60;
const SO_TIMESTAMPING_NEW: i32 = 65;

/// Flags of SO_TIMESTAMPING.
mod stamp {
    /// The stamp says which octet it is of.
    pub(super) const OPT_ID: u32 = 1 << 7;
    /// The stamp comes without the data.
    pub(super) const OPT_TSONLY: u32 = 1 << 11;
    /// It comes with statistics of the connection instead, which the core has of TCP only.
    pub(super) const OPT_STATS: u32 = 1 << 12;
    /// Octets are counted from the next one that is written, not from the oldest in flight.
    pub(super) const OPT_ID_TCP: u32 = 1 << 16;
}

/// Sets an option of SOL_SOCKET.
pub(super) fn set(sk: &Sock, name: i32, value: OptIn<'_>) -> Result {
    match name {
        // The filter sees the headers, and can drop what the peer believes to have delivered.
        SO_ATTACH_FILTER if !sk.may_administer_net() => Err(EPERM),
        SO_ZEROCOPY => set_zerocopy(sk, value),
        SO_TIMESTAMPING_OLD | SO_TIMESTAMPING_NEW => set_timestamping(sk, name, value),
        _ => sk.sol_setsockopt(name, value),
    }
}

/// MSG_ZEROCOPY means something from now on.
fn set_zerocopy(sk: &Sock, value: OptIn<'_>) -> Result {
    let on = match value.read_i32()? {
        0 => false,
        1 => true,
        _ => return Err(EINVAL),
    };
    sk.lock().set_flag(SockFlag::Zerocopy, on);
    Ok(())
}

/// Refused as a whole; one without the other is nothing for the core either.
const STATS: u32 = stamp::OPT_STATS | stamp::OPT_TSONLY;

/// Keys of time stamps are places in the stream, as TCP's are.
fn set_timestamping(sk: &Sock, name: i32, value: OptIn<'_>) -> Result {
    let flags = value.read_i32()? as u32;
    // Flags that nobody knows are the core's to refuse.
    if flags & STATS == STATS && flags & !TIMESTAMPING_MASK == 0 {
        return Err(EOPNOTSUPP);
    }
    let starts = flags & stamp::OPT_ID != 0 && sk.timestamping() & stamp::OPT_ID == 0;
    if !starts {
        return sk.sol_setsockopt(name, value);
    }
    let base = {
        let mut sk = sk.lock();
        if matches!(sk.state(), state::CLOSE | state::LISTEN) {
            return Err(EINVAL);
        }
        with_connection(&mut sk, |connection, _| {
            if flags & stamp::OPT_ID_TCP != 0 {
                connection.snd_nxt().raw().wrapping_add(connection.unsent())
            } else {
                connection.snd_una().raw()
            }
        })
        .ok_or(EINVAL)?
    };
    sk.sol_setsockopt(name, value)?;
    sk.set_stamp_base(base);
    Ok(())
}
