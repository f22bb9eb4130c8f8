# SPDX-License-Identifier: GPL-2.0
"""The benchmark's table: every figure, how it is measured, what it must reach."""

import dataclasses

MIB = 1 << 20
# Where the guest's script puts the ends of a virtual cable (see guest).
VETH = "--server-net /run/netns/server --client-net /run/netns/client --address 10.253.0.1"


@dataclasses.dataclass(frozen=True)
class Row:
    """One figure of TCP and of NEW_TCP."""

    name: str
    title: str
    # What is counted, and per what.
    quantity: str
    unit: str
    # Which kind of boot, the probe's words, and which of its numbers.
    boot: str
    command: str
    key: str = "busy_per_unit"
    # Figures are relative to this command's (growth), if there is one.
    over: str = ""
    rounds: int = 5
    # Limits of NEW_TCP / TCP; None: nothing was promised.
    must: float | None = None
    aim: float | None = None
    # What else does this work, to see the floor.
    floors: tuple = ()
    # A rise fails the gate.
    gated: bool = False


def _idle(count, ipv6=False):
    return f"idle --count {count}" + (" --ipv6" if ipv6 else "")


def _active(connections):
    return f"active --connections {connections} --count 3000"


ROWS = (
    Row("rr", "1-byte round trip", "instructions", "round trip", "icount",
        "rr --count 3000", must=0.85, aim=0.76, rounds=3, floors=("udp", "unix"), gated=True),
    Row("rr6", "1-byte round trip, IPv6", "instructions", "round trip", "icount",
        "rr --count 3000 --ipv6", must=0.85, aim=0.76, rounds=3),
    Row("crr", "connect, request, response, close", "instructions", "connection",
        "icount", "crr --count 600", rounds=3, must=0.75, aim=0.55, gated=True),
    Row("bulk", "bulk, 64 KiB writes", "instructions", "byte", "icount",
        f"bulk --bytes {32 * MIB}", rounds=13, must=0.98, aim=0.92, floors=("unix",),
        gated=True),
    Row("bulk4k", "bulk, 4 KiB writes", "instructions", "byte", "icount",
        f"bulk --chunk 4096 --bytes {16 * MIB}", rounds=7, must=0.95, aim=0.8),
    Row("veth", "bulk over a veth pair between namespaces", "instructions", "byte",
        "icount", f"bulk --bytes {32 * MIB} {VETH}", rounds=7, must=1.0, aim=0.9),
    Row("virtio", "bulk over virtio-net between two guests, MTU 1500", "instructions",
        "byte", "link", f"--bytes {16 * MIB}", rounds=5, must=1.1, aim=1.0),
    Row("object", "size of a socket", "bytes", "socket", "icount",
        _idle(1000), "object_bytes", rounds=2, must=0.75, aim=0.6),
    Row("object6", "size of a socket, IPv6", "bytes", "socket", "icount",
        _idle(1000, ipv6=True), "object_bytes", rounds=2, must=0.75, aim=0.6),
    Row("memory", "memory of an idle connection, both ends", "bytes", "connection",
        "icount", _idle(1000), "page_bytes", rounds=2, must=0.75, aim=0.6),
    Row("memory6", "memory of an idle connection, both ends, IPv6", "bytes", "connection",
        "icount", _idle(1000, ipv6=True), "page_bytes", rounds=2, must=0.75, aim=0.6),
    Row("idle-bytes", "10,000 idle connections: memory of each", "bytes", "connection",
        "icount", _idle(10000), "page_bytes", rounds=1, must=0.9, aim=0.7),
    Row("idle-work", "10,000 idle connections: opening one", "instructions", "connection",
        "icount", _idle(10000), rounds=1, must=0.9, aim=0.7),
    Row("active", "round trip among 1,000 connections against one", "times the cost",
        "round trip", "icount", _active(1000), over=_active(1), rounds=3, must=1.0),
    Row("bulk-um", "bulk, native copies, User-mode Linux", "ns", "byte", "um",
        f"bulk --bytes {256 * MIB}", "ns_per_unit", rounds=9, must=1.0, aim=1 / 1.15),
    Row("accept", "connections to SO_REUSEPORT listeners on 2 processors", "ns",
        "connection", "smp", "spread --processors 2 --count 200", "ns_per_unit", rounds=5),
    Row("scaling", "the same on 2 processors against 1", "times the time", "connection",
        "smp", "spread --processors 2 --count 200", "ns_per_unit",
        over="spread --processors 1 --count 200", rounds=5),
    Row("contention", "the same: times that a lock was waited for", "waits", "connection",
        "smp", "locks spread --processors 2 --count 200", "waits_per_unit", rounds=3),
)

NAMES = tuple(row.name for row in ROWS)
GATED = tuple(row.name for row in ROWS if row.gated)


def chosen(names):
    """The rows of these names, in the table's order."""
    return [row for row in ROWS if row.name in names]


@dataclasses.dataclass(frozen=True)
class Run:
    """A command of the probe that a guest runs, for some families, some times."""

    command: str
    families: tuple
    rounds: int


def runs(rows, rounds=None, floors=True):
    """What has to be run for these rows of one boot: every command once."""
    found = {}
    for row in rows:
        for command in filter(None, (row.command, row.over)):
            before = found.get(command)
            families = ("tcp", "newtcp", *(row.floors if floors else ()))
            wanted = rounds or row.rounds
            if before:
                families = tuple(dict.fromkeys(before.families + families))
                wanted = max(wanted, before.rounds)
            found[command] = Run(command, families, wanted)
    return list(found.values())
