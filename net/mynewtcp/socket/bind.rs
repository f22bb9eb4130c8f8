// SPDX-License-Identifier: GPL-2.0

//! `bind(2)`: the kernel has checked the address and the right to a low port, what is left is
//! the port itself.

use kernel::prelude::*;

use crate::demux::ports;
use crate::endpoint::{
    Locked,
    Owned, //
};

/// Takes `port`, or one of the ephemeral ports if it is 0.
pub(crate) fn get_port(sk: &mut Owned<'_>, port: u16) -> Result {
    ports::bind(sk, port)
}

/// Gives the port back.
pub(crate) fn put_port(sk: &mut Locked<'_>) {
    ports::release(sk);
}
