// SPDX-License-Identifier: GPL-2.0

//! libFuzzer feeds [`mynewtcp_fuzz::segment`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mynewtcp_fuzz::segment::run(data));
