// SPDX-License-Identifier: GPL-2.0

//! The words of a script, see [`player`](crate::engine::selftest::player).

use crate::engine::config::Config;
use crate::engine::congestion::ecn::EcnMode;
use crate::engine::congestion::Kind;
use crate::engine::time::Delta;

/// A tunable that scripts can set.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Reads it.
    pub get: fn(&Config) -> u64,
    /// Sets it.
    pub set: fn(&mut Config, u64),
}

/// The algorithm with this number.
fn algorithm(number: u64) -> Kind {
    let found = Kind::ALL.iter().find(|&&kind| kind as u64 == number);
    found.copied().unwrap_or(Kind::DEFAULT)
}

macro_rules! fields {
    ($($name:ident: $kind:ident,)*) => {
        /// The tunables that scripts can set; the others have their defaults.
        pub const FIELDS: &[Field] = &[
            $(Field {
                name: stringify!($name),
                get: |config| fields!(@get $kind config.$name),
                set: |config, value| config.$name = fields!(@set $kind value),
            },)*
        ];
    };
    (@get flag $field:expr) => { u64::from($field) };
    (@set flag $value:expr) => { $value != 0 };
    (@get count $field:expr) => { u64::from($field) };
    (@set count $value:expr) => { $value as u8 };
    (@get time $field:expr) => { $field.as_nanos() };
    (@set time $value:expr) => { Delta::from_nanos($value) };
    (@get algorithm $field:expr) => { $field as u64 };
    (@set algorithm $value:expr) => { algorithm($value) };
    (@get ecn $field:expr) => { $field as u64 };
    (@set ecn $value:expr) => { EcnMode::from_number($value as u8).unwrap_or_default() };
}

fields! {
    window_scaling: flag,
    timestamps: flag,
    sack: flag,
    orphan_retries: count,
    synack_retries: count,
    syn_retries: count,
    fin_timeout: time,
    time_wait: time,
    mtu_probing: count,
    congestion: algorithm,
    ecn: ecn,
}

/// The words of a line.
#[derive(Clone, Debug)]
pub struct Words<'a>(core::str::SplitAsciiWhitespace<'a>);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.0.next()
    }
}

impl<'a> Words<'a> {
    /// The words of `line`.
    pub fn new(line: &'a str) -> Self {
        Self(line.split_ascii_whitespace())
    }

    /// The next word; there must be one.
    pub fn word(&mut self) -> Result<&'a str, &'static str> {
        self.next().ok_or("a word is missing")
    }

    /// The next word; it must be a number.
    pub fn number(&mut self) -> Result<u64, &'static str> {
        Self::parse(self.word()?)
    }

    /// A word that is a number.
    pub fn parse(word: &str) -> Result<u64, &'static str> {
        word.parse().map_err(|_| "no number")
    }

    /// A word of the form NAME=NUMBER.
    pub fn pair(word: &str) -> Result<(&str, u64), &'static str> {
        let (name, value) = word.split_once('=').ok_or("no pair")?;
        Ok((name, Self::parse(value)?))
    }
}

/// Reads octets in hexadecimal and returns how many there were.
pub fn hex(word: &str, out: &mut [u8]) -> Result<usize, &'static str> {
    let digit = |octet: u8| (octet as char).to_digit(16).ok_or("no digit");
    let pairs = word.as_bytes().chunks_exact(2);
    let count = pairs.len();
    if count > out.len() || !pairs.remainder().is_empty() {
        return Err("too many digits, or an odd one");
    }
    for (pair, slot) in pairs.zip(out) {
        if let [high, low] = *pair {
            *slot = ((digit(high)? << 4) | digit(low)?) as u8;
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read() {
        let mut words = Words::new("write 12 x=7");
        assert_eq!(words.word(), Ok("write"));
        assert_eq!(words.number(), Ok(12));
        assert_eq!(words.next().map(Words::pair), Some(Ok(("x", 7))));
        assert!(words.word().is_err());
    }

    #[test]
    fn octets_are_read() {
        let mut out = [0; 3];
        assert_eq!(hex("00fFa1", &mut out), Ok(3));
        assert_eq!(out, [0, 255, 161]);
        for bad in ["0", "0g", "00000000"] {
            assert!(hex(bad, &mut out).is_err());
        }
    }

    #[test]
    fn tunables_are_set() {
        for field in FIELDS {
            let mut config = Config::DEFAULT;
            (field.set)(&mut config, 1);
            assert_eq!((field.get)(&config), 1, "{}", field.name);
        }
    }
}
