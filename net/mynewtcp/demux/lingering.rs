// SPDX-License-Identifier: GPL-2.0

//! Ports that connections in TIME-WAIT still hold. They have no socket any more that could stand
//! among the owners of the port, so each namespace keeps count of them here.

use core::cmp::Ordering;

use kernel::prelude::*;
use kernel::rbtree::RBTree;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};
use kernel::sync::Arc;

use crate::endpoint::Sock;
use crate::linux::addr::{
    Flow,
    Ip, //
};
use crate::linux::lock::{
    new_bh_lock,
    BhLock, //
};
use crate::mib::Namespace;

/// Port, address, and what the socket had said about sharing the port.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    port: u16,
    ip: Ip,
    reuse: bool,
    reuseport: bool,
}

impl Key {
    fn rank(&self) -> (u16, &[u8; 16], bool, bool) {
        (self.port, self.ip.octets(), self.reuse, self.reuseport)
    }

    /// The lowest key of `port`.
    const fn lowest(port: u16) -> Self {
        Self {
            port,
            ip: Ip::V6_ANY,
            reuse: false,
            reuseport: false,
        }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// How many connections in TIME-WAIT there are for each key.
#[pin_data]
pub(crate) struct Lingering {
    #[pin]
    counts: BhLock<RBTree<Key, u32>>,
    /// How many there are in all.
    total: Atomic<u32>,
}

impl Lingering {
    /// None.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            counts <- new_bh_lock!(RBTree::new(), c"newtcp_lingering"),
            total: Atomic::new(0),
        })
    }

    /// How many connections are in TIME-WAIT.
    pub(crate) fn total(&self) -> u32 {
        self.total.load(Relaxed)
    }

    fn add(&self, key: Key) -> Result {
        let mut counts = self.counts.lock();
        if let Some(count) = counts.get_mut(&key) {
            *count = count.saturating_add(1);
            return Ok(());
        }
        counts.try_create_and_insert(key, 1, GFP_ATOMIC)?;
        Ok(())
    }

    fn take(&self, key: Key) {
        let mut counts = self.counts.lock();
        let Some(count) = counts.get_mut(&key) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }

    /// A connection in TIME-WAIT objects to `sk` having `port`. `accepts` says whether `sk`
    /// would get packets for an address.
    pub(crate) fn objects(&self, sk: &Sock, port: u16, accepts: impl Fn(&Ip) -> bool) -> bool {
        let mut counts = self.counts.lock();
        let mut cursor = counts.cursor_lower_bound_mut(&Key::lowest(port));
        while let Some(at) = cursor {
            let (key, _) = at.current();
            if key.port != port {
                return false;
            }
            let shares = (sk.reuse() && key.reuse) || (sk.joins_others() && key.reuseport);
            if !shares && accepts(&key.ip) {
                return true;
            }
            cursor = at.move_next();
        }
        false
    }
}

/// One connection in TIME-WAIT that holds a port, until it is dropped.
pub(crate) struct HeldPort {
    namespace: Arc<Namespace>,
    key: Key,
}

impl HeldPort {
    /// Holds the local port of `flow` as the socket `sk` did. `ENOSPC` if there are `most`
    /// already.
    pub(crate) fn new(
        namespace: &Arc<Namespace>,
        flow: &Flow,
        sk: &Sock,
        most: u32,
    ) -> Result<Self> {
        let key = Key {
            port: flow.lport,
            ip: flow.laddr,
            reuse: sk.reuse(),
            reuseport: sk.reuseport(),
        };
        let lingering = &namespace.lingering;
        if lingering.total.load(Relaxed) >= most {
            return Err(ENOSPC);
        }
        lingering.add(key)?;
        lingering.total.add(1u32, Relaxed);
        Ok(Self {
            namespace: namespace.clone(),
            key,
        })
    }

    /// Where it is held.
    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }
}

impl Drop for HeldPort {
    fn drop(&mut self) {
        self.namespace.lingering.take(self.key);
        self.namespace.lingering.total.fetch_sub(1u32, Relaxed);
    }
}
