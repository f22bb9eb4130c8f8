# SPDX-License-Identifier: GPL-2.0
"""Segments that no honest peer sends. Side b forges, side a has to stand it."""

import errno
import random
import select
import socket

from harness.context import expect_error, receive_exactly, sockname
from harness.forge import ACK, FIN, PSH, RST, SYN, URG, Ear, Forge, timestamps_option
from harness.registry import case, check_equal

SEED = 0x4e54
CLOSED = 7900
SNMP = "/proc/thread-self/net/snmp"
NEWTCP_COUNTERS = "/proc/thread-self/net/mynewtcp_snmp"


class Spoofed:
    """A connection from a to b, and a forger on b that knows its sequence numbers."""

    def __init__(self, context):
        self.context = context
        self.forge = Forge(context, context.link.b)
        ear = Ear(context, context.link.b)
        self.client, self.server = context.connected()
        self.port = sockname(self.client)[1]
        self.client.sendall(b"sync")
        receive_exactly(self.server, 4)
        _, sent = ear.hear(lambda one: one.payload == b"sync", "the client's data")
        self.ack = (sent.seq + 4) & 0xffffffff
        _, last = ear.hear(lambda one: one.source_port == 7000 and one.ack == self.ack,
                           "its acknowledgment")
        self.seq = last.seq
        # A connection that has timestamps takes no segment without them, nor an
        # older one than the last.
        self.options = timestamps_option(*last.timestamps) if last.timestamps else b""
        self.forge.hear_nothing()

    def build(self, **fields):
        """A segment of the server's; sequence numbers are relative to the right ones."""
        fields.setdefault("options", self.options)
        fields["seq"] = self.seq + fields.pop("seq", 0)
        fields["ack"] = self.ack + fields.pop("ack", 0)
        return self.forge.build(7000, self.port, **fields)

    def send(self, **fields):
        """Forge one segment."""
        self.forge.send(self.build(**fields))

    def fence(self):
        """Return when all that was sent so far has been looked at.

        The link keeps the order, so the reset that answers a segment for a
        closed port is the sign.
        """
        self.forge.send(self.forge.build(6999, CLOSED, ack=0x1234567, flags=ACK))
        self.forge.hear(lambda one: one.flags & RST and one.port == 6999, "the fence's reset")

    def check_alive(self):
        """The connection still moves data both ways."""
        self.fence()
        self.client.sendall(b"still")
        check_equal(receive_exactly(self.server, 5), b"still", "what the server read")
        self.server.sendall(b"alive")
        check_equal(receive_exactly(self.client, 5), b"alive", "what the client read")


def answers(flags):
    """A predicate: exactly these of SYN, FIN, RST and ACK."""
    return lambda one: one.flags & (SYN | FIN | RST | ACK) == flags


@case()
def closed_port_answers(context):
    """RFC 9293 3.10.7.1: what a closed port answers, and that it never answers a reset."""
    forge = Forge(context, context.link.b)
    forge.send(forge.build(7001, CLOSED, seq=100, flags=SYN))
    found = forge.hear(answers(RST | ACK), "the answer to a SYN")
    check_equal((found.seq, found.ack), (0, 101), "seq and ack of the answer to a SYN")
    forge.send(forge.build(7001, CLOSED, seq=100, ack=5555, flags=ACK))
    found = forge.hear(answers(RST), "the answer to an ACK")
    check_equal(found.seq, 5555, "seq of the answer to an ACK")
    forge.send(forge.build(7001, CLOSED, seq=100, flags=FIN, payload=b"abc"))
    found = forge.hear(answers(RST | ACK), "the answer to data")
    check_equal((found.seq, found.ack), (0, 104), "seq and ack of the answer to data")
    forge.send(forge.build(7002, CLOSED, seq=1, flags=RST))
    forge.send(forge.build(7002, CLOSED, seq=1, ack=1, flags=RST | ACK))
    forge.send(forge.build(7003, CLOSED, seq=1, ack=9, flags=ACK))
    found = forge.hear(lambda one: one.port in (7002, 7003), "the answer to the last one")
    check_equal(found.port, 7003, "who was answered")


@case()
def damaged_segments_are_dropped(context):
    """Headers that are cut short, lie about their length or have a wrong checksum."""
    spoofed = Spoofed(context)
    good = spoofed.build(flags=ACK | PSH, payload=b"forged")
    damaged = [good[:length] for length in range(20)]
    words_of_good = good[12] >> 4
    damaged += [spoofed.forge.seal(good[:12] + bytes([words << 4]) + good[13:])
                for words in (0, 1, 2, 3, 4, words_of_good + 2, 15)]
    damaged += [good[:16] + bytes([good[16] ^ 1, good[17]]) + good[18:],
                good[:-1] + b"D", good[:16] + bytes(2) + good[18:]]
    for raw in damaged:
        spoofed.forge.send(raw)
    spoofed.fence()
    expect_error(errno.EAGAIN, "recv", spoofed.client.recv, 100, socket.MSG_DONTWAIT)
    spoofed.check_alive()


