# SPDX-License-Identifier: GPL-2.0
"""Losses, and what was taken for one."""

import time

from harness.forge import ACK
from harness.knobs import set_knob
from harness.peer import Peer
from recipes import recipe

MSS = 1000
# Far above what a loaded machine delays an answer by.
RTO_MIN_US = 400_000
ECE = 0x40


def sender(context, count=5, probes=0, **fields):
    """A peer to whom `count` full segments are under way, its tail loss probes off."""
    link = context.link
    set_knob(context, link.a, "early_retrans", probes)
    set_knob(context, link.a, "rto_min_us", RTO_MIN_US)
    overhead = 12 if fields.get("clock") is not None else 0
    peer = Peer(context, mss=MSS + overhead, **fields)
    peer.client.sendall(b"x" * (count * MSS))
    peer.hear_upto(count * MSS)
    return peer


def upto(*segments):
    """The range of these segments, by number from 0."""
    return (min(segments) * MSS, (max(segments) + 1) * MSS)


def pause():
    """The timestamps' clock, which counts milliseconds, goes on."""
    time.sleep(0.01)


@recipe(SackRecovery=1, FastRetrans=1, RetransSegs=1, Delivered=5, Timeouts=0, OrigDataSent=5,
        RenoRecovery=0)
def sack_recovery(context):
    """One segment is lost, three behind it arrive."""
    peer = sender(context)
    peer.send(sack=[upto(1, 3)])
    peer.hear_data(0, "the first segment again")
    peer.send(ack=5 * MSS)


@recipe(RenoRecovery=1, FastRetrans=1, RetransSegs=1, Delivered=5, SackRecovery=0)
def reno_recovery(context):
    """Three duplicate acknowledgments of a peer without SACK."""
    peer = sender(context, sack=False)
    for _ in range(3):
        peer.send()
    peer.hear_data(0, "the first segment again")
    peer.send(ack=5 * MSS)


@recipe(Timeouts=1, SlowStartRetrans=1, RetransSegs=1, LossFailures=0, FastRetrans=0)
def timeout(context):
    """A segment that nobody acknowledges."""
    peer = sender(context, count=1)
    peer.hear_data(0, "the segment again")
    peer.send(ack=MSS)


@recipe(Timeouts=2, LossFailures=1, SlowStartRetrans=2)
def timeout_twice(context):
    """The time-out of a retransmission."""
    peer = sender(context, count=1)
    for _ in range(2):
        peer.hear_data(0, "the segment again")
    peer.send(ack=MSS)


@recipe(Timeouts=1, SackFailures=1, SackRecovery=1, RenoFailures=0)
def timeout_in_sack_recovery(context):
    """The retransmission of a recovery is lost too."""
    peer = sender(context, count=4)
    peer.send(sack=[upto(1, 3)])
    for _ in range(2):
        peer.hear_data(0, "the first segment again")
    peer.send(ack=4 * MSS)


@recipe(Timeouts=1, RenoFailures=1, RenoRecovery=1, SackFailures=0)
def timeout_in_reno_recovery(context):
    """The same without SACK."""
    peer = sender(context, count=4, sack=False)
    for _ in range(3):
        peer.send()
    for _ in range(2):
        peer.hear_data(0, "the first segment again")
    peer.send(ack=4 * MSS)


@recipe(LossProbes=1, LossProbeRecovery=0, Timeouts=0, DsackRecv=1, DsackIgnoredNoUndo=1)
def loss_probe(context):
    """The tail is asked for, and had arrived: so says a duplicate report."""
    peer = sender(context, count=1, probes=3)
    peer.hear_data(0, "the probe")
    peer.send(ack=MSS, sack=[upto(0)])


@recipe(LossProbes=1, LossProbeRecovery=1, Timeouts=0)
def loss_probe_repairs(context):
    """The tail is asked for, and had been lost: nobody tells of a duplicate."""
    peer = sender(context, count=1, probes=3)
    peer.hear_data(0, "the probe")
    peer.client.sendall(b"y" * MSS)
    peer.hear_upto(2 * MSS)
    peer.send(ack=2 * MSS)


