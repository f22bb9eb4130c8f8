# SPDX-License-Identifier: GPL-2.0
"""Goodput against TCP's over the same bad link, with the same congestion control.

One connection at a time, TCP, NEW_TCP, TCP, NEW_TCP and so on, over a link that
loses by a seeded pattern, which is the same for both of a round. In a guest with
virtual time (time-travel=inf-cpu) processors cost nothing, so what is compared is
the protocols, and the same figures come out on every machine.
"""

import os
import socket
import statistics
import time

from cases.interop import Sender
from harness import family as families
from harness.registry import Skip, case, check

TCP_CONGESTION = 13
PORT = 7900
# What counts as no less: a loss more or less in a round is a few per cent.
LEAST = 0.97
# How many times as many rounds are asked where the first have not shown it.
MOST_TIMES = 3
ALGORITHMS = ("reno", "cubic")


def rounds():
    """Rounds per congestion control; the long form has more."""
    return int(os.environ.get("NEWTCP_GOODPUT_ROUNDS", "7"))


def end(context, family, side, algorithm):
    """A socket of the family with that congestion control."""
    with side.ns.inside():
        sock = context.keep(family.open(context.version))
    try:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, algorithm.encode())
    except OSError as error:
        raise Skip(f"{family.name} has no {algorithm}: {error}") from None
    return sock


def transfer(context, family, algorithm, length):
    """Send that many bytes from a to b; gives bytes per second."""
    link = context.link
    listener = end(context, family, link.b, algorithm)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(context.address(link.b, PORT))
    listener.listen(1)
    client = end(context, family, link.a, algorithm)
    client.connect(context.address(link.b, PORT))
    server = context.accept(listener)
    listener.close()
    started = time.monotonic()
    sender = Sender(client, bytes(length))
    arrived = 0
    while part := server.recv(1 << 20):
        arrived += len(part)
    spent = time.monotonic() - started
    sender.ended()
    check(arrived == length, f"{arrived} of {length} bytes arrived")
    client.close()
    server.close()
    return length / spent


def compare(context, length, *link):
    """Rounds of both families for each congestion control; NEW_TCP has to keep up."""
    pair = (families.tcp(), context.family)
    for side in (context.link.a, context.link.b):
        # Segment by segment: a link that loses a superpacket loses many of them, and
        # the two do not make them equally large.
        context.link.offload(side, "tso", "off", "gso", "off")
        side.ns.ip(f"link set {side.device} gso_max_segs 1")
        side.ns.write_sysctl("net.ipv4.tcp_no_metrics_save", 1)
    results = [measure(context, pair, algorithm, length, link) for algorithm in ALGORITHMS]
    for algorithm, ratio in zip(ALGORITHMS, results):
        check(ratio >= LEAST, f"{algorithm}: {ratio:.3f} of TCP's goodput")


def measure(context, pair, algorithm, length, link):
    """The rounds of one congestion control; gives the ratio of the medians."""
    found = {family.name: [] for family in pair}
    theirs, ours = found.values()
    for seed in range(MOST_TIMES * rounds()):
        for family in pair:
            context.link.netem(context.link.a, "limit", "20000", *link, "seed",
                               str(1000 + seed))
            found[family.name].append(transfer(context, family, algorithm, length))
        ratio = statistics.median(ours) / statistics.median(theirs)
        if (seed + 1) % rounds() == 0 and ratio >= LEAST:
            break
    each = [one / other for one, other in zip(ours, theirs)]
    print(f"# {' '.join(link)}, {algorithm}: TCP {statistics.median(theirs) / 1e6:.3f} MB/s, "
          f"NEW_TCP {statistics.median(ours) / 1e6:.3f} MB/s, ratio {ratio:.3f} "
          f"(rounds {min(each):.2f} to {max(each):.2f})", flush=True)
    return ratio


@case(versions=(4,), timeout=6000, families=("newtcp",), apart=True)
def goodput_loss_of_1_percent(context):
    """1 % of the segments are lost, the round trip is 20 ms."""
    compare(context, 8 << 20, "delay", "20ms", "loss", "1%")


@case(versions=(4,), timeout=6000, families=("newtcp",), apart=True)
def goodput_loss_of_0_1_percent(context):
    """0.1 % of the segments are lost, the round trip is 50 ms."""
    compare(context, 32 << 20, "delay", "50ms", "loss", "0.1%")


@case(versions=(4,), timeout=6000, families=("newtcp",), apart=True)
def goodput_reordering(context):
    """2 % of the segments overtake the others."""
    compare(context, 32 << 20, "delay", "20ms", "reorder", "2%")


@case(versions=(4,), timeout=6000, families=("newtcp",), apart=True)
def goodput_without_loss(context):
    """Nothing is lost: slow start and the windows decide."""
    compare(context, 32 << 20, "delay", "50ms")
