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


def unanswered(context):
    """A router, a connection whose client has sent b"first" to a server that is cut off, the
    server, and the packet that the router has heard of that."""
    router = Router(context)
    client, server = context.connected()
    port = sockname(client)[1]
    context.link.cut(context.link.b)
    client.sendall(b"first")
    packet = router.hear(lambda segment: segment.source_port == port and segment.payload,
                         "the data")
    return router, client, server, packet


@case()
def icmp_leaves_connections_alone(context):
    """RFC 5927 5.2: what is established is not ended by an ICMP error."""
    router, client, server, packet = unanswered(context)
    context.link.mend(context.link.b)
    router.complain(packet)
    check_equal(server.recv(100), b"first", "what the server read")
    server.sendall(b"answer")
    context.wait_for(client, select.POLLIN, "the answer")
    check_equal(client.recv(100), b"answer", "what the client read")


@case(families=("newtcp",))
def icmp_is_told_to_who_asks(context):
    """With IP_RECVERR a connection that stands has each ICMP error as its error and in the error
    queue, with who complained about what, and goes on; without it nothing is told."""
    level, option, origin = ((socket.IPPROTO_IP, 11, 2) if context.version == 4
                             else (socket.IPPROTO_IPV6, 25, 3))
    router, client, server, packet = unanswered(context)
    port = sockname(client)[1]
    # Host unreachable, time exceeded, protocol or port unreachable.
    kinds = {4: {(3, 1): errno.EHOSTUNREACH, (11, 0): errno.EHOSTUNREACH,
                 (3, 2): errno.ENOPROTOOPT},
             6: {(1, 3): errno.EHOSTUNREACH, (3, 0): errno.EHOSTUNREACH,
                 (1, 4): errno.ECONNREFUSED}}[context.version]
    for kind in kinds:
        router.complain(packet, kind)
    check_equal(select.select([client], [], [], 0)[0], [], "readable unasked")
    # SO_ERROR tells what is only remembered, too.
    check_equal(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), [*kinds.values()][-1],
                "SO_ERROR unasked")
    client.setsockopt(level, option, 1)
    for kind, number in kinds.items():
        router.complain(packet, kind)
        mask = context.wait_for(client, 0, "the error")
        check(mask & select.POLLERR, f"poll says {mask:#x}")
        check_equal(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), number, "SO_ERROR")
        data, control, flags, name = client.recvmsg(200, 512, socket.MSG_ERRQUEUE)
        check(flags & socket.MSG_ERRQUEUE, "the flag of an error")
        check_equal([one[:2] for one in control], [(level, option)], "control messages")
        body = control[0][2]
        told = struct.unpack_from("IBBB", body)
        check_equal(told, (number, origin, *kind), "errno, origin, type, code")
        offender = body[20:24] if context.version == 4 else body[24:40]
        check_equal(socket.inet_ntop(socket.AF_INET if context.version == 4 else socket.AF_INET6,
                                     offender), router.side.address(context.version), "offender")
        check_equal(name[:2], (context.link.b.address(context.version), 7000), "destination")
        check_equal(data[:4], struct.pack(">HH", port, 7000), "what is quoted")
        check_equal(select.select([client], [], [], 0)[0], [], "readable when all is read")
    context.link.mend(context.link.b)
    check_equal(server.recv(100), b"first", "what the server read")
    server.sendall(b"answer")
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
