# SPDX-License-Identifier: GPL-2.0
"""What RFC 9293 requires of a host and no other case looks at."""

import errno
import select
import socket

from cases.icmp import ETHERTYPE, Router, connecting
from harness.context import expect_error, receive_exactly
from harness.forge import ACK, RST, SYN, Builder, Ear, Forge
from harness.registry import case, check, check_equal

EVERYONE = {4: ("10.9.0.255", "255.255.255.255", "224.0.0.1"), 6: ("ff02::1", "ff05::9")}
# A class without congestion bits, which are not the user's.
CLASS, HOPS = 0x28, 77


def syn_of(context, ear, port):
    """The initial sequence number of a connect from this port that is refused."""
    client = context.socket(context.link.a)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(context.address(context.link.a, port))
    expect_error(errno.ECONNREFUSED, "connect", client.connect,
                 context.address(context.link.b, 7999))
    client.close()
    return ear.hear(lambda one: one.source_port == port and one.flags & SYN, "a SYN")[1].seq


@case()
def initial_sequence_numbers_differ(context):
    """RFC 6528: one four-tuple counts on with the clock, others are somewhere else."""
    ear = Ear(context, context.link.b)
    first, second = (syn_of(context, ear, 7100) for _ in range(2))
    check(0 < (second - first) % (1 << 32) < 1 << 31, f"{second} does not follow {first}")
    others = [syn_of(context, ear, 7101 + n) for n in range(5)]
    far = [n for n in others if (1 << 24) < (n - second) % (1 << 32) < (1 << 32) - (1 << 24)]
    check(far, f"{others} can be guessed from {second}")


def send_raw(context, ear, source, target, raw_of):
    """Send a segment from anyone to anyone, to side a's hardware address."""
    builder = Builder(context.version, context.family.ip_protocol, source, target)
    ear.sock.sendto(builder.packet(raw_of(builder)),
                    (context.link.b.device, ETHERTYPE[context.version], 0, 0,
                     bytes.fromhex(context.link.a.mac.replace(":", ""))))


@case()
def everyone_is_no_peer(context):
    """MUST-46, 57, 63: broadcast and multicast addresses neither connect nor are answered."""
    version, link = context.version, context.link
    listener = context.socket(link.a)
    listener.bind(("0.0.0.0" if version == 4 else "::", 7000))
    listener.listen()
    ear, forge = Ear(context, link.b), Forge(context, link.b)
    mine, theirs = link.b.address(version), link.a.address(version)
    for number, everyone in enumerate(EVERYONE[version]):
        for port in (7000, 7999):
            send_raw(context, ear, mine, everyone,
                     lambda one, n=number, port=port: one.build(6000 + n, port, flags=SYN))
        send_raw(context, ear, everyone, theirs,
                 lambda one, n=number: one.build(6100 + n, 7000, flags=SYN))
    # The link keeps the order: what comes after is answered, what came before was not.
    forge.send(forge.build(6999, 7000, flags=SYN))
    heard = []
    forge.hear(lambda one: heard.append(one.port) or one.port == 6999, "the answer to the last")
    check_equal(heard, [6999], "who was answered")
    for everyone in EVERYONE[version]:
        client = context.socket(link.a)
        client.setblocking(False)
        address = (everyone, 7000) if version == 4 else (everyone, 7000, 0, 0)
        refused = client.connect_ex(address)
        check(refused in (errno.EACCES, errno.ENETUNREACH, errno.EINVAL, errno.EADDRNOTAVAIL),
              f"connect to {everyone}: {errno.errorcode.get(refused, refused)}")


def class_and_hops(version, packet):
    """The two fields of an IP header."""
    if version == 4:
        return packet[1], packet[8]
    return (packet[0] & 15) << 4 | packet[1] >> 4, packet[7]


@case()
def class_and_hops_are_the_users(context):
    """MUST-48, 49: both fields are what the user wants, and may change while connected."""
    ear = Ear(context, context.link.b)
    client, server = context.connected()
    level, names = ((socket.IPPROTO_IP, (socket.IP_TOS, socket.IP_TTL)) if context.version == 4
                    else (socket.IPPROTO_IPV6, (socket.IPV6_TCLASS, socket.IPV6_UNICAST_HOPS)))
    for n, wanted in enumerate([(CLASS, HOPS), (CLASS * 2, HOPS + 1)]):
        for name, value in zip(names, wanted):
            client.setsockopt(level, name, value)
        text = f"message {n}".encode()
        client.sendall(text)
        check_equal(receive_exactly(server, len(text)), text, "what arrived")
        packet, _ = ear.hear(lambda one, text=text: one.payload == text, "the message")
        found = class_and_hops(context.version, packet)
        check_equal((found[0] & ~3, found[1]), wanted, "class and hops")


@case(versions=(4,))
def ip_options_do_no_harm(context):
    """MUST-50: a SYN behind IP options, known and unknown, is a SYN."""
    listener = context.listener(context.link.a)
    forge = Forge(context, context.link.b)
    for number, options in enumerate((b"\x01\x01\x01\x00", b"\x9e\x04\x00\x00")):
        forge.raw.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, options)
        forge.send(forge.build(6200 + number, 7000, flags=SYN))
        found = forge.hear(lambda one, n=number: one.port == 6200 + n, "an answer")
        check_equal(found.flags & (SYN | ACK | RST), SYN | ACK, "what was answered")
    listener.close()


@case(versions=(4,))
def source_quench_is_nothing(context):
    """MUST-55: nobody is told of a source quench, and nothing ends or slows down."""
    router = Router(context)
    client, syn = connecting(context, router)
    router.complain(syn, kind=(4, 0))
    # The retransmitted SYN shows that the connect lives on; the message came first.
    router.hear(lambda segment: segment.port == 7001, "the SYN once more")
    check_equal(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0, "SO_ERROR")
    check(not select.select([], [client], [], 0)[1], "the attempt is over")
