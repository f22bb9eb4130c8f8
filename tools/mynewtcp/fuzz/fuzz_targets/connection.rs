// SPDX-License-Identifier: GPL-2.0

//! libFuzzer feeds [`mynewtcp_fuzz::connection`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mynewtcp_fuzz::connection::run(data));
