// SPDX-License-Identifier: GPL-2.0

//! The window that the peer offers: SND.WND, SND.WL1 and SND.WL2.

use crate::engine::seq::{
    SeqNum,
    WindowScale,
    WindowSize, //
};
use crate::engine::wire::{
    Control,
    Segment, //
};

/// What the peer will take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendWindow {
    /// SND.WND.
    pub(crate) wnd: WindowSize,
    /// Max(SND.WND), the largest window ever offered.
    pub(crate) max: WindowSize,
    /// The scale that the peer applies.
    pub(crate) scale: WindowScale,
    /// SND.WL1: the sequence number of the segment that last changed the window.
    wl1: SeqNum,
    /// SND.WL2: its acknowledgment number.
    wl2: SeqNum,
}

crate::engine::dormant::packed!(struct SendWindow { wnd, max, scale, wl1, wl2 });

/// Whether a segment changed the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Updated {
    /// It is another one now.
    Yes,
    /// It is what it was, or the segment was not the one to change it.
    No,
}

impl SendWindow {
    pub(crate) const fn new() -> Self {
        Self {
            wnd: WindowSize::ZERO,
            max: WindowSize::ZERO,
            scale: WindowScale::NONE,
            wl1: SeqNum::new(0),
            wl2: SeqNum::new(0),
        }
    }

    /// The window that `segment` carries; a SYN's is never scaled (RFC 7323, 2.2).
    pub(crate) fn offered_by(&self, segment: &Segment) -> WindowSize {
        match segment.control {
            Control::Syn => WindowScale::NONE.scale_up(segment.window),
            Control::None | Control::Fin | Control::Rst => self.scale.scale_up(segment.window),
        }
    }

    /// Takes the window of `segment` whatever came before.
    pub(crate) fn set(&mut self, segment: &Segment, ack: SeqNum) {
        self.wnd = self.offered_by(segment);
        self.max = self.max.max(self.wnd);
        self.wl1 = segment.seq;
        self.wl2 = ack;
    }

    /// Takes the window of `segment` unless it is older than the one we have.
    ///
    ///   "If (SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK)), set SND.WND <-
    ///   SEG.WND, set SND.WL1 <- SEG.SEQ, and set SND.WL2 <- SEG.ACK." (RFC 9293, 3.10.7.4)
    ///
    /// An acknowledgment of new data is younger too, wherever its own sequence number is.
    pub(crate) fn update(&mut self, segment: &Segment, ack: SeqNum, una: SeqNum) -> Updated {
        let younger = ack.after(una)
            || self.wl1.before(segment.seq)
            || (self.wl1 == segment.seq && self.wl2.before_or_eq(ack));
        if !younger {
            return Updated::No;
        }
        let before = self.wnd;
        self.set(segment, ack);
        if self.wnd == before {
            Updated::No
        } else {
            Updated::Yes
        }
    }

    /// The sequence number after the last one that the peer will take: SND.UNA + SND.WND.
    pub(crate) fn right_edge(&self, una: SeqNum) -> SeqNum {
        una.plus(self.wnd.octets())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::wire::{
        Ports,
        Transmit, //
    };

    fn segment(seq: u32, window: u16, control: Control) -> Segment {
        let mut transmit = Transmit::bare(SeqNum::new(seq), None, control);
        transmit.window = window;
        transmit.as_received(Ports { src: 1, dst: 2 })
    }

    #[test]
    fn older_segments_do_not_change_the_window() {
        let una = SeqNum::new(50);
        let mut window = SendWindow::new();
        window.set(&segment(100, 10, Control::None), una);
        let old = segment(99, 5, Control::None);
        assert_eq!(window.update(&old, una, una), Updated::No);
        assert_eq!(window.wnd.octets(), 10);
        assert_eq!(window.update(&old, una.plus(1), una), Updated::Yes);
        assert_eq!((window.wnd.octets(), window.max.octets()), (5, 10));
    }

    #[test]
    fn scale_applies_except_to_a_syn() {
        let mut window = SendWindow::new();
        window.scale = WindowScale::new(3);
        assert_eq!(
            window.offered_by(&segment(0, 10, Control::Syn)).octets(),
            10
        );
        assert_eq!(
            window.offered_by(&segment(0, 10, Control::None)).octets(),
            80
        );
    }
}
