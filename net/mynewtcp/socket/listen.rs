// SPDX-License-Identifier: GPL-2.0

//! `listen(2)`, and the end of listening.

use kernel::prelude::*;

use crate::demux::{
    self,
    ports, //
};
use crate::endpoint::{
    Locked,
    Owned,
    Role,
    SockRef, //
};
use crate::linux::state;
use crate::socket::close;

/// Starts listening, or changes the backlog of a socket that listens already.
pub(crate) fn listen(sk: &mut Owned<'_>, backlog: u32) -> Result {
    match sk.endpoint().role() {
        Role::Connected => return Err(EINVAL),
        Role::Listening => {
            sk.shared().set_backlog(backlog);
            let ready = sk.shared().ready();
            sk.show_backlog(ready, backlog);
            return Ok(());
        }
        Role::Closed => {}
    }
    if sk.state() != state::CLOSE {
        return Err(EINVAL);
    }
    if sk.local().port == 0 {
        ports::bind(sk, 0)?;
    } else {
        ports::may_listen(sk)?;
    }
    sk.shared().set_backlog(backlog);
    sk.show_backlog(0, backlog);
    // Before anybody can find it: what comes in changes a listener less than another socket.
    sk.set_state(state::LISTEN);
    if let Err(e) = demux::tables().insert_listener(sk) {
        sk.set_state(state::CLOSE);
        return Err(e);
    }
    sk.endpoint().get_mut().listens = true;
    Ok(())
}

/// Stops listening: the socket is closed afterwards, and connections that nobody has accepted
/// are reset.
pub(crate) fn stop(sk: &mut Owned<'_>) {
    sk.set_state(state::CLOSE);
    sk.endpoint().get_mut().listens = false;
    demux::leave(sk);
    demux::forget_requests_of(sk);
    while let Some(child) = next_child(sk) {
        close::abandon(child);
    }
}

/// Takes the oldest connection off the accept queue.
pub(crate) fn next_child(sk: &mut Locked<'_>) -> Option<SockRef> {
    let (ctx, endpoint) = sk.split();
    let child = endpoint.get_mut().accept_queue.pop()?;
    let ready = ctx.shared().ready();
    ctx.shared().set_ready(ready.saturating_sub(1));
    ctx.show_backlog(ctx.shared().ready(), ctx.shared().backlog());
    Some(child)
}
