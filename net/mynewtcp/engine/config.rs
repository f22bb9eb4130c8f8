// SPDX-License-Identifier: GPL-2.0

//! What an administrator tunes ([`Config`], per network namespace) and what one connection is
//! born with ([`Parameters`]).

use crate::engine::congestion::ecn::EcnMode;
use crate::engine::congestion::Kind;
use crate::engine::seq::{
    Mss,
    SeqNum, //
};
use crate::engine::time::Delta;

/// The tunables that all connections of a namespace share. The defaults are those of Linux' TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Smallest retransmission time-out.
    pub rto_min: Delta,
    /// Largest retransmission time-out.
    pub rto_max: Delta,
    /// Retransmission time-out before the first measurement.
    pub rto_initial: Delta,
    /// How often a SYN is retransmitted with a doubled time-out before the attempt fails
    /// (`tcp_syn_retries`, 1 to 127).
    ///
    ///   "R2 for a SYN segment MUST be set large enough to provide retransmission of the segment
    ///   for at least 3 minutes" (RFC 9293, 3.8.3, MUST-23)
    ///
    /// That takes one more than the 6 of Linux' TCP.
    pub syn_retries: u8,
    /// How often a SYN is retransmitted before that, without doubling (`tcp_syn_linear_timeouts`,
    /// 0 to 127).
    pub syn_linear_timeouts: u8,
    /// How often a SYN-ACK is retransmitted before the attempt is forgotten.
    pub synack_retries: u8,
    /// Retransmissions in a row after which the path is doubted: another route is looked for, and
    /// smaller segments may be tried (`tcp_retries1`, 0 to 255).
    pub retries1: u8,
    /// How often data is retransmitted before the connection fails (`tcp_retries2`).
    pub retries2: u8,
    /// The same for a connection that its user has closed; 0 stands for 8
    /// (`tcp_orphan_retries`).
    pub orphan_retries: u8,
    /// Shortest time that an acknowledgment is delayed.
    pub delack_min: Delta,
    /// Longest time that an acknowledgment is delayed.
    pub delack_max: Delta,
    /// Acknowledgments are never delayed (`ip route ... quickack 1`).
    pub always_quick: bool,
    /// How long a closed connection waits in FIN-WAIT-2 for the peer's FIN.
    pub fin_timeout: Delta,
    /// How long TIME-WAIT lasts.
    pub time_wait: Delta,
    /// A reset does not end TIME-WAIT (RFC 1337, `tcp_rfc1337`). Linux' TCP has it off.
    pub rfc1337: bool,
    /// Whether connect may take over a connection in TIME-WAIT (RFC 6191, `tcp_tw_reuse`): 0 no,
    /// 1 yes, 2 over loopback only.
    pub tw_reuse: u8,
    /// How old its last timestamp must be for that (`tcp_tw_reuse_delay`, 1 ms to 60 s).
    pub tw_reuse_delay: Delta,
    /// Connections in TIME-WAIT of a namespace at most; those that close when there are as many
    /// do without (`tcp_max_tw_buckets`).
    pub max_tw_buckets: u32,
    /// Whether a listener with too many half-open connections answers with cookies (RFC 4987,
    /// `tcp_syncookies`): 0 never, 1 when it is flooded, 2 always.
    pub syncookies: u8,
    /// Half-open connections of one listener at most, whatever its backlog
    /// (`tcp_max_syn_backlog`).
    pub max_syn_backlog: u32,
    /// A connection that the accept queue has no room for is reset, not left to try again
    /// (`tcp_abort_on_overflow`).
    pub abort_on_overflow: bool,
    /// A listener's handshake is complete only when data has come, unless its SYN-ACK timed out
    /// so many times without (`TCP_DEFER_ACCEPT`). 0: it needs no data.
    pub defer_accept: u8,
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
    /// Slow start threshold of new connections in segments, 0 for "arbitrarily high" (RFC 5681,
    /// 3.1). A route may have one (`ip route ... ssthresh`).
    pub initial_ssthresh: u32,
    /// The congestion control algorithm of new connections (`tcp_congestion_control`).
    pub congestion: Kind,
    /// Who uses explicit congestion notification (`tcp_ecn`).
    pub ecn: EcnMode,
    /// A SYN that had to be sent again offers it no more (`tcp_ecn_fallback`).
    pub ecn_fallback: bool,
    /// A congestion window that was not used for a retransmission time-out shrinks
    /// (`tcp_slow_start_after_idle`, RFC 2861).
    pub slow_start_after_idle: bool,
    /// The pacing rate in percent of cwnd / SRTT in slow start (`tcp_pacing_ss_ratio`),
    pub pacing_ss_ratio: u16,
    /// and in congestion avoidance (`tcp_pacing_ca_ratio`).
    pub pacing_ca_ratio: u16,
    /// Segments of the smallest superpacket that is made because of the pacing rate
    /// (`tcp_min_tso_segs`).
    pub min_tso_segs: u8,
    /// Round-trip times below two to the power of this, in microseconds, allow for full
    /// superpackets; each doubling halves the allowance (`tcp_tso_rtt_log`).
    pub tso_rtt_log: u8,
    /// Offer and accept window scaling.
    pub window_scaling: bool,
    /// Offer and accept timestamps.
    pub timestamps: bool,
    /// Offer and accept selective acknowledgments.
    pub sack: bool,
    /// Report segments that arrive twice, by a first SACK block (RFC 2883, `tcp_dsack`).
    pub dsack: bool,
    /// Grow receive buffers with what is read in a round trip (`tcp_moderate_rcvbuf`).
    pub moderate_rcvbuf: bool,
    /// Round trips shorter than this make receive buffers grow more slowly
    /// (`tcp_rcvbuf_low_rtt`).
    pub rcvbuf_low_rtt: Delta,
    /// By how many segments the network may reorder before it was seen to do so: DupThresh
    /// (`tcp_reordering`).
    pub reordering: u16,
    /// The most that is believed of a network that reorders, in segments (`tcp_max_reordering`).
    pub max_reordering: u16,
    /// The reordering window does not adapt to duplicates that the peer reports (`tcp_recovery`,
    /// bit 2).
    pub rack_static_window: bool,
    /// Loss detection does not take many selectively acknowledged segments for a sign that the
    /// network has not reordered (`tcp_recovery`, bit 4).
    pub rack_no_dup_thresh: bool,
    /// Send tail loss probes (RFC 8985, 7; `tcp_early_retrans`).
    pub tail_loss_probe: bool,
    /// Find out whether a time-out was a mistake by sending new data (RFC 5682; `tcp_frto`).
    pub frto: bool,
    /// For how long the smallest round-trip time is remembered (`tcp_min_rtt_wlen`).
    pub min_rtt_window: Delta,
    /// Challenge acknowledgments that one connection sends in a second at most (RFC 5961).
    pub challenge_ack_limit: u8,
    /// Acknowledgments that answer unacceptable segments without payload are at least so far
    /// apart on one connection; 0 is no limit (`tcp_invalid_ratelimit`).
    pub invalid_ratelimit: Delta,
    /// Whether segment sizes are found out by trying (RFC 4821, `tcp_mtu_probing`): 0 never, 1
    /// once a black hole is suspected, 2 always.
    pub mtu_probing: u8,
    /// Payload, header options included, that trying begins with, octets (`tcp_base_mss`).
    pub base_mss: u16,
    /// What a suspected black hole never makes it less than, octets (`tcp_mtu_probe_floor`).
    pub mtu_probe_floor: u16,
    /// The search ends when it is closer than this, octets (`tcp_probe_threshold`).
    pub probe_threshold: u16,
    /// How long after its end it begins again (`tcp_probe_interval`).
    pub probe_interval: Delta,
    /// What nobody makes a segment's payload and options less than, octets
    /// (`tcp_min_snd_mss`, 48 to 65535).
    pub min_snd_mss: u16,
    /// How soon to try again after the shell could not transmit for want of memory.
    pub resource_probe_interval: Delta,
    /// Largest back-off between probes of a zero window.
    pub persist_max: Delta,
    /// Segments that come as expected go the short way. The long one does the same with them,
    /// which is for tests to show.
    pub prediction: bool,
    /// The mistake to make, for provers.
    #[cfg(mynewtcp_prove)]
    pub fault: Option<crate::engine::fault::Fault>,
}

