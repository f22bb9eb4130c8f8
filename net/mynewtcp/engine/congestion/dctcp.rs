// SPDX-License-Identifier: GPL-2.0

//! DCTCP (RFC 8257): the window shrinks by as much as there are marks.
//!
//! Without ECN it sees no marks and is Reno.

use crate::engine::congestion::reno::Reno;
use crate::engine::congestion::{
    least_ssthresh,
    AckSample,
    Algorithm,
    Cause,
    Detail,
    Window, //
};
use crate::engine::seq::{
    Mss,
    SeqNum, //
};

/// DCTCP's own memory.
#[derive(Clone, Copy, Debug)]
pub struct Dctcp {
    /// How the window grows.
    reno: Reno,
    /// DCTCP.Alpha, the share of marked octets, in 1024ths.
    alpha: u16,
    /// DCTCP.WindowEnd, once there is one.
    window_end: Option<SeqNum>,
    /// DCTCP.BytesAcked.
    acked_bytes: u32,
    /// DCTCP.BytesMarked.
    marked_bytes: u32,
}

crate::engine::dormant::packed! {
    struct Dctcp {
        reno, alpha, window_end, acked_bytes, marked_bytes,
    }
}

impl Dctcp {
    /// An alpha of one.
    const ONE: u16 = 1024;
    /// g, the weight of the newest round, is 1/16, as RFC 8257 recommends (4.2).
    const G_SHIFT: u32 = 4;

    /// A round of acknowledgments is over: "DCTCP.Alpha = DCTCP.Alpha * (1 - g) + g * M"
    /// (RFC 8257, 3.3).
    fn update_alpha(&mut self) {
        let scaled = u64::from(self.marked_bytes) * u64::from(Self::ONE >> Self::G_SHIFT);
        let gain = (scaled / u64::from(self.acked_bytes.max(1))) as u16;
        // The last fifteen parts would never go by division.
        let decay = (self.alpha >> Self::G_SHIFT).max(1);
        self.alpha = self
            .alpha
            .saturating_sub(decay)
            .saturating_add(gain)
            .min(Self::ONE);
        self.acked_bytes = 0;
        self.marked_bytes = 0;
    }
}

impl Algorithm for Dctcp {
    const NAME: &'static str = "dctcp";
    const NEEDS_ECN: bool = true;
    /// Beside flows that halve their window on a mark it would take what it wants.
    const RESTRICTED: bool = true;

    /// Alpha begins as one: the first mark halves the window, as it does everybody's.
    fn new() -> Self {
        Self {
            reno: Reno::new(),
            alpha: Self::ONE,
            window_end: None,
            acked_bytes: 0,
            marked_bytes: 0,
        }
    }

    fn observe(&mut self, _window: &mut Window, sample: &AckSample) {
        let end = *self.window_end.get_or_insert(sample.nxt);
        let acked = sample.acked_bytes;
        self.acked_bytes = self.acked_bytes.saturating_add(acked);
        if sample.ece {
            self.marked_bytes = self.marked_bytes.saturating_add(acked);
        }
        // "If the acknowledgment number is less than or equal to DCTCP.WindowEnd, stop
        // processing."
        if sample.una.after(end) {
            self.update_alpha();
            self.window_end = Some(sample.nxt);
        }
    }

    fn on_ack(&mut self, window: &mut Window, mss: Mss, sample: &AckSample) {
        self.reno.on_ack(window, mss, sample);
    }

    /// "cwnd = cwnd * (1 - DCTCP.Alpha / 2)" for marks (RFC 8257, 3.3); for losses "the DCTCP
    /// sender MUST react to loss episodes in the same way as conventional TCP" (3.5).
    fn on_congestion(&mut self, window: &Window, mss: Mss, flight: u32, cause: Cause) -> u32 {
        let conventional = self.reno.on_congestion(window, mss, flight, cause);
        match cause {
            Cause::Loss | Cause::Timeout => conventional,
            Cause::Mark => {
                let cwnd = u64::from(window.cwnd_bytes);
                let less = cwnd * u64::from(self.alpha) / (2 * u64::from(Self::ONE));
                (cwnd.saturating_sub(less) as u32).max(least_ssthresh(mss))
            }
        }
    }

    fn on_timeout(&mut self) {
        self.reno.on_timeout();
    }

    fn detail(&self) -> Detail {
        Detail::Dctcp {
            alpha: self.alpha,
            marked_bytes: self.marked_bytes,
            acked_bytes: self.acked_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::time::{
        Delta,
        Instant, //
    };

    const MSS: Mss = Mss::DEFAULT;

    /// One round of ten acknowledgments, the first `marked` of them with an echo.
    fn round(dctcp: &mut Dctcp, at: u32, marked: u32) {
        let mut window = Window::initial(10, MSS);
        for n in 0..10 {
            let sample = AckSample {
                now: Instant::ZERO,
                acked_bytes: 536,
                flight_size_bytes: 5360,
                cwnd_limited: true,
                srtt: Delta::ZERO,
                rtt: None,
                una: SeqNum::new(at + (n + 1) * 536),
                nxt: SeqNum::new(at + (n + 11) * 536 - 1),
                ece: n < marked,
            };
            dctcp.observe(&mut window, &sample);
        }
    }

    fn after(rounds: u32, marked: u32) -> Dctcp {
        let mut dctcp = Dctcp::new();
        for n in 0..rounds {
            round(&mut dctcp, n * 5360, marked);
        }
        dctcp
    }

    #[test]
    fn alpha_follows_the_share_of_marks() {
        assert!(after(200, 0).alpha <= 1);
        assert!((after(200, 10).alpha) >= 1009);
        let third = after(200, 3).alpha;
        assert!((290..=324).contains(&third), "{third}");
    }

    #[test]
    fn window_shrinks_by_half_of_alpha() {
        let window = Window::initial(100, MSS);
        let left = |marked, cause| after(200, marked).on_congestion(&window, MSS, 53_600, cause);
        assert!(left(0, Cause::Mark) > 53_500);
        assert!((26_800..27_300).contains(&left(10, Cause::Mark)));
        assert_eq!(left(0, Cause::Loss), 26_800);
        assert_eq!(left(0, Cause::Timeout), 26_800);
    }
}
