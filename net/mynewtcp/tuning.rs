// SPDX-License-Identifier: GPL-2.0

//! What sockets are tuned with: the values of their namespace, which `net.mynewtcp.*` changes
//! while they live, and their own, which `setsockopt` changes.
//!
//! Nobody copies the values. All sockets of a namespace that have no wishes share one
//! [`Tuned`]; a socket with wishes has one that is made of both, and shares it with the
//! connections that it accepts. A change in the namespace makes a new generation, and each
//! socket goes over to it when it is used the next time.

use kernel::prelude::*;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};
use kernel::sync::Arc;

use crate::engine::config::Config;
use crate::engine::congestion::ecn::EcnMode;
use crate::engine::congestion::Kind;
use crate::engine::seq::Mss;
use crate::engine::time::Delta;
use crate::linux::lock::{
    new_bh_lock,
    BhLock, //
};
use crate::linux::route::Metrics;

/// The values of a namespace.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tunables {
    /// What the engine reads.
    pub(crate) config: Config,
    /// Octets not yet transmitted from which on a socket counts as full.
    pub(crate) notsent_lowat: u32,
    /// Packets to sockets of this host may go the short way.
    pub(crate) loopback_fast_path: bool,
    /// Packets get their socket before their route.
    pub(crate) early_demux: bool,
}

impl Tunables {
    /// Before the first value of `net.mynewtcp.*` has been set.
    pub(crate) const DEFAULT: Self = Self {
        config: Config::DEFAULT,
        notsent_lowat: u32::MAX,
        loopback_fast_path: true,
        early_demux: true,
    };
}

/// What the administrator has noted of a route (`ip route ... initcwnd 20`): it comes before what
/// the socket wants, as in Linux' TCP. `None`, 0 and false: nothing.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RouteWishes {
    /// `initcwnd`, segments.
    pub(crate) initial_cwnd: Option<u16>,
    /// `initrwnd`, segments.
    pub(crate) initial_rwnd: u32,
    /// `window`, octets: the largest receive window.
    pub(crate) window: u32,
    /// `ssthresh`, segments.
    pub(crate) initial_ssthresh: Option<u32>,
    /// `reordering`, segments.
    pub(crate) reordering: Option<u16>,
    /// `rto_min`.
    pub(crate) rto_min: Option<Delta>,
    /// `congctl`.
    pub(crate) congestion: Option<Kind>,
    /// `features ecn`.
    pub(crate) ecn: bool,
    /// `quickack`.
    pub(crate) quickack: bool,
}

impl RouteWishes {
    /// What is noted in `metrics`.
    pub(crate) fn of(metrics: &Metrics) -> Self {
        let some = |n: u32| (n != 0).then_some(n);
        let small = |n: u32| some(n).map(|n| u16::try_from(n).unwrap_or(u16::MAX));
        Self {
            initial_cwnd: small(metrics.initial_cwnd),
            initial_rwnd: metrics.initial_rwnd,
            window: metrics.window,
            initial_ssthresh: some(metrics.ssthresh),
            reordering: small(metrics.reordering),
            rto_min: some(metrics.rto_min_ms).map(|ms| Delta::from_millis(ms.into())),
            congestion: Kind::by_name(metrics.congestion()),
            ecn: metrics.ecn,
            quickack: metrics.quickack,
        }
    }

    fn apply(&self, config: &mut Config) {
        wish(&mut config.initial_cwnd, self.initial_cwnd);
        wish(&mut config.initial_ssthresh, self.initial_ssthresh);
        wish(&mut config.reordering, self.reordering);
        wish(&mut config.rto_min, self.rto_min);
        wish(&mut config.congestion, self.congestion);
        config.rto_min = config.rto_min.min(config.rto_max);
        config.always_quick |= self.quickack;
        if self.ecn {
            config.ecn = EcnMode::On;
        }
    }

