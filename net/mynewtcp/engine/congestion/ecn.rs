// SPDX-License-Identifier: GPL-2.0

//! Explicit congestion notification (RFC 3168): what one connection remembers of it, as the
//! sender of data and as their receiver.

use crate::engine::seq::SeqNum;
use crate::engine::wire::{
    Ecn,
    Segment,
    Transmit, //
};

/// Who uses ECN (Linux' `tcp_ecn`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum EcnMode {
    /// Nobody: neither offered nor accepted.
    Off = 0,
    /// Offered to peers and accepted from them.
    On = 1,
    /// Accepted from peers that offer it.
    #[default]
    Accept = 2,
}

impl EcnMode {
    /// The mode with this number.
    pub const fn from_number(n: u8) -> Option<Self> {
        match n {
            0 => Some(Self::Off),
            1 => Some(Self::On),
            2 => Some(Self::Accept),
            _ => None,
        }
    }

    /// A listener agrees to what the SYN in `segment` offers: ECE and CWR together. A SYN that
    /// routers may mark is no offer of RFC 3168's ("A host MUST NOT set ECT on SYN or SYN-ACK
    /// packets", 6.1.1), except to an algorithm that `needs` marks, whose own SYNs are like that.
    pub fn agrees(self, segment: &Segment, needs: bool) -> bool {
        let accepts = match self {
            Self::Off => false,
            Self::On | Self::Accept => !segment.ecn.is_capable(),
        };
        segment.ece && segment.cwr && (accepts || needs)
    }
}

/// How a receiver tells of marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Echo {
    /// Until the sender says that it has reacted (RFC 3168, 6.1.3).
    UntilReaction,
    /// Segment by segment (RFC 8257, 3.2).
    Exact,
}

/// What a segment's ECN field calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Answer {
    /// Nothing.
    None,
    /// An acknowledgment at once.
    Now,
    /// First an acknowledgment of what came before, with the echo of then; and one at once.
    Both,
}

/// What has come with an ECN codepoint, for `TCP_INFO`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EcnCounts {
    /// Segments with a mark of congestion.
    pub marked: u32,
    /// Octets in segments that are ECN-capable: ECT(1), ECT(0), and marked.
    pub octets: [u32; 3],
}

crate::engine::dormant::packed!(struct EcnCounts { marked, octets });

impl EcnCounts {
    /// `segments` have come that are ECN-capable, as `ecn` says, with `octets`.
    pub(crate) fn count(&mut self, ecn: Ecn, segments: u32, octets: u32) {
        let [ect1, ect0, ce] = &mut self.octets;
        let of_kind = match ecn {
            Ecn::NotEct => return,
            Ecn::Ect1 => ect1,
            Ecn::Ect0 => ect0,
            Ecn::Ce => {
                self.marked = self.marked.wrapping_add(segments);
                ce
            }
        };
        *of_kind = of_kind.wrapping_add(octets);
    }

    /// There was any data, or a mark.
    pub fn has_any(&self) -> bool {
        *self != Self::default()
    }
}

/// The state of one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EcnState {
    /// Our SYN has offered ECN.
    pub(crate) offered: bool,
    /// Both ends use ECN.
    pub(crate) agreed: bool,
    /// Acknowledgments carry ECE.
    pub(crate) echo: bool,
    /// The next new data carries CWR.
    pub(crate) cwr_due: bool,
    /// The peer's data is ECN-capable.
    seen: bool,
    /// An acknowledgment of this, with ECE as said, goes before all others.
    early: Option<(SeqNum, bool)>,
}

crate::engine::dormant::packed!(struct EcnState { offered, agreed, echo, cwr_due, seen, early });

impl EcnState {
    /// In our offer to the peer: ECE and CWR on the SYN.
    ///
    ///   "A host that receives no reply to an ECN-setup SYN within the normal SYN retransmission
    ///   timeout interval MAY resend the SYN and any subsequent SYN retransmissions with CWR and
    ///   ECE cleared." (RFC 3168, 6.1.1.1)
    pub(crate) fn offer(&mut self, transmit: &mut Transmit, fallback: bool) {
        self.offered = true;
        if !(fallback && transmit.retransmission) {
            transmit.ece = true;
            transmit.cwr = true;
        }
    }

