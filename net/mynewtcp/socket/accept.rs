// SPDX-License-Identifier: GPL-2.0

//! `accept(2)`.

use kernel::prelude::*;

use crate::endpoint::{
    Sock,
    SockRef, //
};
use crate::linux::sock::Wait;
use crate::linux::state;
use crate::socket::listen;

/// Waits for a connection, if it may.
pub(crate) fn accept(sk: &Sock, nonblocking: bool) -> Result<SockRef> {
    let mut sk = sk.lock();
    if sk.state() != state::LISTEN {
        return Err(EINVAL);
    }
    let mut timeout = sk.rcvtimeo(nonblocking);
    loop {
        if let Some(child) = listen::next_child(&mut sk) {
            return Ok(child);
        }
        sk.wait(Wait::Accept, &mut timeout, |sk| {
            sk.shared().ready() > 0 || sk.state() != state::LISTEN
        })?;
        if sk.state() != state::LISTEN {
            return Err(EINVAL);
        }
    }
}
