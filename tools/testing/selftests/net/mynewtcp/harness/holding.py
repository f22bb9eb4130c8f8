# SPDX-License-Identifier: GPL-2.0
"""Catch a process in the middle of a system call, so that it has the socket.

A child copies what is queued into fresh memory, over and over, at the lowest priority. The case
runs at the highest, on the same processor: when it wakes up, the child stands wherever it was,
mostly at a page fault with the socket locked, and stays there until the case sleeps.
"""

import contextlib
import mmap
import os
import socket
import time

from .knobs import Count
from .registry import Failure

PAGE = mmap.PAGESIZE
# How long to look, on a fast machine, and how long the child runs in between, in seconds.
PATIENCE, GAP = 5.0, 0.003
PIECE = 500


def _copy_forever(sock, pieces):
    """Peek at what is queued, each piece into a page that is not there yet."""
    memory = mmap.mmap(-1, pieces * PAGE)
    views = [memoryview(memory)[at * PAGE:at * PAGE + PIECE] for at in range(pieces)]
    while True:
        memory.madvise(mmap.MADV_DONTNEED)
        sock.recvmsg_into(views, 0, socket.MSG_PEEK)


@contextlib.contextmanager
def copying(context, sock, pieces):
    """A child at work on the socket, as long as the body runs. Pieces are of PIECE octets."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})

    def body(_):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        _copy_forever(sock, pieces)

    pid, reader = context.fork(body)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, before)
        os.close(reader)
        os.kill(pid, 9)
        context.reap(pid)


def is_held(peer):
    """The child has the socket. Then an ICMP error is dropped, and leaves no trace but a count;
    otherwise it quotes what is not under way, and leaves none either."""
    dropped = Count(peer.context, peer.target, "LockDroppedIcmps")
    peer.complain(peer.syn, 1 << 20)
    return dropped.grown() > 0


def attempts(context):
    """Turns to look at the child, until it has had time enough to be caught."""
    deadline = time.monotonic() + PATIENCE * context.scale
    while time.monotonic() < deadline:
        yield
    raise Failure("the child never has the socket in time")


def catch(peer):
    """Return as soon as the child has the socket."""
    for _ in attempts(peer.context):
        time.sleep(GAP)
        if is_held(peer):
            return
