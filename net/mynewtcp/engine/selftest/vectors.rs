// SPDX-License-Identifier: GPL-2.0

//! Runs of the simulator that are kept: what one end was given and what it answered. `make
//! vectors` writes them again, when the engine answers otherwise and should.

macro_rules! scripts {
    ($($name:literal,)*) => {
        /// All of them, by name, for [`play`](crate::engine::selftest::player::play).
        pub const SCRIPTS: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("vectors/", $name, ".txt"))),)*
        ];
    };
}

scripts! {
    "sack-recovery",
    "reno-recovery",
    "timeouts",
    "simultaneous-open",
    "simultaneous-close",
    "passive-close",
    "time-wait",
    "zero-window",
    "out-of-order",
    "tiny-segments",
    "sack-lies",
    "optimistic-ack",
    "option-garbage",
    "stranger",
    "old-timestamps",
    "mtu",
    "icmp",
    "no-memory",
    "refused",
    "abort",
    "superpackets",
}

/// Pieces that a queue needs room for.
pub const PIECES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::selftest::player::play;

    #[test]
    fn scripts_are_answered_as_before() {
        for (name, script) in SCRIPTS {
            let result = play::<PIECES>(script);
            assert_eq!(
                result,
                Ok(()),
                "{name}: if the engine should answer otherwise, `make vectors`"
            );
        }
    }

    /// A script of which one answer is wrong does not pass.
    #[test]
    fn wrong_answers_are_noticed() {
        for (name, script) in SCRIPTS {
            for (mark, wrong) in [
                ("\n> ", "> 00 0 0"),
                ("\n! ", "! -"),
                ("\n= ", "= CLOSED 1"),
            ] {
                let Some((before, after)) = script.rsplit_once(mark) else {
                    continue;
                };
                let rest = after.split_once('\n').map_or("", |(_, rest)| rest);
                let text = format!("{before}\n{wrong}\n{rest}");
                assert!(play::<PIECES>(&text).is_err(), "{name}: {wrong}");
            }
        }
    }
}
