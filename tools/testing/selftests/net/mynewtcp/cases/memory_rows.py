# SPDX-License-Identifier: GPL-2.0
"""What happens at each of the three numbers of net.mynewtcp.mem, on the host and in a namespace.

The host's sum is what CPUs have handed in, so its thresholds are met within
net.core.mem_pcpu_rsv pages per CPU; a namespace's within a sixteenth of its high.
"""

import functools
import os
import socket
import struct
import threading

from harness.context import receive_exactly
from harness.knobs import Count
from harness.memory import Hog, Pool, roomy, usage
from harness.registry import Skip, case, check, check_equal

LOW, PRESSURE, HIGH = 1500, 3000, 5000
TINY = (20, 40, 60)
PORT = 7600
MUCH = 16 << 20
TCP_INFO = 11
RCV_SSTHRESH = 64
AMOUNT = 1 << 20


def row(function):
    """A case for a namespace's limits, and one for the host's."""
    for where in ("namespace", "host"):
        @functools.wraps(function)
        def body(context, where=where):
            if where == "host" and not context.settings.check_memory:
                raise Skip("the machine is shared")
            function(context, Pool(context, context.link.a, where))

        body.__name__ = f"memory_{function.__name__}_{where}"
        case(versions=(4,), timeout=90, families=("newtcp",))(body)
    return function


def holds(pool, pages):
    """A condition: the pool's count has reached that many pages."""
    return lambda: pool.pages >= pages


def buffers(context, sender, receiver, port):
    """How much the two buffers of a connection grow with a megabyte on a long path."""
    listener = context.listener(receiver, port, backlog=1)
    client = context.socket(sender)
    client.connect(context.address(receiver, port))
    server = context.accept(listener)
    listener.close()

    def sizes():
        return (client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF),
                server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))

    before = sizes()
    thread = threading.Thread(target=client.sendall, args=(bytes(AMOUNT),))
    thread.start()
    receive_exactly(server, AMOUNT)
    thread.join()
    after = sizes()
    context.abort(client)
    context.abort(server)
    return after[0] - before[0], after[1] - before[1]


def slow(context):
    """A round trip of 10 ms."""
    for side in (context.link.a, context.link.b):
        context.link.netem(side, "limit", "20000", "delay", "5ms")


def echo(context, port=7700):
    """A fresh connection from a to b and back, a thousand octets each."""
    listener = context.listener(context.link.b, port, backlog=1)
    client = context.socket(context.link.a)
    client.connect(context.address(context.link.b, port))
    server = context.accept(listener)
    listener.close()
    client.sendall(bytes(1000))
    receive_exactly(server, 1000)
    server.sendall(bytes(1000))
    receive_exactly(client, 1000)
    context.abort(client)
    context.abort(server)


