# SPDX-License-Identifier: GPL-2.0
"""Cutting and merging, header by header: hand-made frames into a veth, and what comes out."""

import select
import socket
import struct
import time

from harness.context import pattern
from harness.forge import (ACK, FIN, PSH, RST, SYN, URG, Builder, ones_complement, parse,
                           timestamps_option)
from harness.registry import Failure, case, check, check_equal

SOL_PACKET, PACKET_VNET_HDR = 263, 15
VNET_HDR = struct.Struct("<BBHHHH")
NEEDS_CSUM = 1
GSO_TCPV4, GSO_TCPV6, GSO_ECN = 1, 4, 0x80
ETHERNET_BYTES, CHECKSUM_OFFSET = 14, 16
ETH_P = {4: 0x0800, 6: 0x86dd}
IP_BYTES = {4: 20, 6: 40}
ECE, CWR = 1 << 6, 1 << 7
# Nobody listens there: what arrives is looked at on its way.
PORTS = (7801, 7800)
LAST = 7809
MSS = 100


class Tap:
    """A packet socket on one side's device that tells of offloads."""

    def __init__(self, context, side):
        self.context = context
        self.version = context.version
        with side.ns.inside():
            self.sock = context.keep(socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                                   socket.htons(3)))
            self.sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
            self.sock.bind((side.device, ETH_P[self.version]))
        peer = context.link.peer(side)
        self.ethernet = bytes.fromhex((peer.mac + side.mac).replace(":", "")) + \
            struct.pack(">H", ETH_P[self.version])

    def send(self, packet, header=bytes(10)):
        """Send an IP packet behind an offload header."""
        self.sock.send(header + self.ethernet + packet)

    def receive(self, source_port):
        """(offload header, IP packet) of the next segment from that port or from LAST."""
        while True:
            if not select.select([self.sock], [], [], 5 * self.context.scale)[0]:
                raise Failure("a frame did not arrive")
            frame = self.sock.recv(1 << 17)
            packet = frame[VNET_HDR.size + ETHERNET_BYTES:]
            raw = packet[IP_BYTES[self.version]:]
            port, target = struct.unpack(">HH", raw[:4])
            if target == PORTS[1] and port in (source_port, LAST):
                return VNET_HDR.unpack(frame[:VNET_HDR.size]), packet


def builder_from(context, side):
    """Makes segments of the family from that side to the other."""
    return Builder(context.version, context.family.ip_protocol, side.address(context.version),
                   context.link.peer(side).address(context.version))


def partial(builder, raw):
    """The segment with the sum of the pseudo-header in place of the checksum."""
    form = ">HH" if builder.version == 4 else ">II"
    pseudo = builder.addresses + struct.pack(form, builder.protocol, len(raw))
    return raw[:16] + struct.pack(">H", ones_complement(pseudo)) + raw[18:]


def cut(context, flags, length, options=b""):
    """Send a superpacket through a device that cuts in software; gives the IP packets."""
    link = context.link
    link.offload(link.a, "tso", "off", "gso", "off", "tx", "off")
    link.offload(link.b, "gro", "off")
    builder = builder_from(context, link.a)
    data = pattern(length, seed=5)
    raw = partial(builder, builder.build(*PORTS, seq=0xffffff80, ack=77, flags=flags,
                                         options=options, payload=data))
    packet = builder.packet(raw)
    ip = IP_BYTES[context.version]
    kind = {4: GSO_TCPV4, 6: GSO_TCPV6}[context.version] | (GSO_ECN if flags & CWR else 0)
    header = VNET_HDR.pack(NEEDS_CSUM, kind, ETHERNET_BYTES + ip + len(raw) - length, MSS,
                           ETHERNET_BYTES + ip, CHECKSUM_OFFSET)
    ear, mouth = Tap(context, link.b), Tap(context, link.a)
    mouth.send(packet, header)
    mouth.send(builder.packet(builder.build(LAST, PORTS[1], flags=ACK)))
    found = []
    while True:
        packet = ear.receive(PORTS[0])[1]
        segment = parse(packet[ip:])
        if segment.source_port == LAST:
            return data, builder, found
        found.append(packet)


