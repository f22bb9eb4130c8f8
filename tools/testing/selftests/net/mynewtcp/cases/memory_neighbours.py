# SPDX-License-Identifier: GPL-2.0
"""Who is out of memory disturbs nobody else: not other namespaces, not TCP; and memory cgroups."""

import contextlib
import os
import socket
import time
from pathlib import Path

from cases.interop import Sender
from harness import family as families
from harness.context import pattern, receive_exactly
from harness.memory import Hog, Pool, usage
from harness.registry import Skip, case, check, check_equal

PORT = 7600
MUCH = 16 << 20
AMOUNT = 600_000
# What a link carries in a second, so that the time that a transfer takes is the
# link's and not the machine's: half a second for AMOUNT, and a round trip of 10 ms.
LINK = ("rate", "10mbit", "delay", "5ms", "limit", "1000")
LEAST = 0.95
CGROUPS = Path("/sys/fs/cgroup")


def shaped(ns):
    """Give the namespace's loopback device a rate, and packets so small that it never idles.

    The first window takes one packet of 64 KiB, and then it is luck when the next one goes.
    """
    ns.net.mtu("lo", 9000)
    output = ns.run(["tc", "qdisc", "replace", "dev", "lo", "root", "netem", *LINK], check=False)
    if "qdisc kind is unknown" in output:
        raise Skip("the kernel has no netem")
    check_equal(output, "", "what tc said")


def rate(context, family, ns, port):
    """Bytes per second of one transfer over the namespace's loopback device."""
    with ns.inside():
        listener = context.keep(family.open(4))
        client = context.keep(family.open(4))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(1)
    client.connect(("127.0.0.1", port))
    server = context.accept(listener)
    listener.close()
    started = time.monotonic()
    sender = Sender(client, bytes(AMOUNT))
    arrived = 0
    while part := server.recv(1 << 20):
        arrived += len(part)
    spent = time.monotonic() - started
    sender.ended()
    check_equal(arrived, AMOUNT, "bytes that arrived")
    client.close()
    server.close()
    return AMOUNT / spent


def best(context, family, ns, port, wanted=0.0):
    """The best rate of four transfers; of up to ten, but no more than it takes, to get that much.

    Whatever else runs on the machine only makes them slower.
    """
    found = 0.0
    for number in range(10 if wanted else 4):
        found = max(found, rate(context, family, ns, port + number))
        if wanted and found >= wanted:
            break
    return found


def undisturbed(context, family, ns, fill):
    """The rate in the namespace is the same while fill() holds the memory of others."""
    shaped(ns)
    ns.write_sysctl("net.ipv4.tcp_no_metrics_save", 1)
    before = best(context, family, ns, 7700)
    with fill():
        during = best(context, family, ns, 7800, LEAST * before)
    if during < LEAST * before:
        # What has become slower by itself, TCP by what its cache knows of the peer, still is.
        before = min(before, best(context, family, ns, 7900))
    print(f"# {before / 1e6:.3f} MB/s, and {during / 1e6:.3f} MB/s with the pool full", flush=True)
    check(during >= LEAST * before, f"{during:.0f} instead of {before:.0f} bytes per second")


@case(versions=(4,), timeout=60, families=("newtcp",))
def memory_full_namespace_leaves_the_others_alone(context):
    """While one namespace is at its high limit, another has its whole throughput."""
    a, b = context.link.a, context.link.b
    b.ns.net.up("lo")

    @contextlib.contextmanager
    def fill():
        with Pool(context, a, "namespace").limits(100, 200, 400) as pool:
            hog = Hog(context, a, PORT, fixed=MUCH)
            check(not hog.feed(lambda: pool.pages > 500), "the namespace is not full")
            yield
            check(not hog.feed(lambda: pool.pages > 500), "the namespace is not full any more")
            check(pool.pressed, "memory is not short")
            hog.end(context)

    undisturbed(context, context.family, b.ns, fill)


@case(versions=(4,), timeout=60, families=("newtcp",))
def memory_full_pool_leaves_tcp_alone(context):
    """While NEW_TCP's pool is full, TCP has its whole throughput."""
    if not context.settings.check_memory:
        raise Skip("the machine is shared")
    a, b = context.link.a, context.link.b
    b.ns.net.up("lo")

    @contextlib.contextmanager
    def fill():
        with Pool(context, a, "host").limits(300, 600, 1000) as pool:
            hog = Hog(context, a, PORT, fixed=MUCH)
            most = 1000 + 2 * pool.slack
            check(not hog.feed(lambda: pool.pages > most), "the pool is not full")
            yield
            check(not hog.feed(lambda: pool.pages > most), "the pool is not full any more")
            check(pool.pressed, "memory is not short")
            hog.end(context)

    undisturbed(context, families.tcp(), b.ns, fill)


