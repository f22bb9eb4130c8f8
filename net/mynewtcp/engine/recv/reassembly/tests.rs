// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::engine::buffer::ReceiveQueue;
use crate::engine::config::Config;
use crate::engine::recv::window::ReceiveWindow;
use crate::engine::selftest::shell::{
    FixedShell,
    Piece, //
};
use crate::engine::seq::Mss;
use crate::engine::time::Instant;
use std::vec::Vec;

const NXT: SeqNum = SeqNum::new(u32::MAX - 99);

struct Receiver {
    receive: Receive,
    shell: FixedShell,
}

impl Receiver {
    fn new() -> Self {
        let offer = ReceiveWindow::new(1000, 1000);
        let mut receive = Receive::new(offer, 1000, Mss::new(1000));
        receive.sack = true;
        receive.synchronize(NXT.minus(1));
        let shell = FixedShell::new(1000);
        Self { receive, shell }
    }

    fn take(&mut self, offset: u32, len: u32) -> Accepted {
        let range = SeqRange::new(NXT.plus(offset), len);
        let mut cx = Context {
            now: Instant::ZERO,
            config: &Config::DEFAULT,
            shell: &mut self.shell,
        };
        accept(&mut self.receive, &mut cx, range.start(), Piece(range))
    }

    /// The report that the next acknowledgment makes.
    fn duplicate(&mut self) -> Option<(u32, u32)> {
        let range = self.receive.duplicates.take()?;
        Some((range.start().distance_from(NXT), range.len()))
    }

    fn blocks(&self) -> Vec<(u32, u32)> {
        let offset = |seq: SeqNum| seq.distance_from(NXT);
        let blocks = self.receive.blocks.iter();
        blocks
            .map(|block| (offset(block.start()), offset(block.end())))
            .collect()
    }
}

#[test]
fn gaps_close_across_the_wrap() {
    let mut receiver = Receiver::new();
    assert_eq!(receiver.take(150, 50), Accepted::OutOfOrder);
    assert_eq!(receiver.take(50, 50), Accepted::OutOfOrder);
    assert_eq!(receiver.take(0, 50), Accepted::InOrder(100));
    assert_eq!(receiver.take(90, 70), Accepted::InOrder(100));
    assert_eq!(receiver.receive.nxt, NXT.plus(200));
    assert!(!receiver.shell.is_corrupt && receiver.shell.out_of_order_len() == 0);
}

#[test]
fn what_is_held_or_outside_is_nothing_new() {
    let mut receiver = Receiver::new();
    assert_eq!(receiver.take(0, 100), Accepted::InOrder(100));
    assert_eq!(receiver.take(0, 100), Accepted::Nothing);
    assert_eq!(receiver.take(200, 100), Accepted::OutOfOrder);
    assert_eq!(receiver.take(220, 50), Accepted::Nothing);
    assert_eq!(receiver.take(1000, 10), Accepted::Nothing);
    assert_eq!(receiver.take(950, 100), Accepted::OutOfOrder);
    assert_eq!(receiver.shell.ooo_floor(NXT.plus(999)).unwrap().len(), 50);
}

#[test]
fn covered_pieces_are_replaced() {
    let mut receiver = Receiver::new();
    for offset in [100, 200, 300] {
        assert_eq!(receiver.take(offset, 50), Accepted::OutOfOrder);
    }
    assert_eq!(receiver.take(90, 300), Accepted::OutOfOrder);
    assert_eq!(receiver.shell.out_of_order_len(), 1);
    assert_eq!(receiver.blocks(), [(90, 390)]);
}

