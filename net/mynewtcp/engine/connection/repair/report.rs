// SPDX-License-Identifier: GPL-2.0

//! What one acknowledgment reports, gathered while it is taken in, and the measurements that it
//! allows.

use crate::engine::buffer::{
    Context,
    Shell, //
};
use crate::engine::connection::Connection;
use crate::engine::counters::Counter;
use crate::engine::recv::timestamp_clock;
use crate::engine::send::delivery::{
    Delivery,
    Echo, //
};
use crate::engine::send::undo;
use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};
use crate::engine::time::Delta;
use crate::engine::wire::Segment;

/// An acknowledgment at or after SND.UNA.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    /// SEG.ACK.
    pub(crate) ack: SeqNum,
    /// What it is the first to tell of.
    pub(crate) delivery: Delivery,
    /// Octets of data by which it advances SND.UNA.
    pub(crate) acked: u32,
    /// SND.UNA before it.
    pub(crate) prior_una: SeqNum,
    /// FlightSize before it.
    pub(crate) prior_flight: u32,
    /// It advances SND.UNA, be it over data, SYN or FIN.
    pub(crate) has_advanced: bool,
    /// It is a duplicate.
    pub(crate) is_duplicate: bool,
    /// It is not a bare repetition: it advances SND.UNA, tells of selectively acknowledged data,
    /// of another window, or carries payload.
    pub(crate) has_news: bool,
    /// It echoes a mark of congestion.
    pub(crate) ece: bool,
    /// What it says was received twice.
    pub(crate) dsack: Option<SeqRange>,
}

impl Connection {
    /// Begins to take in an acceptable acknowledgment.
    pub(crate) fn begin_report<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
        ack: SeqNum,
    ) -> Report {
        let una = self.snd.data_una();
        let mut delivery = Delivery::new(cx.now, self.snd.size.mss(), una);
        delivery.fack = self.snd.board.sacked_end;
        delivery.recovery_point = self.snd.recovery.recovery_point;
        delivery.min_rtt = self.snd.rtt.min();
        delivery.echo = match (self.rcv.timestamps, segment.options.timestamps) {
            (Some(clock), Some(ts)) if ts.ecr != 0 => Some(Echo {
                ecr: ts.ecr,
                offset: clock.offset,
            }),
            (Some(_) | None, Some(_) | None) => None,
        };
        Report {
            ack,
            delivery,
            acked: 0,
            prior_una: una,
            prior_flight: self.snd.flight_size_bytes(),
            has_advanced: false,
            is_duplicate: false,
            has_news: segment.payload_len > 0,
            ece: self.ecn.is_echo(segment),
            dsack: self.take_dsack(cx, segment, ack),
        }
    }

    /// The range that the peer says it has received twice.
    ///
    ///   "the first SACK block [...] is used to report a duplicate segment": one below the
    ///   acknowledgment number, or one inside of the second block (RFC 2883, 4)
    fn take_dsack<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
        ack: SeqNum,
    ) -> Option<SeqRange> {
        if !self.rcv.sack {
            return None;
        }
        let mut blocks = segment.options.sack.iter();
        let first = blocks.next()?;
        let below = first.start().before(ack);
        let inside = blocks.next().is_some_and(|second| second.covers(first));
        // Nobody can have received twice what was never sent, or what was acknowledged an age ago.
        let oldest = self.snd.una.minus(self.snd.window.max.octets());
        let sane = first.end().before_or_eq(self.snd.nxt) && first.start().after_or_eq(oldest);
        if !(below || inside) || !sane || first.is_empty() {
            return None;
        }
        cx.shell.count(
            if below {
                Counter::DsackRecv
            } else {
                Counter::DsackOfoRecv
            },
            1,
        );
        let segments = first.len().div_ceil(self.snd.size.mss().octets());
        let tally = &mut self.snd.tally;
        tally.dsack_dups = tally.dsack_dups.saturating_add(segments);
        // RFC 3708, 3: more duplicates than retransmissions are the network's, or made up.
        if tally.dsack_dups > tally.total_retrans {
            cx.shell.count(Counter::DsackIgnoredDubious, 1);
            return None;
        }
        if !cx.config.rack_static_window {
            self.snd.rack.on_dsack(self.snd.una, self.snd.nxt);
        }
        match self.snd.undo.on_dsack(first) {
            undo::Report::Counted => {}
            undo::Report::Ignored => cx.shell.count(Counter::DsackIgnoredNoUndo, 1),
        }
        Some(first)
    }

    /// Round-trip times; returns one that timestamps are not needed for. A measurement needs octets that were sent once only (Karn's algorithm),
    /// or timestamps.
    pub(super) fn measure_rtt<S: Shell>(
        &mut self,
        cx: &Context<'_, S>,
        report: &Report,
    ) -> Option<Delta> {
        let delivery = &report.delivery;
        let since = |at| cx.now.since(at);
        if let Some(youngest) = delivery.youngest {
            let window = cx.config.min_rtt_window;
            self.snd.rtt.on_min_sample(since(youngest), cx.now, window);
        }
        let karn = delivery
            .oldest
            .filter(|_| !delivery.repeated || !report.has_advanced)
            .map(since);
        let sample = match karn {
            Some(sample) => Some(sample),
            None if report.has_advanced => self.echoed_rtt(cx, report),
            None => None,
        };
        if let Some(sample) = sample {
            self.snd.rtt.on_sample(sample);
        }
        if let (true, Some(youngest)) = (report.acked > 0, delivery.youngest) {
            let segments = report.acked.div_ceil(delivery.mss.octets());
            let min = self.snd.rtt.min();
            self.snd.tlp.on_acked(segments, since(youngest), min);
        }
        karn
    }

    /// The round-trip time that the echoed timestamp tells.
    pub(super) fn echoed_rtt<S: Shell>(
        &self,
        cx: &Context<'_, S>,
        report: &Report,
    ) -> Option<Delta> {
        let echo = report.delivery.echo?;
        let millis = timestamp_clock(cx.now, echo.offset).wrapping_sub(echo.ecr);
        // An echo from the future, or of an age that no segment reaches, is made up.
        (millis < 600_000).then(|| Delta::from_millis(u64::from(millis.max(1))))
    }
}
