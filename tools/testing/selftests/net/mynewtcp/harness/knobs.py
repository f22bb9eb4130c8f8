# SPDX-License-Identifier: GPL-2.0
"""Sysctls and counters by the names that TCP and NEW_TCP share."""

from pathlib import Path

from .registry import Skip

# Counters by protocol: files of two lines a table, or of one line a counter.
TCP_FILES = ("/proc/thread-self/net/snmp", "/proc/thread-self/net/netstat")
NEWTCP_FILE = "/proc/thread-self/net/mynewtcp_snmp"


def set_knob(context, side, name, value):
    """Set tcp_NAME or its like; skips the case where the kernel has no such knob."""
    path = f"net.ipv4.tcp_{name}" if context.family.name == "tcp" else f"net.mynewtcp.{name}"
    with side.ns.inside():
        there = Path("/proc/sys", path.replace(".", "/")).exists()
    if not there:
        raise Skip(f"the kernel has no {path}")
    side.ns.write_sysctl(path, value)


def counters(ns, family):
    """The protocol's counters in that namespace, without a leading "TCP"."""
    if family.name != "tcp":
        pairs = (line.split() for line in ns.read(NEWTCP_FILE).splitlines())
        return {name: int(value) for name, value in pairs if value.isdigit()}
    found = {}
    for file in TCP_FILES:
        lines = [line.split() for line in ns.read(file).splitlines()]
        for names, values in zip(lines[::2], lines[1::2]):
            if names[0] in ("Tcp:", "TcpExt:"):
                found.update((name.removeprefix("TCP"), int(value))
                             for name, value in zip(names[1:], values[1:]))
    return found


class Count:
    """How much one counter of a side has grown since this was made."""

    def __init__(self, context, side, name):
        self.context, self.side, self.name = context, side, name
        self.start = self._read()

    def _read(self):
        return counters(self.side.ns, self.context.family)[self.name]

    def grown(self):
        """The growth so far."""
        return self._read() - self.start