#[test]
fn newest_block_comes_first_and_neighbours_join() {
    let mut receiver = Receiver::new();
    assert_eq!(receiver.take(100, 50), Accepted::OutOfOrder);
    assert_eq!(receiver.take(300, 50), Accepted::OutOfOrder);
    assert_eq!(receiver.blocks(), [(300, 350), (100, 150)]);
    assert_eq!(receiver.take(120, 10), Accepted::Nothing);
    assert_eq!(receiver.blocks(), [(100, 150), (300, 350)]);
    assert_eq!(receiver.take(150, 150), Accepted::OutOfOrder);
    assert_eq!(receiver.blocks(), [(100, 350)]);
    assert_eq!(receiver.take(0, 120), Accepted::InOrder(350));
    assert!(receiver.blocks().is_empty());
}

#[test]
fn refused_payload_is_not_acknowledged() {
    let mut receiver = Receiver::new();
    receiver.shell.out_of_memory = true;
    assert_eq!(receiver.take(0, 50), Accepted::Refused);
    assert_eq!(receiver.receive.nxt, NXT);
    receiver.shell.out_of_memory = false;
    assert_eq!(receiver.take(50, 50), Accepted::OutOfOrder);
    assert_eq!(receiver.take(0, 50), Accepted::InOrder(100));
}

#[test]
fn nothing_is_taken_behind_the_fin() {
    let mut receiver = Receiver::new();
    receiver.receive.fin = Some(NXT.plus(100));
    assert_eq!(receiver.take(100, 50), Accepted::Nothing);
    assert_eq!(receiver.take(0, 150), Accepted::InOrder(100));
}

#[test]
fn duplicates_are_reported_wherever_they_are() {
    let mut receiver = Receiver::new();
    assert_eq!(receiver.take(0, 100), Accepted::InOrder(100));
    assert_eq!(receiver.duplicate(), None);
    // All of it is old.
    assert_eq!(receiver.take(20, 50), Accepted::Nothing);
    assert_eq!(receiver.duplicate(), Some((20, 50)));
    // The front of it is.
    assert_eq!(receiver.take(60, 60), Accepted::InOrder(20));
    assert_eq!(receiver.duplicate(), Some((60, 40)));
    // Out of order, and again; the block that holds it comes first.
    assert_eq!(receiver.take(200, 100), Accepted::OutOfOrder);
    assert_eq!(receiver.take(400, 100), Accepted::OutOfOrder);
    assert_eq!(receiver.duplicate(), None);
    assert_eq!(receiver.take(210, 50), Accepted::Nothing);
    assert_eq!(receiver.duplicate(), Some((210, 50)));
    assert_eq!(receiver.blocks(), [(200, 300), (400, 500)]);
    // It overlaps the pieces in front and behind: the first overlap is reported.
    assert_eq!(receiver.take(290, 120), Accepted::OutOfOrder);
    assert_eq!(receiver.duplicate(), Some((290, 10)));
    // The segment that closes the gap goes on into what is kept.
    assert_eq!(receiver.take(120, 100), Accepted::InOrder(380));
    assert_eq!(receiver.duplicate(), Some((200, 20)));
}

#[test]
fn duplicates_are_not_reported_to_those_who_did_not_ask() {
    let mut receiver = Receiver::new();
    receiver.receive.sack = false;
    assert_eq!(receiver.take(0, 100), Accepted::InOrder(100));
    assert_eq!(receiver.take(0, 100), Accepted::Nothing);
    assert_eq!(receiver.duplicate(), None);
}

#[test]
fn more_gaps_than_blocks_are_still_gaps() {
    let mut receiver = Receiver::new();
    for n in 1..=6 {
        assert_eq!(receiver.take(n * 100, 50), Accepted::OutOfOrder);
    }
    assert_eq!(
        receiver.blocks(),
        [(600, 650), (500, 550), (400, 450), (300, 350)]
    );
    // The blocks named last close first.
    assert_eq!(receiver.take(350, 250), Accepted::OutOfOrder);
    assert_eq!(receiver.blocks(), [(300, 650)]);
    assert_eq!(receiver.take(0, 100), Accepted::InOrder(150));
    assert!(receiver.receive.has_gap());
}
