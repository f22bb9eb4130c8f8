// SPDX-License-Identifier: GPL-2.0

//! TIME-WAIT: remembers a closed connection until its last segments must have died out.

use crate::engine::config::Config;
use crate::engine::recv::PeerClock;
use crate::engine::seq::SeqNum;
use crate::engine::time::{
    Delta,
    Instant, //
};
use crate::engine::wire::{
    Control,
    Segment,
    Transmit, //
};

/// What a connection leaves behind when it was the one to close first: enough to acknowledge the
/// peer's FIN again, and to tell a new incarnation from an old duplicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWait {
    /// SND.NXT, behind our FIN.
    snd_nxt: SeqNum,
    /// RCV.NXT, behind the peer's FIN.
    rcv_nxt: SeqNum,
    /// The window field to send.
    window: u16,
    /// The timestamps state.
    timestamps: Option<PeerClock>,
    /// When to forget it.
    deadline: Instant,
    /// When the last answer to an unacceptable segment was sent.
    answered_at: Instant,
}

/// What to do after a segment reached TIME-WAIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeWaitVerdict {
    /// Nothing to do.
    Drop,
    /// Send this acknowledgment. The deadline may have moved: ask again.
    Ack(Transmit),
    /// A SYN that begins a new incarnation: if somebody listens, forget this object and treat the
    /// segment as new, with an ISS at `iss_floor` or after it; if nobody does, drop the segment.
    Reuse {
        /// The lowest ISS that the new incarnation may use.
        iss_floor: SeqNum,
    },
}

impl TimeWait {
    /// Room for every window that the old incarnation may have had under way.
    const ISS_DISTANCE: u32 = 65_535 + 2;
    /// Answers to unacceptable segments are no more frequent than this.
    const ANSWER_INTERVAL: Delta = Delta::from_millis(500);

    /// A connection has closed, with these numbers.
    pub(crate) fn new(
        now: Instant,
        config: &Config,
        snd_nxt: SeqNum,
        rcv_nxt: SeqNum,
        timestamps: Option<PeerClock>,
    ) -> Self {
        Self {
            snd_nxt,
            rcv_nxt,
            window: u16::MAX,
            timestamps,
            deadline: now.after(config.time_wait),
            answered_at: Instant::ZERO,
        }
    }

    /// When to forget it.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// SND.NXT of the connection that was.
    pub fn snd_nxt(&self) -> SeqNum {
        self.snd_nxt
    }

    /// RCV.NXT of the connection that was.
    pub fn rcv_nxt(&self) -> SeqNum {
        self.rcv_nxt
    }

    /// The acknowledgment of everything that the peer ever sent.
    pub fn acknowledge(&self, now: Instant) -> Transmit {
        let mut transmit = Transmit::bare(self.snd_nxt, Some(self.rcv_nxt), Control::None);
        transmit.window = self.window;
        transmit.options.timestamps = self.timestamps.map(|clock| clock.option(now));
        transmit
    }

    /// A segment of the old connection's addresses and ports has arrived (RFC 9293, 3.10.7.4, as
    /// amended by RFC 1337 and RFC 6191).
    pub fn on_segment(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &Segment,
    ) -> TimeWaitVerdict {
        match segment.control {
            // "Ignore RST segments in TIME-WAIT state." (RFC 1337, section 3, F1)
            Control::Rst => TimeWaitVerdict::Drop,
            Control::Syn => self.on_syn(now, segment),
            Control::None | Control::Fin => self.on_other(now, config, segment),
        }
    }

    fn on_syn(&mut self, now: Instant, segment: &Segment) -> TimeWaitVerdict {
        let newer_clock = match (self.timestamps, segment.options.timestamps) {
            (Some(clock), Some(ts)) => clock.recent.wrapping_sub(ts.val) as i32 <= -1,
            (Some(_), None) | (None, Some(_)) | (None, None) => false,
        };
        if segment.ack.is_none() && (newer_clock || segment.seq.after(self.rcv_nxt)) {
            return TimeWaitVerdict::Reuse {
                iss_floor: self.snd_nxt.plus(Self::ISS_DISTANCE),
            };
        }
        self.answer(now)
    }

    fn on_other(&mut self, now: Instant, config: &Config, segment: &Segment) -> TimeWaitVerdict {
        let old = match (self.timestamps, segment.options.timestamps) {
            (Some(clock), Some(ts)) => clock.rejects(now, ts.val),
            (Some(_), None) | (None, Some(_)) | (None, None) => false,
        };
        if old || segment.ack.is_none() {
            return self.answer(now);
        }
        // "The only thing that can arrive in this state is a retransmission of the remote FIN.
        // Acknowledge it, and restart the 2 MSL timeout." (RFC 9293, 3.10.7.4)
        if segment.control == Control::Fin && segment.end() == self.rcv_nxt {
            self.deadline = now.after(config.time_wait);
            return TimeWaitVerdict::Ack(self.acknowledge(now));
        }
        if segment.is_empty() && segment.seq == self.rcv_nxt {
            return TimeWaitVerdict::Drop;
        }
        self.answer(now)
    }

    /// An unacceptable segment is told what we have, but not at any rate that the peer likes: two
    /// hosts that both think the other is wrong would otherwise never stop.
    fn answer(&mut self, now: Instant) -> TimeWaitVerdict {
        if self.answered_at != Instant::ZERO && now.since(self.answered_at) < Self::ANSWER_INTERVAL
        {
            return TimeWaitVerdict::Drop;
        }
        self.answered_at = now;
        TimeWaitVerdict::Ack(self.acknowledge(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::wire::Ports;

    const CONFIG: Config = Config::DEFAULT;
    const NOW: Instant = Instant::from_nanos(1 << 40);

    fn time_wait() -> TimeWait {
        TimeWait::new(NOW, &CONFIG, SeqNum::new(500), SeqNum::new(900), None)
    }

    fn segment(seq: u32, ack: Option<u32>, control: Control) -> Segment {
        Transmit::bare(SeqNum::new(seq), ack.map(SeqNum::new), control)
            .as_received(Ports { src: 1, dst: 2 })
    }

    #[test]
    fn fin_again_is_acknowledged_and_restarts_the_wait() {
        let mut tw = time_wait();
        let later = NOW.after(Delta::from_secs(10));
        let fin = segment(899, Some(500), Control::Fin);
        let TimeWaitVerdict::Ack(ack) = tw.on_segment(later, &CONFIG, &fin) else {
            panic!("no acknowledgment");
        };
        assert_eq!(
            (ack.seq, ack.ack),
            (SeqNum::new(500), Some(SeqNum::new(900)))
        );
        assert_eq!(tw.deadline(), later.after(CONFIG.time_wait));
    }

    #[test]
    fn resets_are_ignored_and_a_newer_syn_may_reuse() {
        let mut tw = time_wait();
        let rst = segment(900, None, Control::Rst);
        assert_eq!(tw.on_segment(NOW, &CONFIG, &rst), TimeWaitVerdict::Drop);
        let syn = segment(901, None, Control::Syn);
        let TimeWaitVerdict::Reuse { iss_floor } = tw.on_segment(NOW, &CONFIG, &syn) else {
            panic!("not reusable");
        };
        assert!(iss_floor.after(SeqNum::new(500 + 65_535)));
        let old = segment(100, None, Control::Syn);
        assert!(matches!(
            tw.on_segment(NOW, &CONFIG, &old),
            TimeWaitVerdict::Ack(_)
        ));
        assert_eq!(tw.on_segment(NOW, &CONFIG, &old), TimeWaitVerdict::Drop);
    }
}
