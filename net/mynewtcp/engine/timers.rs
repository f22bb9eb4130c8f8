// SPDX-License-Identifier: GPL-2.0

//! The timers of one connection. The shell sees only the earliest of them.

use core::fmt;

use crate::engine::dormant::{
    Packed,
    Packer,
    Unpacker, //
};
use crate::engine::time::Instant;

/// What a connection may be waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Timer {
    /// Retransmission time-out of SYN, data or FIN.
    Retransmit,
    /// Probe of a zero window.
    Persist,
    /// A delayed acknowledgment.
    DelayedAck,
    /// The reordering window of loss detection.
    Reorder,
    /// A tail loss probe.
    Probe,
    /// The next transmission that pacing allows.
    Pacing,
    /// The next try after the shell had no memory.
    Memory,
    /// A keepalive probe.
    Keepalive,
    /// The user's patience with unacknowledged data.
    UserTimeout,
    /// The end of FIN-WAIT-2 for a connection that its user has closed.
    FinWait2,
}

impl Timer {
    const COUNT: usize = Self::FinWait2 as usize + 1;

    /// Every timer, in the order in which those due at the same time are served. What finds or
    /// provokes news of losses comes before the time-out: it may make that needless.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Reorder,
        Self::Probe,
        Self::Retransmit,
        Self::Persist,
        Self::DelayedAck,
        Self::Pacing,
        Self::Memory,
        Self::Keepalive,
        Self::UserTimeout,
        Self::FinWait2,
    ];
}

/// One deadline per timer; [`Instant::MAX`] is "not armed".
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimerTable {
    deadlines: [Instant; Timer::COUNT],
    /// No coarse timer is due before this. Arming lowers it, disarming leaves it: to find the
    /// next deadline is only worth it when this one is near.
    floor: Floor,
}

/// Of a [quiet](TimerTable::is_quiet) one.
impl Packed for TimerTable {
    fn pack(&self, to: &mut Packer) {
        self.deadline(Timer::Keepalive)
            .unwrap_or(Instant::MAX)
            .pack(to);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Self {
        let mut timers = Self::new();
        timers.arm(Timer::Keepalive, Packed::unpack(from));
        timers
    }
}

/// Only saves work: where two connections differ in nothing else they do the same. So it does not
/// show.
#[derive(Clone, Copy)]
struct Floor(Instant);

impl fmt::Debug for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Floor")
    }
}

impl TimerTable {
    /// Nothing armed.
    pub(crate) const fn new() -> Self {
        Self {
            deadlines: [Instant::MAX; Timer::COUNT],
            floor: Floor(Instant::MAX),
        }
    }

    #[inline]
    fn slot(&mut self, timer: Timer) -> Option<&mut Instant> {
        self.deadlines.get_mut(timer as usize)
    }

    #[inline]
    fn lower_floor(&mut self, timer: Timer, at: Instant) {
        if timer != Timer::Pacing {
            self.floor.0 = self.floor.0.min(at);
        }
    }

    /// Arms `timer`, replacing an earlier deadline of it.
    #[inline]
    pub(crate) fn arm(&mut self, timer: Timer, at: Instant) {
        if let Some(slot) = self.slot(timer) {
            *slot = at;
        }
        self.lower_floor(timer, at);
    }

    /// Arms `timer` unless it is armed for an earlier time.
    pub(crate) fn arm_earlier(&mut self, timer: Timer, at: Instant) {
        if let Some(slot) = self.slot(timer) {
            *slot = at.min(*slot);
        }
        self.lower_floor(timer, at);
    }

    /// Nothing is armed but [`Timer::Keepalive`].
    pub(crate) fn is_quiet(&self) -> bool {
        Timer::ALL
            .into_iter()
            .all(|timer| timer == Timer::Keepalive || self.deadline(timer).is_none())
    }

    /// Disarms `timer`.
    #[inline]
    pub(crate) fn stop(&mut self, timer: Timer) {
        if let Some(slot) = self.slot(timer) {
            *slot = Instant::MAX;
        }
    }

