// SPDX-License-Identifier: GPL-2.0

//! Reading a received header.

use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};
use crate::engine::wire::ecn::Ecn;
use crate::engine::wire::options::Options;
use crate::engine::wire::{
    bits,
    HEADER_LEN, //
};

/// The control bit that decides what a segment is. SYN, FIN and RST exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// None of the three: data or an acknowledgment.
    None,
    /// Synchronise sequence numbers.
    Syn,
    /// No more data from the sender.
    Fin,
    /// Reset the connection.
    Rst,
}

impl Control {
    /// Octets of sequence space that it takes.
    pub const fn len(self) -> u32 {
        match self {
            Self::Syn | Self::Fin => 1,
            Self::None | Self::Rst => 0,
        }
    }

    /// It takes none.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Why bytes are not a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Fewer octets than the header needs.
    Truncated,
    /// The data offset points into the fixed header or beyond the segment.
    DataOffset,
    /// SYN and FIN together.
    Flags,
}

/// A received header, taken apart. The payload itself stays with the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Sender's port.
    pub src_port: u16,
    /// Receiver's port.
    pub dst_port: u16,
    /// SEG.SEQ.
    pub seq: SeqNum,
    /// SEG.ACK, if the ACK bit is set.
    pub ack: Option<SeqNum>,
    /// Which of SYN, FIN and RST.
    pub control: Control,
    /// The push bit.
    pub psh: bool,
    /// The urgent bit. Urgent data is delivered in line, RFC 9293's pointer is not looked at.
    pub urg: bool,
    /// The ECN echo bit.
    pub ece: bool,
    /// The congestion window reduced bit.
    pub cwr: bool,
    /// The ECN field of its IP header. [`Segment::parse`] does not see that header and leaves
    /// [`Ecn::NotEct`]: the shell fills it in.
    pub ecn: Ecn,
    /// The window field, before scaling.
    pub window: u16,
    /// Octets of header, options included.
    pub header_len: u8,
    /// Octets of payload.
    pub payload_len: u32,
    /// The options that we understand.
    pub options: Options,
}

impl Segment {
    /// Octets of header that the first twenty octets announce, for a shell that must have them in
    /// one piece before [`Segment::parse`].
    pub fn announced_header_len(first: &[u8]) -> Option<usize> {
        let words = usize::from(*first.get(12)? >> 4);
        (words >= HEADER_LEN / 4).then_some(words * 4)
    }

    /// One with nothing in it, for [`Segment::read`].
    pub const NONE: Self = Self {
        src_port: 0,
        dst_port: 0,
        seq: SeqNum::new(0),
        ack: None,
        control: Control::None,
        psh: false,
        urg: false,
        ece: false,
        cwr: false,
        ecn: Ecn::NotEct,
        window: 0,
        header_len: 0,
        payload_len: 0,
        options: Options::NONE,
    };

    /// Takes a header apart. `header` begins at the source port and holds at least the whole
    /// header; `total_len` counts the octets of header and payload.
    pub fn parse(header: &[u8], total_len: u32) -> Result<Self, Malformed> {
        let mut segment = Self::NONE;
        segment.read(header, total_len)?;
        Ok(segment)
    }

