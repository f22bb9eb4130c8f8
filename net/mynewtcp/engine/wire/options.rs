// SPDX-License-Identifier: GPL-2.0

//! Header options: MSS, window scale, timestamps, selective acknowledgments.

use crate::engine::dormant::{
    Packed,
    Packer,
    Unpacker, //
};
use crate::engine::seq::{
    Mss,
    SeqNum,
    SeqRange,
    WindowScale, //
};
use crate::engine::wire::MAX_OPTIONS_LEN;

/// Option kinds of the IANA registry.
mod kind {
    pub(super) const END: u8 = 0;
    pub(super) const NOP: u8 = 1;
    pub(super) const MSS: u8 = 2;
    pub(super) const WINDOW_SCALE: u8 = 3;
    pub(super) const SACK_PERMITTED: u8 = 4;
    pub(super) const SACK: u8 = 5;
    pub(super) const TIMESTAMPS: u8 = 8;
}

/// Octets that the timestamps option takes with its padding.
pub(crate) const TIMESTAMPS_LEN: u16 = 12;

/// The timestamps option (RFC 7323, 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamps {
    /// TSval, the sender's clock.
    pub val: u32,
    /// TSecr, the clock of the other side echoed.
    pub ecr: u32,
}

/// Up to four blocks of a selective acknowledgment (RFC 2018).
#[derive(Clone, Copy, Debug, Default)]
pub struct SackBlocks {
    blocks: [SeqRange; Self::MAX],
    count: u8,
}

