// SPDX-License-Identifier: GPL-2.0

//! From a packet to the connection, listener or small object that it is for.
//!
//! - [`listen`]: segments for a listener: SYNs and the acknowledgments that complete a handshake;
//! - [`time_wait`]: segments for a connection in TIME-WAIT.

use kernel::prelude::*;

use crate::demux;
use crate::endpoint::drive::{
    drive_at,
    finish,
    show_rate, //
};
use crate::endpoint::shell::RxPayload;
use crate::endpoint::{
    now,
    with_connection_at,
    Endpoint,
    Locked,
    Role,
    SockRef, //
};
use crate::engine::connection::StateName;
use crate::engine::listener;
use crate::engine::time::Instant;
use crate::engine::wire::{
    Ecn,
    Malformed,
    Segment,
    HEADER_LEN, //
};
use crate::linux::demux::Entry;
use crate::linux::rx::{
    self,
    Rx, //
};
use crate::linux::skb::{
    reason,
    DropReason,
    SkBuff, //
};
use crate::linux::state;
use crate::mib::{
    Event,
    Namespace, //
};
use crate::output::{
    ports_of,
    Header, //
};

pub(crate) mod listen;
pub(crate) mod time_wait;

/// Why a packet is not a segment.
enum Bad {
    Header,
    Checksum,
}

/// Brings the whole header into the linear part and takes it apart.
fn parse(skb: &mut SkBuff, segment: &mut Segment) -> Result<(), Bad> {
    if !skb.may_pull(HEADER_LEN as u32) {
        return Err(Bad::Header);
    }
    let announced = Segment::announced_header_len(skb.data()).ok_or(Bad::Header)?;
    if !skb.may_pull(announced as u32) {
        return Err(Bad::Header);
    }
    if !skb.checksum_ok() {
        return Err(Bad::Checksum);
    }
    reparse(skb, segment).map_err(|_| Bad::Header)
}

/// Takes apart a header that [`parse`] has seen.
#[inline]
fn reparse(skb: &SkBuff, segment: &mut Segment) -> Result<(), Malformed> {
    segment.read(skb.data(), skb.len())?;
    segment.ecn = Ecn::from_tos(skb.tos());
    Ok(())
}

/// A packet of our protocol has arrived.
pub(crate) fn receive(mut skb: SkBuff, rx: &Rx<'_>) {
    let Some(per_net) = rx.net().get::<Endpoint>() else {
        return;
    };
    let namespace = &*per_net.namespace;
    namespace.note(Event::InSegs);
    let mut segment = Segment::NONE;
    match parse(&mut skb, &mut segment) {
        Ok(()) => dispatch(skb, rx, namespace, &segment),
        Err(Bad::Header) => {
            count_damaged(namespace, reason::PKT_TOO_SMALL);
            skb.drop_with(reason::PKT_TOO_SMALL);
        }
        Err(Bad::Checksum) => {
            count_damaged(namespace, reason::CHECKSUM);
            skb.drop_with(reason::CHECKSUM);
        }
    }
}

/// Counts a packet that makes no sense. Those with a wrong checksum count twice, as with Linux'
/// TCP; those that were never meant for this host do not count.
fn count_damaged(namespace: &Namespace, why: DropReason) {
    if why == reason::NOT_SPECIFIED {
        return;
    }
    namespace.note(Event::InErrs);
    if why == reason::CHECKSUM {
        namespace.note(Event::InCsumErrors);
    }
}

/// The same for one that did not come so far that it was counted as received.
pub(crate) fn count_unseen(namespace: &Namespace, why: DropReason) {
    if why != reason::NOT_SPECIFIED {
        namespace.note(Event::InSegs);
    }
    count_damaged(namespace, why);
}

fn dispatch(skb: SkBuff, rx: &Rx<'_>, namespace: &Namespace, segment: &Segment) {
    match demux::receiver_of(rx) {
        Some(Entry::Sock(sk)) => {
            hand_over(&sk, skb, rx, namespace, segment, |sk, skb| {
                take(sk, skb, segment)
            });
        }
        Some(Entry::Request(request)) => match listen::listener_of(&request) {
            Some(listener) => {
                hand_over(&listener, skb, rx, namespace, segment, |sk, skb| {
                    match sk.endpoint().role() {
                        Role::Listening => listen::receive_for(sk, &request, skb, segment),
                        Role::Connected | Role::Closed => take(sk, skb, segment),
                    }
                });
            }
            None => {
                demux::forget_request(&request);
                to_listener(skb, rx, namespace, segment);
            }
        },
        Some(Entry::TimeWait(waiting)) => {
            time_wait::receive(&waiting, skb, rx, namespace, segment);
        }
        None => to_listener(skb, rx, namespace, segment),
    }
}

