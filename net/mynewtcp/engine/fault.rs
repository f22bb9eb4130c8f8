// SPDX-License-Identifier: GPL-2.0

//! Faults that a prover puts into the engine, to show that it would find them.
//!
//! They exist only under `cfg(mynewtcp_prove)`, which `tools/mynewtcp/explore` sets for a copy of
//! the engine of its own. Everywhere else, in the kernel above all, [`Config::has`] is a constant
//! and nothing is left of them.

use crate::engine::config::Config;

/// A mistake that an implementation might make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A FIN that came before the data in front of it ends the stream at once.
    FinOvertakesData,
    /// An acknowledgment of all data is taken for one of the FIN behind it.
    FinAckedEarly,
    /// Any reset inside the window resets, as before RFC 5961.
    AnyReset,
    /// Payload that overtook other payload is delivered in its place.
    OrderIgnored,
    /// A closed window is waited for without a timer.
    NoPersist,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::FinOvertakesData,
        Self::FinAckedEarly,
        Self::AnyReset,
        Self::OrderIgnored,
        Self::NoPersist,
    ];
}

impl Config {
    /// The engine makes this mistake.
    #[cfg(mynewtcp_prove)]
    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// The engine makes this mistake: never.
    #[cfg(not(mynewtcp_prove))]
    pub(crate) const fn has(&self, _fault: Fault) -> bool {
        false
    }
}
