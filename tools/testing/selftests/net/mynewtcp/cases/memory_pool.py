# SPDX-License-Identifier: GPL-2.0
"""A pool of memory for each namespace, the file that shows it, and what the log says of it."""

import errno
import os
import re
import socket

from harness import proto_row
from harness.context import expect_error, receive_exactly
from harness.kernel_log import KernelLog
from harness.knobs import host_knob
from harness.memory import MEM, Hog, Pool, usage
from harness.registry import Skip, case, check, check_equal

PORT = 7600
MUCH = 16 << 20
KNOB = "net.mynewtcp.mem"


def newtcp(function):
    """A case for NEW_TCP over IPv4."""
    return case(versions=(4,), timeout=60, families=("newtcp",))(function)


def mem(ns):
    """net.mynewtcp.mem as the namespace shows it."""
    return [int(word) for word in ns.read(MEM).split()]


@newtcp
def memory_limits_are_per_namespace(context):
    """A namespace has the host's numbers until it gets its own, which are nobody else's."""
    a, b = context.link.a.ns, context.link.b.ns
    with open(MEM, encoding="ascii") as file:
        host = [int(word) for word in file.read().split()]
    check_equal(mem(a), host, "a fresh namespace's limits")
    a.write_sysctl(KNOB, "100 200 300")
    check_equal(mem(a), [100, 200, 300], "the limits set")
    check_equal(mem(b), host, "the other namespace's limits")
    with open(MEM, encoding="ascii") as file:
        check_equal([int(word) for word in file.read().split()], host, "the host's limits")
    for wrong in ("3 2 1", "1 2 x", "-1 2 3", "1 3 2"):
        expect_error(errno.EINVAL, f"writing {wrong!r}", a.write_sysctl, KNOB, wrong)
    check_equal(mem(a), [100, 200, 300], "the limits after nonsense")
    row = usage(a)["memory"]
    check_equal([row["low"], row["pressure"], row["high"]], [100, 200, 300], "what sockstat says")


@newtcp
def memory_limits_in_a_container(context):
    """Who is root in a container only can lower its limits and not raise them."""
    if not hasattr(os, "unshare"):
        raise Skip("Python has no unshare")

    def inside(tell):
        try:
            os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET)
            with open("/proc/self/uid_map", "w", encoding="ascii") as file:
                file.write("0 0 1")
        except OSError:
            tell(b"s")
            return
        write_mem("100 200 300")
        write_mem("100 200 250")
        for raised in ("101 200 250", "100 201 250", "100 200 251"):
            expect_error(errno.EPERM, f"writing {raised!r}", write_mem, raised)
        tell(b"y")

    pid, reader = context.fork(inside)
    answer = os.read(reader, 1)
    os.close(reader)
    context.reap(pid)
    if answer == b"s":
        raise Skip("there are no user namespaces")
    check_equal(answer, b"y", "what the container says")


def write_mem(text):
    """Write the limits of the namespace that this process is in."""
    with open(MEM, "w", encoding="ascii") as file:
        file.write(text)


def limits(line):
    """Low, pressure and high of one line of mynewtcp_sockstat."""
    return [line[name] for name in ("low", "pressure", "high")]


@newtcp
def memory_sockstat(context):
    """Sockets and pages as /proc/net/protocols has them, limits as the sysctls have them."""
    a, b = context.link.a, context.link.b
    a.ns.write_sysctl("net.mynewtcp.max_tw_buckets", 77)
    a.ns.write_sysctl(KNOB, "10001 10002 10003")
    at_first = usage(a.ns)
    check_equal(limits(at_first["memory"]), [10001, 10002, 10003], "the namespace's limits")
    with open(MEM, encoding="ascii") as file:
        check_equal(limits(at_first["host_memory"]), [int(word) for word in file.read().split()],
                    "the host's limits")
    check_equal(at_first["sockets"], {"inuse": 0, "tw": 0, "max_tw_buckets": 77}, "sockets")
    client, server = context.connected()
    hog = Hog(context, a, PORT, fixed=MUCH)
    pool = Pool(context, a, "namespace")
    check(hog.feed(lambda: pool.pages >= 1000), f"the hog got {pool.pages} pages only")
    now = usage(a.ns)
    check_equal(now["sockets"]["inuse"], proto_row.sockets(a.ns, context.family), "sockets in use")
    check_equal(now["sockets"]["inuse"], 2, "sockets in use")
    host = now["host_memory"]
    reserve = host["per_cpu_reserve"] * os.cpu_count()
    shown = proto_row.memory(a.ns, context.family)
    check(abs(host["pages"] - shown) <= reserve,
          f"{host['pages']} pages, in /proc/net/protocols {shown}")
    both = now["memory"]["pages"] + usage(b.ns)["memory"]["pages"]
    if context.settings.check_memory:
        check_equal(both, host["pages"], "the pages of both namespaces and those of the host")
    octets = 1000 * os.sysconf("SC_PAGE_SIZE")
    check(now["memory"]["pages"] >= 1000, f"{now['memory']['pages']} pages for {octets} octets")
    check(now["host_sockets"]["alloc"] >= 4, f"{now['host_sockets']['alloc']} sockets on the host")
    hog.end(context)
    client.close()
    receive_end(server)
    server.close()
    context.until(lambda: usage(a.ns)["sockets"] == {"inuse": 0, "tw": 1, "max_tw_buckets": 77},
                  "one connection is in TIME-WAIT")
    context.until(lambda: usage(a.ns)["memory"]["pages"] == 0, "the namespace's pages are back")
    with host_knob(context, "max_orphans", 12345):
        check_equal(usage(a.ns)["host_sockets"]["max_orphans"], 12345, "max_orphans")