@row
def between_low_and_pressure(context, pool):
    """No pressure yet, but buffers stop to grow; below low they grow."""
    a, b = context.link.a, context.link.b
    slow(context)
    grown = buffers(context, a, b, 7800)
    check(min(grown) > 0, f"below low, buffers grow by {grown}")
    a.ns.write_sysctl("net.mynewtcp.wmem", f"4096 16384 {16 << 20}")
    hog = Hog(context, a, PORT, fixed=MUCH)
    with pool.limits(LOW, PRESSURE, HIGH):
        middle = (LOW + PRESSURE) // 2
        check(hog.feed(holds(pool, middle)), f"the hog got {pool.pages} pages only")
        check(not pool.pressed, f"memory is short at {pool.pages} pages")
        sent, received = buffers(context, a, b, 7801)
        check_equal(sent, 0, "the growth of a send buffer of the pool")
        if pool.where == "namespace":
            check(received > 0, "the other namespace's receive buffer does not grow")
        else:
            check_equal(received, 0, "the growth of a receive buffer of the host")
        sent, received = buffers(context, b, a, 7802)
        check_equal(received, 0, "the growth of a receive buffer of the pool")
        check(not pool.pressed, f"memory is short at {pool.pages} pages")
        hog.end(context)
        context.until(lambda: pool.pages < LOW // 2, "the hog's pages are back")
        if pool.where == "namespace":
            grown = buffers(context, a, b, 7803)
            check(min(grown) > 0, f"when the hog is gone, buffers grow by {grown}")


@row
def above_pressure(context, pool):
    """The flag, the counter, and the writer with more than its share, but nobody below wmem[0]."""
    a, b = context.link.a, context.link.b
    pressures = [Count(context, side, "MemoryPressures") for side in (a, b)]
    lasting = [Count(context, side, "MemoryPressuresChrono") for side in (a, b)]
    refused = Count(context, a, "MemoryRefused")
    roomy(a)
    reader, writer = idle_reader(context)
    before = ssthresh(reader)
    with pool.limits(LOW, PRESSURE, HIGH):
        hog = Hog(context, a, PORT)
        check_equal(pool.pressed, False, "pressure at first")
        most = hog.client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        check(not hog.feed(holds(pool, HIGH + 3 * pool.slack)),
              f"the only large socket got {pool.pages} pages, without end")
        pages = pool.pages
        check(pages >= PRESSURE - pool.slack, f"the hog was stopped at {pages} pages")
        # The count of the host's sockets is rough on many CPUs, so there the average
        # that a socket may have is, too.
        is_exact = pool.where == "namespace" or os.cpu_count() == 1
        if is_exact:
            check(pages <= PRESSURE + pool.slack + 64, f"the hog was stopped at {pages} pages")
        check(pool.pressed, f"memory is not short at {pages} pages")
        check_equal(sum(count.grown() for count in pressures), 1, "times of pressure")
        now = hog.client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        check(now <= most // 2 or not is_exact, f"the send buffer is {now} of {most} still")
        echo(context)
        writer.sendall(bytes(4000))
        receive_exactly(reader, 4000)
        writer.sendall(bytes(4000))
        receive_exactly(reader, 4000)
        check(ssthresh(reader) <= 4 * 1460 < before,
              f"the window may grow to {ssthresh(reader)}, before {before}")
        fixed = Hog(context, a, PORT + 1, fixed=MUCH)
        enough = HIGH if is_exact else HIGH + 3 * pool.slack
        check(not fixed.feed(holds(pool, enough)), "a second large socket got as much as it wanted")
        check(refused.grown() >= 1, "no reservation was refused")
        hog.end(context)
        fixed.end(context)
        recovered(context, pool)
    check(sum(count.grown() for count in lasting) > 0, "pressure lasted no time")


def fed(context, pool, port, fixed=0):
    """A hog that holds much more than the tiny limits."""
    hog = Hog(context, pool.side, port, fixed)
    enough = pool.pages + 700 + (2 * pool.slack if pool.where == "host" else 0)
    check(hog.feed(holds(pool, enough)), f"the hog got {pool.pages} pages only")
    return hog


def idle_reader(context):
    """(reader on a, writer on b) of a connection that has moved a few octets."""
    listener = context.listener(context.link.a, 7710, backlog=1)
    writer = context.socket(context.link.b)
    writer.connect(context.address(context.link.a, 7710))
    reader = context.accept(listener)
    listener.close()
    writer.sendall(bytes(1000))
    receive_exactly(reader, 1000)
    return reader, writer


def ssthresh(sock):
    """rcv_ssthresh of struct tcp_info."""
    raw = sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 256)
    return struct.unpack_from("=I", raw, RCV_SSTHRESH)[0]


def recovered(context, pool):
    """The pool goes below low, and pressure ends when the next page moves."""
    context.until(lambda: pool.pages < LOW // 4, "the pages are back")

    def relieved():
        echo(context, 7720)
        return not pool.pressed

    context.until(relieved, "memory is no longer short")


@row
def above_high(context, pool):
    """Writers are refused, arriving data is dropped; all of it comes when memory is there again."""
    a, b = context.link.a, context.link.b
    roomy(a)
    reader, writer = idle_reader(context)
    hog, fixed = fed(context, pool, PORT), fed(context, pool, PORT + 1, fixed=MUCH)
    refused = Count(context, a, "MemoryRefused")
    dropped = Count(context, a, "ReceiveRefused")
    sndbuf = hog.client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    with pool.limits(*TINY):
        before = pool.pages
        check(not hog.feed(holds(pool, before + 100)), "a socket got more above high")
        check(not fixed.feed(holds(pool, before + 100)), "a fixed socket got more above high")
        check(refused.grown() >= 1, "no reservation was refused")
        now = hog.client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        check(now < sndbuf, f"the send buffer stays at {now}")
        echo(context)
        data = os.urandom(60_000)
        sender = threading.Thread(target=writer.sendall, args=(data,))
        sender.start()
        context.until(lambda: dropped.grown() >= 1, "a segment is dropped")
        check(pool.pages <= before + 64, f"{pool.pages} pages, {before} before")
    check(receive_exactly(reader, len(data)) == data, "other octets than were sent")
    sender.join()
    check(fixed.feed(holds(pool, before + 50)), "nothing is to be had when there is memory again")
    hog.end(context)
    fixed.end(context)


@row
def orphans_above_high(context, pool):
    """close() of a socket that holds much is a reset, and counted."""
    a = context.link.a
    roomy(a)
    hog = fed(context, pool, PORT)
    aborted = Count(context, a, "AbortOnMemory")
    with pool.limits(*TINY):
        hog.client.close()
        check_equal(aborted.grown(), 1, "connections reset")
        context.until(lambda: usage(a.ns)["sockets"]["inuse"] == 0, "the orphan is gone")
    check(pool.pages < 1000, f"{pool.pages} pages are left")
