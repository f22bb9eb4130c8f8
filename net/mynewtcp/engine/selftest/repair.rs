// SPDX-License-Identifier: GPL-2.0

//! Loss detection by time, probes, and reductions that are taken back.

use crate::engine::config::Config;
use crate::engine::congestion::ecn::EcnMode;
use crate::engine::connection::info::{
    CaState,
    Info, //
};
use crate::engine::selftest::end::{
    segment,
    End,
    IRS,
    ISS,
    MSS,
    PLAIN, //
};
use crate::engine::selftest::{
    ensure,
    Outcome, //
};
use crate::engine::seq::{
    Mss,
    SeqRange, //
};
use crate::engine::time::Delta;
use crate::engine::wire::{
    Control,
    SackBlocks,
    Timestamps,
    Transmit, //
};

const RTT: Delta = Delta::from_millis(100);
const FULL: u32 = MSS as u32;

/// One end whose peer is [`RTT`] away, with these options.
struct Path {
    end: End,
    timestamps: bool,
    /// The peer echoes a mark of congestion.
    ece: bool,
}

impl Path {
    fn new(sack: bool, timestamps: bool) -> Self {
        Self::with(Config {
            sack,
            timestamps,
            ..PLAIN
        })
    }

    fn with(config: Config) -> Self {
        Self {
            timestamps: config.timestamps,
            end: End::new(config, ISS),
            ece: false,
        }
    }

    /// Opens the connection, in place: a stack in the kernel has no room for many ends.
    fn open(&mut self) -> Outcome {
        let Self {
            end, timestamps, ..
        } = self;
        end.with(|connection, cx| connection.connect(cx))
            .map_err(|_| "connect was refused")?;
        let syn = end.transmit("no SYN")?;
        end.now = end.now.after(RTT);
        let mut answer = segment(Control::Syn, IRS, Some(ISS.plus(1)), 0);
        // What remains is MSS, with timestamps or without.
        answer.options.mss = Some(Mss::new(MSS));
        answer.options.sack_permitted = end.config.sack;
        answer.options.timestamps = timestamps.then_some(Timestamps { val: 1, ecr: 0 });
        answer.ece = syn.ece;
        end.receive(&answer);
        end.transmit("the SYN-ACK is not acknowledged")?;
        Ok(())
    }

    fn info(&mut self) -> Info {
        self.end
            .with(|connection, cx| connection.info(cx.now, cx.config))
    }

    /// Octets of a full segment.
    fn full(&self) -> u32 {
        self.end.connection.mss().octets()
    }

    /// Writes `n` full segments and sends what may go. Returns how many went.
    fn send(&mut self, n: u32) -> Result<u32, &'static str> {
        for _ in 0..n {
            let full = self.full();
            self.end.write(full)?;
        }
        self.drain()
    }

    fn drain(&mut self) -> Result<u32, &'static str> {
        let mut count = 0;
        while self.end.poll().is_some() {
            count += 1;
        }
        self.check()?;
        Ok(count)
    }

    fn check(&self) -> Outcome {
        self.end.connection.check_invariants(&self.end.shell)
    }

    fn pass(&mut self, time: Delta) {
        self.end.now = self.end.now.after(time);
    }

    /// An acknowledgment of the first `acked` segments that holds the segments of `blocks` too,
    /// and echoes what was sent `age` ago.
    fn hear(&mut self, acked: u32, blocks: &[(u32, u32)], age: Delta) {
        let full = self.full();
        let at = |n: u32| ISS.plus(1 + n * full);
        let seq = self.end.connection.rcv_nxt();
        let mut ack = segment(Control::None, seq, Some(at(acked)), 0);
        let mut sack = SackBlocks::NONE;
        for &(start, end) in blocks.iter().rev() {
            sack.push(SeqRange::new(at(start), (end - start) * full));
        }
        ack.options.sack = sack;
        ack.ece = self.ece;
        if self.timestamps {
            let sent_at = self.end.now.before(age);
            // The clock of the vectors has an offset of 7.
            let ecr = (sent_at.as_millis() as u32).wrapping_add(7);
            ack.options.timestamps = Some(Timestamps { val: 2, ecr });
        }
        self.end.receive(&ack);
    }

    fn repeats(&mut self, n: u32, otherwise: &'static str) -> Result<Transmit, &'static str> {
        let transmit = self.end.transmit(otherwise)?;
        let start = ISS.plus(1 + n * self.full());
        ensure(
            transmit.retransmission && transmit.range.start() == start,
            otherwise,
        )?;
        Ok(transmit)
    }
}

