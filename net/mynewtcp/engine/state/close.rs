// SPDX-License-Identifier: GPL-2.0

//! FIN-WAIT-1, FIN-WAIT-2, CLOSING and LAST-ACK: we have closed.

use crate::engine::seq::SeqNum;
use crate::engine::state::handshake::Closed;
use crate::engine::time::Instant;

/// Our FIN is queued or sent, the peer's has not come.
#[derive(Debug)]
#[cfg_attr(mynewtcp_prove, derive(Clone))]
pub(crate) struct FinWait1 {
    /// The sequence number of our FIN.
    pub(crate) fin: SeqNum,
}

/// Our FIN is acknowledged, the peer's has not come.
#[derive(Debug)]
#[cfg_attr(mynewtcp_prove, derive(Clone))]
pub(crate) struct FinWait2(());

/// Our FIN is queued or sent, and the peer's came first.
#[derive(Debug)]
#[cfg_attr(mynewtcp_prove, derive(Clone))]
pub(crate) struct Closing {
    /// The sequence number of our FIN.
    pub(crate) fin: SeqNum,
}

/// As [`Closing`], but the user closed after the peer: nothing remains to wait for.
#[derive(Debug)]
#[cfg_attr(mynewtcp_prove, derive(Clone))]
pub(crate) struct LastAck {
    /// The sequence number of our FIN.
    pub(crate) fin: SeqNum,
}

impl FinWait1 {
    /// The peer's FIN, but no acknowledgment of ours.
    pub(crate) fn on_fin(self) -> Closing {
        Closing { fin: self.fin }
    }

    /// The acknowledgment of ours.
    pub(crate) fn on_fin_acked(self) -> FinWait2 {
        FinWait2(())
    }
}

impl FinWait2 {
    /// The peer's FIN.
    pub(crate) fn on_fin(self, until: Instant) -> Closed {
        leave_behind(until)
    }

    /// Nobody can reach the connection any more: what waits for the peer's FIN is smaller.
    /// It does so until then.
    pub(crate) fn on_retire(self, until: Instant) -> Closed {
        Closed {
            awaits_fin: true,
            ..leave_behind(until)
        }
    }

    /// The user has closed and the peer does not, for too long.
    pub(crate) fn on_timeout(self) -> Closed {
        Closed::new()
    }
}

impl Closing {
    /// The acknowledgment of our FIN.
    pub(crate) fn on_fin_acked(self, until: Instant) -> Closed {
        leave_behind(until)
    }
}

impl LastAck {
    /// The acknowledgment of our FIN.
    pub(crate) fn on_fin_acked(self) -> Closed {
        Closed::new()
    }
}

/// TIME-WAIT: the connection is over, and a smaller object waits.
fn leave_behind(until: Instant) -> Closed {
    Closed {
        remembered_until: until,
        awaits_fin: false,
        reset: None,
    }
}
