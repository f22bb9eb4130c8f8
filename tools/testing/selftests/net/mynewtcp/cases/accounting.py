# SPDX-License-Identifier: GPL-2.0
"""/proc/net/protocols, memory and sysctls."""

import errno
import os
import select
import socket

from harness import proto_row
from harness.context import expect_error
from harness.netns import Namespace
from harness.registry import Skip, case, check, check_equal


def sysctl_name(context, knob):
    """The knob of the family under test."""
    return f"net.ipv4.tcp_{knob}" if context.family.name == "tcp" else f"net.mynewtcp.{knob}"


def numbers(text):
    """The integers of a sysctl."""
    return [int(word) for word in text.split()]


def path_of(name):
    """The sysctl's file."""
    return "/proc/sys/" + name.replace(".", "/")


@case(versions=(4,))
def protocols_row(context):
    """One row: every function but bind, a slab, no pressure, the kernel's own."""
    ns = context.link.a.ns
    found = [row for row in proto_row.rows(ns, context.family.rows)
             if row.name == context.family.rows[0]]
    check_equal(len(found), 1, "rows")
    row = found[0]
    check_equal(row.slots, {slot: "n" if slot == "bi" else "y" for slot in proto_row.COLUMNS},
                "columns")
    check_equal((row.press, row.slab, row.module), ("no", "yes", "kernel"),
                "pressure, slab and module")
    check(row.size > 0 and row.max_header > 0, f"size {row.size}, header {row.max_header}")


@case()
def protocols_row_counts_sockets(context):
    """The sockets column follows binds, connections and closes, per namespace."""
    a, b = context.link.a.ns, context.link.b.ns
    check_equal(proto_row.sockets(a, context.family), 0, "sockets at first")
    listener = context.listener(context.link.b)
    check_equal(proto_row.sockets(b, context.family), 1, "sockets with a listener")
    clients = [context.socket(context.link.a) for _ in range(3)]
    for client in clients:
        client.connect(context.address(context.link.b, 7000))
        context.accept(listener)
    check_equal(proto_row.sockets(a, context.family), 3, "sockets with three clients")
    check_equal(proto_row.sockets(b, context.family), 4, "sockets with three servers")
    context.abort(clients.pop())
    check_equal(proto_row.sockets(a, context.family), 2, "sockets after a reset")


@case(timeout=60)
def memory_is_charged_and_returned(context):
    """Data that nobody reads is charged; when its sockets are gone it is not."""
    ns = context.link.a.ns
    limit = proto_row.BATCH_PAGES * os.cpu_count()
    pairs, pages = [], 0
    while pages < 3 * limit:
        check(len(pairs) < 200, f"200 full connections hold only {pages} pages")
        pairs.append(context.connected(7500 + len(pairs)))
        client = pairs[-1][0]
        client.setblocking(False)
        pages += fill(context, client) // os.sysconf("SC_PAGE_SIZE")
    check(proto_row.memory(ns, context.family) >= pages - limit,
          f"{proto_row.memory(ns, context.family)} pages are charged for {pages} of data")
    for client, server in pairs:
        context.abort(client)
        server.close()
    if context.settings.check_memory:
        context.until(lambda: proto_row.memory(ns, context.family) <= limit,
                      "the pages are returned")


def fill(context, sock):
    """Send until no more goes; gives the count."""
    block = bytes(65536)
    total = 0
    poller = select.poll()
    poller.register(sock, select.POLLOUT)
    while poller.poll(context.quiet * 1000):
        try:
            total += sock.send(block)
        except BlockingIOError:
            continue
    return total