/// There is no connection: somebody may be listening.
#[inline]
fn to_listener(mut skb: SkBuff, rx: &Rx<'_>, namespace: &Namespace, segment: &Segment) {
    match demux::lookup_listener(rx.flow(), &mut skb, segment.header_len) {
        Some(listener) => {
            hand_over(&listener, skb, rx, namespace, segment, |sk, skb| {
                match sk.endpoint().role() {
                    Role::Listening => {
                        listen::receive_new(sk, skb, segment, rx.flow_hash());
                    }
                    Role::Connected | Role::Closed => take(sk, skb, segment),
                }
            });
        }
        None => {
            namespace.note(Event::NoPorts);
            if rx.may_reply(&skb) {
                reset(&skb, rx, namespace, segment);
            }
            skb.drop_with(reason::NO_SOCKET);
        }
    }
}

/// Answers a segment that nobody has a use for.
pub(crate) fn reset(skb: &SkBuff, rx: &Rx<'_>, namespace: &Namespace, segment: &Segment) {
    let Some(transmit) = listener::reset_reply(segment) else {
        return;
    };
    if let Ok(header) = Header::of(&transmit, ports_of(rx.flow())) {
        namespace.note(Event::OutRsts);
        rx.reply(skb, header.as_slice());
    }
}

/// Gives a segment to the socket that it is for, to `take` now or to [`take`] when its owner
/// lets go of it.
#[inline(always)]
fn hand_over(
    sk: &SockRef,
    mut skb: SkBuff,
    rx: &Rx<'_>,
    namespace: &Namespace,
    segment: &Segment,
    take: impl FnOnce(&mut Locked<'_>, SkBuff),
) {
    if let Err(why) = rx::accept(sk, &mut skb, u32::from(segment.header_len)) {
        namespace.note(if why == reason::MIN_HOPS {
            Event::MinTtlDrop
        } else {
            Event::Filtered
        });
        skb.drop_with(why);
        return;
    }
    // A filter may have cut the packet.
    let is_whole = skb.len() == u32::from(segment.header_len).saturating_add(segment.payload_len);
    let delivered = rx::deliver(rx, sk, skb, |sk, skb| {
        if is_whole {
            take(sk, skb);
        } else {
            receive_locked(sk, skb);
        }
    });
    if delivered.is_err() {
        namespace.note(Event::BacklogDrop);
    }
}

/// A segment has reached its socket, whose lock is held, after a time in the backlog.
#[inline]
pub(crate) fn receive_locked(sk: &mut Locked<'_>, skb: SkBuff) {
    let mut segment = Segment::NONE;
    match reparse(&skb, &mut segment) {
        Ok(()) => take(sk, skb, &segment),
        // A filter has cut the packet.
        Err(_) => skb.drop_with(reason::SOCKET_FILTER),
    }
}

/// The same for a segment that has been taken apart.
fn take(sk: &mut Locked<'_>, skb: SkBuff, segment: &Segment) {
    match sk.endpoint().role() {
        Role::Connected => to_connection(sk, skb, segment, now()),
        Role::Listening => listen::receive(sk, skb, segment),
        Role::Closed => skb.drop_with(reason::CLOSED),
    }
}

/// Gives a segment to a connection that is waiting for the answer to its SYN.
fn to_opening(sk: &mut Locked<'_>, skb: SkBuff, segment: &Segment) {
    let now = now();
    let state = with_connection_at(sk, now, |connection, cx| {
        connection.on_segment(cx, segment, None);
        connection.state()
    });
    if state == Some(StateName::Established) {
        sk.established(&skb);
    }
    skb.reuse();
    drive_at(sk, now);
}

/// Gives a segment to the connection of `sk`.
#[inline]
pub(crate) fn to_connection(sk: &mut Locked<'_>, mut skb: SkBuff, segment: &Segment, now: Instant) {
    if sk.state() == state::SYN_SENT {
        to_opening(sk, skb, segment);
        return;
    }
    let payload = if segment.payload_len == 0 {
        skb.reuse();
        None
    } else {
        skb.pull(u32::from(segment.header_len));
        let range = segment.payload_range();
        Some(RxPayload::new(skb, range.start(), range.len()))
    };
    let mut rests = false;
    let progress = with_connection_at(sk, now, |connection, cx| {
        let before = connection.snd_una();
        connection.on_segment(cx, segment, payload);
        rests = connection.rests(cx);
        connection.snd_una() != before
    });
    if progress == Some(true) {
        sk.confirm_neighbour();
    }
    if rests {
        show_rate(sk);
        finish(sk);
    } else {
        drive_at(sk, now);
    }
}
