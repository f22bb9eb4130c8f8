# SPDX-License-Identifier: GPL-2.0
"""What is noted of a route counts for the connections that take it, and so do rules."""

import errno
import socket

from cases import congestion
from cases.congestion import algorithm, choose
from cases.reading import drained
from cases.receiving import RCV_WND, info
from harness.context import expect_error, receive_exactly
from harness.knobs import counters, set_knob
from harness.registry import case, check, check_equal

WINDOW_CLAMP = 10
# Where struct tcp_info has them.
OPTIONS, RTO, SND_SSTHRESH, SND_CWND, REORDERING = 5, 8, 76, 80, 88
USES_ECN = 8
NOTED = ("initcwnd 4 initrwnd 6 window 30000 ssthresh 7 reordering 9 rto_min 700ms "
         "congctl reno features ecn")
LARGEST_MSS = 1460


def note(context, side, metrics):
    """Have metrics on the route from side to the other one."""
    peer = context.link.peer(side).address(context.version)
    width = {4: 32, 6: 128}[context.version]
    side.ns.ip(f"route replace {peer}/{width} dev {side.device} {metrics}")


def check_noted(context, sock, initiates):
    """The connection is as NOTED says."""
    check_equal(info(sock, SND_CWND), 4, "the congestion window, segments")
    timeout, window = info(sock, RTO), info(sock, RCV_WND)
    check(timeout >= 700_000, f"a time-out of {timeout} us")
    check(window <= 6 * LARGEST_MSS, f"a first window of {window} bytes")
    check_equal(algorithm(sock), "reno", "congestion control")
    check_equal(sock.getsockopt(socket.IPPROTO_TCP, WINDOW_CLAMP), 30_000, "the largest window")
    if initiates:
        check(congestion.info(sock)[OPTIONS] & USES_ECN, "no explicit congestion notification")
    if context.family.name != "tcp":
        # TCP asks its cache for these, which knows the peer only after the first connection.
        check_equal(info(sock, SND_SSTHRESH), 7, "the slow start threshold, segments")
        check_equal(info(sock, REORDERING), 9, "reordering, segments")


@case()
def route_metrics_of_who_connects(context):
    """Windows, time-out, congestion control and notification of the side that connects."""
    note(context, context.link.a, NOTED)
    client, server = context.connected()
    check_noted(context, client, initiates=True)
    check_equal(algorithm(server), "cubic", "congestion control of the other side")
    client.sendall(b"x" * 100_000)
    receive_exactly(server, 100_000)
    server.sendall(b"y" * 100_000)
    receive_exactly(client, 100_000)


@case()
def route_metrics_of_who_accepts(context):
    """The same of the side that is connected to; its listener stays as it was."""
    note(context, context.link.b, NOTED)
    listener = context.listener(context.link.b)
    client = context.socket(context.link.a)
    client.connect(context.address(context.link.b, 7000))
    server = context.accept(listener)
    check_noted(context, server, initiates=False)
    check_equal(algorithm(listener), "cubic", "congestion control of the listener")
    server.sendall(b"y" * 100_000)
    receive_exactly(client, 100_000)


@case(families=("newtcp",))
def route_metrics_before_the_users(context):
    """The route comes before what the user chose for later, and after what he chooses now."""
    note(context, context.link.a, "congctl reno")
    listener = context.listener(context.link.b)
    client = context.socket(context.link.a)
    choose(client, "cubic")
    client.connect(context.address(context.link.b, 7000))
    context.accept(listener)
    check_equal(algorithm(client), "reno", "as the route wants")
    choose(client, "cubic")
    check_equal(algorithm(client), "cubic", "chosen during the connection")


@case(families=("newtcp",))
def route_metrics_quick_acknowledgments(context):
    """A route may want acknowledgments at once, whatever the user wants."""
    ns = context.link.b.ns
    # The sender does not ask by itself before the acknowledgment is due.
    set_knob(context, context.link.a, "early_retrans", 0)

    def delayed(port):
        client, server = context.connected(port)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        before = counters(ns, context.family)["DelayedAcks"]
        client.sendall(b"no answer")
        context.until(lambda: drained(client), "it is acknowledged")
        return counters(ns, context.family)["DelayedAcks"] - before

    check_equal(delayed(7000), 1, "delayed acknowledgments")
    note(context, context.link.b, "quickack 1")
    check_equal(delayed(7001), 0, "delayed acknowledgments where the route wants none")


@case(versions=(4,))
def route_rules_that_ask_for_ports(context):
    """A rule that asks for our port counts on this host too, at either end."""
    side, here = context.link.a, ("127.0.0.1", 7820)
    listener = context.socket(side)
    listener.bind(here)
    listener.listen(8)

    def client():
        return context.socket(side)

    client().connect(here)
    context.accept(listener)
    # Other rules can only have a say before that for local addresses.
    side.ns.ip("rule add pref 200 lookup local", "rule del pref 0 lookup local",
               "rule add pref 100 sport 20000-21000 prohibit")
    set_port_range = "echo 20000 20500 > /proc/sys/net/ipv4/ip_local_port_range"
    side.ns.run(["sh", "-c", set_port_range])
    expect_error(errno.EACCES, "connect from a port that may not", client().connect, here)
    side.ns.ip("rule del pref 100")
    connected = client()
    connected.connect(here)
    context.accept(listener).sendall(b"all right")
    receive_exactly(connected, 9)

    side.ns.ip("rule add pref 100 sport 7820 prohibit")

    def drops():
        return counters(side.ns, context.family)["ListenDrops"]

    before, waiting = drops(), client()
    waiting.setblocking(False)
    check_equal(waiting.connect_ex(here), errno.EINPROGRESS, "connect")
    context.until(lambda: drops() > before, "there is no way to answer")
    # Or the ends of the connections would not get through either.
    side.ns.ip("rule del pref 100")
