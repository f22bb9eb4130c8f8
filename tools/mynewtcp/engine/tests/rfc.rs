// SPDX-License-Identifier: GPL-2.0

//! What the RFCs ask for, where no other test looks at it. The table in
//! `Documentation/networking/mynewtcp/rfc.rst` says which is which.

#[path = "bench/bench.rs"]
mod bench;

use bench::{
    Bench,
    MSS,
    OFFSET,
    OURS,
    PEER, //
};
use mynewtcp_engine::engine::config::Config;
use mynewtcp_engine::engine::connection::StateName;
use mynewtcp_engine::engine::seq::SeqRange;
use mynewtcp_engine::engine::time::Delta;
use mynewtcp_engine::engine::wire::{
    Control,
    SackBlocks,
    Timestamps,
    Transmit, //
};

fn reset(offset: u32) -> Transmit {
    Transmit::bare(PEER.plus(offset), Some(OURS), Control::Rst)
}

/// With timestamps, which the peer's later segments need not have.
fn with_timestamps() -> Bench {
    let mut bench = Bench::connecting(10_000, true);
    bench.open();
    assert!(bench.info().timestamps);
    bench
}

#[test]
fn defaults_are_what_the_documents_ask_for() {
    let config = Config::DEFAULT;
    assert!(config.delack_max < Delta::from_millis(500));
    assert!(config.delack_max <= config.rto_min);
    assert!(config.keepalive_time >= Delta::from_secs(7200));
    assert!(config.rto_max >= Delta::from_secs(60));
    assert!(config.retries1 >= 3);
    let doubled = (2u64 << config.syn_retries) - 1;
    let patience = u64::from(config.syn_linear_timeouts) + doubled;
    assert!(config.rto_initial.times(patience) >= Delta::from_secs(180));
}

#[test]
fn closed_window_takes_a_reset() {
    let mut bench = Bench::new(300);
    bench.feed_data(SeqRange::new(PEER, 300));
    bench.transmissions();
    assert_eq!(bench.connection.rcv_right_edge(), PEER.plus(300));
    bench.feed(&reset(300));
    assert_eq!(bench.connection.state(), StateName::Closed);
}

#[test]
fn handshake_leaves_the_initial_window() {
    let bench = Bench::new(10_000);
    let initial = u32::from(Config::DEFAULT.initial_cwnd) * MSS;
    assert_eq!(bench.connection.cwnd_bytes(), initial);
    assert_eq!(bench.info().ssthresh, u32::MAX);
}

#[test]
fn lost_syns_make_the_initial_window_small() {
    for (losses, segments) in [(1, u32::from(Config::DEFAULT.initial_cwnd)), (2, 1)] {
        let mut bench = Bench::connecting(10_000, false);
        bench.transmissions();
        for _ in 0..losses {
            bench.pass(Delta::from_secs(10));
            bench.transmissions();
        }
        bench.open();
        assert_eq!(bench.connection.state(), StateName::Established);
        assert_eq!(bench.connection.cwnd_bytes(), segments * MSS);
    }
}

#[test]
fn second_timeout_leaves_ssthresh() {
    let mut bench = Bench::new(10_000);
    for _ in 0..8 {
        bench.write(MSS);
    }
    bench.transmissions();
    let mut seen = Vec::new();
    for _ in 0..3 {
        while bench.info().retransmits == seen.len() as u8 {
            bench.pass(Delta::from_secs(1));
            bench.transmissions();
        }
        seen.push(bench.info().ssthresh);
        assert!(bench.connection.cwnd_bytes() <= 2 * MSS);
    }
    assert!(seen[0] >= 2 * MSS && seen[0] <= 8 * MSS, "{seen:?}");
    assert!(seen.iter().all(|&n| n == seen[0]), "{seen:?}");
}

#[test]
fn what_was_sent_twice_is_not_measured() {
    let mut bench = Bench::new(10_000);
    let before = bench.connection.srtt();
    bench.write(MSS);
    bench.transmissions();
    while bench.info().retransmits == 0 {
        bench.pass(Delta::from_millis(100));
        bench.transmissions();
    }
    bench.pass(Delta::from_millis(500));
    bench.feed_ack(OURS.plus(MSS), 60_000, SackBlocks::NONE);
    assert_eq!(bench.connection.unacked(), 0);
    assert_eq!(bench.connection.srtt(), before);
}

#[test]
fn lost_tail_is_probed_before_the_timeout() {
    let mut bench = Bench::new(10_000);
    // A round trip of 50 ms, so that the probe comes well before the time-out.
    for n in 1..5 {
        bench.write(MSS);
        bench.transmissions();
        bench.pass(Delta::from_millis(50));
        bench.feed_ack(OURS.plus(n * MSS), 60_000, SackBlocks::NONE);
    }
    for _ in 0..3 {
        bench.write(MSS);
    }
    assert_eq!(bench.transmissions().len(), 3);
    let before = bench.info();
    let mut repeated = Vec::new();
    while bench.info().retransmits == 0 {
        bench.pass(Delta::from_millis(1));
        for one in bench.transmissions() {
            let millis = bench.info().last_data_sent;
            repeated.push((one.range.start(), one.range.len(), millis));
        }
    }
    // The probe is the last segment; the time-out that follows repeats the first.
    assert_eq!(repeated[0].0, OURS.plus(6 * MSS));
    assert_eq!(repeated[1].0, OURS.plus(4 * MSS));
    assert!(before.rto >= Delta::from_millis(200));
}

#[test]
fn one_segment_has_one_acknowledgment() {
    let mut bench = Bench::new(10_000);
    for n in [0, 1, 3, 2, 0, 7] {
        bench.feed_data(SeqRange::new(PEER.plus(n * MSS), MSS));
        assert!(bench.transmissions().len() <= 1);
    }
}

#[test]
fn last_segment_is_pushed() {
    let mut bench = Bench::new(10_000);
    bench.write(3 * MSS);
    let pushed: Vec<bool> = bench.transmissions().iter().map(|one| one.psh).collect();
    assert_eq!(pushed, [false, false, true]);
}

#[test]
fn resets_have_timestamps() {
    let mut bench = with_timestamps();
    let (connection, mut cx) = bench.parts();
    connection.abort(&mut cx);
    let out = bench.transmissions();
    assert_eq!(out[0].control, Control::Rst);
    assert!(out[0].options.timestamps.is_some());
}

#[test]
fn resets_need_no_timestamp() {
    for clock in [None, Some(Timestamps { val: 0, ecr: 0 })] {
        let mut bench = with_timestamps();
        bench.clock = clock;
        bench.feed(&reset(0));
        assert_eq!(bench.connection.state(), StateName::Closed);
    }
}

#[test]
fn segment_without_its_timestamps_is_dropped() {
    let mut bench = with_timestamps();
    bench.clock = None;
    bench.feed_data(SeqRange::new(PEER, 10));
    assert!(bench.transmissions().is_empty());
    assert_eq!(bench.connection.state(), StateName::Established);
    assert_eq!(bench.connection.rcv_nxt(), PEER);
}

#[test]
fn clock_ticks_in_milliseconds() {
    let mut bench = with_timestamps();
    for _ in 0..3 {
        bench.write(1);
        let out = bench.transmissions();
        let clock = out[0].options.timestamps.expect("agreed");
        let millis = (bench.now().as_millis() as u32).wrapping_add(OFFSET);
        assert_eq!(clock.val, millis);
        bench.feed_ack(out[0].range.end(), 60_000, SackBlocks::NONE);
        bench.pass(Delta::from_millis(3));
    }
}
