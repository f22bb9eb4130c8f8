# SPDX-License-Identifier: GPL-2.0
"""What happens when the protocol has no memory left: everybody moves on, nobody takes more."""

import contextlib
import os
import resource
import select
import socket
import time

from harness import kernel, proto_row
from harness.context import LINGER_ABORT, SOL_SOCKET, pattern, receive_exactly
from harness.forge import ACK, MSS_OPTION, PSH, RST, SYN, Forge, Stranger
from harness.knobs import counters, host_knob
from harness.registry import Failure, case, check

CONNECTIONS = kernel.bulk(500)
# What each end of each connection sends.
EACH = 20_000


class Pool:
    """net.mynewtcp.mem while a case runs, and what is charged meanwhile, all in pages."""

    def __init__(self, context, low, pressure, high):
        self.context = context
        self.limits = (low, pressure, high)
        self.seen = []
        # What processors have in hand and the limits do not know of.
        self.slack = proto_row.BATCH_PAGES * os.cpu_count()

    def set(self):
        """Have these limits while the body runs."""
        return host_knob(self.context, "mem", " ".join(map(str, self.limits)))

    def look(self):
        """What is charged now, exactly."""
        self.seen.append(counters(self.context.link.a.ns, self.context.family)["MemPages"])
        return self.seen[-1]

    def was_never_above(self):
        """Nobody got more than there is."""
        high = self.limits[2]
        check(max(self.seen) <= high + self.slack, f"{max(self.seen)} pages, {high} are allowed")

    def was_full(self):
        """All that is not promised to somebody was given away, throughout."""
        pressure = self.limits[1]
        check(min(self.seen) >= pressure - self.slack,
              f"usage was down to {min(self.seen)} pages, with {pressure} there is pressure")


@contextlib.contextmanager
def many_files():
    """Let this process open as many files as the cases here need."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(8192, before[1])))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Home:
    """Connections over loopback, all in namespace a."""

    def __init__(self, context, port=7000):
        self.context = context
        self.address = ("127.0.0.1" if context.version == 4 else "::1", port)
        self.listener = context.socket(context.link.a)
        self.listener.bind(self.address)
        self.listener.listen(64)

    def connect(self):
        """A new connection: (client, server), neither of which blocks."""
        client = self.context.socket(self.context.link.a)
        client.connect(self.address)
        server = self.context.accept(self.listener)
        client.setblocking(False)
        server.setblocking(False)
        return client, server


def stuff(sock):
    """Send until nothing more goes at once."""
    block = bytes(65536)
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(block)


def fill(pool, home):
    """Data that nobody reads, until the protocol has no page left but what is promised."""
    for _ in range(400):
        client, _ = home.connect()
        stuff(client)
        if pool.look() > pool.limits[1]:
            return
    check(False, f"400 hoarders hold only {pool.seen[-1]} pages")


class End:
    """One end of a connection: sends its bytes and reads the other's."""

    def __init__(self, sock, number):
        self.sock = sock
        self.data, self.wanted = (pattern(EACH, seed=number), pattern(EACH, seed=number ^ 1))
        self.sent, self.found = 0, bytearray()

    def send(self):
        """Send what goes."""
        with contextlib.suppress(BlockingIOError):
            self.sent += self.sock.send(self.data[self.sent:])

    def receive(self):
        """Read what is there."""
        with contextlib.suppress(BlockingIOError):
            self.found += self.sock.recv(1 << 16)

    def mask(self):
        """What it waits for."""
        return ((select.EPOLLIN if len(self.found) < EACH else 0)
                | (select.EPOLLOUT if self.sent < EACH else 0))


def exchange_all(context, pairs, watch, seconds):
    """Every end of every connection sends EACH bytes and gets the other's."""
    ends = [End(sock, 2 * number + side)
            for number, pair in enumerate(pairs) for side, sock in enumerate(pair)]
    by_fd = {end.sock.fileno(): end for end in ends}
    poller = select.epoll()
    for fd, end in by_fd.items():
        poller.register(fd, end.mask())
    deadline = time.monotonic() + seconds * context.scale
    while by_fd:
        if time.monotonic() > deadline:
            stuck = [f"{end.sent} sent and {len(end.found)} read" for end in by_fd.values()]
            raise Failure(f"{len(stuck)} of {len(ends)} ends are not ready: {stuck[:4]}")
        for fd, mask in poller.poll(1.0, 50):
            end = by_fd[fd]
            if mask & select.EPOLLIN:
                end.receive()
            if mask & select.EPOLLOUT:
                end.send()
            if end.mask():
                poller.modify(fd, end.mask())
            else:
                poller.unregister(fd)
                del by_fd[fd]
        watch()
    poller.close()
    for end in ends:
        check(end.found == end.wanted, "the bytes are not the ones that were sent")


@case(timeout=60, families=("newtcp",))
def a_thousand_sockets_without_memory(context):
    """With the pool full, each socket still sends and receives, by its minimum.

    They are 1,000, or fewer where everything is checked.
    """
    home = Home(context)
    # Six pages are promised to each, and some sockets hoard.
    pool = Pool(context, 4000, 5000, 5000 + 2 * CONNECTIONS * 6 + 2000)
    with many_files(), pool.set():
        pairs = [home.connect() for _ in range(CONNECTIONS)]
        fill(pool, home)
        pool.seen.clear()
        exchange_all(context, pairs, pool.look, seconds=30)
    pool.was_full()
    pool.was_never_above()


