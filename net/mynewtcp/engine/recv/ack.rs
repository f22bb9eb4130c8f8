// SPDX-License-Identifier: GPL-2.0

//! When to acknowledge: at once, with the next data, or a little later (RFC 9293, 3.8.6.3).
//!
//! - [`stretch`]: several superpackets at once, where nobody waits for it.

pub(crate) mod stretch;

use crate::engine::config::Config;
use crate::engine::recv::ack::stretch::Stretch;
use crate::engine::seq::{
    Mss,
    SeqNum, //
};
use crate::engine::time::{
    Delta,
    Instant, //
};

/// How urgent an acknowledgment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgency {
    /// The peer knows all we have.
    None,
    /// May wait for data to travel with, until the timer runs out.
    Delayed,
    /// Must go now.
    Now,
}

crate::engine::dormant::packed!(
    enum Urgency {
        None,
        Delayed,
        Now,
    }
);

/// What the policy wants to know of a segment with payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Octets of payload in one segment.
    pub(crate) segment_len: u32,
    /// It has the PSH bit: it may be short because the sender had no more.
    pub(crate) pushed: bool,
}

/// What is known of the path and of patience with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Smoothed round-trip time, zero if unknown.
    pub(crate) srtt: Delta,
    /// Our retransmission time-out, which stands for the peer's.
    pub(crate) rto: Delta,
}

/// What may be expected of those at both ends, the user who reads and the sender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outlook {
    /// The user waits for data, and reads it at once.
    pub(crate) reader_waits: bool,
    /// What an acknowledgment of two full segments or more waits for.
    pub(crate) wait: Wait,
}

/// What is worth waiting for with an acknowledgment of two full segments or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Nothing.
    No,
    /// That the user reads: it is so far behind that the window shrinks.
    ForRoom,
    /// More data.
    ForMore,
}

/// Decides between delayed and immediate acknowledgments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AckPolicy {
    /// Last.ACK.sent of RFC 7323.
    pub(crate) last_sent: SeqNum,
    /// RCV.NXT when the user last had read everything.
    read_to: SeqNum,
    /// When data last arrived, zero if never.
    last_data_at: Instant,
    /// Delayed acknowledgment time-out, adapts to the pace of arrivals.
    ato: Delta,
    /// The payload of the peer's full segments, estimated.
    pub(crate) peer_mss: u16,
    /// The payload of its last segment.
    last_len: u16,
    /// What it can be at most: the MSS that we announced.
    advertised_mss: u16,
    /// Acknowledgments still to send at once, so that a new sender's slow start is not slowed.
    quick: u8,
    /// Our side answers with data, so that acknowledgments travel with it.
    interactive: bool,
    /// What goes at once may wait until the user, who is just being told of the data, has
    /// answered it or waits for more.
    forbearing: bool,
    /// It does so now.
    promised: bool,
    urgency: Urgency,
    stretch: Stretch,
}

crate::engine::dormant::packed! {
    struct AckPolicy {
        last_sent, read_to, last_data_at, ato, peer_mss, last_len, advertised_mss, quick,
        interactive, forbearing, promised, urgency, stretch,
    }
}

impl AckPolicy {
    /// Immediate acknowledgments at the start of a connection.
    const QUICK_AT_START: u8 = 16;
    const PEER_MSS_AT_START: u16 = 536;
    /// An acknowledgment that waits for the reader waits so many times half as long as others.
    const PROMISE: u32 = 3;
    /// Shorter segments are not held to be full, unless they end with no PSH bit; those shorter
    /// than the second number never are.
    const TELLING: u32 = 536;
    const LEAST_TELLING: u32 = 88;

    pub(crate) fn new(advertised_mss: Mss) -> Self {
        Self {
            last_sent: SeqNum::new(0),
            read_to: SeqNum::new(0),
            last_data_at: Instant::ZERO,
            ato: Delta::ZERO,
            peer_mss: Self::PEER_MSS_AT_START.min(advertised_mss.field()),
            last_len: 0,
            advertised_mss: advertised_mss.field(),
            quick: Self::QUICK_AT_START,
            interactive: false,
            forbearing: true,
            promised: false,
            urgency: Urgency::None,
            stretch: Stretch::NONE,
        }
    }

    /// The peer's SYN came.
    pub(crate) fn on_synchronized(&mut self, nxt: SeqNum) {
        self.last_sent = nxt;
        self.read_to = nxt;
    }

    /// An acknowledgment must go now.
    pub(crate) fn now(&mut self) {
        self.urgency = Urgency::Now;
    }

    /// An acknowledgment must go now.
    pub(crate) fn is_now(&self) -> bool {
        self.urgency == Urgency::Now
    }

    /// An acknowledgment is owed, now or later.
    pub(crate) fn is_owed(&self) -> bool {
        self.urgency != Urgency::None
    }

