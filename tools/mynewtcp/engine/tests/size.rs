// SPDX-License-Identifier: GPL-2.0

//! What objects cost that there may be very many of.

use std::mem::size_of;

use mynewtcp_engine::engine::buffer::TxMeta;
use mynewtcp_engine::engine::connection::Connection;
use mynewtcp_engine::engine::listener::{
    HalfOpen,
    TimeWait, //
};

#[test]
fn small_things_stay_small() {
    assert!(size_of::<TxMeta>() <= 24, "{}", size_of::<TxMeta>());
    assert!(size_of::<TimeWait>() <= 64, "{}", size_of::<TimeWait>());
    assert!(size_of::<HalfOpen>() <= 128, "{}", size_of::<HalfOpen>());
    assert!(
        size_of::<Connection>() <= 1088,
        "{}",
        size_of::<Connection>()
    );
}
