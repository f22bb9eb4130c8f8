# SPDX-License-Identifier: GPL-2.0
"""Sysctls and counters by the names that TCP and NEW_TCP share."""

import contextlib
from pathlib import Path

from .registry import Skip

# Counters by protocol: files of two lines a table, or of one line a counter.
TCP_FILES = ("/proc/thread-self/net/snmp", "/proc/thread-self/net/netstat")
NEWTCP_FILE = "/proc/thread-self/net/mynewtcp_snmp"


def knob_file(context, name):
    """The file of tcp_NAME or its like; skips the case where the kernel has no such knob."""
    place = "ipv4/tcp_" if context.family.name == "tcp" else "mynewtcp/"
    file = Path(f"/proc/sys/net/{place}{name}")
    if not file.exists():
        raise Skip(f"the kernel has no {file}")
    return file


def set_knob(context, side, name, value):
    """Set a knob of one side."""
    with side.ns.inside():
        knob_file(context, name).write_text(f"{value}\n", encoding="ascii")


@contextlib.contextmanager
def host_knob(context, name, value):
    """Set a knob that the whole host has in common, while the body runs."""
    file = knob_file(context, name)
    before = file.read_text(encoding="ascii")
    file.write_text(f"{value}\n", encoding="ascii")
    try:
        yield
    finally:
        file.write_text(before, encoding="ascii")


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
