// SPDX-License-Identifier: GPL-2.0

//! The protocol engine of NEW_TCP as a library for programs. The sources are the kernel's:
//! `net/mynewtcp/engine.rs` and what is below it.

#![no_std]

#[cfg(test)]
#[macro_use]
extern crate std;

/// Gives the engine the place in the tree that it has in the kernel's crate.
#[path = "../../../../net/mynewtcp"]
mod floor {
    pub mod engine;
}

pub use floor::engine;
