// SPDX-License-Identifier: GPL-2.0

//! The `ioctl()` requests that are the transport's to answer.

use super::bindings as b;

/// Bytes that can be read.
pub(crate) const SIOCINQ: u32 = b::NEWTCP_SIOCINQ;
/// Bytes sent and not acknowledged, or not sent.
pub(crate) const SIOCOUTQ: u32 = b::NEWTCP_SIOCOUTQ;
/// Whether the next byte to read is the urgent one.
pub(crate) const SIOCATMARK: u32 = b::NEWTCP_SIOCATMARK;
/// Bytes not sent.
pub(crate) const SIOCOUTQNSD: u32 = b::NEWTCP_SIOCOUTQNSD;
