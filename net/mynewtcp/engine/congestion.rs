// SPDX-License-Identifier: GPL-2.0

//! Congestion control: [`Window`] is what all algorithms steer, [`Algorithm`] is what each of them
//! must answer, [`Congestion`] is the closed list of them, [`Kind`] the list of their names.
//!
//! A new algorithm is one file below `congestion/` that implements [`Algorithm`], and one row in
//! the table at the end of this one. Nothing else changes: the sender, the configuration and the
//! socket options know algorithms by [`Kind`] only.
//!
//! - [`hystart`]: slow start that ends before the queue overflows, for algorithms that want it;
//! - [`ecn`]: what both ends know of explicit congestion notification;
//! - [`usage`]: whether the window was used, and what to do if it was not.

pub mod ecn;
pub mod hystart;
pub mod usage;

use crate::engine::seq::{
    Mss,
    SeqNum, //
};
use crate::engine::time::{
    Delta,
    Instant, //
};

/// cwnd and ssthresh, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// cwnd.
    pub cwnd_bytes: u32,
    /// ssthresh.
    pub ssthresh_bytes: u32,
}

crate::engine::dormant::packed!(struct Window { cwnd_bytes, ssthresh_bytes });

impl Window {
    /// cwnd grows no further than this: the largest window that a peer can offer (RFC 7323, 2.3),
    /// so that no sum of windows comes near the end of the numbers.
    pub const CWND_MAX: u32 = 1 << 30;

    /// The initial window of `segments` segments; ssthresh "SHOULD be set arbitrarily high"
    /// (RFC 5681, 3.1).
    pub const fn initial(segments: u16, mss: Mss) -> Self {
        Self {
            cwnd_bytes: (segments as u32).saturating_mul(mss.octets()),
            ssthresh_bytes: u32::MAX,
        }
    }

    /// The same with a slow start threshold of `segments` segments, unless that is 0.
    #[must_use]
    pub fn with_ssthresh(self, segments: u32, mss: Mss) -> Self {
        if segments == 0 {
            return self;
        }
        let octets = segments.saturating_mul(mss.octets());
        Self {
            ssthresh_bytes: octets.max(least_ssthresh(mss)),
            ..self
        }
    }

    /// Keeps both windows at what a segment size of `mss` needs at least.
    pub fn raise_to(&mut self, mss: Mss) {
        self.cwnd_bytes = self.cwnd_bytes.max(mss.octets());
        self.ssthresh_bytes = self.ssthresh_bytes.max(least_ssthresh(mss));
    }

    /// In slow start.
    pub const fn is_in_slow_start(&self) -> bool {
        self.cwnd_bytes < self.ssthresh_bytes
    }

    /// No congestion has been met yet.
    pub const fn is_in_first_slow_start(&self) -> bool {
        self.ssthresh_bytes == u32::MAX
    }

    /// Widens cwnd by `octets`.
    pub(crate) fn widen(&mut self, octets: u32) {
        let cwnd = self.cwnd_bytes.saturating_add(octets);
        self.cwnd_bytes = cwnd.min(Self::CWND_MAX.max(self.cwnd_bytes));
    }

    /// Slow start takes `acked` octets, and returns those that were acknowledged beyond
    /// ssthresh.
    pub(crate) fn slow_start(&mut self, acked: u32) -> u32 {
        let room = self.ssthresh_bytes.saturating_sub(self.cwnd_bytes);
        let step = acked.min(room);
        self.widen(step);
        acked.saturating_sub(step)
    }
}

/// "2*SMSS" (RFC 5681, 3.1, equation 4): what every algorithm leaves of ssthresh.
pub const fn least_ssthresh(mss: Mss) -> u32 {
    mss.octets().saturating_mul(2)
}

/// An acknowledgment of new data, as congestion control sees it.
#[derive(Clone, Copy, Debug)]
pub struct AckSample {
    /// When it came.
    pub now: Instant,
    /// Octets that it says have arrived.
    pub acked_bytes: u32,
    /// FlightSize before it.
    pub flight_size_bytes: u32,
    /// The congestion window was what held data back.
    pub cwnd_limited: bool,
    /// Smoothed round-trip time, zero if unknown.
    pub srtt: Delta,
    /// The round-trip time that this acknowledgment has measured.
    pub rtt: Option<Delta>,
    /// SND.UNA with it.
    pub una: SeqNum,
    /// SND.NXT.
    pub nxt: SeqNum,
    /// It echoes a mark of congestion.
    pub ece: bool,
}

