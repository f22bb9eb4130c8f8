// SPDX-License-Identifier: GPL-2.0

//! The sending half of a connection.
//!
//! - [`window`]: the peer's window, SND.WND;
//! - [`transmit`]: how much of the queue may go now (silly window avoidance, Nagle, superpackets);
//! - [`delivery`]: what one acknowledgment tells;
//! - [`scoreboard`]: what of it has arrived and what is under way;
//! - [`rack`]: which of it is lost;
//! - [`tlp`]: probes where nothing else would tell;
//! - [`pacing`]: how fast to send it;
//! - [`rate`], [`chrono`]: how fast it arrives, and what time goes by with;
//! - [`recovery`]: the phases of loss recovery;
//! - [`prr`]: what may be sent in them;
//! - [`undo`]: taking them back;
//! - [`rtt`]: round-trip time and retransmission time-out;
//! - [`pmtu`]: the largest segment that the path takes, by trying;
//! - [`persist`]: patience with a closed window and with a silent peer;
//! - [`tally`]: counts for `TCP_INFO`.

pub mod chrono;
pub mod delivery;
pub mod pacing;
pub mod persist;
pub mod pmtu;
pub mod prr;
pub mod rack;
pub mod rate;
pub mod recovery;
pub mod rtt;
pub mod scoreboard;
pub mod tally;
pub mod tlp;
pub mod transmit;
pub mod undo;
pub mod window;

use crate::engine::config::{
    Config,
    Parameters, //
};
use crate::engine::dormant::{
    Packed,
    Packer,
    Unpacker, //
};
use crate::engine::send::chrono::Chronometer;
use crate::engine::send::pacing::Pacer;
use crate::engine::send::persist::Patience;
use crate::engine::send::pmtu::PathMtu;
use crate::engine::send::prr::Prr;
use crate::engine::send::rack::Rack;
use crate::engine::send::rate::DeliveryRate;
use crate::engine::send::recovery::Recovery;
use crate::engine::send::rtt::RttEstimator;
use crate::engine::send::scoreboard::Scoreboard;
use crate::engine::send::tally::Tally;
use crate::engine::send::tlp::Tlp;
use crate::engine::send::undo::Undo;
use crate::engine::send::window::SendWindow;
use crate::engine::seq::{
    Mss,
    SeqNum, //
};
use crate::engine::time::{
    Delta,
    Instant, //
};

/// The send sequence variables and what hangs on them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Send {
    /// ISS.
    pub(crate) iss: SeqNum,
    /// SND.UNA.
    pub(crate) una: SeqNum,
    /// SND.NXT. It never goes back: what is sent again is chosen on the scoreboard.
    pub(crate) nxt: SeqNum,
    /// The sequence number after the last octet that the user has queued; our FIN's number once
    /// the user has shut the sending side down.
    pub(crate) write_seq: SeqNum,
    /// The peer's window.
    pub(crate) window: SendWindow,
    /// What a segment carries.
    pub(crate) size: SegmentSize,
    /// What the path takes.
    pub(crate) pmtu: PathMtu,
    /// What has arrived, and what is under way.
    pub(crate) board: Scoreboard,
    /// Phase of loss recovery.
    pub(crate) recovery: Recovery,
    /// Loss detection by time.
    pub(crate) rack: Rack,
    /// Tail loss probes.
    pub(crate) tlp: Tlp,
    /// Proportional rate reduction.
    pub(crate) prr: Prr,
    /// What to take back of the last reduction, should it have been a mistake.
    pub(crate) undo: Undo,
    /// Round-trip time.
    pub(crate) rtt: RttEstimator,
    /// Counts of repairs.
    pub(crate) tally: Tally,
    /// How long we go on without an answer.
    pub(crate) patience: Patience,
    /// How fast to send.
    pub(crate) pacer: Pacer,
    /// How fast it arrives.
    pub(crate) rate: DeliveryRate,
    /// What time goes by with.
    pub(crate) chrono: Chronometer,
    /// Segments delivered, and those of them delivered with a mark of congestion.
    pub(crate) delivered: u32,
    pub(crate) delivered_ce: u32,
    /// End of the last transmission that was shorter than a full segment (Minshall's variant of
    /// Nagle's algorithm).
    pub(crate) small_end: SeqNum,
    /// When the last data was sent.
    pub(crate) last_sent_at: Instant,
    /// When SND.UNA last advanced.
    pub(crate) last_acked_at: Instant,
    /// When our SYN or FIN, whichever is under way, was last sent.
    pub(crate) control_sent_at: Instant,
    /// The SYN or FIN must be sent again.
    pub(crate) control_lost: bool,
    /// How often our SYN was sent again.
    pub(crate) syn_repeats: u8,
    /// Our SYN is acknowledged: from then on all numbers are those of data or of the FIN.
    pub(crate) syn_acked: bool,
    /// The user said that more data follows at once.
    pub(crate) more: bool,
    /// The congestion window, not the user or the peer, is what held data back last time.
    pub(crate) cwnd_limited: bool,
    /// The peer's window is.
    pub(crate) window_limited: bool,
    /// A partial segment was held back long enough.
    pub(crate) force_partial: bool,
    /// A probe without data must be sent, to make the peer say where it stands.
    pub(crate) probe_due: bool,
}

