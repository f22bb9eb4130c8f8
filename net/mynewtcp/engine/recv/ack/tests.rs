// SPDX-License-Identifier: GPL-2.0

use super::*;

const CONFIG: Config = Config::DEFAULT;
const PACE: Pace = Pace {
    srtt: Delta::ZERO,
    rto: Delta::from_secs(1),
};

const ABSENT: Outlook = outlook(false, Wait::No);
const WAITING: Outlook = outlook(true, Wait::No);
const BEHIND: Outlook = outlook(false, Wait::ForRoom);

const fn outlook(reader_waits: bool, wait: Wait) -> Outlook {
    Outlook { reader_waits, wait }
}

fn at(millis: u64) -> Instant {
    Instant::from_nanos(1).after(Delta::from_millis(millis))
}

fn settled() -> AckPolicy {
    let mut ack = AckPolicy::new(Mss::new(1000));
    ack.quick = 0;
    ack.peer_mss = 1000;
    ack
}

/// Three segments and one read: the third is acknowledged. One segment a read: the second is.
#[test]
fn odd_segments_of_a_burst_do_not_wait() {
    let mut ack = settled();
    for nxt in [1000, 2000, 3000] {
        let _ = on_data(&mut ack, at(0), nxt);
        if ack.is_now() {
            ack.on_sent(at(0), SeqNum::new(nxt), false);
        }
    }
    assert!(ack.is_owed() && !ack.is_now());
    ack.on_all_read(SeqNum::new(3000), false);
    assert!(ack.is_now());
    ack.on_sent(at(0), SeqNum::new(3000), false);
    let _ = on_data(&mut ack, at(5), 4000);
    ack.on_all_read(SeqNum::new(4000), false);
    assert!(ack.is_owed() && !ack.is_now());
    let _ = on_data(&mut ack, at(6), 5000);
    assert!(ack.is_now());
}

#[inline]
fn on_data(ack: &mut AckPolicy, now: Instant, nxt: u32) -> Option<Delta> {
    let due = ack.on_data(now, &CONFIG, PACE, SeqNum::new(nxt), ABSENT);
    due.map(|due| due.since(now))
}

const fn sample(segment_len: u32, pushed: bool) -> Sample {
    Sample {
        segment_len,
        pushed,
    }
}

#[test]
fn starts_quick_for_sixteen_acknowledgments() {
    let mut ack = AckPolicy::new(Mss::new(1000));
    for n in 1..=16 {
        assert_eq!(on_data(&mut ack, at(u64::from(n)), n), None);
        assert!(ack.is_now());
        ack.on_sent(at(u64::from(n)), SeqNum::new(n), false);
    }
    assert!(on_data(&mut ack, at(17), 17).is_some());
}

/// A request is acknowledged with its answer, or when its reader waits for more, or soon.
#[test]
fn quick_acknowledgments_wait_for_a_reader_who_is_there() {
    let mut ack = AckPolicy::new(Mss::new(1000));
    let request = |ack: &mut AckPolicy, ms, nxt| {
        ack.on_data(at(ms), &CONFIG, PACE, SeqNum::new(nxt), WAITING)
    };
    let due = request(&mut ack, 1, 1).unwrap();
    assert_eq!(due.since(at(1)), CONFIG.delack_min.halved(3));
    assert!(ack.is_owed() && !ack.is_now());
    ack.on_reader_waits();
    assert!(ack.is_now());
    ack.on_sent(at(1), SeqNum::new(1), false);
    ack.on_reader_waits();
    assert!(!ack.is_owed());
    // A full segment is none of a request, and the second one that is owed does not wait.
    assert!(request(&mut ack, 2, 600).is_none() && ack.is_now());
    ack.on_sent(at(2), SeqNum::new(600), false);
    // Whoever asks for quick acknowledgments gets them.
    ack.set_quick(true);
    assert!(request(&mut ack, 3, 601).is_none() && ack.is_now());
}

/// A reader who is behind acknowledges what it makes room for: one answer for both.
#[test]
fn a_window_that_would_shrink_waits_for_the_reader() {
    let mut ack = settled();
    let behind =
        |ack: &mut AckPolicy, nxt| ack.on_data(at(0), &CONFIG, PACE, SeqNum::new(nxt), BEHIND);
    for nxt in [1000, 2000, 9000] {
        let due = behind(&mut ack, nxt).unwrap();
        assert!(due.since(at(0)) <= CONFIG.delack_min && !ack.is_now());
    }
    let nxt = SeqNum::new(9000);
    assert!(ack.waits_for_room(nxt));
    // The time that it waited for the reader says nothing of the peer's pace.
    let ato = ack.ato();
    assert!(ack.on_timeout(at(0), &CONFIG, PACE, nxt) && ack.ato() == ato);
    ack.on_sent(at(0), SeqNum::new(9000), false);
    // Less than two segments wait as ever.
    assert!(behind(&mut ack, 10_999).is_some());
    assert!(!ack.waits_for_room(SeqNum::new(10_999)) && ack.is_owed());
}

#[test]
fn every_second_full_segment_is_acknowledged() {
    let mut ack = settled();
    let due = on_data(&mut ack, at(0), 1000).unwrap();
    assert_eq!(due, CONFIG.delack_min);
    assert!(ack.is_owed() && !ack.is_now());
    assert_eq!(on_data(&mut ack, at(0), 2000), None);
    assert!(ack.is_now());
    ack.on_sent(at(0), SeqNum::new(2000), false);
    assert!(!ack.is_owed());
}

