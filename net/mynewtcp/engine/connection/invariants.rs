// SPDX-License-Identifier: GPL-2.0

//! What must hold between any two calls, whatever the peer and the network do.

use crate::engine::buffer::{
    Chunk,
    Shell,
    TxMeta, //
};
use crate::engine::connection::Connection;
use crate::engine::seq::SeqNum;
use crate::engine::state::StateName;

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
        let mss = snd.size.mss().octets();
        let scales = rcv.blocks.iter().all(|block| block.start().after(rcv.nxt));
        first_broken(&[
            (snd.una.before_or_eq(snd.nxt), "SND.UNA is after SND.NXT"),
            (snd.nxt.before_or_eq(past_fin), "SND.NXT is after the FIN"),
            (
                self.window.cwnd_bytes >= mss.min(536),
                "cwnd is under one segment",
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
        let fin_is_unsent = self.state.fin() == Some(self.snd.nxt);
        let unsent = self.state.is_synchronized() && (self.snd.unsent() > 0 || fin_is_unsent);
        let owed = self.snd.has_outstanding() || unsent || self.rcv.ack.is_owed();
        let armed = self.timers.earliest().is_some();
        first_broken(&[(armed || !owed, "something is owed and no deadline is armed")])
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
        let board = &self.snd.board;
        first_broken(&[
            (at == end, "the sent store goes beyond SND.NXT"),
            (board.sacked == sacked, "sum of SACKed octets"),
            (board.lost == lost, "sum of lost octets"),
            (
                board.retransmitted == retransmitted,
                "sum of retransmitted octets",
            ),
            (
                sacked + lost <= self.snd.flight_size_bytes(),
                "pipe is negative",
            ),
        ])
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
