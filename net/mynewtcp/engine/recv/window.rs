// SPDX-License-Identifier: GPL-2.0

//! Which receive window to offer: as much as there is room for, never less than was promised, and
//! never a little more (silly window syndrome, RFC 9293, 3.8.6.2.2).

use crate::engine::seq::{
    SeqNum,
    WindowScale,
    WindowSize, //
};

/// RCV.WND, kept as the right edge that the peer has been promised.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceiveWindow {
    /// RCV.NXT + RCV.WND of the last segment sent.
    edge: SeqNum,
    /// The first window, offered in the SYN.
    initial: u32,
    /// The scale that we offered; [`WindowScale::NONE`] if the peer does not scale.
    pub(crate) scale: WindowScale,
}

/// What there is room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Octets free now.
    pub(crate) free: u32,
    /// Octets free when everything has been read.
    pub(crate) capacity: u32,
    /// Octets of a full segment from the peer.
    pub(crate) mss: u32,
    /// Windows must not grow.
    pub(crate) pressure: bool,
}

impl ReceiveWindow {
    /// A window that starts with `free` octets and may grow to `largest`.
    pub(crate) fn new(free: u32, largest: u32) -> Self {
        Self {
            edge: SeqNum::new(0),
            initial: free.min(u32::from(u16::MAX)),
            scale: WindowScale::for_window(largest.max(free)),
        }
    }

    /// The peer's sequence numbers begin: `nxt` follows its SYN.
    pub(crate) fn synchronize(&mut self, nxt: SeqNum) {
        self.edge = nxt.plus(self.initial);
    }

    /// The peer does not scale windows.
    pub(crate) fn disable_scaling(&mut self) {
        self.scale = WindowScale::NONE;
    }

    /// The window field of a SYN, which is never scaled (RFC 7323, 2.2).
    pub(crate) fn initial_field(&self) -> u16 {
        WindowScale::NONE.scale_down(WindowSize::new(self.initial))
    }

    /// The right edge; `nxt` at least, should a FIN have gone over it.
    pub(crate) fn right_edge(&self, nxt: SeqNum) -> SeqNum {
        self.edge.latest(nxt)
    }

    /// Octets of the promise that are left.
    pub(crate) fn offered(&self, nxt: SeqNum) -> u32 {
        self.edge.saturating_distance_from(nxt)
    }

    /// RCV.NXT may have passed the edge, by the octet of a FIN.
    pub(crate) fn follow(&mut self, nxt: SeqNum) {
        self.edge = self.right_edge(nxt);
    }

    /// The field that repeats the promise, rounded up to the scale.
    pub(crate) fn field(&self, nxt: SeqNum) -> u16 {
        let grain = self.scale.granularity();
        let offered = self.offered(nxt).div_ceil(grain).saturating_mul(grain);
        self.scale.scale_down(WindowSize::new(offered))
    }

    /// The same for an acknowledgment of `nxt` that was due before others came: what rounding
    /// adds becomes part of the promise.
    pub(crate) fn repeat(&mut self, nxt: SeqNum) -> u16 {
        let field = self.field(nxt);
        let promise = nxt.plus(self.scale.scale_up(field).octets());
        self.edge = self.edge.latest(promise);
        field
    }

    /// What the next segment should offer.
    ///
    /// RFC 9293, 3.8.6.2.2, keeps the right edge where it is until it can move by
    /// min(Fr * RCV.BUFF, Eff.snd.MSS); Fr is 1/2.
    fn wanted(&self, nxt: SeqNum, room: Room) -> u32 {
        let Room {
            free,
            capacity,
            mss,
            pressure,
        } = room;
        let offered = self.offered(nxt);
        let free = if pressure {
            free.min(mss.saturating_mul(4))
        } else {
            free
        };
        let largest = self.scale.largest_window().octets();
        let rounded = free.min(largest) / self.scale.granularity() * self.scale.granularity();
        let step = (capacity / 2).min(mss).max(1);
        if rounded.saturating_sub(offered) >= step {
            return rounded;
        }
        // To keep the edge in steps of the scale it moves up by less than one of them.
        let grain = self.scale.granularity();
        offered.div_ceil(grain).saturating_mul(grain).min(largest)
    }

    /// A segment sent now would open a closed window, or move its edge by two full segments or by
    /// half the buffer: reason enough to send one only for that.
    pub(crate) fn update_is_due(&self, nxt: SeqNum, room: Room) -> bool {
        let gain = self.wanted(nxt, room).saturating_sub(self.offered(nxt));
        let closed = self.offered(nxt) == 0;
        gain > 0 && (closed || gain >= (room.capacity / 2).min(room.mss.saturating_mul(2)))
    }

    /// Chooses the window for a segment that is being sent and returns its field.
    pub(crate) fn offer(&mut self, nxt: SeqNum, room: Room) -> u16 {
        let window = self.wanted(nxt, room);
        self.edge = self.edge.latest(nxt.plus(window));
        self.scale.scale_down(WindowSize::new(window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NXT: SeqNum = SeqNum::new(100);

    fn room(free: u32) -> Room {
        Room {
            free,
            capacity: 100_000,
            mss: 1000,
            pressure: false,
        }
    }

    fn window(free: u32, scale: u8) -> ReceiveWindow {
        let mut window = ReceiveWindow::new(free, free);
        window.scale = WindowScale::new(scale);
        window.synchronize(NXT);
        window
    }

    #[test]
    fn right_edge_never_moves_back() {
        let mut window = window(50_000, 7);
        assert_eq!(
            window.offer(NXT.plus(10_000), room(100)),
            (40_000u32).div_ceil(128) as u16
        );
        let edge = window.right_edge(NXT);
        assert!(edge.after_or_eq(NXT.plus(50_000)));
        assert!(edge.before(NXT.plus(50_000 + 128)));
    }

    #[test]
    fn small_gains_are_not_offered() {
        let mut window = window(0, 0);
        assert_eq!(window.offer(NXT, room(999)), 0);
        assert!(!window.update_is_due(NXT, room(999)));
        assert!(window.update_is_due(NXT, room(2000)));
        assert_eq!(window.offer(NXT, room(1000)), 1000);
    }

    #[test]
    fn half_of_a_small_buffer_is_gain_enough() {
        let mut window = window(0, 0);
        let small = Room {
            free: 300,
            capacity: 600,
            mss: 1000,
            pressure: false,
        };
        assert!(window.update_is_due(NXT, small));
        assert_eq!(window.offer(NXT, small), 300);
    }

    #[test]
    fn pressure_keeps_the_window_small() {
        let mut window = window(0, 0);
        let pressed = Room {
            pressure: true,
            ..room(60_000)
        };
        assert_eq!(window.offer(NXT, pressed), 4000);
    }

    #[test]
    fn unscaled_windows_fit_their_field() {
        let mut window = window(60_000, 0);
        assert_eq!(window.offer(NXT, room(90_000)), u16::MAX);
    }
}
