// SPDX-License-Identifier: GPL-2.0

//! The parser: reads anything, and what it has read can be written and read again.

use crate::engine::seq::SeqRange;
use crate::engine::wire::checksum::{
    Addresses,
    Sum, //
};
use crate::engine::wire::{
    Options,
    Ports,
    SackBlocks,
    Segment,
    Transmit,
    MAX_HEADER_LEN, //
};

/// Feeds the parser.
pub fn run(data: &[u8]) {
    let options = Options::parse(data);
    assert!(options.sack.len() <= SackBlocks::MAX);
    sum(data);
    let Ok(segment) = Segment::parse(data, data.len() as u32) else {
        return;
    };
    let header_len = usize::from(segment.header_len);
    assert!((20..=data.len().min(MAX_HEADER_LEN)).contains(&header_len));
    assert_eq!(header_len + segment.payload_len as usize, data.len());
    assert_eq!(segment.end().distance_from(segment.seq), segment.len());
    write_again(&segment);
}

/// A checksum that is written where it belongs makes the whole sum up to zero.
fn sum(data: &[u8]) {
    let addresses = Addresses::V6([1; 16], [2; 16]);
    let start = Sum::pseudo_header(addresses, 253, data.len() as u32);
    let checksum = start.plus(data).finish();
    if data.len() % 2 == 0 {
        assert_eq!(start.plus(data).plus(&checksum.to_be_bytes()).finish(), 0);
    }
}

/// Only what we understand is kept of a segment; that much reads back.
fn write_again(segment: &Segment) {
    let mut transmit = Transmit::bare(segment.seq, segment.ack, segment.control);
    transmit.window = segment.window;
    transmit.psh = segment.psh;
    transmit.ece = segment.ece;
    transmit.cwr = segment.cwr;
    transmit.options = segment.options;
    transmit.range = SeqRange::new(segment.seq, segment.payload_len);
    let ports = Ports {
        src: segment.src_port,
        dst: segment.dst_port,
    };
    let mut out = [0; MAX_HEADER_LEN];
    let Some(len) = transmit.emit(ports, &mut out) else {
        // The options of a SYN and those of an acknowledgment together may need more than forty
        // octets with our padding. Nobody sends that.
        assert!(transmit.header_len() > MAX_HEADER_LEN);
        return;
    };
    let total = len as u32 + segment.payload_len;
    let again = Segment::parse(&out[..len], total).expect("what we write can be read");
    let mut expected = transmit.as_received(ports);
    expected.options.sack.truncate(again.options.sack.len());
    expected.header_len = again.header_len;
    assert_eq!(again, expected);
}
