// SPDX-License-Identifier: GPL-2.0

//! How large the receive window may be: what payload costs in memory, how far the peer's way of
//! sending is trusted, how large the receive buffer ought to be for what is read in a round trip.

use crate::engine::config::Config;
use crate::engine::recv::rtt::ReceiverRtt;
use crate::engine::seq::{
    Mss,
    SeqNum, //
};
use crate::engine::time::{
    Delta,
    Instant, //
};

/// The receive buffer's bookkeeping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tuning {
    /// Octets of payload that 256 octets of memory hold, 0 before the connection begins.
    ratio: u16,
    /// The MSS that we announced.
    advertised_mss: u16,
    /// No window is larger than this, however much room there is. It grows with segments that are
    /// worth their memory (`rcv_ssthresh` in Linux).
    pub(crate) ssthresh: u32,
    /// Nor than this, which the user may set (`TCP_WINDOW_CLAMP`).
    pub(crate) clamp: u32,
    /// The most that was read in one round trip.
    pub(crate) space: u32,
    /// Up to where the reader had read when the measurement under way began.
    read_to: SeqNum,
    /// When that was.
    since: Instant,
    /// The round-trip time.
    pub(crate) rtt: ReceiverRtt,
    /// Memory that has been filled since small buffers were last merged.
    pub(crate) uncollapsed: u32,
}

crate::engine::dormant::packed! {
    struct Tuning {
        ratio, advertised_mss, ssthresh, clamp, space, read_to, since, rtt, uncollapsed,
    }
}

/// What one arrival says about the sender's way of filling memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// Octets of payload.
    pub(crate) len: u32,
    /// Octets of memory.
    pub(crate) cost: u32,
}

impl Arrival {
    /// Smaller ones say nothing about bulk transfers.
    #[inline]
    pub(crate) const fn is_telling(self) -> bool {
        self.len >= Tuning::TELLING
    }
}

/// `n` times `a` over `b`.
fn scaled(n: u32, a: u32, b: u32) -> u32 {
    let wide = u64::from(n) * u64::from(a) / u64::from(b.max(1));
    u32::try_from(wide).unwrap_or(u32::MAX)
}

impl Tuning {
    /// Arrivals smaller than this say nothing about bulk transfers.
    const TELLING: u32 = 128;

    /// For a connection whose first window is `window`.
    pub(crate) fn new(window: u32, advertised_mss: Mss) -> Self {
        Self {
            ratio: 0,
            advertised_mss: advertised_mss.field(),
            ssthresh: window,
            clamp: u32::MAX,
            space: 0,
            read_to: SeqNum::new(0),
            since: Instant::ZERO,
            rtt: ReceiverRtt::new(),
            uncollapsed: 0,
        }
    }

    /// The connection is established. A receive buffer of `capacity` was good for the first window.
    pub(crate) fn begin(&mut self, now: Instant, config: &Config, nxt: SeqNum, capacity: u32) {
        self.ratio = scaled(self.ssthresh, 256, capacity).clamp(1, 256) as u16;
        let flight = u32::from(config.initial_cwnd).saturating_mul(self.mss());
        self.space = self.ssthresh.min(flight).max(1);
        self.ssthresh = self.ssthresh.min(self.clamp);
        self.read_to = nxt;
        self.since = now;
    }

    fn mss(&self) -> u32 {
        u32::from(self.advertised_mss)
    }

    /// Octets of payload for which `memory` octets of memory are good.
    pub(crate) fn window_of(&self, memory: u32) -> u32 {
        match self.ratio {
            0 => memory,
            ratio => scaled(memory, u32::from(ratio), 256),
        }
    }

    /// Octets of memory that `window` octets of payload need.
    fn memory_for(&self, window: u32) -> u32 {
        match self.ratio {
            0 => window,
            ratio => scaled(window, 256, u32::from(ratio)),
        }
    }

    /// The largest window to offer, whatever there is room for.
    pub(crate) fn most(&self, pressure: bool) -> u32 {
        let most = self.ssthresh.min(self.clamp);
        if pressure {
            most.min(self.pressed())
        } else {
            most
        }
    }

    /// The window that a connection makes do with when memory is short.
    fn pressed(&self) -> u32 {
        self.mss().saturating_mul(4)
    }

    /// Memory is short: windows begin anew from little.
    pub(crate) fn on_pressure(&mut self) {
        self.ssthresh = self.ssthresh.min(self.pressed());
    }

