# SPDX-License-Identifier: GPL-2.0
"""Hand-made segments, sent and heard on a raw socket of one side."""

import select
import socket
import struct
import time
from dataclasses import dataclass

from .registry import Failure

FIN, SYN, RST, PSH, ACK, URG = (1 << bit for bit in range(6))
MIN_HEADER = 20
ETHERTYPE = {4: 0x0800, 6: 0x86dd}
# MSS 1460, as most SYNs have it.
MSS_OPTION = bytes((2, 4, 5, 180))
END_OF_OPTIONS, NO_OPERATION, TIMESTAMPS = 0, 1, 8


def ones_complement(data):
    """The folded one's complement sum of 16-bit words."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


@dataclass
class Segment:
    """A segment as it was heard."""

    source_port: int
    port: int
    seq: int
    ack: int
    flags: int
    window: int
    options: bytes
    payload: bytes

    @property
    def timestamps(self):
        """(value, echo) of the timestamps option (RFC 7323), or None."""
        rest = self.options
        while rest and rest[0] != END_OF_OPTIONS:
            if rest[0] == NO_OPERATION:
                rest = rest[1:]
                continue
            if rest[0] == TIMESTAMPS:
                return struct.unpack(">II", rest[2:10])
            rest = rest[max(rest[1], 2):]
        return None


def timestamps_option(value, echo):
    """The option, aligned as everybody sends it."""
    return struct.pack(">BBBBII", NO_OPERATION, NO_OPERATION, TIMESTAMPS, 10, value, echo)


def parse(raw):
    """A segment from its bytes."""
    source_port, port, seq, ack, offset, flags, window = struct.unpack(">HHIIBBH", raw[:16])
    header = (offset >> 4) * 4
    return Segment(source_port, port, seq, ack, flags, window,
                   raw[MIN_HEADER:header], raw[header:])


class Builder:
    """Makes segments from one address to another."""

    def __init__(self, version, protocol, source, target):
        inet = socket.AF_INET if version == 4 else socket.AF_INET6
        self.version = version
        self.protocol = protocol
        self.addresses = socket.inet_pton(inet, source) + socket.inet_pton(inet, target)

    def pseudo(self, raw):
        """The pseudo-header of a segment."""
        form = ">HH" if self.version == 4 else ">II"
        return self.addresses + struct.pack(form, self.protocol, len(raw))

    def checksum(self, raw):
        """The checksum of a segment whose checksum field is 0."""
        return 0xffff - ones_complement(self.pseudo(raw) + raw)

    def verify(self, raw):
        """Whether a segment's checksum is right, as a receiver sees it.

        0 and 0xffff are the same number to the sum, and either may be sent.
        """
        return ones_complement(self.pseudo(raw) + raw) == 0xffff

    def build(self, source_port, port, seq=0, ack=0, flags=0, window=65535, options=b"",
              payload=b"", offset=None):
        """A segment's bytes, with the right checksum; offset is in 32-bit words."""
        options += bytes(-len(options) % 4)
        words = (MIN_HEADER + len(options)) // 4 if offset is None else offset
        header = struct.pack(">HHIIBBHHH", source_port, port, seq & 0xffffffff,
                             ack & 0xffffffff, (words & 15) << 4, flags, window, 0, 0)
        return self.seal(header + options + payload)

    def seal(self, raw):
        """Put the right checksum in."""
        raw = raw[:16] + bytes(2) + raw[18:]
        return raw[:16] + struct.pack(">H", self.checksum(raw)) + raw[18:]

    def packet(self, raw):
        """The segment behind an IP header, as a capture holds it."""
        if self.version == 4:
            header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(raw), 0, 0, 64,
                                 self.protocol, 0) + self.addresses
            return (header[:10] + struct.pack(">H", 0xffff - ones_complement(header))
                    + header[12:] + raw)
        return struct.pack(">IHBB", 6 << 28, len(raw), self.protocol, 64) + self.addresses + raw


