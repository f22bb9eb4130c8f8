// SPDX-License-Identifier: GPL-2.0

//! TCP_CONGESTION and TCP_CC_INFO: which congestion control algorithm, and what it tells.

use crate::endpoint::drive::drive;
use crate::endpoint::{
    with_connection,
    Sock, //
};
use crate::engine::congestion::{
    Detail,
    Kind, //
};
use crate::linux::compat::prelude::*;
use crate::linux::sockopt::{
    OptIn,
    OptOut, //
};
use crate::socket::options::values::wish;
use crate::sysctl::congestion::Allowed;

/// Octets of a name, the one that ends it included (`TCP_CA_NAME_MAX`).
const NAME_MAX: usize = 16;

/// Chooses the algorithm, before or during a connection; accepted sockets have their listener's.
pub(super) fn set(sk: &Sock, value: OptIn<'_>) -> Result {
    let mut bytes = [0; NAME_MAX - 1];
    let n = value.read_bytes(&mut bytes)?;
    let given = bytes.get(..n).unwrap_or_default();
    if given.is_empty() {
        return Err(EINVAL);
    }
    let name = given.split(|&octet| octet == 0).next().unwrap_or_default();
    let kind = Kind::by_name(name).ok_or(ENOENT)?;
    let mut sk = sk.lock();
    if !Allowed::now().has(kind) && !sk.may_administer_net() {
        return Err(EPERM);
    }
    wish(&mut sk, |wishes| wishes.congestion = Some(kind))?;
    with_connection(&mut sk, |connection, cx| {
        connection.set_congestion(cx, kind);
    });
    drive(&mut sk);
    Ok(())
}

/// Tells its name, filled up with zeroes.
pub(super) fn get(sk: &Sock, out: OptOut<'_>) -> Result {
    let kind = {
        let mut sk = sk.lock();
        let endpoint = sk.endpoint();
        match endpoint.connection() {
            Some(connection) => connection.congestion(),
            None => endpoint.tuned.config().congestion,
        }
    };
    let mut bytes = [0; NAME_MAX];
    let name = kind.name().as_bytes();
    if let Some(place) = bytes.get_mut(..name.len()) {
        place.copy_from_slice(name);
    }
    out.write_bytes(&bytes)
}

/// What the algorithm tells of itself: nothing, or `struct tcp_dctcp_info`.
pub(super) fn get_info(sk: &Sock, out: OptOut<'_>) -> Result {
    let detail = with_connection(&mut sk.lock(), |connection, _| {
        let marked = connection.echoes_mark();
        (
            connection.congestion_detail(),
            connection.uses_ecn(),
            marked,
        )
    });
    let Some((
        Detail::Dctcp {
            alpha,
            marked_bytes,
            acked_bytes,
        },
        uses_ecn,
        marked,
    )) = detail
    else {
        return out.write_bytes(&[]);
    };
    let mut bytes = [0; 16];
    let members: [&[u8]; 5] = [
        &u16::from(uses_ecn).to_ne_bytes(),
        &u16::from(marked).to_ne_bytes(),
        &u32::from(alpha).to_ne_bytes(),
        &marked_bytes.to_ne_bytes(),
        &acked_bytes.to_ne_bytes(),
    ];
    for (place, octet) in bytes.iter_mut().zip(members.into_iter().flatten()) {
        *place = *octet;
    }
    out.write_bytes(&bytes)
}
