// SPDX-License-Identifier: GPL-2.0

//! What a network namespace counts and what its connections are tuned with.

use kernel::prelude::*;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};
use kernel::sync::Arc;

use crate::demux::lingering::Lingering;
use crate::engine::counters::Counter;
use crate::sysctl::{
    self,
    Values, //
};
use crate::tuning::Tuning;

/// Things that happen outside of any connection.
#[derive(Clone, Copy)]
pub(crate) enum Event {
    /// Segments received, for whomever (`InSegs`).
    InSegs,
    /// Segments whose header makes no sense (`InErrs`).
    InErrs,
    /// Segments with a wrong checksum (`InCsumErrors`).
    InCsumErrors,
    /// Segments without a connection or listener (`NoPorts`).
    NoPorts,
    /// Segments that a filter or a security policy dropped.
    Filtered,
    /// Segments that came from further away than the user allows (`TCPMinTTLDrop`).
    MinTtlDrop,
    /// Segments dropped because the socket's owner did not keep up (`TCPBacklogDrop`).
    BacklogDrop,
    /// SYNs and final acknowledgments dropped because the accept queue was full
    /// (`ListenOverflows`).
    ListenOverflows,
    /// SYNs dropped for any reason (`ListenDrops`).
    ListenDrops,
    /// Resets sent without a connection (`OutRsts`).
    OutRsts,
    /// Closed connections that found no memory for TIME-WAIT (`TCPTimeWaitOverflow`).
    TimeWaitOverflow,
    /// ICMP errors that named no connection of ours.
    StrayIcmps,
    /// ICMP errors that quoted a sequence number that is not under way (`OutOfWindowIcmps`).
    OutOfWindowIcmps,
    /// ICMP errors that came while a process had the socket (`LockDroppedIcmps`).
    LockDroppedIcmps,
    /// SYN-ACKs sent that carry a cookie (`SyncookiesSent`).
    SyncookiesSent,
    /// Acknowledgments that brought a right cookie (`SyncookiesRecv`).
    SyncookiesRecv,
    /// Acknowledgments that brought something else (`SyncookiesFailed`).
    SyncookiesFailed,
    /// SYNs that found too many half-open connections and were answered with a cookie
    /// (`TCPReqQFullDoCookies`).
    ReqQFullDoCookies,
    /// SYNs that found too many half-open connections and were dropped (`TCPReqQFullDrop`).
    ReqQFullDrop,
    /// Half-open connections that were reset (`EmbryonicRsts`).
    EmbryonicRsts,
    /// Acknowledgments dropped because a listener waits for data (`TCPDeferAcceptDrop`).
    DeferAcceptDrop,
    /// Answers of half-open connections that were not sent, so soon after another
    /// (`TCPACKSkippedSynRecv`).
    AckSkippedSynRecv,
    /// The same of connections without a user in FIN-WAIT-2 (`TCPACKSkippedFinWait2`).
    AckSkippedFinWait2,
    /// Answers of connections in TIME-WAIT that were not sent, so soon after another
    /// (`TCPACKSkippedTimeWait`).
    AckSkippedTimeWait,
    /// Connections in TIME-WAIT that connect took over (`TWRecycled`).
    TimeWaitRecycled,
    /// Connections in TIME-WAIT that something else ended before their time (`TWKilled`).
    TimeWaitKilled,
    /// Connections reset because there were too many without a user (`TCPAbortOnMemory`).
    AbortOnMemory,
    /// Connections reset because nobody waits for the peer's FIN (`TCPAbortOnLinger`).
    AbortOnLinger,
    /// Delayed acknowledgments whose timer found that a process had the socket
    /// (`DelayedACKLocked`).
    DelayedAckLocked,
    /// Segments for connections in TIME-WAIT with an old timestamp (`PAWSTimewait`).
    PawsTimeWait,
    /// Segments for half-open connections that echo what we never sent (`TSEcrRejected`).
    TsEcrRejected,
}

impl Event {
    const COUNT: usize = Self::TsEcrRejected as usize + 1;

