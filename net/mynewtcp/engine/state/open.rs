// SPDX-License-Identifier: GPL-2.0

//! ESTABLISHED and CLOSE-WAIT: the states in which the user may send.

use crate::engine::seq::SeqNum;
use crate::engine::state::close::{
    FinWait1,
    LastAck, //
};

/// Data flows both ways.
#[derive(Debug)]
#[cfg_attr(mynewtcp_prove, derive(Clone))]
pub(crate) struct Established(());

/// The peer has closed its side.
#[derive(Debug)]
#[cfg_attr(mynewtcp_prove, derive(Clone))]
pub(crate) struct CloseWait(());

impl Established {
    /// A handshake has been completed. Only [`handshake`](super::handshake) and the listener's
    /// half-open connections have one to complete.
    pub(crate) const fn new() -> Self {
        Self(())
    }

    /// The peer's FIN.
    pub(crate) fn on_fin(self) -> CloseWait {
        CloseWait(())
    }

    /// CLOSE: our FIN goes at `fin`.
    pub(crate) fn close(self, fin: SeqNum) -> FinWait1 {
        FinWait1 { fin }
    }
}

impl CloseWait {
    /// CLOSE: our FIN goes at `fin`.
    pub(crate) fn close(self, fin: SeqNum) -> LastAck {
        LastAck { fin }
    }
}
