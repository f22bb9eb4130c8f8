// SPDX-License-Identifier: GPL-2.0

//! Malicious peers, and strangers who forge segments.
//!
//! A malicious peer is an honest host whose packets a [`Mangler`] rewrites on their way out: it
//! shakes hands, keeps up a conversation and so reaches every state of its victim. A stranger is
//! an [`Injector`]: it knows addresses and ports, and of the numbers either nothing or a part.

mod inject;
mod mangle;

pub use inject::{
    Forged,
    InjectPlan,
    Injector,
    Knowledge,
    Numbers, //
};
pub use mangle::Mangler;

/// What a malicious peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// Cuts payload into pieces of this size, each half of which the next one repeats, and sends
    /// the last one first.
    Tiny(u8),
    /// Acknowledges in this many small steps instead of one (Savage et al., 1999).
    AckDivision(u8),
    /// Acknowledges what it has seen under way but not received.
    OptimisticAck,
    /// Claims to hold blocks that it does not, some of which were never sent.
    SackLies,
    /// Takes back a part of the window, each time another one.
    ShrinkingWindow,
    /// Closes its window for ever, from this time on.
    ZeroWindow(u64),
    /// Adds options that nobody knows, or that are cut off.
    OptionGarbage,
    /// Repeats each of its segments as often.
    Echo(u8),
}

impl Attack {
    /// The connection must come through as if nothing had happened. The others harm the attacker:
    /// the victim must survive, and end.
    pub fn is_harmless(self) -> bool {
        match self {
            Self::Tiny(_)
            | Self::AckDivision(_)
            | Self::ShrinkingWindow
            | Self::OptionGarbage
            | Self::Echo(_) => true,
            Self::OptimisticAck | Self::SackLies | Self::ZeroWindow(_) => false,
        }
    }
}
