// SPDX-License-Identifier: GPL-2.0

//! Octets that are lost, and found again.

use crate::engine::config::Config;
use crate::engine::connection::StateName;
use crate::engine::error::ConnectionError;
use crate::engine::selftest::end::{
    End,
    Pair,
    IRS,
    ISS, //
};
use crate::engine::selftest::{
    ensure,
    Outcome, //
};
use crate::engine::time::Delta;

/// RFC 6298: the first unacknowledged segment again, after ever longer times.
pub fn timeout_repeats_and_backs_off() -> Outcome {
    let mut end = End::established()?;
    end.write(500)?;
    let first = end.transmit("no data")?;
    let mut last = Delta::ZERO;
    for _ in 0..4 {
        end.silent("sent again too early")?;
        let passed = end.wait()?;
        ensure(passed > last, "no back-off")?;
        last = passed;
        let again = end.transmit("not sent again")?;
        ensure(
            again.range == first.range && again.retransmission,
            "not the same octets",
        )?;
    }
    end.receive_ack(500);
    ensure(end.connection.poll_deadline().is_none(), "still waiting")?;
    ensure(end.shell.sent_len() == 0, "acknowledged octets are kept")
}

/// RFC 6675: only what the peer does not have is sent again, without a time-out.
pub fn sack_repairs_only_the_hole() -> Outcome {
    let mut pair = Pair::new(&Config::DEFAULT, ISS, IRS);
    pair.connect()?;
    let begun = pair.a.now;
    pair.a.write(8_000)?;
    let mut sent = 0;
    let mut again = 0;
    pair.exchange(|transmit| {
        sent += u32::from(!transmit.range.is_empty());
        again += u32::from(transmit.retransmission);
        sent == 2 && !transmit.range.is_empty()
    })?;
    ensure(pair.b.shell.delivered == 8_000, "not all was delivered")?;
    ensure(pair.a.now == begun, "time had to pass")?;
    ensure(again == 1, "more or less than the hole was sent again")
}

/// RFC 5681 and RFC 6582: the third duplicate acknowledgment.
pub fn three_duplicates_repair_without_sack() -> Outcome {
    let config = Config {
        sack: false,
        ..Config::DEFAULT
    };
    let mut pair = Pair::new(&config, ISS, IRS);
    pair.connect()?;
    let begun = pair.a.now;
    pair.a.write(8_000)?;
    let mut sent = 0;
    pair.exchange(|transmit| {
        sent += u32::from(!transmit.range.is_empty());
        sent == 2 && !transmit.range.is_empty()
    })?;
    ensure(pair.b.shell.delivered == 8_000, "not all was delivered")?;
    ensure(pair.a.now == begun, "time had to pass")
}

/// After retries2 time-outs in a row the user is told.
pub fn silent_peer_times_out() -> Outcome {
    let mut end = End::established()?;
    end.write(500)?;
    for _ in 0..=end.config.retries2 {
        end.transmit("given up too soon")?;
        end.wait()?;
    }
    end.is_in(StateName::Closed, "never gives up")?;
    ensure(
        end.connection.error() == Some(ConnectionError::TimedOut),
        "wrong reason",
    )?;
    ensure(end.told.failed && end.told.closed, "the user was not told")
}

/// RFC 9293, 3.8.3: the user's own limit is kept, and progress starts it anew.
pub fn user_timeout_ends_the_wait() -> Outcome {
    let mut end = End::established()?;
    end.config.user_timeout = Delta::from_secs(5);
    end.write(500)?;
    end.transmit("no data")?;
    end.silent("more than there is")?;
    end.wait()?;
    end.receive_ack(100);
    let begun = end.now;
    while end.poll().is_some() {}
    while !end.told.closed {
        end.wait()?;
        while end.poll().is_some() {}
    }
    ensure(
        end.now.since(begun) == Delta::from_secs(5),
        "not the user's time",
    )?;
    let error = end.connection.error();
    ensure(error == Some(ConnectionError::TimedOut), "wrong reason")
}

/// A transmission that fails, and a queue that cannot be cut: later it goes.
pub fn memory_shortage_loses_nothing() -> Outcome {
    let mut pair = Pair::new(&Config::DEFAULT, ISS, IRS);
    pair.connect()?;
    pair.a.write(3_000)?;
    pair.a.shell.out_of_memory = true;
    pair.a.silent("sent without memory")?;
    pair.a.shell.out_of_memory = false;
    pair.wait()?;
    let lost = pair.a.transmit("not tried again")?;
    pair.a
        .with(|connection, cx| connection.on_transmit_failed(cx, &lost));
    pair.a.silent("tried again at once")?;
    pair.wait()?;
    pair.exchange(|_| false)?;
    ensure(pair.b.shell.delivered == 3_000, "not all was delivered")
}