# Hostile peers.

# Connections that an attack has, and segments that it sends between two looks.
ATTACKERS, VOLLEY = 48, 600
VOLLEYS = 8
SENDERS = 60 if kernel.has("KASAN") else 200
HALF_OPEN = kernel.bulk(10_000)


def open_from(stranger, port, listener):
    """A stranger's connection from this port to a listener; gives its number for the ACKs."""
    stranger.send(port, 7000, seq=0, flags=SYN, options=MSS_OPTION)
    _, answer = stranger.ear.hear(
        lambda one: one.port == port and one.flags & (SYN | ACK) == SYN | ACK, "the SYN-ACK")
    stranger.send(port, 7000, seq=1, ack=answer.seq + 1, flags=ACK)
    context = stranger.context
    context.wait_for(listener, select.POLLIN, "the connection")
    # Its end cannot be an orderly one.
    context.accept(listener).setsockopt(SOL_SOCKET, socket.SO_LINGER, LINGER_ABORT)
    return answer.seq + 1


class Siege:
    """Strangers with connections to side a, where nobody reads, and a witness beside them."""

    def __init__(self, context, *limits):
        self.context = context
        self.pool = Pool(context, *limits)
        self.witness = context.connected(7001)
        self.forge = Forge(context, context.link.b)
        self.stranger = Stranger(context)
        self.listener = context.listener(context.link.a, 7000, backlog=4096)

    def open(self):
        """The attackers' connections: port and their next number for each."""
        return [(port, open_from(self.stranger, port, self.listener))
                for port in range(2000, 2000 + ATTACKERS)]

    def fence(self):
        """Return when side a has looked at all that was sent so far."""
        self.forge.send(self.forge.build(6999, 7999, ack=0x1234567, flags=ACK))
        self.forge.hear(lambda one: one.flags & RST and one.port == 6999, "the fence's reset")
        self.forge.hear_nothing()

    def look(self):
        """After a volley: what is charged, and that the witness moves."""
        self.fence()
        number = self.pool.look()
        for sender, receiver in (self.witness, self.witness[::-1]):
            data = pattern(4000, seed=number)
            sender.sendall(data)
            check(receive_exactly(receiver, len(data)) == data, "the witness got wrong bytes")

    def pressed(self):
        """It was an attack: memory was short."""
        most, pressure = max(self.pool.seen), self.pool.limits[1]
        check(most >= pressure - self.pool.slack, f"only {most} pages, pressure is at {pressure}")


def besiege(context, segment):
    """Volleys of one-byte segments to all connections; segment(n) says at which offset."""
    siege = Siege(context, 512, 768, 1024)
    with siege.pool.set():
        victims = siege.open()
        for volley in range(VOLLEYS):
            for number in range(VOLLEY):
                turn, which = divmod(volley * VOLLEY + number, ATTACKERS)
                port, ack = victims[which]
                siege.stranger.send(port, 7000, seq=1 + segment(turn), ack=ack,
                                    flags=ACK | PSH, payload=b"x")
            siege.look()
    siege.pool.was_never_above()
    return siege


@case(timeout=60, families=("newtcp",))
def tiny_segments_stay_below_the_limit(context):
    """One byte each, in order, to readers that do not read: they are merged."""
    siege = besiege(context, lambda turn: turn)
    check(max(siege.pool.seen) < 8 * ATTACKERS, f"{siege.pool.seen} pages")


@case(timeout=60, families=("newtcp",))
def scattered_segments_stay_below_the_limit(context):
    """One byte each, none next to another: they are thrown away."""
    besiege(context, lambda turn: 1 + 2 * (turn * 7919 % 20_000)).pressed()


@case(timeout=60, families=("newtcp",))
def half_open_connections_stay_below_the_limit(context):
    """HALF_OPEN handshakes that nobody completes cost nothing of the pool."""
    siege = Siege(context, 512, 768, 1024)
    before = siege.pool.look()
    with siege.pool.set():
        for volley in range(10):
            for number in range(volley, HALF_OPEN, 10):
                siege.stranger.send(1024 + number, 7000, seq=number * 65537, flags=SYN,
                                    options=MSS_OPTION)
            siege.look()
    siege.pool.was_never_above()
    check(max(siege.pool.seen) <= before + siege.pool.slack, f"{siege.pool.seen} pages")


@case(timeout=60, families=("newtcp",))
def readers_that_never_read_stay_below_the_limit(context):
    """As much as each of many senders gets rid of, to readers that do not read."""
    # What is promised to the last is still there when the first have taken the rest.
    siege = Siege(context, 512, 800, 800 + 16 * SENDERS)
    with many_files(), siege.pool.set():
        senders = []
        for _ in range(SENDERS):
            senders.append(context.socket(context.link.b))
            senders[-1].connect(context.address(context.link.a, 7000))
            context.accept(siege.listener)
        for _ in range(3):
            for number, client in enumerate(senders):
                client.setblocking(False)
                stuff(client)
                if number % 20 == 19:
                    siege.look()
    siege.pool.was_never_above()
    siege.pressed()
