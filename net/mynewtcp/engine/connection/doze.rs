// SPDX-License-Identifier: GPL-2.0

//! Dozing off, and waking up.

use crate::engine::connection::Connection;
use crate::engine::dormant::{
    Dormant,
    Packed,
    Packer,
    Unpacker, //
};
use crate::engine::event::Pending;
use crate::engine::state::open::Established;
use crate::engine::state::State;
use crate::engine::time::{
    Delta,
    Instant, //
};

impl Connection {
    /// Nothing has come or gone for so long: there is no telling when something will.
    pub const DOZE_AFTER: Delta = Delta::from_secs(1);

    /// The connection in few octets, if nothing is under way or waits, and no timer is set but that
    /// of keepalive probes. It has to be [woken](Dormant::wake) before anything is asked of it.
    pub fn doze(&self) -> Option<Dormant> {
        let is_quiet = self.is_established()
            && self.snd.una == self.snd.write_seq
            && self.snd.nxt == self.snd.write_seq
            && self.rcv.blocks.is_empty()
            && self.pending.is_empty()
            && self.error.is_none()
            && self.soft_error.is_none()
            && self.timers.is_quiet();
        if !is_quiet {
            return None;
        }
        Dormant::of(self)
    }

    /// When it is worth to have it [doze](Self::doze), should nothing happen until then.
    pub fn drowsy_at(&self) -> Option<Instant> {
        let may = self.is_established() && self.snd.una == self.snd.write_seq;
        may.then(|| self.last_event_at().after(Self::DOZE_AFTER))
    }

    /// When something last came or went.
    fn last_event_at(&self) -> Instant {
        self.rcv
            .last_at
            .max(self.snd.last_sent_at)
            .max(self.snd.last_acked_at)
    }
}

/// Of one that may doze: what all of those have in common is left out.
impl Packed for Connection {
    fn pack(&self, to: &mut Packer) {
        let Self {
            state: _,
            snd,
            rcv,
            window,
            congestion,
            ecn,
            usage,
            timers,
            pending: _,
            challenges,
            user,
            error: _,
            soft_error: _,
            ts_offset,
            advertised_mss,
            peer_scales,
            tally,
        } = self;
        rcv.pack(to);
        snd.pack(to);
        window.pack(to);
        congestion.pack(to);
        ecn.pack(to);
        usage.pack(to);
        timers.pack(to);
        challenges.pack(to);
        user.pack(to);
        ts_offset.pack(to);
        advertised_mss.pack(to);
        peer_scales.pack(to);
        tally.pack(to);
    }

    #[inline(always)]
    fn unpack(from: &mut Unpacker<'_>) -> Self {
        Self {
            state: State::Established(Established::new()),
            rcv: Packed::unpack(from),
            snd: Packed::unpack(from),
            window: Packed::unpack(from),
            congestion: Packed::unpack(from),
            ecn: Packed::unpack(from),
            usage: Packed::unpack(from),
            timers: Packed::unpack(from),
            pending: Pending::default(),
            challenges: Packed::unpack(from),
            user: Packed::unpack(from),
            error: None,
            soft_error: None,
            ts_offset: Packed::unpack(from),
            advertised_mss: Packed::unpack(from),
            peer_scales: Packed::unpack(from),
            tally: Packed::unpack(from),
        }
    }
}
