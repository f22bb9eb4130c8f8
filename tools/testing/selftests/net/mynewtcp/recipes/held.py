# SPDX-License-Identifier: GPL-2.0
"""What is counted while a process has the socket."""

import socket

from harness import holding
from harness.forge import ACK, PSH
from harness.knobs import counters
from harness.peer import ISS, Peer
from harness.registry import check
from recipes import recipe

DATA = ACK | PSH
PIECES = 40
# More segments than a backlog of that many octets of buffers takes.
RCVBUF, MOST = 60_000, 2000


def busy(context):
    """A peer with data on side a that nobody reads, and where that ends."""
    def prepare(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RCVBUF)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    peer = Peer(context, prepare=prepare)
    for number in range(PIECES):
        peer.send(seq=number * holding.PIECE, flags=DATA, payload=b"x" * holding.PIECE)
    end = PIECES * holding.PIECE
    peer.hear(lambda one: one.ack == ISS + end, "the acknowledgment")
    return peer, end


@recipe(BacklogDrop=7)
def backlog_full(context):
    """Segments for a socket that a process has, more than may wait for it."""
    peer, end = busy(context)

    def dropped():
        return counters(context.link.a.ns, context.family)["BacklogDrop"]

    with holding.copying(context, peer.client, PIECES):
        holding.catch(peer)
        for _ in range(MOST):
            peer.send(seq=end, flags=DATA, payload=b"y" * 900)
            if dropped():
                break
        for _ in range(6):
            peer.send(seq=end, flags=DATA, payload=b"y" * 900)
        check(dropped() == 7, "the backlog takes more when it is full")