#[test]
fn answering_makes_it_interactive_until_the_answer_fails_to_come() {
    let mut ack = settled();
    assert!(on_data(&mut ack, at(0), 1).is_some());
    ack.on_sent(at(1), SeqNum::new(1), true);
    assert!(!ack.is_quick());
    ack.quick = 5;
    assert!(on_data(&mut ack, at(2), 2).is_some());
    let nxt = SeqNum::new(2);
    assert!(ack.on_timeout(at(0), &CONFIG, PACE, nxt));
    assert!(ack.is_quick() && ack.is_now());
    ack.on_sent(at(50), SeqNum::new(2), false);
    assert!(!ack.on_timeout(at(0), &CONFIG, PACE, nxt));
}

#[test]
fn delay_follows_the_pace_between_its_bounds() {
    let mut ack = settled();
    on_data(&mut ack, at(0), 1);
    // Two time-outs without a second segment make it more patient, up to the limit.
    let nxt = SeqNum::new(1);
    assert!(ack.on_timeout(at(0), &CONFIG, PACE, nxt) && ack.on_timeout(at(0), &CONFIG, PACE, nxt));
    ack.on_sent(at(100), SeqNum::new(1), false);
    assert_eq!(on_data(&mut ack, at(260), 2).unwrap().as_millis(), 160);
    assert!(ack.on_timeout(at(0), &CONFIG, PACE, SeqNum::new(2)));
    ack.on_sent(at(500), SeqNum::new(2), false);
    assert_eq!(on_data(&mut ack, at(900), 3).unwrap(), CONFIG.delack_max);
    // Fast arrivals make it less patient.
    for n in 0..20 {
        ack.on_sent(at(900), SeqNum::new(3 + n), false);
        on_data(&mut ack, at(901 + u64::from(n)), 4 + n);
    }
    ack.on_sent(at(930), SeqNum::new(24), false);
    let soon = on_data(&mut ack, at(931), 25).unwrap();
    assert!(soon.as_millis() <= CONFIG.delack_min.as_millis() + 1);
    // Nobody waits longer than a round trip.
    let mut slow = settled();
    slow.ato = Delta::from_millis(200);
    let pace = Pace {
        srtt: Delta::from_millis(60),
        ..PACE
    };
    let due = slow
        .on_data(at(0), &CONFIG, pace, SeqNum::new(1), ABSENT)
        .unwrap();
    assert!(due.since(at(0)) <= Delta::from_millis(60));
}

#[test]
fn silence_makes_it_quick_again() {
    let mut ack = settled();
    assert!(on_data(&mut ack, at(0), 1).is_some());
    ack.on_sent(at(1), SeqNum::new(1), true);
    assert_eq!(on_data(&mut ack, at(1500), 2), None);
}

#[test]
fn full_segments_are_recognised() {
    let mut ack = AckPolicy::new(Mss::new(1460));
    assert!(ack.measure(sample(1448, false)));
    assert_eq!(ack.peer_mss, 1448);
    assert!(!ack.measure(sample(1448, false)));
    // A merged superpacket that does not say its segments' size.
    assert!(ack.measure(sample(60_000, true)));
    assert_eq!(ack.peer_mss, 1460);
    // The path's MTU has shrunk: two of a kind.
    assert!(!ack.measure(sample(1300, true)) && ack.measure(sample(1300, true)));
    assert_eq!(ack.peer_mss, 1300);
    // Small writes are not full segments, however many.
    for _ in 0..10 {
        assert!(!ack.measure(sample(100, true)));
        assert!(!ack.measure(sample(50, false)));
    }
    assert!(!ack.measure(sample(500, false)) && ack.measure(sample(500, false)));
    assert_eq!(ack.peer_mss, 500);
}

/// What is acknowledged steadily over a short path is acknowledged seldom after a while.
#[test]
fn a_sender_that_does_not_wait_is_told_seldom() {
    const TOLD: u32 = 4 << 20;
    const PIECE: u32 = 65_000;
    let near = Delta::from_micros(50);
    let mut ack = settled();
    let (mut nxt, mut sent) = (0, 0);
    let mut arrive = |ack: &mut AckPolicy, micros: u64| {
        nxt += PIECE;
        let (now, end) = (Instant::from_nanos(micros * 1000), SeqNum::new(nxt));
        let wait = if ack.stretches(end, TOLD, near) {
            Wait::ForMore
        } else {
            Wait::No
        };
        let due = ack.on_data(now, &CONFIG, PACE, end, outlook(true, wait));
        if let Some(due) = due {
            assert_eq!(due.since(now).as_millis(), 1);
            // Having read it all is no reason to say so.
            ack.on_all_read(end, ack.stretches(end, TOLD, near));
        }
        if ack.is_now() {
            ack.on_sent(now, end, false);
            sent += 1;
        }
        (sent, end)
    };
    for n in 1..=116 {
        arrive(&mut ack, n * 40);
    }
    let (sent, mut end) = arrive(&mut ack, 4680);
    assert!((36..=44).contains(&sent), "{sent} acknowledgments");
    // The sender falls silent with something owed: it may have waited.
    let mut at = 4680;
    while !ack.is_owed() {
        at += 40;
        (_, end) = arrive(&mut ack, at);
    }
    let later = Instant::from_nanos((at + 1000) * 1000);
    assert!(ack.on_timeout(later, &CONFIG, PACE, end) && ack.is_now());
    ack.on_sent(later, end, false);
    let (before, _) = arrive(&mut ack, at + 1040);
    let (after, _) = arrive(&mut ack, at + 1080);
    assert_eq!(after - before, 1);
    // So does a gap.
    let mut ack = settled();
    for n in 1..=30 {
        arrive(&mut ack, 10_000 + n * 40);
    }
    ack.on_gap();
    assert!(ack.is_now() && !ack.stretches(SeqNum::new(2 * PIECE), TOLD, near));
}