@contextlib.contextmanager
def cgroup(context):
    """A memory cgroup, and the end of who is still in it."""
    control = CGROUPS / "cgroup.subtree_control"
    try:
        control.write_text("+memory", encoding="ascii")
        group = CGROUPS / f"newtcp-{os.getpid()}"
        group.mkdir()
    except OSError as error:
        raise Skip(f"no memory cgroups: {error}") from None
    try:
        yield group
    finally:
        (group / "cgroup.kill").write_text("1", encoding="ascii")
        context.until(lambda: statistic(group, "populated", "cgroup.events") == 0,
                      "the cgroup is empty")
        group.rmdir()


def statistic(group, name, file="memory.stat"):
    """A number of one of the cgroup's files."""
    lines = (group / file).read_text(encoding="ascii").splitlines()
    return int(dict(line.split() for line in lines)[name])


def member(context, group, body):
    """Run body(tell) in a child that is in the cgroup; gives (pid, descriptor)."""

    def inside(tell):
        (group / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        body(tell)

    return context.fork(inside)


@case(versions=(4,), timeout=60)
def memory_is_charged_to_the_cgroup(context):
    """memory.stat's sock follows what a member's sockets hold, and goes back with them."""
    page = os.sysconf("SC_PAGE_SIZE")
    side = context.link.a
    go, ready = os.pipe()
    with cgroup(context) as group:
        def body(tell):
            hog = Hog(context, side, PORT, fixed=MUCH)
            sent = 0
            with contextlib.suppress(BlockingIOError):
                while sent < 4 << 20:
                    sent += hog.client.send(bytes(65536))
            tell(b"f" if sent >= 4 << 20 else b"x")
            os.read(go, 1)
            hog.end(context)
            tell(b"e")
            os.read(go, 1)

        pid, reader = member(context, group, body)
        check_equal(os.read(reader, 1), b"f", "what the hog says")
        context.until(lambda: statistic(group, "sock") >= 4 << 20, "the cgroup is charged")
        held = statistic(group, "sock")
        check(held <= 8 << 20, f"{held} bytes are charged for 4 MiB")
        if context.family.name == "newtcp":
            pages = usage(side.ns)["memory"]["pages"]
            check(abs(held - pages * page) <= 1 << 20, f"{held} bytes charged, {pages} pages held")
        os.write(ready, b"1")
        check_equal(os.read(reader, 1), b"e", "what the hog says")
        context.until(lambda: statistic(group, "sock") == 0, "the cgroup's charge is taken back")
        os.write(ready, b"1")
        context.reap(pid)
        os.close(reader)
    os.close(go)
    os.close(ready)


def cache_files(octets):
    """Have so much of the disk's files in memory, charged to the caller's cgroup."""
    found = 0
    for file in sorted(Path("/usr/lib").rglob("*.so*")):
        if file.is_file() and not file.is_symlink() and found < octets:
            with file.open("rb") as stream:
                # What is there already belongs to somebody else.
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                found += len(stream.read())


@case(versions=(4,), timeout=60)
def memory_cgroup_at_its_limit(context):
    """Sockets of a cgroup at memory.max: the page cache makes room for what is written, nothing
    is lost, and nobody is killed."""
    side = context.link.a
    data = pattern(4 << 20, seed=5)
    ours, theirs = socket.socketpair()
    with cgroup(context) as group, ours, theirs:
        def body(_):
            hog = Hog(context, side, PORT, fixed=MUCH)
            cache_files(3 * len(data))
            socket.send_fds(theirs, [b"s"], [hog.client.fileno(), hog.server.fileno()])

        # A socket stays where it was made; its user is elsewhere.
        pid, reader = member(context, group, body)
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 2)
        client, server = (context.keep(socket.socket(fileno=one)) for one in descriptors)
        context.reap(pid)
        os.close(reader)
        cached = statistic(group, "file")
        check(cached > 2 * len(data), f"{cached} bytes of files are in the cgroup")
        current = int((group / "memory.current").read_text(encoding="ascii"))
        (group / "memory.max").write_text(str(current), encoding="ascii")
        sent = 0
        while sent < len(data):
            sent += client.send(data[sent:sent + 65536])
        held = statistic(group, "sock")
        check(held >= len(data) * 9 // 10, f"{held} bytes are charged")
        check(statistic(group, "max", "memory.events") > 0, "the limit was never reached")
        left = statistic(group, "file")
        check(left < cached - len(data) // 2, f"{left} of {cached} bytes of files are left")
        server.setblocking(True)
        check(receive_exactly(server, len(data)) == data, "the bytes are not the ones sent")
        for name in ("oom", "oom_kill"):
            check_equal(statistic(group, name, "memory.events"), 0, name)
        context.abort(client)
        context.abort(server)
        context.until(lambda: statistic(group, "sock") == 0, "the cgroup's charge is taken back")