    /// No timer but [`Timer::Pacing`] is due before this, which costs nothing to say;
    /// [`Instant::MAX`] if none is armed.
    #[inline]
    pub(crate) fn floor(&self) -> Instant {
        self.floor.0
    }

    /// The earliest deadline of all timers but [`Timer::Pacing`]; the floor is raised to it.
    pub(crate) fn settle_floor(&mut self) -> Option<Instant> {
        let at = self.earliest_but(Timer::Pacing);
        self.floor.0 = at.unwrap_or(Instant::MAX);
        at
    }

    /// Disarms all of them.
    pub(crate) fn stop_all(&mut self) {
        *self = Self::new();
    }

    /// When `timer` is due, if it is armed.
    #[inline]
    pub(crate) fn deadline(&self, timer: Timer) -> Option<Instant> {
        let at = *self.deadlines.get(timer as usize)?;
        (at != Instant::MAX).then_some(at)
    }

    /// `timer` is armed.
    pub(crate) fn is_armed(&self, timer: Timer) -> bool {
        self.deadline(timer).is_some()
    }

    /// The earliest deadline of all.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        let at = self.deadlines.iter().copied().min()?;
        (at != Instant::MAX).then_some(at)
    }

    /// The earliest deadline of all but `timer`.
    fn earliest_but(&self, timer: Timer) -> Option<Instant> {
        let others = self.deadlines.iter().enumerate();
        let at = others
            .filter(|&(at, _)| at != timer as usize)
            .fold(Instant::MAX, |least, (_, &at)| least.min(at));
        (at != Instant::MAX).then_some(at)
    }

    /// The timer with the earliest deadline.
    pub(crate) fn next(&self) -> Option<Timer> {
        let at = self.earliest()?;
        Timer::ALL
            .into_iter()
            .find(|&timer| self.deadline(timer) == Some(at))
    }

    /// Disarms and returns one timer that is due.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let due = Timer::ALL
            .into_iter()
            .find(|&timer| self.deadline(timer).is_some_and(|at| at <= now))?;
        self.stop(due);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earliest_is_the_minimum_and_due_timers_come_once() {
        let mut table = TimerTable::new();
        assert_eq!(table.earliest(), None);
        table.arm(Timer::Retransmit, Instant::from_nanos(20));
        table.arm(Timer::DelayedAck, Instant::from_nanos(10));
        assert_eq!(table.earliest(), Some(Instant::from_nanos(10)));
        assert_eq!(table.take_due(Instant::from_nanos(9)), None);
        let late = Instant::from_nanos(30);
        assert_eq!(table.take_due(late), Some(Timer::Retransmit));
        assert_eq!(table.take_due(late), Some(Timer::DelayedAck));
        assert_eq!(table.take_due(late), None);
        table.arm(Timer::Persist, Instant::from_nanos(5));
        table.arm_earlier(Timer::Persist, Instant::from_nanos(8));
        assert_eq!(table.deadline(Timer::Persist), Some(Instant::from_nanos(5)));
    }

    #[test]
    fn no_coarse_timer_is_due_before_the_floor() {
        let at = Instant::from_nanos;
        let mut table = TimerTable::new();
        assert_eq!(table.floor(), Instant::MAX);
        table.arm(Timer::Pacing, at(1));
        assert_eq!(table.settle_floor(), None);
        assert_eq!(table.floor(), Instant::MAX);
        table.arm(Timer::Retransmit, at(20));
        table.arm_earlier(Timer::DelayedAck, at(10));
        assert_eq!(table.floor(), at(10));
        // What goes leaves it where it is, until somebody asks.
        table.stop(Timer::DelayedAck);
        table.arm(Timer::Retransmit, at(30));
        assert_eq!(table.floor(), at(10));
        assert_eq!(table.settle_floor(), Some(at(30)));
        assert_eq!(table.floor(), at(30));
        table.stop_all();
        assert_eq!(table.floor(), Instant::MAX);
    }
}
