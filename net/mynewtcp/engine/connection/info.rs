// SPDX-License-Identifier: GPL-2.0

//! What may be known about a connection, for `TCP_INFO` and socket diagnosis.

use crate::engine::congestion::ecn::EcnCounts;
use crate::engine::connection::Connection;
use crate::engine::send::recovery::Phase;
use crate::engine::state::StateName;
use crate::engine::time::{
    Delta,
    Instant, //
};
use crate::engine::timers::Timer;

/// Where loss recovery stands, with the numbers of Linux' `tcpi_ca_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CaState {
    /// All is well.
    Open = 0,
    /// Something has arrived out of order, and nothing is held to be lost yet.
    Disorder = 1,
    /// The window is being reduced because of a mark of congestion.
    Cwr = 2,
    /// Losses are being repaired after a fast retransmission.
    Recovery = 3,
    /// Losses are being repaired after a time-out.
    Loss = 4,
}

/// What has been sent, for the first time or again.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Segments sent.
    pub segments: u32,
    /// Segments with payload sent.
    pub data_segments: u32,
    /// Octets of payload sent.
    pub octets: u64,
    /// Octets that the peer has acknowledged.
    pub acknowledged: u64,
}

/// What has been received.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// Segments received.
    pub segments: u32,
    /// Segments with payload received.
    pub data_segments: u32,
    /// Segments that came out of order.
    pub out_of_order: u32,
    /// Octets received in order.
    pub octets: u64,
    /// What was ECN-capable.
    pub ecn: EcnCounts,
}

/// A snapshot of one connection. Sizes are in octets.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// The state.
    pub state: StateName,
    /// The congestion control algorithm.
    pub congestion: &'static str,
    /// Where loss recovery stands.
    pub ca_state: CaState,
    /// Time-outs in a row without progress.
    pub retransmits: u8,
    /// Window or keepalive probes in a row.
    pub probes: u8,
    /// Doublings of the time-out.
    pub backoff: u8,
    /// Timestamps are in use.
    pub timestamps: bool,
    /// Selective acknowledgments are in use.
    pub sack: bool,
    /// Shift of the windows that the peer announces.
    pub snd_wscale: u8,
    /// Shift of the windows that we announce.
    pub rcv_wscale: u8,
    /// Retransmission time-out.
    pub rto: Delta,
    /// Delayed acknowledgment time-out.
    pub ato: Delta,
    /// Payload of a full segment.
    pub snd_mss: u32,
    /// Estimate of the peer's.
    pub rcv_mss: u32,
    /// What we announced.
    pub advmss: u32,
    /// Sent and not acknowledged.
    pub unacked: u32,
    /// Acknowledged selectively.
    pub sacked: u32,
    /// Held to be lost.
    pub lost: u32,
    /// Lost and sent again.
    pub retrans: u32,
    /// Queued and never sent.
    pub notsent: u32,
    /// Smoothed round-trip time.
    pub rtt: Delta,
    /// Its variation.
    pub rttvar: Delta,
    /// Smallest round-trip time seen.
    pub min_rtt: Delta,
    /// Slow start threshold.
    pub ssthresh: u32,
    /// Congestion window.
    pub cwnd: u32,
    /// The peer's window.
    pub snd_wnd: u32,
    /// Our window.
    pub rcv_wnd: u32,
    /// Since the last data was sent.
    pub last_data_sent: Delta,
    /// Since anything was last received.
    pub last_received: Delta,
    /// Since data was last received.
    pub last_data_received: Delta,
    /// Round-trip time as the receiving half knows it.
    pub rcv_rtt: Delta,
    /// The most that was read in one round trip.
    pub rcv_space: u32,
    /// The largest window that is offered at present, however much room there is.
    pub rcv_ssthresh: u32,
    /// The largest window that the user wants, [`u32::MAX`] without a wish.
    pub window_clamp: u32,
    /// Segments sent again in all.
    pub total_retrans: u32,
    /// Octets sent again in all.
    pub bytes_retrans: u64,
    /// Segments that the peer has reported as duplicates.
    pub dsack_dups: u32,
    /// By how many segments the network is held to reorder at most.
    pub reordering: u32,
    /// How often it was seen to reorder.
    pub reord_seen: u32,
    /// Time-outs in all.
    pub total_rto: u16,
    /// Times that one or more time-outs in a row began.
    pub total_rto_recoveries: u16,
    /// Milliseconds spent in them.
    pub total_rto_time: u32,
    /// Segments delivered.
    pub delivered: u32,
    /// Those of them that were delivered with a mark of congestion.
    pub delivered_ce: u32,
    /// Both ends use ECN.
    pub ecn: bool,
    /// Octets per second that may be sent; [`u64::MAX`] while that is not known.
    pub pacing_rate: u64,
    /// Octets per second that arrived lately, 0 while that is not known.
    pub delivery_rate: u64,
    /// The program had no more to send then.
    pub delivery_rate_app_limited: bool,
    /// Time spent with something to send or to be acknowledged,
    pub busy: Delta,
    /// with the peer's window being the limit,
    pub window_limited: Delta,
    /// with the send buffer being the limit.
    pub buffer_limited: Delta,
    /// What has been sent.
    pub sent: Sent,
    /// What has been received.
    pub received: Received,
    /// Which timer is next.
    pub next_timer: Option<Timer>,
}

