// SPDX-License-Identifier: GPL-2.0

//! `shutdown(2)`. The kernel has noted what was shut down and handles listeners.

use crate::endpoint::drive::drive;
use crate::endpoint::{
    with_connection,
    Owned, //
};
use crate::linux::state;

/// The user will send no more, or read no more.
pub(crate) fn shutdown(sk: &mut Owned<'_>, how: u8) {
    if sk.shutdown_mask() & state::RCV_SHUTDOWN != 0 {
        with_connection(sk, |connection, cx| connection.shutdown_read(cx));
    }
    if how & state::SEND_SHUTDOWN == 0 {
        return;
    }
    // A connection that has sent its FIN already answers with an error that nobody needs.
    let _ = with_connection(sk, |connection, cx| connection.shutdown_write(cx));
    drive(sk);
}
