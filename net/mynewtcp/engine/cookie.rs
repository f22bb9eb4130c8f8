// SPDX-License-Identifier: GPL-2.0

//! SYN cookies (RFC 4987, section 3.6): a flooded listener remembers nothing of a SYN. What it
//! must know again when the handshake is completed is in the numbers of its SYN-ACK, which the
//! peer sends back.
//!
//! The ISS carries the minute and the peer's MSS, under a keyed hash that the shell computes; the
//! low bits of the timestamp carry the options, which need no protection: who changes them harms
//! only his own connection.

use crate::engine::seq::{
    Mss,
    SeqNum,
    WindowScale, //
};
use crate::engine::time::Instant;

/// The keyed hash of the four-tuple: `f(count, which)`, unpredictable without the key, for two
/// unrelated hashes `which`.
pub trait CookieHash: Fn(u32, Which) -> u32 {}

impl<F: Fn(u32, Which) -> u32> CookieHash for F {}

/// Which of the two hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Hides the minute.
    Outer,
    /// Hides the MSS and proves all.
    Inner,
}

/// Bits of the ISS below the minute.
const DATA_BITS: u32 = 24;
const DATA_MASK: u32 = (1 << DATA_BITS) - 1;
const MINUTE_MASK: u32 = u32::MAX >> DATA_BITS;
/// A cookie is good in the minute of its making and in the one that follows.
const LIFE: u32 = 2;

/// The sizes that a cookie can tell of, in ascending order: those that peers announce most.
const SIZES_V4: [u16; 4] = [536, 1300, 1440, 1460];
/// The same over IPv6.
const SIZES_V6: [u16; 4] = [1220, 1420, 1440, 8940];

fn sizes(default_mss: Mss) -> &'static [u16; 4] {
    if default_mss == Mss::DEFAULT_V6 {
        &SIZES_V6
    } else {
        &SIZES_V4
    }
}

/// The clock of cookies, in minutes.
const fn minute(now: Instant) -> u32 {
    (now.as_millis() / 60_000) as u32
}

/// How long after its last cookie a listener may see it come back, milliseconds.
pub const LIFE_MS: u64 = LIFE as u64 * 60_000;

/// The ISS that answers a SYN with number `irs` whose sender takes `mss`.
pub fn seal(
    now: Instant,
    hash: &impl CookieHash,
    irs: SeqNum,
    mss: Mss,
    default_mss: Mss,
) -> SeqNum {
    let sizes = sizes(default_mss);
    let data = sizes
        .iter()
        .rposition(|&size| size <= mss.field())
        .unwrap_or(0) as u32;
    let count = minute(now);
    let inner = hash(count, Which::Inner).wrapping_add(data) & DATA_MASK;
    let cookie = hash(0, Which::Outer)
        .wrapping_add(irs.raw())
        .wrapping_add(count << DATA_BITS)
        .wrapping_add(inner);
    SeqNum::new(cookie)
}

/// The MSS of the peer that sends `cookie` back, if it is one of ours and not too old.
pub fn open(
    now: Instant,
    hash: &impl CookieHash,
    cookie: SeqNum,
    irs: SeqNum,
    default_mss: Mss,
) -> Option<Mss> {
    let count = minute(now);
    let rest = cookie
        .raw()
        .wrapping_sub(hash(0, Which::Outer))
        .wrapping_sub(irs.raw());
    let age = count.wrapping_sub(rest >> DATA_BITS) & MINUTE_MASK;
    if age >= LIFE {
        return None;
    }
    let inner = hash(count.wrapping_sub(age), Which::Inner);
    let data = rest.wrapping_sub(inner) & DATA_MASK;
    let size = sizes(default_mss).get(data as usize)?;
    Some(Mss::new(*size))
}

/// The options that the low bits of a timestamp carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The peer's window scale, if windows are scaled.
    pub scale: Option<WindowScale>,
    /// Selective acknowledgments.
    pub sack: bool,
    /// Congestion notification.
    pub ecn: bool,
}

impl Carried {
    /// No option.
    pub const NONE: Self = Self {
        scale: None,
        sack: false,
        ecn: false,
    };
    const BITS: u32 = 6;
    const MASK: u32 = (1 << Self::BITS) - 1;
    const SCALE: u32 = 0xf;
    const NO_SCALE: u32 = 0xf;
    const SACK: u32 = 1 << 4;
    const ECN: u32 = 1 << 5;

