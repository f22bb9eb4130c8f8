// SPDX-License-Identifier: GPL-2.0

use super::*;
use std::cell::Cell;
use std::collections::BTreeMap;

const UNA: SeqNum = SeqNum::new(u32::MAX - 5_000);
const NOW: Instant = Instant::from_nanos(1);

/// A sent store that counts how often it is asked.
#[derive(Default)]
struct Sent {
    chunks: BTreeMap<u32, (u32, TxMeta)>,
    asked: Cell<u32>,
    out_of_memory: bool,
}

impl Sent {
    /// `n` chunks of `len` octets, all sent.
    fn new(n: u32, len: u32) -> Self {
        let chunk = |i| (i * len, (len, TxMeta::first(NOW)));
        Self {
            chunks: (0..n).map(chunk).collect(),
            ..Self::default()
        }
    }

    /// `n` chunks of `len` octets, sent one nanosecond apart.
    fn spaced(n: u32, len: u32) -> Self {
        let sent_at = |i| Instant::from_nanos(1 + u64::from(i));
        let chunk = |i| (i * len, (len, TxMeta::first(sent_at(i))));
        Self {
            chunks: (0..n).map(chunk).collect(),
            ..Self::default()
        }
    }

    /// The names of what is under way again, in the order of the list, both ways.
    fn repeats(&self, board: &Scoreboard) -> std::vec::Vec<u32> {
        let mut names = std::vec::Vec::new();
        if board.retransmitted == 0 {
            return names;
        }
        let mut at = board.repeats.first;
        loop {
            let chunk = self.chunk_at(at).unwrap();
            assert!(chunk.meta.has(TxMeta::RETRANSMITTED));
            assert_eq!(repeats::name(chunk.range), at);
            names.push(at.distance_from(UNA));
            if at == board.repeats.last {
                return names;
            }
            let next = self.chunk_at(chunk.meta.link).unwrap();
            assert_eq!(next.meta.back, at);
            at = chunk.meta.link;
        }
    }

    fn flags(&self) -> std::vec::Vec<u8> {
        self.chunks.values().map(|(_, meta)| meta.flags).collect()
    }
}

impl SendQueue for Sent {
    fn unsent_front(&self) -> u32 {
        0
    }

    fn mark_sent(&mut self, _: SeqRange, _: TxMeta) -> Result<(), NoMemory> {
        Err(NoMemory)
    }

    fn chunk_at(&self, seq: SeqNum) -> Option<Chunk> {
        self.asked.set(self.asked.get() + 1);
        let at = seq.distance_from(UNA);
        let (&start, &(len, meta)) = self.chunks.range(..=at).next_back()?;
        let range = SeqRange::new(UNA.plus(start), len);
        range.contains(seq).then_some(Chunk { range, meta })
    }

    fn split_sent(&mut self, at: SeqNum) -> Result<(), NoMemory> {
        if self.out_of_memory {
            return Err(NoMemory);
        }
        let Some(Chunk { range, meta }) = self.chunk_at(at) else {
            return Ok(());
        };
        let (start, cut) = (range.start().distance_from(UNA), at.distance_from(UNA));
        self.chunks.insert(start, (cut - start, meta));
        self.chunks.insert(cut, (range.len() - (cut - start), meta));
        self.chunks.retain(|_, (len, _)| *len > 0);
        Ok(())
    }

    fn set_meta(&mut self, start: SeqNum, meta: TxMeta) {
        self.chunks.get_mut(&start.distance_from(UNA)).unwrap().1 = meta;
    }

    fn release(&mut self, upto: SeqNum) {
        let at = upto.distance_from(UNA);
        let straddling = self.chunks.range(..at).next_back().map(|(&s, &c)| (s, c));
        if let Some((start, (len, meta))) = straddling {
            if start + len > at {
                self.chunks.insert(at, (start + len - at, meta));
            }
        }
        self.chunks.retain(|&start, _| start >= at);
    }
}

fn block(start: u32, end: u32) -> SeqRange {
    SeqRange::between(UNA.plus(start), UNA.plus(end)).unwrap()
}

fn board() -> Scoreboard {
    Scoreboard::new(UNA)
}

const MSS: Mss = Mss::new(1000);

fn delivery() -> Delivery {
    Delivery::new(NOW, MSS, UNA)
}

impl Scoreboard {
    fn sack(&mut self, sent: &mut Sent, start: u32, end: u32) -> u32 {
        self.on_sack(sent, block(start, end), &mut delivery())
    }

    fn ack(&mut self, sent: &mut Sent, from: u32, to: u32) -> Delivery {
        let mut delivery = delivery();
        self.on_cumulative_ack(sent, UNA.plus(from), UNA.plus(to), &mut delivery);
        delivery
    }

