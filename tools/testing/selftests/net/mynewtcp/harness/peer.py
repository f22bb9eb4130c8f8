# SPDX-License-Identifier: GPL-2.0
"""A peer that does only what the case says: it plays one end of a connection by hand.

It lives at an address that nobody has, so no kernel answers for it. Sequence numbers are
counted from the first octet of data in both directions.
"""

import errno
import socket
import struct

from .forge import ACK, SYN, Builder, Ear, ones_complement
from .registry import check_equal

ETHERTYPE = {4: 0x0800, 6: 0x86dd}
# Type and code of ICMP.
PORT_UNREACHABLE = 3, 3
MSS, SACK_PERMITTED, SACK, NO_OPERATION, TIMESTAMPS = 2, 4, 5, 1, 8
SO_SNDBUFFORCE = 32
ISS = 1_000_000
# Seconds on a fast machine that side a has for what it should send.
PATIENCE = 2.0
ALIGNED = bytes((NO_OPERATION, NO_OPERATION))


def mss_option(mss):
    """The option of a SYN."""
    return struct.pack(">BBH", MSS, 4, mss)


def sack_option(blocks):
    """Selective acknowledgments of absolute ranges."""
    if not blocks:
        return b""
    edges = b"".join(struct.pack(">II", start & 0xffffffff, end & 0xffffffff)
                     for start, end in blocks)
    return ALIGNED + bytes((SACK, 2 + len(edges))) + edges


class Wire:
    """Someone at an address that nobody has, whose packets side b puts on the wire."""

    def __init__(self, context, split=True):
        self.context = context
        self.version = context.version
        self.side, self.target = context.link.b, context.link.a
        self.ear = Ear(context, self.side)
        self.builder = Builder(self.version, context.family.ip_protocol,
                               context.link.SILENT[self.version],
                               self.target.address(self.version))
        if split:
            # Segments are heard one by one.
            context.link.offload(self.target, "tso", "off", "gso", "off")

    def put(self, raw, packet=None):
        """Send one segment's bytes, or a packet of another kind."""
        self.ear.sock.sendto(packet or self.builder.packet(raw),
                             (self.side.device, ETHERTYPE[self.version], 0, 0,
                              bytes.fromhex(self.target.mac.replace(":", ""))))

    def complain(self, segment, shift):
        """Port unreachable, over IPv4, from b's own address, quoting that segment of a's."""
        back = Builder(4, self.builder.protocol, self.target.address(4),
                       self.context.link.SILENT[4])
        quoted = back.packet(back.build(segment.source_port, segment.port,
                                        seq=segment.seq + shift, ack=segment.ack,
                                        flags=segment.flags))[:28]
        message = struct.pack(">BBHI", *PORT_UNREACHABLE, 0, 0) + quoted
        message = (message[:2] + (0xffff - ones_complement(message)).to_bytes(2, "big")
                   + message[4:])
        icmp = Builder(4, socket.IPPROTO_ICMP, self.side.address(4), self.target.address(4))
        self.put(None, icmp.packet(message))

    def segment(self, *fields, **more):
        """Build one and send it."""
        self.put(self.builder.build(*fields, **more))


class Peer(Wire):
    """The far end of a connection that side a opens (or, with `port`, that side a accepts)."""

    PORT = 7001

    def __init__(self, context, mss=1000, sack=True, clock=None, window=60_000, prepare=None,
                 ece=False, split=True):
        super().__init__(context, split)
        self.mss, self.sack, self.clock = mss, sack, clock
        self.window = window
        self.echo = 0
        self.heard_to = 0
        self.client = context.socket(self.target)
        # Room for all that a case writes before it answers.
        self.client.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 1 << 20)
        if prepare:
            prepare(self.client)
        self.client.setblocking(False)
        silent = context.link.SILENT[self.version]
        check_equal(self.client.connect_ex((silent, self.PORT)), errno.EINPROGRESS, "connect")
        self.syn = self.hear(lambda one: one.flags & SYN, "the SYN")
        self.port = self.syn.source_port
        self.theirs = self.syn.seq + 1
        self.answer(ece)
        self.hear(lambda one: one.flags & ACK, "the end of the handshake")
        self.client.setblocking(True)

    def answer(self, ece):
        """Send the SYN-ACK."""
        options = mss_option(self.mss)
        if self.sack:
            options += ALIGNED + bytes((SACK_PERMITTED, 2))
        # 0x40 is ECE.
        self.segment(self.PORT, self.port, seq=ISS - 1, ack=self.theirs,
                     flags=SYN | ACK | (0x40 if ece else 0), window=self.window,
                     options=options + self.stamp())

    def stamp(self, value=None, echo=None):
        """The timestamps option, if it was agreed on."""
        if self.clock is None:
            return b""
        return ALIGNED + struct.pack(">BBII", TIMESTAMPS, 10,
                                     (self.clock if value is None else value) & 0xffffffff,
                                     (self.echo if echo is None else echo) & 0xffffffff)

    def hear(self, wanted, what):
        """The next segment from a that the predicate wants."""
        _, found = self.ear.hear(lambda one: one.port == self.PORT and wanted(one), what,
                                 seconds=PATIENCE)
        if found.timestamps:
            self.echo = found.timestamps[0]
        return found

    def heard_already(self):
        """How many segments from a have passed that nobody listened to."""
        return sum(one.port == self.PORT for one in self.ear.already())

    def at(self, segment):
        """Where a segment's data begins, counted from the first octet."""
        return (segment.seq - self.theirs) & 0xffffffff

    def hear_data(self, start, what="data"):
        """The next segment with data that begins there."""
        return self.hear(lambda one: one.payload and self.at(one) == start,
                         f"{what} at {start}")

    def hear_upto(self, end):
        """All data up to there has been sent."""
        self.hear(lambda one: one.payload and self.at(one) + len(one.payload) >= end,
                  f"data up to {end}")

    def send(self, seq=0, ack=0, flags=ACK, payload=b"", sack=(), value=None, echo=None,
             window=None, more=b""):
        """Send a segment; the numbers count from the first octet of data."""
        blocks = [(self.theirs + start, self.theirs + end) for start, end in sack]
        self.segment(self.PORT, self.port, seq=ISS + seq, ack=self.theirs + ack, flags=flags,
                     window=self.window if window is None else window,
                     options=self.stamp(value, echo) + sack_option(blocks) + more,
                     payload=payload)


class Caller(Wire):
    """Someone who opens connections to a listener on side a."""

    def __init__(self, context, port=7000):
        super().__init__(context)
        self.port = port

    def call(self, source, options=b"", **fields):
        """Send a SYN."""
        self.segment(source, self.port, seq=ISS - 1, flags=SYN,
                     options=mss_option(1000) + options, **fields)

    def answered(self, source):
        """The SYN-ACK to it."""
        _, found = self.ear.hear(
            lambda one: one.port == source and one.flags & (SYN | ACK) == SYN | ACK,
            "the SYN-ACK", seconds=PATIENCE)
        return found

    def complete(self, source, answer, flags=ACK, shift=0, **fields):
        """Send the last segment of the handshake."""
        self.segment(source, self.port, seq=ISS, ack=answer.seq + 1 + shift, flags=flags, **fields)
