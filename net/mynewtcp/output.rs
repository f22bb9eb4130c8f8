// SPDX-License-Identifier: GPL-2.0

//! From the engine's [`Transmit`] to a packet: which buffer carries it and which way it goes.

use kernel::prelude::*;

use crate::endpoint::cb::Cb;
use crate::endpoint::{
    Ctx,
    Locked, //
};
use crate::engine::seq::SeqRange;
use crate::engine::wire::{
    Ports,
    Transmit,
    MAX_HEADER_LEN, //
};
use crate::linux::addr::Flow;
use crate::linux::ip_output::Notification;
use crate::linux::skb::SkBuff;

/// A header written out.
pub(crate) struct Header {
    bytes: [u8; MAX_HEADER_LEN],
    len: usize,
}

impl Header {
    /// The header of `transmit` between `ports`.
    pub(crate) fn of(transmit: &Transmit, ports: Ports) -> Result<Self> {
        let mut bytes = [0; MAX_HEADER_LEN];
        let len = transmit.emit(ports, &mut bytes).ok_or(EINVAL)?;
        Ok(Self { bytes, len })
    }

    /// Its octets.
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// The ports of what we send on `flow`.
pub(crate) fn ports_of(flow: &Flow) -> Ports {
    Ports {
        src: flow.lport,
        dst: flow.rport,
    }
}

/// Sends one transmission of the connection of `sk`.
pub(crate) fn transmit(sk: &mut Locked<'_>, transmit: &Transmit) -> Result {
    let ports = ports_of(&sk.flow());
    let mut skb = if transmit.range.is_empty() {
        sk.alloc_control().ok_or(ENOMEM)?
    } else {
        payload(sk, transmit.range).ok_or(ENOMEM)?
    };
    let delay = sk.endpoint().switches.tx_delay;
    if delay != 0 {
        skb.send_later(delay);
    }
    let short = sk.endpoint().tuned.values().loopback_fast_path;
    let notification = Notification {
        capable: transmit.ecn.is_capable(),
        cwr: transmit.cwr,
    };
    sk.transmit(
        skb,
        transmit.header_len(),
        |room| transmit.emit(ports, room).is_some(),
        transmit.gso_size,
        notification,
        short,
    )
}

/// A buffer with the octets of `range`, which stay in the sent store as well.
fn payload(ctx: &mut Ctx<'_>, range: SeqRange) -> Option<SkBuff> {
    let queues = ctx.queues();
    let skb = queues.sent().floor(range.start().raw())?;
    let cb = skb.cb::<Cb>();
    if !cb.range().covers(range) {
        return None;
    }
    let skipped = range.start().distance_from(cb.range().start());
    skb.clone_range(cb.offset.saturating_add(skipped), range.len())
}
