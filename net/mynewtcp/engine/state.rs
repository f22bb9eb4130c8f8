// SPDX-License-Identifier: GPL-2.0

//! The states of RFC 9293, 3.3.2: one struct per state that holds what exists only there, and
//! whose methods are the edges that leave it. An edge that is not here does not exist.
//!
//! - [`handshake`]: CLOSED, SYN-SENT, SYN-RECEIVED;
//! - [`open`]: ESTABLISHED, CLOSE-WAIT;
//! - [`close`]: FIN-WAIT-1, FIN-WAIT-2, CLOSING, LAST-ACK;
//! - [`time_wait`]: TIME-WAIT, a small object of its own.

pub mod close;
pub mod handshake;
pub mod open;
pub mod time_wait;

use crate::engine::seq::SeqNum;
use crate::engine::state::close::{
    Closing,
    FinWait1,
    FinWait2,
    LastAck, //
};
use crate::engine::state::handshake::{
    Closed,
    SynReceived,
    SynSent, //
};
use crate::engine::state::open::{
    CloseWait,
    Established, //
};
use crate::engine::time::Instant;

/// Which state a connection is in. LISTEN and TIME-WAIT are not states of a connection: what is
/// there is an object of [`listener`](crate::engine::listener).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateName {
    /// There is no connection, not yet or no longer.
    Closed,
    /// We have sent a SYN.
    SynSent,
    /// Both have sent a SYN, and ours is not acknowledged.
    SynReceived,
    /// Data flows both ways.
    Established,
    /// We have closed; the peer knows nothing of it yet.
    FinWait1,
    /// We have closed and the peer knows.
    FinWait2,
    /// The peer has closed.
    CloseWait,
    /// Both have closed at the same time; the peer does not know of ours yet.
    Closing,
    /// The peer has closed, then we have; the peer does not know of ours yet.
    LastAck,
}

/// The state with what belongs to it.
#[derive(Debug)]
#[cfg_attr(mynewtcp_prove, derive(Clone))]
pub(crate) enum State {
    Closed(Closed),
    SynSent(SynSent),
    SynReceived(SynReceived),
    Established(Established),
    FinWait1(FinWait1),
    FinWait2(FinWait2),
    CloseWait(CloseWait),
    Closing(Closing),
    LastAck(LastAck),
}

impl State {
    /// Which one it is.
    pub(crate) fn name(&self) -> StateName {
        match self {
            Self::Closed(_) => StateName::Closed,
            Self::SynSent(_) => StateName::SynSent,
            Self::SynReceived(_) => StateName::SynReceived,
            Self::Established(_) => StateName::Established,
            Self::FinWait1(_) => StateName::FinWait1,
            Self::FinWait2(_) => StateName::FinWait2,
            Self::CloseWait(_) => StateName::CloseWait,
            Self::Closing(_) => StateName::Closing,
            Self::LastAck(_) => StateName::LastAck,
        }
    }

    /// The sequence number of our FIN, if it is queued or sent and not acknowledged.
    pub(crate) fn fin(&self) -> Option<SeqNum> {
        match self {
            Self::FinWait1(state) => Some(state.fin),
            Self::Closing(state) => Some(state.fin),
            Self::LastAck(state) => Some(state.fin),
            Self::Closed(_)
            | Self::SynSent(_)
            | Self::SynReceived(_)
            | Self::Established(_)
            | Self::FinWait2(_)
            | Self::CloseWait(_) => None,
        }
    }

    /// The peer's octets are still to come.
    pub(crate) fn can_receive(&self) -> bool {
        match self {
            Self::Established(_) | Self::FinWait1(_) | Self::FinWait2(_) => true,
            Self::Closed(_)
            | Self::SynSent(_)
            | Self::SynReceived(_)
            | Self::CloseWait(_)
            | Self::Closing(_)
            | Self::LastAck(_) => false,
        }
    }

    /// The user may queue data.
    pub(crate) fn can_send(&self) -> bool {
        match self {
            Self::SynSent(_) | Self::Established(_) | Self::CloseWait(_) => true,
            Self::SynReceived(state) => !state.fin_queued,
            Self::Closed(_)
            | Self::FinWait1(_)
            | Self::FinWait2(_)
            | Self::Closing(_)
            | Self::LastAck(_) => false,
        }
    }

    /// The handshake is behind it, and data or FIN may be sent.
    pub(crate) fn is_synchronized(&self) -> bool {
        match self {
            Self::Established(_)
            | Self::FinWait1(_)
            | Self::FinWait2(_)
            | Self::CloseWait(_)
            | Self::Closing(_)
            | Self::LastAck(_) => true,
            Self::Closed(_) | Self::SynSent(_) | Self::SynReceived(_) => false,
        }
    }

    /// Leaves FIN-WAIT-2 by that edge; nothing happens in other states.
    pub(crate) fn end_fin_wait_2(self, edge: impl FnOnce(FinWait2) -> Closed) -> Self {
        match self {
            Self::FinWait2(state) => Self::Closed(edge(state)),
            Self::Closed(_)
            | Self::SynSent(_)
            | Self::SynReceived(_)
            | Self::Established(_)
            | Self::FinWait1(_)
            | Self::CloseWait(_)
            | Self::Closing(_)
            | Self::LastAck(_) => self,
        }
    }

    /// The peer's FIN has arrived with everything in front of it. `until` is when
    /// to forget the connection if this was the last thing to come.
    pub(crate) fn on_fin(self, until: Instant) -> Self {
        match self {
            Self::Established(state) => Self::CloseWait(state.on_fin()),
            Self::FinWait1(state) => Self::Closing(state.on_fin()),
            Self::FinWait2(state) => Self::Closed(state.on_fin(until)),
            Self::Closed(_)
            | Self::SynSent(_)
            | Self::SynReceived(_)
            | Self::CloseWait(_)
            | Self::Closing(_)
            | Self::LastAck(_) => self,
        }
    }

    /// The peer has acknowledged our FIN.
    pub(crate) fn on_fin_acked(self, until: Instant) -> Self {
        match self {
            Self::FinWait1(state) => Self::FinWait2(state.on_fin_acked()),
            Self::Closing(state) => Self::Closed(state.on_fin_acked(until)),
            Self::LastAck(state) => Self::Closed(state.on_fin_acked()),
            Self::Closed(_)
            | Self::SynSent(_)
            | Self::SynReceived(_)
            | Self::Established(_)
            | Self::FinWait2(_)
            | Self::CloseWait(_) => self,
        }
    }

    /// The user will send no more; our FIN follows the last octet, at `fin`.
    pub(crate) fn on_shutdown_write(self, fin: SeqNum) -> Self {
        match self {
            Self::SynSent(state) => Self::Closed(state.abandon()),
            Self::SynReceived(state) => Self::SynReceived(state.queue_fin()),
            Self::Established(state) => Self::FinWait1(state.close(fin)),
            Self::CloseWait(state) => Self::LastAck(state.close(fin)),
            Self::Closed(_)
            | Self::FinWait1(_)
            | Self::FinWait2(_)
            | Self::Closing(_)
            | Self::LastAck(_) => self,
        }
    }
}
