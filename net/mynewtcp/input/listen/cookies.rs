// SPDX-License-Identifier: GPL-2.0

//! SYN cookies: who needs them, their secret, and the way back. What is in them is decided by
//! [`engine::cookie`](crate::engine::cookie).

use crate::endpoint::{
    now,
    Locked,
    RequestRef, //
};
use crate::engine::cookie::{
    CookieHash,
    Which,
    LIFE_MS, //
};
use crate::engine::counters::Counter;
use crate::engine::listener::HalfOpen;
use crate::engine::time::Delta;
use crate::engine::wire::{
    Control,
    Segment, //
};
use crate::linux::addr::Flow;
use crate::linux::compat::prelude::*;
use crate::linux::random;
use crate::linux::skb::SkBuff;
use crate::mib::Event;
use crate::output::{
    ports_of,
    Header, //
};

use super::note;
use super::syn::{
    key_of,
    origin_of,
    remember,
    Origin, //
};

/// `syncookies`: never.
pub(super) const NEVER: u8 = 0;
/// `syncookies`: not only in need.
pub(super) const ALWAYS: u8 = 2;

/// The keyed hash for connections of `flow`.
fn hash_of(flow: &Flow) -> impl CookieHash + '_ {
    move |count: u32, which: Which| random::cookie_secret(flow, which == Which::Inner, count)
}

/// Answers a SYN with a cookie; nothing is remembered of it.
pub(super) fn send(sk: &mut Locked<'_>, skb: &SkBuff, segment: &Segment) -> Result {
    let flow = key_of(sk, *skb.rx().flow());
    let Origin {
        parameters, tuned, ..
    } = origin_of(sk, &flow, skb)?;
    let now = now();
    let config = tuned.config();
    let mut half =
        HalfOpen::with_cookie(now, config, &parameters, segment, &hash_of(&flow)).ok_or(EINVAL)?;
    let transmit = half.transmit(now, config);
    let header = Header::of(&transmit, ports_of(&flow))?;
    sk.shared().cookie_sent(now);
    note(sk, Event::SyncookiesSent);
    sk.endpoint().namespace.count(Counter::OutSegs, 1);
    // One that does not get out is as good as lost on the way: the SYN will come again.
    let _ = sk.transmit_for(&flow, header.as_slice());
    Ok(())
}

/// An acknowledgment that nobody knows has reached the listener: the half-open connection that it
/// completes, if it brings a cookie.
pub(super) fn take(sk: &mut Locked<'_>, skb: &SkBuff, segment: &Segment) -> Option<RequestRef> {
    let now = now();
    let sent_at = sk.shared().cookie_at()?;
    let is_answer = match segment.control {
        Control::None | Control::Fin => segment.ack.is_some(),
        Control::Syn | Control::Rst => false,
    };
    let too_late = now.since(sent_at) >= Delta::from_millis(LIFE_MS);
    let syncookies = sk.endpoint().get_mut().values().config.syncookies;
    if !is_answer || too_late || syncookies == NEVER {
        return None;
    }
    let flow = key_of(sk, *skb.rx().flow());
    let Origin {
        parameters, tuned, ..
    } = origin_of(sk, &flow, skb).ok()?;
    let hash = hash_of(&flow);
    let half = HalfOpen::from_cookie(now, tuned.config(), &parameters, segment, &hash);
    let Some(half) = half else {
        note(sk, Event::SyncookiesFailed);
        return None;
    };
    note(sk, Event::SyncookiesRecv);
    remember(sk, &flow, skb, None, half, parameters, tuned).ok()
}