    /// Every event with the name under which it is shown.
    const NAMES: [(Self, &'static str); Self::COUNT] = [
        (Self::InSegs, "InSegs"),
        (Self::InErrs, "InErrs"),
        (Self::InCsumErrors, "InCsumErrors"),
        (Self::NoPorts, "NoPorts"),
        (Self::Filtered, "Filtered"),
        (Self::MinTtlDrop, "MinTTLDrop"),
        (Self::BacklogDrop, "BacklogDrop"),
        (Self::ListenOverflows, "ListenOverflows"),
        (Self::ListenDrops, "ListenDrops"),
        (Self::OutRsts, "StrayOutRsts"),
        (Self::TimeWaitOverflow, "TimeWaitOverflow"),
        (Self::StrayIcmps, "StrayIcmps"),
        (Self::OutOfWindowIcmps, "OutOfWindowIcmps"),
        (Self::LockDroppedIcmps, "LockDroppedIcmps"),
        (Self::SyncookiesSent, "SyncookiesSent"),
        (Self::SyncookiesRecv, "SyncookiesRecv"),
        (Self::SyncookiesFailed, "SyncookiesFailed"),
        (Self::ReqQFullDoCookies, "ReqQFullDoCookies"),
        (Self::ReqQFullDrop, "ReqQFullDrop"),
        (Self::EmbryonicRsts, "EmbryonicRsts"),
        (Self::DeferAcceptDrop, "DeferAcceptDrop"),
        (Self::AckSkippedSynRecv, "ACKSkippedSynRecv"),
        (Self::AckSkippedFinWait2, "ACKSkippedFinWait2"),
        (Self::AckSkippedTimeWait, "ACKSkippedTimeWait"),
        (Self::TimeWaitRecycled, "TWRecycled"),
        (Self::TimeWaitKilled, "TWKilled"),
        (Self::AbortOnMemory, "AbortOnMemory"),
        (Self::AbortOnLinger, "AbortOnLinger"),
        (Self::DelayedAckLocked, "DelayedACKLocked"),
        (Self::PawsTimeWait, "PAWSTimewait"),
        (Self::TsEcrRejected, "TSEcrRejected"),
    ];
}

/// What there is at the moment.
#[derive(Clone, Copy)]
enum Gauge {
    /// Connections in ESTABLISHED or CLOSE-WAIT (`CurrEstab`).
    CurrEstab,
}

impl Gauge {
    /// Every gauge with the name under which it is shown.
    const NAMES: [(Self, &'static str); 1] = [(Self::CurrEstab, "CurrEstab")];
}

/// The engine's counters with the names under which they are shown.
const ENGINE_NAMES: [(Counter, &str); Counter::COUNT] = [
    (Counter::ActiveOpens, "ActiveOpens"),
    (Counter::PassiveOpens, "PassiveOpens"),
    (Counter::AttemptFails, "AttemptFails"),
    (Counter::EstabResets, "EstabResets"),
    (Counter::OutSegs, "OutSegs"),
    (Counter::RetransSegs, "RetransSegs"),
    (Counter::OutRsts, "OutRsts"),
    (Counter::InSegs, "InConnSegs"),
    (Counter::Timeouts, "Timeouts"),
    (Counter::AbortOnTimeout, "AbortOnTimeout"),
    (Counter::AbortOnData, "AbortOnData"),
    (Counter::AbortOnClose, "AbortOnClose"),
    (Counter::AbortFailed, "AbortFailed"),
    (Counter::SynRetrans, "SynRetrans"),
    (Counter::OrigDataSent, "OrigDataSent"),
    (Counter::Delivered, "Delivered"),
    (Counter::SackRecovery, "SackRecovery"),
    (Counter::RenoRecovery, "RenoRecovery"),
    (Counter::FastRetrans, "FastRetrans"),
    (Counter::SlowStartRetrans, "SlowStartRetrans"),
    (Counter::LostRetransmit, "LostRetransmit"),
    (Counter::RenoFailures, "RenoFailures"),
    (Counter::SackFailures, "SackFailures"),
    (Counter::LossFailures, "LossFailures"),
    (Counter::LossProbes, "LossProbes"),
    (Counter::LossProbeRecovery, "LossProbeRecovery"),
    (Counter::DsackRecv, "DsackRecv"),
    (Counter::DsackOfoRecv, "DsackOfoRecv"),
    (Counter::DsackIgnoredDubious, "DsackIgnoredDubious"),
    (Counter::DsackIgnoredNoUndo, "DsackIgnoredNoUndo"),
    (Counter::SackDiscard, "SackDiscard"),
    (Counter::SackReorder, "SackReorder"),
    (Counter::TsReorder, "TsReorder"),
    (Counter::FullUndo, "FullUndo"),
    (Counter::PartialUndo, "PartialUndo"),
    (Counter::DsackUndo, "DsackUndo"),
    (Counter::LossUndo, "LossUndo"),
    (Counter::SpuriousRtos, "SpuriousRtos"),
    (Counter::SackReneging, "SackReneging"),
    (Counter::DelayedAcks, "DelayedAcks"),
    (Counter::PureAcks, "PureAcks"),
    (Counter::HpHits, "HPHits"),
    (Counter::HpAcks, "HPAcks"),
    (Counter::OutOfOrder, "OutOfOrder"),
    (Counter::ReceiveRefused, "ReceiveRefused"),
    (Counter::BeyondWindow, "BeyondWindow"),
    (Counter::DuplicateData, "DuplicateData"),
    (Counter::PawsActive, "PAWSActive"),
    (Counter::PawsEstab, "PAWSEstab"),
    (Counter::PawsOldAck, "PAWSOldAck"),
    (Counter::SynChallenges, "SYNChallenge"),
    (Counter::ChallengeAcks, "ChallengeAcks"),
    (Counter::AckSkippedSeq, "ACKSkippedSeq"),
    (Counter::AckSkippedPaws, "ACKSkippedPAWS"),
    (Counter::AckSkippedChallenge, "ACKSkippedChallenge"),
    (Counter::MtuProbes, "MTUPProbe"),
    (Counter::MtuProbeSuccesses, "MTUPSuccess"),
    (Counter::MtuProbeFailures, "MTUPFail"),
    (Counter::ToZeroWindow, "ToZeroWindow"),
    (Counter::FromZeroWindow, "FromZeroWindow"),
    (Counter::WindowProbes, "WindowProbes"),
    (Counter::Keepalives, "Keepalives"),
    (Counter::TimeWaits, "TimeWaits"),
    (Counter::HystartDelayDetect, "HystartDelayDetect"),
    (Counter::HystartDelayCwnd, "HystartDelayCwnd"),
    (Counter::DeliveredCe, "DeliveredCE"),
    (Counter::EcnEchoes, "EcnEchoes"),
    (Counter::EcnReductions, "EcnReductions"),
    (Counter::TransmitFailed, "TransmitFailed"),
    (Counter::PruneCalled, "PruneCalled"),
    (Counter::RcvPruned, "RcvPruned"),
    (Counter::OfoPruned, "OfoPruned"),
    (Counter::RcvCollapsed, "RcvCollapsed"),
    (Counter::RcvCoalesce, "RcvCoalesce"),
    (Counter::OfoMerge, "OFOMerge"),
    (Counter::OfoDrop, "OFODrop"),
    (Counter::DsackOldSent, "DSACKOldSent"),
    (Counter::DsackOfoSent, "DSACKOfoSent"),
    (Counter::DelayedAckLost, "DelayedACKLost"),
    (Counter::ZeroWindowDrop, "ZeroWindowDrop"),
    (Counter::WantZeroWindow, "WantZeroWindowAdv"),
];

/// What all endpoints of one network namespace share.
#[pin_data]
pub(crate) struct Namespace {
    /// What `net.mynewtcp.*` says.
    #[pin]
    pub(crate) sysctl: Values,
    /// What it has set.
    #[pin]
    pub(crate) tuning: Tuning,
    /// Ports of connections in TIME-WAIT.
    #[pin]
    pub(crate) lingering: Lingering,
    engine: [Atomic<u64>; Counter::COUNT],
    events: [Atomic<u64>; Event::COUNT],
    /// [`Gauge::CurrEstab`].
    established: Atomic<i64>,
}

/// One connection in ESTABLISHED or CLOSE-WAIT (`CurrEstab`), as long as it is there.
pub(crate) struct Current(Arc<Namespace>);

impl Current {
    /// Counts one more.
    pub(crate) fn new(namespace: Arc<Namespace>) -> Self {
        namespace.established.add(1i64, Relaxed);
        Self(namespace)
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        self.0.established.fetch_sub(1i64, Relaxed);
    }
}

impl Namespace {
    /// All counters at zero, all tunables at their defaults.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            sysctl <- Values::new(),
            tuning <- Tuning::new(sysctl::fresh()),
            lingering <- Lingering::new(),
            engine: [const { Atomic::new(0) }; Counter::COUNT],
            events: [const { Atomic::new(0) }; Event::COUNT],
            established: Atomic::new(0),
        })
    }

    /// Adds `n` to a counter of the engine.
    pub(crate) fn count(&self, counter: Counter, n: u32) {
        if let Some(cell) = self.engine.get(counter as usize) {
            cell.add(u64::from(n), Relaxed);
        }
    }

    /// Counts one `event`.
    pub(crate) fn note(&self, event: Event) {
        if let Some(cell) = self.events.get(event as usize) {
            cell.add(1u64, Relaxed);
        }
    }

    /// Calls `show` with each counter's name and value.
    pub(crate) fn for_each(&self, mut show: impl FnMut(&str, u64)) {
        for (gauge, name) in Gauge::NAMES {
            let now = match gauge {
                Gauge::CurrEstab => self.established.load(Relaxed),
            };
            show(name, u64::try_from(now).unwrap_or(0));
        }
        for (event, name) in Event::NAMES {
            if let Some(cell) = self.events.get(event as usize) {
                show(name, cell.load(Relaxed));
            }
        }
        for (counter, name) in ENGINE_NAMES {
            if let Some(cell) = self.engine.get(counter as usize) {
                show(name, cell.load(Relaxed));
            }
        }
    }
}
