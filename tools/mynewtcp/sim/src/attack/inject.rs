// SPDX-License-Identifier: GPL-2.0

//! Forges segments and ICMP messages in the name of the peer (RFC 5961, RFC 5927).

use mynewtcp_engine::engine::error::IcmpError;
use mynewtcp_engine::engine::seq::{
    SeqNum,
    SeqRange, //
};
use mynewtcp_engine::engine::wire::{
    Control,
    Timestamps,
    Transmit, //
};

use crate::packet::Icmp;
use crate::rng::Rng;

/// Which numbers of the connection the stranger knows. To know them all is to be the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// None: numbers are drawn out of 2^32.
    Nothing,
    /// Where the receive window is, but not its first octet.
    Window,
    /// The very next octet that the victim expects, but not what it has sent.
    Sequence,
    /// What the victim has sent, but not where its receive window is.
    Acknowledgment,
}

/// A stranger.
#[derive(Clone, Copy, Debug)]
pub struct InjectPlan {
    /// Which host is told lies.
    pub victim: usize,
    /// When it begins.
    pub from: u64,
    /// Mean time between two packets.
    pub interval: u64,
    /// Packets in all.
    pub count: u32,
    /// What it knows.
    pub knows: Knowledge,
}

/// What of a connection there is to know.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// SND.UNA.
    pub snd_una: SeqNum,
    /// RCV.NXT.
    pub rcv_nxt: SeqNum,
    /// Octets of receive window.
    pub rcv_wnd: u32,
}

/// Something forged.
#[derive(Clone, Debug)]
pub enum Forged {
    /// A segment, and how many octets of payload it has.
    Segment(Box<Transmit>),
    /// An ICMP message that quotes a sequence number.
    Icmp(SeqNum, Icmp),
}

/// A stranger at work.
#[derive(Debug)]
pub struct Injector {
    plan: InjectPlan,
    rng: Rng,
    left: u32,
}

impl Injector {
    /// One that does as `plan` says.
    pub fn new(plan: InjectPlan, rng: Rng) -> Self {
        Self {
            plan,
            rng,
            left: plan.count,
        }
    }

    /// What it does.
    pub fn plan(&self) -> &InjectPlan {
        &self.plan
    }

    /// When the next packet comes, if there is another one.
    pub fn next_at(&mut self, now: u64) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        let pause = self.rng.range(0, 2 * self.plan.interval);
        Some(now.max(self.plan.from) + pause)
    }

    /// The next packet. Nothing of it may have any effect.
    pub fn forge(&mut self, numbers: &Numbers) -> Forged {
        if self.rng.chance(150) {
            return self.forge_icmp(numbers);
        }
        let (seq, ack, control) = self.header(numbers);
        let mut transmit = Transmit::bare(seq, Some(ack), control);
        if self.rng.chance(100) && control != Control::None {
            transmit.ack = None;
        }
        transmit.window = self.rng.draw() as u16;
        if self.rng.chance(700) {
            transmit.options.timestamps = Some(Timestamps {
                val: self.rng.draw() as u32,
                ecr: self.rng.draw() as u32,
            });
        }
        let is_data = matches!(control, Control::None | Control::Fin);
        if is_data && self.rng.chance(700) {
            let len = self.rng.octaves(1, 1400) as u32;
            transmit.range = SeqRange::new(seq, len);
        }
        Forged::Segment(Box::new(transmit))
    }

    /// Numbers that fit what it knows, and for certain do not fit otherwise.
    fn header(&mut self, numbers: &Numbers) -> (SeqNum, SeqNum, Control) {
        let Numbers {
            snd_una,
            rcv_nxt,
            rcv_wnd,
        } = *numbers;
        let far = |rng: &mut Rng, from: SeqNum| {
            from.plus(1 << 31)
                .minus(1 << 30)
                .plus(rng.range(0, 1 << 31) as u32)
        };
        let any = self
            .rng
            .pick(&[Control::None, Control::Syn, Control::Fin, Control::Rst]);
        let rng = &mut self.rng;
        match self.plan.knows {
            Knowledge::Nothing => (far(rng, rcv_nxt), far(rng, snd_una), any),
            Knowledge::Window => {
                let inside = rng.range(1, u64::from(rcv_wnd.max(1))) as u32;
                (rcv_nxt.plus(inside), far(rng, snd_una), any)
            }
            Knowledge::Sequence => {
                // Only a reset would be believed.
                let control = match any {
                    Control::Rst => Control::Syn,
                    Control::None | Control::Syn | Control::Fin => any,
                };
                (rcv_nxt, far(rng, snd_una), control)
            }
            Knowledge::Acknowledgment => (far(rng, rcv_nxt), snd_una, any),
        }
    }

    /// ICMP that quotes what is not under way must be ignored.
    fn forge_icmp(&mut self, numbers: &Numbers) -> Forged {
        let offset = self.rng.range(1 << 30, 3 << 30) as u32;
        let icmp = if self.rng.chance(500) {
            Icmp::TooBig(self.rng.range(68, 600) as u16)
        } else {
            Icmp::Error(self.rng.pick(&[
                IcmpError::HostUnreachable,
                IcmpError::PortUnreachable,
                IcmpError::ProtocolUnreachable,
                IcmpError::TimeExceeded,
            ]))
        };
        Forged::Icmp(numbers.snd_una.plus(offset), icmp)
    }
}