impl AckSample {
    /// A window that was not used is not known to be safe (RFC 7661): it grows only while data
    /// waits for it, in slow start while more than half of it is under way.
    pub const fn may_grow(&self, window: &Window) -> bool {
        self.cwnd_limited
            || (window.is_in_slow_start() && self.flight_size_bytes > window.cwnd_bytes / 2)
    }
}

/// Why the window is made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Segments were lost, and their loss was told by acknowledgments.
    Loss,
    /// A retransmission time-out came.
    Timeout,
    /// The peer echoed a mark of congestion (RFC 3168).
    Mark,
}

/// What an algorithm tells of itself (`TCP_CC_INFO`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    None,
    /// DCTCP's estimate.
    Dctcp {
        /// Share of marked octets, in 1024ths.
        alpha: u16,
        /// Octets acknowledged with a mark in this round.
        marked_bytes: u32,
        /// Octets acknowledged in this round.
        acked_bytes: u32,
    },
}

/// What a congestion control algorithm decides. Fast recovery, time-outs and the like are the
/// sender's own affair: the algorithm only says how the window grows and what is left of it.
///
/// The sender sees to it that cwnd is never below one segment; ssthresh must not be below
/// [`least_ssthresh`].
pub trait Algorithm: Sized {
    /// Its name, as `TCP_CONGESTION` tells it.
    const NAME: &'static str;
    /// It needs marks: ECN is negotiated for it whatever the configuration says, all segments
    /// are sent as ECN-capable, and marks are echoed one by one (RFC 8257).
    const NEEDS_ECN: bool = false;
    /// Only an administrator may choose it: it is unfair to others outside of its own network.
    const RESTRICTED: bool = false;

    /// As it begins.
    fn new() -> Self;

    /// New data has been acknowledged, whatever the state of the connection: for measurements.
    #[inline]
    fn observe(&mut self, _window: &mut Window, _sample: &AckSample) {}

    /// New data has been acknowledged outside of recovery: lets the window grow.
    fn on_ack(&mut self, window: &mut Window, mss: Mss, sample: &AckSample);

    /// Congestion was met with `flight` octets under way: the new ssthresh.
    fn on_congestion(&mut self, window: &Window, mss: Mss, flight: u32, cause: Cause) -> u32;

    /// A retransmission time-out came; the first of several was also told to
    /// [`on_congestion`](Self::on_congestion).
    fn on_timeout(&mut self) {}

    /// The last [`on_congestion`](Self::on_congestion) was a mistake: nothing had been lost. The
    /// sender restores the window, the algorithm its own memory.
    fn on_undo(&mut self) {}

    /// Data is sent after a time with nothing under way.
    fn on_transmit_start(&mut self, _now: Instant) {}

    /// What it tells of itself.
    fn detail(&self) -> Detail {
        Detail::None
    }
}

