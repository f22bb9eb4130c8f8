// SPDX-License-Identifier: GPL-2.0

//! Where sockets get their pages and give them back: every change of `sk_forward_alloc` by whole
//! pages passes here, so that the namespace's pool sees it as the host's sum does.
//!
//! A charge itself (of an skb to a queue) only moves bytes between the socket's reserve and its
//! queues and is not seen here; see [`Charge`](crate::linux::skb).

use super::{
    audit, pages_for,
    pool::{
        Pool,
        Purpose,
        Refusal, //
    },
    tell,
};
use crate::linux::{
    bindings as b,
    net::Net, //
};

/// Reserves `bytes` for data to be sent.
///
/// # Safety
///
/// The lock of `sk` must be held.
#[inline]
pub(in crate::linux) unsafe fn reserve_to_send(sk: *mut b::sock, bytes: i32) -> bool {
    // SAFETY: By the contract.
    unsafe {
        reserve(sk, bytes, Purpose::Send, || {
            b::newtcp_wmem_schedule(sk, bytes)
        })
    }
}

/// Reserves up to `bytes` for data to be sent, and says how many. Whatever the limits say, a socket
/// may have what the first number of `net.mynewtcp.wmem` promises it.
///
/// # Safety
///
/// The lock of `sk` must be held.
#[inline]
pub(in crate::linux) unsafe fn reserve_some_to_send(sk: *mut b::sock, bytes: u32) -> u32 {
    let wanted = i32::try_from(bytes).unwrap_or(i32::MAX);
    // SAFETY: By the contract; the socket keeps its namespace.
    unsafe {
        if reserve_to_send(sk, wanted) {
            return wanted as u32;
        }
        let promised = Net::from_raw(b::newtcp_sock_net(sk)).sysctl_wmem()[0];
        let left = promised.saturating_sub(b::newtcp_wmem_queued(sk));
        if left > 0 {
            force(sk, left.min(wanted));
        }
        wanted.min(b::newtcp_forward_alloc(sk)).max(0) as u32
    }
}

/// Reserves what `skb`, which has come, takes.
///
/// # Safety
///
/// The lock of `sk` must be held, and `skb` must be live.
#[inline]
pub(in crate::linux) unsafe fn reserve_to_receive(sk: *mut b::sock, skb: *mut b::sk_buff) -> bool {
    // SAFETY: By the contract.
    unsafe {
        let bytes = b::newtcp_skb_truesize(skb) as i32;
        reserve(sk, bytes, Purpose::Receive, || {
            b::newtcp_rmem_schedule(sk, skb)
        })
    }
}

/// Asks the namespace, then the host by `ask`.
///
/// # Safety
///
/// The lock of `sk` must be held.
#[inline]
unsafe fn reserve(
    sk: *mut b::sock,
    bytes: i32,
    purpose: Purpose,
    ask: impl FnOnce() -> bool,
) -> bool {
    // SAFETY: By the contract.
    unsafe {
        let missing = bytes.saturating_sub(b::newtcp_forward_alloc(sk));
        if missing <= 0 {
            return true;
        }
        let pages = pages_for(missing);
        let pool = Pool::of(sk);
        if pool.is_some_and(|pool| raise_quickly(sk, pool, pages)) {
            return true;
        }
        reserve_slowly(sk, missing, pages, pool, purpose, ask)
    }
}

/// Takes `pages` where neither the namespace nor the host is near a limit: false if one is, or if
/// somebody else counts as well.
///
/// # Safety
///
/// The lock of `sk` must be held, and `pool` must be that of its namespace.
#[inline]
unsafe fn raise_quickly(sk: *mut b::sock, pool: &Pool, pages: isize) -> bool {
    if !pool.is_calm(pages) {
        return false;
    }
    let audit = audit::begin();
    // SAFETY: By the contract.
    let raised = unsafe { b::newtcp_raise_quickly(sk, pages as i32) };
    if raised {
        pool.add(pages);
        audit.pages(pages);
    }
    // SAFETY: By the contract.
    unsafe { audit.end(sk) };
    raised
}

