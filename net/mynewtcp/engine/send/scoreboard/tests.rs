// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::engine::error::NoMemory;
use crate::engine::send::loss::is_lost;
use crate::engine::seq::Mss;
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

#[test]
fn blocks_are_counted_once_and_cut_chunks() {
    let (mut board, mut sent) = (board(), Sent::new(4, 1000));
    assert_eq!(board.on_sack(&mut sent, block(1500, 3000)), 1500);
    assert_eq!(board.on_sack(&mut sent, block(1500, 3000)), 0);
    assert_eq!(board.on_sack(&mut sent, block(1500, 3200)), 200);
    assert_eq!((board.sacked, sent.chunks.len()), (1700, 6));
    assert_eq!(board.pipe_bytes(4000), 2300);
}

#[test]
fn without_memory_a_block_counts_as_far_as_it_fits() {
    let (mut board, mut sent) = (board(), Sent::new(4, 1000));
    sent.out_of_memory = true;
    assert_eq!(board.on_sack(&mut sent, block(1500, 3500)), 1000);
}

#[test]
fn holes_are_lost_when_enough_has_arrived_behind_them() {
    let (mut board, mut sent) = (board(), Sent::new(6, 1000));
    let mss = Mss::new(1000);
    board.on_sack(&mut sent, block(2000, 4000));
    assert_eq!(board.detect_losses(&mut sent, |n| is_lost(n, mss)), 0);
    board.on_sack(&mut sent, block(5000, 6000));
    assert_eq!(board.detect_losses(&mut sent, |n| is_lost(n, mss)), 2000);
    let (lost, sacked) = (TxMeta::LOST, TxMeta::SACKED);
    assert_eq!(sent.flags(), [lost, lost, sacked, sacked, 0, sacked]);
    assert_eq!(board.pipe_bytes(6000), 1000);
}

#[test]
fn lost_chunks_are_sent_again_in_order_and_once() {
    let (mut board, mut sent) = (board(), Sent::new(4, 1000));
    assert_eq!(
        board.mark_all_lost(&mut sent, UNA, UNA.plus(4000)),
        Reneged::No
    );
    for i in 0..4 {
        let chunk = board.next_lost(&mut sent).unwrap();
        assert_eq!(chunk.range, block(i * 1000, (i + 1) * 1000));
        board.on_retransmit(&mut sent, chunk, NOW);
    }
    assert_eq!(board.next_lost(&mut sent), None);
    assert_eq!(board.pipe_bytes(4000), 4000);
    board.mark_unsent(&mut sent, UNA.plus(1000));
    assert_eq!(
        board.next_lost(&mut sent).unwrap().range.start(),
        UNA.plus(1000)
    );
}

#[test]
fn cumulative_acknowledgment_settles_the_sums() {
    let (mut board, mut sent) = (board(), Sent::new(4, 1000));
    board.on_sack(&mut sent, block(1000, 2000));
    board.mark_front_lost(&mut sent, UNA, 400);
    let chunk = board.next_lost(&mut sent).unwrap();
    assert_eq!(chunk.range, block(0, 400));
    board.on_retransmit(&mut sent, chunk, NOW);
    let acked = board.on_cumulative_ack(&mut sent, UNA, UNA.plus(2500));
    assert_eq!((acked.bytes, acked.retransmitted), (2500, true));
    assert_eq!((board.sacked, board.lost, board.retransmitted), (0, 0, 0));
    assert_eq!(sent.chunks.len(), 2);
    let acked = board.on_cumulative_ack(&mut sent, UNA.plus(2500), UNA.plus(4000));
    assert_eq!(
        (acked.oldest_sent_at, acked.retransmitted),
        (Some(NOW), false)
    );
}

#[test]
fn reneging_is_noticed_and_forgets_all_blocks() {
    let (mut board, mut sent) = (board(), Sent::new(3, 1000));
    board.on_sack(&mut sent, block(0, 1000));
    board.on_sack(&mut sent, block(2000, 3000));
    assert_eq!(
        board.mark_all_lost(&mut sent, UNA, UNA.plus(3000)),
        Reneged::Yes
    );
    assert_eq!((board.sacked, board.lost), (0, 3000));
}

/// An acknowledgment costs as much as it has news, not as much as there is under way.
#[test]
fn known_runs_are_passed_in_few_steps() {
    const CHUNKS: u32 = 500;
    let (mut board, mut sent) = (board(), Sent::new(CHUNKS, 10));
    for i in 1..CHUNKS {
        board.on_sack(&mut sent, block(10, (i + 1) * 10));
    }
    assert!(sent.asked.get() < 20 * CHUNKS, "{}", sent.asked.get());
    sent.asked.set(0);
    // An attacker begins anywhere in the run.
    for i in 0..2000 {
        let start = 10 + (i * 7919) % (CHUNKS - 2) * 10;
        assert_eq!(board.on_sack(&mut sent, block(start, CHUNKS * 10)), 0);
    }
    assert!(sent.asked.get() < 40 * 2000, "{}", sent.asked.get());
}
