// SPDX-License-Identifier: GPL-2.0

//! The largest segment that the path takes: what the route says (RFC 1191, RFC 8201), and what is
//! found out by trying where ICMP is silent (RFC 4821).
//!
//! All sizes are octets of payload and header options, as in [`SegmentSize`].
//!
//! [`SegmentSize`]: super::SegmentSize

use crate::engine::config::Config;
use crate::engine::seq::{
    Mss,
    SeqNum,
    SeqRange, //
};
use crate::engine::time::Instant;

/// A segment that is larger than those before it: if it arrives, so will others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Probe {
    range: SeqRange,
    size: Mss,
}

crate::engine::dormant::packed!(struct Probe { range, size });

/// Between which sizes the search is.
#[derive(Clone, Copy, Debug)]
struct Search {
    /// Segments of this size arrive; it is what is used.
    low: Mss,
    /// Larger ones do not, or are not known to.
    high: Mss,
    /// Nothing has been tried yet.
    is_fresh: bool,
    /// When the search began.
    began_at: Instant,
    probe: Option<Probe>,
}

crate::engine::dormant::packed!(struct Search { low, high, is_fresh, began_at, probe });

/// What is known of the path's MTU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathMtu {
    /// What the route says, ICMP included.
    route: Mss,
    /// The search, if there is one.
    search: Option<Search>,
}

crate::engine::dormant::packed!(struct PathMtu { route, search });

impl PathMtu {
    /// The route's word is taken.
    pub(crate) const fn new(route: Mss) -> Self {
        Self {
            route,
            search: None,
        }
    }

    /// What the route says.
    pub(crate) const fn route(&self) -> Mss {
        self.route
    }

    /// The size to use.
    pub(crate) fn size(&self) -> Mss {
        self.search
            .map_or(self.route, |search| search.low.smallest(self.route))
    }

    /// Sizes are being tried.
    pub(crate) const fn is_searching(&self) -> bool {
        self.search.is_some()
    }

    /// The route says something else now.
    pub(crate) fn on_route(&mut self, route: Mss) {
        self.route = route;
        if let Some(search) = &mut self.search {
            search.high = search.high.smallest(route);
            search.low = search.low.smallest(route);
        }
    }

    /// Begins to try sizes between a safe one and `limit`, unless that has begun.
    pub(crate) fn begin(&mut self, now: Instant, config: &Config, limit: Mss) {
        if self.search.is_some() {
            return;
        }
        let high = self.route.smallest(limit);
        self.search = Some(Search {
            low: Mss::new(config.base_mss).smallest(high),
            high,
            is_fresh: true,
            began_at: now,
            probe: None,
        });
    }

    /// Retransmissions go unanswered: the path may swallow segments of this size (RFC 4821, 7.7).
    /// With each call less is tried.
    pub(crate) fn on_black_hole(&mut self, now: Instant, config: &Config, limit: Mss) {
        let Some(search) = &mut self.search else {
            self.begin(now, config, limit);
            return;
        };
        let half = Mss::new(search.low.field() / 2);
        let floor = Mss::new(config.mtu_probe_floor.max(config.min_snd_mss));
        let less = half.smallest(Mss::new(config.base_mss)).largest(floor);
        search.low = search.low.smallest(less);
        search.began_at = now;
        search.probe = None;
    }

    /// The size to try next, if there is one. `limit` is what the peer takes.
    ///
    /// The first to try is the largest, since most paths have no narrow place; then the middle of
    /// what is left. A search that has ended begins again after a while (RFC 4821, 7.3 and 7.4).
    pub(crate) fn next_probe(&mut self, now: Instant, config: &Config, limit: Mss) -> Option<Mss> {
        let search = self.search.as_mut().filter(|s| s.probe.is_none())?;
        let high = search.high.smallest(limit);
        let width = high.field().saturating_sub(search.low.field());
        if width < config.probe_threshold.max(1) {
            if now.since(search.began_at) >= config.probe_interval {
                search.high = self.route.smallest(limit);
                search.is_fresh = true;
                search.began_at = now;
            }
            return None;
        }
        if search.is_fresh {
            return Some(high);
        }
        Some(Mss::new(
            search.low.field().saturating_add(width.div_ceil(2)),
        ))
    }

    /// The octets of `range` are under way in one segment of `size`.
    pub(crate) fn on_probe_sent(&mut self, range: SeqRange, size: Mss) {
        if let Some(search) = &mut self.search {
            search.is_fresh = false;
            search.probe = Some(Probe { range, size });
        }
    }