/// RFC 8985, 7: the last segment is lost, and nothing else would tell of it.
pub fn tail_probe_repairs_and_counts() -> Outcome {
    let mut path = Path::new(true, false);
    path.open()?;
    ensure(path.send(3)? == 3, "not all was sent")?;
    path.pass(RTT);
    path.hear(1, &[], RTT);
    path.hear(2, &[], RTT);
    path.end.silent("sent without a reason")?;
    let passed = path.end.wait()?;
    ensure(
        passed == RTT,
        "the probe is not sent two RTTs after the tail",
    )?;
    path.repeats(2, "the probe is not the last segment")?;
    path.pass(RTT);
    let cwnd = path.info().cwnd;
    path.hear(3, &[], RTT);
    let quiet = path.info();
    ensure(
        quiet.cwnd >= cwnd && quiet.total_rto == 0,
        "a time-out came",
    )?;
    // What is acknowledged beyond the probe tells that it was needed.
    ensure(path.send(1)? == 1, "no new data")?;
    path.pass(RTT);
    path.hear(4, &[], RTT);
    let info = path.info();
    ensure(
        info.ssthresh < u32::MAX,
        "the loss was kept from congestion control",
    )?;
    ensure(
        info.ca_state == CaState::Open,
        "a recovery was begun for it",
    )
}

/// RFC 8985, 6.2: with little evidence a quarter of the round trip is waited.
pub fn reordering_within_the_window_is_borne() -> Outcome {
    let mut path = Path::new(true, false);
    path.open()?;
    path.send(4)?;
    path.pass(RTT);
    path.hear(0, &[(1, 3)], RTT);
    path.end.silent("sent again too soon")?;
    ensure(path.info().ca_state == CaState::Disorder, "not Disorder")?;
    path.pass(Delta::from_millis(20));
    path.hear(4, &[], RTT);
    path.end.silent("sent again though it came")?;
    let info = path.info();
    ensure(
        info.reord_seen == 1 && info.reordering == 3,
        "reordering was not seen",
    )?;
    ensure(info.ca_state == CaState::Open, "not Open")?;
    // From now on three segments behind a hole are no reason not to wait.
    path.send(5)?;
    path.pass(RTT);
    path.hear(4, &[(5, 9)], RTT);
    path.end.silent("the network is known to reorder")?;
    path.end.wait()?;
    path.repeats(4, "not repaired")?;
    ensure(path.info().ca_state == CaState::Recovery, "not Recovery")
}

/// RFC 8985, 6.3: the reordering timer.
pub fn hole_is_repaired_when_the_window_is_over() -> Outcome {
    let mut path = Path::new(true, false);
    path.open()?;
    path.send(3)?;
    path.pass(RTT);
    path.hear(0, &[(1, 3)], RTT);
    let passed = path.end.wait()?;
    ensure(passed == RTT.halved(2), "not a quarter of the round trip")?;
    path.repeats(0, "not repaired")?;
    ensure(path.info().total_rto == 0, "a time-out came")
}

/// RFC 8985, 6.2, step 4: DupThresh still stands for a network that is not known to reorder.
pub fn three_segments_behind_decide_at_once() -> Outcome {
    let mut path = Path::new(true, false);
    path.open()?;
    path.send(5)?;
    path.pass(RTT);
    path.hear(0, &[(1, 3)], RTT);
    path.end.silent("two are not enough")?;
    path.hear(0, &[(1, 4)], RTT);
    path.repeats(0, "not repaired at once")?;
    path.check()
}

