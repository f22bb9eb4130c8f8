// SPDX-License-Identifier: GPL-2.0

//! How much of the queue may go now: flow control, congestion control, silly window avoidance
//! (RFC 9293, 3.8.6.2.1), Nagle's algorithm (3.7.4), and whole segments.

use crate::engine::seq::Mss;

/// What bears on the size of the next transmission of new data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Octets in the first unsent chunk.
    pub(crate) chunk: u32,
    /// Octets unsent in all.
    pub(crate) unsent: u32,
    /// Octets that the peer's window still allows.
    pub(crate) window: u32,
    /// Max(SND.WND).
    pub(crate) max_window: u32,
    /// Octets that the congestion window still allows.
    pub(crate) congestion: u32,
    /// Nothing is under way: one segment may go whatever the congestion window.
    pub(crate) pipe_is_empty: bool,
    /// Largest superpacket of whole segments.
    pub(crate) goal: u32,
    /// Eff.snd.MSS.
    pub(crate) mss: Mss,
    /// The last, partial segment need not wait for more data.
    pub(crate) partial: Partial,
}

/// Whether a partial segment at the end of the queue may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Partial {
    /// It may.
    May,
    /// It waits for more data or for an acknowledgment.
    Waits,
}

/// How much to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// This many octets, at least one.
    Send(u32),
    /// Nothing, because of the congestion window.
    CongestionLimited,
    /// Nothing, because of the peer's window: it must be probed if nothing is under way.
    WindowLimited,
    /// Nothing, because a partial segment is better sent later.
    Held,
}

impl Limits {
    /// Decides.
    pub(crate) fn size(&self) -> Size {
        let mss = self.mss.octets();
        let wanted = self.chunk.min(self.goal);
        if wanted == 0 {
            return Size::Held;
        }
        if self.window == 0 {
            return Size::WindowLimited;
        }
        let mut congestion = self.congestion;
        if congestion < mss.min(wanted) {
            if !self.pipe_is_empty {
                return Size::CongestionLimited;
            }
            congestion = mss;
        }
        let allowed = wanted.min(self.window).min(congestion);
        self.in_segments(allowed)
    }

    /// How long the first chunk had better be, if it is worth making it longer: a whole
    /// superpacket as far as the windows allow, or all there is.
    pub(crate) fn better_chunk(&self) -> Option<u32> {
        if self.chunk >= self.goal.min(self.unsent) {
            return None;
        }
        let most = self.goal.min(self.window).min(self.congestion);
        let mss = self.mss.octets();
        let better = if self.unsent <= most {
            self.unsent
        } else {
            most / mss * mss
        };
        (better > self.chunk).then_some(better)
    }

    /// Cuts `allowed` to whole segments where that is wiser.
    fn in_segments(&self, allowed: u32) -> Size {
        let mss = self.mss.octets();
        let whole = allowed / mss * mss;
        if allowed == self.chunk {
            let last = self.chunk == self.unsent;
            let has_partial = whole != allowed;
            if !(has_partial && last && self.partial == Partial::Waits) {
                return Size::Send(allowed);
            }
            if whole > 0 {
                return Size::Send(whole);
            }
            return if self.chunk >= self.max_window.div_ceil(2) {
                Size::Send(allowed)
            } else {
                Size::Held
            };
        }
        if whole > 0 {
            return Size::Send(whole);
        }
        // Less than a segment, and less than there is: only the window can be the reason.
        //
        //   "(3) or if at least a fraction Fs of the maximum window can be sent" (RFC 9293,
        //   3.8.6.2.1; the recommended value of Fs is 1/2)
        if allowed >= self.max_window.div_ceil(2) {
            Size::Send(allowed)
        } else {
            Size::WindowLimited
        }
    }

    /// What a partial segment is worth that was held back long enough: everything that the window
    /// takes, up to one segment.
    pub(crate) fn forced(&self) -> u32 {
        self.chunk.min(self.window).min(self.mss.octets())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: Limits = Limits {
        chunk: 10_000,
        unsent: 10_000,
        window: 100_000,
        max_window: 100_000,
        congestion: 100_000,
        pipe_is_empty: false,
        goal: 64_000,
        mss: Mss::DEFAULT,
        partial: Partial::Waits,
    };

    #[test]
    fn short_chunks_grow_to_whole_segments() {
        assert_eq!(FREE.better_chunk(), None);
        let unsent = 90_000;
        let much = Limits { unsent, ..FREE };
        assert_eq!(much.better_chunk(), Some(64_000 / 536 * 536));
        let narrow = Limits {
            window: 10_721,
            ..much
        };
        assert_eq!(narrow.better_chunk(), Some(10_720));
        let narrower = Limits {
            congestion: 10_183,
            ..much
        };
        assert_eq!(narrower.better_chunk(), None);
        let unsent = 10_001;
        assert_eq!(Limits { unsent, ..FREE }.better_chunk(), Some(unsent));
    }

    #[test]
    fn whole_segments_go_and_the_rest_waits() {
        assert_eq!(FREE.size(), Size::Send(10_000 / 536 * 536));
        let partial = Partial::May;
        assert_eq!(Limits { partial, ..FREE }.size(), Size::Send(10_000));
        let unsent = 20_000;
        assert_eq!(Limits { unsent, ..FREE }.size(), Size::Send(10_000));
        let (chunk, unsent) = (100, 100);
        assert_eq!(
            Limits {
                chunk,
                unsent,
                ..FREE
            }
            .size(),
            Size::Held
        );
    }

    #[test]
    fn congestion_window_limits_to_whole_segments() {
        let congestion = 1200;
        assert_eq!(Limits { congestion, ..FREE }.size(), Size::Send(1072));
        let congestion = 500;
        assert_eq!(
            Limits { congestion, ..FREE }.size(),
            Size::CongestionLimited
        );
        let pipe_is_empty = true;
        let empty = Limits {
            congestion,
            pipe_is_empty,
            ..FREE
        };
        assert_eq!(empty.size(), Size::Send(536));
    }

    #[test]
    fn silly_windows_are_not_filled() {
        let window = 300;
        assert_eq!(Limits { window, ..FREE }.size(), Size::WindowLimited);
        let max_window = 600;
        let small = Limits {
            window,
            max_window,
            ..FREE
        };
        assert_eq!(small.size(), Size::Send(300));
        assert_eq!(Limits { window: 0, ..FREE }.size(), Size::WindowLimited);
        assert_eq!(Limits { window, ..FREE }.forced(), 300);
    }
}
