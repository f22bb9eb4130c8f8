// SPDX-License-Identifier: GPL-2.0

//! Congestion control: [`Window`] is what all algorithms steer, [`Algorithm`] is what each of them
//! must answer, [`Congestion`] is the closed list of them.

pub mod reno;

use crate::engine::congestion::reno::Reno;
use crate::engine::seq::Mss;
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

impl Window {
    /// The initial window of `segments` segments; ssthresh "SHOULD be set arbitrarily high"
    /// (RFC 5681, 3.1).
    pub const fn initial(segments: u16, mss: Mss) -> Self {
        Self {
            cwnd_bytes: (segments as u32).saturating_mul(mss.octets()),
            ssthresh_bytes: u32::MAX,
        }
    }

    /// Keeps both windows at what a segment size of `mss` needs at least.
    pub fn raise_to(&mut self, mss: Mss) {
        self.cwnd_bytes = self.cwnd_bytes.max(mss.octets());
        let least = mss.octets().saturating_mul(2);
        self.ssthresh_bytes = self.ssthresh_bytes.max(least);
    }

    /// In slow start.
    pub const fn is_in_slow_start(&self) -> bool {
        self.cwnd_bytes < self.ssthresh_bytes
    }
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
}

/// What a congestion control algorithm decides. Fast recovery, time-outs and the like are the
/// sender's own affair: the algorithm only says how the window grows and what is left of it.
pub trait Algorithm {
    /// New data has been acknowledged outside of recovery: lets the window grow.
    fn on_ack(&mut self, window: &mut Window, mss: Mss, sample: &AckSample);

    /// A loss was detected with `flight` octets under way: the new ssthresh.
    fn on_congestion(&mut self, window: &Window, mss: Mss, flight: u32) -> u32;

    /// A retransmission time-out came.
    fn on_timeout(&mut self);
}

/// The algorithms that a connection can have.
#[derive(Clone, Copy, Debug)]
pub enum Congestion {
    /// RFC 5681.
    Reno(Reno),
}

impl Congestion {
    /// The default algorithm.
    pub const fn new() -> Self {
        Self::Reno(Reno::new())
    }

    /// Its name, as `TCP_CONGESTION` tells it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Reno(_) => "reno",
        }
    }
}

impl Default for Congestion {
    fn default() -> Self {
        Self::new()
    }
}

impl Algorithm for Congestion {
    fn on_ack(&mut self, window: &mut Window, mss: Mss, sample: &AckSample) {
        match self {
            Self::Reno(reno) => reno.on_ack(window, mss, sample),
        }
    }

    fn on_congestion(&mut self, window: &Window, mss: Mss, flight: u32) -> u32 {
        match self {
            Self::Reno(reno) => reno.on_congestion(window, mss, flight),
        }
    }

    fn on_timeout(&mut self) {
        match self {
            Self::Reno(reno) => reno.on_timeout(),
        }
    }
}
