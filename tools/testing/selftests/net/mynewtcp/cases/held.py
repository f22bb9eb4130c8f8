# SPDX-License-Identifier: GPL-2.0
"""What happens while a process has the socket."""

import time

from harness import holding
from harness.forge import ACK, PSH
from harness.knobs import Count
from harness.peer import ISS
from harness.registry import Failure, case, check_equal
from recipes.held import PIECES, busy
from recipes.receiver import SOL_TCP, TCP_QUICKACK

# Seconds: how long an acknowledgment is delayed at least, and at most.
LEAST, MOST = 0.04, 0.2


def owe(peer, end):
    """Send octets one by one until the child has the socket before it is time to acknowledge the
    last one. Where the data ends then."""
    for _ in range(holding.ATTEMPTS):
        sent_at = time.monotonic()
        peer.send(seq=end, flags=ACK | PSH, payload=b"z")
        end += 1
        time.sleep(LEAST / 4)
        if holding.is_held(peer) and time.monotonic() < sent_at + LEAST / 2:
            return end
    raise Failure("the child never has the socket in time")


@case(versions=(4,), families=("newtcp",), timeout=30)
def delayed_ack_is_late(context):
    """The timer of a delayed acknowledgment finds that a process has the socket; it is sent,
    and counted, when the process lets go."""
    peer, end = busy(context)
    peer.client.setsockopt(SOL_TCP, TCP_QUICKACK, 0)
    with holding.copying(context, peer.client, PIECES):
        end = owe(peer, end)
        peer.heard_already()
        late = Count(context, context.link.a, "DelayedACKLocked")
        until = time.monotonic() + 1.5 * MOST
        while time.monotonic() < until:
            pass
        check_equal(peer.heard_already(), 0, "segments from a socket that somebody has")
        check_equal(late.grown(), 0, "what is counted before the process lets go")
        peer.hear(lambda one: one.ack == ISS + end, "the acknowledgment")
        check_equal(late.grown(), 1, "DelayedACKLocked")
    context.abort_all()