    /// The user wants (or no longer wants) acknowledgments at once.
    pub(crate) fn set_quick(&mut self, on: bool) {
        self.quick = if on { Self::QUICK_AT_START } else { 0 };
        self.interactive = !on;
        self.forbearing &= !on;
        self.stretch.begin_again();
        if on && self.is_owed() {
            self.now();
        }
    }

    /// The user gets acknowledgments at once (`TCP_QUICKACK`).
    pub(crate) fn is_quick(&self) -> bool {
        !self.interactive
    }

    /// The next acknowledgments go at once: the sender seems to have missed some.
    pub(crate) fn enter_quick(&mut self) {
        self.quick = self.quick.max(Self::QUICK_AT_START);
        self.interactive = false;
        self.forbearing = false;
        self.ato = Delta::ZERO;
        self.stretch.begin_again();
    }

    /// Data has come that leaves a gap: the sender is about to send less and to wait for more.
    pub(crate) fn on_gap(&mut self) {
        self.stretch.begin_again();
        self.now();
    }

    /// There is no room to hurry the sender into.
    pub(crate) fn leave_quick(&mut self) {
        self.quick = 0;
    }

    /// The window has grown, and the sender should know.
    pub(crate) fn once_quick(&mut self) {
        self.quick = self.quick.max(1);
    }

    /// Delayed acknowledgment time-out now.
    pub(crate) fn ato(&self) -> Delta {
        self.ato
    }

    /// When data last arrived, zero if never.
    pub(crate) fn last_data_at(&self) -> Instant {
        self.last_data_at
    }

    /// In-order data has arrived and RCV.NXT is `nxt` now. Returns when the acknowledgment is due
    /// at the latest, if it may wait.
    ///
    ///   "The delay MUST be less than 0.5 seconds" and "An ACK SHOULD be generated for at least
    ///   every second full-sized segment" (RFC 9293, 3.8.6.3)
    ///
    /// The latter waits too while it is the [reader](Self::waits_for_room) who is behind: the
    /// window would have to be told again as soon as there is room for more. And it waits for
    /// [more of them](Self::stretches) from a sender close by that does not wait for it.
    #[must_use]
    pub(crate) fn on_data(
        &mut self,
        now: Instant,
        config: &Config,
        pace: Pace,
        nxt: SeqNum,
        outlook: Outlook,
    ) -> Option<Instant> {
        self.adapt(now, config, pace);
        if config.always_quick {
            self.now();
        } else if self.quick > 0 && !self.interactive {
            self.quick -= 1;
            // A request, or an answer: its reader soon says more than an acknowledgment would.
            let is_short = nxt.distance_from(self.last_sent) < u32::from(self.peer_mss);
            if self.forbearing && outlook.reader_waits && is_short && !self.is_now() {
                self.promised = true;
                self.urgency = Urgency::Delayed;
                return Some(now.after(config.delack_min.halved(Self::PROMISE)));
            }
            self.now();
        } else if outlook.wait == Wait::No && self.owes_two(nxt) {
            self.now();
        }
        match self.urgency {
            Urgency::Now => None,
            Urgency::None | Urgency::Delayed => {
                self.urgency = Urgency::Delayed;
                let delay = match outlook.wait {
                    Wait::No => self.delay(config, pace),
                    Wait::ForRoom => Self::patience(config, pace.srtt),
                    Wait::ForMore => Self::patience(config, Delta::ZERO),
                };
                Some(now.after(delay))
            }
        }
    }

    /// The peer's FIN has arrived in order and RCV.NXT is `nxt` now. Returns when the
    /// acknowledgment is due at the latest, if it may wait. Like Linux' TCP it waits also while
    /// acknowledgments go at once: the peer sends nothing more that they could speed up.
    #[must_use]
    pub(crate) fn on_fin(
        &mut self,
        now: Instant,
        config: &Config,
        pace: Pace,
        nxt: SeqNum,
    ) -> Option<Instant> {
        if self.is_now() || self.owes_two(nxt) {
            self.now();
            return None;
        }
        self.interactive = true;
        self.urgency = Urgency::Delayed;
        Some(now.after(self.delay(config, pace)))
    }

    /// An acknowledgment goes [when the reader waits again](Self::on_reader_waits), and not before.
    pub(crate) fn waits_for_reader(&self) -> bool {
        self.promised && self.urgency == Urgency::Delayed
    }

    /// The user has read what there was, has not answered it, and waits for more.
    pub(crate) fn on_reader_waits(&mut self) {
        if self.waits_for_reader() {
            self.now();
        }
    }

    /// An acknowledgment of two full segments or more waits until the reader has made room.
    #[inline]
    pub(crate) fn waits_for_room(&self, nxt: SeqNum) -> bool {
        self.urgency == Urgency::Delayed && self.owes_two(nxt)
    }

    /// Who [owes two](Self::owes_two) full segments or more need not acknowledge them before there
    /// are others. `told` is the window that the peer knows, `min_rtt` the shortest round trip.
    #[inline]
    pub(crate) fn stretches(&self, nxt: SeqNum, told: u32, min_rtt: Delta) -> bool {
        let owed = nxt.distance_from(self.last_sent);
        self.stretch.covers(owed, told, min_rtt)
    }

