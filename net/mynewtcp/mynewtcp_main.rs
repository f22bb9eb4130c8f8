// SPDX-License-Identifier: GPL-2.0

//! NEW_TCP: a reliable stream transport with a protocol family of its own.
//!
//! The house has three floors, and arrows lead down only:
//!
//! - [`engine`]: the protocol. It knows only `core`: no kernel, no allocation, no clock.
//! - the root (everything else named here): the socket. It binds the engine to the kernel.
//! - [`linux`]: safe wrappers over the C network stack, and the only home of `unsafe`.
//!
//! The root calls both others; they never meet.
//!
//! | module | what is in it |
//! |---|---|
//! | [`endpoint`] | the per-socket object; carrying out what the engine wants |
//! | [`input`] [`output`] [`icmp`] | segments coming in, segments going out, ICMP |
//! | [`demux`] | which socket a segment is for, and who owns which port |
//! | [`socket`] | the system calls, one file per call |
//! | [`memory`] [`orphans`] | buffer sizes, and sockets that nobody has open |
//! | [`sysctl`] [`tuning`] | `net.mynewtcp.*`, and what sockets are tuned with |
//! | [`mib`] [`usage`] [`diag`] | counters; who uses how much; what is told of each socket |
//! | [`error`] | the engine's errors as errnos |

use kernel::prelude::*;

mod demux;
mod diag;
mod endpoint;
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the same sources are a crate of their own, with users of its own"
)]
pub mod engine;
mod error;
mod icmp;
mod input;
#[cfg(CONFIG_MY_NEWTCP_KUNIT_TEST)]
mod kunit;
mod linux;
mod memory;
mod mib;
mod orphans;
mod output;
mod socket;
mod sysctl;
mod tuning;
mod usage;

use endpoint::Endpoint;
use linux::{
    init::Registration,
    proto::IP_PROTOCOL,
    statics::Statics, //
};

module! {
    type: NewTcp,
    name: "mynewtcp",
    authors: ["The NEW_TCP authors"],
    description: "NEW_TCP, a reliable stream transport (AF_INET_NEW_TCP)",
    license: "GPL",
}

/// The version that the log names.
const VERSION: &str = "0.1";

/// What the C stack links into its lists.
pub(crate) static STATICS: Statics<Endpoint> = Statics::new();

linux::early::early_demux!(Endpoint);

/// The protocol, up for as long as the kernel runs.
struct NewTcp {
    _registration: Registration<Endpoint>,
}

impl kernel::Module for NewTcp {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let registration = Registration::new()?;
        let [low, pressure, high] = linux::memory::limits();
        pr_info!(
            "NEW_TCP {} up: IP protocol {}, memory low {} pressure {} high {} pages\n",
            VERSION,
            IP_PROTOCOL,
            low,
            pressure,
            high,
        );
        Ok(Self {
            _registration: registration,
        })
    }
}