    /// More memory is in use than the buffer has: the peer's segments were dearer than thought.
    pub(crate) fn on_overrun(&mut self) {
        self.ssthresh = self.ssthresh.min(self.mss().saturating_mul(2));
    }

    /// The user wants no window larger than `octets`.
    pub(crate) fn set_clamp(&mut self, octets: u32) {
        self.clamp = octets;
        self.ssthresh = self.ssthresh.min(octets);
    }

    /// Full segments have another size than before, and this is one of them.
    pub(crate) fn measure(&mut self, arrival: Arrival) {
        self.ratio = scaled(arrival.len, 256, arrival.cost).clamp(1, 256) as u16;
        self.space = self.space.min(self.clamp).max(1);
    }

    /// Payload has come, with `free` octets of memory left in a buffer that may grow to `limit`.
    /// The window may grow by twice as much, so that a sender in slow start finds it open, if it
    /// is worth its memory: or else if the window is so small that it does no harm.
    ///
    /// True if the window has grown.
    pub(crate) fn on_arrival(&mut self, arrival: Arrival, free: u32, limit: u32) -> bool {
        let Arrival { len, cost } = arrival;
        let most = self.window_of(free).min(self.clamp);
        if !arrival.is_telling() || self.ssthresh >= most || !self.is_worth(arrival, limit) {
            return false;
        }
        debug_assert!(cost > 0);
        let step = self.mss().max(len).saturating_mul(2);
        self.ssthresh = self.ssthresh.saturating_add(step).min(most);
        true
    }

    fn is_worth(&self, arrival: Arrival, limit: u32) -> bool {
        let mut price = self.window_of(arrival.cost);
        let mut window = self.window_of(limit);
        // With each halving of the window twice the price is right.
        while price > arrival.len {
            price /= 2;
            window /= 2;
            if self.ssthresh > window {
                return false;
            }
        }
        true
    }

    /// The reader has read up to `read_to`, and `unread` octets are left. Once in a round trip of
    /// `rtt` this gives how many it read, if they were more than ever before.
    fn on_read(&mut self, now: Instant, rtt: Delta, read_to: SeqNum, unread: u32) -> Option<u32> {
        if rtt == Delta::ZERO || now.since(self.since) < rtt {
            return None;
        }
        let read = read_to.saturating_distance_from(self.read_to);
        self.read_to = read_to;
        self.since = now;
        // What is left was not keeping pace.
        let read = read.saturating_sub(unread);
        (read > self.space).then_some(read)
    }

    /// The reader has read up to `read_to`: so little since the measurement under way began that
    /// it can be left for later.
    pub(crate) fn has_read_little(&self, read_to: SeqNum) -> bool {
        read_to.saturating_distance_from(self.read_to) < Self::TELLING.min(self.space)
    }

    /// Dynamic right-sizing: a buffer must hold what arrives while the sender learns of it, which
    /// is a round trip late, and a sender in slow start sends twice as much each time.
    ///
    /// The size that the buffer should have at least, if that is to be changed. `beyond` is how
    /// far what came out of order reaches.
    pub(crate) fn wanted_capacity(
        &mut self,
        now: Instant,
        config: &Config,
        rtt: Delta,
        reader: Reader,
    ) -> Option<u32> {
        let Reader {
            read_to,
            unread,
            beyond,
        } = reader;
        let read = self.on_read(now, rtt, read_to, unread)?;
        let before = core::mem::replace(&mut self.space, read);
        let double = read.saturating_mul(2);
        let slack = if rtt < config.rcvbuf_low_rtt {
            // A short round trip comes again soon; too large a buffer only spoils caches.
            let micros = |delta: Delta| u32::try_from(delta.as_micros()).unwrap_or(u32::MAX);
            scaled(double, micros(rtt), micros(config.rcvbuf_low_rtt))
        } else {
            scaled(
                double.saturating_mul(2),
                read.saturating_sub(before).min(before),
                before,
            )
        };
        let window = double.saturating_add(slack).saturating_add(beyond);
        Some(self.memory_for(window))
    }
}

