// SPDX-License-Identifier: GPL-2.0

//! What an administrator tunes ([`Config`], per network namespace) and what one connection is
//! born with ([`Parameters`]).

use crate::engine::seq::{
    Mss,
    SeqNum, //
};
use crate::engine::time::Delta;

/// The tunables that all connections of a namespace share. The defaults are those of Linux' TCP.
#[derive(Clone, Debug)]
pub struct Config {
    /// Smallest retransmission time-out.
    pub rto_min: Delta,
    /// Largest retransmission time-out.
    pub rto_max: Delta,
    /// Retransmission time-out before the first measurement.
    pub rto_initial: Delta,
    /// How often a SYN is retransmitted before the attempt fails.
    pub syn_retries: u8,
    /// How often a SYN-ACK is retransmitted before the attempt is forgotten.
    pub synack_retries: u8,
    /// How often data is retransmitted before the connection fails.
    pub retries2: u8,
    /// The same for a connection that its user has closed.
    pub orphan_retries: u8,
    /// Shortest time that an acknowledgment is delayed.
    pub delack_min: Delta,
    /// Longest time that an acknowledgment is delayed.
    pub delack_max: Delta,
    /// How long a closed connection waits in FIN-WAIT-2 for the peer's FIN.
    pub fin_timeout: Delta,
    /// How long TIME-WAIT lasts.
    pub time_wait: Delta,
    /// How long data may stay unacknowledged before the connection fails (`TCP_USER_TIMEOUT`,
    /// RFC 9293, 3.8.3). Zero: only the number of retransmissions counts.
    pub user_timeout: Delta,
    /// Idle time before the first keepalive probe.
    pub keepalive_time: Delta,
    /// Time between keepalive probes.
    pub keepalive_interval: Delta,
    /// Unanswered keepalive probes after which the connection fails.
    pub keepalive_probes: u8,
    /// Initial congestion window in segments (RFC 6928).
    pub initial_cwnd: u16,
    /// Offer and accept window scaling.
    pub window_scaling: bool,
    /// Offer and accept timestamps.
    pub timestamps: bool,
    /// Offer and accept selective acknowledgments.
    pub sack: bool,
    /// Challenge acknowledgments that one connection sends in a second at most (RFC 5961).
    pub challenge_ack_limit: u8,
    /// How soon to try again after the shell could not transmit for want of memory.
    pub resource_probe_interval: Delta,
    /// Largest back-off between probes of a zero window.
    pub persist_max: Delta,
}

impl Config {
    /// The defaults, usable in a `static`.
    pub const DEFAULT: Self = Self {
        rto_min: Delta::from_millis(200),
        rto_max: Delta::from_secs(120),
        rto_initial: Delta::from_secs(1),
        syn_retries: 6,
        synack_retries: 5,
        retries2: 15,
        orphan_retries: 8,
        delack_min: Delta::from_millis(40),
        delack_max: Delta::from_millis(200),
        fin_timeout: Delta::from_secs(60),
        time_wait: Delta::from_secs(60),
        user_timeout: Delta::ZERO,
        keepalive_time: Delta::from_secs(7200),
        keepalive_interval: Delta::from_secs(75),
        keepalive_probes: 9,
        initial_cwnd: 10,
        window_scaling: true,
        timestamps: true,
        sack: true,
        challenge_ack_limit: 10,
        resource_probe_interval: Delta::from_millis(100),
        persist_max: Delta::from_secs(120),
    };
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What the shell knows about one connection before its first segment.
#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    /// Initial send sequence number, unpredictable (RFC 6528).
    pub iss: SeqNum,
    /// Offset of this connection's timestamp clock, unpredictable (RFC 7323, 5.4).
    pub ts_offset: u32,
    /// Largest payload that fits the route's MTU behind IP and bare transport headers.
    pub path_mss: Mss,
    /// The MSS to announce, from the MTU of the interface. Options are not subtracted
    /// (RFC 6691).
    pub advertised_mss: Mss,
    /// What to assume of a peer that announces no MSS: [`Mss::DEFAULT`] on IPv4,
    /// [`Mss::DEFAULT_V6`] on IPv6.
    pub default_mss: Mss,
    /// Largest transmission that the device takes as one superpacket, in octets of payload.
    pub gso_max_size: u32,
    /// The largest receive window that this connection may ever grow to: it fixes the window
    /// scale.
    pub receive_window_max: u32,
    /// Free receive space now.
    pub receive_window: u32,
}