impl Connection {
    /// A snapshot.
    pub fn info(&self, now: Instant, config: &crate::engine::config::Config) -> Info {
        let (snd, rcv) = (&self.snd, &self.rcv);
        let (busy, window_limited, buffer_limited) = snd.chrono.times(now);
        Info {
            state: self.state(),
            congestion: self.congestion.name(),
            ca_state: self.ca_state(),
            retransmits: snd.patience.retransmits,
            probes: snd.patience.probes.max(snd.patience.keepalives),
            backoff: snd.rtt.backoff,
            timestamps: rcv.timestamps.is_some(),
            sack: rcv.sack,
            snd_wscale: snd.window.scale.shift(),
            rcv_wscale: rcv.window.scale.shift(),
            rto: snd.rtt.rto(config).delta(),
            ato: rcv.ack.ato(),
            snd_mss: snd.size.mss().octets(),
            rcv_mss: u32::from(rcv.ack.peer_mss),
            advmss: self.advertised_mss.octets(),
            unacked: snd.flight_size_bytes(),
            sacked: snd.board.sacked,
            lost: snd.board.lost,
            retrans: snd.board.retransmitted,
            notsent: snd.unsent(),
            rtt: snd.rtt.srtt,
            rttvar: snd.rtt.rttvar,
            min_rtt: snd.rtt.min(),
            ssthresh: self.window.ssthresh_bytes,
            cwnd: self.window.cwnd_bytes,
            snd_wnd: snd.window.wnd.octets(),
            rcv_wnd: rcv.window.offered(rcv.nxt),
            last_data_sent: now.since(snd.last_sent_at),
            last_received: now.since(rcv.last_at),
            last_data_received: now.since(rcv.ack.last_data_at()),
            rcv_rtt: self.receiver_rtt(),
            rcv_space: rcv.tuning.space,
            rcv_ssthresh: rcv.tuning.ssthresh,
            window_clamp: rcv.tuning.clamp,
            total_retrans: snd.tally.total_retrans,
            bytes_retrans: snd.tally.bytes_retrans,
            dsack_dups: snd.tally.dsack_dups,
            reordering: u32::from(snd.rack.reordering),
            reord_seen: snd.rack.reord_seen,
            total_rto: snd.tally.total_rto,
            total_rto_recoveries: snd.tally.total_rto_recoveries,
            total_rto_time: snd.tally.rto_time(now),
            delivered: snd.delivered,
            delivered_ce: snd.delivered_ce,
            ecn: self.ecn.agreed,
            pacing_rate: snd.pacer.rate(),
            delivery_rate: snd.rate.rate,
            delivery_rate_app_limited: snd.rate.is_app_limited,
            busy,
            window_limited,
            buffer_limited,
            sent: self.sent(),
            received: self.received(),
            next_timer: self.timers.next(),
        }
    }

    fn sent(&self) -> Sent {
        Sent {
            segments: self.tally.segments,
            data_segments: self.tally.data_segments,
            octets: self.tally.octets,
            acknowledged: self.tally.acknowledged(self.snd.flight_size_bytes()),
        }
    }

    fn received(&self) -> Received {
        let tally = &self.rcv.tally;
        Received {
            segments: tally.segments,
            data_segments: tally.data_segments,
            out_of_order: tally.out_of_order,
            octets: tally.octets,
            ecn: tally.ecn,
        }
    }

    fn ca_state(&self) -> CaState {
        let snd = &self.snd;
        match snd.recovery.phase {
            Phase::Open if snd.board.sacked > 0 || snd.recovery.dup_acks > 0 => CaState::Disorder,
            Phase::Open => CaState::Open,
            Phase::Cwr => CaState::Cwr,
            Phase::Recovery => CaState::Recovery,
            Phase::Loss => CaState::Loss,
        }
    }
}