impl Config {
    /// The defaults, usable in a `static`.
    pub const DEFAULT: Self = Self {
        rto_min: Delta::from_millis(200),
        rto_max: Delta::from_secs(120),
        rto_initial: Delta::from_secs(1),
        syn_retries: 7,
        syn_linear_timeouts: 4,
        synack_retries: 5,
        retries1: 3,
        retries2: 15,
        orphan_retries: 0,
        delack_min: Delta::from_millis(40),
        delack_max: Delta::from_millis(200),
        always_quick: false,
        fin_timeout: Delta::from_secs(60),
        time_wait: Delta::from_secs(60),
        rfc1337: true,
        tw_reuse: 2,
        tw_reuse_delay: Delta::from_secs(1),
        max_tw_buckets: 32_768,
        syncookies: 1,
        max_syn_backlog: 4096,
        abort_on_overflow: false,
        defer_accept: 0,
        user_timeout: Delta::ZERO,
        keepalive_time: Delta::from_secs(7200),
        keepalive_interval: Delta::from_secs(75),
        keepalive_probes: 9,
        initial_cwnd: 10,
        initial_ssthresh: 0,
        congestion: Kind::DEFAULT,
        ecn: EcnMode::Accept,
        ecn_fallback: true,
        slow_start_after_idle: true,
        pacing_ss_ratio: 200,
        pacing_ca_ratio: 120,
        min_tso_segs: 2,
        tso_rtt_log: 9,
        window_scaling: true,
        timestamps: true,
        sack: true,
        dsack: true,
        moderate_rcvbuf: true,
        rcvbuf_low_rtt: Delta::from_millis(1),
        reordering: 3,
        max_reordering: 300,
        rack_static_window: false,
        rack_no_dup_thresh: false,
        tail_loss_probe: true,
        frto: true,
        min_rtt_window: Delta::from_secs(300),
        challenge_ack_limit: 10,
        invalid_ratelimit: Delta::from_millis(500),
        mtu_probing: 0,
        base_mss: 1024,
        mtu_probe_floor: 48,
        probe_threshold: 8,
        probe_interval: Delta::from_secs(600),
        min_snd_mss: 48,
        resource_probe_interval: Delta::from_millis(100),
        persist_max: Delta::from_secs(120),
        prediction: true,
        #[cfg(mynewtcp_prove)]
        fault: None,
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
