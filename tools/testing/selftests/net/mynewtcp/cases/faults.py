# SPDX-License-Identifier: GPL-2.0
"""Allocations that fail, each in its turn: the life of a connection ends well or in a clean errno.

The kernel's log, which every case must leave clean, and kmemleak, which looks when the guest
ends, say whether anything was lost.
"""

import contextlib
import errno
import select
import socket

from harness import faults, kernel, memory, proto_row
from harness.context import pattern, receive_exactly
from harness.knobs import counters
from harness.registry import Failure, case, check, check_equal

PORT = 7000
# Several buffers of several fragments each.
DATA = pattern(100_000, seed=31)
# What a user may be told: no memory (ENFILE: none for the file), or that the copy from or to
# its memory failed, which happens on the same demand.
CLEAN = {errno.ENOMEM, errno.ENOBUFS, errno.ENFILE, errno.EFAULT}
# Fewer would mean that failures were not asked for; more, that it never ends.
FEWEST, MOST = 40, 2000
# More than a buffer holds: the first may be one that has done its work and is used again.
MANY = 200_000
# The caches whose objects are made while packets are handled, and the smallest number of them
# that one life takes: buffers that have done their work are used again, so there may be no need
# for others where nothing is lost. Caches that a kernel does not have are left out.
CACHES = {"NEW_TCP": 1, "NEW_TCP_connection": 1, "skbuff_head_cache": 0,
          "skbuff_fclone_cache": 0, "skbuff_small_head": 0,
          "kmalloc-1k": 0, "kmalloc-512": 0, "kmalloc-256": 0, "kmalloc-192": 0, "kmalloc-128": 0}


