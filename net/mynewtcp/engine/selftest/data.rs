// SPDX-License-Identifier: GPL-2.0

//! Octets on their way.

use crate::engine::config::Config;
use crate::engine::selftest::end::{
    segment,
    End,
    Pair,
    CAPACITY,
    IRS,
    ISS,
    MSS, //
};
use crate::engine::selftest::{
    ensure,
    Outcome, //
};
use crate::engine::seq::{
    SeqNum,
    SeqRange, //
};
use crate::engine::time::Delta;
use crate::engine::wire::Control;

/// Both send, both receive all.
pub fn both_ways() -> Outcome {
    let mut pair = Pair::new(&Config::DEFAULT, ISS, IRS);
    pair.connect()?;
    pair.a.write(5_000)?;
    pair.b.write(3_000)?;
    pair.exchange(|_| false)?;
    ensure(pair.b.shell.delivered == 5_000, "b did not receive all")?;
    ensure(pair.a.shell.delivered == 3_000, "a did not receive all")
}

/// Sequence numbers wrap in the middle of a transfer, both ways.
pub fn numbers_wrap() -> Outcome {
    let (iss, irs) = (SeqNum::new(u32::MAX - 1500), SeqNum::new(u32::MAX));
    let mut pair = Pair::new(&Config::DEFAULT, iss, irs);
    pair.connect()?;
    for _ in 0..4 {
        pair.a.write(2_000)?;
        pair.b.write(2_000)?;
        pair.exchange(|_| false)?;
        pair.a.read();
        pair.b.read();
    }
    ensure(pair.b.shell.delivered == 8_000, "b did not receive all")?;
    ensure(pair.a.shell.delivered == 8_000, "a did not receive all")?;
    ensure(
        pair.a.connection.snd_una().raw() < 8_000,
        "numbers did not wrap",
    )
}

/// More octets than there are sequence numbers, some small segments among them.
pub fn four_gigabytes_are_nothing_special() -> Outcome {
    const CHUNK: u32 = 100_000_000;
    let mut end = End::wide()?;
    let mut queued = 0u64;
    while queued < 9 << 30 {
        end.write(CHUNK)?;
        queued += u64::from(CHUNK);
        // A small segment, and then none for as long as its number takes to look new again.
        if queued % (3 << 30) < u64::from(CHUNK) {
            end.write(10)?;
        }
        for _ in 0..100 {
            while end.poll().is_some() {}
            end.connection.check_invariants(&end.shell)?;
            if end.connection.snd_una() == end.connection.write_seq() {
                break;
            }
            let sent = end.connection.snd_nxt().distance_from(ISS.plus(1));
            if sent == end.connection.snd_una().distance_from(ISS.plus(1)) {
                return Err("what is queued does not go at once");
            }
            end.receive_ack(sent);
        }
    }
    ensure(
        end.connection.snd_una() == end.connection.write_seq(),
        "not all was sent",
    )?;
    ensure(
        end.now == End::new(Config::DEFAULT, ISS).now,
        "time had to pass",
    )
}

/// What comes out of order waits, is acknowledged at once, and is delivered when the gap closes.
pub fn reordered_segments_are_delivered_in_order() -> Outcome {
    let mut end = End::established()?;
    for offset in [2000, 1000] {
        end.receive_data(offset, 1000);
        let ack = end.transmit("no immediate acknowledgment")?;
        ensure(ack.ack == Some(IRS.plus(1)), "acknowledged a gap")?;
    }
    ensure(end.shell.delivered == 0, "delivered out of order")?;
    end.receive_data(0, 1000);
    ensure(
        end.shell.delivered == 3000 && !end.shell.is_corrupt,
        "not delivered in order",
    )?;
    let ack = end.transmit("a closed gap is not acknowledged at once")?;
    ensure(ack.ack == Some(IRS.plus(3001)), "wrong acknowledgment")?;
    ensure(end.shell.out_of_order_len() == 0, "pieces remain")
}

/// Pieces that overlap in every way give each octet once.
pub fn overlaps_deliver_each_octet_once() -> Outcome {
    let mut end = End::established()?;
    for (offset, len) in [
        (100, 100),
        (150, 100),
        (300, 50),
        (280, 100),
        (120, 20),
        (90, 300),
        (500, 10),
        (400, 200),
        (0, 95),
        (50, 600),
    ] {
        end.receive_data(offset, len);
    }
    ensure(!end.shell.is_corrupt, "a wrong octet was delivered")?;
    ensure(end.shell.delivered == 650, "not every octet once")?;
    ensure(end.shell.out_of_order_len() == 0, "pieces remain")
}

/// RFC 2883: what comes twice is the first block, the block that holds it the second; once each.
pub fn duplicates_are_reported() -> Outcome {
    let mut end = End::selective()?;
    let block = |offset: u32, len| SeqRange::new(IRS.plus(1 + offset), len);
    let blocks = |end: &mut End| {
        let ack = end.transmit("not acknowledged at once")?;
        let mut blocks = ack.options.sack.iter();
        Ok::<_, &'static str>((blocks.next(), blocks.next(), blocks.next()))
    };
    end.receive_data(0, 500);
    ensure(blocks(&mut end)? == (None, None, None), "blocks of nothing")?;
    // All of it was acknowledged.
    end.receive_data(100, 300);
    let old = (Some(block(100, 300)), None, None);
    ensure(blocks(&mut end)? == old, "an old duplicate is not reported")?;
    end.receive_data(1_000, 500);
    let kept = (Some(block(1_000, 500)), None, None);
    ensure(blocks(&mut end)? == kept, "reported again")?;
    // It waits for a gap to close.
    end.receive_data(1_200, 100);
    let twice = (Some(block(1_200, 100)), Some(block(1_000, 500)), None);
    ensure(blocks(&mut end)? == twice, "a duplicate out of order")?;
    end.receive_data(500, 700);
    let closed = (Some(block(1_000, 200)), None, None);
    ensure(blocks(&mut end)? == closed, "an overlap is not reported")?;
    // Who has switched it off does not report.
    end.config.dsack = false;
    end.receive_data(0, 500);
    ensure(
        blocks(&mut end)? == (None, None, None),
        "reported all the same",
    )
}

