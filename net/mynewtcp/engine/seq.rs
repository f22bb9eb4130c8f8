// SPDX-License-Identifier: GPL-2.0

//! Sequence numbers, ranges of them, and the witness types for sizes that have a rule.

use core::num::NonZeroU16;

/// A sequence number. There is no `Ord`: on a circle, "less" has no meaning of its own, so
/// comparison is [`SeqNum::before`] and its relatives, valid for distances under 2^31.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeqNum(u32);

impl SeqNum {
    /// Makes a sequence number from its value on the wire.
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// The value on the wire.
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// The sequence number `n` octets further on.
    pub const fn plus(self, n: u32) -> Self {
        Self(self.0.wrapping_add(n))
    }

    /// The sequence number `n` octets back.
    pub const fn minus(self, n: u32) -> Self {
        Self(self.0.wrapping_sub(n))
    }

    /// Octets from `earlier` to `self`, going forward around the circle.
    pub const fn distance_from(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// Octets from `earlier` to `self`, zero if `self` is before `earlier`.
    pub const fn saturating_distance_from(self, earlier: Self) -> u32 {
        if self.before(earlier) {
            0
        } else {
            self.distance_from(earlier)
        }
    }

    /// `self` is strictly before `other`.
    pub const fn before(self, other: Self) -> bool {
        (self.0.wrapping_sub(other.0) as i32) < 0
    }

    /// `self` is strictly after `other`.
    pub const fn after(self, other: Self) -> bool {
        other.before(self)
    }

    /// `self` is `other` or before it.
    pub const fn before_or_eq(self, other: Self) -> bool {
        !other.before(self)
    }

    /// `self` is `other` or after it.
    pub const fn after_or_eq(self, other: Self) -> bool {
        !self.before(other)
    }

    /// The earlier of the two.
    pub const fn earliest(self, other: Self) -> Self {
        if other.before(self) {
            other
        } else {
            self
        }
    }

    /// The later of the two.
    pub const fn latest(self, other: Self) -> Self {
        if other.after(self) {
            other
        } else {
            self
        }
    }
}

/// A half-open range of sequence space; `end` is never before `start`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeqRange {
    start: SeqNum,
    end: SeqNum,
}

impl SeqRange {
    /// The range of `len` octets at `start`.
    pub const fn new(start: SeqNum, len: u32) -> Self {
        Self {
            start,
            end: start.plus(len),
        }
    }

    /// The range from `start` to `end`, or nothing if `end` is before `start`.
    pub const fn between(start: SeqNum, end: SeqNum) -> Option<Self> {
        if end.before(start) {
            None
        } else {
            Some(Self { start, end })
        }
    }

    /// First octet.
    pub const fn start(self) -> SeqNum {
        self.start
    }

    /// First octet after the range.
    pub const fn end(self) -> SeqNum {
        self.end
    }

    /// Number of octets.
    pub const fn len(self) -> u32 {
        self.end.distance_from(self.start)
    }

    /// There is no octet in it.
    pub const fn is_empty(self) -> bool {
        self.start.0 == self.end.0
    }

    /// `seq` is one of the octets.
    pub const fn contains(self, seq: SeqNum) -> bool {
        seq.after_or_eq(self.start) && seq.before(self.end)
    }

    /// Every octet of `other` is in `self`.
    pub const fn covers(self, other: Self) -> bool {
        self.start.before_or_eq(other.start) && other.end.before_or_eq(self.end)
    }

    /// The two overlap or are adjacent, so that their union is one range.
    pub const fn touches(self, other: Self) -> bool {
        self.start.before_or_eq(other.end) && other.start.before_or_eq(self.end)
    }

    /// The smallest range that covers both.
    pub const fn hull(self, other: Self) -> Self {
        Self {
            start: self.start.earliest(other.start),
            end: self.end.latest(other.end),
        }
    }
}

/// The largest window that a 16-bit field and a shift of 14 (RFC 7323, 2.3) can express.
const WINDOW_MAX: u32 = (u16::MAX as u32) << 14;

/// A receive or send window in octets, under 2^30.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WindowSize(u32);

impl WindowSize {
    /// No window.
    pub const ZERO: Self = Self(0);

    /// A window of `octets`, cut to the largest that can be.
    pub const fn new(octets: u32) -> Self {
        if octets > WINDOW_MAX {
            Self(WINDOW_MAX)
        } else {
            Self(octets)
        }
    }

    /// The window in octets.
    pub const fn octets(self) -> u32 {
        self.0
    }
}

/// A window scale shift.
///
///   "If a Window Scale option is received with a shift.cnt value larger than 14, the TCP
///   SHOULD log the error but MUST use 14 instead of the specified value." (RFC 7323, 2.3)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WindowScale(u8);

impl WindowScale {
    /// No scaling.
    pub const NONE: Self = Self(0);
    /// The largest shift that may be used.
    pub const MAX: Self = Self(14);

    /// A shift of `shift`, cut to 14.
    pub const fn new(shift: u8) -> Self {
        if shift > Self::MAX.0 {
            Self::MAX
        } else {
            Self(shift)
        }
    }