    /// The receive windows of a connection, now and at most, as the route has them; `mss` is
    /// what we announce.
    pub(crate) fn limit(&self, (now, most): (u32, u32), mss: Mss) -> (u32, u32) {
        let clamp = if self.window == 0 {
            u32::MAX
        } else {
            self.window
        };
        let first = match self.initial_rwnd {
            0 => u32::MAX,
            segments => segments.saturating_mul(mss.octets()),
        };
        (now.min(clamp).min(first), most.min(clamp))
    }
}

/// What one socket wants otherwise than its namespace. `None`: as the namespace has it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wishes {
    /// TCP_KEEPIDLE.
    pub(crate) keepalive_time: Option<Delta>,
    /// TCP_KEEPINTVL.
    pub(crate) keepalive_interval: Option<Delta>,
    /// TCP_KEEPCNT.
    pub(crate) keepalive_probes: Option<u8>,
    /// TCP_SYNCNT.
    pub(crate) syn_retries: Option<u8>,
    /// TCP_CONGESTION.
    pub(crate) congestion: Option<Kind>,
    /// TCP_DEFER_ACCEPT, in retransmissions.
    pub(crate) defer_accept: Option<u8>,
    /// TCP_LINGER2.
    pub(crate) fin_timeout: Option<Delta>,
    /// TCP_USER_TIMEOUT.
    pub(crate) user_timeout: Option<Delta>,
    /// TCP_RTO_MIN_US.
    pub(crate) rto_min: Option<Delta>,
    /// TCP_RTO_MAX_MS.
    pub(crate) rto_max: Option<Delta>,
    /// TCP_DELACK_MAX_US.
    pub(crate) delack_max: Option<Delta>,
    /// What the route of its connection wants.
    pub(crate) route: Option<RouteWishes>,
}

/// Puts a wish in the place of the namespace's value.
fn wish<T: Copy>(place: &mut T, wish: Option<T>) {
    if let Some(value) = wish {
        *place = value;
    }
}

impl Wishes {
    fn apply(&self, config: &mut Config) {
        wish(&mut config.keepalive_time, self.keepalive_time);
        wish(&mut config.keepalive_interval, self.keepalive_interval);
        wish(&mut config.keepalive_probes, self.keepalive_probes);
        wish(&mut config.syn_retries, self.syn_retries);
        // As in Linux' TCP, the option of a listener counts for the handshakes that it answers.
        wish(&mut config.synack_retries, self.syn_retries);
        wish(&mut config.congestion, self.congestion);
        wish(&mut config.defer_accept, self.defer_accept);
        wish(&mut config.fin_timeout, self.fin_timeout);
        wish(&mut config.user_timeout, self.user_timeout);
        wish(&mut config.rto_min, self.rto_min);
        wish(&mut config.rto_max, self.rto_max);
        wish(&mut config.delack_max, self.delack_max);
        config.delack_min = config.delack_min.min(config.delack_max);
        if let Some(route) = &self.route {
            route.apply(config);
        }
    }
}

/// The values that count for a socket.
pub(crate) struct Tuned {
    /// Of the namespace's values.
    generation: u32,
    /// What is not as the namespace has it.
    wishes: Option<Wishes>,
    values: Tunables,
}

impl Tuned {
    /// The values.
    pub(crate) fn values(&self) -> &Tunables {
        &self.values
    }

    /// What the engine reads.
    pub(crate) fn config(&self) -> &Config {
        &self.values.config
    }

    /// What the socket wants otherwise than its namespace.
    pub(crate) fn wishes(&self) -> Wishes {
        self.wishes.unwrap_or_default()
    }

    /// What the route of the connection wants.
    pub(crate) fn route(&self) -> Option<&RouteWishes> {
        self.wishes.as_ref()?.route.as_ref()
    }

