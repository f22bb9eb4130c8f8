// SPDX-License-Identifier: GPL-2.0

//! The three files that name congestion control. As in Linux' TCP, what an administrator has made
//! the default may be chosen by anybody from then on.

use kernel::prelude::*;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

use crate::engine::congestion::Kind;
use crate::linux::sysctl::Text;
use crate::tuning::Tunables;

/// What anybody may choose, on the whole host as with TCP. Only the first namespace changes it,
/// under the lock of its tunables.
static ALLOWED: Atomic<u32> = Atomic::new(Allowed::UNRESTRICTED.0);

/// A set of [`Kind`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowed(u32);

impl Allowed {
    /// None.
    const NONE: Self = Self(0);

    /// Those that are fit for any network.
    const UNRESTRICTED: Self = {
        let (mut set, mut i) = (Self::NONE, 0);
        while i < Kind::ALL.len() {
            if !Kind::ALL[i].is_restricted() {
                set.0 |= 1 << i;
            }
            i += 1;
        }
        set
    };

    /// Those that anybody may choose now.
    pub(crate) fn now() -> Self {
        Self(ALLOWED.load(Relaxed))
    }

    fn place(kind: Kind) -> usize {
        Kind::ALL
            .iter()
            .position(|&other| other == kind)
            .unwrap_or(0)
    }

    /// `kind` is among them.
    pub(crate) fn has(self, kind: Kind) -> bool {
        self.0 >> Self::place(kind) & 1 != 0
    }

    fn with(self, kind: Kind) -> Self {
        Self(self.0 | 1 << Self::place(kind))
    }
}

pub(super) fn available(_: &Tunables, text: &mut Text) {
    for kind in Kind::ALL {
        text.push(kind.name());
    }
}

pub(super) fn refuse(_: &mut Tunables, _: &[u8], _: bool) -> Result {
    Err(EPERM)
}

pub(super) fn allowed(_: &Tunables, text: &mut Text) {
    let allowed = Allowed::now();
    for &kind in Kind::ALL {
        if allowed.has(kind) {
            text.push(kind.name());
        }
    }
}

pub(super) fn set_allowed(_: &mut Tunables, words: &[u8], _first: bool) -> Result {
    let mut set = Allowed::NONE;
    for word in words.split(u8::is_ascii_whitespace) {
        if !word.is_empty() {
            set = set.with(Kind::by_name(word).ok_or(ENOENT)?);
        }
    }
    ALLOWED.store(set.0, Relaxed);
    Ok(())
}

pub(super) fn default(tunables: &Tunables, text: &mut Text) {
    text.push(tunables.config.congestion.name());
}

pub(super) fn set_default(tunables: &mut Tunables, words: &[u8], first: bool) -> Result {
    let kind = Kind::by_name(words.trim_ascii()).ok_or(ENOENT)?;
    let allowed = Allowed::now();
    if !allowed.has(kind) {
        if !first {
            return Err(EPERM);
        }
        ALLOWED.store(allowed.with(kind).0, Relaxed);
    }
    tunables.config.congestion = kind;
    Ok(())
}