/// How far a reader is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader {
    /// The first octet that it has not read.
    pub(crate) read_to: SeqNum,
    /// Octets that wait for it.
    pub(crate) unread: u32,
    /// Octets from RCV.NXT to the end of what is out of order.
    pub(crate) beyond: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1000;

    fn tuning(window: u32, capacity: u32) -> Tuning {
        let mut tuning = Tuning::new(window, Mss::new(MSS as u16));
        tuning.begin(
            Instant::from_nanos(1),
            &Config::DEFAULT,
            SeqNum::new(0),
            capacity,
        );
        tuning
    }

    const fn arrival(len: u32, cost: u32) -> Arrival {
        Arrival { len, cost }
    }

    #[test]
    fn half_of_the_buffer_is_overhead_until_measured() {
        let mut tuning = tuning(65_536, 131_072);
        assert_eq!(tuning.window_of(131_072), 65_536);
        assert_eq!(tuning.memory_for(65_536), 131_072);
        tuning.measure(arrival(1000, 4000));
        assert_eq!(tuning.window_of(131_072), 32_768);
        tuning.measure(arrival(10, 0));
        assert_eq!(tuning.window_of(131_072), 131_072);
        tuning.measure(arrival(0, u32::MAX));
        assert_eq!(tuning.window_of(256), 1);
    }

    #[test]
    fn window_grows_with_what_is_worth_its_memory() {
        let mut tuning = tuning(10_000, 400_000);
        tuning.measure(arrival(1000, 2000));
        assert!(tuning.on_arrival(arrival(1000, 2000), 400_000, 400_000));
        assert_eq!(tuning.ssthresh, 12_000);
        assert!(tuning.on_arrival(arrival(5000, 9000), 400_000, 400_000));
        assert_eq!(tuning.ssthresh, 22_000);
        // Twice the price is right for half the window at most.
        assert!(tuning.on_arrival(arrival(1000, 4000), 400_000, 400_000));
        tuning.ssthresh = 101_000;
        assert!(!tuning.on_arrival(arrival(1000, 4000), 400_000, 400_000));
        assert!(tuning.on_arrival(arrival(1000, 2000), 400_000, 400_000));
        assert!(!tuning.on_arrival(arrival(127, 128), 400_000, 400_000));
        // Not beyond what there is room for.
        assert!(!tuning.on_arrival(arrival(1000, 2000), 200_000, 400_000));
    }

    #[test]
    fn hostile_segments_do_not_open_the_window() {
        let mut tuning = tuning(65_536, 131_072);
        for _ in 0..1000 {
            tuning.on_arrival(arrival(1, 768), 131_072, 6 << 20);
            tuning.on_arrival(arrival(128, 66_000), 131_072, 6 << 20);
        }
        assert_eq!(tuning.ssthresh, 65_536);
    }

    #[test]
    fn pressure_and_overrun_shrink_what_is_offered() {
        let mut tuning = tuning(50_000, 100_000);
        assert_eq!((tuning.most(false), tuning.most(true)), (50_000, 4_000));
        tuning.on_pressure();
        assert_eq!(tuning.most(false), 4_000);
        tuning.on_overrun();
        assert_eq!(tuning.most(false), 2_000);
        tuning.set_clamp(1_500);
        assert_eq!(tuning.most(false), 1_500);
        assert!(!tuning.on_arrival(arrival(1000, 2000), 100_000, 100_000));
    }

    #[test]
    fn buffer_holds_twice_what_is_read_and_room_to_double() {
        let mut tuning = tuning(65_536, 131_072);
        let rtt = Delta::from_millis(10);
        let config = Config::DEFAULT;
        let mut now = Instant::from_nanos(1);
        let mut read = |tuning: &mut Tuning, to, unread, after| {
            now = now.after(after);
            let read_to = SeqNum::new(to);
            let reader = Reader {
                read_to,
                unread,
                beyond: 0,
            };
            tuning.wanted_capacity(now, &config, rtt, reader)
        };
        // Less than a round trip, or no more than the first flight.
        assert_eq!(read(&mut tuning, 20_000, 0, Delta::from_millis(5)), None);
        assert_eq!(read(&mut tuning, 10_000, 0, Delta::from_millis(5)), None);
        // Twice as much as before: the sender is in slow start.
        let wanted = read(&mut tuning, 30_000, 0, rtt).unwrap();
        assert_eq!(wanted, 2 * (2 * 20_000 + 2 * 2 * 20_000));
        // As much as before: the buffer is as large as it has to be.
        assert_eq!(read(&mut tuning, 50_000, 0, rtt), None);
        // What the reader leaves lying does not count.
        assert_eq!(read(&mut tuning, 90_000, 30_000, rtt), None);
    }
}
