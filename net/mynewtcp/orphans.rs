// SPDX-License-Identifier: GPL-2.0

//! Connections without a user. Each costs memory until its peer has answered, so there is a
//! limit to how many there may be, and under memory shortage they go first.

use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

use crate::endpoint::Sock;
use crate::linux::memory::Ration;

/// How many there are, in all namespaces.
static COUNT: Atomic<i64> = Atomic::new(0);

/// How many there may be (`net.mynewtcp.max_orphans`).
pub(crate) static LIMIT: Atomic<i64> = Atomic::new(0);

/// How often the log says that there are too many.
static TELL: Ration = Ration::new();

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

/// `sk` is one orphan too many, or holds memory that others need. Each of `doubts` about its peer
/// makes it count twice as much.
#[inline]
pub(crate) fn are_too_many(sk: &Sock, doubts: u32) -> bool {
    let (count, limit) = (COUNT.load(Relaxed), LIMIT.load(Relaxed));
    if count.checked_shl(doubts).unwrap_or(i64::MAX) > limit {
        tell(count, limit);
        return true;
    }
    sk.is_out_of_memory()
}

/// How many there are.
pub(crate) fn count() -> i64 {
    COUNT.load(Relaxed)
}

/// How many there may be.
pub(crate) fn limit() -> i64 {
    LIMIT.load(Relaxed)
}

fn tell(count: i64, limit: i64) {
    if let Some(held_back) = TELL.take() {
        kernel::pr_warn!(
            "too many orphans: {count} connections without a user, net.mynewtcp.max_orphans is \
             {limit} connections; resetting some ({held_back} such messages suppressed)\n"
        );
    }
}