    /// The SYN-ACK has come: ECE without CWR agrees.
    pub(crate) fn on_syn_ack(&mut self, segment: &Segment) {
        self.agreed = self.offered && segment.ece && !segment.cwr;
    }

    /// Two SYNs have crossed: both must offer.
    pub(crate) fn on_crossing_syn(&mut self, segment: &Segment, needs: bool) {
        self.agreed = self.offered && EcnMode::On.agrees(segment, needs);
    }

    /// Acceptable data has come; `ack_owed` says whether what came before it is unacknowledged,
    /// `nxt` is RCV.NXT before it.
    pub(crate) fn on_data(
        &mut self,
        segment: &Segment,
        echo: Echo,
        nxt: SeqNum,
        ack_owed: bool,
    ) -> Answer {
        if !self.agreed {
            return Answer::None;
        }
        let marked = segment.ecn == Ecn::Ce;
        match echo {
            Echo::Exact => self.echo_exactly(marked, nxt, ack_owed),
            Echo::UntilReaction => self.echo_until_reaction(segment, marked),
        }
    }

    fn echo_until_reaction(&mut self, segment: &Segment, marked: bool) -> Answer {
        let mut answer = Answer::None;
        if segment.cwr {
            self.echo = false;
            // The sender's window may be one segment: it waits for this acknowledgment.
            answer = Answer::Now;
        }
        if marked && !self.echo {
            self.echo = true;
            answer = Answer::Now;
        }
        if segment.ecn.is_capable() {
            self.seen = true;
        } else if self.seen {
            // Of a sender that marks all new data this can only be a retransmission.
            answer = Answer::Now;
        }
        answer
    }

    /// "If the CE codepoint is set and DCTCP.CE is false, send an ACK for any previously
    /// unacknowledged packets and set DCTCP.CE to true", and the other way round (RFC 8257, 3.2).
    fn echo_exactly(&mut self, marked: bool, nxt: SeqNum, ack_owed: bool) -> Answer {
        if self.echo == marked {
            return Answer::None;
        }
        let before = self.echo;
        self.echo = marked;
        if ack_owed {
            self.early = Some((nxt, before));
            Answer::Both
        } else {
            Answer::Now
        }
    }

    /// There is an acknowledgment that goes before all others.
    pub(crate) fn has_early(&self) -> bool {
        self.early.is_some()
    }

    /// Takes the acknowledgment that goes before all others.
    pub(crate) fn take_early(&mut self) -> Option<(SeqNum, bool)> {
        self.early.take()
    }

    /// An acknowledgment in `segment` echoes a mark.
    pub(crate) fn is_echo(&self, segment: &Segment) -> bool {
        self.agreed && segment.ece
    }

    /// The window was reduced, for whatever reason:
    ///
    ///   "When an ECN-Capable TCP sender reduces its congestion window for any reason [...] the
    ///   TCP sender sets the CWR flag in the TCP header of the first new data packet sent after
    ///   the window reduction." (RFC 3168, 6.1.2)
    pub(crate) fn on_reduced(&mut self) {
        self.cwr_due = self.agreed;
    }

    /// The reduction was a mistake: there is nothing to report.
    pub(crate) fn on_undone(&mut self) {
        self.cwr_due = false;
    }

    /// Puts on a segment of a synchronized connection what belongs there. `always` makes every
    /// segment ECN-capable, not only new data.
    ///
    ///   "the TCP sender MUST NOT set either an ECT codepoint or the CWR bit [...] on
    ///   retransmitted data packets" and "[...] on pure acknowledgement packets" (RFC 3168,
    ///   6.1.5 and 6.1.4)
    pub(crate) fn mark(&mut self, transmit: &mut Transmit, always: bool) {
        if !self.agreed {
            return;
        }
        transmit.ece = self.echo;
        let is_new_data = !transmit.range.is_empty() && !transmit.retransmission;
        if is_new_data {
            transmit.cwr = core::mem::take(&mut self.cwr_due);
        }
        if is_new_data || always {
            transmit.ecn = Ecn::Ect0;
        }
    }

