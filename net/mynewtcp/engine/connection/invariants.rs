// SPDX-License-Identifier: GPL-2.0

//! What must hold between any two calls, whatever the peer and the network do.

use crate::engine::buffer::{
    Chunk,
    Shell,
    TxMeta, //
};
use crate::engine::congestion::Window;
use crate::engine::connection::Connection;
use crate::engine::seq::SeqNum;
use crate::engine::state::StateName;
use crate::engine::time::Instant;
use crate::engine::timers::Timer;

/// The first of `checks` that does not hold.
fn first_broken(checks: &[(bool, &'static str)]) -> Result<(), &'static str> {
    match checks.iter().find(|(holds, _)| !holds) {
        Some(&(_, what)) => Err(what),
        None => Ok(()),
    }
}

impl Connection {
    /// Checks the invariants, by walking all that is under way: for tests and simulators, after
    /// the outputs have been polled.
    pub fn check_invariants<S: Shell>(&self, shell: &S) -> Result<(), &'static str> {
        self.check_numbers()?;
        self.check_timers()?;
        self.check_scoreboard(shell)?;
        self.check_out_of_order(shell)
    }

    fn check_numbers(&self) -> Result<(), &'static str> {
        let (snd, rcv) = (&self.snd, &self.rcv);
        let past_fin = snd.write_seq.plus(1);
        // While connecting, what the peer takes is not known yet.
        let mss = if self.state.is_synchronized() {
            snd.size.mss().octets()
        } else {
            0
        };
        let scales = rcv.blocks.iter().all(|block| block.start().after(rcv.nxt));
        first_broken(&[
            (snd.una.before_or_eq(snd.nxt), "SND.UNA is after SND.NXT"),
            (snd.nxt.before_or_eq(past_fin), "SND.NXT is after the FIN"),
            (self.window.cwnd_bytes >= mss, "cwnd is under one segment"),
            (
                self.window.ssthresh_bytes >= mss.saturating_mul(2),
                "ssthresh is under two segments",
            ),
            (
                !snd.recovery.is_reducing() || snd.prr.is_within_bound(),
                "more was sent in recovery than was delivered",
            ),
            (
                snd.data_una().before_or_eq(snd.data_nxt()),
                "more data is acknowledged than sent",
            ),
            (
                snd.data_nxt().before_or_eq(snd.write_seq),
                "more data is sent than queued",
            ),
            (
                self.window.cwnd_bytes <= Window::CWND_MAX,
                "cwnd is beyond its limit",
            ),
            (scales, "a selective block is not beyond RCV.NXT"),
        ])
    }

    /// No connection waits for ever: who owes something has a deadline.
    fn check_timers(&self) -> Result<(), &'static str> {
        if self.state() == StateName::Closed {
            let quiet = self.timers.earliest().is_none();
            return first_broken(&[(quiet, "a closed connection has a deadline")]);
        }
        let armed = |any: &[Timer]| any.iter().any(|&timer| self.timers.is_armed(timer));
        let fin_is_unsent = self.state.fin() == Some(self.snd.nxt);
        let unsent = self.state.is_synchronized() && (self.snd.unsent() > 0 || fin_is_unsent);
        let waits = armed(&[Timer::Retransmit, Timer::Memory]);
        let sends = armed(&[
            Timer::Retransmit,
            Timer::Persist,
            Timer::Pacing,
            Timer::Memory,
        ]);
        let acknowledges = armed(&[Timer::DelayedAck, Timer::Memory]);
        let lingers = self.user.closed && self.state() == StateName::FinWait2;
        first_broken(&[
            (
                waits || !self.snd.has_outstanding(),
                "something is under way and no time-out is armed",
            ),
            (
                sends || !unsent,
                "something is queued and no deadline is armed for it",
            ),
            (
                acknowledges || !self.rcv.ack.is_owed(),
                "an acknowledgment is owed and no deadline is armed for it",
            ),
            (
                armed(&[Timer::FinWait2]) || !lingers,
                "nobody waits for the peer's FIN and no deadline ends it",
            ),
        ])
    }

    fn check_scoreboard<S: Shell>(&self, shell: &S) -> Result<(), &'static str> {
        if !self.state.is_synchronized() {
            return Ok(());
        }
        let (mut sacked, mut lost, mut retransmitted) = (0u32, 0u32, 0u32);
        let (mut at, end): (SeqNum, SeqNum) = (self.snd.data_una(), self.snd.data_nxt());
        while at.before(end) {
            let Some(Chunk { range, meta }) = shell.chunk_at(at) else {
                return Err("the sent store has a hole");
            };
            let len = range.len();
            sacked += if meta.has(TxMeta::SACKED) { len } else { 0 };
            lost += if meta.has(TxMeta::LOST) { len } else { 0 };
            retransmitted += if meta.has(TxMeta::RETRANSMITTED) {
                len
            } else {
                0
            };
            if range.start() != at {
                return Err("the sent store holds what was acknowledged");
            }
            at = range.end();
        }
        self.check_repeats(shell, retransmitted)?;
        let board = &self.snd.board;
        first_broken(&[
            (at == end, "the sent store goes beyond SND.NXT"),
            (board.sacked == sacked, "sum of SACKed octets"),
            (board.lost == lost, "sum of lost octets"),
            (
                board.retransmitted == retransmitted,
                "sum of retransmitted octets",
            ),
            (retransmitted <= lost, "more is sent again than was lost"),
            (
                sacked + lost <= self.snd.flight_size_bytes(),
                "pipe is negative",
            ),
        ])
    }

    /// The list of what is under way again has all of it, in the order of time.
    fn check_repeats<S: Shell>(&self, shell: &S, retransmitted: u32) -> Result<(), &'static str> {
        let repeats = &self.snd.board.repeats;
        let (mut found, mut at, mut time) = (0u32, repeats.first, Instant::ZERO);
        while found < retransmitted {
            let Some(Chunk { range, meta }) = shell.chunk_at(at) else {
                return Err("the list of retransmissions leads nowhere");
            };
            let named = range.end().minus(1) == at;
            let is_one = meta.has(TxMeta::RETRANSMITTED | TxMeta::LOST);
            if !named || !is_one || meta.sent_at < time {
                return Err("the list of retransmissions is broken");
            }
            found = found.saturating_add(range.len());
            time = meta.sent_at;
            if (found == retransmitted) != (at == repeats.last) {
                return Err("the list of retransmissions ends elsewhere");
            }
            at = meta.link;
        }
        Ok(())
    }

    fn check_out_of_order<S: Shell>(&self, shell: &S) -> Result<(), &'static str> {
        let Some(first) = shell.ooo_first() else {
            return Ok(());
        };
        first_broken(&[
            (
                !self.state.can_receive() || first.start().after(self.rcv.nxt),
                "an out-of-order piece could be delivered",
            ),
            (!first.is_empty(), "an out-of-order piece is empty"),
        ])
    }
}

#[cfg(test)]
mod tests;
