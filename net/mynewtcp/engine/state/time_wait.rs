// SPDX-License-Identifier: GPL-2.0

//! TIME-WAIT: remembers a closed connection until its last segments must have died out.

use crate::engine::config::Config;
use crate::engine::recv::PeerClock;
use crate::engine::seq::SeqNum;
use crate::engine::time::Instant;
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
    /// It deserves an answer, and another had one just now (`TCPACKSkippedTimeWait`).
    Limited,
    /// The peer has reset the old connection: forget this object.
    Forget,
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

    /// When to forget a connection that is over now, and whose peer says nothing more.
    pub(crate) fn deadline_of(now: Instant, config: &Config) -> Instant {
        now.after(config.time_wait)
    }

    /// A connection has closed, with these numbers, and is to be forgotten at `deadline`.
    pub(crate) fn new(
        deadline: Instant,
        snd_nxt: SeqNum,
        rcv_nxt: SeqNum,
        timestamps: Option<PeerClock>,
    ) -> Self {
        Self {
            snd_nxt,
            rcv_nxt,
            window: u16::MAX,
            timestamps,
            deadline,
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
            Control::Rst if config.rfc1337 || segment.seq != self.rcv_nxt => TimeWaitVerdict::Drop,
            Control::Rst => TimeWaitVerdict::Forget,
            Control::Syn => self.on_syn(now, config, segment),
            Control::None | Control::Fin => self.on_other(now, config, segment),
        }
    }

    /// RFC 6191, section 2: a SYN with a newer timestamp begins a new incarnation, and so does one
    /// with a higher sequence number, unless its timestamp is an old one.
    fn on_syn(&mut self, now: Instant, config: &Config, segment: &Segment) -> TimeWaitVerdict {
        let (newer_clock, old) = match (self.timestamps, segment.options.timestamps) {
            (Some(clock), Some(ts)) => {
                let newer = (ts.val.wrapping_sub(clock.recent) as i32) > 0;
                (newer, clock.rejects(now, ts.val))
            }
            (Some(_), None) | (None, Some(_)) | (None, None) => (false, false),
        };
        let higher = segment.seq.after(self.rcv_nxt) && !old;
        if segment.ack.is_none() && (newer_clock || higher) {
            return TimeWaitVerdict::Reuse {
                iss_floor: self.iss_floor(),
            };
        }
        self.answer(now, config)
    }

    /// The lowest ISS of a new incarnation: beyond all that the old one may have under way.
    fn iss_floor(&self) -> SeqNum {
        self.snd_nxt.plus(Self::ISS_DISTANCE)
    }

    /// Our side wants to connect to the same peer from the same port again. The lowest ISS for
    /// that, if timestamps tell the new segments from the old, and the configuration allows it or,
    /// as with Linux' TCP, the user has asked for that very port.
    pub fn on_connect(
        &self,
        now: Instant,
        config: &Config,
        is_loopback: bool,
        is_asked_for: bool,
    ) -> Option<SeqNum> {
        /// `tw_reuse`: yes.
        const ALWAYS: u8 = 1;
        /// `tw_reuse`: over loopback only.
        const LOOPBACK: u8 = 2;
        let allowed = match config.tw_reuse {
            ALWAYS => true,
            LOOPBACK => is_loopback,
            _ => false,
        };
        let clock = self.timestamps?;
        let rested = now.since(clock.recent_at) > config.tw_reuse_delay;
        let may = is_asked_for || (allowed && rested);
        (may && config.timestamps).then(|| self.iss_floor())
    }

    /// The segment's timestamp is older than one that came before (`PAWSTimewait`).
    pub fn is_old(&self, now: Instant, segment: &Segment) -> bool {
        match (self.timestamps, segment.options.timestamps) {
            (Some(clock), Some(ts)) => {
                segment.control != Control::Rst && clock.rejects(now, ts.val)
            }
            (Some(_), None) | (None, Some(_)) | (None, None) => false,
        }
    }

    fn on_other(&mut self, now: Instant, config: &Config, segment: &Segment) -> TimeWaitVerdict {
        if self.is_old(now, segment) || segment.ack.is_none() {
            return self.answer(now, config);
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
        self.answer(now, config)
    }

    /// An unacceptable segment is told what we have, but not at any rate that the peer likes: two
    /// hosts that both think the other is wrong would otherwise never stop.
    fn answer(&mut self, now: Instant, config: &Config) -> TimeWaitVerdict {
        if self.answered_at != Instant::ZERO
            && now.since(self.answered_at) < config.invalid_ratelimit
        {
            return TimeWaitVerdict::Limited;
        }
        self.answered_at = now;
        TimeWaitVerdict::Ack(self.acknowledge(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::time::Delta;
    use crate::engine::wire::{
        Ports,
        Timestamps, //
    };

    const CONFIG: Config = Config::DEFAULT;
    const NOW: Instant = Instant::from_nanos(1 << 40);

    fn until() -> Instant {
        TimeWait::deadline_of(NOW, &CONFIG)
    }

    fn time_wait() -> TimeWait {
        TimeWait::new(until(), SeqNum::new(500), SeqNum::new(900), None)
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
        assert_eq!(tw.on_segment(NOW, &CONFIG, &old), TimeWaitVerdict::Limited);
    }

    #[test]
    fn exact_reset_ends_it_without_rfc_1337() {
        let config = Config {
            rfc1337: false,
            ..CONFIG
        };
        let mut tw = time_wait();
        for (seq, verdict) in [
            (899, TimeWaitVerdict::Drop),
            (901, TimeWaitVerdict::Drop),
            (900, TimeWaitVerdict::Forget),
        ] {
            let rst = segment(seq, None, Control::Rst);
            assert_eq!(tw.on_segment(NOW, &config, &rst), verdict);
        }
    }

    /// One that has last seen 100 on the peer's clock.
    fn with_clock() -> TimeWait {
        let clock = PeerClock {
            recent: 100,
            recent_at: NOW,
            offset: 0,
        };
        TimeWait::new(until(), SeqNum::new(500), SeqNum::new(900), Some(clock))
    }

    #[test]
    fn timestamps_decide_on_reuse_by_a_syn() {
        for (seq, val, reuse) in [
            (100, 101, true),
            (901, 100, true),
            (100, 100, false),
            (901, 99, false),
            (901, 0x8000_0065, false),
        ] {
            let mut syn = segment(seq, None, Control::Syn);
            syn.options.timestamps = Some(Timestamps { val, ecr: 0 });
            let verdict = with_clock().on_segment(NOW, &CONFIG, &syn);
            let reused = matches!(verdict, TimeWaitVerdict::Reuse { .. });
            assert_eq!(reused, reuse, "{seq} {val}");
        }
    }

    #[test]
    fn connect_reuses_with_timestamps_and_after_a_rest() {
        let later = NOW.after(Delta::from_millis(1001));
        let with = |tw_reuse| Config { tw_reuse, ..CONFIG };
        let tw = with_clock();
        let floor = Some(SeqNum::new(500 + 65_537));
        assert_eq!(tw.on_connect(later, &with(1), false, false), floor);
        assert_eq!(tw.on_connect(later, &with(2), true, false), floor);
        assert_eq!(tw.on_connect(later, &with(2), false, false), None);
        assert_eq!(tw.on_connect(later, &with(0), true, false), None);
        let soon = NOW.after(Delta::from_millis(1000));
        assert_eq!(tw.on_connect(soon, &with(1), true, false), None);
        assert_eq!(tw.on_connect(soon, &with(0), false, true), floor);
        assert_eq!(time_wait().on_connect(later, &with(1), true, true), None);
        let bare = Config {
            timestamps: false,
            ..with(1)
        };
        assert_eq!(tw.on_connect(later, &bare, true, true), None);
    }
}
