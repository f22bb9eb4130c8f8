// SPDX-License-Identifier: GPL-2.0

//! The memory of one network namespace, below that of the host.
//!
//! The C stack counts the pages of all sockets in one sum and holds the host's limits against it
//! (`struct proto`). A pool counts those of one namespace and holds the namespace's limits against
//! them, by the same rules: a reservation has to pass both. What is counted per CPU here, as it is
//! there, so a reservation costs no shared cache line but once in a batch.

use super::{
    begin,
    end,
    lasts, //
};
use crate::linux::{
    bindings as b,
    net::Net,
    netns, //
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    error::to_result,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    types::Opaque, //
};

/// No limit but the host's.
const NONE: isize = isize::MAX;

/// The count of a pool with limits is off by this part of its highest limit at most.
const PRECISION: isize = 16;

/// What memory is wanted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::linux) enum Purpose {
    /// Data to be sent.
    Send,
    /// Data that has come.
    Receive,
}

/// What a namespace counts of its memory.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    /// How often memory has become short.
    pub(crate) pressures: u64,
    /// For how long in all, milliseconds, the present time excluded.
    pub(crate) pressed_ms: u64,
    /// Reservations that were refused, by the namespace or by the host.
    pub(crate) refused: u64,
}

/// A sum that each CPU keeps a part of.
///
/// # Invariants
///
/// An initialised `percpu_counter`, at an address that does not change.
struct Count(KBox<Opaque<b::percpu_counter>>);

impl Count {
    fn new() -> Result<Self> {
        let counter = KBox::new(Opaque::zeroed(), GFP_KERNEL)?;
        // SAFETY: Nobody uses the counter yet.
        to_result(unsafe { b::newtcp_percpu_counter_init(counter.get()) })?;
        // INVARIANT: It is initialised, and what is in a box stays where it is.
        Ok(Self(counter))
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; it is not used again.
        unsafe { b::newtcp_percpu_counter_destroy(self.0.get()) };
    }
}

// SAFETY: A `percpu_counter` is made to be shared.
unsafe impl Send for Count {}
// SAFETY: As above.
unsafe impl Sync for Count {}

/// The memory of one network namespace.
pub(in crate::linux) struct Pool {
    pages: Count,
    /// Low, pressure, high, in pages; all [`NONE`] until somebody sets them.
    limits: [Atomic<isize>; 3],
    /// How many pages a CPU may keep to itself.
    batch: Atomic<i32>,
    /// Since when memory is short here, in jiffies; 0 while it is not.
    since: Atomic<usize>,
    pressures: Atomic<u64>,
    pressed_ms: Atomic<u64>,
    refused: Atomic<u64>,
}

impl Pool {
    /// An empty pool without limits.
    pub(in crate::linux) fn new() -> Result<Self> {
        Ok(Self {
            pages: Count::new()?,
            limits: [const { Atomic::new(NONE) }; 3],
            batch: Atomic::new(i32::MAX),
            since: Atomic::new(0),
            pressures: Atomic::new(0),
            pressed_ms: Atomic::new(0),
            refused: Atomic::new(0),
        })
    }

    /// The pool that `sk` draws from; `None` if its namespace is going away, or if it is exempt
    /// from the limits of protocols (`net.core.bypass_prot_mem`).
    ///
    /// # Safety
    ///
    /// `sk` must be a live socket, which keeps its namespace, during `'a`.
    #[inline]
    pub(super) unsafe fn of<'a>(sk: *mut b::sock) -> Option<&'a Self> {
        // SAFETY: By the contract.
        unsafe {
            if b::newtcp_bypasses_pool(sk) {
                return None;
            }
            netns::pool(Net::from_raw(b::newtcp_sock_net(sk)))
        }
    }

    /// Pages counted, what CPUs have not handed in excluded.
    #[inline]
    pub(super) fn pages(&self) -> isize {
        // SAFETY: By the invariant of `Count`.
        unsafe { b::newtcp_percpu_counter_read(self.pages.0.get()) as isize }
    }

    /// Pages counted, exact when nothing is going on.
    pub(super) fn exact_pages(&self) -> isize {
        // SAFETY: By the invariant of `Count`.
        unsafe { b::newtcp_percpu_counter_sum(self.pages.0.get()) as isize }
    }

    /// Counts `n` pages that were taken or, if negative, given back.
    #[inline]
    pub(super) fn add(&self, n: isize) {
        if n == 0 {
            return;
        }
        // SAFETY: By the invariant of `Count`.
        unsafe {
            b::newtcp_percpu_counter_add(self.pages.0.get(), n as i64, self.batch.load(Relaxed));
        }
        if n < 0 && self.is_pressed() && self.pages() < self.limit(0) {
            self.relieve();
        }
    }

    #[inline]
    fn limit(&self, which: usize) -> isize {
        self.limits.get(which).map_or(NONE, |l| l.load(Relaxed))
    }

    /// Low, pressure, high; `None` if nobody has set any.
    pub(super) fn limits(&self) -> Option<[isize; 3]> {
        let limits = [self.limit(0), self.limit(1), self.limit(2)];
        (limits[2] != NONE).then_some(limits)
    }

    /// Sets the limits, which ascend.
    pub(super) fn set_limits(&self, limits: [isize; 3]) {
        // SAFETY: Reads a counter.
        let cpus = unsafe { b::newtcp_online_cpus() }.max(1) as isize;
        let batch = limits[2] / PRECISION / cpus;
        self.batch
            .store(batch.clamp(1, i32::MAX as isize) as i32, Relaxed);
        for (place, limit) in self.limits.iter().zip(limits) {
            // More than the machine has is as good as no limit, and not `NONE`.
            place.store(limit.min(NONE - 1), Relaxed);
        }
        if self.is_pressed() && self.exact_pages() <= limits[0] {
            self.relieve();
        }
    }

