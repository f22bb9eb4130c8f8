// SPDX-License-Identifier: GPL-2.0

//! The engine against models so simple that they cannot be wrong: a bitmap of octets.

#[path = "bench/bench.rs"]
mod bench;

use bench::{
    Bench,
    MSS,
    OURS,
    PEER, //
};
use mynewtcp_engine::engine::seq::{
    SeqNum,
    SeqRange, //
};
use mynewtcp_engine::engine::time::Delta;
use mynewtcp_engine::engine::wire::{
    SackBlocks,
    Transmit, //
};
use proptest::prelude::*;

/// Octets of each stream in these tests.
const STREAM: usize = 3000;

/// One octet after the other: is it there?
struct Bitmap(Vec<bool>);

impl Bitmap {
    fn new() -> Self {
        Self(vec![false; STREAM])
    }

    fn set(&mut self, from: usize, to: usize) {
        let to = to.min(STREAM);
        if from < to {
            self.0[from..to].fill(true);
        }
    }

    /// Octets in front of the first one that is missing.
    fn prefix(&self) -> usize {
        self.0.iter().position(|there| !there).unwrap_or(STREAM)
    }

    fn count_from(&self, from: usize) -> usize {
        self.0[from..].iter().filter(|there| **there).count()
    }

    /// Octets of segments that are there whole.
    fn whole_segments_from(&self, from: usize) -> usize {
        let segments = self.0[from.next_multiple_of(MSS as usize)..].chunks(MSS as usize);
        let whole = segments.filter(|segment| segment.iter().all(|there| *there));
        whole.count() * MSS as usize
    }

    fn has(&self, from: usize, to: usize) -> bool {
        self.0[from..to].iter().all(|there| *there)
    }

    /// The run of octets around `at`.
    fn run(&self, at: usize) -> (usize, usize) {
        let from = self.0[..at].iter().rposition(|there| !there);
        let to = self.0[at..].iter().position(|there| !there);
        (from.map_or(0, |n| n + 1), to.map_or(STREAM, |n| at + n))
    }
}

fn place(seq: SeqNum, first: SeqNum) -> usize {
    seq.distance_from(first) as usize
}

/// A segment of the peer: where it begins, relative to RCV.NXT, how long it is, whether the
/// reader reads afterwards.
fn arrivals() -> impl Strategy<Value = Vec<(i32, u32, bool)>> {
    prop::collection::vec((-300i32..900, 1u32..400, any::<bool>()), 1..60)
}

fn check_blocks(held: &Bitmap, acks: &[Transmit]) -> Result<(), TestCaseError> {
    for ack in acks {
        for block in ack.options.sack.iter() {
            let (from, to) = (place(block.start(), PEER), place(block.end(), PEER));
            prop_assert!(to <= STREAM && held.has(from, to), "{block:?} is not held");
        }
    }
    Ok(())
}

proptest! {
    /// Whatever comes in whatever order: what is delivered is what the bitmap has up to its
    /// first hole, and selective blocks tell of nothing that it has not.
    #[test]
    fn reassembly_is_a_buffer(arrivals in arrivals(), capacity in 1u32..1500) {
        let mut bench = Bench::new(capacity);
        let mut held = Bitmap::new();
        let mut promised = bench.connection.rcv_right_edge();
        for (offset, len, reads) in arrivals {
            let nxt = place(bench.connection.rcv_nxt(), PEER);
            let edge = place(bench.connection.rcv_right_edge(), PEER);
            let from = (nxt as i32 + offset).max(0) as usize;
            let to = (from + len as usize).min(STREAM);
            if from >= to {
                continue;
            }
            bench.feed_data(SeqRange::new(PEER.plus(from as u32), (to - from) as u32));
            held.set(from.max(nxt), to.min(edge));
            prop_assert_eq!(bench.store.delivered as usize, held.prefix());
            prop_assert_eq!(place(bench.connection.rcv_nxt(), PEER), held.prefix());
            let out = bench.transmissions();
            check_blocks(&held, &out)?;
            if reads {
                bench.read();
                bench.transmissions();
            }
            let now = bench.connection.rcv_right_edge();
            prop_assert!(!now.before(promised), "the right edge went back");
            prop_assert!(place(now, PEER) <= bench.store.read as usize + capacity as usize);
            promised = now;
        }
    }
}

