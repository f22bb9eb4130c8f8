// SPDX-License-Identifier: GPL-2.0

//! Taking back a reduction of the window that was a mistake, because what was held to be lost had
//! only been late. Told by duplicate reports for everything that was sent again (RFC 3708), by an
//! echoed timestamp from before the first retransmission (RFC 3522, Eifel), or by F-RTO
//! (RFC 5682).

use crate::engine::congestion::Window;
use crate::engine::send::delivery::Echo;
use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};

/// What is remembered of the last reduction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Undo {
    /// The window before.
    prior: Window,
    /// undo_marker: SND.UNA then.
    marker: SeqNum,
    /// Octets sent again since and not reported as duplicates.
    unreported: u32,
    /// Our timestamp clock at the first retransmission since.
    stamp: u32,
    /// There is something to take back.
    is_armed: bool,
    /// The peer has echoed a mark of congestion as well.
    is_required: bool,
    /// Something has been sent again since.
    has_repeated: bool,
}

crate::engine::dormant::packed! {
    struct Undo {
        prior, marker, unreported, stamp, is_armed, is_required, has_repeated,
    }
}

/// What became of a report of duplicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Report {
    /// It counts.
    Counted,
    /// There is nothing to take back, or it is about other octets.
    Ignored,
}

impl Undo {
    pub(crate) const fn new(iss: SeqNum) -> Self {
        Self {
            prior: Window {
                cwnd_bytes: 0,
                ssthresh_bytes: 0,
            },
            marker: iss,
            unreported: 0,
            stamp: 0,
            is_armed: false,
            is_required: false,
            has_repeated: false,
        }
    }

    /// The window is being reduced from `prior`, with `outstanding` octets of retransmissions
    /// under way.
    pub(crate) fn begin(&mut self, prior: Window, una: SeqNum, outstanding: u32) {
        *self = Self {
            prior,
            marker: una,
            unreported: outstanding,
            is_armed: true,
            is_required: false,
            has_repeated: outstanding > 0,
            ..*self
        };
        if outstanding == 0 {
            self.stamp = 0;
        }
    }

    /// Something is sent again, `stamp` is what our timestamp clock reads.
    pub(crate) fn on_repeated(&mut self, len: u32, stamp: u32) {
        if self.is_armed {
            if !self.has_repeated {
                self.stamp = stamp;
            }
            self.has_repeated = true;
            self.unreported = self.unreported.saturating_add(len);
        }
    }

    /// It never left the host.
    pub(crate) fn on_unsent(&mut self, len: u32) {
        self.unreported = self.unreported.saturating_sub(len);
    }

    /// The peer reports that it has received the octets of `range` twice.
    pub(crate) fn on_dsack(&mut self, range: SeqRange) -> Report {
        if !self.is_armed || !self.has_repeated || range.end().before_or_eq(self.marker) {
            return Report::Ignored;
        }
        self.unreported = self.unreported.saturating_sub(range.len());
        Report::Counted
    }

    /// Every octet that was sent again was reported as a duplicate: nothing had been lost.
    pub(crate) fn is_all_reported(&self) -> bool {
        self.is_armed && self.has_repeated && self.unreported == 0
    }

    /// The acknowledgment was made for what was sent before the first retransmission.
    ///
    ///   "If the value of the Timestamp Echo Reply field of the acceptable ACK's Timestamps option
    ///   is smaller than the value of RetransmitTS, then [...] SpuriousRecovery" (RFC 3522, 3.2)
    pub(crate) fn is_echo_of_original(&self, echo: Option<Echo>) -> bool {
        self.is_armed
            && self.has_repeated
            && echo.is_some_and(|echo| echo.ecr != 0 && echo.is_before_stamp(self.stamp))
    }

    /// There is a reduction that can be taken back.
    pub(crate) fn is_armed(&self) -> bool {
        self.is_armed
    }

    /// The peer echoes a mark of congestion: whether anything was lost or not, the window is too
    /// large.
    ///
    ///   "The indication of congestion should be treated just as a congestion loss in
    ///   non-ECN-Capable TCP." (RFC 3168, 6.1.2)
    pub(crate) fn require(&mut self) {
        self.is_required = true;
    }

    /// The reduction was for a mark alone: there is no mistake in it.
    pub(crate) fn disarm(&mut self) {
        self.is_armed = false;
    }

    /// Takes it back: cwnd and ssthresh are at least what they were. `false` if they had to be
    /// reduced anyhow.
    #[must_use]
    pub(crate) fn restore(&mut self, window: &mut Window) -> bool {
        self.is_armed = false;
        if self.is_required {
            return false;
        }
        window.cwnd_bytes = window.cwnd_bytes.max(self.prior.cwnd_bytes);
        window.ssthresh_bytes = window.ssthresh_bytes.max(self.prior.ssthresh_bytes);
        true
    }

    /// SND.UNA is `una`: a marker far behind would in the end seem to lie ahead.
    pub(crate) fn refresh(&mut self, una: SeqNum) {
        const FAR: u32 = 1 << 30;
        if una.distance_from(self.marker) > FAR {
            self.is_armed = false;
            self.marker = una;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNA: SeqNum = SeqNum::new(u32::MAX - 100);
    const PRIOR: Window = Window {
        cwnd_bytes: 10_000,
        ssthresh_bytes: 50_000,
    };

    fn armed() -> Undo {
        let mut undo = Undo::new(UNA);
        undo.begin(PRIOR, UNA, 0);
        undo
    }

    #[test]
    fn all_repetitions_must_be_reported() {
        let mut undo = armed();
        assert!(!undo.is_all_reported());
        undo.on_repeated(2000, 7);
        let report = |start: u32| SeqRange::new(UNA.plus(start), 1000);
        assert_eq!(undo.on_dsack(report(0)), Report::Counted);
        assert!(!undo.is_all_reported());
        assert_eq!(
            undo.on_dsack(SeqRange::new(UNA.minus(1000), 1000)),
            Report::Ignored
        );
        assert_eq!(undo.on_dsack(report(1000)), Report::Counted);
        assert!(undo.is_all_reported());
        let mut window = Window {
            cwnd_bytes: 1000,
            ssthresh_bytes: 5000,
        };
        assert!(undo.restore(&mut window));
        assert_eq!(window, PRIOR);
        assert!(!undo.is_all_reported());
    }

    #[test]
    fn echoes_from_before_the_first_retransmission_tell() {
        let mut undo = armed();
        let echo = |ecr| Some(Echo { ecr, offset: 0 });
        assert!(!undo.is_echo_of_original(echo(1)));
        undo.on_repeated(100, 50);
        undo.on_repeated(100, 60);
        assert!(undo.is_echo_of_original(echo(49)));
        assert!(!undo.is_echo_of_original(echo(50)));
        assert!(!undo.is_echo_of_original(None));
    }
}
