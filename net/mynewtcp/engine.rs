// SPDX-License-Identifier: GPL-2.0

//! The protocol engine: what NEW_TCP is, without a kernel around it.
//!
//! This floor knows only `core`. It has no clock, no randomness, no allocation and no payload
//! bytes: time and random numbers come in as parameters, storage is handed in through the traits
//! of [`buffer`], and payload is an opaque handle. The same files are the library of the Cargo
//! package `mynewtcp-engine`, so the simulator runs the very code that the kernel runs.
//!
//! What is where:
//!
//! - [`time`], [`seq`]: instants, sequence numbers and the witness types built on them;
//! - [`config`], [`error`], [`counters`], [`event`], [`timers`]: the vocabulary of the border;
//! - [`buffer`]: the traits behind which the shell keeps payload, and [`buffer::Context`];
//! - [`wire`]: bytes to [`wire::Segment`] and [`wire::Transmit`] to bytes;
//! - [`connection`]: [`connection::Connection`], the one object that has all the verbs;
//! - [`dormant`]: a connection in few octets while nothing happens to it;
//! - [`listener`]: connections that are being accepted, and [`cookie`]: what a listener need not
//!   remember of them;
//! - [`recv`], [`send`], [`congestion`], [`state`]: the parts a connection is made of;
//! - [`fault`]: mistakes to test the provers with, in no kernel;
//! - `selftest`: protocol vectors that run under `cargo test` and as KUnit in the kernel.

#![forbid(unsafe_code)]

pub mod buffer;
pub mod config;
pub mod congestion;
pub mod connection;
pub mod cookie;
pub mod counters;
pub mod dormant;
pub mod error;
pub mod event;
pub mod fault;
pub mod listener;
pub mod recv;
pub mod send;
pub mod seq;
pub mod state;
pub mod time;
pub mod timers;
pub mod wire;

#[cfg(any(test, CONFIG_MY_NEWTCP_KUNIT_TEST))]
pub mod selftest;
