// SPDX-License-Identifier: GPL-2.0

//! What the engine counts. The names follow Linux' TCP MIBs, so that `nstat` readers feel at home.

/// One counter of the protocol, incremented through [`Shell::count`].
///
/// [`Shell::count`]: crate::engine::buffer::Shell::count
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// SYN sent by a user's connect (`ActiveOpens`).
    ActiveOpens,
    /// Connections that a listener accepted (`PassiveOpens`).
    PassiveOpens,
    /// Attempts that failed before ESTABLISHED (`AttemptFails`).
    AttemptFails,
    /// Connections reset by either side (`EstabResets`).
    EstabResets,
    /// Segments transmitted, retransmissions excluded (`OutSegs`).
    OutSegs,
    /// Segments retransmitted (`RetransSegs`).
    RetransSegs,
    /// Resets sent (`OutRsts`).
    OutRsts,
    /// Segments received by connections (`InSegs`).
    InSegs,
    /// Retransmission time-outs (`TCPTimeouts`).
    Timeouts,
    /// Connections given up after the last retransmission (`TCPAbortOnTimeout`).
    AbortOnTimeout,
    /// Connections reset because data came after close (`TCPAbortOnData`), or because the user
    /// wanted to close so.
    AbortOnData,
    /// Connections reset because the user left data unread (`TCPAbortOnClose`).
    AbortOnClose,
    /// Resets that there was no memory for (`TCPAbortFailed`).
    AbortFailed,
    /// SYNs and SYN-ACKs sent again (`TCPSynRetrans`).
    SynRetrans,
    /// Segments with data sent for the first time (`TCPOrigDataSent`).
    OrigDataSent,
    /// Segments that the peer has acknowledged, one way or the other (`TCPDelivered`).
    Delivered,
    /// Recoveries entered with selective acknowledgments (`TCPSackRecovery`).
    SackRecovery,
    /// Recoveries entered on duplicate acknowledgments (`TCPRenoRecovery`).
    RenoRecovery,
    /// Segments retransmitted in a recovery (`TCPFastRetrans`).
    FastRetrans,
    /// Segments retransmitted after a time-out (`TCPSlowStartRetrans`).
    SlowStartRetrans,
    /// Segments whose retransmission was found to be lost too (`TCPLostRetransmit`).
    LostRetransmit,
    /// Time-outs in a recovery without selective acknowledgments (`TCPRenoFailures`).
    RenoFailures,
    /// Time-outs in a recovery with selective acknowledgments (`TCPSackFailures`).
    SackFailures,
    /// Time-outs while an earlier one was being repaired (`TCPLossFailures`).
    LossFailures,
    /// Tail loss probes sent (`TCPLossProbes`).
    LossProbes,
    /// Losses that a tail loss probe has repaired (`TCPLossProbeRecovery`).
    LossProbeRecovery,
    /// Reports of duplicates below the acknowledgment number (`TCPDSACKRecv`).
    DsackRecv,
    /// Reports of duplicates above it (`TCPDSACKOfoRecv`).
    DsackOfoRecv,
    /// Reports of more duplicates than there were retransmissions (`TCPDSACKIgnoredDubious`).
    DsackIgnoredDubious,
    /// Reports of duplicates when there was nothing to take back (`TCPDSACKIgnoredNoUndo`).
    DsackIgnoredNoUndo,
    /// Selective blocks that lie outside of what is under way (`TCPSACKDiscard`).
    SackDiscard,
    /// Reordering seen by selective acknowledgments (`TCPSACKReorder`).
    SackReorder,
    /// Reordering seen by an echoed timestamp (`TCPTSReorder`).
    TsReorder,
    /// Reductions taken back at the end of a recovery (`TCPFullUndo`).
    FullUndo,
    /// Reductions taken back in the middle of a recovery (`TCPPartialUndo`).
    PartialUndo,
    /// Reductions taken back because of reported duplicates (`TCPDSACKUndo`).
    DsackUndo,
    /// Reductions taken back after a time-out (`TCPLossUndo`).
    LossUndo,
    /// Time-outs that F-RTO found to be mistakes (`TCPSpuriousRTOs`).
    SpuriousRtos,
    /// The peer dropped what it had selectively acknowledged (`TCPSACKReneging`).
    SackReneging,
    /// Delayed acknowledgments sent by the timer (`DelayedACKs`).
    DelayedAcks,
    /// Acknowledgments received that carried no data (`TCPPureAcks`).
    PureAcks,
    /// Segments with payload that were predicted (`TCPHPHits`).
    HpHits,
    /// Acknowledgments of new data that were predicted (`TCPHPAcks`).
    HpAcks,
    /// Segments kept out of order (`TCPOFOQueue`).
    OutOfOrder,
    /// Segments dropped because the receive buffer refused them (`TCPRcvQDrop`).
    ReceiveRefused,
    /// Segments outside the window (`BeyondWindow`).
    BeyondWindow,
    /// Segments with no new octet (`TCPDSACKOldSent` counts their kin).
    DuplicateData,
    /// Answers to a SYN that echo a timestamp it never had (`PAWSActive`).
    PawsActive,
    /// Segments dropped because their timestamp was old (`PAWSEstab`).
    PawsEstab,
    /// Old acknowledgments without data, by their timestamp (`PAWSOldAck`).
    PawsOldAck,
    /// SYNs inside of connections (`TCPSYNChallenge`).
    SynChallenges,
    /// Challenge acknowledgments sent (`TCPChallengeACK`).
    ChallengeAcks,
    /// Answers to unacceptable segments that were not sent, so soon after another
    /// (`TCPACKSkippedSeq`).
    AckSkippedSeq,
    /// The same to segments with an old timestamp (`TCPACKSkippedPAWS`).
    AckSkippedPaws,
    /// Challenges that were not sent, so soon after another (`TCPACKSkippedChallenge`).
    AckSkippedChallenge,
    /// Segments of a new size sent to find out whether they arrive (`TCPMTUPProbe`).
    MtuProbes,
    /// Those that arrived (`TCPMTUPSuccess`).
    MtuProbeSuccesses,
    /// Those that did not (`TCPMTUPFail`).
    MtuProbeFailures,
    /// Zero window announced (`TCPToZeroWindowAdv`).
    ToZeroWindow,
    /// The window opened after it had been zero (`TCPFromZeroWindowAdv`).
    FromZeroWindow,
    /// Probes of a zero window (`TCPWinProbe`).
    WindowProbes,
    /// Keepalive probes (`TCPKeepAlive`).
    Keepalives,
    /// Connections that went through TIME-WAIT (`TW`).
    TimeWaits,
    /// Slow starts that ended because round trips had become longer (`TCPHystartDelayDetect`).
    HystartDelayDetect,
    /// The sum of their congestion windows, in segments (`TCPHystartDelayCwnd`).
    HystartDelayCwnd,
    /// Segments delivered with a mark of congestion, as their receivers echo it
    /// (`TCPDeliveredCE`).
    DeliveredCe,
    /// Acknowledgments that echo a mark of congestion.
    EcnEchoes,
    /// Reductions of the congestion window because of a mark.
    EcnReductions,
    /// Transmissions that the shell had no memory for (`TCPRetransFail` and kin).
    TransmitFailed,
    /// Times that the receive buffer was full, or the protocol's memory, when a segment came
    /// (`PruneCalled`).
    PruneCalled,
    /// Times that this did not make room for the segment (`RcvPruned`).
    RcvPruned,
    /// Times that out-of-order data was thrown away to make room (`OfoPruned`).
    OfoPruned,
    /// Buffers that became free because their payload moved to fuller ones (`TCPRcvCollapsed`).
    RcvCollapsed,
    /// Segments that joined the buffer in front of them (`TCPRcvCoalesce`).
    RcvCoalesce,
    /// Out-of-order segments that another one covers whole (`TCPOFOMerge`).
    OfoMerge,
    /// Out-of-order segments dropped because there was no room (`TCPOFODrop`).
    OfoDrop,
    /// Reports of octets that came again after they were acknowledged (`TCPDSACKOldSent`).
    DsackOldSent,
    /// Reports of octets that came again out of order (`TCPDSACKOfoSent`).
    DsackOfoSent,
    /// Segments that came again because our acknowledgment was late or lost (`DelayedACKLost`).
    DelayedAckLost,
    /// Segments dropped because our window was closed (`TCPZeroWindowDrop`).
    ZeroWindowDrop,
    /// Zero windows that we would have announced, had we not promised more
    /// (`TCPWantZeroWindowAdv`).
    WantZeroWindow,
}

impl Counter {
    /// How many counters there are.
    pub const COUNT: usize = Self::WantZeroWindow as usize + 1;
}