    /// The same for a segment that was [`NONE`](Self::NONE), where it is to stay: moving it costs
    /// more than reading it.
    #[inline]
    pub fn read(&mut self, header: &[u8], total_len: u32) -> Result<(), Malformed> {
        let (fixed, rest) = header
            .split_first_chunk::<HEADER_LEN>()
            .ok_or(Malformed::Truncated)?;
        let header_len = Self::announced_header_len(fixed).ok_or(Malformed::DataOffset)?;
        let option_bytes = rest
            .get(..header_len - HEADER_LEN)
            .ok_or(Malformed::Truncated)?;
        let payload_len = total_len
            .checked_sub(header_len as u32)
            .ok_or(Malformed::DataOffset)?;
        let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, _, flags, w0, w1, ..] = *fixed;
        self.src_port = u16::from_be_bytes([s0, s1]);
        self.dst_port = u16::from_be_bytes([d0, d1]);
        self.seq = SeqNum::new(u32::from_be_bytes([q0, q1, q2, q3]));
        self.ack =
            (flags & bits::ACK != 0).then_some(SeqNum::new(u32::from_be_bytes([a0, a1, a2, a3])));
        self.control = Self::parse_control(flags)?;
        self.psh = flags & bits::PSH != 0;
        self.urg = flags & bits::URG != 0;
        self.ece = flags & bits::ECE != 0;
        self.cwr = flags & bits::CWR != 0;
        self.window = u16::from_be_bytes([w0, w1]);
        self.header_len = header_len as u8;
        self.payload_len = payload_len;
        self.options.read(option_bytes);
        Ok(())
    }

    fn parse_control(flags: u8) -> Result<Control, Malformed> {
        let (syn, fin) = (flags & bits::SYN != 0, flags & bits::FIN != 0);
        match (flags & bits::RST != 0, syn, fin) {
            (true, _, _) => Ok(Control::Rst),
            (false, true, true) => Err(Malformed::Flags),
            (false, true, false) => Ok(Control::Syn),
            (false, false, true) => Ok(Control::Fin),
            (false, false, false) => Ok(Control::None),
        }
    }

    /// SEG.LEN: octets of sequence space, payload and SYN or FIN.
    pub const fn len(&self) -> u32 {
        self.payload_len.saturating_add(self.control.len())
    }

    /// It takes no sequence space.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// First sequence number after the segment.
    pub const fn end(&self) -> SeqNum {
        self.seq.plus(self.len())
    }

    /// The sequence numbers of the payload.
    pub const fn payload_range(&self) -> SeqRange {
        let start = match self.control {
            Control::Syn => self.seq.plus(1),
            Control::None | Control::Fin | Control::Rst => self.seq,
        };
        SeqRange::new(start, self.payload_len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(flags: u8) -> [u8; 20] {
        [
            0, 7, 0, 9, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 5, 0x50, flags, 0x10, 0, 0, 0, 0, 0,
        ]
    }

    #[test]
    fn fixed_header_is_read() {
        let segment = Segment::parse(&header(bits::ACK | bits::PSH), 26).unwrap();
        assert_eq!((segment.src_port, segment.dst_port), (7, 9));
        assert_eq!(segment.seq, SeqNum::new(u32::MAX));
        assert_eq!(segment.ack, Some(SeqNum::new(5)));
        assert_eq!((segment.payload_len, segment.end()), (6, SeqNum::new(5)));
        assert!(segment.psh && !segment.urg);
        assert_eq!(segment.window, 0x1000);
    }

    #[test]
    fn bad_lengths_are_refused() {
        let good = header(bits::SYN);
        assert_eq!(Segment::parse(&good[..19], 20), Err(Malformed::Truncated));
        assert_eq!(Segment::parse(&good, 19), Err(Malformed::DataOffset));
        let mut short = good;
        short[12] = 0x40;
        assert_eq!(Segment::parse(&short, 20), Err(Malformed::DataOffset));
        let mut long = good;
        long[12] = 0x60;
        assert_eq!(Segment::parse(&long, 24), Err(Malformed::Truncated));
    }

    #[test]
    fn control_bits_exclude_each_other() {
        let control = |flags| Segment::parse(&header(flags), 20).map(|s| s.control);
        assert_eq!(control(bits::SYN | bits::FIN), Err(Malformed::Flags));
        assert_eq!(control(bits::RST | bits::SYN | bits::FIN), Ok(Control::Rst));
        assert_eq!(control(bits::FIN | bits::ACK), Ok(Control::Fin));
        assert_eq!(control(0), Ok(Control::None));
    }
}
