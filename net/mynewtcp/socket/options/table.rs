// SPDX-License-Identifier: GPL-2.0

//! One table of all options at the level of the protocol. Code, documentation and tests are made
//! of it. A row is
//!
//! ```text
//! /// What it means.
//! kind NAME(number, values, inherited or own): what gets it, what sets it;
//! ```
//!
//! where kind is
//!
//! - `flag`: an int, on unless it is 0, and read back as 0 or 1;
//! - `exact`: an int that is read back as it was set, whatever the socket is doing;
//! - `special`: an int with rules of its own;
//! - `data`: not an int;
//! - `refused`: one of TCP's that this protocol does not have, and why.
//!
//! `inherited` says that an accepted socket starts with the value of its listener. Numbers and
//! limits are those of Linux' TCP; what is out of range is EINVAL, what is refused or not here
//! ENOPROTOOPT.

use core::ops::RangeInclusive;

use crate::endpoint::{
    Locked,
    Sock, //
};
use crate::linux::compat::prelude::*;
use crate::linux::sockopt::{
    OptIn,
    OptOut, //
};
use crate::socket::options::{
    congestion,
    values as v, //
};

/// What an option is.
pub(crate) enum Kind {
    /// A number.
    Int {
        /// What may be set; anything else is EINVAL.
        range: RangeInclusive<i32>,
        /// Reads it.
        get: fn(&mut Locked<'_>) -> i32,
        /// Sets it.
        set: fn(&mut Locked<'_>, i32) -> Result,
    },
    /// Something else.
    Data {
        /// Reads it.
        get: fn(&Sock, OptOut<'_>) -> Result,
        /// Sets it, if it can be set.
        set: Option<fn(&Sock, OptIn<'_>) -> Result>,
    },
    /// Not here.
    Refused,
}

struct Row {
    number: i32,
    kind: Kind,
}

/// Values of a row that has rules of its own.
const ANY: RangeInclusive<i32> = i32::MIN..=i32::MAX;
const INT: i32 = i32::MAX;

macro_rules! row {
    (flag ($number:literal, $inherited:ident) ($get:path, $set:path)) => {
        row!(exact($number, ANY, flag, $inherited)($get, $set))
    };
    (exact ($number:literal, $range:expr, $unit:ident, $inherited:ident) ($get:path, $set:path)) => {
        Row {
            number: $number,
            kind: Kind::Int {
                range: $range,
                get: $get,
                set: $set,
            },
        }
    };
    (special ($number:literal, $range:expr, $values:literal, $inherited:ident) ($get:path, $set:path)) => {
        Row {
            number: $number,
            kind: Kind::Int {
                range: $range,
                get: $get,
                set: $set,
            },
        }
    };
    (data ($number:literal, $values:literal, $inherited:ident) ($get:path, $set:expr)) => {
        Row {
            number: $number,
            kind: Kind::Data {
                get: $get,
                set: $set,
            },
        }
    };
    (refused ($number:literal) ENOPROTOOPT) => {
        Row {
            number: $number,
            kind: Kind::Refused,
        }
    };
}

macro_rules! table {
    ($( $(#[doc = $doc:literal])+ $kind:ident $name:ident $how:tt : $what:tt; )+) => {
        /// Every option.
        static TABLE: &[Row] = &[ $( row!($kind $how $what) ),+ ];
    };
}

table! {
    /// Send partial segments at once.
    flag TCP_NODELAY(1, inherited): (v::nodelay, v::set_nodelay);
    /// Upper limit of the segment size, on both sides; 0: none. Reading gives the size in use, without a connection the limit, or 536.
    special TCP_MAXSEG(2, 0..=32767, "0, or 88 to 32767 bytes", inherited): (v::maxseg, v::set_maxseg);
    /// Hold partial segments back.
    flag TCP_CORK(3, inherited): (v::cork, v::set_cork);
    /// Idle time before the first keepalive probe.
    exact TCP_KEEPIDLE(4, 1..=32767, s, inherited): (v::keepidle, v::set_keepidle);
    /// Time between keepalive probes.
    exact TCP_KEEPINTVL(5, 1..=32767, s, inherited): (v::keepintvl, v::set_keepintvl);
    /// Unanswered keepalive probes before the connection fails.
    exact TCP_KEEPCNT(6, 1..=127, probes, inherited): (v::keepcnt, v::set_keepcnt);
    /// SYN retransmissions before connect fails; on a listener, SYN-ACK retransmissions.
    exact TCP_SYNCNT(7, 1..=127, retransmissions, inherited): (v::syncnt, v::set_syncnt);
    /// Lifetime in FIN-WAIT-2 after close(2); more than 120 is 120, 0 is the default, less than 0 none.
    special TCP_LINGER2(8, ANY, "seconds", inherited): (v::linger2, v::set_linger2);
    /// On a listener: a connection waits for its first data before it is given to accept(2). The time is kept as the number of SYN-ACK retransmissions that it takes.
    special TCP_DEFER_ACCEPT(9, ANY, "seconds", own): (v::defer_accept, v::set_defer_accept);
    /// Upper limit of the receive window; less than half of the smallest receive buffer is that half. 0: none, and only while there is no connection.
    special TCP_WINDOW_CLAMP(10, ANY, "bytes", inherited): (v::window_clamp, v::set_window_clamp);
    /// The state of the connection: all 280 octets of Linux 7.3, those at the end 0 that are of accurate ECN and Fast Open, which are not here.
    data TCP_INFO(11, "``struct tcp_info``, read only", own): (v::info, None);
    /// Acknowledge at once (1), or delay (0).
    special TCP_QUICKACK(12, ANY, "0 or 1", own): (v::quickack, v::set_quickack);
    /// The congestion control by name. ``ENOENT`` if there is none of that name, ``EPERM`` if it is not in ``net.mynewtcp.allowed_congestion_control`` and the caller lacks ``CAP_NET_ADMIN``.
    data TCP_CONGESTION(13, "up to 15 characters", inherited): (congestion::get, Some(congestion::set));
    /// How long data may be unacknowledged before the connection fails; 0: as long as retransmission goes on.
    exact TCP_USER_TIMEOUT(18, 0..=INT, ms, inherited): (v::user_timeout, v::set_user_timeout);
    /// The socket is not writable while more than this waits to be sent; 0: what ``net.mynewtcp.notsent_lowat`` says.
    exact TCP_NOTSENT_LOWAT(25, ANY, bytes, inherited): (v::notsent_lowat, v::set_notsent_lowat);
    /// What the congestion control tells of itself: DCTCP ``struct tcp_dctcp_info``, the others nothing.
    data TCP_CC_INFO(26, "``union tcp_cc_info``, read only", own): (congestion::get_info, None);
    /// On a listener: keep the headers of the SYN for accepted sockets, from the IP header (1) or the link layer's (2) on. A SYN that was answered with a cookie is not kept.
    exact TCP_SAVE_SYN(27, 0..=2, flag, inherited): (v::save_syn, v::set_save_syn);
    /// The headers of the SYN, once. ``EINVAL`` if there is less room, and the length says how much is needed; of length 0 if there is none.
    data TCP_SAVED_SYN(28, "bytes, read only", own): (v::saved_syn, None);
    /// Say with each recvmsg(2) how much more there is to read, in a control message ``TCP_CM_INQ``.
    exact TCP_INQ(36, 0..=1, flag, inherited): (v::inq, v::set_inq);
    /// Each packet of the connection leaves so much later, if the device has the queueing discipline ``fq``: for tests of long paths.
    /// Answers without a socket, a SYN-ACK or one from TIME-WAIT, do not wait.
    exact TCP_TX_DELAY(37, 0..=268_435_455, us, inherited): (v::tx_delay, v::set_tx_delay);
    /// Longest retransmission time-out.
    exact TCP_RTO_MAX_MS(44, 1000..=120_000, ms, inherited): (v::rto_max, v::set_rto_max);
    /// Shortest retransmission time-out.
    exact TCP_RTO_MIN_US(45, 2000..=200_000, us, inherited): (v::rto_min, v::set_rto_min);
    /// Longest delay of an acknowledgment.
    exact TCP_DELACK_MAX_US(46, 2000..=200_000, us, inherited): (v::delack_max, v::set_delack_max);

    /// RFC 2385 is obsolete; IPsec signs any protocol.
    refused TCP_MD5SIG(14): ENOPROTOOPT;
    /// A workaround for streams that the recovery of today does not need.
    refused TCP_THIN_LINEAR_TIMEOUTS(16): ENOPROTOOPT;
    /// TCP accepts and ignores it.
    refused TCP_THIN_DUPACK(17): ENOPROTOOPT;
    /// Connections cannot be taken to another host.
    refused TCP_REPAIR(19): ENOPROTOOPT;
    /// See TCP_REPAIR.
    refused TCP_REPAIR_QUEUE(20): ENOPROTOOPT;
    /// See TCP_REPAIR.
    refused TCP_QUEUE_SEQ(21): ENOPROTOOPT;
    /// See TCP_REPAIR.
    refused TCP_REPAIR_OPTIONS(22): ENOPROTOOPT;
    /// There is no data in the SYN.
    refused TCP_FASTOPEN(23): ENOPROTOOPT;
    /// See TCP_REPAIR.
    refused TCP_TIMESTAMP(24): ENOPROTOOPT;
    /// See TCP_REPAIR.
    refused TCP_REPAIR_WINDOW(29): ENOPROTOOPT;
    /// There is no data in the SYN.
    refused TCP_FASTOPEN_CONNECT(30): ENOPROTOOPT;
    /// Upper layer protocols of the kernel are written for TCP.
    refused TCP_ULP(31): ENOPROTOOPT;
    /// See TCP_MD5SIG.
    refused TCP_MD5SIG_EXT(32): ENOPROTOOPT;
    /// There is no data in the SYN.
    refused TCP_FASTOPEN_KEY(33): ENOPROTOOPT;
    /// There is no data in the SYN.
    refused TCP_FASTOPEN_NO_COOKIE(34): ENOPROTOOPT;
    /// Pages are not mapped into programs.
    refused TCP_ZEROCOPY_RECEIVE(35): ENOPROTOOPT;
    /// RFC 5925 is not here; IPsec signs any protocol.
    refused TCP_AO_ADD_KEY(38): ENOPROTOOPT;
    /// See TCP_AO_ADD_KEY.
    refused TCP_AO_DEL_KEY(39): ENOPROTOOPT;
    /// See TCP_AO_ADD_KEY.
    refused TCP_AO_INFO(40): ENOPROTOOPT;
    /// See TCP_AO_ADD_KEY.
    refused TCP_AO_GET_KEYS(41): ENOPROTOOPT;
    /// See TCP_AO_ADD_KEY.
    refused TCP_AO_REPAIR(42): ENOPROTOOPT;
    /// A NEW_TCP connection has one path.
    refused TCP_IS_MPTCP(43): ENOPROTOOPT;
}

/// The option of a number.
#[inline]
pub(crate) fn find(number: i32) -> Option<&'static Kind> {
    TABLE
        .iter()
        .find(|row| row.number == number)
        .map(|row| &row.kind)
}
