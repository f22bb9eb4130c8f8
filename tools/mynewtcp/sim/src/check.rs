// SPDX-License-Identifier: GPL-2.0

//! What an onlooker can tell from the segments alone: promises kept and limits respected.

use mynewtcp_engine::engine::seq::{
    SeqNum,
    WindowScale, //
};
use mynewtcp_engine::engine::time::{
    Delta,
    Instant, //
};
use mynewtcp_engine::engine::wire::{
    Control,
    Segment,
    Transmit, //
};

/// Watches what one host sends and receives.
#[derive(Debug, Default)]
pub struct Watch {
    /// The furthest right edge that the host has promised.
    promised: Option<SeqNum>,
    /// The furthest right edge that has reached the host.
    allowed: Option<SeqNum>,
    /// The scales that the two SYNs offered.
    our_scale: Option<WindowScale>,
    peer_scale: Option<WindowScale>,
    /// The furthest octet sent.
    sent_to: Option<SeqNum>,
    /// The furthest acknowledgment sent.
    acked_to: Option<SeqNum>,
    /// Since when the host owes an acknowledgment.
    owes_since: Option<Instant>,
    /// Segments sent.
    pub segments: u64,
    /// The peer does not tell the truth: what it says is no promise to keep.
    pub peer_lies: bool,
}

fn later(known: Option<SeqNum>, new: SeqNum) -> Option<SeqNum> {
    Some(known.map_or(new, |known| known.latest(new)))
}

impl Watch {
    /// The scale that applies to windows offered with `own`, if both sides offered one.
    fn scale(own: Option<WindowScale>, other: Option<WindowScale>) -> WindowScale {
        match (own, other) {
            (Some(own), Some(_)) => own,
            _ => WindowScale::NONE,
        }
    }

    /// A segment with a right checksum reaches the host.
    pub fn on_segment(&mut self, segment: &Segment) -> Result<(), String> {
        let scale = if segment.control == Control::Syn {
            if self.peer_scale.is_none() {
                self.peer_scale = segment.options.window_scale;
            }
            WindowScale::NONE
        } else {
            Self::scale(self.peer_scale, self.our_scale)
        };
        let Some(ack) = segment.ack else {
            return Ok(());
        };
        if segment.control == Control::Rst {
            return Ok(());
        }
        if let Some(sent_to) = self.sent_to {
            if ack.after(sent_to) {
                if self.peer_lies {
                    return Ok(());
                }
                return Err(format!(
                    "the peer acknowledges {ack:?}, sent is {sent_to:?}"
                ));
            }
        }
        let edge = ack.plus(scale.scale_up(segment.window).octets());
        self.allowed = later(self.allowed, edge);
        Ok(())
    }

    /// The host's connection transmits.
    pub fn on_transmit(&mut self, transmit: &Transmit) -> Result<(), String> {
        self.segments += u64::from(transmit.segments());
        if transmit.control == Control::Rst {
            return Ok(());
        }
        let is_syn = transmit.control == Control::Syn;
        if is_syn {
            self.our_scale = transmit.options.window_scale;
        }
        self.check_promise(transmit, is_syn)?;
        let len = transmit.range.len() + transmit.control.len();
        let end = transmit.seq.plus(len);
        self.sent_to = later(self.sent_to, end);
        match self.allowed {
            Some(allowed) if len > 0 && !is_syn && end.after(allowed) => {
                Err(format!("sent up to {end:?}, the peer allows {allowed:?}"))
            }
            None if len > 0 && !is_syn => Err("sent data before the peer said a word".into()),
            _ => Ok(()),
        }
    }

    /// The host has nothing more to send now, and has received everything up to `rcv_nxt`: it
    /// must acknowledge that within `patience`.
    pub fn on_quiet(
        &mut self,
        now: Instant,
        rcv_nxt: SeqNum,
        patience: Delta,
    ) -> Result<(), String> {
        if self.acked_to.is_none_or(|acked_to| acked_to == rcv_nxt) {
            self.owes_since = None;
            return Ok(());
        }
        let since = *self.owes_since.get_or_insert(now);
        if now.since(since) > patience {
            return Err("an acknowledgment is overdue".into());
        }
        Ok(())
    }

    fn check_promise(&mut self, transmit: &Transmit, is_syn: bool) -> Result<(), String> {
        let Some(ack) = transmit.ack else {
            return Ok(());
        };
        if self.acked_to.is_some_and(|before| ack.before(before)) {
            return Err(format!("acknowledgment went back to {ack:?}"));
        }
        self.acked_to = Some(ack);
        let scale = if is_syn {
            WindowScale::NONE
        } else {
            Self::scale(self.our_scale, self.peer_scale)
        };
        let edge = ack.plus(scale.scale_up(transmit.window).octets());
        // A SYN-ACK sent again repeats its window, in steps of one.
        if !is_syn && self.promised.is_some_and(|promised| edge.before(promised)) {
            return Err(format!(
                "right edge went back to {edge:?} from {:?}",
                self.promised
            ));
        }
        self.promised = later(self.promised, edge);
        for (n, block) in transmit.options.sack.iter().enumerate() {
            // The first one may say what came again (RFC 2883).
            let may_be_old = n == 0;
            if (!may_be_old && block.start().before_or_eq(ack)) || block.end().after(edge) {
                return Err(format!("selective block {block:?} outside of the window"));
            }
        }
        Ok(())
    }
}
