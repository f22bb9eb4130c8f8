// SPDX-License-Identifier: GPL-2.0

//! The port space: which sockets own which local port. Who may share one is the protocol's
//! business; here is the table and its locking.
//!
//! # Ownership
//!
//! A bucket stands for one port of one namespace and exists while a socket owns that port.
//! Membership owns a reference to the socket. A chain's spin lock, taken with softirqs off inside
//! a socket lock, protects its buckets and their members' links; locks of
//! [`demux`](super::demux) may be taken inside it.

use super::{
    addr, bindings as b,
    lock::BhBackend,
    net::NetId,
    proto::Protocol,
    sock::{
        Ctx,
        Sock,
        SockRef, //
    },
};
#[cfg(CONFIG_MY_NEWTCP_DIAG)]
use super::{
    demux::{
        Entry,
        Handful, //
    },
    state,
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use kernel::{
    alloc::flags::{
        GFP_ATOMIC,
        GFP_KERNEL, //
    },
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Release, //
        },
        lock::Backend,
        SetOnce, //
    },
};

/// How many chains of buckets there are.
const CHAINS: usize = 4096;

/// A socket's place among the owners of its port. Both pointers belong to the chain's lock.
pub(super) struct PortLink {
    /// The chain plus one, 0 while it owns no port. Changes under the lock of that chain.
    chain: Atomic<usize>,
    bucket: UnsafeCell<*mut Bucket>,
    next: UnsafeCell<*mut b::sock>,
    prev: UnsafeCell<*mut b::sock>,
}

impl PortLink {
    pub(super) const fn new() -> Self {
        Self {
            chain: Atomic::new(0),
            bucket: UnsafeCell::new(null_mut()),
            next: UnsafeCell::new(null_mut()),
            prev: UnsafeCell::new(null_mut()),
        }
    }
}

/// One port of one namespace.
struct Bucket {
    next: *mut Bucket,
    net: NetId,
    port: u16,
    owners: *mut b::sock,
}

struct Chain {
    lock: UnsafeCell<b::spinlock_t>,
    first: UnsafeCell<*mut Bucket>,
}

// SAFETY: Everything behind a chain is only touched under its lock.
unsafe impl Send for Chain {}
// SAFETY: As above.
unsafe impl Sync for Chain {}

/// The port table of protocol `E`.
pub(crate) struct Ports<E: Protocol> {
    chains: SetOnce<KVVec<Chain>>,
    _protocol: PhantomData<fn(E)>,
}

/// The port table of protocol `E`.
pub(crate) fn ports<E: Protocol>() -> &'static Ports<E> {
    &E::statics().ports
}

/// The owners of one port, with the lock held.
pub(crate) struct PortOwners<'a, E: Protocol> {
    chain: &'a Chain,
    index: usize,
    bucket: *mut Bucket,
    net: NetId,
    port: u16,
    _protocol: PhantomData<fn(E)>,
}

/// The lock of a chain, held.
struct ChainGuard<'a>(&'a Chain);

impl Drop for ChainGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: Taken in `lock`.
        unsafe { BhBackend::unlock(self.0.lock.get(), &()) };
    }
}

impl Chain {
    fn lock(&self) -> ChainGuard<'_> {
        // SAFETY: Initialised in `Ports::init`.
        let () = unsafe { BhBackend::lock(self.lock.get()) };
        ChainGuard(self)
    }
}

impl<E: Protocol> Ports<E> {
    pub(super) const fn new() -> Self {
        Self {
            chains: SetOnce::new(),
            _protocol: PhantomData,
        }
    }

    pub(super) fn init(&self) -> Result {
        let mut chains = KVVec::with_capacity(CHAINS, GFP_KERNEL)?;
        for _ in 0..CHAINS {
            chains.push(
                Chain {
                    lock: UnsafeCell::new(pin_init::zeroed()),
                    first: UnsafeCell::new(null_mut()),
                },
                GFP_KERNEL,
            )?;
        }
        let class = kernel::static_lock_class!();
        for chain in &chains {
            // SAFETY: The lock does not move any more: the vector is not grown again.
            unsafe {
                BhBackend::init(
                    chain.lock.get(),
                    c"newtcp_port".as_char_ptr(),
                    class.as_ptr(),
                )
            };
        }
        self.chains.populate(chains);
        Ok(())
    }

