// SPDX-License-Identifier: GPL-2.0

//! TIME-WAIT: remembers a closed connection until its last segments must have died out. Before
//! that, where nobody can reach the connection any more, FIN-WAIT-2.

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
/// peer's FIN again, and to tell a new incarnation from an old duplicate. The same is enough to
/// wait for that FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWait {
    /// SND.NXT, behind our FIN.
    snd_nxt: SeqNum,
    /// RCV.NXT, behind the peer's FIN if it has come.
    rcv_nxt: SeqNum,
    /// It has not: this is FIN-WAIT-2.
    awaits_fin: bool,
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
    /// There is data for a user who is gone: send this reset and forget the object.
    Reset(Transmit),
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
            awaits_fin: false,
            window: u16::MAX,
            timestamps,
            deadline,
            answered_at: Instant::ZERO,
        }
    }

    /// The same for one whose peer has not closed yet.
    pub(crate) fn half(self) -> Self {
        Self {
            awaits_fin: true,
            ..self
        }
    }

    /// It is in FIN-WAIT-2 still.
    pub fn awaits_fin(&self) -> bool {
        self.awaits_fin
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
        if self.awaits_fin {
            return self.on_segment_in_fin_wait_2(now, config, segment);
        }
        match segment.control {
            // "Ignore RST segments in TIME-WAIT state." (RFC 1337, section 3, F1)
            Control::Rst if config.rfc1337 || segment.seq != self.rcv_nxt => TimeWaitVerdict::Drop,
            Control::Rst => TimeWaitVerdict::Forget,
            Control::Syn => self.on_syn(now, config, segment),
            Control::None | Control::Fin => self.on_other(now, config, segment),
        }
    }

    /// RFC 9293, 3.10.7.4, for FIN-WAIT-2 without a user, with the checks of RFC 5961. What is
    /// beyond the smallest of windows cannot be told from a forgery here, and is answered like one.
    fn on_segment_in_fin_wait_2(
        &mut self,
        now: Instant,
        config: &Config,
        segment: &Segment,
    ) -> TimeWaitVerdict {
        let is_reset = segment.control == Control::Rst;
        let lacks_clock = self.timestamps.is_some() && segment.options.timestamps.is_none();
        if lacks_clock && !is_reset {
            return TimeWaitVerdict::Drop;
        }
        let edge = self.rcv_nxt.plus(u32::from(self.window));
        let begins = !segment.seq.before(self.rcv_nxt) && segment.seq.before(edge);
        let brings = segment.end().after(self.rcv_nxt) && segment.seq.before(edge);
        if self.is_old(now, segment) || !(begins || brings) {
            return if is_reset {
                TimeWaitVerdict::Drop
            } else {
                self.answer(now, config)
            };
        }
        match segment.control {
            Control::Rst if segment.seq == self.rcv_nxt => TimeWaitVerdict::Forget,
            Control::Rst | Control::Syn => self.answer(now, config),
            Control::None | Control::Fin => match segment.ack {
                None => TimeWaitVerdict::Drop,
                Some(ack) if ack.after(self.snd_nxt) => self.answer(now, config),
                Some(_) if segment.end() == segment.seq => TimeWaitVerdict::Drop,
                Some(_) => self.on_news(now, config, segment),
            },
        }
    }

    /// The peer has closed, or sends more:
    ///
    ///   "if new data is received after CLOSE is called, its TCP implementation SHOULD send a RST
    ///   to show that data was lost (SHLD-3)." (RFC 9293, 3.6.1)
    fn on_news(&mut self, now: Instant, config: &Config, segment: &Segment) -> TimeWaitVerdict {
        let fin_alone = segment.control == Control::Fin
            && segment.seq.before_or_eq(self.rcv_nxt)
            && segment.end() == self.rcv_nxt.plus(1);
        if !fin_alone {
            return TimeWaitVerdict::Reset(Transmit::bare(self.snd_nxt, None, Control::Rst));
        }
        self.rcv_nxt = segment.end();
        self.awaits_fin = false;
        if let (Some(clock), Some(ts)) = (self.timestamps.as_mut(), segment.options.timestamps) {
            clock.update(now, ts.val);
        }
        self.deadline = now.after(config.time_wait);
        TimeWaitVerdict::Ack(self.acknowledge(now))
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
        let may = !self.awaits_fin && (is_asked_for || (allowed && rested));
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
    use crate::engine::seq::SeqRange;
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

    fn acknowledgment(tw: &mut TimeWait, at: Instant, segment: &Segment) -> Transmit {
        match tw.on_segment(at, &CONFIG, segment) {
            TimeWaitVerdict::Ack(ack) => ack,
            other => panic!("no acknowledgment but {other:?}"),
        }
    }

    #[test]
    fn fin_again_is_acknowledged_and_restarts_the_wait() {
        let mut tw = time_wait();
        let later = NOW.after(Delta::from_secs(10));
        let fin = segment(899, Some(500), Control::Fin);
        let ack = acknowledgment(&mut tw, later, &fin);
        assert_eq!(
            (ack.seq, ack.ack),
            (SeqNum::new(500), Some(SeqNum::new(900)))
        );
        assert_eq!(tw.deadline(), later.after(CONFIG.time_wait));
    }

    /// In FIN-WAIT-2, 900 is what the peer sends next.
    fn half() -> TimeWait {
        let until = NOW.after(CONFIG.fin_timeout);
        TimeWait::new(until, SeqNum::new(500), SeqNum::new(900), None).half()
    }

    fn data(seq: u32, len: u32, control: Control) -> Segment {
        let mut transmit = Transmit::bare(SeqNum::new(seq), Some(SeqNum::new(500)), control);
        transmit.range = SeqRange::new(SeqNum::new(seq), len);
        transmit.as_received(Ports { src: 1, dst: 2 })
    }

    #[test]
    fn fin_wait_2_ends_in_time_wait() {
        let mut tw = half();
        let later = NOW.after(Delta::from_secs(10));
        let empty = segment(900, Some(500), Control::None);
        assert_eq!(tw.on_segment(later, &CONFIG, &empty), TimeWaitVerdict::Drop);
        assert!(tw.awaits_fin());
        let fin = segment(900, Some(500), Control::Fin);
        let ack = acknowledgment(&mut tw, later, &fin);
        assert_eq!(
            (ack.seq, ack.ack),
            (SeqNum::new(500), Some(SeqNum::new(901)))
        );
        assert!(!tw.awaits_fin());
        assert_eq!(tw.deadline(), later.after(CONFIG.time_wait));
    }

    #[test]
    fn fin_wait_2_resets_who_sends_more() {
        for (seq, len, control, reset) in [
            (900, 1, Control::None, true),
            (890, 11, Control::None, true),
            (900, 1, Control::Fin, true),
            (901, 0, Control::Fin, true),
            (899, 1, Control::Fin, false),
            (890, 10, Control::None, false),
            (900 + 65_535, 1, Control::None, false),
        ] {
            let verdict = half().on_segment(NOW, &CONFIG, &data(seq, len, control));
            let expected = if reset {
                matches!(verdict, TimeWaitVerdict::Reset(reset)
                    if reset.control == Control::Rst && reset.seq == SeqNum::new(500))
            } else {
                matches!(verdict, TimeWaitVerdict::Ack(_))
            };
            assert!(expected, "{seq} {len} {control:?}: {verdict:?}");
        }
    }

    #[test]
    fn fin_wait_2_believes_exact_resets_and_no_syn() {
        for (seq, ack, control, verdict) in [
            (900, None, Control::Rst, TimeWaitVerdict::Forget),
            (899, None, Control::Rst, TimeWaitVerdict::Drop),
            (900, None, Control::None, TimeWaitVerdict::Drop),
        ] {
            let forged = segment(seq, ack, control);
            assert_eq!(half().on_segment(NOW, &CONFIG, &forged), verdict);
        }
        for (ack, control) in [
            (None, Control::Rst),
            (None, Control::Syn),
            (Some(501), Control::None),
            (Some(501), Control::Fin),
        ] {
            let mut tw = half();
            let forged = segment(901, ack, control);
            let answer = tw.on_segment(NOW, &CONFIG, &forged);
            assert!(matches!(answer, TimeWaitVerdict::Ack(_)), "{control:?}");
            let again = tw.on_segment(NOW, &CONFIG, &forged);
            assert_eq!(again, TimeWaitVerdict::Limited);
            assert!(tw.awaits_fin());
        }
        let on = Config {
            tw_reuse: 1,
            ..CONFIG
        };
        let late = NOW.after(Delta::from_secs(30));
        let mut clocked = with_clock();
        assert!(clocked.on_connect(late, &on, true, true).is_some());
        clocked.awaits_fin = true;
        assert_eq!(clocked.on_connect(late, &on, true, true), None);
        let bare = segment(900, Some(500), Control::Fin);
        assert_eq!(clocked.on_segment(late, &on, &bare), TimeWaitVerdict::Drop);
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
