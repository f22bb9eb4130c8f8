// SPDX-License-Identifier: GPL-2.0

//! Points in time and spans of time, in nanoseconds of a clock that the caller owns.

/// A point in time: nanoseconds since an epoch that only the caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

/// A span of time in nanoseconds. Arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delta(u64);

impl Instant {
    /// The latest representable instant, "never" for a deadline.
    pub const MAX: Self = Self(u64::MAX);
    /// The epoch of the caller's clock.
    pub const ZERO: Self = Self(0);

    /// Makes an instant from nanoseconds since the caller's epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the caller's epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the caller's epoch.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The span from `earlier` to `self`, zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Delta {
        Delta(self.0.saturating_sub(earlier.0))
    }

    /// The instant `delta` after `self`.
    pub const fn after(self, delta: Delta) -> Self {
        Self(self.0.saturating_add(delta.0))
    }

    /// The instant `delta` before `self`, the epoch at the earliest.
    pub const fn before(self, delta: Delta) -> Self {
        Self(self.0.saturating_sub(delta.0))
    }
}

impl Delta {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The longest representable span.
    pub const MAX: Self = Self(u64::MAX);

    /// Makes a span from nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Makes a span from microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// Makes a span from milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Makes a span from seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// The span in nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The span in whole microseconds.
    pub const fn as_micros(self) -> u64 {
        self.0 / 1_000
    }

    /// The span in whole milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Both spans together.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left of `self` after `other`.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `self` taken `factor` times.
    pub const fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// `self` divided by two to the power of `shift`.
    pub const fn halved(self, shift: u32) -> Self {
        if shift >= u64::BITS {
            Self::ZERO
        } else {
            Self(self.0 >> shift)
        }
    }

    /// `self` doubled `shift` times, saturating.
    pub const fn doubled(self, shift: u32) -> Self {
        if shift >= u64::BITS || self.0 > (u64::MAX >> shift) {
            Self::MAX
        } else {
            Self(self.0 << shift)
        }
    }

    /// `self`, but not below `low` and not above `high`.
    pub const fn clamped(self, low: Self, high: Self) -> Self {
        if self.0 < low.0 {
            low
        } else if self.0 > high.0 {
            high
        } else {
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Instant::MAX.after(Delta::from_secs(1)), Instant::MAX);
        assert_eq!(Instant::ZERO.since(Instant::MAX), Delta::ZERO);
        assert_eq!(Delta::from_secs(u64::MAX), Delta::MAX);
        assert_eq!(Delta::from_nanos(1).doubled(63).as_nanos(), 1 << 63);
        assert_eq!(Delta::from_nanos(2).doubled(63), Delta::MAX);
        assert_eq!(Delta::MAX.halved(64), Delta::ZERO);
    }

    #[test]
    fn clamp_keeps_both_ends() {
        let (low, high) = (Delta::from_millis(200), Delta::from_secs(120));
        assert_eq!(Delta::from_millis(1).clamped(low, high), low);
        assert_eq!(Delta::from_secs(500).clamped(low, high), high);
        assert_eq!(Delta::from_secs(1).clamped(low, high).as_millis(), 1000);
    }
}
