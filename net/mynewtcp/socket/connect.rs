// SPDX-License-Identifier: GPL-2.0

//! `connect(2)` and its opposite. The kernel waits for the handshake where it has to.

use crate::demux::{
    self,
    ports, //
};
use crate::endpoint::drive::{
    closed,
    drive,
    drive_at, //
};
use crate::endpoint::{
    discard_received,
    mss_of_mtu,
    now,
    parameters_of,
    with_connection,
    with_connection_at,
    Owned,
    Role, //
};
use crate::engine::seq::Mss;
use crate::error;
use crate::input::listen::wished_mss;
use crate::linux::addr::SocketAddr;
use crate::linux::compat::prelude::*;
use crate::linux::resident::Patience;
use crate::linux::sock::SockFlag;
use crate::linux::state;
use crate::memory::windows_of;
use crate::mib::Event;
use crate::socket::{
    listen,
    options, //
};
use crate::tuning::RouteWishes;

/// Starts a connection to `remote`.
pub(crate) fn connect(sk: &mut Owned<'_>, remote: SocketAddr) -> Result {
    if sk.endpoint().role() != Role::Closed {
        return Err(EISCONN);
    }
    sk.connect_route(remote)?;
    sk.set_shutdown_mask(0);
    sk.set_state(state::SYN_SENT);
    open(sk).inspect_err(|_| forget(sk))
}

/// Picks the port, makes the connection and sends the SYN.
fn open(sk: &mut Owned<'_>) -> Result {
    let iss_floor = ports::connect(sk)?;
    if iss_floor.is_some() {
        sk.endpoint().namespace.note(Event::TimeWaitRecycled);
    }
    sk.new_ports()?;
    let flow = sk.flow();
    let (mtu, advertised_mtu, header_len) = (sk.mtu(), sk.advertised_mtu(), sk.header_len());
    let path_mss = wished_mss(sk, mss_of_mtu(mtu, header_len));
    let advertised = wished_mss(sk, mss_of_mtu(advertised_mtu, header_len));
    let windows = heed_route(sk, advertised)?;
    let mut parameters = parameters_of(&flow, path_mss, advertised, sk.max_gso_size(), windows);
    if let Some(floor) = iss_floor {
        parameters.iss = parameters.iss.latest(floor);
    }
    let patience = Patience::of(sk);
    sk.endpoint().get_mut().begin(&parameters, patience)?;
    let now = now();
    options::apply(sk, now);
    with_connection_at(sk, now, |connection, cx| connection.connect(cx))
        .ok_or(EINVAL)?
        .map_err(error::of_verb)?;
    drive_at(sk, now);
    Ok(())
}

/// Does as the route of a new connection wants. The receive windows, with `mss` announced.
fn heed_route(sk: &mut Owned<'_>, mss: Mss) -> Result<(u32, u32)> {
    let route = sk.route_metrics().as_ref().map(RouteWishes::of);
    sk.endpoint().get_mut().heed(route)?;
    let windows = windows_of(sk);
    let Some(route) = route else {
        return Ok(windows);
    };
    sk.shared().clamp_window(route.window);
    Ok(route.limit(windows, mss))
}

/// Takes back what a failed [`open`] has done.
fn forget(sk: &mut Owned<'_>) {
    sk.endpoint().get_mut().connection.clear();
    sk.set_state(state::CLOSE);
    demux::leave(sk);
    sk.reset_route();
    sk.clear_remote();
}

/// Makes the socket as good as new: `connect` with AF_UNSPEC, and abandoning a connection.
pub(crate) fn disconnect(sk: &mut Owned<'_>) -> Result {
    let was_connected = match sk.endpoint().role() {
        Role::Listening => {
            listen::stop(sk);
            false
        }
        Role::Connected => true,
        Role::Closed => false,
    };
    if was_connected {
        with_connection(sk, |connection, cx| connection.abort(cx));
        drive(sk);
        if sk.endpoint().role() != Role::Closed {
            closed(sk);
        }
        sk.set_err(ECONNRESET);
    }
    discard_received(sk);
    sk.endpoint().get_mut().saved_syn = None;
    // Without memory for that the next connection's route has the last word.
    let _ = sk.endpoint().get_mut().heed(None);
    sk.reset_route();
    sk.clear_remote();
    sk.set_shutdown_mask(0);
    sk.set_flag(SockFlag::Done, false);
    sk.error_report();
    Ok(())
}
