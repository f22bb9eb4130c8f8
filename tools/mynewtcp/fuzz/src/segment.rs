// SPDX-License-Identifier: GPL-2.0

//! Segment input: whatever arrives, and nothing else but time.

use crate::driver::Driver;
use crate::engine::time::Delta;
use crate::engine::wire::Segment;
use crate::input::Input;

/// Feeds a connection with segments.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut driver = Driver::new(&mut input);
    driver.store.write(3000, driver.connection.size_goal());
    if driver.connection.send(3000, false).is_err() {
        return;
    }
    driver.settle();
    while !input.is_empty() {
        match input.u8() {
            kind @ 0..=0x1f => {
                let octets = input.take(20 + usize::from(kind));
                if let Ok(segment) = Segment::parse(octets, octets.len() as u32) {
                    driver.feed(&segment);
                }
            }
            0x20..=0x2f => driver.pass(Delta::from_millis(u64::from(input.u16()))),
            0x30..=0x37 => {
                driver.pass_to_deadline();
            }
            0x38..=0x3f => driver.read(),
            _ => {
                let segment = driver.near(&mut input);
                driver.feed(&segment);
            }
        }
    }
    driver.end_in_silence();
}