@case()
def damaged_segments_are_counted(context):
    """Each of them shows in a counter that an operator can read."""
    forge = Forge(context, context.link.b)
    good = forge.build(7001, CLOSED, flags=SYN, payload=b"x" * 20)
    before = drop_count(context)
    for words in (0, 4):
        forge.send(forge.seal(good[:12] + bytes([words << 4]) + good[13:]))
    for _ in range(3):
        forge.send(good[:-1] + b"D")
    forge.send(forge.build(7003, CLOSED, ack=9, flags=ACK))
    forge.hear(lambda one: one.port == 7003, "the answer to the last one")
    check_equal(drop_count(context) - before, 5, "segments counted as damaged")


def drop_count(context):
    """How many segments side a found damaged, by its own counters."""
    return counters(context.link.a.ns, context.family)["InErrs"]


def counters(ns, family):
    """The protocol's counters in that namespace."""
    if family.name == "tcp":
        names, values = (line.split() for line in ns.read(SNMP).splitlines()
                         if line.startswith("Tcp:"))
    else:
        names, values = zip(*(line.split() for line in ns.read(NEWTCP_COUNTERS).splitlines()))
    return {name: int(value) for name, value in zip(names, values) if value.isdigit()}


@case()
def reset_outside_window_is_ignored(context):
    """RFC 9293 3.10.7.4: a reset must hit the window, an ACK must not be from the future."""
    spoofed = Spoofed(context)
    for seq in (-1, -100000, 1 << 31, -(1 << 30)):
        spoofed.send(seq=seq, flags=RST)
        spoofed.send(seq=seq, flags=RST | ACK)
    spoofed.check_alive()


@case()
def reset_inside_window_is_challenged(context):
    """RFC 5961 3.2: in the window, but not the next byte: an ACK, no reset."""
    spoofed = Spoofed(context)
    spoofed.forge.hear_nothing()
    spoofed.send(seq=10, flags=RST)
    spoofed.forge.hear(answers(ACK), "the challenge")
    spoofed.check_alive()


@case()
def reset_at_next_byte_resets(context):
    """The exact sequence number ends the connection."""
    spoofed = Spoofed(context)
    spoofed.send(flags=RST)
    context.wait_for(spoofed.client, select.POLLERR, "the reset")
    expect_error(errno.ECONNRESET, "recv", spoofed.client.recv, 1)
    context.abort(spoofed.server)


@case()
def syn_inside_connection_is_challenged(context):
    """RFC 5961 4.2: a SYN in a synchronised state is answered with an ACK, never obeyed."""
    spoofed = Spoofed(context)
    for seq in (0, 10, -50000, 1 << 31):
        spoofed.forge.hear_nothing()
        spoofed.send(seq=seq, flags=SYN)
        spoofed.forge.hear(answers(ACK), f"the challenge of a SYN at {seq}")
        # Challenges may be rate-limited per connection.
        break
    spoofed.send(seq=-50000, flags=SYN | ACK)
    spoofed.check_alive()


@case()
def ack_of_the_future_is_refused(context):
    """An ACK of something never sent carries no data in."""
    spoofed = Spoofed(context)
    for ack in (1, 1000, 1 << 30, (1 << 31) - 1):
        spoofed.send(ack=ack, flags=ACK | PSH, payload=b"forged")
    spoofed.fence()
    expect_error(errno.EAGAIN, "recv", spoofed.client.recv, 100, socket.MSG_DONTWAIT)
    spoofed.check_alive()


@case()
def data_outside_window_is_answered(context):
    """Old and far data is dropped and answered with an ACK of what is expected."""
    spoofed = Spoofed(context)
    spoofed.forge.hear_nothing()
    spoofed.send(seq=-1, flags=ACK | PSH, payload=b"o")
    found = spoofed.forge.hear(answers(ACK), "the answer to old data")
    check_equal(found.ack, spoofed.seq & 0xffffffff, "the ACK")
    spoofed.send(seq=1 << 30, flags=ACK | PSH, payload=b"far")
    spoofed.fence()
    expect_error(errno.EAGAIN, "recv", spoofed.client.recv, 100, socket.MSG_DONTWAIT)
    spoofed.check_alive()


@case()
def overlapping_data_is_one_stream(context):
    """Pieces out of order, repeated and overlapping give each byte once."""
    spoofed = Spoofed(context)
    stream = bytes(range(65, 91)) * 4
    pieces = [(50, 70), (10, 30), (25, 55), (60, 104), (90, 95), (2, 12), (0, 1), (0, 104)]
    for start, end in pieces[:-1]:
        spoofed.send(seq=start, flags=ACK | PSH, payload=stream[start:end])
    spoofed.fence()
    check_equal(spoofed.client.recv(200), stream[:1], "what is in order so far")
    spoofed.send(seq=1, flags=ACK | PSH, payload=stream[1:3])
    spoofed.fence()
    check_equal(receive_exactly(spoofed.client, len(stream) - 1), stream[1:],
                "the rest, once its gap is filled")
    # The true server never sent this, so nobody but a reset can end it.
    spoofed.send(seq=len(stream), flags=RST)
    context.abort(spoofed.server)


