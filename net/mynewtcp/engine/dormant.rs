// SPDX-License-Identifier: GPL-2.0

//! A connection in few octets, while nothing happens to it.
//!
//! [`Connection::doze`] packs all that a connection is, [`Dormant::wake`] makes the same connection
//! of it again, to the last bit: whoever sleeps and wakes does exactly as one who has been awake
//! all the time. So nothing is interpreted here. What makes it small is that most numbers of an
//! idle connection are nought, equal to one packed before, or near to the last.
//!
//! A number is a tag of four bits: itself if it is less than six; six for several noughts, another
//! tag says how many; seven for one of the last sixteen of its kind, another tag says which; or
//! how many octets it has beyond seven. Tags are written from the front of the record, octets from
//! its back. Of sequence numbers and instants the distance from the last one is packed.

use crate::engine::connection::Connection;
use crate::engine::seq::{
    Mss,
    SeqNum,
    SeqRange,
    WindowScale,
    WindowSize, //
};
use crate::engine::time::{
    Delta,
    Instant, //
};

/// A connection that does not fit stays awake.
const OCTETS: usize = 255;

/// The tag of so many noughts as the next tag says, and two. Numbers less than this are their own
/// tag.
const NOUGHTS: u8 = 6;
/// The most noughts that two tags say.
const MOST_NOUGHTS: u8 = 17;
/// The tag of a number packed before. Those above it say how many octets follow.
const KNOWN: u8 = 7;

/// A connection that sleeps.
#[derive(Clone)]
pub struct Dormant {
    record: [u8; OCTETS],
    len: usize,
}

impl Dormant {
    /// What `value` is, if there is room for it.
    pub(crate) fn of(value: &impl Packed) -> Option<Self> {
        let mut packer = Packer::new();
        value.pack(&mut packer);
        packer.finish()
    }

    /// The connection that dozed off, from its record.
    #[inline(always)]
    pub fn wake(record: &[u8]) -> Connection {
        Packed::unpack(&mut Unpacker::new(record))
    }
}

/// Its record.
impl AsRef<[u8]> for Dormant {
    fn as_ref(&self) -> &[u8] {
        self.record.get(..self.len).unwrap_or(&[])
    }
}

/// What can be packed. [`unpack`](Self::unpack) takes what [`pack`](Self::pack) has written; of
/// anything else it makes something, so that nobody has to think about what cannot be.
pub(crate) trait Packed: Sized {
    /// Writes all of it.
    fn pack(&self, to: &mut Packer);
    /// Reads what was written.
    fn unpack(from: &mut Unpacker<'_>) -> Self;
}

/// The last numbers of a kind that took octets.
struct Recent {
    numbers: [u64; 16],
    next: u8,
}

impl Recent {
    const fn new() -> Self {
        Self {
            numbers: [0; 16],
            next: 0,
        }
    }

    fn push(&mut self, number: u64) {
        if let Some(place) = self.numbers.get_mut(usize::from(self.next % 16)) {
            *place = number;
        }
        self.next = self.next.wrapping_add(1);
    }

    fn find(&self, number: u64) -> Option<u8> {
        let place = self.numbers.iter().position(|&known| known == number);
        place.map(|place| place as u8)
    }

    fn get(&self, place: u8) -> u64 {
        self.numbers.get(usize::from(place)).copied().unwrap_or(0)
    }
}

/// What has been packed so far, for either side to refer to.
struct Past {
    numbers: Recent,
    seqs: Recent,
    instants: Recent,
    /// The last number of the half of the connection at hand, and that of the other half.
    last_seq: SeqNum,
    other_seq: SeqNum,
    last_at: Instant,
}

impl Past {
    const fn new() -> Self {
        Self {
            numbers: Recent::new(),
            seqs: Recent::new(),
            instants: Recent::new(),
            last_seq: SeqNum::new(0),
            other_seq: SeqNum::new(0),
            last_at: Instant::ZERO,
        }
    }
}

impl Past {
    /// To the other half of the connection.
    fn turn(&mut self) {
        core::mem::swap(&mut self.last_seq, &mut self.other_seq);
    }
}

/// Writes a record.
pub(crate) struct Packer {
    room: [u8; OCTETS],
    tags: usize,
    /// The octets written last come first.
    end: usize,
    is_full: bool,
    /// Those that have no tag yet.
    noughts: u8,
    past: Past,
}

impl Packer {
    const fn new() -> Self {
        Self {
            room: [0; OCTETS],
            tags: 0,
            end: OCTETS,
            is_full: false,
            noughts: 0,
            past: Past::new(),
        }
    }

