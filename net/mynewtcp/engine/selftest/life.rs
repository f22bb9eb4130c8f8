// SPDX-License-Identifier: GPL-2.0

//! Patience with a silent peer, and with a path that swallows what is large.

use crate::engine::config::Config;
use crate::engine::connection::StateName;
use crate::engine::error::{
    ConnectionError,
    IcmpError, //
};
use crate::engine::selftest::end::{
    segment,
    End,
    IRS,
    ISS,
    MSS, //
};
use crate::engine::selftest::{
    ensure,
    Outcome, //
};
use crate::engine::seq::Mss;
use crate::engine::time::{
    Delta,
    Instant, //
};
use crate::engine::wire::{
    Control,
    Transmit, //
};

/// With a user time-out it is the time that ends a keepalive, not the number of probes (RFC 5482,
/// section 4.2); and the peer is told.
pub fn user_timeout_bounds_keepalive() -> Outcome {
    let mut end = End::established()?;
    end.config.keepalive_time = Delta::from_secs(10);
    end.config.keepalive_interval = Delta::from_secs(1);
    end.config.user_timeout = Delta::from_millis(12_500);
    end.with(|connection, cx| connection.set_keepalive(cx, true));
    let begun = end.now;
    for _ in 0..3 {
        end.wait()?;
        end.transmit("no probe")?;
    }
    end.is_in(StateName::Established, "given up too soon")?;
    end.wait()?;
    let reset = end.transmit("the peer is not told")?;
    ensure(reset.control == Control::Rst, "not a reset")?;
    ensure(end.now.since(begun) == Delta::from_secs(13), "wrong time")?;
    ensure(
        end.connection.error() == Some(ConnectionError::TimedOut),
        "wrong error",
    )
}

/// The user's patience may change while it is being tried, and counts from the last progress.
pub fn user_timeout_may_change() -> Outcome {
    let mut end = End::established()?;
    end.config.user_timeout = Delta::from_secs(100);
    let begun = end.now;
    end.write(10)?;
    end.transmit("no data")?;
    end.silent("more than the data")?;
    end.wait()?;
    end.config.user_timeout = Delta::from_millis(2_000);
    while end.connection.error().is_none() {
        while end.poll().is_some() {}
        end.wait()?;
    }
    let took = end.now.since(begun);
    ensure(took == Delta::from_millis(2_000), "wrong time")
}

/// What ICMP said is the reason when the connection times out; but only while it holds.
pub fn soft_error_is_forgotten_on_progress() -> Outcome {
    let error = IcmpError::NetworkUnreachable;
    let mut end = End::established()?;
    end.write(10)?;
    end.transmit("no data")?;
    end.with(|connection, cx| connection.on_icmp(cx, ISS.plus(1), error));
    ensure(end.connection.soft_error() == Some(error), "not noted")?;
    end.receive_ack(10);
    ensure(end.connection.soft_error().is_none(), "not forgotten")?;
    end.write(10)?;
    end.transmit("no data")?;
    end.with(|connection, cx| connection.on_icmp(cx, ISS.plus(11), error));
    while end.connection.error().is_none() {
        while end.poll().is_some() {}
        end.wait()?;
    }
    ensure(
        end.connection.error() == Some(ConnectionError::Icmp(error)),
        "the reason is lost",
    )
}

/// RFC 6069: "no way" about a retransmission takes back its back-off.
pub fn unreachable_reverts_the_back_off() -> Outcome {
    let mut end = End::established()?;
    end.write(10)?;
    end.transmit("no data")?;
    end.silent("more than the data")?;
    for _ in 0..3 {
        end.wait()?;
        end.transmit("no retransmission")?;
        end.silent("more than one")?;
    }
    let deadline = |end: &End| end.connection.poll_deadline().unwrap_or(Instant::MAX);
    let long = deadline(&end).since(end.now);
    let icmp = |end: &mut End, seq, error| {
        end.with(|connection, cx| connection.on_icmp(cx, seq, error));
    };
    icmp(&mut end, ISS.plus(2), IcmpError::HostUnreachable);
    icmp(&mut end, ISS.plus(1), IcmpError::ProtocolUnreachable);
    ensure(deadline(&end).since(end.now) == long, "reverted by another")?;
    icmp(&mut end, ISS.plus(1), IcmpError::HostUnreachable);
    ensure(
        deadline(&end).since(end.now).times(2) == long,
        "not reverted",
    )
}

/// Orphans: the default of 0 is 8 tries, and one when ICMP has named the reason and the time-out
/// can grow no more.
pub fn orphan_is_given_up_sooner() -> Outcome {
    for (named, least, most) in [(false, 8, 8), (true, 4, 7)] {
        let mut end = End::established()?;
        end.config.rto_max = Delta::from_secs(2);
        end.config.orphan_retries = if named { 100 } else { 0 };
        end.write(10)?;
        end.transmit("no data")?;
        end.with(|connection, cx| connection.close(cx));
        let mut tries = 0;
        while end.poll().is_some() {}
        while end.connection.error().is_none() {
            if named {
                let error = IcmpError::PortUnreachable;
                end.with(|connection, cx| connection.on_icmp(cx, ISS.plus(1), error));
            }
            end.wait()?;
            tries += i32::from(end.connection.error().is_none());
            while end.poll().is_some() {}
        }
        ensure((least..=most).contains(&tries), "wrong number of tries")?;
    }
    Ok(())
}