    /// `transmit` did not get out.
    pub(crate) fn on_transmit_failed(&mut self, transmit: &Transmit) {
        self.cwr_due |= self.agreed && transmit.cwr;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::seq::SeqRange;
    use crate::engine::wire::{
        Control,
        Ports, //
    };

    const NXT: SeqNum = SeqNum::new(100);

    fn data(ecn: Ecn, cwr: bool) -> Segment {
        let mut transmit = Transmit::bare(NXT, None, Control::None);
        transmit.range = SeqRange::new(NXT, 10);
        transmit.ecn = ecn;
        transmit.cwr = cwr;
        transmit.as_received(Ports { src: 1, dst: 2 })
    }

    fn agreed() -> EcnState {
        EcnState {
            agreed: true,
            ..EcnState::default()
        }
    }

    #[test]
    fn marks_are_echoed_until_the_sender_reacts() {
        let mut state = agreed();
        let mut take = |ecn, cwr| {
            let answer = state.on_data(&data(ecn, cwr), Echo::UntilReaction, NXT, true);
            (answer, state.echo)
        };
        assert_eq!(take(Ecn::Ect0, false), (Answer::None, false));
        assert_eq!(take(Ecn::Ce, false), (Answer::Now, true));
        assert_eq!(take(Ecn::Ect0, false), (Answer::None, true));
        assert_eq!(take(Ecn::Ect0, true), (Answer::Now, false));
        // The same segment may bring the reaction to one mark and the next mark.
        assert_eq!(take(Ecn::Ce, true), (Answer::Now, true));
        assert_eq!(take(Ecn::NotEct, false), (Answer::Now, true));
    }

    #[test]
    fn exact_echoes_come_with_each_change() {
        let mut state = agreed();
        let mut take = |ecn, owed| {
            let answer = state.on_data(&data(ecn, false), Echo::Exact, NXT, owed);
            (answer, state.echo, state.take_early())
        };
        assert_eq!(take(Ecn::Ect0, true), (Answer::None, false, None));
        let early = Some((NXT, false));
        assert_eq!(take(Ecn::Ce, true), (Answer::Both, true, early));
        assert_eq!(take(Ecn::Ce, true), (Answer::None, true, None));
        assert_eq!(take(Ecn::Ect0, false), (Answer::Now, false, None));
    }

    #[test]
    fn only_new_data_is_capable_and_reports_the_reaction_once() {
        let mut state = agreed();
        state.on_reduced();
        let mut empty = Transmit::bare(NXT, None, Control::None);
        let mut new = empty;
        new.range = SeqRange::new(NXT, 10);
        let mut again = new;
        again.retransmission = true;
        state.mark(&mut empty, false);
        state.mark(&mut again, false);
        assert_eq!((empty.ecn, empty.cwr), (Ecn::NotEct, false));
        assert_eq!((again.ecn, again.cwr), (Ecn::NotEct, false));
        let mut next = new;
        state.mark(&mut new, false);
        state.mark(&mut next, false);
        assert_eq!((new.ecn, new.cwr), (Ecn::Ect0, true));
        assert_eq!((next.ecn, next.cwr), (Ecn::Ect0, false));
        state.on_transmit_failed(&new);
        assert!(state.cwr_due);
        state.mark(&mut again, true);
        assert_eq!((again.ecn, again.cwr), (Ecn::Ect0, false));
    }

    #[test]
    fn listener_agrees_to_unmarked_offers() {
        let mut syn = data(Ecn::NotEct, true);
        syn.ece = true;
        assert!(EcnMode::Accept.agrees(&syn, false) && EcnMode::On.agrees(&syn, false));
        assert!(!EcnMode::Off.agrees(&syn, false) && EcnMode::Off.agrees(&syn, true));
        syn.ecn = Ecn::Ect0;
        assert!(!EcnMode::On.agrees(&syn, false) && EcnMode::On.agrees(&syn, true));
        syn.cwr = false;
        assert!(!EcnMode::On.agrees(&syn, true));
    }
}