crate::engine::dormant::packed! {
    struct Send {
        iss, una, nxt, write_seq, window, size, pmtu, board, recovery, rack, tlp, prr, undo, rtt,
        tally, patience, pacer, rate, chrono, delivered, delivered_ce, small_end, last_sent_at,
        last_acked_at, control_sent_at, control_lost, syn_repeats, syn_acked, more, cwnd_limited,
        window_limited, force_partial, probe_due,
    }
}

/// What limits the payload of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentSize {
    /// From the path's MTU, options not subtracted.
    path: Mss,
    /// What the peer announced.
    pub(crate) peer: Mss,
    /// Neither of them makes it less than this.
    floor: Mss,
    /// Octets of options in every segment.
    pub(crate) options: u16,
    /// Largest superpacket.
    gso_max: u32,
    /// Segments of the largest superpacket.
    gso_segments: u32,
    /// What follows from all this: of one segment, and of a superpacket of whole ones.
    mss: Mss,
    goal: u32,
}

impl Packed for SegmentSize {
    fn pack(&self, to: &mut Packer) {
        let Self {
            path,
            peer,
            floor,
            options,
            gso_max,
            gso_segments,
            mss: _,
            goal: _,
        } = self;
        path.pack(to);
        peer.pack(to);
        floor.pack(to);
        options.pack(to);
        gso_max.pack(to);
        gso_segments.pack(to);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Self {
        let path = Packed::unpack(from);
        let mut size = Self {
            path,
            peer: Packed::unpack(from),
            floor: Packed::unpack(from),
            options: Packed::unpack(from),
            gso_max: Packed::unpack(from),
            gso_segments: Packed::unpack(from),
            mss: path,
            goal: 0,
        };
        size.follow();
        size
    }
}

impl SegmentSize {
    /// Without options.
    fn new(path: Mss, peer: Mss, floor: Mss, gso_max: u32) -> Self {
        let mut size = Self {
            path,
            peer,
            floor,
            options: 0,
            gso_max,
            gso_segments: u32::MAX,
            mss: path,
            goal: 0,
        };
        size.follow();
        size
    }

    /// The path takes another size.
    pub(crate) fn set_path(&mut self, path: Mss) {
        self.path = path;
        self.follow();
    }

    /// The peer has announced a size.
    pub(crate) fn set_peer(&mut self, peer: Mss) {
        self.peer = peer;
        self.follow();
    }

    /// Every segment has so many octets of options.
    pub(crate) fn set_options(&mut self, octets: u16) {
        self.options = octets;
        self.follow();
    }

    /// The device takes superpackets of so many octets and segments.
    pub(crate) fn set_superpacket(&mut self, octets: u32, segments: u32) {
        if (octets, segments) != (self.gso_max, self.gso_segments) {
            (self.gso_max, self.gso_segments) = (octets, segments);
            self.follow();
        }
    }

    fn follow(&mut self) {
        self.mss = self
            .path
            .smallest(self.peer)
            .largest(self.floor)
            .less_options(self.options);
        let mss = self.mss.octets();
        let segments = (self.gso_max / mss).min(self.gso_segments);
        self.goal = segments.max(1).saturating_mul(mss);
    }

    /// Eff.snd.MSS of RFC 9293, 3.7.1.
    #[inline]
    pub(crate) fn mss(&self) -> Mss {
        self.mss
    }