    /// How long that is at most: less than what the peer, `srtt` away, would take for a loss (two
    /// round trips by RFC 8985, 7.2; 2 ms at least in Linux).
    fn patience(config: &Config, srtt: Delta) -> Delta {
        let least = Delta::from_millis(1).min(config.delack_min);
        srtt.halved(1).clamped(least, config.delack_min)
    }

    /// Two full segments or more are not acknowledged.
    pub(crate) fn owes_two(&self, nxt: SeqNum) -> bool {
        let full = u32::from(self.peer_mss);
        nxt.distance_from(self.last_sent) >= full.saturating_mul(2)
    }

    /// The user has read everything up to RCV.NXT, which is `nxt`. If that was a burst, its odd
    /// segment has no second one to wait for: the sender waits for its acknowledgment, unless it
    /// [does not](Self::stretches).
    pub(crate) fn on_all_read(&mut self, nxt: SeqNum, stretches: bool) {
        let full = u32::from(self.peer_mss);
        let burst = nxt.distance_from(self.read_to) > full.saturating_mul(2);
        self.read_to = nxt;
        let is_odd = nxt.distance_from(self.last_sent) >= full && !stretches;
        if self.urgency == Urgency::Delayed && burst && is_odd && !self.interactive {
            self.now();
        }
    }

    /// How long an acknowledgment waits: no longer than a round trip takes, for that is what it
    /// would cost a sender who waits for it.
    fn delay(&self, config: &Config, pace: Pace) -> Delta {
        let least = config.delack_min.min(config.delack_max);
        let most = if pace.srtt == Delta::ZERO || self.interactive {
            config.delack_max
        } else {
            pace.srtt.clamped(least, config.delack_max)
        };
        self.ato.clamped(least, most)
    }

    /// A segment with payload has come. True if the estimate of full segments has changed, and
    /// this one is full.
    #[must_use]
    pub(crate) fn measure(&mut self, sample: Sample) -> bool {
        let Sample {
            segment_len,
            pushed,
        } = sample;
        let len = segment_len.min(u32::from(self.advertised_mss)) as u16;
        let telling =
            segment_len >= Self::TELLING || (segment_len >= Self::LEAST_TELLING && !pushed);
        // Shorter ones are full if they come in pairs.
        let full = len >= self.peer_mss || (telling && len == self.last_len);
        self.last_len = len;
        if !full || len == self.peer_mss || len == 0 {
            return false;
        }
        self.peer_mss = len;
        true
    }

    /// Follows the pace of arrivals: the time-out need not be longer than what usually passes
    /// until the second segment.
    fn adapt(&mut self, now: Instant, config: &Config, pace: Pace) {
        let gap = now.since(self.last_data_at);
        if self.ato == Delta::ZERO || self.last_data_at == Instant::ZERO {
            self.ato = config.delack_min;
        } else if gap <= config.delack_min.halved(1) {
            self.ato = self.ato.halved(1).plus(config.delack_min.halved(1));
        } else if gap < self.ato {
            self.ato = self.ato.halved(1).plus(gap).min(pace.rto);
        } else if gap > pace.rto {
            // Silence was longer than a sender's patience: it may be in slow start again.
            self.quick = Self::QUICK_AT_START;
            self.interactive = false;
        }
        self.last_data_at = now;
    }

    /// A delayed acknowledgment was not overtaken by data. True if it is still owed.
    pub(crate) fn on_timeout(
        &mut self,
        now: Instant,
        config: &Config,
        pace: Pace,
        nxt: SeqNum,
    ) -> bool {
        if !self.is_owed() {
            return false;
        }
        if nxt == self.last_sent || self.owes_two(nxt) {
            // It has waited for the reader, which says nothing of data, or for more of it.
            self.stretch.on_timeout(now.since(self.last_data_at));
            self.now();
            return true;
        }
        if self.interactive {
            // The user no longer answers.
            self.interactive = false;
            self.ato = config.delack_min;
        } else {
            // The delay was too short for a second segment to come.
            self.ato = self.ato.doubled(1).min(pace.rto);
        }
        self.now();
        true
    }

    /// A segment with an acknowledgment of `nxt` is being sent.
    pub(crate) fn on_sent(&mut self, now: Instant, nxt: SeqNum, with_data: bool) {
        // Data that follows data so soon is an answer, and the next one will be.
        let answers = self.last_data_at != Instant::ZERO && now.since(self.last_data_at) < self.ato;
        if with_data && answers {
            self.interactive = true;
        }
        if !with_data && self.owes_two(nxt) {
            self.stretch.on_ack(nxt.distance_from(self.last_sent));
        }
        self.urgency = Urgency::None;
        self.promised = false;
        self.last_sent = nxt;
    }
}

#[cfg(test)]
mod tests;
