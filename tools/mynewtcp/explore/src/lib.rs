// SPDX-License-Identifier: GPL-2.0

//! Tries everything that can happen between two NEW_TCP engines in a small world.
//!
//! The engines are the real ones. What is small is the world: a few segments of data, and a
//! network that may lose, duplicate or reorder a few times. In it every order of events is tried,
//! breadth first, so that the first failure found has the shortest trace.
//!
//! - [`scenario`]: the worlds to explore;
//! - [`world`]: two hosts, the segments between them, and what may happen next;
//! - [`host`], [`user`], [`store`]: one engine with its user and its queues;
//! - [`illegal`]: what may never change anything;
//! - [`edges`]: the state diagram of RFC 9293;
//! - [`fingerprint`]: when two worlds are the same;
//! - [`search`]: the exploration, [`report`]: what it tells.

#![forbid(unsafe_code)]

/// The engine under `cfg(mynewtcp_prove)`: the kernel's sources, in the kernel's place.
#[path = "../../../../net/mynewtcp"]
mod floor {
    pub mod engine;
}

pub use floor::engine;

pub mod edges;
pub mod fingerprint;
pub mod host;
pub mod illegal;
pub mod prediction;
pub mod report;
pub mod scenario;
pub mod search;
pub mod store;
pub mod user;
pub mod world;
