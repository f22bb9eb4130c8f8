# SPDX-License-Identifier: GPL-2.0
"""ICMP errors: the ones that a router sends, and the ones that an attacker guesses."""

import errno
import select
import socket
import struct

from harness.context import sockname
from harness.forge import Builder, Ear, ones_complement
from harness.knobs import Count
from harness.registry import case, check, check_equal

ETHERTYPE = {4: 0x0800, 6: 0x86dd}
# Type and code of "port unreachable" (RFC 792, RFC 4443).
PORT_UNREACHABLE = {4: (3, 3), 6: (1, 4)}


class Router:
    """Side b as a router: it sees what a sends to nobody and complains about it.

    It writes its packets to the device itself, so it is heard while b is cut off.
    """

    def __init__(self, context):
        self.version = context.version
        self.side, self.target = context.link.b, context.link.a
        self.ear = Ear(context, self.side)
        protocol = socket.IPPROTO_ICMP if self.version == 4 else socket.IPPROTO_ICMPV6
        self.builder = Builder(self.version, protocol, self.side.address(self.version),
                               self.target.address(self.version))

    def hear(self, wanted, what):
        """The next packet whose segment the predicate wants."""
        return self.ear.hear(wanted, what)[0]

    def complain(self, packet, kind=None, shift=0, word=0):
        """Send an ICMP error that quotes the packet, its sequence number shifted."""
        start = Ear.HEADER_BYTES[self.version] + 4
        seq = (int.from_bytes(packet[start:start + 4], "big") + shift) & 0xffffffff
        quoted = packet[:start] + seq.to_bytes(4, "big") + packet[start + 4:start + 32]
        number, code = kind or PORT_UNREACHABLE[self.version]
        message = struct.pack(">BBHI", number, code, 0, word) + quoted
        # Only ICMPv6 has a pseudo-header.
        checksum = (0xffff - ones_complement(message) if self.version == 4
                    else self.builder.checksum(message))
        message = message[:2] + checksum.to_bytes(2, "big") + message[4:]
        self.ear.sock.sendto(self.builder.packet(message),
                             (self.side.device, ETHERTYPE[self.version], 0, 0,
                              bytes.fromhex(self.target.mac.replace(":", ""))))


def connecting(context, router):
    """A connect to nobody that is under way, and its SYN."""
    client = context.socket(context.link.a)
    client.setblocking(False)
    silent = context.link.SILENT[context.version]
    check_equal(client.connect_ex((silent, 7001)), errno.EINPROGRESS, "connect")
    return client, router.hear(lambda segment: segment.port == 7001, "the SYN")


@case()
def icmp_refuses_connect(context):
    """Port unreachable while connecting is ECONNREFUSED at once."""
    router = Router(context)
    client, syn = connecting(context, router)
    router.complain(syn)
    context.wait_for(client, select.POLLERR, "the refusal")
    check_equal(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), errno.ECONNREFUSED,
                "SO_ERROR")


@case()
def icmp_must_quote_what_was_sent(context):
    """RFC 5927 4.1: an error that quotes another sequence number is a guess."""
    router = Router(context)
    client, syn = connecting(context, router)
    for shift in (-1, 1 << 31, -100000):
        router.complain(syn, shift=shift)
    # The retransmitted SYN shows that the connect lives on; the errors came first.
    again = router.hear(lambda segment: segment.port == 7001, "the SYN once more")
    check_equal(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0, "SO_ERROR")
    router.complain(again)
    context.wait_for(client, select.POLLERR, "the refusal that is true")


@case()
def icmp_leaves_connections_alone(context):
    """RFC 5927 5.2: what is established is not ended by an ICMP error."""
    router = Router(context)
    client, server = context.connected()
    port = sockname(client)[1]
    context.link.cut(context.link.b)
    client.sendall(b"first")
    packet = router.hear(lambda segment: segment.source_port == port and segment.payload,
                         "the data")
    context.link.mend(context.link.b)
    router.complain(packet)
    check_equal(server.recv(100), b"first", "what the server read")
    server.sendall(b"answer")
    context.wait_for(client, select.POLLIN, "the answer")
    check_equal(client.recv(100), b"answer", "what the client read")


@case(timeout=60)
def icmp_lowers_the_path_mtu(context):
    """Packet too big makes segments smaller, but not below what IP guarantees."""
    router = Router(context)
    client, server = context.connected()
    port = sockname(client)[1]
    for side in (context.link.a, context.link.b):
        context.link.offload(side, "tx", "off")
    client.sendall(b"x" * 3000)
    router.hear(lambda segment: segment.source_port == port and len(segment.payload) > 1300,
                "a full segment")
    receive(server, 3000)
    kind, limit = ((3, 4), 1000) if context.version == 4 else ((2, 0), 1300)
    context.link.cut(context.link.b)
    client.sendall(b"y" * 10)
    packet = router.hear(lambda segment: segment.payload == b"y" * 10, "the small segment")
    router.complain(packet, kind, word=limit)
    context.link.mend(context.link.b)
    receive(server, 10)
    client.sendall(b"z" * 20000)
    receive(server, 20000)
    sizes = []
    while sum(sizes) < 20000:
        _, segment = router.ear.hear(lambda segment: b"z" in segment.payload, "the rest")
        sizes.append(len(segment.payload))
    check(max(sizes) + Ear.HEADER_BYTES[context.version] + 20 <= limit,
          f"a segment of {max(sizes)} bytes does not fit {limit}")


@case(timeout=60)
def icmp_path_mtu_must_quote_what_was_sent(context):
    """RFC 5927 7.2: a "too big" that quotes another sequence number changes nothing."""
    router = Router(context)
    client, server = context.connected()
    port = sockname(client)[1]
    for side in (context.link.a, context.link.b):
        context.link.offload(side, "tx", "off")
    ignored = Count(context, context.link.a, "OutOfWindowIcmps")
    client.sendall(b"x" * 3000)
    packet = router.hear(lambda segment: segment.source_port == port
                         and len(segment.payload) > 1300, "a full segment")
    receive(server, 3000)
    kind = (3, 4) if context.version == 4 else (2, 0)
    for shift in (1 << 20, -(1 << 20), 1 << 31):
        router.complain(packet, kind, shift=shift, word=1280)
    context.until(lambda: ignored.grown() == 3, "all three are ignored")
    client.sendall(b"z" * 3000)
    router.hear(lambda segment: b"z" in segment.payload and len(segment.payload) > 1300,
                "a full segment once more")
    receive(server, 3000)


def receive(sock, length):
    """Read and forget that many bytes."""
    while length:
        length -= len(sock.recv(length))