@recipe(DsackRecv=1, DsackIgnoredDubious=1, DsackOfoRecv=0, DsackIgnoredNoUndo=0)
def dubious_report(context):
    """A duplicate of what was never sent twice."""
    peer = sender(context)
    peer.send(ack=2 * MSS, sack=[upto(0)])


@recipe(DsackRecv=1, DsackUndo=1, DsackIgnoredNoUndo=0, SackRecovery=1)
def recovery_undone_by_report(context):
    """All that was sent again is reported as a duplicate."""
    peer = sender(context)
    peer.send(sack=[upto(1, 3)])
    peer.hear_data(0, "the first segment again")
    peer.send(ack=5 * MSS, sack=[upto(0)])


@recipe(DsackOfoRecv=1, DsackRecv=0)
def report_above(context):
    """A duplicate above the acknowledgment number."""
    peer = sender(context)
    peer.send(sack=[upto(2), upto(2, 3)])


@recipe(SackDiscard=1, Delivered=0)
def sack_of_the_future(context):
    """Octets that were never sent are acknowledged selectively."""
    peer = sender(context)
    peer.send(sack=[upto(7)])


@recipe(SackReorder=1, RetransSegs=0, TsReorder=0)
def reordered(context):
    """The second segment overtakes the first."""
    peer = sender(context)
    peer.send(sack=[upto(1)])
    peer.send(ack=2 * MSS)


@recipe(SackReneging=1, Timeouts=1)
def reneging(context):
    """What was acknowledged selectively is not acknowledged when its turn comes."""
    peer = sender(context)
    peer.send(sack=[upto(0, 1)])
    peer.hear_data(0, "the first segment again")
    peer.send(ack=5 * MSS)


@recipe(FullUndo=1, SackRecovery=1, PartialUndo=0, FastRetrans=1, TsReorder=1, SackReorder=0)
def recovery_undone(context):
    """An echo tells that the first transmission had arrived."""
    peer = sender(context, clock=7000)
    first = peer.echo
    pause()
    peer.send(sack=[upto(1, 3)], echo=first)
    peer.hear_data(0, "the first segment again")
    peer.send(ack=5 * MSS, echo=first)


@recipe(PartialUndo=1, SackRecovery=1, FullUndo=0)
def recovery_undone_in_between(context):
    """The same, while another segment is still missing."""
    peer = sender(context, count=6, clock=7000)
    first = peer.echo
    pause()
    peer.send(sack=[upto(2, 4)], echo=first)
    peer.hear_data(0, "the first segment again")
    peer.send(ack=MSS, sack=[upto(2, 4)], echo=first)


@recipe(LossUndo=1, Timeouts=1, SpuriousRtos=0)
def timeout_undone(context):
    """An echo tells that the segment had only been late."""
    peer = sender(context, count=2, clock=7000)
    first = peer.echo
    peer.hear_data(0, "the first segment again")
    peer.send(ack=MSS, echo=first)


@recipe(SpuriousRtos=1, LossUndo=1, Timeouts=1)
def spurious_timeout(context):
    """RFC 5682: what was not sent again after the time-out has arrived."""
    peer = sender(context, count=3)
    peer.hear_data(0, "the first segment again")
    peer.send(sack=[upto(1)])


@recipe(EcnEchoes=1, EcnReductions=1, DeliveredCE=1, Delivered=5)
def marked(context):
    """The peer echoes a mark of congestion."""
    set_knob(context, context.link.a, "ecn", 1)
    peer = sender(context, ece=True)
    peer.send(ack=MSS, flags=ACK | ECE)
    # 0x80 is CWR: the echo stops when it has been seen.
    peer.client.sendall(b"z")
    peer.hear(lambda one: one.flags & 0x80, "the answer to the echo")
    peer.send(ack=5 * MSS)


@recipe(LostRetransmit=1, SackRecovery=1)
def lost_again(context):
    """What was sent after the retransmission arrives, the retransmission does not."""
    peer = sender(context, count=10)
    peer.send(sack=[upto(1, 9)])
    peer.hear_data(0, "the first segment again")
    peer.client.sendall(b"y" * MSS)
    peer.hear_upto(11 * MSS)
    pause()
    peer.send(sack=[upto(1, 10)])
    peer.hear_data(0, "the first segment once more")
    peer.send(ack=11 * MSS)
