# SPDX-License-Identifier: GPL-2.0
"""What happens while a process has the socket."""

import array
import fcntl
import termios
import time

from harness import holding
from harness.forge import ACK, PSH
from harness.knobs import Count
from harness.peer import ISS
from harness.registry import case, check_equal
from recipes.held import PIECES, busy
from recipes.receiver import SOL_TCP, TCP_QUICKACK

# Seconds: how long an acknowledgment is delayed at least, and at most.
LEAST, MOST = 0.04, 0.2


def unread(sock):
    """FIONREAD; when it returns, everything that has come for the socket was looked at."""
    answer = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, answer)
    return answer[0]


def owe(context, peer, end):
    """Send octets one by one, each after the acknowledgment of the one before, until the child
    has the socket and the last one is not acknowledged. Where the data ends then."""
    for _ in holding.attempts(context):
        peer.heard_already()
        sent_at = time.monotonic()
        peer.send(seq=end, flags=ACK | PSH, payload=b"z")
        end += 1
        context.until(lambda wanted=end: unread(peer.client) == wanted, "the octet has come")
        time.sleep(holding.GAP)
        held = holding.is_held(peer)
        if held and time.monotonic() < sent_at + LEAST / 2 and not peer.heard_already():
            return end
        peer.send(seq=-20, payload=b"again")
        peer.hear(lambda one, wanted=ISS + end: one.ack == wanted, "the acknowledgment")
        peer.client.setsockopt(SOL_TCP, TCP_QUICKACK, 0)
    return end


@case(versions=(4,), families=("newtcp",), timeout=30)
def delayed_ack_is_late(context):
    """The timer of a delayed acknowledgment finds that a process has the socket; it is sent,
    and counted, when the process lets go."""
    peer, end = busy(context)
    peer.client.setsockopt(SOL_TCP, TCP_QUICKACK, 0)
    with holding.copying(context, peer.client, PIECES):
        end = owe(context, peer, end)
        late = Count(context, context.link.a, "DelayedACKLocked")
        until = time.monotonic() + 1.5 * MOST
        while time.monotonic() < until:
            pass
        check_equal(peer.heard_already(), 0, "segments from a socket that somebody has")
        check_equal(late.grown(), 0, "what is counted before the process lets go")
        peer.hear(lambda one: one.ack == ISS + end, "the acknowledgment")
        check_equal(late.grown(), 1, "DelayedACKLocked")
    context.abort_all()