proptest! {
    /// Octets that do not lie in the window do not exist, wherever on the circle they are.
    #[test]
    fn numbers_anywhere_are_in_the_window_or_not(
        segments in prop::collection::vec((any::<u32>(), -3000i32..3000, 1u32..3000), 1..20),
        capacity in 1u32..60_000,
    ) {
        let mut bench = Bench::new(capacity);
        for (far, near, len) in segments {
            let nxt = bench.connection.rcv_nxt();
            let window = bench.connection.rcv_right_edge().distance_from(nxt);
            // Around RCV.NXT, around the other end of the circle, anywhere.
            for base in [0, 1 << 31, far] {
                let start = nxt.plus(base).plus(near as u32);
                let at = start.distance_from(nxt);
                let touches = (0..len).any(|n| at.wrapping_add(n) < window);
                if !touches {
                    bench.feed_data(SeqRange::new(start, len));
                    bench.transmissions();
                    prop_assert_eq!(bench.connection.rcv_nxt(), nxt);
                    prop_assert_eq!(bench.store.delivered, 0);
                    prop_assert!(bench.store.is_empty());
                }
            }
        }
    }
}

/// What happens to a sender: octets arrive, and an acknowledgment tells of some of them; or time
/// passes.
fn reports() -> impl Strategy<Value = Vec<(usize, usize, [usize; 2], bool)>> {
    let report = (
        0..STREAM,
        1usize..500,
        [0..STREAM, 0..STREAM],
        prop::bool::weighted(0.05),
    );
    prop::collection::vec(report, 1..60)
}

proptest! {
    /// The scoreboard knows what the blocks have told, no more, and nothing is both under way and
    /// arrived.
    #[test]
    fn scoreboard_is_a_bitmap(reports in reports()) {
        let mut bench = Bench::new(10_000);
        let (mut arrived, mut told) = (Bitmap::new(), Bitmap::new());
        for _ in 0..STREAM / MSS as usize {
            bench.write(MSS);
        }
        bench.transmissions();
        for (at, len, others, waits) in reports {
            let sent = place(bench.connection.snd_nxt(), OURS);
            let at = at % sent.max(1);
            arrived.set(at, (at + len).min(sent));
            let ack = arrived.prefix();
            let mut blocks = SackBlocks::NONE;
            for at in [at, others[0], others[1]] {
                if at >= ack && arrived.0[at] {
                    let (from, to) = arrived.run(at);
                    blocks.push(SeqRange::new(OURS.plus(from as u32), (to - from) as u32));
                    told.set(from, to);
                }
            }
            told.set(0, ack);
            bench.feed_ack(OURS.plus(ack as u32), 60_000, blocks);
            if waits {
                bench.pass(Delta::from_secs(200));
            }
            let out = bench.transmissions();
            for transmit in out.iter().filter(|transmit| transmit.retransmission) {
                let start = place(transmit.range.start(), OURS);
                prop_assert!(start >= ack, "what is acknowledged was sent again");
            }
            let info = bench.info();
            let una = place(bench.connection.snd_una(), OURS);
            let nxt = place(bench.connection.snd_nxt(), OURS);
            prop_assert_eq!(una, ack);
            prop_assert_eq!(info.unacked as usize, nxt - una);
            // Crumbs of segments may be passed over, whole segments never.
            let sacked = info.sacked as usize;
            prop_assert!(sacked <= told.count_from(una));
            prop_assert!(sacked >= told.whole_segments_from(una));
            prop_assert!(info.sacked + info.lost <= info.unacked);
            prop_assert!(info.retrans <= info.lost);
        }
    }

    /// New data never goes beyond the right edge that the peer offers now, even if it has taken
    /// part of its window back.
    #[test]
    fn sender_stays_inside_the_window(
        acks in prop::collection::vec((0u32..400, 0u16..1500, 1u32..300), 1..60),
    ) {
        let mut bench = Bench::new(10_000);
        let mut acked = 0;
        for (more, window, n) in acks {
            let sent = bench.connection.snd_nxt().distance_from(OURS);
            acked = (acked + more).min(sent);
            let ack = OURS.plus(acked);
            bench.feed_ack(ack, window, SackBlocks::NONE);
            bench.write(n);
            bench.pass(Delta::from_millis(1));
            let edge = ack.plus(u32::from(window));
            let out = bench.transmissions();
            for transmit in out.iter().filter(|transmit| !transmit.retransmission) {
                let end = transmit.range.end();
                prop_assert!(transmit.range.is_empty() || !end.after(edge), "beyond {edge:?}");
            }
        }
    }
}
