// SPDX-License-Identifier: GPL-2.0

//! Bytes to [`Segment`] and [`Transmit`] to bytes: the header of RFC 9293, 3.1.
//!
//! - [`header`]: [`Transmit`] and writing it out;
//! - [`segment`]: [`Segment`] and reading it in;
//! - [`options`]: the options of both;
//! - [`ecn`]: the bits of the IP header that go with it;
//! - [`checksum`]: RFC 1071, for everyone who has no checksum hardware to ask.

pub mod checksum;
pub mod ecn;
pub mod header;
pub mod options;
pub mod segment;

pub use ecn::Ecn;
pub use header::{
    Ports,
    Transmit, //
};
pub use options::{
    Options,
    SackBlocks,
    Timestamps, //
};
pub use segment::{
    Control,
    Malformed,
    Segment, //
};

/// Octets of a header without options.
pub const HEADER_LEN: usize = 20;

/// Octets of the longest header: the data offset counts to fifteen words.
pub const MAX_HEADER_LEN: usize = 60;

/// Octets of options that the longest header can hold.
pub const MAX_OPTIONS_LEN: usize = MAX_HEADER_LEN - HEADER_LEN;

/// The control bits as they stand in the fourteenth octet of the header.
pub(crate) mod bits {
    pub(crate) const FIN: u8 = 0x01;
    pub(crate) const SYN: u8 = 0x02;
    pub(crate) const RST: u8 = 0x04;
    pub(crate) const PSH: u8 = 0x08;
    pub(crate) const ACK: u8 = 0x10;
    pub(crate) const URG: u8 = 0x20;
    pub(crate) const ECE: u8 = 0x40;
    pub(crate) const CWR: u8 = 0x80;
}
