// SPDX-License-Identifier: GPL-2.0

//! TCP_INFO: the layout of Linux' `struct tcp_info`, so that unmodified programs read it.

use crate::endpoint::{
    with_connection,
    Locked, //
};
use crate::engine::connection::info::Info;
use crate::engine::time::Delta;

/// Octets of `struct tcp_info`.
const LEN: usize = 280;

/// A `struct tcp_info` as it lies in memory.
pub(crate) struct Snapshot([u8; LEN]);

/// Where the members lie that we can fill in.
mod at {
    pub(super) const STATE: usize = 0;
    pub(super) const CA_STATE: usize = 1;
    pub(super) const RETRANSMITS: usize = 2;
    pub(super) const PROBES: usize = 3;
    pub(super) const BACKOFF: usize = 4;
    pub(super) const OPTIONS: usize = 5;
    pub(super) const WSCALE: usize = 6;
    pub(super) const RTO: usize = 8;
    pub(super) const ATO: usize = 12;
    pub(super) const SND_MSS: usize = 16;
    pub(super) const RCV_MSS: usize = 20;
    pub(super) const UNACKED: usize = 24;
    pub(super) const SACKED: usize = 28;
    pub(super) const LOST: usize = 32;
    pub(super) const RETRANS: usize = 36;
    pub(super) const LAST_DATA_SENT: usize = 44;
    pub(super) const LAST_DATA_RECV: usize = 52;
    pub(super) const LAST_ACK_RECV: usize = 56;
    pub(super) const PMTU: usize = 60;
    pub(super) const RCV_SSTHRESH: usize = 64;
    pub(super) const RTT: usize = 68;
    pub(super) const RTTVAR: usize = 72;
    pub(super) const SND_SSTHRESH: usize = 76;
    pub(super) const SND_CWND: usize = 80;
    pub(super) const ADVMSS: usize = 84;
    pub(super) const REORDERING: usize = 88;
    pub(super) const RCV_RTT: usize = 92;
    pub(super) const RCV_SPACE: usize = 96;
    pub(super) const TOTAL_RETRANS: usize = 100;
    pub(super) const PACING_RATE: usize = 104;
    pub(super) const MAX_PACING_RATE: usize = 112;
    pub(super) const BYTES_ACKED: usize = 120;
    pub(super) const BYTES_RECEIVED: usize = 128;
    pub(super) const SEGS_OUT: usize = 136;
    pub(super) const SEGS_IN: usize = 140;
    pub(super) const NOTSENT: usize = 144;
    pub(super) const MIN_RTT: usize = 148;
    pub(super) const DATA_SEGS_IN: usize = 152;
    pub(super) const DATA_SEGS_OUT: usize = 156;
    pub(super) const BYTES_SENT: usize = 200;
    pub(super) const BYTES_RETRANS: usize = 208;
    pub(super) const DSACK_DUPS: usize = 216;
    pub(super) const REORD_SEEN: usize = 220;
    pub(super) const RCV_OOOPACK: usize = 224;
    pub(super) const APP_LIMITED: usize = 7;
    pub(super) const DELIVERY_RATE: usize = 160;
    pub(super) const BUSY_TIME: usize = 168;
    pub(super) const RWND_LIMITED: usize = 176;
    pub(super) const SNDBUF_LIMITED: usize = 184;
    pub(super) const DELIVERED: usize = 192;
    pub(super) const DELIVERED_CE: usize = 196;
    pub(super) const SND_WND: usize = 228;
    pub(super) const RCV_WND: usize = 232;
    pub(super) const TOTAL_RTO: usize = 240;
    pub(super) const TOTAL_RTO_RECOVERIES: usize = 242;
    pub(super) const TOTAL_RTO_TIME: usize = 244;
    pub(super) const RECEIVED_CE: usize = 248;
    pub(super) const RECEIVED_ECN_BYTES: usize = 264;
    pub(super) const MODES: usize = 276;
}

/// Bits of `tcpi_options`.
const OPT_TIMESTAMPS: u8 = 1;
const OPT_SACK: u8 = 2;
const OPT_WSCALE: u8 = 4;
const OPT_ECN: u8 = 8;
const OPT_ECN_SEEN: u8 = 16;

/// `tcpi_ecn_mode` of RFC 3168, in the bit field that has it.
const MODE_RFC3168: u32 = if cfg!(target_endian = "little") {
    1
} else {
    1 << 30
};

#[cfg(CONFIG_MY_NEWTCP_DIAG)]
impl AsRef<[u8]> for Snapshot {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Snapshot {
    #[cfg(CONFIG_MY_NEWTCP_DIAG)]
    /// Octets in it.
    pub(crate) const LEN: usize = LEN;

    /// The octets.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.0.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    fn put_u32(&mut self, at: usize, value: u32) {
        self.put(at, &value.to_ne_bytes());
    }

    fn put_u64(&mut self, at: usize, value: u64) {
        self.put(at, &value.to_ne_bytes());
    }

    fn put_micros(&mut self, at: usize, value: Delta) {
        self.put_u32(at, u32::try_from(value.as_micros()).unwrap_or(u32::MAX));
    }

    fn put_millis(&mut self, at: usize, value: Delta) {
        self.put_u32(at, u32::try_from(value.as_millis()).unwrap_or(u32::MAX));
    }

