# SPDX-License-Identifier: GPL-2.0
"""Connections between the same hosts are flows of their own: to what spreads packets over
processors and queues, and to what shares a link between flows.
"""

import select
import socket
import struct

from cases.offload_cut import SOL_PACKET, Tap, builder_from
from harness.forge import ACK, Ear, parse
from harness.registry import case, check, check_equal

PACKET_FANOUT, PACKET_FANOUT_HASH = 18, 0
GROUP, MEMBERS, FLOWS = 253, 4, 64
PORT = 7810
IP_BYTES = {4: 20, 6: 40}


def members(context, side):
    """Packet sockets that share what arrives at a side's device by the hash of its flow."""
    found = []
    with side.ns.inside():
        for _ in range(MEMBERS):
            sock = context.keep(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                                              socket.htons({4: 0x0800, 6: 0x86dd}
                                                           [context.version])))
            sock.bind((side.device, {4: 0x0800, 6: 0x86dd}[context.version]))
            sock.setsockopt(SOL_PACKET, PACKET_FANOUT,
                            struct.pack("=HH", GROUP, PACKET_FANOUT_HASH))
            sock.setblocking(False)
            found.append(sock)
    return found


def drain(context, sock, owners, number):
    """Note who got which flow; gives how many packets there were."""
    count = 0
    while select.select([sock], [], [], 0)[0]:
        packet = sock.recv(2048)
        if packet[Ear.PROTOCOL_OFFSET[context.version]] != context.family.ip_protocol:
            continue
        segment = parse(packet[IP_BYTES[context.version]:])
        if segment.port == PORT:
            owners.setdefault(segment.source_port, set()).add(number)
            count += 1
    return count


@case(timeout=30)
def offload_flows_spread(context):
    """Who spreads packets by the hash of their flow spreads connections, not hosts."""
    link = context.link
    group = members(context, link.b)
    builder, mouth = builder_from(context, link.a), Tap(context, link.a)
    for turn in range(2):
        for flow in range(FLOWS):
            mouth.send(builder.packet(builder.build(10000 + flow, PORT, seq=turn, flags=ACK)))
    owners, arrived = {}, 0

    def all_arrived():
        nonlocal arrived
        arrived += sum(drain(context, sock, owners, number)
                       for number, sock in enumerate(group))
        return arrived >= 2 * FLOWS
    context.until(all_arrived, "all packets have arrived")
    check_equal(len(owners), FLOWS, "flows that arrived")
    check(all(len(who) == 1 for who in owners.values()), f"a flow was torn apart: {owners}")
    used = set().union(*owners.values())
    check_equal(len(used), MEMBERS, "members that got flows")


@case(versions=(6,), timeout=30)
def offload_flows_have_labels(context):
    """Each connection has a hash of its own on the sender: IPv6 shows it as the flow label."""
    link = context.link
    ear = Ear(context, link.b)
    labels = []
    for number in range(4):
        client, server = context.connected(PORT + 1)
        client.sendall(b"x" * (number + 1))
        server.recv(10)
        port = client.getsockname()[1]
        found = set()
        for length in (0, number + 1):
            packet, _ = ear.hear(lambda segment, length=length: segment.source_port == port
                                 and len(segment.payload) == length, "a segment of the client")
            found.add(struct.unpack(">I", packet[:4])[0] & 0xfffff)
        check_equal(len(found), 1, "labels of one connection")
        labels += found
        client.close()
        server.close()
    check(0 not in labels, "a segment without a label")
    check(len(set(labels)) > 1, "all connections have the same label")