    fn tag(&mut self, tag: u8) {
        let place = self.tags / 2;
        if place >= self.end {
            self.is_full = true;
            return;
        }
        let shift = self.tags % 2 * 4;
        self.tags = self.tags.wrapping_add(1);
        if let Some(octet) = self.room.get_mut(place) {
            *octet |= tag << shift;
        }
    }

    fn octet(&mut self, value: u8) {
        let place = self.end.saturating_sub(1);
        if place < self.tags.div_ceil(2) || self.end == 0 {
            self.is_full = true;
            return;
        }
        self.end = place;
        if let Some(octet) = self.room.get_mut(place) {
            *octet = value;
        }
    }

    fn write_noughts(&mut self) {
        match core::mem::take(&mut self.noughts) {
            0 => {}
            1 => self.tag(0),
            several => {
                self.tag(NOUGHTS);
                self.tag(several.wrapping_sub(2));
            }
        }
    }

    /// Writes `number`, which is that `value` of the kind that `kind` remembers.
    fn write(&mut self, kind: impl Fn(&mut Past) -> &mut Recent, value: u64, number: u64) {
        if number == 0 && self.noughts < MOST_NOUGHTS {
            self.noughts = self.noughts.wrapping_add(1);
            return;
        }
        self.write_noughts();
        if number == 0 {
            self.noughts = 1;
            return;
        }
        if number < u64::from(NOUGHTS) {
            self.tag(number as u8);
            return;
        }
        let recent = kind(&mut self.past);
        if let Some(place) = recent.find(value) {
            self.tag(KNOWN);
            self.tag(place);
            return;
        }
        recent.push(value);
        let octets = u64::BITS.wrapping_sub(number.leading_zeros()).div_ceil(8);
        self.tag(KNOWN.wrapping_add(octets as u8));
        for octet in number.to_le_bytes().into_iter().take(octets as usize) {
            self.octet(octet);
        }
    }

    /// Writes `number`.
    pub(crate) fn number(&mut self, number: u64) {
        self.write(|past| &mut past.numbers, number, number);
    }

    /// The record, if all had room, without the gap in the middle.
    fn finish(mut self) -> Option<Dormant> {
        self.write_noughts();
        if self.is_full {
            return None;
        }
        let mut len = self.tags.div_ceil(2);
        for from in self.end..OCTETS {
            let octet = self.room.get(from).copied()?;
            *self.room.get_mut(len)? = octet;
            len = len.wrapping_add(1);
        }
        Some(Dormant {
            record: self.room,
            len,
        })
    }
}

/// Reads a record.
pub(crate) struct Unpacker<'a> {
    record: &'a [u8],
    tags: usize,
    end: usize,
    /// Those that are still to come.
    noughts: u8,
    past: Past,
}

impl<'a> Unpacker<'a> {
    const fn new(record: &'a [u8]) -> Self {
        Self {
            record,
            tags: 0,
            end: record.len(),
            noughts: 0,
            past: Past::new(),
        }
    }

    fn tag(&mut self) -> u8 {
        let octet = self.record.get(self.tags / 2).copied().unwrap_or(0);
        let shift = self.tags % 2 * 4;
        self.tags = self.tags.wrapping_add(1);
        (octet >> shift) & 0xf
    }

    fn octet(&mut self) -> u8 {
        self.end = self.end.saturating_sub(1);
        self.record.get(self.end).copied().unwrap_or(0)
    }