    fn fill(&mut self, info: &Info) {
        let bit = |on: bool, bit: u8| if on { bit } else { 0 };
        let scaled = info.snd_wscale != 0 || info.rcv_wscale != 0;
        let options = bit(info.timestamps, OPT_TIMESTAMPS)
            | bit(info.sack, OPT_SACK)
            | bit(scaled, OPT_WSCALE)
            | bit(info.ecn, OPT_ECN)
            | bit(info.ecn && info.received.ecn.has_any(), OPT_ECN_SEEN);
        self.put(at::CA_STATE, &[info.ca_state as u8]);
        self.put(at::RETRANSMITS, &[info.retransmits]);
        self.put(at::PROBES, &[info.probes]);
        self.put(at::BACKOFF, &[info.backoff]);
        self.put(at::OPTIONS, &[options]);
        self.put(at::WSCALE, &[info.snd_wscale | info.rcv_wscale << 4]);
        self.put_micros(at::RTO, info.rto);
        self.put_micros(at::ATO, info.ato);
        self.put_u32(at::SND_MSS, info.snd_mss);
        self.put_u32(at::RCV_MSS, info.rcv_mss);
        self.fill_segments(info);
        self.fill_repairs(info);
        self.put_millis(at::LAST_DATA_SENT, info.last_data_sent);
        self.put_millis(at::LAST_DATA_RECV, info.last_data_received);
        self.put_millis(at::LAST_ACK_RECV, info.last_received);
        self.put_micros(at::RTT, info.rtt);
        self.put_micros(at::RTTVAR, info.rttvar);
        self.put_u32(at::ADVMSS, info.advmss);
        self.put_u64(at::BYTES_ACKED, info.sent.acknowledged);
        self.fill_counts(info);
        self.put_u64(at::BYTES_RECEIVED, info.received.octets);
        self.put_u32(at::NOTSENT, info.notsent);
        self.put_micros(at::MIN_RTT, info.min_rtt);
        self.put_u32(at::RCV_SSTHRESH, info.rcv_ssthresh);
        self.put_micros(at::RCV_RTT, info.rcv_rtt);
        self.put_u32(at::RCV_SPACE, info.rcv_space);
        self.put_u32(at::SEGS_IN, info.received.segments);
        self.put_u32(at::DATA_SEGS_IN, info.received.data_segments);
        self.put_u32(at::RCV_OOOPACK, info.received.out_of_order);
        self.fill_rates(info);
        self.fill_ecn(info);
    }

    /// What the peer and the path say of congestion. The `delivered` ones in octets are of
    /// another way to say it, RFC 9768.
    fn fill_ecn(&mut self, info: &Info) {
        self.put_u32(at::RECEIVED_CE, info.received.ecn.marked);
        for (place, octets) in info.received.ecn.octets.into_iter().enumerate() {
            self.put_u32(at::RECEIVED_ECN_BYTES + 4 * place, octets);
        }
        if info.ecn {
            self.put_u32(at::MODES, MODE_RFC3168);
        }
    }

    /// How fast it goes, and what it waits for.
    fn fill_rates(&mut self, info: &Info) {
        self.put(at::APP_LIMITED, &[u8::from(info.delivery_rate_app_limited)]);
        self.put_u64(at::PACING_RATE, info.pacing_rate);
        self.put_u64(at::DELIVERY_RATE, info.delivery_rate);
        self.put_u64(at::BUSY_TIME, info.busy.as_micros());
        self.put_u64(at::RWND_LIMITED, info.window_limited.as_micros());
        self.put_u64(at::SNDBUF_LIMITED, info.buffer_limited.as_micros());
        self.put_u32(at::DELIVERED, info.delivered);
        self.put_u32(at::DELIVERED_CE, info.delivered_ce);
    }

    fn fill_repairs(&mut self, info: &Info) {
        self.put_u32(at::REORDERING, info.reordering);
        self.put_u32(at::TOTAL_RETRANS, info.total_retrans);
        self.put_u64(at::BYTES_RETRANS, info.bytes_retrans);
        self.put_u32(at::DSACK_DUPS, info.dsack_dups);
        self.put_u32(at::REORD_SEEN, info.reord_seen);
        self.put(at::TOTAL_RTO, &info.total_rto.to_ne_bytes());
        let recoveries = info.total_rto_recoveries.to_ne_bytes();
        self.put(at::TOTAL_RTO_RECOVERIES, &recoveries);
        self.put_u32(at::TOTAL_RTO_TIME, info.total_rto_time);
    }

    fn fill_counts(&mut self, info: &Info) {
        self.put_u32(at::SEGS_OUT, info.sent.segments);
        self.put_u32(at::DATA_SEGS_OUT, info.sent.data_segments);
        self.put_u64(at::BYTES_SENT, info.sent.octets);
    }

    /// What is counted in segments there and in octets here.
    fn fill_segments(&mut self, info: &Info) {
        let segments = |octets: u32| octets.div_ceil(info.snd_mss.max(1));
        self.put_u32(at::UNACKED, segments(info.unacked));
        self.put_u32(at::SACKED, segments(info.sacked));
        self.put_u32(at::LOST, segments(info.lost));
        self.put_u32(at::RETRANS, segments(info.retrans));
        self.put_u32(at::SND_SSTHRESH, segments(info.ssthresh));
        self.put_u32(at::SND_CWND, segments(info.cwnd));
    }
}

/// What TCP_INFO says now.
pub(crate) fn snapshot(sk: &mut Locked<'_>) -> Snapshot {
    let mut snapshot = Snapshot([0; LEN]);
    snapshot.put(at::STATE, &[sk.state()]);
    let no_limit = u64::MAX;
    snapshot.put_u64(at::PACING_RATE, no_limit);
    snapshot.put_u64(at::MAX_PACING_RATE, sk.max_pacing_rate());
    let info = with_connection(sk, |connection, cx| connection.info(cx.now, cx.config));
    if let Some(info) = info {
        snapshot.fill(&info);
        snapshot.put_u32(at::PMTU, sk.mtu());
        snapshot.put_u32(at::SND_WND, info.snd_wnd);
        snapshot.put_u32(at::RCV_WND, info.rcv_wnd);
    }
    snapshot
}
