// SPDX-License-Identifier: GPL-2.0

//! The engine's short way for segments that were expected leads where the long one does.

use crate::engine::buffer::Context;
use crate::engine::config::Config;
use crate::engine::connection::Connection;
use crate::engine::time::Instant;
use crate::engine::wire::Segment;
use crate::host::TRANSMIT_LIMIT;
use crate::scenario::Scenario;
use crate::store::{
    Piece,
    Store, //
};

/// Without prediction a segment that finds `before` leads to the same place, right after it and
/// when all has been transmitted; and the same is transmitted.
pub fn compare_ways(
    now: Instant,
    scenario: &Scenario,
    segment: &Segment,
    before: (Connection, Store),
) -> Result<(), String> {
    let ends = [true, false].map(|prediction| {
        let (mut connection, mut store) = before.clone();
        let config = Config {
            prediction,
            ..scenario.config.clone()
        };
        let mut cx = Context {
            now,
            config: &config,
            shell: &mut store,
        };
        let range = segment.payload_range();
        let payload = (!range.is_empty()).then_some(Piece(range));
        connection.on_segment(&mut cx, segment, payload);
        let arrived = format!("{connection:?} {:?}", cx.shell);
        let mut sent = Vec::new();
        if !connection.rests(&mut cx) {
            while let Some(transmit) = connection.poll_transmit(&mut cx) {
                sent.push(transmit);
                if sent.len() > TRANSMIT_LIMIT {
                    break;
                }
            }
        }
        (arrived, sent, format!("{connection:?} {store:?}"))
    });
    let [with, without] = &ends;
    if with == without {
        return Ok(());
    }
    Err(format!(
        "prediction leads to {with:#?}, not to {without:#?}"
    ))
}