class Forge(Builder):
    """A raw socket on `side` that speaks to the other side with side's address."""

    def __init__(self, context, side):
        source = side.address(context.version)
        self.target = context.link.peer(side).address(context.version)
        super().__init__(context.version, context.family.ip_protocol, source, self.target)
        self.context = context
        inet = socket.AF_INET if self.version == 4 else socket.AF_INET6
        with side.ns.inside():
            self.raw = context.keep(socket.socket(inet, socket.SOCK_RAW, self.protocol))
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.raw.bind((source, 0))

    def send(self, raw):
        """Send the bytes behind an IP header that the kernel makes."""
        self.raw.sendto(raw, (self.target, 0))

    def hear_nothing(self):
        """Throw away what was heard so far."""
        while select.select([self.raw], [], [], 0)[0]:
            self.raw.recv(65536)

    def hear(self, wanted, what, seconds=10.0):
        """The next segment that the predicate wants."""
        deadline = time.monotonic() + seconds * self.context.scale
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.raw], [], [], left)[0]:
                raise Failure(f"waited {seconds * self.context.scale:.0f} s in vain for {what}")
            segment = self._next()
            if wanted(segment):
                return segment

    def heard(self, wanted):
        """The wanted ones among the segments that are here already."""
        found = []
        while select.select([self.raw], [], [], 0)[0]:
            segment = self._next()
            if wanted(segment):
                found.append(segment)
        return found

    def _next(self):
        raw = self.raw.recv(65536)
        # Raw IPv4 sockets show the IP header, raw IPv6 sockets do not.
        return parse(raw[(raw[0] & 15) * 4:] if self.version == 4 else raw)


class Ear:
    """A packet socket that sees what passes one side's device, in both directions."""

    HEADER_BYTES = {4: 20, 6: 40}
    PROTOCOL_OFFSET = {4: 9, 6: 6}
    # Only a socket for all protocols is shown what the device sends.
    ETH_P_ALL = 3

    def __init__(self, context, side):
        self.context = context
        self.version = context.version
        with side.ns.inside():
            self.sock = context.keep(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                                                   socket.htons(self.ETH_P_ALL)))
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            self.sock.bind((side.device, self.ETH_P_ALL))

    def _is_ours(self, packet):
        return (packet[0] >> 4 == self.version and packet[self.PROTOCOL_OFFSET[self.version]]
                == self.context.family.ip_protocol)

    def hear(self, wanted, what, seconds=10.0):
        """(IP packet, segment) of the family's next segment that the predicate wants."""
        deadline = time.monotonic() + seconds * self.context.scale
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                raise Failure(f"waited {seconds * self.context.scale:.0f} s in vain for {what}")
            packet = self.sock.recv(65536)
            if not self._is_ours(packet):
                continue
            segment = parse(packet[self.HEADER_BYTES[self.version]:])
            if wanted(segment):
                return packet, segment


    def already(self):
        """The family's segments that have passed and were not listened to."""
        found = []
        while select.select([self.sock], [], [], 0)[0]:
            packet = self.sock.recv(65536)
            if self._is_ours(packet):
                found.append(parse(packet[self.HEADER_BYTES[self.version]:]))
        return found


class Stranger:
    """Someone at an address that nobody has, whose packets b puts on the wire.

    What is sent to it vanishes, so that its half-open connections stay.
    """

    def __init__(self, context):
        self.context = context
        side, target = context.link.b, context.link.a
        self.ear = Ear(context, side)
        self.builder = Builder(context.version, context.family.ip_protocol,
                               context.link.SILENT[context.version],
                               target.address(context.version))
        self.place = (side.device, ETHERTYPE[context.version], 0, 0,
                      bytes.fromhex(target.mac.replace(":", "")))

    def send(self, *fields, **more):
        """Send one segment."""
        raw = self.builder.build(*fields, **more)
        self.ear.sock.sendto(self.builder.packet(raw), self.place)

    def flood(self, port, count):
        """Open that many connections and complete none."""
        for number in range(count):
            self.send(1024 + number, port, seq=number * 65537, flags=SYN, options=MSS_OPTION)
