// SPDX-License-Identifier: GPL-2.0

//! What the sender's time went by with: `tcpi_busy_time`, `tcpi_rwnd_limited` and
//! `tcpi_sndbuf_limited`.

use crate::engine::time::{
    Delta,
    Instant, //
};

/// What a sender is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    /// It has nothing to send.
    Idle,
    /// It sends, or waits for acknowledgments.
    Busy,
    /// The peer's window holds it back.
    WindowLimited,
    /// Its own send buffer holds the program back.
    BufferLimited,
}

crate::engine::dormant::packed!(
    enum Activity {
        Idle,
        Busy,
        WindowLimited,
        BufferLimited,
    }
);

/// The time spent with each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chronometer {
    activity: Activity,
    since: Instant,
    busy: Delta,
    window_limited: Delta,
    buffer_limited: Delta,
}

crate::engine::dormant::packed! {
    struct Chronometer {
        activity, since, busy, window_limited, buffer_limited,
    }
}

impl Chronometer {
    pub(crate) const fn new() -> Self {
        Self {
            activity: Activity::Idle,
            since: Instant::ZERO,
            busy: Delta::ZERO,
            window_limited: Delta::ZERO,
            buffer_limited: Delta::ZERO,
        }
    }

    /// From `now` on it is doing this.
    pub(crate) fn set(&mut self, now: Instant, activity: Activity) {
        if activity == self.activity {
            return;
        }
        let passed = now.since(self.since);
        match self.activity {
            Activity::Idle => {}
            Activity::Busy => self.busy = self.busy.plus(passed),
            Activity::WindowLimited => self.window_limited = self.window_limited.plus(passed),
            Activity::BufferLimited => self.buffer_limited = self.buffer_limited.plus(passed),
        }
        self.activity = activity;
        self.since = now;
    }

    /// The times until `now`: busy in any way, held back by the window, by the buffer.
    pub(crate) fn times(&self, now: Instant) -> (Delta, Delta, Delta) {
        let mut until = *self;
        until.set(now, Activity::Idle);
        let (window, buffer) = (until.window_limited, until.buffer_limited);
        (until.busy.plus(window).plus(buffer), window, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_add_up() {
        let at = |millis| Instant::ZERO.after(Delta::from_millis(millis));
        let mut chronometer = Chronometer::new();
        chronometer.set(at(10), Activity::Busy);
        chronometer.set(at(15), Activity::WindowLimited);
        chronometer.set(at(18), Activity::WindowLimited);
        chronometer.set(at(22), Activity::BufferLimited);
        chronometer.set(at(23), Activity::Idle);
        chronometer.set(at(100), Activity::Busy);
        let (busy, window, buffer) = chronometer.times(at(101));
        let millis = [busy, window, buffer].map(Delta::as_millis);
        assert_eq!(millis, [14, 7, 1]);
    }
}