    /// The latest time of a millisecond clock, not after `clock`, whose low bits say this.
    pub fn into_clock(self, clock: u32) -> u32 {
        let mut bits = self
            .scale
            .map_or(Self::NO_SCALE, |scale| u32::from(scale.shift()));
        bits |= if self.sack { Self::SACK } else { 0 };
        bits |= if self.ecn { Self::ECN } else { 0 };
        let before = clock.wrapping_sub(bits) & !Self::MASK;
        before | bits
    }

    /// What the low bits of `clock` say.
    pub fn of_clock(clock: u32) -> Self {
        let shift = clock & Self::SCALE;
        Self {
            scale: (shift != Self::NO_SCALE).then_some(WindowScale::new(shift as u8)),
            sack: clock & Self::SACK != 0,
            ecn: clock & Self::ECN != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::time::Delta;

    /// No good as a secret, good enough as a hash.
    fn hash(count: u32, which: Which) -> u32 {
        let salt = match which {
            Which::Outer => 0x9e37_79b9,
            Which::Inner => 0x85eb_ca6b,
        };
        (count ^ salt)
            .wrapping_mul(0xcc9e_2d51)
            .rotate_left(15)
            .wrapping_mul(0x1b87_3593)
    }

    const IRS: SeqNum = SeqNum::new(0xffff_fff0);

    #[test]
    fn cookie_tells_the_size_for_a_minute_at_least() {
        for millis in [0u64, 59_999, 60_000, 255 * 60_000 + 1, 1 << 40] {
            let now = Instant::ZERO.after(Delta::from_millis(millis));
            for (mss, default, found) in [
                (1460, Mss::DEFAULT, 1460),
                (1459, Mss::DEFAULT, 1440),
                (9000, Mss::DEFAULT, 1460),
                (100, Mss::DEFAULT, 536),
                (9000, Mss::DEFAULT_V6, 8940),
                (1400, Mss::DEFAULT_V6, 1220),
            ] {
                let cookie = seal(now, &hash, IRS, Mss::new(mss), default);
                let open_at = |later| open(now.after(later), &hash, cookie, IRS, default);
                assert_eq!(open_at(Delta::ZERO), Some(Mss::new(found)));
                assert_eq!(open_at(Delta::from_secs(60)), Some(Mss::new(found)));
                assert_eq!(open_at(Delta::from_secs(120)), None);
                assert_eq!(open_at(Delta::from_secs(6000)), None);
            }
        }
    }

    #[test]
    fn guesses_are_refused() {
        let now = Instant::ZERO.after(Delta::from_secs(1_000_000));
        let cookie = seal(now, &hash, IRS, Mss::new(1460), Mss::DEFAULT);
        let guess = |seq| open(now, &hash, seq, IRS, Mss::DEFAULT);
        let good = (0..1u32 << 20)
            .filter(|n| guess(cookie.plus(n.wrapping_mul(4099).wrapping_add(1))).is_some())
            .count();
        // Of 2^32 numbers 8 are good: 4 sizes in each of 2 minutes.
        assert!(good <= 2, "{good} of a million guesses");
        assert_eq!(
            open(now, &hash, cookie, IRS.plus(1 << 20), Mss::DEFAULT),
            None
        );
        let other = |count: u32, which| hash(count, which) ^ 0x1234;
        assert_eq!(open(now, &other, cookie, IRS, Mss::DEFAULT), None);
    }

    #[test]
    fn clock_carries_the_options_and_never_runs_ahead() {
        for clock in [0, 1, 63, 64, 1 << 31, u32::MAX] {
            for bits in 0..64u32 {
                let carried = Carried::of_clock(bits);
                let sent = carried.into_clock(clock);
                assert!(clock.wrapping_sub(sent) < 64, "{clock} {bits}");
                let back = Carried::of_clock(sent);
                assert_eq!(back, carried);
            }
        }
        let none = Carried {
            scale: None,
            sack: true,
            ecn: false,
        };
        assert_eq!(Carried::of_clock(none.into_clock(1000)), none);
    }
}
