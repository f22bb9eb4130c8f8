// SPDX-License-Identifier: GPL-2.0

//! The state diagram of RFC 9293, 3.3.2, figure 5 with its notes.

use std::collections::BTreeMap;
use std::fmt::Write;

/// The states of the diagram, LISTEN and TIME-WAIT included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// CLOSED.
    Closed,
    /// LISTEN.
    Listen,
    /// SYN-SENT.
    SynSent,
    /// SYN-RECEIVED.
    SynReceived,
    /// ESTABLISHED.
    Established,
    /// FIN-WAIT-1.
    FinWait1,
    /// FIN-WAIT-2.
    FinWait2,
    /// CLOSE-WAIT.
    CloseWait,
    /// CLOSING.
    Closing,
    /// LAST-ACK.
    LastAck,
    /// TIME-WAIT.
    TimeWait,
}

use Node::{
    CloseWait,
    Closed,
    Closing,
    Established,
    FinWait1,
    FinWait2,
    LastAck,
    Listen,
    SynReceived,
    SynSent,
    TimeWait, //
};

/// Each edge with what it is for.
const DIAGRAM: &[(Node, Node, &str)] = &[
    (Closed, Listen, "passive OPEN"),
    (Closed, SynSent, "active OPEN"),
    (Listen, SynReceived, "rcv SYN"),
    (Listen, Closed, "CLOSE"),
    (SynSent, Closed, "CLOSE"),
    (SynSent, SynReceived, "rcv SYN"),
    (SynSent, Established, "rcv SYN,ACK"),
    (SynReceived, Listen, "rcv RST, note 1"),
    (SynReceived, Established, "rcv ACK of SYN"),
    (SynReceived, FinWait1, "CLOSE"),
    (Established, FinWait1, "CLOSE"),
    (Established, CloseWait, "rcv FIN"),
    (FinWait1, FinWait2, "rcv ACK of FIN"),
    (FinWait1, Closing, "rcv FIN"),
    (FinWait1, TimeWait, "rcv FIN and ACK of FIN, note 2"),
    (FinWait2, TimeWait, "rcv FIN"),
    (CloseWait, LastAck, "CLOSE"),
    (Closing, TimeWait, "rcv ACK of FIN"),
    (LastAck, Closed, "rcv ACK of FIN"),
    (TimeWait, Closed, "after 2 MSL"),
    (FinWait2, Closed, "no FIN, nobody waits: not of the RFC"),
];

/// Edges of the diagram that no user of ours can ask for.
const NOT_OFFERED: &[(Node, Node, &str)] =
    &[(Listen, SynSent, "SEND: a listening socket does not connect")];

/// States that a segment or two may lead through within one step, by the way that they take.
const THROUGH: &[(Node, Node, &[Node])] = &[
    (SynReceived, CloseWait, &[Established]),
    (SynReceived, Closing, &[FinWait1]),
];

/// Edges that every state has: a reset, an abort, a time-out. RFC 9293, 3.3.2: "the diagram does
/// not show [...] all of the actions".
const fn is_end(to: Node) -> bool {
    matches!(to, Closed)
}

/// How often each edge was taken.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    taken: BTreeMap<(Node, Node), u64>,
    ended: BTreeMap<Node, u64>,
}

impl Coverage {
    /// A host went from `from` to `to` in one step; `failed` if its connection failed with it.
    pub fn take(&mut self, from: Node, to: Node, failed: bool) -> Result<(), String> {
        if from == to {
            return Ok(());
        }
        if failed && is_end(to) {
            *self.ended.entry(from).or_default() += 1;
            return Ok(());
        }
        if let Some((_, _, way)) = THROUGH.iter().find(|(a, b, _)| (*a, *b) == (from, to)) {
            let mut at = from;
            for &next in way.iter().chain([&to]) {
                *self.taken.entry((at, next)).or_default() += 1;
                at = next;
            }
            return Ok(());
        }
        if !DIAGRAM.iter().any(|(a, b, _)| (*a, *b) == (from, to)) {
            return Err(format!("there is no edge from {from:?} to {to:?}"));
        }
        *self.taken.entry((from, to)).or_default() += 1;
        Ok(())
    }

    /// Adds what another exploration has taken.
    pub fn add(&mut self, other: &Self) {
        for (edge, n) in &other.taken {
            *self.taken.entry(*edge).or_default() += n;
        }
        for (node, n) in &other.ended {
            *self.ended.entry(*node).or_default() += n;
        }
    }

    /// The edges of the diagram that were never taken.
    pub fn missing(&self) -> Vec<(Node, Node)> {
        DIAGRAM
            .iter()
            .map(|(from, to, _)| (*from, *to))
            .filter(|edge| !self.taken.contains_key(edge))
            .collect()
    }

    /// The table.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let name = |node: Node| format!("{node:?}");
        for (from, to, why) in DIAGRAM {
            let n = self.taken.get(&(*from, *to)).copied().unwrap_or(0);
            let (from, to) = (name(*from), name(*to));
            let _ = writeln!(text, "  {from:<12} {to:<12} {n:>10}  {why}");
        }
        for (from, to, why) in NOT_OFFERED {
            let (from, to) = (name(*from), name(*to));
            let _ = writeln!(text, "  {from:<12} {to:<12} {:>10}  {why}", "-");
        }
        for (from, n) in &self.ended {
            let from = name(*from);
            let _ = writeln!(
                text,
                "  {from:<12} {:<12} {n:>10}  reset, abort or time-out",
                "Closed"
            );
        }
        text
    }
}
