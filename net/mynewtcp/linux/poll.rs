// SPDX-License-Identifier: GPL-2.0

//! What `poll()` answers.

use super::bindings as b;
use core::ops::{
    BitOr,
    BitOrAssign, //
};

/// A set of `EPOLL*` bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct PollMask(pub(super) u32);

impl PollMask {
    /// Nothing.
    pub(crate) const NONE: Self = Self(0);
    /// Something to read.
    pub(crate) const IN: Self = Self(b::NEWTCP_EPOLLIN);
    /// Room to write.
    pub(crate) const OUT: Self = Self(b::NEWTCP_EPOLLOUT);
    /// A pending error.
    pub(crate) const ERR: Self = Self(b::NEWTCP_EPOLLERR);
    /// Closed both ways.
    pub(crate) const HUP: Self = Self(b::NEWTCP_EPOLLHUP);
    /// Something to read.
    pub(crate) const RDNORM: Self = Self(b::NEWTCP_EPOLLRDNORM);
    /// Room to write.
    pub(crate) const WRNORM: Self = Self(b::NEWTCP_EPOLLWRNORM);
    /// Nothing more to read will come.
    pub(crate) const RDHUP: Self = Self(b::NEWTCP_EPOLLRDHUP);
}

impl BitOr for PollMask {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for PollMask {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
