// SPDX-License-Identifier: GPL-2.0

//! What to transmit, and writing its header.

use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};
use crate::engine::wire::ecn::Ecn;
use crate::engine::wire::options::{
    put_words,
    Options, //
};
use crate::engine::wire::segment::{
    Control,
    Segment, //
};
use crate::engine::wire::{
    bits,
    HEADER_LEN, //
};

/// The ports of a segment on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Our port.
    pub src: u16,
    /// The peer's port.
    pub dst: u16,
}

/// One transmission: everything its header needs, and which octets go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// SEG.SEQ. With payload it is the start of `range`.
    pub seq: SeqNum,
    /// SEG.ACK.
    pub ack: Option<SeqNum>,
    /// Which of SYN, FIN and RST.
    pub control: Control,
    /// The push bit.
    pub psh: bool,
    /// The ECN echo bit.
    pub ece: bool,
    /// The congestion window reduced bit; of a superpacket's segments the first one has it.
    pub cwr: bool,
    /// The ECN field of its IP header.
    pub ecn: Ecn,
    /// The window field, already scaled.
    pub window: u16,
    /// The options.
    pub options: Options,
    /// The octets of payload, within one sent chunk; may be empty and may be a superpacket.
    pub range: SeqRange,
    /// Octets of payload of each segment that a superpacket is cut into.
    pub gso_size: u16,
    /// Some of the octets were transmitted before.
    pub retransmission: bool,
}

impl Transmit {
    /// A place for one.
    pub const NONE: Self = Self::bare(SeqNum::new(0), None, Control::None);

    /// A transmission without payload, options or window.
    pub const fn bare(seq: SeqNum, ack: Option<SeqNum>, control: Control) -> Self {
        Self {
            seq,
            ack,
            control,
            psh: false,
            ece: false,
            cwr: false,
            ecn: Ecn::NotEct,
            window: 0,
            options: Options::NONE,
            range: SeqRange::new(seq, 0),
            gso_size: 0,
            retransmission: false,
        }
    }

    /// Octets of header.
    pub fn header_len(&self) -> usize {
        HEADER_LEN + self.options.len()
    }

    /// Octets of payload.
    pub const fn payload_len(&self) -> u32 {
        self.range.len()
    }

    /// Segments that it becomes on the wire.
    pub const fn segments(&self) -> u32 {
        let size = self.gso_size as u32;
        if size == 0 || self.range.len() <= size {
            1
        } else {
            self.range.len().div_ceil(size)
        }
    }

    /// Writes the header with a checksum field of zero and returns its length. `None` if `out` is
    /// too short.
    #[inline]
    pub fn emit(&self, ports: Ports, out: &mut [u8]) -> Option<usize> {
        let (fixed, area) = out.split_first_chunk_mut::<HEADER_LEN>()?;
        let header_len = HEADER_LEN + self.options.emit(area)?;
        let offset = (header_len as u32 / 4) << 28;
        put_words(
            fixed,
            [
                (u32::from(ports.src) << 16) | u32::from(ports.dst),
                self.seq.raw(),
                self.ack.unwrap_or_default().raw(),
                offset | (u32::from(self.flags()) << 16) | u32::from(self.window),
                0,
            ],
        );
        Some(header_len)
    }

    fn flags(&self) -> u8 {
        let control = match self.control {
            Control::None => 0,
            Control::Syn => bits::SYN,
            Control::Fin => bits::FIN,
            Control::Rst => bits::RST,
        };
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        control
            | bit(self.ack.is_some(), bits::ACK)
            | bit(self.psh, bits::PSH)
            | bit(self.ece, bits::ECE)
            | bit(self.cwr, bits::CWR)
    }

    /// The segment that a peer sees, for tests and simulators that have no bytes.
    pub fn as_received(&self, ports: Ports) -> Segment {
        Segment {
            src_port: ports.src,
            dst_port: ports.dst,
            seq: self.seq,
            ack: self.ack,
            control: self.control,
            psh: self.psh,
            urg: false,
            ece: self.ece,
            cwr: self.cwr,
            ecn: self.ecn,
            window: self.window,
            header_len: self.header_len() as u8,
            payload_len: self.range.len(),
            options: self.options,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::seq::Mss;

    #[test]
    fn what_is_emitted_parses_back() {
        let mut transmit =
            Transmit::bare(SeqNum::new(0xffff_fffe), Some(SeqNum::new(7)), Control::Syn);
        transmit.options.mss = Some(Mss::new(1400));
        transmit.window = 0x1234;
        let ports = Ports { src: 1, dst: 65535 };
        let mut out = [0; 60];
        let len = transmit.emit(ports, &mut out).unwrap();
        assert_eq!(len, 24);
        let segment = Segment::parse(&out[..len], len as u32).unwrap();
        assert_eq!(segment, transmit.as_received(ports));
        assert!(transmit.emit(ports, &mut out[..23]).is_none());
    }

    #[test]
    fn superpackets_count_their_segments() {
        let mut transmit = Transmit::bare(SeqNum::new(1), None, Control::None);
        assert_eq!(transmit.segments(), 1);
        transmit.gso_size = 1000;
        transmit.range = SeqRange::new(SeqNum::new(1), 2001);
        assert_eq!(transmit.segments(), 3);
    }
}