    /// Everything before `una` has arrived. `true` if the probe was among it.
    pub(crate) fn on_ack(&mut self, una: SeqNum) -> bool {
        let Some(search) = &mut self.search else {
            return false;
        };
        match search.probe {
            Some(probe) if una.after_or_eq(probe.range.end()) => {
                search.low = search.low.largest(probe.size);
                search.probe = None;
                true
            }
            Some(_) | None => false,
        }
    }

    /// What begins at `seq` is lost. `true` if that is the probe: its size is the reason then, and
    /// it says nothing about congestion (RFC 4821, 7.6).
    pub(crate) fn on_loss(&mut self, seq: SeqNum) -> bool {
        let Some(search) = &mut self.search else {
            return false;
        };
        match search.probe {
            Some(probe) if probe.range.start() == seq => {
                search.high = Mss::new(probe.size.field().saturating_sub(1));
                search.probe = None;
                true
            }
            Some(_) | None => false,
        }
    }

    /// The probe proves nothing any more: it is sent again in smaller segments.
    pub(crate) fn forget_probe(&mut self) {
        if let Some(search) = &mut self.search {
            search.probe = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: Config = Config::DEFAULT;
    const NOW: Instant = Instant::from_nanos(1);
    const PEER: Mss = Mss::new(1460);

    /// What the search finds on a path that takes `truth`, and in how many probes.
    fn find(mtu: &mut PathMtu, now: Instant, truth: u16) -> (u16, u32) {
        let (mut seq, mut probes) = (SeqNum::new(5), 0);
        while let Some(size) = mtu.next_probe(now, &CONFIG, PEER) {
            probes += 1;
            assert!(probes < 20, "no end");
            let range = SeqRange::new(seq, size.octets());
            mtu.on_probe_sent(range, size);
            assert_eq!(mtu.next_probe(now, &CONFIG, PEER), None);
            if size.field() <= truth {
                assert!(!mtu.on_ack(range.end().minus(1)));
                assert!(mtu.on_ack(range.end()));
            } else {
                assert!(!mtu.on_loss(seq.plus(1)));
                assert!(mtu.on_loss(seq));
            }
            seq = range.end();
        }
        (mtu.size().field(), probes)
    }

    #[test]
    fn search_finds_the_path_mtu() {
        for truth in [1024, 1200, 1240, 1300, 1380, 1452, 1460, 9000] {
            let mut mtu = PathMtu::new(PEER);
            mtu.begin(NOW, &CONFIG, PEER);
            assert_eq!(mtu.size().field(), CONFIG.base_mss);
            let (found, probes) = find(&mut mtu, NOW, truth);
            let best = truth.min(PEER.field());
            assert!(found <= best && found + CONFIG.probe_threshold >= best);
            assert!(probes <= 8 && (best < 1460 || probes == 1));
        }
    }

    #[test]
    fn search_begins_again_after_a_while() {
        let mut mtu = PathMtu::new(PEER);
        mtu.begin(NOW, &CONFIG, PEER);
        find(&mut mtu, NOW, 1100);
        let later = NOW.after(CONFIG.probe_interval);
        assert_eq!(mtu.next_probe(later, &CONFIG, PEER), None);
        assert_eq!(find(&mut mtu, later, 1460).0, 1460);
    }

    #[test]
    fn black_hole_shrinks_to_the_floor() {
        let mut mtu = PathMtu::new(PEER);
        let mut sizes = std::vec::Vec::new();
        for _ in 0..8 {
            mtu.on_black_hole(NOW, &CONFIG, PEER);
            sizes.push(mtu.size().field());
        }
        assert_eq!(sizes, [1024, 512, 256, 128, 64, 48, 48, 48]);
    }

    #[test]
    fn route_has_the_last_word() {
        let mut mtu = PathMtu::new(PEER);
        mtu.begin(NOW, &CONFIG, PEER);
        mtu.on_route(Mss::new(700));
        assert_eq!(mtu.size().field(), 700);
        assert_eq!(mtu.next_probe(NOW, &CONFIG, PEER), None);
        let mut silent = PathMtu::new(PEER);
        silent.on_route(Mss::new(1200));
        assert_eq!(silent.size().field(), 1200);
        assert!(!silent.is_searching());
    }
}