/// A retransmission is lost like any other transmission.
pub fn lost_retransmission_is_found() -> Outcome {
    let mut path = Path::new(true, false);
    path.open()?;
    path.send(6)?;
    path.pass(RTT);
    path.hear(0, &[(1, 6)], RTT);
    path.repeats(0, "not repaired")?;
    ensure(path.send(2)? > 0, "no new data behind the retransmission")?;
    path.pass(RTT);
    path.hear(0, &[(1, 7)], RTT);
    path.repeats(0, "not repaired again")?;
    path.pass(RTT);
    path.hear(7, &[], RTT);
    let info = path.info();
    ensure(info.total_rto == 0, "a time-out came")?;
    ensure(
        info.total_retrans == 2,
        "more or less than two were sent again",
    )?;
    path.check()
}

/// Sends ten segments and has two more, and waits in vain for acknowledgments.
fn time_out(path: &mut Path) -> Outcome {
    path.open()?;
    path.end.config.tail_loss_probe = false;
    ensure(path.send(12)? == 10, "not the initial window")?;
    path.end.wait()?;
    ensure(path.info().ca_state == CaState::Loss, "no time-out")?;
    path.repeats(0, "the first was not sent again")?;
    path.end.silent("more than the first was sent again")
}

fn is_taken_back(path: &mut Path) -> Outcome {
    let (info, full) = (path.info(), path.full());
    ensure(info.ca_state == CaState::Open, "not Open")?;
    ensure(info.lost == 0, "something is held to be lost")?;
    ensure(info.cwnd >= 10 * full, "cwnd was not restored")?;
    ensure(info.ssthresh == u32::MAX, "ssthresh was not restored")?;
    ensure(
        info.backoff == 0 && info.total_rto == 1,
        "the back-off stays",
    )?;
    while let Some(transmit) = path.end.poll() {
        ensure(
            !transmit.retransmission,
            "sent again though nothing was lost",
        )?;
    }
    path.check()
}

/// RFC 5682, 2.1.
pub fn basic_frto_takes_back() -> Outcome {
    let mut path = Path::new(false, false);
    time_out(&mut path)?;
    path.hear(1, &[], RTT);
    ensure(path.drain()? == 2, "new data does not go first")?;
    ensure(path.end.connection.unsent() == 0, "it was not new data")?;
    path.hear(2, &[], RTT);
    is_taken_back(&mut path)
}

/// RFC 5682, 3.1.
pub fn sack_frto_takes_back() -> Outcome {
    let mut path = Path::new(true, false);
    time_out(&mut path)?;
    path.hear(0, &[(2, 3)], RTT);
    ensure(path.info().ssthresh == u32::MAX, "not taken back")?;
    path.hear(5, &[], RTT);
    is_taken_back(&mut path)
}

/// RFC 5682: what was sent again repairs a real loss, and the rest follows in slow start.
pub fn real_timeout_stays() -> Outcome {
    let mut path = Path::new(false, false);
    time_out(&mut path)?;
    path.hear(1, &[], RTT);
    ensure(path.drain()? == 2, "new data does not go first")?;
    path.hear(1, &[], RTT);
    path.repeats(1, "the rest is not sent again")?;
    let info = path.info();
    ensure(info.ca_state == CaState::Loss, "not Loss")?;
    ensure(info.ssthresh < 10 * FULL, "taken back")
}

/// RFC 3522: the echo is older than the retransmission.
pub fn eifel_takes_back() -> Outcome {
    let mut path = Path::new(true, true);
    time_out(&mut path)?;
    path.pass(Delta::from_millis(10));
    path.hear(5, &[], Delta::from_millis(300));
    is_taken_back(&mut path)?;
    path = Path::new(true, true);
    time_out(&mut path)?;
    path.pass(RTT);
    path.hear(5, &[], RTT);
    ensure(
        path.info().ssthresh < 10 * FULL,
        "taken back though it was lost",
    )
}

