// SPDX-License-Identifier: GPL-2.0

//! Connections without a user. Each costs memory until its peer has answered, so there is a
//! limit to how many there may be, and under memory shortage they go first.

use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

use crate::endpoint::Sock;

/// How many there are, in all namespaces.
static COUNT: Atomic<i64> = Atomic::new(0);

/// How many there may be (`net.mynewtcp.max_orphans`).
pub(crate) static LIMIT: Atomic<i64> = Atomic::new(0);

/// One orphan, from its making to the end of its socket.
pub(crate) struct Orphan(());

impl Orphan {
    /// Counts one more.
    pub(crate) fn new() -> Self {
        COUNT.add(1i64, Relaxed);
        Self(())
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        COUNT.fetch_sub(1i64, Relaxed);
    }
}

/// `sk` is one orphan too many, or holds memory that others need.
pub(crate) fn are_too_many(sk: &Sock) -> bool {
    let limit = LIMIT.load(Relaxed);
    if COUNT.load(Relaxed) > limit {
        kernel::pr_warn_once!("mynewtcp: {limit} connections without a user is the limit\n");
        return true;
    }
    sk.is_out_of_memory()
}