    /// The smallest scale with which a window of `octets` can be written.
    pub const fn for_window(octets: u32) -> Self {
        let mut shift = 0;
        while shift < Self::MAX.0 && (octets >> shift) > u16::MAX as u32 {
            shift += 1;
        }
        Self(shift)
    }

    /// The shift count.
    pub const fn shift(self) -> u8 {
        self.0
    }

    /// What a window field of `field` means under this scale.
    pub const fn scale_up(self, field: u16) -> WindowSize {
        WindowSize::new((field as u32) << self.0)
    }

    /// The window field for `window`, rounded down and cut to what the field can hold.
    pub const fn scale_down(self, window: WindowSize) -> u16 {
        let field = window.0 >> self.0;
        if field > u16::MAX as u32 {
            u16::MAX
        } else {
            field as u16
        }
    }

    /// The largest window that this scale can express.
    pub const fn largest_window(self) -> WindowSize {
        self.scale_up(u16::MAX)
    }

    /// The multiple of octets in which this scale counts.
    pub const fn granularity(self) -> u32 {
        1 << self.0
    }
}

/// A maximum segment size in octets of payload, at least [`Mss::MIN`]: nobody who divides by one
/// divides by nought, and the compiler knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mss(NonZeroU16);

impl Mss {
    /// Smaller values are a way to make a sender work for nothing (CVE-2019-11479); Linux' TCP
    /// draws the line at 48 octets of segment including 40 of options, we at the payload itself.
    pub const MIN: Self = Self(NonZeroU16::MIN.saturating_add(47));
    /// "If an MSS Option is not received at connection setup, TCP implementations MUST assume a
    /// default send MSS of 536 (576 - 40) for IPv4 or 1220 (1280 - 60) for IPv6" (RFC 9293,
    /// 3.7.1, MUST-15).
    pub const DEFAULT: Self = Self::new(536);
    /// The same for IPv6.
    pub const DEFAULT_V6: Self = Self::new(1220);

    /// An MSS of `octets`, but at least [`Mss::MIN`].
    pub const fn new(octets: u16) -> Self {
        match NonZeroU16::new(octets) {
            Some(octets) if octets.get() >= Self::MIN.field() => Self(octets),
            _ => Self::MIN,
        }
    }

    /// Octets of payload.
    pub const fn octets(self) -> u32 {
        self.0.get() as u32
    }

    /// Octets of payload as the option field carries them.
    pub const fn field(self) -> u16 {
        self.0.get()
    }

    /// What remains for payload when each segment also carries `options` octets of options.
    pub const fn less_options(self, options: u16) -> Self {
        Self::new(self.field().saturating_sub(options))
    }

    /// The larger of the two.
    pub const fn largest(self, other: Self) -> Self {
        if other.field() > self.field() {
            other
        } else {
            self
        }
    }

    /// The smaller of the two.
    pub const fn smallest(self, other: Self) -> Self {
        if other.field() < self.field() {
            other
        } else {
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparison_wraps() {
        let high = SeqNum::new(u32::MAX - 1);
        let low = high.plus(4);
        assert_eq!(low.raw(), 2);
        assert!(high.before(low) && low.after(high));
        assert!(high.before_or_eq(high) && high.after_or_eq(high) && !high.before(high));
        assert_eq!(high.latest(low), low);
        assert_eq!(high.earliest(low), high);
        assert_eq!(low.distance_from(high), 4);
        assert_eq!(high.saturating_distance_from(low), 0);
    }

    #[test]
    fn ranges_wrap() {
        let range = SeqRange::new(SeqNum::new(u32::MAX), 3);
        assert!(range.contains(SeqNum::new(0)) && range.contains(SeqNum::new(1)));
        assert!(!range.contains(SeqNum::new(2)));
        assert!(range.covers(SeqRange::new(SeqNum::new(0), 1)));
        assert!(range.touches(SeqRange::new(SeqNum::new(2), 5)));
        assert!(!range.touches(SeqRange::new(SeqNum::new(3), 5)));
        assert_eq!(range.hull(SeqRange::new(SeqNum::new(2), 5)).len(), 8);
        assert!(SeqRange::between(SeqNum::new(5), SeqNum::new(4)).is_none());
    }

    #[test]
    fn scale_holds_what_it_is_made_for() {
        for octets in [0, 1, 65_535, 65_536, 6 << 20, (1 << 30) - 1] {
            let scale = WindowScale::for_window(octets);
            let field = scale.scale_down(WindowSize::new(octets));
            let back = scale.scale_up(field).octets();
            assert!(back <= octets && octets - back < scale.granularity());
        }
        assert_eq!(WindowScale::new(200), WindowScale::MAX);
    }

    #[test]
    fn mss_has_a_floor() {
        assert_eq!(Mss::new(0), Mss::MIN);
        assert_eq!(Mss::new(1460).less_options(12).octets(), 1448);
        assert_eq!(Mss::MIN.less_options(40), Mss::MIN);
    }
}
