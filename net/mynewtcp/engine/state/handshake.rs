// SPDX-License-Identifier: GPL-2.0

//! CLOSED, SYN-SENT and SYN-RECEIVED. The last is here only for simultaneous opens: what a
//! listener accepts is a [`HalfOpen`](crate::engine::listener::HalfOpen) until it is ESTABLISHED.

use crate::engine::recv::window::ReceiveWindow;
use crate::engine::recv::PeerClock;
use crate::engine::seq::{
    Mss,
    SeqNum,
    WindowScale, //
};
use crate::engine::state::close::FinWait1;
use crate::engine::state::open::Established;
use crate::engine::time::Instant;

/// What a listener's handshake has found out, so that a connection can be made of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handshake {
    /// ISS.
    pub(crate) iss: SeqNum,
    /// IRS.
    pub(crate) irs: SeqNum,
    /// What the peer announced.
    pub(crate) peer_mss: Mss,
    /// The peer's window scale, if windows are scaled.
    pub(crate) peer_scale: Option<WindowScale>,
    /// The window that we offered.
    pub(crate) window: ReceiveWindow,
    /// The timestamps state, if they are used.
    pub(crate) timestamps: Option<PeerClock>,
    /// Both may acknowledge selectively.
    pub(crate) sack: bool,
    /// Both use explicit congestion notification.
    pub(crate) ecn: bool,
    /// SYN-ACKs sent.
    pub(crate) sent: u8,
    /// When the last one was; `None` if nobody remembers.
    pub(crate) sent_at: Option<Instant>,
}

/// No connection; possibly the last traces of one.
#[derive(Debug)]
#[cfg_attr(mynewtcp_prove, derive(Clone))]
pub(crate) struct Closed {
    /// When what is left behind is to be forgotten; [`Instant::MAX`] if nothing is.
    pub(crate) remembered_until: Instant,
    /// What is left behind waits for the peer's FIN.
    pub(crate) awaits_fin: bool,
    /// A reset to send.
    pub(crate) reset: Option<Reset>,
}

/// The numbers of a reset segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reset {
    /// Its sequence number.
    pub(crate) seq: SeqNum,
    /// Its acknowledgment number, if it has one.
    pub(crate) ack: Option<SeqNum>,
}

/// We have sent a SYN, or are about to.
#[derive(Debug)]
#[cfg_attr(mynewtcp_prove, derive(Clone))]
pub(crate) struct SynSent {
    /// A segment that acknowledged what we never sent is to be answered with this.
    pub(crate) reset: Option<Reset>,
}

/// Two SYNs have crossed.
#[derive(Debug)]
#[cfg_attr(mynewtcp_prove, derive(Clone))]
pub(crate) struct SynReceived {
    /// The user has closed already: FIN-WAIT-1 comes right after ESTABLISHED.
    pub(crate) fin_queued: bool,
    /// As in [`SynSent`].
    pub(crate) reset: Option<Reset>,
}

impl Closed {
    /// Nothing left.
    pub(crate) const fn new() -> Self {
        Self {
            remembered_until: Instant::MAX,
            awaits_fin: false,
            reset: None,
        }
    }

    /// The peer is told with a reset.
    pub(crate) const fn with_reset(reset: Reset) -> Self {
        Self {
            remembered_until: Instant::MAX,
            awaits_fin: false,
            reset: Some(reset),
        }
    }

    /// OPEN (active).
    pub(crate) fn connect(self) -> SynSent {
        SynSent { reset: None }
    }
}

impl SynSent {
    /// Our SYN is acknowledged, and the peer's has come.
    pub(crate) fn on_syn_ack(self) -> Established {
        Established::new()
    }

    /// The peer's SYN has come, ours is not acknowledged.
    pub(crate) fn on_syn(self) -> SynReceived {
        SynReceived {
            fin_queued: false,
            reset: None,
        }
    }

    /// CLOSE before anything came back.
    pub(crate) fn abandon(self) -> Closed {
        Closed::new()
    }
}

/// Where SYN-RECEIVED leads.
pub(crate) enum Opened {
    /// To ESTABLISHED.
    Established(Established),
    /// Through it, because the user has closed meanwhile.
    FinWait1(FinWait1),
}

impl SynReceived {
    /// Our SYN is acknowledged. `fin` is where our FIN would be.
    pub(crate) fn on_syn_acked(self, fin: SeqNum) -> Opened {
        let established = Established::new();
        if self.fin_queued {
            Opened::FinWait1(established.close(fin))
        } else {
            Opened::Established(established)
        }
    }

    /// CLOSE: "queue for processing after entering ESTABLISHED state" (RFC 9293, 3.10.4).
    pub(crate) fn queue_fin(self) -> Self {
        Self {
            fin_queued: true,
            reset: self.reset,
        }
    }
}