impl Packed for SackBlocks {
    fn pack(&self, to: &mut Packer) {
        self.count.pack(to);
        for block in self.iter() {
            block.pack(to);
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Self {
        let mut blocks = Self::NONE;
        for _ in 0..u8::unpack(from) {
            blocks.push(Packed::unpack(from));
        }
        blocks
    }
}

impl SackBlocks {
    /// As many as fit an option area without timestamps.
    pub const MAX: usize = 4;
    /// As many as fit beside timestamps.
    pub const MAX_WITH_TIMESTAMPS: usize = 3;

    /// No blocks.
    pub const NONE: Self = Self {
        blocks: [SeqRange::new(SeqNum::new(0), 0); Self::MAX],
        count: 0,
    };

    /// Adds a block if there is room and it is not empty.
    pub fn push(&mut self, block: SeqRange) {
        if block.is_empty() {
            return;
        }
        if let Some(slot) = self.blocks.get_mut(usize::from(self.count)) {
            *slot = block;
            self.count += 1;
        }
    }

    /// Adds a block in front, at the price of the last if there is no room.
    pub fn push_front(&mut self, block: SeqRange) {
        if block.is_empty() {
            return;
        }
        self.blocks.rotate_right(1);
        if let Some(slot) = self.blocks.first_mut() {
            *slot = block;
        }
        self.count = (self.count + 1).min(Self::MAX as u8);
    }

    /// Keeps the blocks for which `keep` is true, in their order.
    pub fn retain(&mut self, mut keep: impl FnMut(SeqRange) -> bool) {
        let mut kept = Self::NONE;
        for block in self.iter() {
            if keep(block) {
                kept.push(block);
            }
        }
        *self = kept;
    }

    /// Keeps at most `n` blocks.
    pub fn truncate(&mut self, n: usize) {
        self.count = self.count.min(n.min(Self::MAX) as u8);
    }

    /// The blocks, most recent first.
    pub fn iter(&self) -> impl Iterator<Item = SeqRange> + '_ {
        self.blocks.iter().copied().take(usize::from(self.count))
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// There are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl PartialEq for SackBlocks {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for SackBlocks {}

/// Writes `words` in network byte order. That is much less work than to write octets.
#[inline]
pub(super) fn put_words<const N: usize>(out: &mut [u8], words: [u32; N]) {
    for (octets, word) in out.chunks_exact_mut(4).zip(words) {
        octets.copy_from_slice(&word.to_be_bytes());
    }
}

/// The options of one segment, those that we understand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Maximum segment size.
    pub mss: Option<Mss>,
    /// Window scale.
    pub window_scale: Option<WindowScale>,
    /// Timestamps.
    pub timestamps: Option<Timestamps>,
    /// Selective acknowledgments may be sent.
    pub sack_permitted: bool,
    /// Selective acknowledgments.
    pub sack: SackBlocks,
}

impl Options {
    /// No option at all.
    pub const NONE: Self = Self {
        mss: None,
        window_scale: None,
        timestamps: None,
        sack_permitted: false,
        sack: SackBlocks::NONE,
    };

    /// Reads an option area. Unknown options are skipped, an option with an impossible length
    /// ends the reading; what was read before it counts.
    pub fn parse(area: &[u8]) -> Self {
        let mut options = Self::NONE;
        options.read(area);
        options
    }

    /// The same, in place.
    #[inline]
    pub(super) fn read(&mut self, area: &[u8]) {
        // What nearly every segment of a connection has, and nothing else (RFC 7323, appendix A).
        if let &[kind::NOP, kind::NOP, kind::TIMESTAMPS, 10, a, b, c, d, e, f, g, h] = area {
            self.timestamps = Some(Timestamps {
                val: u32::from_be_bytes([a, b, c, d]),
                ecr: u32::from_be_bytes([e, f, g, h]),
            });
        } else {
            self.read_any(area);
        }
    }

    #[inline]
    fn read_any(&mut self, mut area: &[u8]) {
        while let Some((&first, rest)) = area.split_first() {
            match first {
                kind::END => break,
                kind::NOP => area = rest,
                _ => {
                    let Some((&len, _)) = rest.split_first() else {
                        break;
                    };
                    let Some(body) = area.get(2..usize::from(len)) else {
                        break;
                    };
                    self.read_one(first, body);
                    area = area.get(usize::from(len)..).unwrap_or(&[]);
                }
            }
        }
    }

    fn read_one(&mut self, first: u8, body: &[u8]) {
        match (first, body) {
            (kind::MSS, &[a, b]) => self.mss = Some(Mss::new(u16::from_be_bytes([a, b]))),
            (kind::WINDOW_SCALE, &[shift]) => self.window_scale = Some(WindowScale::new(shift)),
            (kind::SACK_PERMITTED, &[]) => self.sack_permitted = true,
            (kind::TIMESTAMPS, &[a, b, c, d, e, f, g, h]) => {
                self.timestamps = Some(Timestamps {
                    val: u32::from_be_bytes([a, b, c, d]),
                    ecr: u32::from_be_bytes([e, f, g, h]),
                });
            }
            (kind::SACK, blocks) if blocks.len() % 8 == 0 => self.read_sack(blocks),
            // An unknown kind, or a known one with a length that is not its own.
            _ => {}
        }
    }

    fn read_sack(&mut self, mut blocks: &[u8]) {
        while let Some((&[a, b, c, d, e, f, g, h], rest)) = blocks.split_first_chunk::<8>() {
            let start = SeqNum::new(u32::from_be_bytes([a, b, c, d]));
            let end = SeqNum::new(u32::from_be_bytes([e, f, g, h]));
            if let Some(block) = SeqRange::between(start, end) {
                self.sack.push(block);
            }
            blocks = rest;
        }
    }

    /// Octets that [`Options::emit`] writes, a multiple of four.
    pub fn len(&self) -> usize {
        if self.is_timestamps_at_most() {
            return if self.timestamps.is_some() {
                usize::from(TIMESTAMPS_LEN)
            } else {
                0
            };
        }
        let mut len = 0;
        if self.mss.is_some() {
            len += 4;
        }
        if self.timestamps.is_some() {
            len += usize::from(TIMESTAMPS_LEN);
        } else if self.sack_permitted {
            len += 4;
        }
        if self.window_scale.is_some() {
            len += 4;
        }
        len + self.sack_len(len)
    }

    fn sack_len(&self, others: usize) -> usize {
        match self.sack_that_fit(others) {
            0 => 0,
            blocks => 4 + 8 * blocks,
        }
    }

    /// Blocks that fit beside `others` octets of other options.
    fn sack_that_fit(&self, others: usize) -> usize {
        let room = MAX_OPTIONS_LEN.saturating_sub(others + 4) / 8;
        self.sack.len().min(room)
    }

    /// There are no options but timestamps, as on nearly all segments, or not even these.
    #[inline]
    fn is_timestamps_at_most(&self) -> bool {
        self.mss.is_none()
            && self.window_scale.is_none()
            && !self.sack_permitted
            && self.sack.is_empty()
    }

    /// There is no option.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the options, aligned to words as everybody does (RFC 7323, appendix A), and
    /// returns how many octets. SACK blocks that do not fit are left out. `None` if `area` is too
    /// short.
    #[inline]
    pub fn emit(&self, area: &mut [u8]) -> Option<usize> {
        if let (true, Some(ts)) = (self.is_timestamps_at_most(), self.timestamps) {
            let words = area.first_chunk_mut::<{ TIMESTAMPS_LEN as usize }>()?;
            let first = u32::from_be_bytes([kind::NOP, kind::NOP, kind::TIMESTAMPS, 10]);
            put_words(words, [first, ts.val, ts.ecr]);
            return Some(words.len());
        }
        self.emit_any(area)
    }

    #[inline]
    fn emit_any(&self, area: &mut [u8]) -> Option<usize> {
        let len = self.len();
        let mut out = Writer {
            area: area.get_mut(..len)?,
            at: 0,
        };
        if let Some(mss) = self.mss {
            out.put(&[kind::MSS, 4]);
            out.put(&mss.field().to_be_bytes());
        }
        if let Some(ts) = self.timestamps {
            if self.sack_permitted {
                out.put(&[kind::SACK_PERMITTED, 2]);
            } else {
                out.put(&[kind::NOP, kind::NOP]);
            }
            out.put(&[kind::TIMESTAMPS, 10]);
            out.put(&ts.val.to_be_bytes());
            out.put(&ts.ecr.to_be_bytes());
        } else if self.sack_permitted {
            out.put(&[kind::NOP, kind::NOP, kind::SACK_PERMITTED, 2]);
        }
        if let Some(scale) = self.window_scale {
            out.put(&[kind::NOP, kind::WINDOW_SCALE, 3, scale.shift()]);
        }
        let blocks = self.sack_that_fit(out.at);
        if blocks > 0 {
            out.put(&[kind::NOP, kind::NOP, kind::SACK, 2 + 8 * blocks as u8]);
            for block in self.sack.iter().take(blocks) {
                out.put(&block.start().raw().to_be_bytes());
                out.put(&block.end().raw().to_be_bytes());
            }
        }
        Some(len)
    }
}

/// Appends to a byte slice that is known to be long enough.
struct Writer<'a> {
    area: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let end = self.at.saturating_add(bytes.len());
        if let Some(room) = self.area.get_mut(self.at..end) {
            room.copy_from_slice(bytes);
        }
        self.at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn every_option_survives_a_round_trip() {
        let mut options = Options {
            mss: Some(Mss::new(1460)),
            window_scale: Some(WindowScale::new(7)),
            timestamps: Some(Timestamps { val: 1, ecr: 2 }),
            sack_permitted: true,
            sack: SackBlocks::NONE,
        };
        let mut area = [0; MAX_OPTIONS_LEN];
        let len = options.emit(&mut area).unwrap();
        assert_eq!(len, 20);
        assert_eq!(Options::parse(&area[..len]), options);
        options = Options {
            timestamps: options.timestamps,
            ..Options::NONE
        };
        for start in [10, 30, 50] {
            options.sack.push(SeqRange::new(SeqNum::new(start), 5));
        }
        let len = options.emit(&mut area).unwrap();
        assert_eq!(len, 40);
        assert_eq!(Options::parse(&area[..len]), options);
    }

    #[test]
    fn blocks_that_do_not_fit_are_left_out() {
        let mut options = Options {
            timestamps: Some(Timestamps { val: 1, ecr: 2 }),
            ..Options::NONE
        };
        for start in [10, 30, 50, 70] {
            options.sack.push(SeqRange::new(SeqNum::new(start), 5));
        }
        let mut area = [0; MAX_OPTIONS_LEN];
        let len = options.emit(&mut area).unwrap();
        assert_eq!(Options::parse(&area[..len]).sack.len(), 3);
    }

    #[test]
    fn nonsense_ends_the_reading() {
        let good = [kind::MSS, 4, 5, 0xb4];
        for bad in [&[99, 0][..], &[99, 1], &[99, 3], &[99], &[kind::MSS, 4, 5]] {
            let mut area = good.to_vec();
            area.extend_from_slice(bad);
            assert_eq!(Options::parse(&area).mss, Some(Mss::new(1460)));
        }
        assert_eq!(Options::parse(&[kind::MSS, 3, 5]).mss, None);
        assert_eq!(Options::parse(&[kind::WINDOW_SCALE, 2]).window_scale, None);
        assert!(Options::parse(&[kind::SACK, 9, 1, 2, 3, 4, 5, 6, 7])
            .sack
            .is_empty());
    }

    #[test]
    fn newest_block_is_in_front() {
        let mut blocks = SackBlocks::NONE;
        for start in 0..6 {
            blocks.push_front(SeqRange::new(SeqNum::new(start * 10), 5));
        }
        let starts: Vec<u32> = blocks.iter().map(|b| b.start().raw()).collect();
        assert_eq!(starts, [50, 40, 30, 20]);
        blocks.retain(|b| b.start().raw() != 40);
        assert_eq!(blocks.len(), 3);
        blocks.truncate(1);
        assert_eq!(blocks.iter().next().unwrap().start().raw(), 50);
    }
}
