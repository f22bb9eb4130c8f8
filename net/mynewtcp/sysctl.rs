// SPDX-License-Identifier: GPL-2.0

//! `net.mynewtcp.*`: one table of all files. It says what each is called, in which unit it counts,
//! what may be written to it, what it starts with and what it changes; the files, the
//! documentation and the tests are made of it.
//!
//! A row is
//!
//! ```text
//! /// What it means.
//! scope name(unit, least..=most, default): what it changes;
//! ```
//!
//! Names, units and limits are those of `net.ipv4.tcp_*`, without the prefix.

use core::ops::RangeInclusive;

use kernel::prelude::*;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};
use kernel::sync::Mutex;

use crate::engine::congestion::ecn::EcnMode;
use crate::engine::time::Delta;
use crate::linux::memory;
use crate::linux::sysctl::{
    File,
    Kind,
    Scope,
    Text,
    Writable, //
};
use crate::mib::Namespace;
use crate::orphans;
use crate::tuning::Tunables;

pub(crate) mod congestion;

/// What a change of a file changes.
enum Target {
    /// A value of the namespace.
    Namespace(fn(&mut Tunables, i64)),
    /// A value of the host.
    Host(&'static Atomic<i64>),
    /// Words of the namespace.
    Words {
        read: fn(&Tunables, &mut Text),
        write: fn(&mut Tunables, &[u8], bool) -> Result,
    },
    /// Nothing here: the kernel keeps the numbers.
    Kernel,
}

/// What a number is before anybody has changed it.
#[derive(Clone, Copy)]
enum Start {
    Fixed(i64),
    /// Depends on the machine.
    Machine(fn() -> i64),
    Kernel,
}

impl Start {
    fn value(self) -> i64 {
        match self {
            Self::Fixed(value) => value,
            Self::Machine(value) => value(),
            Self::Kernel => 0,
        }
    }
}

/// One file.
struct Row {
    file: File,
    start: Start,
    target: Target,
}

/// The largest values of the types that Linux keeps these numbers in.
const U8: i64 = u8::MAX as i64;
const U16: i64 = u16::MAX as i64;
const INT: i64 = i32::MAX as i64;
const UINT: i64 = u32::MAX as i64;
/// The most seconds that Linux can count in ticks of a millisecond.
const SECONDS: i64 = INT / 1000;
/// The most SYNs that a connection may send.
const SYNCNT: i64 = 127;

const fn number(name: &'static CStr, scope: Scope, range: RangeInclusive<i64>) -> File {
    File {
        name,
        scope,
        kind: Kind::Number {
            min: *range.start(),
            max: *range.end(),
        },
    }
}

const fn three(name: &'static CStr, scope: Scope, kind: Kind) -> Row {
    Row {
        file: File { name, scope, kind },
        start: Start::Kernel,
        target: Target::Kernel,
    }
}

const fn words(
    read: fn(&Tunables, &mut Text),
    write: fn(&mut Tunables, &[u8], bool) -> Result,
) -> Target {
    Target::Words { read, write }
}

/// The name of a file as C wants it.
macro_rules! name {
    ($name:ident) => {
        match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
            Ok(name) => name,
            Err(_) => c"",
        }
    };
}

/// One row, by its first word.
macro_rules! row {
    (namespace $name:ident ($unit:ident, $range:expr, $start:expr) $change:expr) => {
        Row {
            file: number(name!($name), Scope::Namespace, $range),
            start: Start::Fixed($start),
            target: Target::Namespace($change),
        }
    };
    (machine $name:ident ($unit:ident, $range:expr, $start:expr) $change:expr) => {
        Row {
            file: number(name!($name), Scope::Namespace, $range),
            start: Start::Machine($start),
            target: Target::Namespace($change),
        }
    };
    (host $name:ident ($unit:ident, $range:expr, $start:expr) $value:expr) => {
        Row {
            file: number(name!($name), Scope::Host, $range),
            start: Start::Machine($start),
            target: Target::Host($value),
        }
    };
    (words $name:ident ($writable:ident) $target:expr) => {
        Row {
            file: File {
                name: name!($name),
                scope: Scope::Namespace,
                kind: Kind::Text {
                    writable: Writable::$writable,
                },
            },
            start: Start::Kernel,
            target: $target,
        }
    };
    (pages $name:ident ($unit:ident) $kind:expr) => {
        three(name!($name), Scope::Namespace, $kind)
    };
    (buffer $name:ident ($unit:ident) $kind:expr) => {
        three(name!($name), Scope::Namespace, $kind)
    };
}

