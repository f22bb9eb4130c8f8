# SPDX-License-Identifier: GPL-2.0
"""What a receiver counts: order, windows, old segments and forged ones."""

import socket

from harness.context import receive_exactly
from harness.forge import ACK, FIN, PSH, RST, SYN
from harness.knobs import set_knob
from harness.peer import ISS, Peer
from harness.registry import check
from recipes import recipe
from recipes.edges import fence

SOL_TCP, TCP_QUICKACK = 6, 12
DATA = ACK | PSH
KEEPIDLE, KEEPINTVL = 4, 5
# Where the search for a path's MTU begins.
BASE_MSS = 1024


def quiet(context, **fields):
    """A peer of a connection whose rate limits let one answer through."""
    set_knob(context, context.link.a, "invalid_ratelimit", 60_000)
    return Peer(context, **fields)


@recipe(DelayedAcks=1, InConnSegs=2)
def delayed_ack(context):
    """One small segment, and the timer."""
    peer = Peer(context)
    peer.client.setsockopt(SOL_TCP, TCP_QUICKACK, 0)
    peer.send(flags=DATA, payload=b"x")
    peer.hear(lambda one: one.ack == ISS + 1, "the acknowledgment")


@recipe(OutOfOrder=2, OFOMerge=1, DSACKOfoSent=1)
def out_of_order(context):
    """Two segments behind a gap, the second covers the first."""
    peer = Peer(context)
    peer.send(seq=10, flags=DATA, payload=b"x" * 10)
    peer.send(seq=5, flags=DATA, payload=b"y" * 20)
    fence(context)
    peer.send(flags=DATA, payload=b"z" * 5)
    receive_exactly(peer.client, 25)


@recipe(RcvCoalesce=2, OutOfOrder=0)
def coalesced(context):
    """Three segments in order for one buffer."""
    peer = Peer(context)
    for number in range(3):
        peer.send(seq=10 * number, flags=DATA, payload=b"x" * 10)
    fence(context)


@recipe(BeyondWindow=1, DuplicateData=1, DelayedACKLost=1, DSACKOldSent=1)
def data_again(context):
    """Data that was acknowledged comes again."""
    peer = Peer(context)
    peer.send(flags=DATA, payload=b"0123456789")
    receive_exactly(peer.client, 10)
    peer.send(flags=DATA, payload=b"0123456789")
    fence(context)


@recipe(DSACKOfoSent=1, OutOfOrder=1, DuplicateData=1)
def data_again_out_of_order(context):
    """Data behind a gap comes again."""
    peer = Peer(context)
    for _ in range(2):
        peer.send(seq=100, flags=DATA, payload=b"0123456789")
    fence(context)


@recipe(BeyondWindow=3, ACKSkippedSeq=2, DuplicateData=0)
def empty_segments_outside(context):
    """Three empty segments from before the window are answered once."""
    peer = quiet(context)
    for _ in range(3):
        peer.send(seq=-100)
    fence(context)


@recipe(ChallengeAcks=1, ACKSkippedChallenge=3, SYNChallenge=2, EstabResets=0)
def challenges(context):
    """Two resets and two SYNs inside of the window are answered once."""
    peer = quiet(context)
    for number in range(2):
        peer.send(seq=10 + number, flags=RST)
        peer.send(seq=number, flags=SYN)
    fence(context)


@recipe(PAWSEstab=2, ACKSkippedPAWS=2, PAWSOldAck=1)
def old_timestamps(context):
    """Three segments with an old timestamp; one of them is an acknowledgment that came late."""
    peer = quiet(context, clock=7000)
    peer.send(value=6000)
    peer.send(seq=0, value=6001)
    peer.send(seq=-1, value=6002)
    fence(context)


@recipe(Keepalives=1, AbortOnTimeout=0)
def keepalive(context):
    """An idle peer is asked, and answers."""
    peer = Peer(context)
    peer.client.setsockopt(SOL_TCP, KEEPIDLE, 1)
    peer.client.setsockopt(SOL_TCP, KEEPINTVL, 60)
    peer.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    peer.hear(lambda one: one.seq == peer.theirs - 1, "the probe")
    peer.send()


@recipe(WindowProbes=1, OrigDataSent=0)
def window_probe(context):
    """The peer's window is closed, and asked about."""
    peer = Peer(context, window=0)
    peer.client.sendall(b"wait")
    peer.hear(lambda one: one.seq == peer.theirs - 1, "the probe")


def filled(context):
    """A connection whose receive buffer is full; gives the peer and where its data ends."""
    peer = Peer(context, prepare=lambda sock: sock.setsockopt(
        socket.SOL_SOCKET, socket.SO_RCVBUF, 8192))
    at = 0
    for _ in range(100):
        peer.send(seq=at, flags=DATA, payload=b"x" * 500)
        answer = peer.hear(lambda one, at=at: one.ack > ISS + at, "the acknowledgment")
        at = answer.ack - ISS
        if answer.window == 0:
            return peer, at
    check(False, "the window never closes")
    return None


@recipe(ToZeroWindow=1, FromZeroWindow=1, ZeroWindowDrop=1)
def zero_window(context):
    """The window closes, data comes nevertheless, the user reads."""
    peer, at = filled(context)
    peer.send(seq=at, flags=DATA, payload=b"too much")
    fence(context)
    receive_exactly(peer.client, at)
    peer.hear(lambda one: one.window > 0, "the window opens")


@recipe(TimeWaits=0, EstabResets=0, CurrEstab=0)
def passive_close(context):
    """The peer closes first."""
    peer = Peer(context)
    peer.send(flags=ACK | FIN)
    peer.client.recv(1)
    peer.client.close()
    peer.hear(lambda one: one.flags & FIN, "the FIN")
    peer.send(seq=1, ack=1)


def probed(context):
    """A connection that has just sent a segment longer than the others."""
    set_knob(context, context.link.a, "mtu_probing", 2)
    peer = Peer(context, mss=1400, split=False)
    peer.client.sendall(b"x" * 100_000)
    while True:
        one = peer.hear(lambda one: one.payload, "data")
        if BASE_MSS < len(one.payload) <= 1400:
            return peer, one
        peer.send(ack=peer.at(one) + len(one.payload))


@recipe(MTUPProbe=1, MTUPSuccess=1, MTUPFail=0)
def mtu_probe(context):
    """A segment of a new size arrives."""
    peer, probe = probed(context)
    peer.send(ack=peer.at(probe) + len(probe.payload), window=0)


@recipe(MTUPProbe=1, MTUPSuccess=0, MTUPFail=1)
def mtu_probe_lost(context):
    """A segment of a new size does not arrive, what follows it does."""
    peer, probe = probed(context)
    start = peer.at(probe)
    end = start + len(probe.payload)
    peer.hear_upto(end + 3000)
    peer.send(ack=start, sack=[(end, end + 3000)], window=0)