    /// The next value of a kind; `value` tells it from its number.
    fn read(
        &mut self,
        kind: impl Fn(&mut Past) -> &mut Recent,
        value: impl FnOnce(&Past, u64) -> u64,
    ) -> u64 {
        if let Some(fewer) = self.noughts.checked_sub(1) {
            self.noughts = fewer;
            return value(&self.past, 0);
        }
        let tag = self.tag();
        if tag == NOUGHTS {
            self.noughts = self.tag().wrapping_add(1);
            return value(&self.past, 0);
        }
        if tag < NOUGHTS {
            return value(&self.past, u64::from(tag));
        }
        if tag == KNOWN {
            let place = self.tag();
            return kind(&mut self.past).get(place);
        }
        let mut number = [0; 8];
        let octets = usize::from(tag.wrapping_sub(KNOWN));
        for place in number.iter_mut().take(octets) {
            *place = self.octet();
        }
        let value = value(&self.past, u64::from_le_bytes(number));
        kind(&mut self.past).push(value);
        value
    }

    /// The next sequence number; `None` if it is one of the other half.
    fn seq(&mut self) -> Option<SeqNum> {
        let mut turns = false;
        let raw = self.read(
            |past| &mut past.seqs,
            |past, number| {
                turns = number == 1;
                let distance = unzigzag(number.saturating_sub(1)) as u32;
                u64::from(past.last_seq.plus(distance).raw())
            },
        );
        (!turns).then_some(SeqNum::new(raw as u32))
    }

    /// The next number.
    pub(crate) fn number(&mut self) -> u64 {
        self.read(|past| &mut past.numbers, |_, number| number)
    }
}

/// Small for numbers near nought on either side.
const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

macro_rules! packed_numbers {
    ($($type:ty),*) => {
        $(
            impl Packed for $type {
                // "No limit" is nearly as frequent as nought, and comes next.
                fn pack(&self, to: &mut Packer) {
                    to.number(match *self {
                        0 => 0,
                        number => u64::from(number.wrapping_add(1).max(1)),
                    });
                }

                fn unpack(from: &mut Unpacker<'_>) -> Self {
                    match from.number() as $type {
                        0 => 0,
                        1 => <$type>::MAX,
                        number => number.wrapping_sub(1),
                    }
                }
            }
        )*
    };
}

packed_numbers!(u8, u16, u32, u64);

/// Implements [`Packed`] for a struct of the fields named, or an enumeration of the variants
/// named. All have to be.
macro_rules! packed {
    (struct $type:ident { $($field:ident),* $(,)? }) => {
        impl $crate::engine::dormant::Packed for $type {
            #[inline(never)]
            fn pack(&self, to: &mut $crate::engine::dormant::Packer) {
                let Self { $($field),* } = self;
                $($crate::engine::dormant::Packed::pack($field, to);)*
            }

            #[inline]
            fn unpack(from: &mut $crate::engine::dormant::Unpacker<'_>) -> Self {
                Self { $($field: $crate::engine::dormant::Packed::unpack(from)),* }
            }
        }
    };
    (enum $type:ident { $first:ident $(, $variant:ident)* $(,)? }) => {
        impl $crate::engine::dormant::Packed for $type {
            fn pack(&self, to: &mut $crate::engine::dormant::Packer) {
                match self {
                    Self::$first $(| Self::$variant)* => to.number(*self as u64),
                }
            }

            fn unpack(from: &mut $crate::engine::dormant::Unpacker<'_>) -> Self {
                let number = from.number();
                $(
                    if number == Self::$variant as u64 {
                        return Self::$variant;
                    }
                )*
                Self::$first
            }
        }
    };
}

pub(crate) use packed;

impl Packed for bool {
    fn pack(&self, to: &mut Packer) {
        to.number(u64::from(*self));
    }

    fn unpack(from: &mut Unpacker<'_>) -> Self {
        from.number() != 0
    }
}

