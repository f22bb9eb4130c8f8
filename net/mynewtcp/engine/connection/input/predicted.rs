// SPDX-License-Identifier: GPL-2.0

//! Header prediction: the short way of the segment that comes next when all goes well.
//!
//! What it does is what the long way does with such a segment, call for call: steps that would
//! find nothing are left out, and what they would compute of nothing. [`Config::prediction`] turns
//! it off, so that both ways can be compared.
//!
//! [`Config::prediction`]: crate::engine::config::Config::prediction

use crate::engine::buffer::{
    Context,
    Payload,
    Shell, //
};
use crate::engine::connection::control::News;
use crate::engine::connection::Connection;
use crate::engine::counters::Counter;
use crate::engine::event::Signal;
use crate::engine::recv::admission::admit;
use crate::engine::send::delivery::Sent;
use crate::engine::send::recovery::Phase;
use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};
use crate::engine::state::State;
use crate::engine::time::Instant;
use crate::engine::timers::Timer;
use crate::engine::wire::{
    Control,
    Segment, //
};

/// What an acknowledgment tells of chunks that were sent once and of which nothing else is known.
#[derive(Clone, Copy, Debug)]
struct Clean {
    /// When the oldest octets among them were sent.
    oldest: Instant,
    /// When the youngest were.
    youngest: Instant,
    /// The transmission among them that was made last.
    latest: Sent,
}

impl Connection {
    /// Takes `segment` the short way, or gives its payload back.
    pub(super) fn take_predicted<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
        payload: Option<S::Payload>,
    ) -> Result<(), Option<S::Payload>> {
        let Some(ack) = segment.ack else {
            return Err(payload);
        };
        if !(self.is_calm() && self.predicts(cx, segment, ack)) {
            return Err(payload);
        }
        let prior_una = self.snd.una;
        if ack == prior_una {
            // A bare repetition may be a sign of loss.
            if payload.is_none() {
                return Err(payload);
            }
            self.begin_predicted(cx, segment, ack);
            self.snd.rack.end_round(ack);
            self.timers.stop(Timer::Reorder);
        } else {
            let Some(clean) = clean_delivery(cx.shell, prior_una, ack) else {
                return Err(payload);
            };
            self.begin_predicted(cx, segment, ack);
            self.take_clean(cx, segment, ack, clean);
        }
        self.update_pacing(cx);
        self.update_timestamp(cx, segment);
        if let Some(payload) = payload {
            self.deliver_predicted(cx, segment, payload);
        }
        Ok(())
    }

    /// Nothing is lost, out of order, marked, probed, about to be taken back or about to end.
    #[inline]
    fn is_calm(&self) -> bool {
        let (snd, rcv) = (&self.snd, &self.rcv);
        matches!(self.state, State::Established(_))
            && snd.recovery.phase == Phase::Open
            && snd.board.is_clean(snd.una)
            && !snd.tlp.is_under_way()
            && !snd.undo.is_all_reported()
            && !rcv.has_gap()
            && !self.ecn.agreed
            && !self.user.closed
    }

    /// `segment` is the one that comes next, and says nothing unusual.
    #[inline]
    fn predicts<S: Shell>(&self, cx: &Context<'_, S>, segment: &Segment, ack: SeqNum) -> bool {
        let (snd, rcv) = (&self.snd, &self.rcv);
        let in_time = match (rcv.timestamps, segment.options.timestamps) {
            (Some(clock), Some(ts)) => !clock.is_before(ts.val),
            (Some(_), None) => false,
            (None, Some(_) | None) => true,
        };
        let room = rcv.window.offered(rcv.nxt);
        in_time
            && segment.control == Control::None
            && segment.seq == rcv.nxt
            && segment.payload_len <= room
            && segment.options.sack.is_empty()
            && ack.distance_from(snd.una) <= snd.nxt.distance_from(snd.una)
            && cx.shell.ooo_first().is_none()
    }

    /// What every acceptable segment with an acceptable acknowledgment does.
    #[inline]
    fn begin_predicted<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
        ack: SeqNum,
    ) {
        self.rcv.last_at = cx.now;
        self.snd.patience.on_answer();
        self.soft_error = None;
        let _ = self.update_send_window(segment, ack);
    }

    /// SND.UNA advances to `ack`.
    #[inline]
    fn take_clean<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
        ack: SeqNum,
        clean: Clean,
    ) {
        cx.shell.count(Counter::HpAcks, 1);
        let mss = self.snd.size.mss();
        let prior_flight = self.snd.nxt.distance_from(self.snd.una);
        let acked = ack.distance_from(self.snd.una);
        self.snd.una = ack;
        cx.shell.release(ack);
        self.snd.board.advance(ack);
        self.note_progress(cx, segment, acked);
        // The measurements.
        let (rtt, youngest) = (cx.now.since(clean.oldest), cx.now.since(clean.youngest));
        let window = cx.config.min_rtt_window;
        self.snd.rtt.on_min_sample(youngest, cx.now, window);
        self.snd.rtt.on_sample(rtt);
        let segments = acked.div_ceil(mss.octets());
        let min = self.snd.rtt.min();
        self.snd.tlp.on_acked(segments, youngest, min);
        self.snd.rack.on_latest(cx.now, clean.latest);
        self.snd.rack.end_round(ack);
        // What is left of loss detection and congestion control.
        self.snd.recovery.dup_acks = 0;
        self.timers.stop(Timer::Reorder);
        let news = News {
            acked_bytes: acked,
            prior_flight,
            rtt: Some(rtt),
            sent_at: Some(clean.youngest),
            ece: false,
        };
        self.on_data_acked(cx, news, true);
        self.usage.refresh(ack);
        self.snd.refresh();
        self.arm_retransmit(cx);
    }

    #[inline]
    fn deliver_predicted<S: Shell>(
        &mut self,
        cx: &mut Context<'_, S>,
        segment: &Segment,
        payload: S::Payload,
    ) {
        self.measure(cx, segment, &payload);
        let (start, len) = (segment.seq, payload.len());
        if !admit(&mut self.rcv, cx, start, &payload) || cx.shell.deliver(start, payload).is_err() {
            cx.shell.count(Counter::ReceiveRefused, 1);
            self.rcv.ack.now();
            return;
        }
        cx.shell.count(Counter::HpHits, 1);
        self.rcv.nxt = start.plus(len);
        self.rcv.tally.octets = self.rcv.tally.octets.wrapping_add(u64::from(len));
        self.pending.raise(Signal::Readable);
        self.schedule_ack(cx);
    }
}

/// What an acknowledgment of everything from `una` to `ack` tells. `None` if something of it was
/// sent more than once, or is known of already.
#[inline]
fn clean_delivery<S: Shell>(shell: &S, una: SeqNum, ack: SeqNum) -> Option<Clean> {
    let mut found: Option<Clean> = None;
    let mut at = una;
    while at.before(ack) {
        let chunk = shell.chunk_at(at)?;
        if chunk.meta.flags != 0 || chunk.meta.transmissions != 1 {
            return None;
        }
        let end = chunk.range.end().earliest(ack);
        let part = SeqRange::new(at, end.distance_from(at));
        let (sent, sent_at) = (Sent::of(part, chunk.meta), chunk.meta.sent_at);
        found = Some(match found {
            None => Clean {
                oldest: sent_at,
                youngest: sent_at,
                latest: sent,
            },
            Some(before) => Clean {
                oldest: before.oldest.min(sent_at),
                youngest: before.youngest.max(sent_at),
                latest: if sent.is_after(before.latest) {
                    sent
                } else {
                    before.latest
                },
            },
        });
        at = end;
    }
    found
}
