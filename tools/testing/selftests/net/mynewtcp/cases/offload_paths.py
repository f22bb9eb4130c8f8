# SPDX-License-Identifier: GPL-2.0
"""Superpackets through bridges, routers and tun devices: cut where they have to be."""

import socket

from cases.transfer import exchange
from harness import paths
from harness.forge import SYN, Builder, Ear, parse
from harness.registry import Failure, case, check, check_equal

BYTES = 1 << 20
SO_RCVBUFFORCE = 33
IP_BYTES = {4: 20, 6: 40}


class Wire(Ear):
    """Keeps every packet of the family that one side's device sees, until asked."""

    def __init__(self, context, side):
        super().__init__(context, side)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 26)

    def packets(self):
        """Everything so far."""
        found = []
        self.sock.setblocking(False)
        while True:
            try:
                packet = self.sock.recv(1 << 17)
            except BlockingIOError:
                return found
            offset = self.PROTOCOL_OFFSET[self.version]
            if packet[0] >> 4 == self.version and packet[offset] == self.context.family.ip_protocol:
                found.append(packet)


def check_packet(context, packet, mtu, path):
    """One packet as it has to be on a wire of that MTU."""
    check(len(packet) <= mtu, f"a packet of {len(packet)} bytes on a wire for {mtu}")
    raw = packet[IP_BYTES[context.version]:]
    side = path.a if packet[12:16] == socket.inet_aton(path.a.address(4)) or \
        packet[8:24] == socket.inet_pton(socket.AF_INET6, path.a.address(6)) else path.b
    builder = Builder(context.version, context.family.ip_protocol,
                      side.address(context.version), path.peer(side).address(context.version))
    check(builder.verify(raw), f"the checksum of {packet[:64].hex()}")