    fn chain(&self, index: usize) -> Option<&Chain> {
        self.chains.as_ref()?.get(index)
    }

    /// Runs `f` with the owners of `port` in the namespace of `ctx`, while nobody else can
    /// change them.
    pub(crate) fn with<R>(
        &self,
        ctx: &mut Ctx<'_, E>,
        port: u16,
        f: impl FnOnce(&mut Ctx<'_, E>, &mut PortOwners<'_, E>) -> Result<R>,
    ) -> Result<R> {
        let net = ctx.net().id();
        let index = addr::local_hash(net, port) as usize % CHAINS;
        let chain = self.chain(index).ok_or(ENOMEM)?;
        let guard = chain.lock();
        let mut owners = PortOwners {
            chain,
            index,
            // SAFETY: The lock is held.
            bucket: unsafe { find(chain, net, port) },
            net,
            port,
            _protocol: PhantomData,
        };
        let result = f(ctx, &mut owners);
        drop(guard);
        result
    }

    /// Makes `ctx` one more owner of the port that `other` owns. `None` if it owns none (any
    /// more).
    pub(crate) fn share(&self, other: &Sock<E>, ctx: &mut Ctx<'_, E>) -> Option<Result> {
        let link = &other.floor().port;
        let index = link.chain.load(Acquire).checked_sub(1)?;
        let chain = self.chain(index)?;
        let _guard = chain.lock();
        if link.chain.load(Acquire) != index + 1 {
            return None;
        }
        // SAFETY: The lock is held and `other` is a member, so its bucket is alive.
        let (bucket, net, port) = unsafe {
            let bucket = *link.bucket.get();
            (bucket, (*bucket).net, (*bucket).port)
        };
        let mut owners = PortOwners {
            chain,
            index,
            bucket,
            net,
            port,
            _protocol: PhantomData,
        };
        Some(owners.add(ctx))
    }

    #[cfg(CONFIG_MY_NEWTCP_DIAG)]
    /// How many chains [`bound`](Self::bound) looks into.
    pub(crate) const CHAINS: usize = CHAINS;

    #[cfg(CONFIG_MY_NEWTCP_DIAG)]
    /// A handful of the sockets of namespace `net` in a chain that have a port and nothing else,
    /// behind the first `skip` of them.
    pub(crate) fn bound(&self, index: usize, net: NetId, skip: usize) -> Handful<E> {
        let mut handful = Handful::new(skip);
        let Some(chain) = self.chain(index) else {
            return handful;
        };
        let mut left = skip;
        let _guard = chain.lock();
        // SAFETY: Buckets and their owners are alive while the lock is held.
        unsafe {
            let mut bucket = (*chain.first.get()).as_ref();
            while let Some(at) = bucket {
                let mut owner = at.owners;
                while at.net == net && !owner.is_null() {
                    let sock = Sock::<E>::from_raw(owner);
                    owner = *sock.floor().port.next.get();
                    if sock.state() != state::CLOSE {
                        continue;
                    }
                    if left > 0 {
                        left -= 1;
                    } else if !handful.add(Some(Entry::Sock(sock.sock_ref()))) {
                        return handful;
                    }
                }
                bucket = at.next.as_ref();
            }
        }
        handful
    }

    /// The socket no longer owns its port.
    #[inline]
    pub(crate) fn release(&self, ctx: &mut Ctx<'_, E>) {
        self.release_sock(ctx);
    }

