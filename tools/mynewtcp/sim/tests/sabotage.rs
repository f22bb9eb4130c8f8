// SPDX-License-Identifier: GPL-2.0

//! What the simulator watches over is broken once, thing by thing, to see that it is noticed. The
//! engine's own invariants have such tests beside them.

use mynewtcp_sim::scenario::{
    Kind,
    Scenario, //
};
use mynewtcp_sim::store::Sabotage;
use mynewtcp_sim::world::World;

/// What is said about the first few transfers in which host `who` does something wrong.
fn complaints(sabotage: Sabotage, who: usize) -> Vec<String> {
    let transfers = (0..).map(Scenario::new);
    let transfers = transfers.filter(|scenario| {
        let lively = scenario.hosts.iter().all(|host| host.app.total > 5_000);
        scenario.kind == Kind::Transfer && lively && scenario.injectors.is_empty()
    });
    let complaint = |scenario: Scenario| {
        let mut world = World::new(&scenario, false);
        world.hosts[who].store.sabotage = Some(sabotage);
        world.run(&scenario).err()
    };
    transfers.take(6).filter_map(complaint).collect()
}

fn is_noticed(sabotage: Sabotage, what: &str) {
    // The one that listens: its first promise is in its SYN-ACK.
    let complaints = complaints(sabotage, 1);
    assert!(
        complaints.iter().any(|why| why.contains(what)),
        "{sabotage:?}: {complaints:?}"
    );
}

#[test]
fn wrong_octets() {
    is_noticed(Sabotage::WrongOctet, "wrong octets");
}

#[test]
fn memory_that_is_not_given_back() {
    is_noticed(Sabotage::SendLeak, "send memory");
    is_noticed(Sabotage::ReceiveLeak, "receive memory");
}

#[test]
fn notes_that_are_lost() {
    is_noticed(Sabotage::LostNotes, "sum of");
}

#[test]
fn promises_that_are_broken() {
    is_noticed(Sabotage::WithdrawnWindow, "right edge went back");
    is_noticed(Sabotage::OlderAcknowledgment, "acknowledgment went back");
    is_noticed(Sabotage::HiddenWindow, "the peer allows");
}

#[test]
fn deadlines_that_nobody_keeps() {
    is_noticed(Sabotage::DeafToDeadlines, "nothing happens any more");
}