/// A path that takes packets of some size and swallows others, without a word.
struct Path {
    end: End,
    takes: u32,
    largest: u32,
    received: u32,
    /// What has arrived behind a hole, without another hole in it.
    ahead: (u32, u32),
    lost: u32,
}

impl Path {
    fn new(takes: u32, config: impl FnOnce(&mut Config)) -> Result<Self, &'static str> {
        let mut end = End::new(crate::engine::selftest::end::PLAIN, ISS);
        config(&mut end.config);
        end.with(|connection, cx| connection.connect(cx))
            .map_err(|_| "connect was refused")?;
        end.transmit("no SYN")?;
        let mut answer = segment(Control::Syn, IRS, Some(ISS.plus(1)), 0);
        answer.options.mss = Some(Mss::new(MSS));
        end.receive(&answer);
        end.transmit("no acknowledgment")?;
        Ok(Self {
            end,
            takes,
            largest: 0,
            received: 0,
            ahead: (0, 0),
            lost: 0,
        })
    }

    /// Carries one transmission, segment by segment.
    fn carry(&mut self, transmit: &Transmit) {
        let (mut at, end) = (transmit.range.start(), transmit.range.end());
        while at.before(end) {
            let size = end.distance_from(at).min(u32::from(transmit.gso_size));
            let offset = at.distance_from(ISS.plus(1));
            at = at.plus(size);
            if size > self.takes {
                self.lost += 1;
                continue;
            }
            self.largest = self.largest.max(size);
            self.take(offset, offset + size);
            self.end.receive_ack(self.received);
        }
    }

    /// The octets from `start` to `end` have arrived.
    fn take(&mut self, start: u32, end: u32) {
        if start > self.received {
            if self.ahead.1 <= self.received {
                self.ahead = (start, end);
            } else if start == self.ahead.1 {
                self.ahead.1 = end;
            }
            return;
        }
        self.received = self.received.max(end);
        if self.received >= self.ahead.0 {
            self.received = self.received.max(self.ahead.1);
        }
    }

    /// Sends `n` octets and waits until all have arrived.
    fn send(&mut self, n: u32) -> Outcome {
        let goal = self.received + n;
        self.end.write(n)?;
        for _ in 0..200 {
            while let Some(transmit) = self.end.poll() {
                self.carry(&transmit);
            }
            if self.received >= goal {
                return Ok(());
            }
            self.end.wait()?;
            ensure(self.end.connection.error().is_none(), "given up")?;
        }
        Err("no end")
    }
}

/// RFC 4821: a path that swallows full segments is found out after `retries1` time-outs, and used
/// with what it takes.
pub fn black_hole_is_left() -> Outcome {
    let mut hole = Path::new(400, |config| {
        config.mtu_probing = 1;
        config.base_mss = 512;
    })?;
    hole.send(5_000)?;
    ensure(hole.largest == 256, "not the next size below 400")?;
    let mut open = Path::new(1_000, |config| config.mtu_probing = 1)?;
    open.send(10_000)?;
    ensure(
        open.largest == 1_000 && open.lost == 0,
        "a good path is doubted",
    )?;
    let mut trusting = Path::new(400, |_| ())?;
    ensure(
        trusting.send(5_000) == Err("given up"),
        "sizes are tried although nobody asked for it",
    )
}

/// RFC 4821: from a safe size up to what the path takes; a lost probe is not taken for congestion.
pub fn larger_segments_are_tried() -> Outcome {
    for (takes, found, lost) in [(1_000, 1_000, 0), (800, 750, 1)] {
        let mut path = Path::new(takes, |config| {
            config.mtu_probing = 2;
            config.base_mss = 500;
            config.probe_threshold = 300;
            config.initial_cwnd = 30;
        })?;
        let before = path.end.connection.mss().octets();
        ensure(before == 500, "does not begin with base_mss")?;
        let cwnd = path.end.connection.cwnd_bytes();
        for _ in 0..12 {
            path.send(12_000)?;
        }
        let size = path.end.connection.mss().octets();
        ensure(size == found, "the path's size is not found")?;
        ensure(path.lost == lost, "wrong number of probes were lost")?;
        ensure(
            path.end.connection.cwnd_bytes() >= cwnd,
            "a lost probe was taken for congestion",
        )?;
    }
    Ok(())
}

/// Routers that have no way for the moment let the sender try more often (RFC 6069), not give up
/// sooner.
pub fn routers_do_not_shorten_patience() -> Outcome {
    let mut end = End::established()?;
    end.write(10)?;
    end.transmit("no data")?;
    end.silent("more than there is")?;
    let begun = end.now;
    for _ in 0..10_000 {
        if end.told.closed {
            break;
        }
        let lost = ISS.plus(1);
        let error = IcmpError::HostUnreachable;
        end.with(|connection, cx| connection.on_icmp(cx, lost, error));
        end.wait()?;
        while end.poll().is_some() {}
    }
    ensure(end.told.closed, "it never gives up")?;
    let patience = end.now.since(begun);
    // 15 retransmissions from 200 ms on, two minutes apart at most.
    ensure(patience >= Delta::from_secs(924), "it gave up too soon")?;
    ensure(patience < Delta::from_secs(1200), "it gave up too late")
}