    /// Octets of the largest superpacket of whole segments, at least one segment.
    #[inline]
    pub(crate) fn goal(&self) -> u32 {
        self.goal
    }
}

impl Send {
    /// Nothing sent yet.
    #[inline(always)]
    pub(crate) fn new(config: &Config, parameters: &Parameters) -> Self {
        let iss = parameters.iss;
        let first = iss.plus(1);
        Self {
            iss,
            una: iss,
            nxt: iss,
            write_seq: first,
            window: SendWindow::new(),
            size: SegmentSize::new(
                parameters.path_mss,
                parameters.default_mss,
                Mss::new(config.min_snd_mss),
                parameters.gso_max_size,
            ),
            pmtu: PathMtu::new(parameters.path_mss),
            board: Scoreboard::new(first),
            recovery: Recovery::new(iss),
            rack: Rack::new(iss, config),
            tlp: Tlp::new(),
            prr: Prr::IDLE,
            undo: Undo::new(iss),
            rtt: RttEstimator::new(),
            tally: Tally::new(),
            patience: Patience::new(),
            pacer: Pacer::new(),
            rate: DeliveryRate::new(),
            chrono: Chronometer::new(),
            delivered: 0,
            delivered_ce: 0,
            small_end: iss,
            last_sent_at: Instant::ZERO,
            last_acked_at: Instant::ZERO,
            control_sent_at: Instant::ZERO,
            control_lost: false,
            syn_repeats: 0,
            syn_acked: false,
            more: false,
            cwnd_limited: false,
            window_limited: false,
            force_partial: false,
            probe_due: false,
        }
    }

    /// Octets queued and never sent.
    pub(crate) fn unsent(&self) -> u32 {
        self.write_seq.saturating_distance_from(self.data_nxt())
    }

    /// SND.NXT, but on the octets of data: our SYN and our FIN do not count.
    pub(crate) fn data_nxt(&self) -> SeqNum {
        if self.syn_acked {
            self.nxt.earliest(self.write_seq)
        } else {
            self.iss.plus(1)
        }
    }

    /// SND.UNA on the octets of data.
    pub(crate) fn data_una(&self) -> SeqNum {
        if self.syn_acked {
            self.una.earliest(self.write_seq)
        } else {
            self.iss.plus(1)
        }
    }

    /// SND.UNA has advanced. What only remembers a number behind it follows, because in 2^31
    /// octets that number would seem to lie ahead.
    pub(crate) fn refresh(&mut self) {
        self.small_end = self.small_end.latest(self.una);
        self.recovery.refresh(self.una);
        self.undo.refresh(self.una);
    }

    /// Octets of data sent and not cumulatively acknowledged, FlightSize of RFC 5681.
    pub(crate) fn flight_size_bytes(&self) -> u32 {
        self.data_nxt().saturating_distance_from(self.data_una())
    }

    /// Octets of data that have arrived, as far as we know.
    pub(crate) fn delivered_bytes(&self) -> u32 {
        let acked = self.data_una().distance_from(self.iss.plus(1));
        acked.wrapping_add(self.board.sacked)
    }

    /// Octets of data that are held to be in the network.
    pub(crate) fn pipe_bytes(&self) -> u32 {
        let duplicates = self.recovery.dup_acked_bytes(self.size.mss());
        self.board
            .pipe_bytes(self.flight_size_bytes())
            .saturating_sub(duplicates)
    }

    /// The time to note of a transmission of data now. What is sent `again` gets one of its own,
    /// so that the order of transmissions is that of their times, and of their numbers where the
    /// times are equal, though the clock may stand still between two calls.
    pub(crate) fn stamp(&mut self, now: Instant, again: bool) -> Instant {
        let least = if again {
            self.last_sent_at.after(Delta::from_nanos(1))
        } else {
            self.last_sent_at
        };
        self.last_sent_at = now.max(least);
        self.last_sent_at
    }

    /// Something is sent and not acknowledged, be it SYN, data or FIN.
    pub(crate) fn has_outstanding(&self) -> bool {
        self.una != self.nxt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn superpackets_are_whole_segments() {
        let sized = |gso_max| {
            let mut size = SegmentSize::new(Mss::new(1460), Mss::new(1400), Mss::MIN, gso_max);
            size.set_options(12);
            size
        };
        let size = sized(65_536);
        assert_eq!(size.mss().octets(), 1388);
        assert_eq!(size.goal() % 1388, 0);
        assert!(size.goal() <= 65_536);
        assert_eq!(sized(5).goal(), 1388);
        let limited = |octets, segments| {
            let mut size = size;
            size.set_superpacket(octets, segments);
            size.goal()
        };
        assert_eq!(limited(65_536, 3), 3 * 1388);
        assert_eq!(limited(3000, 65_535), 2 * 1388);
        assert_eq!(limited(0, 0), 1388);
    }
}
