// SPDX-License-Identifier: GPL-2.0

//! Properties of the wire format: what is written reads back, and nothing that is read hurts.

use mynewtcp_engine::engine::seq::{
    Mss,
    SeqNum,
    SeqRange,
    WindowScale, //
};
use mynewtcp_engine::engine::wire::checksum::{
    Addresses,
    Sum, //
};
use mynewtcp_engine::engine::wire::{
    Options,
    SackBlocks,
    Segment,
    Timestamps,
    MAX_HEADER_LEN,
    MAX_OPTIONS_LEN, //
};
use proptest::prelude::*;

fn blocks() -> impl Strategy<Value = SackBlocks> {
    prop::collection::vec((any::<u32>(), 1u32..1 << 30), 0..6).prop_map(|blocks| {
        let mut sack = SackBlocks::NONE;
        for (start, len) in blocks {
            sack.push(SeqRange::new(SeqNum::new(start), len));
        }
        sack
    })
}

fn options() -> impl Strategy<Value = Options> {
    let mss = prop::option::of(any::<u16>().prop_map(Mss::new));
    let scale = prop::option::of(any::<u8>().prop_map(WindowScale::new));
    let clock = (any::<u32>(), any::<u32>()).prop_map(|(val, ecr)| Timestamps { val, ecr });
    (mss, scale, prop::option::of(clock), any::<bool>(), blocks()).prop_map(
        |(mss, window_scale, timestamps, sack_permitted, sack)| Options {
            mss,
            window_scale,
            timestamps,
            sack_permitted,
            sack,
        },
    )
}

proptest! {
    #[test]
    fn options_read_back(options in options()) {
        let mut area = [0; MAX_OPTIONS_LEN];
        let len = options.emit(&mut area).expect("options fit the longest header");
        prop_assert_eq!(len, options.len());
        prop_assert_eq!(len % 4, 0);
        let back = Options::parse(&area[..len]);
        let kept = back.sack.len();
        let mut expected = options;
        expected.sack.truncate(kept);
        prop_assert_eq!(back, expected);
        // Only want of room is a reason to leave a block out.
        prop_assert!(kept == options.sack.len() || len + 8 > MAX_OPTIONS_LEN);
    }

    #[test]
    fn any_options_can_be_read(area in prop::collection::vec(any::<u8>(), 0..60)) {
        let options = Options::parse(&area);
        prop_assert!(options.sack.len() <= SackBlocks::MAX);
    }

    #[test]
    fn any_header_can_be_read(header in prop::collection::vec(any::<u8>(), 0..80), total: u32) {
        if let Ok(segment) = Segment::parse(&header, total) {
            prop_assert!(usize::from(segment.header_len) <= header.len().min(MAX_HEADER_LEN));
            let lens = u32::from(segment.header_len) + segment.payload_len;
            prop_assert_eq!(lens, total);
        }
    }

    #[test]
    fn any_changed_bit_changes_the_checksum(
        bytes in prop::collection::vec(any::<u8>(), 1..200),
        at: prop::sample::Index,
        bit in 0u32..8,
    ) {
        let addresses = Addresses::V4([10, 0, 0, 1], [10, 0, 0, 2]);
        let start = Sum::pseudo_header(addresses, 253, bytes.len() as u32);
        let before = start.plus(&bytes).finish();
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] ^= 1 << bit;
        prop_assert_ne!(before, start.plus(&changed).finish());
    }
}
