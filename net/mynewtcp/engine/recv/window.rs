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
    /// The last segment sent has offered nothing.
    closed: bool,
    /// The scale that we offered; [`WindowScale::NONE`] if the peer does not scale.
    pub(crate) scale: WindowScale,
}

crate::engine::dormant::packed!(struct ReceiveWindow { edge, initial, closed, scale });

/// What there is room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Octets free now.
    pub(crate) free: u32,
    /// The largest window to offer all the same.
    pub(crate) most: u32,
    /// Octets free when everything has been read.
    pub(crate) capacity: u32,
    /// Octets of a full segment from the peer.
    pub(crate) mss: u32,
}

impl Room {
    /// The least by which it is worth to move the right edge:
    ///
    ///   "a suggested SWS avoidance algorithm for the receiver is to keep RCV.NXT+RCV.WND fixed
    ///   until the reduction satisfies: RCV.BUFF - RCV.USER - RCV.WND >= min( Fr * RCV.BUFF,
    ///   Eff.snd.MSS )" (RFC 9293, 3.8.6.2.2; the recommended value of Fr is 1/2)
    fn step(&self) -> u32 {
        (self.capacity / 2).min(self.mss).min(self.most).max(1)
    }

    /// There is hardly any: a window so small would only bring small segments.
    pub(crate) fn is_scarce(&self) -> bool {
        self.free < self.step().max(self.capacity / 16)
    }
}

impl ReceiveWindow {
    /// A window that starts with `free` octets and may grow to `largest`.
    pub(crate) fn new(free: u32, largest: u32) -> Self {
        Self {
            edge: SeqNum::new(0),
            initial: free.min(u32::from(u16::MAX)),
            closed: false,
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

    /// What the peer was told last is that there is no room.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
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
        self.closed = field == 0;
        field
    }

    /// What the next segment should offer.
    #[inline]
    fn wanted(&self, nxt: SeqNum, room: Room) -> u32 {
        let offered = self.offered(nxt);
        let largest = self.scale.largest_window().octets();
        let grain = self.scale.granularity();
        let free = room.free.min(room.most).min(largest);
        // Less than one step of the scale must not look like nothing at all.
        let rounded = (free / grain).max(1).saturating_mul(grain);
        if !room.is_scarce() && rounded.saturating_sub(offered) >= room.step() {
            return rounded;
        }
        // To keep the edge in steps of the scale it moves up by less than one of them.
        offered.div_ceil(grain).saturating_mul(grain).min(largest)
    }

    /// A segment is worth sending only to tell the window: the peer can do nothing with the one
    /// that it knows, or half of the buffer at most, and can do twice as much with the new one.
    pub(crate) fn update_is_due(&self, nxt: SeqNum, room: Room) -> bool {
        let offered = self.offered(nxt);
        let wanted = self.wanted(nxt, room);
        if wanted <= offered {
            return false;
        }
        let is_stuck = offered < room.mss.min(room.capacity.div_ceil(2));
        is_stuck || (offered <= room.capacity / 2 && wanted / 2 >= offered)
    }

    /// The window that the peer was told with the acknowledgment of `last_sent`, the last one.
    pub(crate) fn told(&self, last_sent: SeqNum) -> u32 {
        self.edge.saturating_distance_from(last_sent)
    }

    /// The peer, told of `nxt` now, may send as much as when it was last told, of `last_sent`. If
    /// not, the reader is behind, and the edge moves by more when it has read.
    pub(crate) fn keeps_its_size(&self, last_sent: SeqNum, nxt: SeqNum, room: Room) -> bool {
        self.wanted(nxt, room) >= self.told(last_sent)
    }

    /// Chooses the window for a segment that is being sent and returns its field.
    #[inline]
    pub(crate) fn offer(&mut self, nxt: SeqNum, room: Room) -> u16 {
        let window = self.wanted(nxt, room);
        self.edge = self.edge.latest(nxt.plus(window));
        let field = self.scale.scale_down(WindowSize::new(window));
        self.closed = field == 0;
        field
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NXT: SeqNum = SeqNum::new(100);

    fn room(free: u32) -> Room {
        Room {
            free,
            most: u32::MAX,
            capacity: 100_000,
            mss: 1000,
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
    fn unread_data_shrinks_the_window_unless_there_is_more_room_than_is_offered() {
        let mut window = window(40_000, 1);
        let nxt = NXT.plus(20_000);
        assert!(!window.keeps_its_size(NXT, nxt, room(39_998)));
        assert!(window.keeps_its_size(NXT, nxt, room(40_000)));
        window.offer(nxt, room(40_000));
        assert!(!window.keeps_its_size(nxt, nxt.plus(2_000), room(38_000)));
    }

    #[test]
    fn small_gains_are_not_offered() {
        let mut window = window(0, 0);
        let room = |free| Room {
            capacity: 10_000,
            ..room(free)
        };
        assert_eq!(window.offer(NXT, room(999)), 0);
        assert!(!window.update_is_due(NXT, room(999)));
        assert!(window.update_is_due(NXT, room(2000)));
        assert_eq!(window.offer(NXT, room(1000)), 1000);
    }

    #[test]
    fn a_limit_does_not_close_the_window() {
        let limited = Room {
            most: 700,
            ..room(90_000)
        };
        assert_eq!(window(0, 0).offer(NXT, limited), 700);
        assert_eq!(window(0, 14).offer(NXT, limited), 1);
        assert!(window(0, 14).update_is_due(NXT, limited));
    }

    #[test]
    fn half_of_a_small_buffer_is_gain_enough() {
        let mut window = window(0, 0);
        let small = Room {
            free: 300,
            most: u32::MAX,
            capacity: 600,
            mss: 1000,
        };
        assert!(window.update_is_due(NXT, small));
        assert_eq!(window.offer(NXT, small), 300);
    }

    #[test]
    fn a_sixteenth_of_the_buffer_is_the_least_to_offer() {
        let mut window = window(0, 0);
        assert_eq!(window.offer(NXT, room(6_249)), 0);
        assert_eq!(window.offer(NXT, room(6_250)), 6_250);
    }

    #[test]
    fn updates_are_told_when_they_double_what_is_known() {
        let open = window(50_000, 1);
        assert!(!open.update_is_due(NXT, room(99_000)));
        assert!(open.update_is_due(NXT, room(100_000)));
        let wider = window(50_002, 1);
        assert!(!wider.update_is_due(NXT, room(100_000)));
        // A sender with less than a segment's worth of window is stuck.
        let stuck = window(999, 0);
        assert!(stuck.update_is_due(NXT, room(7_000)));
    }

    #[test]
    fn unscaled_windows_fit_their_field() {
        let mut window = window(60_000, 0);
        assert_eq!(window.offer(NXT, room(90_000)), u16::MAX);
    }
}