    pub(super) fn release_sock(&self, sock: &Sock<E>) {
        let link = &sock.floor().port;
        // A socket changes its port under its own lock only, which the caller has.
        let index = link.chain.load(Acquire);
        let Some(chain) = index.checked_sub(1).and_then(|i| self.chain(i)) else {
            return;
        };
        let guard = chain.lock();
        // SAFETY: The lock is held, and the socket is a member.
        unsafe { unlink::<E>(chain, sock) };
        link.chain.store(0, Release);
        drop(guard);
        // SAFETY: A live socket of which this context has the lock; then the reference that
        // membership owned.
        unsafe {
            b::newtcp_sk_clear_port(sock.as_raw());
            drop(SockRef::from_raw(NonNull::from(sock)));
        }
    }
}

impl<E: Protocol> PortOwners<'_, E> {
    /// The owners, the newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Sock<E>> {
        // SAFETY: A bucket that was found lives while its lock is held.
        let mut next = unsafe { self.bucket.as_ref() }.map_or(null_mut(), |b| b.owners);
        core::iter::from_fn(move || {
            let sk = NonNull::new(next)?;
            // SAFETY: Members are alive, and stay members while the lock is held.
            unsafe {
                let sock = Sock::<E>::from_raw(sk.as_ptr());
                next = *sock.floor().port.next.get();
                Some(sock)
            }
        })
    }

    /// Makes the socket one of the owners, and the port its own. `EEXIST` if it owns one.
    #[inline]
    pub(crate) fn add(&mut self, ctx: &mut Ctx<'_, E>) -> Result {
        let sock: SockRef<E> = ctx.sock_ref();
        let link = &sock.floor().port;
        if link.chain.load(Acquire) != 0 {
            return Err(EEXIST);
        }
        if self.bucket.is_null() {
            self.bucket = self.new_bucket()?;
        }
        // SAFETY: The lock is held; the bucket and its first owner are alive.
        unsafe {
            let first = (*self.bucket).owners;
            *link.bucket.get() = self.bucket;
            *link.next.get() = first;
            *link.prev.get() = null_mut();
            if !first.is_null() {
                *Sock::<E>::from_raw(first).floor().port.prev.get() = sock.as_raw();
            }
            (*self.bucket).owners = sock.as_raw();
        }
        link.chain.store(self.index + 1, Release);
        ctx.set_local_port(self.port);
        // Membership owns this reference.
        let _ = SockRef::into_raw(sock);
        Ok(())
    }

    fn new_bucket(&self) -> Result<*mut Bucket> {
        let first = self.chain.first.get();
        let bucket = KBox::into_raw(KBox::new(
            Bucket {
                // SAFETY: The lock is held.
                next: unsafe { *first },
                net: self.net,
                port: self.port,
                owners: null_mut(),
            },
            GFP_ATOMIC,
        )?);
        // SAFETY: The lock is held.
        unsafe { *first = bucket };
        Ok(bucket)
    }
}

/// # Safety
///
/// The lock of `chain` must be held.
unsafe fn find(chain: &Chain, net: NetId, port: u16) -> *mut Bucket {
    // SAFETY: Buckets live while the lock is held.
    unsafe {
        let mut bucket = *chain.first.get();
        while !bucket.is_null() && ((*bucket).port != port || (*bucket).net != net) {
            bucket = (*bucket).next;
        }
        bucket
    }
}

/// # Safety
///
/// The lock of `chain` must be held, and `sock` must own a port there.
unsafe fn unlink<E: Protocol>(chain: &Chain, sock: &Sock<E>) {
    let link = &sock.floor().port;
    // SAFETY: By the contract; the neighbours are members, hence alive, and so is the bucket.
    unsafe {
        let (next, prev, bucket) = (*link.next.get(), *link.prev.get(), *link.bucket.get());
        if prev.is_null() {
            (*bucket).owners = next;
        } else {
            *Sock::<E>::from_raw(prev).floor().port.next.get() = next;
        }
        if !next.is_null() {
            *Sock::<E>::from_raw(next).floor().port.prev.get() = prev;
        }
        *link.bucket.get() = null_mut();
        if !(*bucket).owners.is_null() {
            return;
        }
        let mut place = chain.first.get();
        while *place != bucket {
            place = &raw mut (**place).next;
        }
        *place = (*bucket).next;
        drop(KBox::from_raw(bucket));
    }
}
