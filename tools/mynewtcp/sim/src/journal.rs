// SPDX-License-Identifier: GPL-2.0

//! Writes down what one end of a connection is given and what it answers, in the language of the
//! engine's [`player`](mynewtcp_engine::engine::selftest::player).

use std::fmt::Write;

use mynewtcp_engine::engine::connection::StateName;
use mynewtcp_engine::engine::selftest::player::{
    state_name,
    PORTS, //
};
use mynewtcp_engine::engine::selftest::script::FIELDS;
use mynewtcp_engine::engine::time::Instant;
use mynewtcp_engine::engine::wire::{
    Ecn,
    Transmit,
    MAX_HEADER_LEN, //
};

use crate::scenario::HostPlan;

/// The steps so far.
#[derive(Debug, Default)]
pub struct Journal {
    text: String,
    /// The time of the last step.
    now: Option<u64>,
    /// There was no memory at the last step.
    starved: bool,
    /// Steps that were given, without the answers.
    pub steps: usize,
    /// Segments that arrived.
    pub segments: usize,
    /// Where the last step begins, the allocations since, and which of them failed.
    step_at: usize,
    allocations: u32,
    refused: u64,
    /// Something happened since all was quiet.
    busy: bool,
}

impl Journal {
    /// One that begins with what the end is born with.
    pub fn new(plan: &HostPlan) -> Self {
        let mut text = String::from("config");
        for field in FIELDS {
            let _ = write!(text, " {}={}", field.name, (field.get)(&plan.config));
        }
        let p = &plan.parameters;
        let _ = write!(
            text,
            "\nhost iss={} ts={} path={} advertised={} default={}\n\
             host gso={} max={} window={} capacity={} listens={} nodelay={} keepalive={}\n\
             host pressure={}\n",
            p.iss.raw(),
            p.ts_offset,
            p.path_mss.octets(),
            p.advertised_mss.octets(),
            p.default_mss.octets(),
            p.gso_max_size,
            p.receive_window_max,
            p.receive_window,
            plan.capacity,
            u8::from(plan.listens),
            u8::from(plan.app.nodelay),
            u8::from(plan.keepalive),
            u8::from(plan.failures.pressure),
        );
        Self {
            text,
            ..Self::default()
        }
    }

    /// The script.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Memory was asked for.
    pub fn allocation(&mut self, refused: bool) {
        let bit = u64::from(refused).checked_shl(self.allocations);
        self.refused |= bit.unwrap_or(0);
        self.allocations += 1;
    }

    /// What was refused since the last step is known now, and belongs in front of it.
    fn write_refusals(&mut self) {
        if self.refused != 0 {
            let line = format!("refuse {}\n", self.refused);
            self.text.insert_str(self.step_at, &line);
        }
        self.refused = 0;
        self.allocations = 0;
    }

    /// Something is given.
    pub fn step(&mut self, now: u64, starved: bool, what: &str) {
        if self.now != Some(now) {
            self.now = Some(now);
            let _ = writeln!(self.text, "t {now}");
        }
        if self.starved != starved {
            self.starved = starved;
            let _ = writeln!(self.text, "memory {}", u8::from(!starved));
        }
        self.write_refusals();
        self.step_at = self.text.len();
        self.busy = true;
        self.steps += 1;
        self.segments += usize::from(what.starts_with('<'));
        let _ = writeln!(self.text, "{what}");
    }

    /// Something is answered.
    pub fn answer(&mut self, what: &str) {
        let _ = writeln!(self.text, "{what}");
    }

    /// A transmission is the answer.
    pub fn transmit(&mut self, transmit: &Transmit) {
        let mut header = [0; MAX_HEADER_LEN];
        let len = transmit.emit(PORTS, &mut header).unwrap_or(0);
        let payload = transmit.range.len();
        let gso = transmit.gso_size;
        let (header, ecn) = (hex(&header[..len]), transmit.ecn.bits());
        let _ = writeln!(self.text, "> {header} {payload} {gso} {ecn}");
    }

    /// There is no other answer. The step is over.
    pub fn quiet(&mut self, state: StateName, now: Instant, deadline: Option<Instant>) {
        if !std::mem::take(&mut self.busy) {
            return;
        }
        self.write_refusals();
        let left = deadline.map_or("-".into(), |at| at.since(now).as_nanos().to_string());
        let _ = writeln!(self.text, "= {} {left}", state_name(state));
    }
}

/// A step in which the header in front of `packet` arrives, checksum and ports aside.
pub fn arrival(packet: &[u8], header_len: usize, ecn: Ecn) -> String {
    let mut header = packet[..header_len].to_vec();
    header[..2].copy_from_slice(&PORTS.dst.to_be_bytes());
    header[2..4].copy_from_slice(&PORTS.src.to_be_bytes());
    header[16..18].fill(0);
    let payload = packet.len() - header_len;
    format!("< {} {payload} {}", hex(&header), ecn.bits())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}
