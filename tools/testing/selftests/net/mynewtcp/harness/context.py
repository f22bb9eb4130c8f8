# SPDX-License-Identifier: GPL-2.0
"""What one case works with. close() puts everything away and proves that it is gone."""

import os
import select
import signal
import socket
import struct
import time

from . import proto_row
from .netns import Link
from .registry import Failure, check, check_equal

SOL_SOCKET = socket.SOL_SOCKET
LINGER_ABORT = struct.pack("ii", 1, 0)


class Context:
    """The case's link, sockets and children."""

    def __init__(self, settings, version):
        self.settings = settings
        self.family = settings.family
        self.scale = settings.scale
        self.version = version
        self._link = None
        self._sockets = []
        self._children = []
        self._processes = []

    @property
    def quiet(self):
        """Seconds without an event after which nothing more is under way."""
        return 0.2 * min(self.scale, 5)

    # The network.

    @property
    def link(self):
        """The veth link between namespaces a and b, made when first asked for."""
        if self._link is None:
            self._link = Link()
        return self._link

    def use(self, link):
        """Make this the case's link, a Path for instance."""
        self._link = link
        return link

    def address(self, side, port):
        """A socket address on that side."""
        return (side.address(self.version), port)

    # Sockets.

    def keep(self, sock):
        """Have the socket closed at the end of the case."""
        self._sockets.append(sock)
        return sock

    def socket(self, side, version=None, door=None):
        """A new socket of the family in that side's namespace."""
        with side.ns.inside():
            return self.keep(self.family.open(version or self.version,
                                              door or self.settings.door))

    def listener(self, side, port=7000, backlog=16, version=None, door=None):
        """A listening socket on the side's address."""
        sock = self.socket(side, version, door)
        sock.setsockopt(SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((side.address(version or self.version), port))
        sock.listen(backlog)
        return sock

    def accept(self, listener):
        """Accept one connection."""
        sock, _ = listener.accept()
        return self.keep(sock)

    def connected(self, port=7000):
        """A connection from a to b: (client on a, server on b)."""
        listener = self.listener(self.link.b, port)
        client = self.socket(self.link.a)
        client.connect(self.address(self.link.b, port))
        server = self.accept(listener)
        listener.close()
        return client, server

    @staticmethod
    def abort(sock):
        """Close with a reset."""
        sock.setsockopt(SOL_SOCKET, socket.SO_LINGER, LINGER_ABORT)
        sock.close()

    def abort_all(self):
        """Close every socket with a reset: there are peers that would never answer."""
        for sock in self._sockets:
            if sock.fileno() >= 0 and sock.type == socket.SOCK_STREAM:
                self.abort(sock)

    # Children.

    def fork(self, body):
        """Run body(send_byte) in a child; gives (pid, descriptor to read its bytes)."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                signal.setitimer(signal.ITIMER_REAL, 0)
                os.close(reader)
                body(lambda byte: os.write(writer, byte))
                status = 0
            finally:
                os._exit(status)
        os.close(writer)
        self._children.append(pid)
        return pid, reader

    def reap(self, pid):
        """Wait for a child and give its wait status."""
        self._children.remove(pid)
        return os.waitpid(pid, 0)[1]

    def start(self, side, argv, **options):
        """Start a program on one side; it is killed if it outlives the case."""
        process = side.ns.start(argv, **options)
        self._processes.append(process)
        return process

    def finish(self, process, what):
        """Wait until a program ends and check that it ended well."""
        _, errors = process.communicate()
        text = errors.decode(errors="replace").strip() if errors else ""
        check_equal(process.returncode, 0, f"{what} ended; it said {text!r}; status")

    # Waiting.

    def until(self, condition, what, seconds=10.0):
        """Wait until the condition holds, looking every few milliseconds."""
        deadline = time.monotonic() + seconds * self.scale
        while not condition():
            if time.monotonic() > deadline:
                raise Failure(f"waited {seconds * self.scale:.0f} s in vain until {what}")
            time.sleep(0.005)

    def wait_for(self, sock, events, what, seconds=10.0):
        """poll(2) for events; gives the mask."""
        poller = select.poll()
        poller.register(sock, events)
        found = poller.poll(seconds * self.scale * 1000)
        check(found, f"poll waited {seconds * self.scale:.0f} s in vain for {what}")
        return found[0][1]

    # The end.

    def close(self):
        """Close and kill what the case left, then check that the kernel has nothing of it."""
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.communicate()
        for sock in self._sockets:
            sock.close()
        if self._link is None:
            return
        try:
            self._check_nothing_left()
        finally:
            self._link.close()

    def _check_nothing_left(self):
        for ns in self._link.namespaces():
            self.until(lambda ns=ns: proto_row.sockets(ns, self.family) == 0,
                       f"no socket is left in {ns.name}", seconds=20)
        if self.settings.check_memory:
            limit = proto_row.BATCH_PAGES * os.cpu_count()
            ns = self._link.a.ns
            self.until(lambda: proto_row.memory(ns, self.family) <= limit,
                       f"at most {limit} pages are charged", seconds=20)


def sockname(sock):
    """(address, port) of getsockname, without IPv6's flow and scope."""
    return sock.getsockname()[:2]


def peername(sock):
    """(address, port) of getpeername, without IPv6's flow and scope."""
    return sock.getpeername()[:2]


def expect_error(number, what, function, *arguments):
    """Check that the call fails with this errno."""
    try:
        result = function(*arguments)
    except OSError as error:
        check_equal(error.errno, number, f"{what} fails; errno")
        return
    raise Failure(f"{what}: gave {result!r}, expected errno {number} ({os.strerror(number)})")


def receive_exactly(sock, length):
    """Read until that many bytes are there; fails on an early end."""
    parts = []
    missing = length
    while missing:
        part = sock.recv(min(missing, 1 << 20))
        check(part, f"the stream ended {missing} bytes early")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def pattern(length, seed=0):
    """Bytes that differ at every offset that matters."""
    block = b"".join(struct.pack("<I", (seed + number * 2654435761) & 0xffffffff)
                     for number in range(4096))
    return (block * (length // len(block) + 1))[:length]
