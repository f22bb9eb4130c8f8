// SPDX-License-Identifier: GPL-2.0

//! Safe wrappers over the C network stack, and the only home of `unsafe`.
//!
//! | files | what they wrap |
//! |---|---|
//! | `proto` `proto_ops` `family` `init` `statics` | registration: what the C stack calls, and [`proto::Protocol`], what it leads to |
//! | `sock` | `struct sock`: the object, its lock as types, fields, waiting, children |
//! | `skb` | packet buffers, a socket's queues and their memory charges |
//! | `rx` `icmp` `route` `ip_output` `offload` `lsm` | the IP layer and what it asks us to do |
//! | `demux` `mini` `ports` | the tables that lead from a packet to a connection |
//! | `msg` `sockopt` `sockaddr` `poll` `ioctl` | what system calls bring |
//! | `net` `netns` `sysctl` `seq_file` `memory` | namespaces, tunables, counters, the protocol's memory |
//! | `addr` `state` `time` `random` `lock` `resident` `bindings` `compat` | the small things |
//!
//! Nothing here knows the protocol: everything is generic over [`proto::Protocol`].

pub(crate) mod addr;
mod bindings;
pub(crate) mod compat;
pub(crate) mod demux;
#[cfg(CONFIG_MY_NEWTCP_DIAG)]
mod diag;
pub(crate) mod early;
pub(crate) mod facts;
mod family;
pub(crate) mod icmp;
pub(crate) mod init;
pub(crate) mod ioctl;
pub(crate) mod ip_output;
#[cfg(CONFIG_MY_NEWTCP_KUNIT_TEST)]
mod kunit;
pub(crate) mod lock;
mod loopback;
mod lsm;
pub(crate) mod memory;
pub(crate) mod mini;
pub(crate) mod msg;
pub(crate) mod net;
mod netns;
mod offload;
pub(crate) mod poll;
pub(crate) mod ports;
pub(crate) mod proc_net;
pub(crate) mod proto;
mod proto_ops;
pub(crate) mod random;
pub(crate) mod resident;
pub(crate) mod route;
pub(crate) mod rx;
mod seq_file;
pub(crate) mod skb;
pub(crate) mod sock;
mod sockaddr;
pub(crate) mod sockopt;
pub(crate) mod state;
pub(crate) mod statics;
pub(crate) mod sysctl;
pub(crate) mod time;