@case()
def listener_ignores_strays(context):
    """A listener answers SYNs, resets ACKs and ignores the rest."""
    listener = context.listener(context.link.a, 7800)
    forge = Forge(context, context.link.b)
    forge.send(forge.build(7801, 7800, seq=5, flags=RST))
    forge.send(forge.build(7801, 7800, seq=5, flags=FIN))
    forge.send(forge.build(7801, 7800, seq=5, flags=0, payload=b"data"))
    forge.send(forge.build(7802, 7800, seq=5, ack=77, flags=ACK))
    found = forge.hear(lambda one: one.port in (7801, 7802), "the answer to the ACK")
    check_equal((found.port, found.flags & (RST | ACK), found.seq), (7802, RST, 77),
                "port, flags and seq of the first answer")
    listener.setblocking(False)
    expect_error(errno.EAGAIN, "accept", listener.accept)


def random_options(rng):
    """Option bytes as a fuzzer likes them: plausible kinds, wild lengths."""
    data = b""
    while rng.random() < 0.8 and len(data) < 36:
        kind = rng.choice((0, 1, 2, 3, 4, 5, 8, 19, 29, 34, 253, 254, rng.randrange(256)))
        length = rng.choice((0, 1, 2, 3, 4, 10, 18, 40, 255, rng.randrange(256)))
        data += bytes((kind, length)) + rng.randbytes(rng.randrange(9))
    return data[:40]


@case(timeout=60)
def random_segments_change_nothing(context):
    """4,000 random segments far from the window; the connection does not notice."""
    rng = random.Random(SEED)
    spoofed = Spoofed(context)
    for number in range(4000):
        raw = spoofed.build(
            seq=(1 << 31) + rng.randrange(-(1 << 29), 1 << 29),
            ack=rng.randrange(-(1 << 31), 1 << 31), flags=rng.randrange(256),
            window=rng.randrange(65536),
            options=(spoofed.options if number % 2 else b"") + random_options(rng)[:28],
            payload=rng.randbytes(rng.choice((0, 0, 1, 100))))
        if rng.random() < 0.2:
            raw = spoofed.forge.seal(raw[:12] + bytes([rng.randrange(256)]) + raw[13:])
        spoofed.forge.send(raw)
        if number % 200 == 199:
            spoofed.fence()
    spoofed.check_alive()


def fuzz(context, forge, ports, rounds):
    """Random segments from random ports to the given ones."""
    rng = random.Random(SEED + 1)
    for number in range(rounds):
        raw = forge.build(
            rng.choice((7001, 7002, rng.randrange(1, 65536))), rng.choice(ports),
            seq=rng.randrange(1 << 32), ack=rng.randrange(1 << 32),
            flags=rng.choice((0, SYN, ACK, SYN | ACK, FIN, FIN | ACK, RST, URG | ACK,
                              SYN | FIN, SYN | RST, rng.randrange(256))),
            window=rng.randrange(65536), options=random_options(rng),
            payload=rng.randbytes(rng.choice((0, 0, 1, 500))))
        if rng.random() < 0.3:
            raw = raw[:rng.randrange(len(raw) + 1)]
            raw = forge.seal(raw) if len(raw) >= 18 else raw
        forge.send(raw)
        if number % 200 == 199:
            forge.hear_nothing()


@case(timeout=60)
def random_segments_to_every_state(context):
    """Random segments to a listener, a connect under way and half-closed sockets."""
    link = context.link
    forge = Forge(context, link.b)
    listener = context.listener(link.a, 7800, backlog=64)
    trying = context.socket(link.a)
    trying.bind(context.address(link.a, 7801))
    trying.setblocking(False)
    trying.connect_ex((link.SILENT[context.version], 7001))
    halves = []
    for port in (7810, 7811):
        client, server = context.connected(port)
        halves.append((client, server))
    halves[0][0].shutdown(socket.SHUT_WR)
    halves[1][1].shutdown(socket.SHUT_WR)
    ports = [7800, 7801, CLOSED] + [sockname(client)[1] for client, _ in halves]
    fuzz(context, forge, ports, 4000)
    client = context.socket(link.b)
    client.connect(context.address(link.a, 7800))
    server = accepted_from(context, listener, sockname(client)[1])
    client.sendall(b"served")
    check_equal(receive_exactly(server, 6), b"served", "what the listener's child read")


def accepted_from(context, listener, port):
    """The accepted connection from that port; the fuzzer may have opened others."""
    while True:
        sock = context.accept(listener)
        try:
            if sock.getpeername()[1] == port:
                return sock
        except OSError:
            continue
