# SPDX-License-Identifier: GPL-2.0
"""Congestion control by name, marks instead of losses, a limit to the rate."""

import errno
import os
import socket
import struct
import time

from harness.context import expect_error, receive_exactly
from harness.knobs import set_knob
from harness.registry import case, check, check_equal

SOL_TCP = socket.SOL_TCP
SO_MAX_PACING_RATE = 47
TCP_CC_INFO = 26
OPT_ECN, OPT_ECN_SEEN = 8, 16
ECN_MODE_RFC3168 = 1
NOBODY = 65534


def algorithm(sock):
    """The name that TCP_CONGESTION tells."""
    return sock.getsockopt(SOL_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()


def choose(sock, name):
    """Set TCP_CONGESTION."""
    sock.setsockopt(SOL_TCP, socket.TCP_CONGESTION, name.encode())


def info(sock):
    """TCP_INFO as it lies in memory."""
    return sock.getsockopt(SOL_TCP, socket.TCP_INFO, 280)


def delivered_ce(sock):
    """Segments that were delivered with a mark, as the sender knows it."""
    return struct.unpack_from("I", info(sock), 196)[0]


@case()
def congestion_control_has_a_name(context):
    """Chosen before and during a connection, and by a listener for those it accepts."""
    listener = context.listener(context.link.b)
    choose(listener, "reno")
    client = context.socket(context.link.a)
    check_equal(algorithm(client), "cubic", "the default")
    choose(client, "reno")
    client.connect(context.address(context.link.b, 7000))
    server = context.accept(listener)
    check_equal(algorithm(client), "reno", "chosen before the connection")
    check_equal(algorithm(server), "reno", "inherited")
    choose(client, "cubic")
    check_equal(algorithm(client), "cubic", "chosen during it")
    expect_error(errno.ENOENT, "a name that nobody has", choose, client, "cubi")
    expect_error(errno.EINVAL, "no name", choose, client, "")
    check_equal(client.getsockopt(SOL_TCP, TCP_CC_INFO, 64), b"", "what CUBIC tells")
    client.sendall(b"x" * 100_000)
    receive_exactly(server, 100_000)


@case(families=("newtcp",))
def congestion_control_is_restricted(context):
    """DCTCP is for administrators, and tells of itself and of the last mark that came."""
    sock = context.socket(context.link.a)

    def as_nobody(_tell):
        os.setuid(NOBODY)
        choose(sock, "reno")
        expect_error(errno.EPERM, "DCTCP for everybody", choose, sock, "dctcp")

    pid, reader = context.fork(as_nobody)
    os.close(reader)
    check_equal(context.reap(pid), 0, "status of the child")
    choose(sock, "dctcp")
    listener = context.listener(context.link.b)
    # Its SYN may be marked, which only one of its kind takes for an offer.
    choose(listener, "dctcp")
    sock.connect(context.address(context.link.b, 7000))
    server = context.accept(listener)
    check(info(sock)[5] & OPT_ECN, "DCTCP asks for ECN whatever the knob says")
    told = sock.getsockopt(SOL_TCP, TCP_CC_INFO, 64)
    check_equal(struct.unpack_from("HHI", told), (1, 0, 1024), "what DCTCP begins with")
    for marked in (1, 0):
        if marked:
            context.link.a.ns.run(["tc", "qdisc", "add", "dev", "a0", "root",
                                   "netem", "loss", "100%", "ecn"])
        else:
            context.link.a.ns.run(["tc", "qdisc", "del", "dev", "a0", "root"])
        sock.sendall(b"x" * 1000)
        receive_exactly(server, 1000)
        told = struct.unpack_from("HH", server.getsockopt(SOL_TCP, TCP_CC_INFO, 64))
        check_equal(told, (1, marked), "what its receiver knows of marks")


@case(families=("newtcp",), versions=(4,))
def congestion_control_is_allowed_by_the_host(context):
    """The first namespace says what anybody may choose, and that goes for all of them."""
    path = "/proc/sys/net/mynewtcp/allowed_congestion_control"
    ns = context.link.a.ns
    sock = context.socket(context.link.a)

    def write(words):
        with open(path, "w", encoding="ascii") as file:
            file.write(words)

    def as_nobody(_tell):
        os.setuid(NOBODY)
        choose(sock, "dctcp")

    expect_error(errno.EACCES, "written elsewhere", ns.write_sysctl,
                 "net.mynewtcp.allowed_congestion_control", "reno")
    expect_error(errno.ENOENT, "a name that nobody has", write, "cubic nonesuch")
    check_equal(ns.read(path).split(), ["cubic", "reno"], "the list after a mistake")
    write("reno dctcp cubic")
    try:
        check_equal(ns.read(path).split(), ["cubic", "reno", "dctcp"], "the list")
        pid, reader = context.fork(as_nobody)
        os.close(reader)
        check_equal(context.reap(pid), 0, "status of the child")
        check_equal(algorithm(sock), "dctcp", "chosen by nobody in particular")
        ns.write_sysctl("net.mynewtcp.congestion_control", "dctcp")
        check_equal(algorithm(context.socket(context.link.a)), "dctcp", "the default")
    finally:
        write("cubic reno")


@case()
def ecn_marks_take_the_place_of_losses(context):
    """A queue that marks: its marks come back, and all arrives."""
    set_knob(context, context.link.a, "ecn", 1)
    client, server = context.connected()
    for sock in (client, server):
        check(info(sock)[5] & OPT_ECN, "both ends agree on ECN")
    context.link.a.ns.run(["tc", "qdisc", "add", "dev", "a0", "root",
                           "netem", "loss", "20%", "ecn"])
    for _ in range(200):
        client.sendall(b"x" * 10_000)
        receive_exactly(server, 10_000)
        if delivered_ce(client):
            break
    check(delivered_ce(client) > 0, "marks are echoed")
    marked, _, capable, in_marked = struct.unpack_from("I12xIII", info(server), 248)
    check(marked > 0 and in_marked > 0, "the receiver counts what is marked")
    received = struct.unpack_from("Q", info(server), 128)[0]
    check(received - 10_000 < capable + in_marked, "all of it could have been")
    check(info(server)[5] & OPT_ECN_SEEN, "it has seen ECN")
    check_equal(info(server)[276] & 3, ECN_MODE_RFC3168, "the mode")


@case()
def ecn_is_not_offered_by_itself(context):
    """The default accepts offers and makes none."""
    client, server = context.connected()
    for sock in (client, server):
        check_equal(info(sock)[5] & OPT_ECN, 0, "the option")


@case()
def max_pacing_rate_is_kept(context):
    """SO_MAX_PACING_RATE holds a transfer back that would take no time otherwise."""
    client, server = context.connected()
    rate, length = 2_000_000, 1_000_000
    client.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, rate)
    begun = time.monotonic()

    def feed(_tell):
        server.close()
        client.sendall(bytes(length))

    _, reader = context.fork(feed)
    os.close(reader)
    receive_exactly(server, length)
    passed = time.monotonic() - begun
    # A late timer may be made up for by half of each gap.
    check(passed > 0.4 * length / rate, f"{length} octets took {passed:.3f} s")
    told = info(client)
    check_equal(struct.unpack_from("Q", told, 112)[0], rate, "tcpi_max_pacing_rate")
    check(struct.unpack_from("Q", told, 104)[0] <= rate, "tcpi_pacing_rate is too high")
