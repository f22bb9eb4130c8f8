// SPDX-License-Identifier: GPL-2.0

//! What time brings (RFC 9293, 3.10.8).

use crate::engine::buffer::{
    Context,
    Shell, //
};
use crate::engine::connection::Connection;
use crate::engine::counters::Counter;
use crate::engine::error::ConnectionError;
use crate::engine::send::persist::Attempt;
use crate::engine::state::close::FinWait2;
use crate::engine::state::handshake::Reset;
use crate::engine::state::StateName;
use crate::engine::time::Delta;
use crate::engine::timers::Timer;

impl Connection {
    /// The deadline may have passed. Calling early or twice does no harm.
    pub fn on_timeout<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        while let Some(timer) = self.timers.take_due(cx.now) {
            match timer {
                Timer::Retransmit => self.on_retransmit_timeout(cx),
                Timer::Persist => self.on_persist_timeout(cx),
                Timer::DelayedAck => {
                    let pace = self.pace(cx);
                    if self
                        .rcv
                        .ack
                        .on_timeout(cx.now, cx.config, pace, self.rcv.nxt)
                    {
                        cx.shell.count(Counter::DelayedAcks, 1);
                    }
                }
                Timer::Keepalive => self.on_keepalive_timeout(cx),
                Timer::FinWait2 => self.on_fin_wait_2_timeout(cx),
                // What waited for this is sent by the poll that follows.
                Timer::Pacing | Timer::Memory => {}
                Timer::UserTimeout => self.on_user_timeout(cx),
                Timer::Reorder => self.on_reorder_timeout(cx),
                Timer::Probe => self.on_probe_timeout(cx),
            }
        }
    }

    fn on_retransmit_timeout<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        let limit = match self.state() {
            StateName::Closed => return,
            StateName::SynSent => self.syn_limit(cx),
            StateName::SynReceived => cx.config.syn_retries,
            StateName::Established
            | StateName::FinWait1
            | StateName::FinWait2
            | StateName::CloseWait
            | StateName::Closing
            | StateName::LastAck => {
                if !self.snd.has_outstanding() {
                    return;
                }
                self.retry_limit(cx)
            }
        };
        cx.shell.count(Counter::Timeouts, 1);
        let first = self.snd.patience.retransmits == 0;
        let silent = self.snd.patience.on_retransmit(limit) == Attempt::GiveUp;
        if silent && !self.was_hurried(cx, limit) {
            self.give_up(cx);
            return;
        }
        if self.backs_off(cx) {
            self.snd.rtt.back_off();
        }
        self.snd.tally.on_timeout(cx.now);
        if self.state.is_synchronized() {
            self.doubt_path_mtu(cx);
            self.enter_loss(cx, first);
        } else {
            self.snd.control_lost = true;
        }
    }

    /// ICMP has made time-outs come sooner (RFC 6069), so that `limit` of them took less time than
    /// they should. It is time that counts then, as in Linux: a path may be gone for a while.
    fn was_hurried<S: Shell>(&self, cx: &Context<'_, S>, limit: u8) -> bool {
        if !self.state.is_synchronized() {
            return false;
        }
        let base = self.snd.rtt.base_rto(cx.config).delta();
        let due = (1..=u32::from(limit))
            .map(|n| base.doubled(n).min(cx.config.rto_max))
            .fold(Delta::ZERO, Delta::plus);
        self.snd.tally.without_progress(cx.now) < due
    }

    /// SYNs sent again at most: first those that do not back off, then those that do.
    fn syn_limit<S: Shell>(&self, cx: &Context<'_, S>) -> u8 {
        let linear = cx.config.syn_linear_timeouts;
        cx.config.syn_retries.saturating_add(linear)
    }

    /// The time-out doubles, except for the first SYNs: their loss is rarely congestion.
    fn backs_off<S: Shell>(&self, cx: &Context<'_, S>) -> bool {
        self.state() != StateName::SynSent
            || self.snd.patience.retransmits > cx.config.syn_linear_timeouts
    }

    /// How often the peer may stay silent. Nobody but this host suffers from a connection without
    /// a user, so it ends sooner, and at once when ICMP has named the reason.
    fn retry_limit<S: Shell>(&self, cx: &Context<'_, S>) -> u8 {
        /// Over 100 s with the shortest time-out: R2 of RFC 9293, 3.8.3 (MUST-21).
        const ENOUGH: u8 = 8;
        if !self.user.closed {
            return cx.config.retries2;
        }
        let is_slow = self.rto(cx) >= cx.config.rto_max;
        match cx.config.orphan_retries {
            _ if is_slow && self.soft_error.is_some() => 0,
            0 => ENOUGH,
            retries => retries,
        }
    }

    /// RFC 9293, 3.8.3: what the user has queued was not acknowledged in time.
    fn on_user_timeout<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        if self.snd.has_outstanding() || self.snd.unsent() > 0 {
            self.give_up(cx);
        }
    }

    fn give_up<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        self.give_up_with(cx, None);
    }

    fn give_up_with<S: Shell>(&mut self, cx: &mut Context<'_, S>, reset: Option<Reset>) {
        cx.shell.count(Counter::AbortOnTimeout, 1);
        let error = match self.soft_error {
            Some(icmp) => ConnectionError::Icmp(icmp),
            None => ConnectionError::TimedOut,
        };
        self.fail(cx, error, reset);
    }

    /// Something is queued, nothing is under way, and it has been so long enough: send what the
    /// window takes, or ask the peer where it stands.
    fn on_persist_timeout<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        if !self.state.is_synchronized() || self.snd.has_outstanding() {
            return;
        }
        if self.usable_window() > 0 {
            self.snd.force_partial = true;
            return;
        }
        // A peer that answers lives, however long its window stays closed: only silence counts.
        let limit = self.retry_limit(cx).max(1);
        match self.snd.patience.on_probe(limit) {
            Attempt::Again => {
                cx.shell.count(Counter::WindowProbes, 1);
                self.snd.probe_due = true;
            }
            Attempt::GiveUp => self.give_up(cx),
        }
    }

    fn on_keepalive_timeout<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        if !self.user.keepalive || !self.state.is_synchronized() {
            return;
        }
        let due = self.rcv.last_at.after(cx.config.keepalive_time);
        if self.snd.has_outstanding() || self.snd.unsent() > 0 || due > cx.now {
            let at = due.max(cx.now.after(cx.config.keepalive_interval));
            self.timers.arm(Timer::Keepalive, at);
            return;
        }
        if self.peer_is_dead(cx) {
            let reset = self.reset();
            self.give_up_with(cx, Some(reset));
            return;
        }
        self.snd.patience.keepalives = self.snd.patience.keepalives.saturating_add(1);
        cx.shell.count(Counter::Keepalives, 1);
        self.snd.probe_due = true;
        let at = cx.now.after(cx.config.keepalive_interval);
        self.timers.arm(Timer::Keepalive, at);
    }

    /// Enough probes have gone unanswered; or, if the user has said how long that may take, it has
    /// taken so long (RFC 5482, section 4.2).
    fn peer_is_dead<S: Shell>(&self, cx: &Context<'_, S>) -> bool {
        let probes = self.snd.patience.keepalives;
        if cx.config.user_timeout == Delta::ZERO {
            return probes >= cx.config.keepalive_probes;
        }
        probes > 0 && cx.now.since(self.rcv.last_at) >= cx.config.user_timeout
    }

    fn on_fin_wait_2_timeout<S: Shell>(&mut self, cx: &mut Context<'_, S>) {
        self.transition(cx, |state| state.end_fin_wait_2(FinWait2::on_timeout));
    }
}