/// 0 is the last number, 1 says that the other half of the connection follows, and then come the
/// distances.
impl Packed for SeqNum {
    fn pack(&self, to: &mut Packer) {
        let away = |from: Self| zigzag(i64::from(self.distance_from(from) as i32));
        if away(to.past.other_seq) < away(to.past.last_seq) {
            to.number(1);
            to.past.turn();
        }
        let number = match away(to.past.last_seq) {
            0 => 0,
            number => number.wrapping_add(1),
        };
        to.write(|past| &mut past.seqs, u64::from(self.raw()), number);
        to.past.last_seq = *self;
    }

    fn unpack(from: &mut Unpacker<'_>) -> Self {
        let mut value = from.seq();
        if value.is_none() {
            from.past.turn();
            value = from.seq();
        }
        from.past.last_seq = value.unwrap_or(from.past.last_seq);
        from.past.last_seq
    }
}

/// "Not yet" and "never" are no neighbours of anything: 0 and 1, which the distances follow.
impl Packed for Instant {
    fn pack(&self, to: &mut Packer) {
        let number = match *self {
            Self::ZERO => Some(0),
            Self::MAX => Some(1),
            at => {
                let last = to.past.last_at.as_nanos();
                zigzag(at.as_nanos().wrapping_sub(last) as i64).checked_add(2)
            }
        };
        to.is_full |= number.is_none();
        let number = number.unwrap_or(0);
        to.write(|past| &mut past.instants, self.as_nanos(), number);
        if number > 1 {
            to.past.last_at = *self;
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Self {
        let nanos = from.read(
            |past| &mut past.instants,
            |past, number| match number {
                0 => 0,
                1 => u64::MAX,
                _ => {
                    let distance = unzigzag(number.wrapping_sub(2)) as u64;
                    past.last_at.as_nanos().wrapping_add(distance)
                }
            },
        );
        let at = Self::from_nanos(nanos);
        if at != Self::ZERO && at != Self::MAX {
            from.past.last_at = at;
        }
        at
    }
}

impl Packed for Delta {
    fn pack(&self, to: &mut Packer) {
        to.number(self.as_nanos());
    }

    fn unpack(from: &mut Unpacker<'_>) -> Self {
        Self::from_nanos(from.number())
    }
}

impl Packed for Mss {
    fn pack(&self, to: &mut Packer) {
        to.number(u64::from(self.octets()));
    }

    fn unpack(from: &mut Unpacker<'_>) -> Self {
        Self::new(from.number() as u16)
    }
}

impl Packed for WindowSize {
    fn pack(&self, to: &mut Packer) {
        self.octets().pack(to);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Self {
        Self::new(Packed::unpack(from))
    }
}

impl Packed for WindowScale {
    fn pack(&self, to: &mut Packer) {
        self.shift().pack(to);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Self {
        Self::new(Packed::unpack(from))
    }
}

impl Packed for SeqRange {
    fn pack(&self, to: &mut Packer) {
        self.start().pack(to);
        self.len().pack(to);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Self {
        let start = Packed::unpack(from);
        Self::new(start, Packed::unpack(from))
    }
}

impl<T: Packed> Packed for Option<T> {
    fn pack(&self, to: &mut Packer) {
        self.is_some().pack(to);
        if let Some(value) = self {
            value.pack(to);
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Self {
        bool::unpack(from).then(|| Packed::unpack(from))
    }
}

impl<T: Packed, U: Packed> Packed for (T, U) {
    fn pack(&self, to: &mut Packer) {
        self.0.pack(to);
        self.1.pack(to);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Self {
        let first = Packed::unpack(from);
        (first, Packed::unpack(from))
    }
}

impl<T: Packed, const N: usize> Packed for [T; N] {
    fn pack(&self, to: &mut Packer) {
        for value in self {
            value.pack(to);
        }
    }

    fn unpack(from: &mut Unpacker<'_>) -> Self {
        core::array::from_fn(|_| Packed::unpack(from))
    }
}

#[cfg(test)]
mod tests;
