# SPDX-License-Identifier: GPL-2.0
"""What a receiver gives memory to: its buffer follows the path, and no peer gets more."""

import socket
import struct
import threading

from cases.forged import Spoofed, counters
from harness.context import pattern, receive_exactly
from harness.forge import ACK
from harness.registry import case, check, check_equal

TOTAL = 6 << 20
BLOCK = 256 << 10
TCP_INFO = 11
SO_MEMINFO = 55
# Where struct tcp_info has them.
RCV_SSTHRESH, RCV_RTT, RCV_SPACE = 64, 92, 96
DATA_SEGS_IN, RCV_OOOPACK, RCV_WND = 152, 224, 232
# What one buffer may cost that is taken when the rest is full.
ONE_BUFFER = 8192


def info(sock, offset):
    """A number of struct tcp_info."""
    raw = sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 256)
    return struct.unpack_from("=I", raw, offset)[0]


def memory(sock):
    """(octets of memory in the receive queues, receive buffer)."""
    raw = sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36)
    return struct.unpack_from("=II", raw)


def move(client, server):
    """Move TOTAL octets from client to server, and check them."""
    block = pattern(BLOCK, seed=9)
    sender = threading.Thread(
        target=lambda: [client.sendall(block) for _ in range(TOTAL // BLOCK)])
    sender.start()
    for _ in range(TOTAL // BLOCK):
        check(receive_exactly(server, BLOCK) == block, "the bytes are not the ones that were sent")
    sender.join()


def slow(context):
    """A round trip of 20 ms."""
    for side in (context.link.a, context.link.b):
        context.link.netem(side, "limit", "20000", "delay", "10ms")


@case(timeout=120)
def buffer_grows_with_the_path(context):
    """A fast reader on a long path gets a large buffer and window, up to rmem's maximum."""
    slow(context)
    client, server = context.connected()
    before = server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    move(client, server)
    after = server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    check(after >= 2 * before, f"the receive buffer went from {before} to {after} only")
    knob = "ipv4.tcp_rmem" if context.family.name == "tcp" else "mynewtcp.rmem"
    path = "/proc/sys/net/" + knob.replace(".", "/")
    most = int(context.link.b.ns.read(path).split()[2])
    check(after <= most, f"{after} is more than the maximum {most}")
    check(info(server, RCV_WND) > 65535, f"the window is {info(server, RCV_WND)} only")
    rtt = info(server, RCV_RTT)
    check(15_000 <= rtt <= 2_000_000, f"the receiver takes the round trip for {rtt} us")
    check(info(server, RCV_SPACE) > 65535, f"rcv_space is {info(server, RCV_SPACE)}")
    check(info(server, RCV_SSTHRESH) > 65535, f"rcv_ssthresh is {info(server, RCV_SSTHRESH)}")
    check(info(server, DATA_SEGS_IN) > 100, f"data_segs_in is {info(server, DATA_SEGS_IN)}")
    sent = client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    check(sent > 65536, f"the send buffer is {sent} only")


@case(timeout=120)
def buffer_stays_as_it_was_set(context):
    """SO_RCVBUF ends it, and so does moderate_rcvbuf = 0."""
    slow(context)
    client, server = context.connected()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100_000)
    before = server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    move(client, server)
    check_equal(server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF), before,
                "a buffer that was set")
    name = "ipv4.tcp_moderate_rcvbuf" if context.family.name == "tcp" else \
        "mynewtcp.moderate_rcvbuf"
    context.link.b.ns.write_sysctl("net." + name, "0")
    client, server = context.connected(7001)
    before = server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    move(client, server)
    check_equal(server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF), before,
                "a buffer that may not grow")


def watched(spoofed, count, place):
    """Forge segments of one octet and check the memory now and then; gives the most."""
    most = 0
    for number in range(count):
        spoofed.send(seq=place(number), flags=ACK, payload=b"x")
        if number % 200 == 199:
            spoofed.fence()
            used, limit = memory(spoofed.client)
            most = max(most, used)
            check(used <= limit + ONE_BUFFER, f"{used} octets of memory are in use of {limit}")
    return most


def delta(context, before, name):
    """How far a counter of side a has moved, 0 for one that this family does not show here."""
    after = counters(context.link.a.ns, context.family)
    return after.get(name, 0) - before.get(name, 0)


@case(timeout=120)
def tiny_segments_out_of_order_are_bounded(context):
    """A flood of them, each in a buffer of its own, does not get more than the receive buffer."""
    spoofed = Spoofed(context)
    spoofed.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 40_000)
    before = counters(context.link.a.ns, context.family)
    for place in (lambda n: 1 + 2 * n, lambda n: 30_001 - 2 * n, lambda n: 1 + n * 7919 % 30_000):
        most = watched(spoofed, 2000, place)
        check(most > 20_000, f"only {most} octets of memory: no flood")
    if context.family.name != "tcp":
        for name in ("PruneCalled", "OfoPruned", "OFODrop"):
            check(delta(context, before, name) > 0, f"{name} did not move")
    check(info(spoofed.client, RCV_OOOPACK) > 1000, "out-of-order segments were not counted")
    spoofed.check_alive()


@case(timeout=120)
def tiny_segments_for_a_reader_that_never_reads(context):
    """They are moved together; what was promised is kept, and all of it can be read."""
    spoofed = Spoofed(context)
    spoofed.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 40_000)
    before = counters(context.link.a.ns, context.family)
    count = 800
    watched(spoofed, count, lambda n: n)
    spoofed.fence()
    check_equal(receive_exactly(spoofed.client, count), b"x" * count, "what was read")
    check(memory(spoofed.client)[0] <= ONE_BUFFER, "memory was not given back")
    # The two no longer agree on any number, and would not find an end.
    context.abort(spoofed.client)
    context.abort(spoofed.server)
    if context.family.name != "tcp":
        moved = delta(context, before, "RcvCollapsed") + delta(context, before, "RcvCoalesce")
        check(moved > count // 2, f"only {moved} buffers were merged")