    /// Memory is short in this namespace.
    #[inline]
    pub(super) fn is_pressed(&self) -> bool {
        self.since.load(Relaxed) != 0
    }

    /// For how long it has been short, milliseconds; `None` while it is not.
    pub(super) fn pressed_for(&self) -> Option<u64> {
        lasts(&self.since)
    }

    /// Below the first limit: nothing is regulated.
    #[inline]
    pub(super) fn is_plentiful(&self) -> bool {
        self.pages() < self.limit(0)
    }

    /// Above the last limit.
    pub(super) fn is_exhausted(&self) -> bool {
        self.pages() > self.limit(2)
    }

    /// With `pages` more nothing is regulated, nor is it now.
    #[inline]
    pub(super) fn is_calm(&self, pages: isize) -> bool {
        !self.is_pressed() && self.pages().saturating_add(pages) <= self.limit(0)
    }

    fn press(&self) {
        if begin(&self.since) {
            self.count_pressure();
        }
    }

    fn relieve(&self) {
        if let Some(ms) = end(&self.since) {
            self.count_relief(ms);
        }
    }

    /// A time of pressure has begun, here or on the host.
    pub(super) fn count_pressure(&self) {
        self.pressures.add(1u64, Relaxed);
    }

    /// A time of pressure has ended after `ms`.
    pub(super) fn count_relief(&self, ms: u64) {
        self.pressed_ms.add(ms, Relaxed);
    }

    /// A reservation was refused.
    pub(super) fn count_refusal(&self) {
        self.refused.add(1u64, Relaxed);
    }

    /// What has been counted.
    pub(super) fn tally(&self) -> Tally {
        Tally {
            pressures: self.pressures.load(Relaxed),
            pressed_ms: self.pressed_ms.load(Relaxed),
            refused: self.refused.load(Relaxed),
        }
    }

    /// `sk` may have `pages` more as far as its namespace goes. The rules are those by which the
    /// host's limits are held against the host's sum: `__sk_mem_raise_allocated()`, and what
    /// `newtcp_is_promised()` sets aside.
    ///
    /// # Safety
    ///
    /// The lock of `sk` must be held.
    #[inline]
    pub(super) unsafe fn allows(
        &self,
        sk: *mut b::sock,
        bytes: i32,
        pages: isize,
        purpose: Purpose,
    ) -> Result<(), Refusal> {
        let after = self.pages().saturating_add(pages);
        if after <= self.limit(0) {
            if self.is_pressed() {
                self.relieve();
            }
            return Ok(());
        }
        // SAFETY: By the contract.
        unsafe { self.allows_above_low(sk, bytes, after, purpose) }
    }

    /// # Safety
    ///
    /// As for `allows`.
    #[cold]
    unsafe fn allows_above_low(
        &self,
        sk: *mut b::sock,
        bytes: i32,
        after: isize,
        purpose: Purpose,
    ) -> Result<(), Refusal> {
        let pressure = self.limit(1);
        if after > pressure {
            self.press();
        } else if !self.is_pressed() {
            return Ok(());
        }
        // SAFETY: By the contract.
        let (sockets, promised) = unsafe {
            (
                b::newtcp_sockets_in_use(sk).max(1) as isize,
                b::newtcp_promised_pages(sk) as isize,
            )
        };
        let high = self.limit(2);
        let free_for_all = high.saturating_sub(sockets.saturating_mul(promised));
        if after > free_for_all.max(pressure) {
            if purpose == Purpose::Send {
                // SAFETY: By the contract.
                unsafe { b::newtcp_moderate_sndbuf(sk) };
            }
            return Err(Refusal::Full);
        }
        // SAFETY: By the contract; the socket keeps its namespace.
        let (held, net) = unsafe { (Held::of(sk), Net::from_raw(b::newtcp_sock_net(sk))) };
        let guaranteed = match purpose {
            Purpose::Send => held.send < net.sysctl_wmem()[0],
            Purpose::Receive => held.receive < net.sysctl_rmem()[0],
        };
        // Who has less than the average may have more.
        if guaranteed || high > sockets.saturating_mul(held.pages()) {
            return Ok(());
        }
        if purpose == Purpose::Send {
            // A writer above its limit cannot be made to wait: it gets what it asks for.
            // SAFETY: By the contract.
            let sndbuf = unsafe {
                b::newtcp_moderate_sndbuf(sk);
                b::newtcp_sndbuf(sk)
            };
            if held.send.saturating_add(bytes) >= sndbuf {
                return Ok(());
            }
        }
        Err(Refusal::Share)
    }
}

/// Why a namespace refuses memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// There is none left.
    Full,
    /// It is short, and the socket has more than the average.
    Share,
}

#[cfg(CONFIG_MY_NEWTCP_DEBUG)]
impl Drop for Pool {
    fn drop(&mut self) {
        // Its sockets are gone.
        kernel::warn_on!(self.exact_pages() != 0);
    }
}

/// What a socket holds, bytes.
struct Held {
    send: i32,
    receive: i32,
    reserved: i32,
}

impl Held {
    /// # Safety
    ///
    /// The lock of `sk` must be held.
    unsafe fn of(sk: *mut b::sock) -> Self {
        // SAFETY: By the contract.
        unsafe {
            Self {
                send: b::newtcp_wmem_queued(sk),
                receive: b::newtcp_rmem_alloc(sk),
                reserved: b::newtcp_forward_alloc(sk),
            }
        }
    }

    fn pages(&self) -> isize {
        let bytes = self
            .send
            .saturating_add(self.receive)
            .saturating_add(self.reserved);
        super::pages_for(bytes)
    }
}