    /// Everything that was sent before `at` is lost.
    fn detect(&mut self, sent: &mut Sent, at: u64) -> Losses {
        let before = Instant::from_nanos(at);
        let end = UNA.plus(1 << 20);
        self.detect_losses(sent, end, |sent| {
            if sent.at < before {
                Verdict::Lost
            } else {
                Verdict::Unknown
            }
        })
    }

    fn resend(&mut self, sent: &mut Sent, at: u64) -> Option<u32> {
        let chunk = self.next_lost(sent)?;
        self.on_retransmit(sent, chunk, Instant::from_nanos(at));
        Some(chunk.range.start().distance_from(UNA))
    }
}

#[test]
fn blocks_are_counted_once_and_cut_chunks() {
    let (mut board, mut sent) = (board(), Sent::new(4, 1000));
    assert_eq!(board.sack(&mut sent, 1500, 3000), 1500);
    assert_eq!(board.sack(&mut sent, 1500, 3000), 0);
    assert_eq!(board.sack(&mut sent, 1500, 3500), 500);
    assert_eq!((board.sacked, sent.chunks.len()), (2000, 6));
    assert_eq!(board.pipe_bytes(4000), 2000);
}

/// CVE-2019-11478: single octets are not worth a buffer each.
#[test]
fn chunks_are_not_ground_to_dust() {
    let (mut board, mut sent) = (board(), Sent::new(1, 10_500));
    for octet in 1..10_500 {
        if octet % 2 == 0 {
            board.sack(&mut sent, octet, octet + 1);
        }
    }
    assert_eq!((board.sacked, sent.chunks.len()), (0, 1));
    assert_eq!(board.sack(&mut sent, 1999, 4001), 2002);
    assert_eq!(board.sack(&mut sent, 10_000, 10_500), 500);
    for octet in (0..10_500).rev() {
        board.sack(&mut sent, octet, 10_500);
        board.sack(&mut sent, 0, octet);
    }
    assert_eq!(board.sacked, 10_500);
    assert!(sent.chunks.len() <= 22, "{}", sent.chunks.len());
}

#[test]
fn without_memory_a_block_counts_as_far_as_it_fits() {
    let (mut board, mut sent) = (board(), Sent::new(4, 1000));
    sent.out_of_memory = true;
    assert_eq!(board.sack(&mut sent, 1500, 3500), 1000);
}

#[test]
fn what_was_sent_before_is_lost_and_what_came_is_passed() {
    let (mut board, mut sent) = (board(), Sent::spaced(6, 1000));
    board.sack(&mut sent, 2000, 4000);
    assert_eq!(board.detect(&mut sent, 2).lost, 1000);
    board.sack(&mut sent, 5000, 6000);
    assert_eq!(board.detect(&mut sent, 5).lost, 1000);
    let (lost, sacked) = (TxMeta::LOST, TxMeta::SACKED);
    assert_eq!(sent.flags(), [lost, lost, sacked, sacked, 0, sacked]);
    assert_eq!(board.pipe_bytes(6000), 1000);
    assert_eq!(board.sacked_segs, 3);
}

#[test]
fn lost_chunks_are_sent_again_in_order_and_once() {
    let (mut board, mut sent) = (board(), Sent::new(4, 1000));
    assert_eq!(board.on_timeout(&mut sent, UNA, |_| true), Reneged::No);
    for i in 0..4 {
        assert_eq!(board.resend(&mut sent, 10), Some(i * 1000));
    }
    assert_eq!(board.next_lost(&mut sent), None);
    assert_eq!(board.pipe_bytes(4000), 4000);
    board.mark_unsent(&mut sent, UNA.plus(1000));
    assert_eq!(sent.repeats(&board), [999, 2999, 3999]);
    assert_eq!(board.resend(&mut sent, 11), Some(1000));
    assert_eq!(sent.repeats(&board), [999, 2999, 3999, 1999]);
}

/// RFC 8985: a retransmission is lost like any other transmission, in the order of time.
#[test]
fn lost_retransmissions_are_found_in_the_order_of_time() {
    let (mut board, mut sent) = (board(), Sent::spaced(6, 1000));
    board.sack(&mut sent, 5000, 6000);
    assert_eq!(board.detect(&mut sent, 6).lost, 5000);
    for at in 10..15 {
        board.resend(&mut sent, at);
    }
    assert_eq!(sent.repeats(&board), [999, 1999, 2999, 3999, 4999]);
    let found = board.detect(&mut sent, 12);
    assert_eq!((found.lost, found.lost_again), (0, 2000));
    assert_eq!(board.resend(&mut sent, 20), Some(0));
    // In the middle of the list, at its end, at its beginning.
    board.sack(&mut sent, 3000, 4000);
    assert_eq!(sent.repeats(&board), [2999, 4999, 999]);
    board.ack(&mut sent, 0, 1000);
    assert_eq!(sent.repeats(&board), [2999, 4999]);
    board.sack(&mut sent, 2000, 2500);
    assert_eq!(sent.repeats(&board), [2999, 4999]);
    board.sack(&mut sent, 2500, 3000);
    assert_eq!(sent.repeats(&board), [4999]);
    board.ack(&mut sent, 1000, 4600);
    assert_eq!(sent.repeats(&board), [4999]);
    assert_eq!((board.lost, board.retransmitted), (400, 400));
    board.ack(&mut sent, 4600, 6000);
    assert_eq!((board.lost, board.sacked, board.retransmitted), (0, 0, 0));
}