def check_wire(context, packets, mtu, path):
    """Sizes and checksums of all packets."""
    check(len(packets) > 2 * BYTES // mtu, f"only {len(packets)} packets were seen")
    for packet in packets:
        check_packet(context, packet, mtu, path)
    segments = [parse(packet[IP_BYTES[context.version]:]) for packet in packets]
    full = max(len(segment.payload) for segment in segments)
    check(full > mtu - 100, f"segments of {full} bytes at most")
    check(any(segment.flags & SYN for segment in segments), "no SYN was seen")


def no_merging(path, *sides):
    """Show what passes, not what GRO makes of it."""
    for side in sides:
        path.offload(side, "gro", "off")


@case(timeout=60)
def offload_through_a_bridge(context):
    """Superpackets pass a bridge whole, or cut where a port cannot take them."""
    path = context.use(paths.Bridged())
    exchange(context, BYTES, 7700)
    path.set_middle("tso", "off", "gso", "off", "tx", "off")
    no_merging(path, path.b)
    wire = Wire(context, path.b)
    path.offload(path.b, "tso", "off", "gso", "off", "tx", "off")
    exchange(context, BYTES, 7701)
    check_wire(context, wire.packets(), 1500, path)


@case(timeout=60)
def offload_through_a_router(context):
    """A router with a smaller MTU behind it: superpackets of smaller segments."""
    path = context.use(paths.Routed(mtu_a=4000, mtu_b=1300))
    exchange(context, BYTES, 7702)
    path.set_middle("tso", "off", "gso", "off", "tx", "off")
    path.offload(path.b, "tso", "off", "gso", "off", "tx", "off")
    no_merging(path, path.b)
    wire = Wire(context, path.b)
    exchange(context, BYTES, 7703)
    check_wire(context, wire.packets(), 1300, path)


@case(timeout=60)
def offload_merged_by_a_router(context):
    """What a router's GRO has merged leaves it cut again."""
    path = context.use(paths.Routed())
    path.set_middle("gro", "on", "tso", "off", "gso", "off", "tx", "off")
    for side in (path.a, path.b):
        path.offload(side, "tso", "off", "gso", "off", "tx", "off")
    no_merging(path, path.b)
    wire = Wire(context, path.b)
    exchange(context, BYTES, 7704)
    check_wire(context, wire.packets(), 1500, path)


@case(timeout=60)
def offload_through_tun(context):
    """A tun device that takes nothing but packets: all of them whole, small and summed."""
    path = context.use(paths.Tunnelled())
    exchange(context, BYTES, 7705)
    packets = [packet for partial, kind, packet in path.seen
               if packet[0] >> 4 == context.version and of_family(context, packet)]
    check(not any(partial or kind for partial, kind, _ in path.seen), "an offload was asked for")
    check_wire(context, packets, 1500, path)


def of_family(context, packet):
    """A packet of the family that the case is about."""
    return packet[Ear.PROTOCOL_OFFSET[context.version]] == context.family.ip_protocol


def packets_made(context, side):
    """Packets that the namespace of that side has handed to IP, whole superpackets too."""
    if context.version == 6:
        rows = dict(line.split() for line in
                    side.ns.read("/proc/thread-self/net/snmp6").splitlines())
        return int(rows["Ip6OutRequests"])
    lines = [line.split() for line in side.ns.read("/proc/thread-self/net/snmp").splitlines()
             if line.startswith("Ip:")]
    return int(dict(zip(*lines))["OutRequests"])


@case(timeout=60)
def offload_above_a_poor_device(context):
    """A device that can nothing at all is sent superpackets too: they are cut before it."""
    path = context.use(paths.Bridged())
    for side in (path.a, path.b):
        path.offload(side, "tx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off")
    wire = Wire(context, path.b)
    before = packets_made(context, path.a)
    exchange(context, BYTES, 7707)
    made = packets_made(context, path.a) - before
    packets = wire.packets()
    check_wire(context, packets, 1500, path)
    check(made < len(packets) // 2, f"{made} packets were made for {len(packets)} on the wire")


@case(timeout=60, families=("newtcp",))
def offload_never_as_tcp(context):
    """A device that cuts TCP's superpackets gets none of ours, whose checksum it may make."""
    path = context.use(paths.Tunnelled(offloads=True))
    exchange(context, BYTES, 7706)
    seen = [found for found in path.seen
            if found[2][0] >> 4 == context.version and of_family(context, found[2])]
    check(len(seen) > 2 * BYTES // 1500, f"only {len(seen)} packets were seen")
    for _, kind, packet in seen:
        check_equal(kind, 0, "the kind of superpacket that the device was given")
        check(len(packet) <= 1500, f"a packet of {len(packet)} bytes on a device for 1500")


@case(timeout=60)
def offload_heeds_limits(context):
    """No superpacket has more bytes or segments than its device takes."""
    link = context.link
    ip = IP_BYTES[context.version]
    largest = {}
    for number, (size, segs) in enumerate(((65536, 65535), (20000, 65535), (65536, 4))):
        link.a.ns.ip(f"link set a0 gso_max_size {size} gso_ipv4_max_size {size} "
                     f"gso_max_segs {segs}")
        wire = Wire(context, link.a)
        exchange(context, BYTES, 7710 + number)
        sent = [len(packet) - ip for packet in wire.packets()
                if parse(packet[ip:]).port == 7710 + number]
        wire.sock.close()
        largest[size, segs] = max(sent)
    check(largest[65536, 65535] > 20000, f"the largest superpackets: {largest}")
    check(2 * 1500 < largest[20000, 65535] <= 20000, f"the largest superpackets: {largest}")
    check(2 * 1500 < largest[65536, 4] <= 4 * 1460 + 60, f"the largest superpackets: {largest}")


@case(timeout=30)
def first_flight_is_full(context):
    """A new connection has room for all of its initial window (RFC 6928) at once."""
    link = context.link
    client, server = context.connected(7720)
    ends = [client, server]
    link.cut()
    for side, sock in zip((link.a, link.b), ends):
        port = sock.getsockname()[1]
        ear = Ear(context, side)
        sock.setblocking(False)
        mss = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        for number in range(10):
            # One by one: each is a buffer of its own.
            try:
                check_equal(sock.send(bytes(mss)), mss, f"bytes taken of segment {number}")
            except BlockingIOError:
                raise Failure(f"there was no room for segment {number}") from None
        missing = 10 * mss
        while missing > 0:
            missing -= len(ear.hear(lambda segment, port=port: segment.source_port == port
                                    and segment.payload, f"{missing} bytes more")[1].payload)
    for sock in ends:
        context.abort(sock)