@case(timeout=60)
def memory_does_not_leak_slowly(context):
    """A page lost per connection would show after a thousand."""
    if not context.settings.check_memory:
        raise Skip("the machine is shared")
    ns = context.link.a.ns
    limit = proto_row.BATCH_PAGES * os.cpu_count()
    listener = context.listener(context.link.b, backlog=4)
    for _ in range(max(1000, 4 * limit)):
        client = context.socket(context.link.a)
        client.connect(context.address(context.link.b, 7000))
        server, _ = listener.accept()
        client.send(b"x" * 3000)
        context.abort(client)
        server.close()
    context.until(lambda: proto_row.memory(ns, context.family) <= limit,
                  f"at most {limit} pages are charged")


@case()
def sockets_that_never_connect(context):
    """Opening and closing, bound or not, leaves nothing."""
    with context.link.a.ns.inside():
        for number in range(500):
            sock = context.family.open(context.version, context.settings.door)
            if number % 2:
                sock.bind(context.address(context.link.a, 0))
            if number % 4 == 3:
                sock.listen(1)
            sock.close()
    check_equal(proto_row.sockets(context.link.a.ns, context.family), 0, "sockets")


@case(versions=(4,))
def sysctl_mem_is_checked(context):
    """mem: three ascending numbers that can be set; nonsense is EINVAL and changes nothing."""
    path = path_of(sysctl_name(context, "mem"))
    if context.family.name == "tcp" and not os.path.exists(path):
        raise Skip("only the first network namespace has this sysctl")
    with open(path, encoding="ascii") as file:
        before = file.read()
    low, pressure, high = numbers(before)
    check(0 < low <= pressure <= high, f"{path} is {before.strip()}")
    try:
        for wrong in ("x", "1 x 3", "-1 2 3"):
            if context.family.name == "tcp" and wrong[0] == "-":
                continue
            expect_error(errno.EINVAL, f"writing {wrong!r} to {path}", write, path, wrong)
        write(path, f"{low + 1} {pressure + 1} {high + 1}")
        with open(path, encoding="ascii") as file:
            check_equal(numbers(file.read()), [low + 1, pressure + 1, high + 1], path)
    finally:
        write(path, before)


def write(path, text):
    """Write a sysctl."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


@case(versions=(4,))
def sysctl_buffers_per_namespace(context):
    """wmem and rmem: new sockets have the default; other namespaces have their own."""
    a, b = context.link.a.ns, context.link.b.ns
    for knob, option in (("wmem", socket.SO_SNDBUF), ("rmem", socket.SO_RCVBUF)):
        name = sysctl_name(context, knob)
        path = path_of(name)
        before = numbers(b.read(path))
        check(0 < before[0] <= before[1] <= before[2], f"{name} is {before}")
        a.write_sysctl(name, "8192 50000 100000")
        check_equal(numbers(a.read(path)), [8192, 50000, 100000], name)
        check_equal(numbers(b.read(path)), before, f"{name} elsewhere")
        expect_error(errno.EINVAL, f"0 as minimum of {name}", a.write_sysctl, name, "0 1 2")
        check_equal(context.socket(context.link.a).getsockopt(socket.SOL_SOCKET, option),
                    50000, f"the buffer of a new socket ({knob})")
        check_equal(context.socket(context.link.b).getsockopt(socket.SOL_SOCKET, option),
                    before[1], f"the buffer of a new socket elsewhere ({knob})")


@case(versions=(4,))
def namespace_goes_with_open_sockets(context):
    """A namespace that is left with sockets in TIME-WAIT and half open goes cleanly."""
    for _ in range(20):
        ns = Namespace("short-lived")
        ns.net.up("lo")
        with ns.inside():
            listener = context.keep(context.family.open(4, context.settings.door))
            listener.bind(("127.0.0.1", 7000))
            listener.listen(4)
            client = context.keep(context.family.open(4, context.settings.door))
            client.connect(("127.0.0.1", 7000))
            server = context.accept(listener)
            trying = context.keep(context.family.open(4, context.settings.door))
            trying.setblocking(False)
            trying.connect_ex(("127.0.0.1", 7000))
        for sock in (client, server, listener, trying):
            sock.close()
        ns.close()