def check_cut(context, flags, length, options=b""):
    """Every field of every segment of a superpacket."""
    data, builder, packets = cut(context, flags, length, options)
    ip = IP_BYTES[context.version]
    segments = [parse(packet[ip:]) for packet in packets]
    check_equal(len(segments), -(-length // MSS), "segments of the superpacket")
    check_equal(b"".join(segment.payload for segment in segments), data, "payload")
    last = len(segments) - 1
    for place, (packet, segment) in enumerate(zip(packets, segments)):
        expected = flags
        if place != last:
            expected &= ~(PSH | FIN)
        if place != 0:
            expected &= ~CWR
        check_equal(segment.flags, expected, f"flags of segment {place}")
        check_equal(segment.seq, (0xffffff80 + place * MSS) & 0xffffffff, f"seq of {place}")
        check_equal((segment.ack, segment.options), (77, options), f"header of {place}")
        raw = packet[ip:]
        check(builder.verify(raw), f"checksum of segment {place}: {raw[16:18].hex()}")
        if context.version == 4:
            check_equal(ones_complement(packet[:ip]), 0xffff, f"IP checksum of {place}")
            check_equal(struct.unpack(">HH", packet[2:6]), (len(packet), place),
                        f"IP length and identification of {place}")
        else:
            check_equal(struct.unpack(">H", packet[4:6])[0], len(raw), f"IP length of {place}")


@case(timeout=60)
def offload_cut_fields(context):
    """Sequence numbers, flags, options, checksums and lengths of a cut superpacket."""
    check_cut(context, ACK | PSH | FIN | CWR | ECE, 12 * MSS + 7, timestamps_option(1234, 4321))


@case(timeout=60)
def offload_cut_plain(context):
    """The same with nothing special, and with segments that all are full."""
    check_cut(context, ACK, 5 * MSS)


class Merger:
    """Sends segments in one go and tells what GRO has made of them."""

    # Nanoseconds that GRO waits for more, and polls without an interrupt.
    WAIT, POLLS = 200_000_000, 10

    def __init__(self, context):
        self.context = context
        link = context.link
        link.offload(link.a, "tx", "off")
        link.offload(link.b, "gro", "on")
        link.b.ns.run(["unshare", "--mount", "sh", "-c",
                       "mount -t sysfs none /sys && cd /sys/class/net/b0 && "
                       f"echo {self.POLLS} >napi_defer_hard_irqs && "
                       f"echo {self.WAIT} >gro_flush_timeout"])
        self.builder = builder_from(context, link.a)
        self.ear, self.mouth = Tap(context, link.b), Tap(context, link.a)

    def segment(self, seq, length, flags=ACK, ports=PORTS, **more):
        """A segment's bytes; its payload follows from its sequence number."""
        more = {"ack": 77, "options": timestamps_option(5, 6), **more}
        return self.builder.build(*ports, seq=seq, flags=flags,
                                  payload=pattern(seq + length)[seq:], **more)

    def merge(self, *raws):
        """(offload header, segment, bytes) of each packet that comes out.

        Where the sender stood still meanwhile GRO has waited long enough, so it is done again.
        """
        for _ in range(10):
            begun = time.monotonic_ns()
            self.volley(raws)
            in_time = time.monotonic_ns() - begun < self.WAIT // 2
            found = self.collect(raws)
            if in_time:
                break
        return found

    def volley(self, raws):
        """Send them, and the end."""
        for raw in raws:
            self.mouth.send(self.builder.packet(raw))
        self.mouth.send(self.builder.packet(self.builder.build(LAST, PORTS[1], flags=ACK | PSH)))

    def collect(self, raws):
        """All that comes out of a volley."""
        # The end is a pure acknowledgment, which never waits: what waits comes later.
        found, ip, missing = [], IP_BYTES[self.context.version], len(raws)
        while missing > 0:
            header, packet = self.ear.receive(PORTS[0])
            segment = parse(packet[ip:])
            if segment.source_port != LAST:
                found.append((header, segment, packet[ip:]))
                missing -= max(-(-len(segment.payload) // header[3]), 1) if header[3] else 1
        return found

    def sizes(self, *raws):
        """Payload bytes of each packet that comes out."""
        return [len(segment.payload) for _, segment, _ in self.merge(*raws)]


@case(timeout=60)
def offload_merge_in_order(context):
    """Equal segments in order become one: its flags, its kind, and a pseudo-header's sum."""
    merger = Merger(context)
    whole = [merger.segment(number * MSS, MSS) for number in range(6)]
    found = merger.merge(*whole, merger.segment(6 * MSS, 30, ACK | PSH))
    check_equal(len(found), 1, "packets after GRO")
    header, segment, raw = found[0]
    check_equal(segment.payload, pattern(6 * MSS + 30), "payload")
    check_equal((segment.seq, segment.flags), (0, ACK | PSH), "sequence number and flags")
    kind = {4: GSO_TCPV4, 6: GSO_TCPV6}[context.version]
    check_equal((header[0] & NEEDS_CSUM, header[1], header[3]), (NEEDS_CSUM, kind, MSS),
                "checksum is to be made, kind, segment size")
    check_equal(partial(merger.builder, raw)[16:18], raw[16:18], "sum of the pseudo-header")


@case(timeout=60)
def offload_merge_refused(context):
    """Whatever differs keeps segments apart."""
    merger = Merger(context)
    first, second = merger.segment(0, MSS), merger.segment(MSS, MSS)
    apart = {
        "a gap": merger.segment(2 * MSS, MSS),
        "a repetition": first,
        "another acknowledgment": merger.segment(MSS, MSS, ack=78),
        "other timestamps": merger.segment(MSS, MSS, options=timestamps_option(5, 7)),
        "no options": merger.segment(MSS, MSS, options=b""),
        "another window": merger.segment(MSS, MSS, window=1),
        "ECE": merger.segment(MSS, MSS, ACK | ECE),
        "CWR": merger.segment(MSS, MSS, ACK | CWR),
        "URG": merger.segment(MSS, MSS, ACK | URG),
        "RST": merger.segment(MSS, MSS, ACK | RST),
        "SYN": merger.segment(MSS, MSS, ACK | SYN),
        "a longer segment": merger.segment(MSS, MSS + 1),
    }
    for what, other in apart.items():
        check_equal(merger.sizes(first, other), [MSS, len(parse(other).payload)], what)
    damaged = bytearray(second)
    damaged[-1] ^= 1
    check_equal(merger.sizes(first, bytes(damaged)), [MSS, MSS], "a wrong checksum")
    check_equal(merger.sizes(first, merger.segment(MSS, 0)), [MSS, 0], "no payload")
    check_equal(merger.sizes(first, merger.segment(MSS, 10), merger.segment(MSS + 10, MSS)),
                [MSS + 10, MSS], "after a short segment")
    check_equal(merger.sizes(merger.segment(0, MSS, ACK | PSH), second), [MSS, MSS],
                "after PSH")
    check_equal(merger.sizes(first, merger.segment(MSS, MSS, ACK | FIN)), [2 * MSS],
                "FIN on the last")


@case(timeout=60)
def offload_merge_large(context):
    """No more than 64 KiB become one packet."""
    merger = Merger(context)
    raws = [merger.segment(number * 1400, 1400) for number in range(60)]
    sizes = merger.sizes(*raws)
    check_equal(sum(sizes), 60 * 1400, "payload")
    check(max(sizes) > 20000, f"packets of {sizes} bytes")
    check(max(sizes) < 65536, f"packets of {sizes} bytes")