    /// The same namespace's values, with other wishes.
    fn with_wishes(&self, wishes: Wishes, flags: kernel::alloc::Flags) -> Result<Arc<Self>> {
        let mut values = self.values.clone();
        wishes.apply(&mut values.config);
        let tuned = Self {
            generation: self.generation,
            wishes: Some(wishes),
            values,
        };
        Ok(Arc::new(tuned, flags)?)
    }
}

/// The current values of a namespace.
#[pin_data]
pub(crate) struct Tuning {
    /// Counts the changes.
    generation: Atomic<u32>,
    /// The values of these names, for those who look without any lock.
    notsent_lowat: Atomic<u32>,
    early_demux: Atomic<u32>,
    #[pin]
    current: BhLock<Arc<Tuned>>,
}

impl Tuning {
    /// Starts with `values`.
    pub(crate) fn new(values: Tunables) -> impl PinInit<Self, Error> {
        let first = Tuned {
            generation: 0,
            wishes: None,
            values,
        };
        try_pin_init!(Self {
            generation: Atomic::new(0),
            notsent_lowat: Atomic::new(first.values.notsent_lowat),
            early_demux: Atomic::new(first.values.early_demux.into()),
            current <- new_bh_lock!(Arc::new(first, GFP_KERNEL)?, c"newtcp_tuning"),
        })
    }

    /// The values of now.
    pub(crate) fn current(&self) -> Arc<Tuned> {
        self.current.lock().clone()
    }

    /// Octets not yet transmitted from which on a socket without wishes counts as full.
    pub(crate) fn notsent_lowat(&self) -> u32 {
        self.notsent_lowat.load(Relaxed)
    }

    /// Whether packets get their socket before their route.
    #[inline]
    pub(crate) fn early_demux(&self) -> bool {
        self.early_demux.load(Relaxed) != 0
    }

    /// Changes the values for everybody. The caller sees to it that changes come one at a time.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Tunables) -> Result) -> Result {
        let old = self.current();
        let mut values = old.values.clone();
        change(&mut values)?;
        let generation = old.generation.wrapping_add(1);
        self.notsent_lowat.store(values.notsent_lowat, Relaxed);
        self.early_demux.store(values.early_demux.into(), Relaxed);
        let new = Tuned {
            generation,
            wishes: None,
            values,
        };
        let new = Arc::new(new, GFP_KERNEL)?;
        let replaced = core::mem::replace(&mut *self.current.lock(), new);
        self.generation.store(generation, Relaxed);
        drop(replaced);
        Ok(())
    }

    /// Takes `tuned` over to the values of now. Without memory for that it stays as it is, until
    /// the next time.
    #[inline]
    pub(crate) fn refresh(&self, tuned: &mut Arc<Tuned>) {
        if tuned.generation != self.generation.load(Relaxed) {
            self.renew(tuned);
        }
    }

    #[cold]
    fn renew(&self, tuned: &mut Arc<Tuned>) {
        let current = self.current();
        match tuned.wishes {
            None => *tuned = current,
            Some(wishes) => {
                if let Ok(new) = current.with_wishes(wishes, GFP_ATOMIC) {
                    *tuned = new;
                }
            }
        }
    }

    /// Heeds what the route of one connection wants. Callable from any context.
    pub(crate) fn heed(&self, tuned: &mut Arc<Tuned>, route: Option<RouteWishes>) -> Result {
        if tuned.route() != route.as_ref() {
            let wishes = Wishes {
                route,
                ..tuned.wishes()
            };
            *tuned = self.current().with_wishes(wishes, GFP_ATOMIC)?;
        }
        Ok(())
    }

    /// Changes the wishes of one socket.
    pub(crate) fn wish(&self, tuned: &mut Arc<Tuned>, change: impl FnOnce(&mut Wishes)) -> Result {
        let mut wishes = tuned.wishes();
        change(&mut wishes);
        *tuned = self.current().with_wishes(wishes, GFP_KERNEL)?;
        Ok(())
    }
}