class Life:
    """A listener, a connection over loopback, data both ways and the orderly end of all."""

    def __init__(self, context):
        self.context = context
        self.home = ("127.0.0.1" if context.version == 4 else "::1", PORT)
        self.sockets = []
        self.stage = None

    def _open(self):
        sock = self.context.family.open(self.context.version, self.context.settings.door)
        self.sockets.append(sock)
        return sock

    def live(self):
        """From the first socket to the last close; raises OSError where a call fails."""
        self.stage = "listen"
        listener = self._open()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(self.home)
        listener.listen(4)
        self.stage = "connect"
        client = self._open()
        client.connect(self.home)
        self._wish(client)
        self.stage = "accept"
        server, _ = listener.accept()
        self.sockets.append(server)
        self.stage = "transfer"
        self._move(client, server)
        self._move(server, client)
        self.stage = "close"
        client.shutdown(socket.SHUT_WR)
        self._end(server)
        server.close()
        self._end(client)
        client.close()
        listener.close()

    @staticmethod
    def _wish(sock):
        """Options that a socket has to keep memory for."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 100)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
        sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 236)

    def _wait(self, readers, writers):
        if not any(select.select(readers, writers, [], 20 * self.context.scale)[:2]):
            raise Failure(f"{self.stage}: nothing moves any more")

    def _move(self, sender, receiver):
        sent, found = 0, bytearray()
        while len(found) < len(DATA):
            with contextlib.suppress(BlockingIOError):
                sent += sender.send(DATA[sent:sent + 30_000], socket.MSG_DONTWAIT)
            with contextlib.suppress(BlockingIOError):
                part = receiver.recv(1 << 17, socket.MSG_DONTWAIT)
                check(part, "the stream ended early")
                found += part
                continue
            self._wait([receiver], [sender] if sent < len(DATA) else [])
        check(found == DATA, "the bytes are not the ones that were sent")

    def _end(self, receiver):
        self._wait([receiver], [])
        check_equal(receiver.recv(1), b"", "the end of the stream")

    def close(self):
        """Close what is still open."""
        for sock in self.sockets:
            sock.close()


def one_life(context, fault, nth):
    """One life in which the nth allocation fails; gives whether there was an nth."""
    life = Life(context)
    error = None
    fault.arm(nth)
    try:
        life.live()
    except OSError as caught:
        error = caught
    except MemoryError:
        # It was the test itself that got no memory.
        pass
    finally:
        fired = fault.disarm()
        life.close()
    where = f"failure {nth} at {life.stage}"
    if error is not None:
        check(fired, f"{where}: {error} without a failure")
        check(error.errno in CLEAN, f"{where}: {error}")
    check_nothing_left(context, where)
    return fired


def check_nothing_left(context, where):
    """Every socket and every page comes back."""
    ns = context.link.a.ns

    def left():
        found = counters(ns, context.family)
        return proto_row.sockets(ns, context.family), found["Sockets"], found["MemPages"]

    try:
        context.until(lambda: left() == (0, 0, 0), "all is given back")
    except Failure:
        check_equal(left(), (0, 0, 0), f"{where}: sockets here, sockets, pages that stay")


def bad_loopback(context):
    """Lose and delay what goes over loopback, so that buffers are cut, copied and merged."""
    ns = context.link.a.ns
    ns.run(["tc", "qdisc", "add", "dev", "lo", "root", "netem", "limit", "2000",
            "delay", "1ms", "reorder", "20%", "loss", "10%"])
    # What is lost comes again soon, or this would take minutes.
    ns.write_sysctl("net.mynewtcp.rto_min_us", 5000)
    ns.net.mtu("lo", 1500)


def all_lives(context, fault, fewest):
    """Lives until one runs out of allocations that could fail."""
    nth = 1
    while one_life(context, fault, nth):
        nth += 1
        check(nth < MOST, f"{MOST} failures and no end")
    check(nth > fewest, f"only {nth - 1} allocations of a life could be made to fail")


@case(timeout=60, families=("newtcp",), needs=kernel.fails_on_demand)
def every_allocation_of_a_call_fails(context):
    """Slab, pages and copies of user memory: each that a call asks for fails once."""
    with context.link.a.ns.inside(), faults.nth() as fault:
        all_lives(context, fault, FEWEST)


@case(timeout=60, families=("newtcp",), needs=kernel.fails_on_demand)
def allocation_that_fails_begins_pressure(context):
    """A write that gets no buffer finds that memory is short; the next that gets one ends it."""
    host = memory.Pool(context, context.link.a, "host")
    ns = context.link.a.ns
    client, server = context.connected()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    client.setblocking(False)
    before = counters(ns, context.family)["MemoryPressures"]
    begun = 0
    with faults.nth() as fault:
        for nth in range(1, MOST):
            check(not host.pressed, f"memory is short before failure {nth}")
            fault.arm(nth)
            try:
                sent = client.send(b"a" * MANY)
            except OSError as caught:
                sent = 0
                check(caught.errno in CLEAN | {errno.EAGAIN}, f"failure {nth}: {caught}")
            finally:
                fired = fault.disarm()
            if host.pressed:
                begun += 1
                check(fired, "memory is short without a failure")
                sent += client.send(b"b" * MANY)
                check(not host.pressed, "a buffer that was there has not ended the shortage")
            receive_exactly(server, sent)
            if not fired:
                break
    check(begun > 0, "no failure was taken for a shortage of memory")
    # It may begin and end within a call, unseen.
    counted = counters(ns, context.family)["MemoryPressures"] - before
    check(counted >= begun, f"memory became short {begun} times, {counted} were counted")


def every_cache(context):
    """All lives of each of the caches."""
    with context.link.a.ns.inside():
        for cache, fewest in CACHES.items():
            if (faults.SLAB / cache).exists():
                with faults.atomic(cache) as fault:
                    all_lives(context, fault, fewest)


@case(timeout=60, families=("newtcp",), needs=kernel.fails_on_demand)
def every_allocation_for_a_packet_fails(context):
    """Each object that is made where nobody can wait, packets being handled, fails once."""
    every_cache(context)


@case(versions=(4,), timeout=120, families=("newtcp",), needs=kernel.fails_on_demand, apart=True)
def every_allocation_for_a_lost_packet_fails(context):
    """The same where much is sent again, cut, and comes out of order."""
    bad_loopback(context)
    every_cache(context)


@case(versions=(4,), needs=kernel.fails_on_demand)
def checkers_know_who_allocated(context):
    """A report of this kernel names the callers: their stacks are saved, from the call on."""
    context.socket(context.link.a)
    traces = (faults.DEBUG / "slab" / context.family.rows[0] / "alloc_traces").read_text("ascii")
    for caller in ("sk_alloc", "__sys_socket"):
        check(f" {caller}+" in traces, f"{caller} is not among the callers: {traces!r}")