macro_rules! table {
    ($( $(#[doc = $doc:literal])+ $scope:ident $name:ident ( $($how:tt)+ ): $what:expr; )+) => {
        /// Every file.
        static TABLE: &[Row] = &[ $( row!($scope $name ($($how)+) $what) ),+ ];
    };
}

table! {
    /// *low*, *pressure*, *high*: how much the NEW_TCP sockets of the namespace may hold in their
    /// queues; in the first namespace, those of the whole host.
    pages mem(pages): Kind::Pages;
    /// *min*, *default*, *max* of the send buffer of one socket.
    buffer wmem(bytes): Kind::SendBuffer;
    /// *min*, *default*, *max* of the receive buffer of one socket.
    buffer rmem(bytes): Kind::ReceiveBuffer;
    /// Connections without a user that the host keeps; one more is reset.
    host max_orphans(connections, 0..=INT, max_orphans): &orphans::LIMIT;

    /// Reset a connection that finds the accept queue full, instead of waiting for its peer to try again.
    namespace abort_on_overflow(flag, 0..=U8, 0): |t, v| t.config.abort_on_overflow = v != 0;
    /// Octets, header options included, with which the search for the largest segment begins.
    namespace base_mss(bytes, 0..=U16, 1024): |t, v| t.config.base_mss = v as u16;
    /// The congestion control that anybody may choose; the others take ``CAP_NET_ADMIN``. One list for the host, that only the first namespace can write.
    words allowed_congestion_control(First): words(congestion::allowed, congestion::set_allowed);
    /// The congestion control that there is.
    words available_congestion_control(No): words(congestion::available, congestion::refuse);
    /// The congestion control of new connections (``TCP_CONGESTION``); outside of the first namespace one that anybody may choose.
    words congestion_control(Yes): words(congestion::default, congestion::set_default);
    /// Report segments that arrive twice (RFC 2883).
    namespace dsack(flag, 0..=U8, 1): |t, v| t.config.dsack = v != 0;
    /// Find the socket of a packet before its route, which the socket remembers; ``net.ipv4.ip_early_demux`` must be on as well.
    namespace early_demux(flag, 0..=U8, 1): |t, v| t.early_demux = v != 0;
    /// Tail loss probes (RFC 8985, 7): 3 and 4 send them, less does not.
    namespace early_retrans(mode, 0..=4, 3): |t, v| t.config.tail_loss_probe = v >= 3;
    /// Who uses explicit congestion notification (RFC 3168): 0 nobody, 1 who connects offers it and who listens accepts it, 2 who listens accepts it.
    namespace ecn(mode, 0..=2, 2): |t, v| t.config.ecn = EcnMode::from_number(v as u8).unwrap_or_default();
    /// A SYN that had to be sent again does not offer ECN any more.
    namespace ecn_fallback(flag, 0..=U8, 1): |t, v| t.config.ecn_fallback = v != 0;
    /// How long a connection without a user waits in FIN-WAIT-2 for the peer's FIN (``TCP_LINGER2``).
    namespace fin_timeout(s, 0..=SECONDS, 60): |t, v| t.config.fin_timeout = seconds(v);
    /// Find out by new data whether a time-out was a mistake (RFC 5682).
    namespace frto(flag, 0..=U8, 2): |t, v| t.config.frto = v != 0;
    /// Least time between two answers of a connection to unacceptable segments without payload; 0 means none.
    namespace invalid_ratelimit(ms, 0..=INT, 500): |t, v| t.config.invalid_ratelimit = Delta::from_millis(v as u64);
    /// Idle time before the first keepalive probe (``TCP_KEEPIDLE``).
    namespace keepalive_time(s, 1..=SECONDS, 7200): |t, v| t.config.keepalive_time = seconds(v);
    /// Time between keepalive probes (``TCP_KEEPINTVL``).
    namespace keepalive_intvl(s, 1..=SECONDS, 75): |t, v| t.config.keepalive_interval = seconds(v);
    /// Unanswered keepalive probes after which a connection fails (``TCP_KEEPCNT``).
    namespace keepalive_probes(probes, 0..=U8, 9): |t, v| t.config.keepalive_probes = v as u8;
    /// Challenge acknowledgments that one connection sends in a second at most (RFC 5961).
    namespace challenge_ack_limit(segments, 0..=U8, 10): |t, v| t.config.challenge_ack_limit = v as u8;
    /// Let packets to sockets of this host go to them directly, as long as nobody watches.
    namespace loopback_fast_path(flag, 0..=U8, 1): |t, v| t.loopback_fast_path = v != 0;
    /// The most that is believed of a network that reorders.
    namespace max_reordering(segments, 1..=U16, 300): |t, v| t.config.max_reordering = v as u16;
    /// Half-open connections that one listener may have.
    machine max_syn_backlog(connections, 0..=INT, max_syn_backlog): |t, v| t.config.max_syn_backlog = v as u32;
    /// Connections in TIME-WAIT; those that close when there are as many do without.
    namespace max_tw_buckets(connections, 0..=INT, 32_768): |t, v| t.config.max_tw_buckets = v as u32;
    /// For how long the smallest round-trip time is remembered.
    namespace min_rtt_wlen(s, 0..=86400, 300): |t, v| t.config.min_rtt_window = seconds(v);
    /// What nobody makes a segment's payload and options less than.
    namespace min_snd_mss(bytes, 48..=U16, 48): |t, v| t.config.min_snd_mss = v as u16;
    /// Segments of the smallest superpacket that the pacing rate leads to.
    namespace min_tso_segs(segments, 1..=U8, 2): |t, v| t.config.min_tso_segs = v as u8;
    /// Let receive buffers grow with what the user reads.
    namespace moderate_rcvbuf(flag, 0..=U8, 1): |t, v| t.config.moderate_rcvbuf = v != 0;
    /// What a suspected black hole never makes a segment less than.
    namespace mtu_probe_floor(bytes, 48..=U16, 48): |t, v| t.config.mtu_probe_floor = v as u16;
    /// Find the size of segments by trying (RFC 4821): 0 never, 1 once a black hole is suspected, 2 always.
    namespace mtu_probing(mode, 0..=U8, 0): |t, v| t.config.mtu_probing = v as u8;
    /// Octets not yet transmitted from which on a socket counts as full (``TCP_NOTSENT_LOWAT``).
    namespace notsent_lowat(bytes, 0..=UINT, UINT): |t, v| t.notsent_lowat = v as u32;
    /// How often a connection without a user retransmits before it is given up; 0 means 8.
    namespace orphan_retries(retransmissions, 0..=U8, 0): |t, v| t.config.orphan_retries = v as u8;
    /// Pacing rate in congestion avoidance, in percent of the congestion window in a round-trip time.
    namespace pacing_ca_ratio(percent, 0..=1000, 120): |t, v| t.config.pacing_ca_ratio = v as u16;
    /// Pacing rate in slow start, in percent of the congestion window in a round-trip time.
    namespace pacing_ss_ratio(percent, 0..=1000, 200): |t, v| t.config.pacing_ss_ratio = v as u16;
    /// How long after its end the search for the largest segment begins again.
    namespace probe_interval(s, 0..=SECONDS, 600): |t, v| t.config.probe_interval = seconds(v);
    /// The search for the largest segment ends when it is closer than this.
    namespace probe_threshold(bytes, 0..=U16, 8): |t, v| t.config.probe_threshold = v as u16;
    /// Round trips shorter than this make receive buffers grow more slowly.
    namespace rcvbuf_low_rtt(us, 0..=INT, 1000): |t, v| t.config.rcvbuf_low_rtt = Delta::from_micros(v as u64);
    /// Loss detection by time (RFC 8985) is always on; 2 added keeps its reordering window fixed, 4 ignores the number of duplicate acknowledgments.
    namespace recovery(bits, 0..=U8, 1): |t, v| recovery(t, v);
    /// By how many segments the network may reorder before it was seen to do so.
    namespace reordering(segments, 1..=300, 3): |t, v| t.config.reordering = v as u16;
    /// Retransmissions in a row after which another route is looked for, and smaller segments may be tried.
    namespace retries1(retransmissions, 0..=U8, 3): |t, v| t.config.retries1 = v as u8;
    /// Retransmissions in a row after which a connection fails.
    namespace retries2(retransmissions, 0..=U8, 15): |t, v| t.config.retries2 = v as u8;
    /// A reset does not end TIME-WAIT (RFC 1337).
    namespace rfc1337(flag, 0..=U8, 1): |t, v| t.config.rfc1337 = v != 0;
    /// Longest retransmission time-out (``TCP_RTO_MAX_MS``).
    namespace rto_max_ms(ms, 1000..=120_000, 120_000): |t, v| t.config.rto_max = Delta::from_millis(v as u64);
    /// Shortest retransmission time-out (``TCP_RTO_MIN_US``).
    namespace rto_min_us(us, 1..=INT, 200_000): |t, v| t.config.rto_min = Delta::from_micros(v as u64);
    /// Offer and accept selective acknowledgments (RFC 2018).
    namespace sack(flag, 0..=U8, 1): |t, v| t.config.sack = v != 0;
    /// Shrink a congestion window that was not used for a retransmission time-out (RFC 2861).
    namespace slow_start_after_idle(flag, 0..=U8, 1): |t, v| t.config.slow_start_after_idle = v != 0;
    /// How often a SYN is retransmitted without doubling the time-out, before ``syn_retries`` count.
    namespace syn_linear_timeouts(retransmissions, 0..=SYNCNT, 4): |t, v| t.config.syn_linear_timeouts = v as u8;
    /// How often a SYN is retransmitted before connect fails (``TCP_SYNCNT``).
    namespace syn_retries(retransmissions, 1..=SYNCNT, 7): |t, v| t.config.syn_retries = v as u8;
    /// Answer SYNs with cookies (RFC 4987): 0 never, 1 when a listener has too many half-open connections, 2 always.
    namespace syncookies(mode, 0..=2, 1): |t, v| t.config.syncookies = v as u8;
    /// How often a SYN-ACK is retransmitted before the handshake is forgotten (``TCP_SYNCNT`` of the listener).
    namespace synack_retries(retransmissions, 0..=U8, 5): |t, v| t.config.synack_retries = v as u8;
    /// Offer and accept timestamps (RFC 7323).
    namespace timestamps(flag, 0..=U8, 1): |t, v| t.config.timestamps = v != 0;
    /// A smallest round-trip time below two to the power of this, in microseconds, allows for full superpackets; each doubling halves the allowance.
    namespace tso_rtt_log(log, 0..=U8, 9): |t, v| t.config.tso_rtt_log = v as u8;
    /// Let connect take over TIME-WAIT (RFC 6191): 0 no, 1 yes, 2 over loopback only.
    namespace tw_reuse(mode, 0..=2, 2): |t, v| t.config.tw_reuse = v as u8;
    /// How old the last timestamp in TIME-WAIT must be for that.
    namespace tw_reuse_delay(ms, 1..=60_000, 1000): |t, v| t.config.tw_reuse_delay = Delta::from_millis(v as u64);
    /// Offer and accept window scaling (RFC 7323).
    namespace window_scaling(flag, 0..=U8, 1): |t, v| t.config.window_scaling = v != 0;
}

fn recovery(tunables: &mut Tunables, v: i64) {
    tunables.config.rack_static_window = v & 2 != 0;
    tunables.config.rack_no_dup_thresh = v & 4 != 0;
}

fn seconds(v: i64) -> Delta {
    Delta::from_secs(v as u64)
}

/// As many as TCP allows: half of the buckets that it would have for its connections.
fn max_orphans() -> i64 {
    buckets() / 2
}

fn max_syn_backlog() -> i64 {
    (buckets() / 128).max(128)
}

/// A bucket for every 128 KiB of memory, up to half a million, rounded up to a power of two.
fn buckets() -> i64 {
    let wanted = (memory::usable_bytes() >> 17).clamp(1, 512 << 10);
    i64::try_from(wanted.next_power_of_two()).unwrap_or(i64::MAX)
}

/// What the files of a namespace say.
#[pin_data]
pub(crate) struct Values {
    #[pin]
    values: Mutex<[i64; TABLE.len()]>,
}

impl Values {
    /// Each file says what it says on a fresh system.
    pub(crate) fn new() -> impl PinInit<Self> {
        let mut values = [0; TABLE.len()];
        for (value, row) in values.iter_mut().zip(TABLE) {
            *value = row.start.value();
        }
        pin_init!(Self {
            values <- kernel::new_mutex!(values, "newtcp_sysctl"),
        })
    }
}

/// The file of a row, `None` behind the last one.
pub(crate) fn file(row: usize) -> Option<&'static File> {
    TABLE.get(row).map(|row| &row.file)
}

/// The values of a fresh namespace.
pub(crate) fn fresh() -> Tunables {
    let mut tunables = Tunables::DEFAULT;
    for row in TABLE {
        if let Target::Namespace(change) = row.target {
            change(&mut tunables, row.start.value());
        }
    }
    tunables
}

/// Sets the values of the host to what they are on a fresh system.
pub(crate) fn init_host() {
    for row in TABLE {
        if let Target::Host(value) = row.target {
            value.store(row.start.value(), Relaxed);
        }
    }
}

/// What a file with a number says.
pub(crate) fn read(namespace: &Namespace, row: usize) -> Option<i64> {
    match TABLE.get(row)?.target {
        Target::Namespace(_) => namespace.sysctl.values.lock().get(row).copied(),
        Target::Host(value) => Some(value.load(Relaxed)),
        Target::Words { .. } | Target::Kernel => None,
    }
}

/// A number that is in the file's range was written to it.
pub(crate) fn write(namespace: &Namespace, row: usize, number: i64) -> Result {
    match TABLE.get(row).ok_or(EINVAL)?.target {
        Target::Namespace(change) => {
            let mut values = namespace.sysctl.values.lock();
            namespace.tuning.change(|tunables| {
                change(tunables, number);
                Ok(())
            })?;
            if let Some(value) = values.get_mut(row) {
                *value = number;
            }
        }
        Target::Host(value) => value.store(number, Relaxed),
        Target::Words { .. } | Target::Kernel => return Err(EINVAL),
    }
    Ok(())
}

/// What a file with words says.
pub(crate) fn read_text(namespace: &Namespace, row: usize, text: &mut Text) {
    if let Some(Target::Words { read, .. }) = TABLE.get(row).map(|row| &row.target) {
        read(namespace.tuning.current().values(), text);
    }
}

/// Words were written to a file.
pub(crate) fn write_text(namespace: &Namespace, row: usize, words: &[u8], first: bool) -> Result {
    let Some(Target::Words { write, .. }) = TABLE.get(row).map(|row| &row.target) else {
        return Err(EINVAL);
    };
    // One change at a time.
    let _values = namespace.sysctl.values.lock();
    namespace
        .tuning
        .change(|tunables| write(tunables, words, first))
}

#[cfg(CONFIG_MY_NEWTCP_KUNIT_TEST)]
#[kunit_tests(mynewtcp_sysctl)]
mod tests {
    use super::*;

    /// What the simulator runs with is what a fresh namespace runs with.
    #[test]
    fn defaults_are_the_engines() -> Result {
        let mut tunables = Tunables::DEFAULT;
        for row in TABLE {
            if let (Target::Namespace(change), Start::Fixed(value)) = (&row.target, row.start) {
                change(&mut tunables, value);
            }
        }
        assert!(tunables == Tunables::DEFAULT);
        Ok(())
    }

    #[test]
    fn defaults_are_in_range() -> Result {
        for row in TABLE {
            if let Kind::Number { min, max } = row.file.kind {
                assert!((min..=max).contains(&row.start.value()));
            }
        }
        Ok(())
    }

    #[test]
    fn names_are_unique() -> Result {
        for (i, row) in TABLE.iter().enumerate() {
            assert!(!row.file.name.is_empty());
            assert!(TABLE[..i]
                .iter()
                .all(|other| other.file.name != row.file.name));
        }
        Ok(())
    }
}