/// # Safety
///
/// As for [`reserve`]; `pool` must be that of the socket's namespace.
#[cold]
unsafe fn reserve_slowly(
    sk: *mut b::sock,
    missing: i32,
    pages: isize,
    pool: Option<&Pool>,
    purpose: Purpose,
    ask: impl FnOnce() -> bool,
) -> bool {
    // SAFETY: By the contract.
    unsafe {
        if let Some(pool) = pool {
            if let Err(refusal) = pool.allows(sk, missing, pages, purpose) {
                pool.count_refusal();
                if refusal == Refusal::Full {
                    tell::namespace_is_out(sk, pool);
                }
                return false;
            }
        }
        let granted = observe(sk, 0, ask);
        if granted {
            b::newtcp_end_pressure(sk);
        } else {
            if let Some(pool) = pool {
                pool.count_refusal();
            }
            tell::host_is_out(sk, pages);
        }
        granted
    }
}

/// Gives the whole pages back that are in the socket's reserve. What leaves a queue goes there
/// first, so that what enters one next can have it; whoever has the lock calls this before it
/// lets go of the lock.
///
/// # Safety
///
/// The lock of `sk` must be held.
#[inline]
pub(in crate::linux) unsafe fn settle(sk: *mut b::sock) {
    // SAFETY: By the contract.
    unsafe {
        let pages = b::newtcp_spare_pages(sk);
        if pages > 0 {
            give_back(sk, pages);
        }
    }
}

/// # Safety
///
/// As for [`settle`]; so many pages must be in the reserve.
#[inline(never)]
unsafe fn give_back(sk: *mut b::sock, pages: i32) {
    let audit = audit::begin();
    // SAFETY: By the contract; the socket keeps its namespace.
    unsafe {
        b::newtcp_lower(sk, pages);
        if let Some(pool) = Pool::of(sk) {
            pool.add(-(pages as isize));
            audit.pages(-(pages as isize));
        }
        audit.end(sk);
    }
}

/// Reserves `bytes` whatever the limits say: for what cannot be refused.
///
/// # Safety
///
/// The lock of `sk` must be held.
#[inline]
pub(in crate::linux) unsafe fn force(sk: *mut b::sock, bytes: i32) {
    // SAFETY: By the contract.
    if bytes <= unsafe { b::newtcp_forward_alloc(sk) } {
        return;
    }
    // SAFETY: By the contract.
    unsafe { observe(sk, 0, || b::newtcp_mem_charge_forced(sk, bytes)) };
}

/// The page allocator had nothing for `sk`: memory is short whatever the sums say.
///
/// # Safety
///
/// `sk` must be live.
pub(in crate::linux) unsafe fn allocation_failed(sk: *mut b::sock) {
    // SAFETY: By the contract.
    unsafe {
        if !b::newtcp_bypasses_pool(sk) {
            super::enter_pressure(sk);
        }
    }
}

/// Runs `change`, which moves `charged` bytes from the socket's reserve to its queues (negative:
/// back), and counts the pages that come and go with that.
///
/// # Safety
///
/// The lock of `sk` must be held, or nobody else may know it.
#[inline]
pub(in crate::linux) unsafe fn observe<R>(
    sk: *mut b::sock,
    charged: i32,
    change: impl FnOnce() -> R,
) -> R {
    // SAFETY: By the contract.
    unsafe {
        observe_later(sk, || {
            let result = change();
            (result, charged)
        })
    }
}

/// The same where only the change itself can say how much it charges.
///
/// # Safety
///
/// As for [`observe`].
#[inline]
pub(in crate::linux) unsafe fn observe_later<R>(
    sk: *mut b::sock,
    change: impl FnOnce() -> (R, i32),
) -> R {
    let audit = audit::begin();
    // SAFETY: By the contract nobody else changes the reserve.
    let before = unsafe { b::newtcp_forward_alloc(sk) };
    let (result, charged) = change();
    // SAFETY: As above.
    let after = unsafe { b::newtcp_forward_alloc(sk) };
    let pages = after.wrapping_add(charged).wrapping_sub(before) >> b::NEWTCP_PAGE_SHIFT;
    if pages != 0 {
        // SAFETY: The socket is live.
        if let Some(pool) = unsafe { Pool::of(sk) } {
            pool.add(pages as isize);
            audit.pages(pages as isize);
        }
    }
    // SAFETY: By the contract.
    unsafe { audit.end(sk) };
    result
}