#[test]
fn cumulative_acknowledgment_settles_the_sums() {
    let (mut board, mut sent) = (board(), Sent::new(4, 1000));
    board.sack(&mut sent, 1000, 2000);
    board.mark_front_lost(&mut sent, UNA, 400);
    assert_eq!(board.resend(&mut sent, 5), Some(0));
    assert_eq!(board.retransmitted, 400);
    let acked = board.ack(&mut sent, 0, 2500);
    assert_eq!((acked.bytes, acked.repeated), (1500, true));
    assert_eq!((board.sacked, board.lost, board.retransmitted), (0, 0, 0));
    assert_eq!(sent.chunks.len(), 2);
    let acked = board.ack(&mut sent, 2500, 4000);
    assert_eq!((acked.oldest, acked.repeated), (Some(NOW), false));
}

#[test]
fn reneging_is_noticed_and_forgets_all_blocks() {
    let (mut board, mut sent) = (board(), Sent::new(3, 1000));
    board.sack(&mut sent, 0, 1000);
    board.sack(&mut sent, 2000, 3000);
    assert_eq!(board.on_timeout(&mut sent, UNA, |_| false), Reneged::Yes);
    assert_eq!((board.sacked, board.lost), (0, 3000));
}

#[test]
fn time_out_spares_what_was_sent_lately() {
    let (mut board, mut sent) = (board(), Sent::spaced(4, 1000));
    board.sack(&mut sent, 1000, 2000);
    let late = Instant::from_nanos(3);
    let reneged = board.on_timeout(&mut sent, UNA, |sent_at| sent_at < late);
    assert_eq!(reneged, Reneged::No);
    assert_eq!(sent.flags(), [TxMeta::LOST, TxMeta::SACKED, 0, 0]);
}

#[test]
fn nothing_was_lost_after_all() {
    let (mut board, mut sent) = (board(), Sent::spaced(5, 1000));
    board.sack(&mut sent, 1000, 2000);
    board.sack(&mut sent, 4000, 5000);
    board.detect(&mut sent, 5);
    board.resend(&mut sent, 9);
    board.unmark_lost(&mut sent, UNA);
    let sacked = TxMeta::SACKED;
    assert_eq!(sent.flags(), [0, sacked, 0, 0, sacked]);
    assert_eq!(
        (board.lost, board.retransmitted, board.sacked),
        (0, 0, 2000)
    );
    assert_eq!(board.next_lost(&mut sent), None);
}

/// An acknowledgment costs as much as it has news, not as much as there is under way.
#[test]
fn known_runs_are_passed_in_few_steps() {
    const CHUNKS: u32 = 500;
    let (mut board, mut sent) = (board(), Sent::new(CHUNKS, 10));
    for i in 1..CHUNKS {
        board.on_sack(&mut sent, block(10, (i + 1) * 10), &mut delivery());
    }
    assert!(sent.asked.get() < 20 * CHUNKS, "{}", sent.asked.get());
    sent.asked.set(0);
    // An attacker begins anywhere in the run.
    for i in 0..2000 {
        let start = 10 + (i * 7919) % (CHUNKS - 2) * 10;
        assert_eq!(board.sack(&mut sent, start, CHUNKS * 10), 0);
    }
    assert!(sent.asked.get() < 40 * 2000, "{}", sent.asked.get());
}

/// Acknowledgments with nothing new to judge look at a chunk or two, however many wait.
#[test]
fn detection_looks_at_what_may_have_changed_only() {
    const CHUNKS: u32 = 500;
    let (mut board, mut sent) = (board(), Sent::spaced(CHUNKS, 10));
    board.sack(&mut sent, (CHUNKS - 1) * 10, CHUNKS * 10);
    board.detect(&mut sent, 100);
    while board.resend(&mut sent, 1000).is_some() {}
    sent.asked.set(0);
    for _ in 0..1000 {
        board.detect(&mut sent, 100);
    }
    assert!(sent.asked.get() <= 2000, "{}", sent.asked.get());
}