/// RFC 9293, 3.8.6.3: later, but before half a second; at once for the second full segment.
pub fn acknowledgment_is_delayed_then_sent() -> Outcome {
    let mut end = End::established()?;
    end.with(|connection, cx| connection.set_quick_ack(cx, false));
    end.receive_data(0, 10);
    end.silent("acknowledged at once")?;
    let passed = end.wait()?;
    ensure(passed < Delta::from_millis(500), "delayed for too long")?;
    let ack = end.transmit("never acknowledged")?;
    ensure(ack.ack == Some(IRS.plus(11)), "wrong acknowledgment")?;
    let full = u32::from(MSS);
    end.receive_data(10, full);
    end.silent("one full segment was acknowledged at once")?;
    end.receive_data(10 + full, full);
    end.read();
    end.transmit("the second full segment was not acknowledged when read")?;
    Ok(())
}

/// An end whose reader has left the buffer full, and what it has received.
fn with_full_buffer() -> Result<(End, SeqNum), &'static str> {
    let mut end = End::established()?;
    end.with(|connection, cx| connection.set_quick_ack(cx, false));
    let full = u32::from(MSS);
    for n in 0..CAPACITY / full {
        end.receive_data(n * full, full);
        end.silent("a window that shrinks was told")?;
    }
    Ok((end, IRS.plus(1 + CAPACITY)))
}

/// A window that would shrink is told when the reader has made room, once. A reader who does not
/// come is waited for no longer than a peer waits before it probes.
pub fn acknowledgment_waits_for_a_reader_who_is_behind() -> Outcome {
    let (mut end, nxt) = with_full_buffer()?;
    end.read_some(CAPACITY / 2);
    let ack = end.transmit("the reader's room was not told")?;
    ensure(ack.ack == Some(nxt), "wrong acknowledgment")?;
    end.silent("it was told twice")?;

    let (mut end, nxt) = with_full_buffer()?;
    let passed = end.wait()?;
    ensure(passed <= Delta::from_millis(1), "waits for too long")?;
    let ack = end.transmit("never acknowledged without a reader")?;
    ensure(ack.ack == Some(nxt), "wrong acknowledgment")
}

/// Nagle's algorithm (RFC 9293, 3.7.4), and the way to turn it off.
pub fn small_segments_wait_for_their_predecessor() -> Outcome {
    let mut end = End::established()?;
    end.write(10)?;
    end.transmit("the first small segment waits")?;
    end.write(10)?;
    end.silent("the second small segment does not wait")?;
    end.receive_ack(10);
    let second = end.transmit("the second small segment waits for ever")?;
    ensure(
        second.range.len() == 10 && second.psh,
        "wrong second segment",
    )?;
    end.write(10)?;
    end.silent("the third small segment does not wait")?;
    let is_waiting = |end: &mut End, front: u32, n: u32, more: bool| {
        end.with(|connection, _| connection.is_still_waiting(front, n, more))
    };
    ensure(
        is_waiting(&mut end, 20, 10, false),
        "ten octets more change something",
    )?;
    ensure(
        !is_waiting(&mut end, u32::from(MSS), u32::from(MSS) - 10, false),
        "a whole segment changes nothing",
    )?;
    ensure(
        !is_waiting(&mut end, 10, 10, false) && !is_waiting(&mut end, 20, 10, true),
        "a second chunk or another wish changes nothing",
    )?;
    end.with(|connection, cx| connection.set_nodelay(cx, true));
    end.transmit("nodelay does not help")?;
    Ok(())
}

/// A transmission is as long as the device takes and the peer's window allows, in whole segments.
pub fn superpackets_respect_their_limit() -> Outcome {
    let mut end = End::established()?;
    end.write(4_500)?;
    for _ in 0..4 {
        let one = end.transmit("no data")?;
        ensure(
            one.range.len() == u32::from(MSS) && one.segments() == 1,
            "not one segment",
        )?;
    }
    let rest = end.transmit("no rest")?;
    ensure(rest.range.len() == 500, "wrong rest")?;
    end.receive_ack(4_500);
    let mut narrow = segment(Control::None, IRS.plus(1), Some(ISS.plus(4_501)), 0);
    narrow.window = 2_500;
    end.receive(&narrow);
    let is_waiting = |end: &mut End, front: u32| {
        end.with(|connection, _| connection.is_still_waiting(front, 100, false))
    };
    ensure(!is_waiting(&mut end, 100), "what is new waits already")?;
    end.write(6_000)?;
    let mut sent = 0;
    while let Some(transmit) = end.poll() {
        sent += transmit.range.len();
    }
    ensure(
        is_waiting(&mut end, 3_000) && !is_waiting(&mut end, 4_100),
        "wrong about what waits for the window",
    )?;
    ensure(sent <= 2_500, "sent beyond the window")?;
    ensure(sent == 2_000, "did not send whole segments")
}
