# SPDX-License-Identifier: GPL-2.0
"""Who uses how much of NEW_TCP's memory, and limits that a case may set."""

import contextlib
import os
import socket

SOCKSTAT = "/proc/thread-self/net/mynewtcp_sockstat"
MEM = "/proc/sys/net/mynewtcp/mem"
BLOCK = bytes(16384)
SO_SNDBUFFORCE = 32


def usage(ns):
    """The namespace's mynewtcp_sockstat: a dictionary of numbers for each line."""
    found = {}
    for line in ns.read(SOCKSTAT).splitlines():
        name, _, rest = line.partition(": ")
        words = rest.split()
        found[name] = {key: int(value) for key, value in zip(words[::2], words[1::2])}
    return found


class Pool:
    """The memory of one side's namespace, or of the whole host."""

    def __init__(self, context, side, where):
        self.context, self.side, self.where = context, side, where
        self.line = "memory" if where == "namespace" else "host_memory"

    def read(self):
        """The numbers of this pool: pages, low, pressure, high, under_pressure..."""
        return usage(self.side.ns)[self.line]

    @property
    def pages(self):
        """Pages in use, exact."""
        return self.read()["pages"]

    @property
    def pressed(self):
        """Whether memory is short."""
        return self.read()["under_pressure"] == 1

    @property
    def slack(self):
        """How far the count that is held against the limits may be off, pages."""
        if self.where == "namespace":
            return self.read()["high"] // 16 + 1
        return self.per_cpu_reserve() + 1

    def per_cpu_reserve(self):
        """What CPUs keep from the host's count, all together."""
        return usage(self.side.ns)["host_memory"]["per_cpu_reserve"] * os.cpu_count()

    def set(self, *limits):
        """Set low, pressure, high."""
        text = " ".join(map(str, limits))
        if self.where == "namespace":
            self.side.ns.write_sysctl("net.mynewtcp.mem", text)
        else:
            with open(MEM, "w", encoding="ascii") as file:
                file.write(text)

    @contextlib.contextmanager
    def limits(self, *limits):
        """These limits while the body runs."""
        with open(MEM, encoding="ascii") as file:
            before = file.read().split()
        self.set(*limits)
        try:
            yield self
        finally:
            self.set(*before)


class Hog:
    """A connection that sends from one side to a peer that never reads.

    When memory is short, its send buffer shrinks unless it was fixed by SO_SNDBUF.
    """

    def __init__(self, context, side, port, fixed=0):
        other = context.link.peer(side)
        listener = context.socket(other)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(context.address(other, port))
        listener.listen(1)
        self.client = context.socket(side)
        if fixed:
            self.client.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, fixed)
        self.client.connect(context.address(other, port))
        self.server = context.accept(listener)
        listener.close()
        self.client.setblocking(False)

    def feed(self, enough):
        """Send until enough() or the socket takes no more; says whether it was enough."""
        while not enough():
            try:
                self.client.send(BLOCK)
            except BlockingIOError:
                return enough()
        return True

    def end(self, context):
        """Both ends let go at once."""
        context.abort(self.client)
        context.abort(self.server)


def roomy(side, octets=16 << 20):
    """Sockets that are made on this side from now on may queue that much."""
    side.ns.write_sysctl("net.mynewtcp.wmem", f"4096 {octets} {octets}")