/// RFC 3708: the peer had everything that was sent again.
pub fn reported_duplicates_take_back() -> Outcome {
    let mut path = Path::new(true, false);
    path.open()?;
    path.send(6)?;
    path.pass(RTT);
    path.hear(0, &[(1, 5)], RTT);
    path.repeats(0, "not repaired")?;
    path.hear(6, &[], RTT);
    ensure(path.info().ssthresh < 10 * FULL, "not reduced")?;
    path.pass(RTT);
    path.hear(6, &[(0, 1)], RTT);
    let info = path.info();
    ensure(info.dsack_dups == 1, "the report was not taken")?;
    ensure(info.ssthresh == u32::MAX, "not taken back")
}

/// RFC 3168, 6.1.2: a mark asks for a smaller window whether anything was lost or not, before the
/// recovery, with what began it, or in the middle of it.
pub fn marks_are_not_taken_back() -> Outcome {
    for marked in 0..=3 {
        let mut path = Path::with(Config {
            sack: true,
            ecn: EcnMode::On,
            ..PLAIN
        });
        path.open()?;
        path.send(10)?;
        path.pass(RTT);
        path.ece = marked == 0;
        path.hear(1, &[], RTT);
        path.ece = marked == 1;
        path.hear(1, &[(2, 6)], RTT);
        path.repeats(1, "not repaired")?;
        path.ece = marked == 2;
        path.hear(1, &[(2, 7)], RTT);
        path.ece = false;
        path.drain()?;
        path.hear(10, &[], RTT);
        ensure(path.info().ssthresh <= 10 * FULL, "not reduced")?;
        path.pass(RTT);
        path.hear(10, &[(1, 2)], RTT);
        let info = path.info();
        ensure(info.dsack_dups == 1, "the report was not taken")?;
        ensure(info.ca_state == CaState::Open, "not Open")?;
        let restored = info.ssthresh == u32::MAX;
        ensure(restored == (marked == 3), "a mark was taken back")?;
        path.check()?;
    }
    Ok(())
}

/// RFC 9937: with half of a large window lost, no burst follows.
pub fn reduction_follows_delivery() -> Outcome {
    let mut path = Path::new(true, false);
    path.open()?;
    path.send(10)?;
    path.pass(RTT);
    for last in 6..10 {
        path.hear(0, &[(5, last)], RTT);
        let sent = path.drain()?;
        ensure(last == 8 || sent <= 1, "more was sent than was delivered")?;
    }
    let info = path.info();
    ensure(info.ca_state == CaState::Recovery, "not Recovery")?;
    ensure(info.retrans <= 4 * path.full(), "a burst was sent")
}

/// CVE-2019-11478: blocks of single octets do not become buffers.
pub fn dust_is_not_kept() -> Outcome {
    let mut path = Path::new(true, false);
    path.open()?;
    path.send(4)?;
    path.pass(RTT);
    let seq = path.end.connection.rcv_nxt();
    for n in 0..500 {
        let mut ack = segment(Control::None, seq, Some(ISS.plus(1)), 0);
        let mut sack = SackBlocks::NONE;
        for block in 0..3 {
            sack.push(SeqRange::new(ISS.plus(3 + 7 * n + 2 * block), 1));
        }
        ack.options.sack = sack;
        path.end.receive(&ack);
        path.drain()?;
    }
    ensure(path.end.shell.sent_len() <= 8, "chunks were ground to dust")?;
    path.hear(4, &[], RTT);
    path.check()
}

/// RFC 2018, 8: the peer has dropped what it had.
pub fn reneging_peer_is_not_waited_for() -> Outcome {
    let mut path = Path::new(true, false);
    path.open()?;
    path.send(4)?;
    path.pass(RTT);
    path.hear(0, &[(1, 3)], RTT);
    path.hear(1, &[], RTT);
    let passed = path.end.wait()?;
    ensure(passed < RTT, "a whole time-out was waited")?;
    path.repeats(1, "what was dropped is not sent again")?;
    ensure(path.info().sacked == 0, "dropped octets still count")?;
    path.check()
}