def receive_end(sock):
    """Read the end of the stream."""
    check_equal(sock.recv(1), b"", "what comes")


@newtcp
def memory_sockstat_counts_orphans(context):
    """A connection that its user has closed and its peer has not answered is an orphan."""
    a = context.link.a.ns
    before = usage(a)["host_sockets"]["orphan"]
    client, server = context.connected()
    context.link.cut()
    client.sendall(b"never arrives")
    client.close()
    check_equal(usage(a)["host_sockets"]["orphan"], before + 1, "orphans")
    context.link.mend()
    context.abort(server)


@newtcp
def memory_of_a_full_namespace(context):
    """One namespace is at its high limit; the other has all that it wants."""
    a, b = context.link.a, context.link.b
    pool = Pool(context, a, "namespace")
    a.ns.write_sysctl(KNOB, "100 200 400")
    full = Hog(context, a, PORT, fixed=MUCH)
    check(not full.feed(lambda: pool.pages > 500), f"the full namespace has {pool.pages} pages")
    other = Hog(context, b, PORT + 1, fixed=MUCH)
    theirs = Pool(context, b, "namespace")
    check(other.feed(lambda: theirs.pages >= 2000), f"the other one got {theirs.pages} pages only")
    check(pool.pressed, "memory is not short in the full one")
    check(not theirs.pressed, "memory is short in the other one")
    check_equal(usage(b.ns)["memory"]["refused"], 0, "refusals in the other one")
    with pool.limits(1000, 1500, 2000):
        check(full.feed(lambda: pool.pages >= 800), "larger limits do not let it go on")
    full.end(context)
    other.end(context)


@newtcp
def memory_in_the_log(context):
    """The log says what ran out: value, limit, unit, sysctl, and how often it did not say so."""
    a = context.link.a
    pool = Pool(context, a, "namespace")
    a.ns.write_sysctl(KNOB, "100 200 400")
    hog = Hog(context, a, PORT, fixed=MUCH)
    hog.feed(lambda: False)
    server = context.listener(context.link.b, 7650)
    log, lines = KernelLog(), []
    inode = re.search(r"\d+", os.readlink(f"/proc/self/fd/{a.ns.fd}")).group()
    memory = re.compile(rf"out of memory: network namespace {inode} holds (\d+) of 400 pages, the "
                        r"last number of its net\.mynewtcp\.mem \((\d+) such messages suppressed\)")
    orphans = re.compile(r"too many orphans: (\d+) connections without a user, "
                         r"net\.mynewtcp\.max_orphans is 0 connections; resetting some "
                         r"\((\d+) such messages suppressed\)")

    def said(pattern):
        return [found for line in lines if (found := pattern.search(line))]

    def both_with_a_count():
        hog.feed(lambda: False)
        client = context.socket(a)
        client.connect(context.address(context.link.b, 7650))
        peer = context.accept(server)
        client.close()
        peer.close()
        lines.extend(log.new_lines())
        return all(any(int(found.group(2)) > 0 for found in said(pattern))
                   for pattern in (memory, orphans))

    with host_knob(context, "max_orphans", 0):
        # It says so every five seconds.
        context.until(both_with_a_count, "the log says both, and how often it did not", seconds=20)
    log.close()
    check(len(lines) < 20, f"{len(lines)} lines in the log")
    pages = int(said(memory)[-1].group(1))
    check(abs(pages - pool.pages) <= 64, f"the log says {pages} pages, it is {pool.pages}")
    check(int(said(orphans)[-1].group(1)) >= 1, "no orphan")
    hog.end(context)


@newtcp
def memory_promised_to_each_socket(context):
    """Above high every connection still moves data, a little at a time."""
    a = context.link.a
    a.ns.write_sysctl(KNOB, "1 2 3")
    pairs = [context.connected(7660 + number) for number in range(20)]
    data = os.urandom(20_000)
    for client, server in pairs:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(data)
        check(receive_exactly(server, len(data)) == data, "other octets than were sent")
        server.sendall(data)
        check(receive_exactly(client, len(data)) == data, "other octets than were sent")
    check(usage(a.ns)["memory"]["refused"] > 0, "nothing was refused")
