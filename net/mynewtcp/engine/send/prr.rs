// SPDX-License-Identifier: GPL-2.0

//! Proportional rate reduction (RFC 9937): while the window is being reduced, what may be sent
//! follows what has been delivered.

use crate::engine::seq::Mss;

/// What an acknowledgment means for the reduction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    /// DeliveredData.
    pub(crate) delivered: u32,
    /// Octets held to be in the network.
    pub(crate) inflight: u32,
    /// Target of the reduction.
    pub(crate) ssthresh: u32,
    /// SafeACK: SND.UNA has advanced and no further loss shows.
    pub(crate) safe: bool,
    /// SMSS.
    pub(crate) mss: Mss,
}

/// The memory of one reduction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Prr {
    /// prr_delivered.
    delivered: u32,
    /// prr_out.
    out: u32,
    /// RecoverFS.
    recover_fs: u32,
    /// What may still be sent before the next acknowledgment.
    sndcnt: u32,
    /// Octets granted beyond those delivered.
    granted: u32,
}

crate::engine::dormant::packed!(struct Prr { delivered, out, recover_fs, sndcnt, granted });

impl Prr {
    /// Nothing is being reduced.
    pub(crate) const IDLE: Self = Self {
        delivered: 0,
        out: 0,
        recover_fs: 0,
        sndcnt: 0,
        granted: 0,
    };

    /// A reduction begins with `recover_fs` octets under way, those included that the
    /// acknowledgment which made it begin has delivered.
    pub(crate) fn begin(&mut self, recover_fs: u32) {
        *self = Self {
            recover_fs: recover_fs.max(1),
            ..Self::IDLE
        };
    }

    /// What may be sent now.
    pub(crate) fn allows(&self) -> u32 {
        self.sndcnt
    }

    /// Something is sent, and if it is `forced`, whatever [`Self::allows`] says: the first
    /// retransmission, a probe, or a segment when nothing is under way.
    pub(crate) fn on_sent(&mut self, len: u32, forced: bool) {
        if forced {
            let beyond = len.saturating_sub(self.sndcnt);
            self.granted = self.granted.saturating_add(beyond);
        }
        self.sndcnt = self.sndcnt.saturating_sub(len);
        self.out = self.out.saturating_add(len);
    }

    /// It never left the host.
    pub(crate) fn on_unsent(&mut self, len: u32) {
        self.out = self.out.saturating_sub(len);
    }

    /// Section 6.2: "On every ACK starting or during the fast recovery". One that has delivered
    /// nothing changes nothing, unless it is the start.
    pub(crate) fn on_ack(&mut self, progress: &Progress) {
        let Progress {
            delivered,
            inflight,
            ssthresh,
            safe,
            mss,
        } = *progress;
        if delivered == 0 && self.out > 0 {
            return;
        }
        self.delivered = self.delivered.saturating_add(delivered);
        let mut sndcnt = if inflight > ssthresh {
            self.proportional(ssthresh)
        } else {
            // "PRR-CRB by default", and "PRR-SSRB when recovery is in good progress"
            let mut sndcnt = self.delivered.saturating_sub(self.out).max(delivered);
            if safe {
                sndcnt = sndcnt.saturating_add(mss.octets());
                self.granted = self.granted.saturating_add(mss.octets());
            }
            sndcnt.min(ssthresh.saturating_sub(inflight))
        };
        // "Force a fast retransmit upon entering recovery"
        if self.out == 0 && sndcnt < mss.octets() {
            sndcnt = mss.octets();
            self.granted = self.granted.saturating_add(mss.octets());
        }
        self.sndcnt = sndcnt;
    }

    /// "sndcnt = CEIL(prr_delivered * ssthresh / RecoverFS) - prr_out", and never more than was
    /// delivered, should the target be above what was under way.
    fn proportional(&self, ssthresh: u32) -> u32 {
        let fs = u64::from(self.recover_fs.max(1));
        let product = u64::from(self.delivered) * u64::from(ssthresh);
        let target = product.div_ceil(fs).min(u64::from(self.delivered)) as u32;
        target.saturating_sub(self.out)
    }

    /// Never more is sent than was delivered, but for one segment with each acknowledgment that
    /// shows good progress, and for what was forced.
    pub(crate) fn is_within_bound(&self) -> bool {
        self.out <= self.delivered.saturating_add(self.granted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: Mss = Mss::new(1000);

    fn progress(delivered: u32, inflight: u32, ssthresh: u32) -> Progress {
        Progress {
            delivered,
            inflight,
            ssthresh,
            safe: false,
            mss: MSS,
        }
    }

    /// The example of RFC 6937, section 4: 20 segments under way, the first is lost, the window
    /// is halved. Acknowledgments that arrive are answered by every second one of them.
    #[test]
    fn one_loss_is_paced_over_the_round_trip() {
        let mut prr = Prr::IDLE;
        prr.begin(20_000);
        let mut pipe = 19_000;
        let mut sent = 0;
        for ack in 0..19 {
            pipe -= 1000;
            prr.on_ack(&progress(1000, pipe, 10_000));
            let now = prr.allows() / 1000 * 1000;
            assert!(now <= 1000 || ack == 0);
            prr.on_sent(now, false);
            pipe += now;
            sent += now;
            assert!(prr.is_within_bound());
        }
        assert_eq!(sent, 10_000);
        assert_eq!(pipe, 10_000);
    }

    /// Many losses: no more is sent than was delivered, until progress is good.
    #[test]
    fn heavy_loss_keeps_to_what_was_delivered() {
        let mut prr = Prr::IDLE;
        prr.begin(20_000);
        prr.on_ack(&progress(1000, 3000, 10_000));
        assert_eq!(prr.allows(), 1000);
        prr.on_sent(1000, false);
        prr.on_ack(&progress(1000, 3000, 10_000));
        assert_eq!(prr.allows(), 1000);
        prr.on_sent(1000, false);
        let safe = Progress {
            safe: true,
            ..progress(1000, 3000, 10_000)
        };
        prr.on_ack(&safe);
        assert_eq!(prr.allows(), 2000);
        prr.on_sent(2000, false);
        assert!(prr.is_within_bound());
        prr.on_sent(1, false);
        assert!(!prr.is_within_bound());
    }

    #[test]
    fn first_segment_is_forced_and_what_is_near_the_target_stops_there() {
        let mut prr = Prr::IDLE;
        prr.begin(10_000);
        prr.on_ack(&progress(100, 9000, 5000));
        assert_eq!(prr.allows(), 1000);
        prr.on_sent(1000, false);
        prr.on_ack(&progress(0, 0, 5000));
        assert_eq!(prr.allows(), 0);
        prr.on_ack(&progress(9000, 4500, 5000));
        assert_eq!(prr.allows(), 500);
    }
}
