// SPDX-License-Identifier: GPL-2.0

//! What fuzzers feed to NEW_TCP's engine.
//!
//! A target is a function that takes any octets and panics if the engine does what it must not.
//! libFuzzer finds inputs for it (`fuzz_targets`), and the tests run it on the inputs worth
//! keeping (`corpus`) and on mutations of them, without libFuzzer.
//!
//! - [`parser`], [`segment`], [`connection`]: the targets;
//! - [`driver`]: a connection under fire, for the latter two;
//! - [`input`]: octets as numbers;
//! - [`corpus`], [`mutate`]: the inputs.

#![forbid(unsafe_code)]

pub use mynewtcp_engine::engine;

pub mod connection;
pub mod corpus;
pub mod driver;
pub mod input;
pub mod mutate;
pub mod parser;
pub mod segment;

/// The queues, the explorer's: they check whatever the engine does to them.
#[path = "../../explore/src/store.rs"]
pub mod store;

/// A function that takes any octets.
pub type Target = fn(&[u8]);

/// The targets by name.
pub const TARGETS: [(&str, Target); 3] = [
    ("parser", parser::run),
    ("segment", segment::run),
    ("connection", connection::run),
];