/// Makes the closed list of a table of algorithms: their modules, [`Kind`] and [`Congestion`].
macro_rules! algorithms {
    ($($(#[$doc:meta])* $module:ident :: $Type:ident,)*) => {
        $(pub mod $module;)*

        /// The algorithms by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $Type,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$Type,)*];

            /// The name, as `TCP_CONGESTION` tells it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Type => <$module::$Type as Algorithm>::NAME,)*
                }
            }

            /// [`Algorithm::RESTRICTED`].
            pub const fn is_restricted(self) -> bool {
                match self {
                    $(Self::$Type => <$module::$Type as Algorithm>::RESTRICTED,)*
                }
            }

            /// [`Algorithm::NEEDS_ECN`].
            pub const fn needs_ecn(self) -> bool {
                match self {
                    $(Self::$Type => <$module::$Type as Algorithm>::NEEDS_ECN,)*
                }
            }
        }

        /// The algorithm of one connection.
        #[derive(Clone, Copy, Debug)]
        pub enum Congestion {
            $($(#[$doc])* $Type($module::$Type),)*
        }

        crate::engine::dormant::packed!(enum Kind { $($Type),* });

        impl crate::engine::dormant::Packed for Congestion {
            fn pack(&self, to: &mut crate::engine::dormant::Packer) {
                self.kind().pack(to);
                match self {
                    $(Self::$Type(it) => it.pack(to),)*
                }
            }

            fn unpack(from: &mut crate::engine::dormant::Unpacker<'_>) -> Self {
                match Kind::unpack(from) {
                    $(Kind::$Type => Self::$Type(crate::engine::dormant::Packed::unpack(from)),)*
                }
            }
        }

        impl Congestion {
            /// The algorithm `kind`, as it begins.
            pub fn new(kind: Kind) -> Self {
                match kind {
                    $(Kind::$Type => Self::$Type($module::$Type::new()),)*
                }
            }

            /// Which one it is.
            pub const fn kind(&self) -> Kind {
                match self {
                    $(Self::$Type(_) => Kind::$Type,)*
                }
            }

            /// [`Algorithm::observe`].
            #[inline]
            pub fn observe(&mut self, window: &mut Window, sample: &AckSample) {
                match self {
                    $(Self::$Type(it) => it.observe(window, sample),)*
                }
            }

            /// [`Algorithm::on_ack`].
            #[inline]
            pub fn on_ack(&mut self, window: &mut Window, mss: Mss, sample: &AckSample) {
                match self {
                    $(Self::$Type(it) => it.on_ack(window, mss, sample),)*
                }
            }

            /// [`Algorithm::on_congestion`].
            pub fn on_congestion(
                &mut self,
                window: &Window,
                mss: Mss,
                flight: u32,
                cause: Cause,
            ) -> u32 {
                match self {
                    $(Self::$Type(it) => it.on_congestion(window, mss, flight, cause),)*
                }
            }

            /// [`Algorithm::on_timeout`].
            pub fn on_timeout(&mut self) {
                match self {
                    $(Self::$Type(it) => it.on_timeout(),)*
                }
            }

            /// [`Algorithm::on_undo`].
            pub fn on_undo(&mut self) {
                match self {
                    $(Self::$Type(it) => it.on_undo(),)*
                }
            }

            /// [`Algorithm::on_transmit_start`].
            pub fn on_transmit_start(&mut self, now: Instant) {
                match self {
                    $(Self::$Type(it) => it.on_transmit_start(now),)*
                }
            }

            /// [`Algorithm::detail`].
            pub fn detail(&self) -> Detail {
                match self {
                    $(Self::$Type(it) => it.detail(),)*
                }
            }
        }
    };
}

algorithms! {
    /// RFC 9438, the default.
    cubic::Cubic,
    /// RFC 5681.
    reno::Reno,
    /// RFC 8257.
    dctcp::Dctcp,
}

impl Kind {
    /// What a new namespace uses.
    pub const DEFAULT: Self = Self::Cubic;

    /// The algorithm of this name.
    pub fn by_name(name: &[u8]) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.name().as_bytes() == name)
    }
}

impl Congestion {
    /// Its name, as `TCP_CONGESTION` tells it.
    pub const fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// The algorithm of this name, as it begins.
    pub fn by_name(name: &[u8]) -> Option<Self> {
        Kind::by_name(name).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_their_algorithms() {
        for &kind in Kind::ALL {
            assert_eq!(Kind::by_name(kind.name().as_bytes()), Some(kind));
            assert_eq!(Congestion::new(kind).kind(), kind);
        }
        assert_eq!(Kind::by_name(b"cubi"), None);
        assert_eq!(Kind::DEFAULT.name(), "cubic");
    }

    #[test]
    fn linux_s_restrictions_are_ours() {
        let restricted = |name: &[u8]| Kind::by_name(name).map(Kind::is_restricted);
        assert_eq!(restricted(b"reno"), Some(false));
        assert_eq!(restricted(b"cubic"), Some(false));
        assert_eq!(restricted(b"dctcp"), Some(true));
    }

    #[test]
    fn every_algorithm_keeps_the_floors_and_the_ceiling() {
        let mss = Mss::new(1000);
        for &kind in Kind::ALL {
            let mut it = Congestion::new(kind);
            let tiny = Window::initial(1, mss);
            for cause in [Cause::Loss, Cause::Timeout, Cause::Mark] {
                assert!(it.on_congestion(&tiny, mss, 1, cause) >= 2000, "{kind:?}");
            }
            let mut wide = Window {
                cwnd_bytes: Window::CWND_MAX - 1,
                ssthresh_bytes: u32::MAX,
            };
            let sample = AckSample {
                now: Instant::from_nanos(1 << 50),
                acked_bytes: u32::MAX,
                flight_size_bytes: u32::MAX,
                cwnd_limited: true,
                srtt: Delta::from_millis(1),
                rtt: Some(Delta::MAX),
                una: SeqNum::new(5),
                nxt: SeqNum::new(4),
                ece: true,
            };
            for ssthresh_bytes in [u32::MAX, 2000] {
                wide.ssthresh_bytes = ssthresh_bytes;
                it.observe(&mut wide, &sample);
                it.on_ack(&mut wide, mss, &sample);
                it.on_ack(&mut wide, mss, &sample);
                assert!(wide.cwnd_bytes <= Window::CWND_MAX, "{kind:?}");
            }
        }
    }
}
