// SPDX-License-Identifier: GPL-2.0

//! Whether a run ended as it should have.

use mynewtcp_engine::engine::connection::StateName;
use mynewtcp_engine::engine::error::ConnectionError;

use crate::app::App;
use crate::host::Host;
use crate::scenario::{
    Kind,
    Scenario, //
};

/// What the hosts are at, for a run that does not end.
pub fn stuck(hosts: &[Host]) -> String {
    let state = |host: &Host| {
        let App { written, read, .. } = host.app;
        format!("{:?} (wrote {written}, read {read})", host.state())
    };
    let states: Vec<String> = hosts.iter().map(state).collect();
    format!("stuck: {}", states.join(" and "))
}

/// Nothing more will happen: is everything as it should be?
pub fn judge(hosts: &[Host], scenario: &Scenario) -> Result<(), String> {
    for (who, host) in hosts.iter().enumerate() {
        let blame = |why: &str| format!("host {who} at the end in {:?}: {why}", host.state());
        if !host.is_idle() {
            return Err(blame(&format!(
                "nothing happens any more; {}",
                stuck(hosts)
            )));
        }
        host.store.check_memory().map_err(|why| blame(&why))?;
        if scenario.is_orderly() {
            let expected = scenario.hosts[who ^ 1].app.total;
            judge_orderly(host, expected).map_err(|why| blame(&why))?;
        }
    }
    let first = hosts[0].error;
    match scenario.kind {
        Kind::Refused if first != Some(ConnectionError::Refused) => {
            Err(format!("not refused: {first:?}"))
        }
        Kind::Silence if first != Some(ConnectionError::TimedOut) => {
            Err(format!("not timed out: {first:?}"))
        }
        Kind::Refused
        | Kind::Silence
        | Kind::Transfer
        | Kind::SimultaneousOpen
        | Kind::Abort
        | Kind::Cut
        | Kind::Hostile => Ok(()),
    }
}

fn judge_orderly(host: &Host, expected: u64) -> Result<(), String> {
    if let Some(error) = host.error {
        return Err(format!("failed: {error:?}"));
    }
    if host.app.read != expected {
        return Err(format!("read {} of {expected} octets", host.app.read));
    }
    if host.store.queued() != 0 {
        return Err("octets remain in the send queue".into());
    }
    if host.store.out_of_order_len() != 0 {
        return Err("octets remain out of order".into());
    }
    if host.state() != StateName::Closed {
        return Err("not closed".into());
    }
    Ok(())
}
