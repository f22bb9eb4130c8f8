# SPDX-License-Identifier: GPL-2.0
"""The family's row in /proc/net/protocols."""

from dataclasses import dataclass

PROTOCOLS = "/proc/thread-self/net/protocols"
COLUMNS = "cl co di ac io in de sh ss gs se re bi br ha uh gp em".split()

# The kernel adds to memory_allocated in batches of up to 1 MiB per CPU
# (net.core.mem_pcpu_rsv, which cannot be set lower), so the column of an idle
# protocol may be this many pages off per CPU.
BATCH_PAGES = 256


@dataclass(frozen=True)
class ProtoRow:
    """One row, taken apart."""

    name: str
    size: int
    sockets: int
    memory: int
    press: str
    max_header: int
    slab: str
    module: str
    slots: dict


def parse(line):
    """A row from its line."""
    words = line.split()
    return ProtoRow(
        name=words[0], size=int(words[1]), sockets=int(words[2]), memory=int(words[3]),
        press=words[4], max_header=int(words[5]), slab=words[6], module=words[7],
        slots=dict(zip(COLUMNS, words[8:])),
    )


def rows(ns, names):
    """The rows of these names as the namespace shows them."""
    lines = ns.read(PROTOCOLS).splitlines()[1:]
    return [parse(line) for line in lines if line.split()[0] in names]


def sockets(ns, family):
    """How many sockets of the family the namespace has."""
    return sum(row.sockets for row in rows(ns, family.rows))


def memory(ns, family):
    """Pages charged to the family, in all namespaces. One pool serves IPv4 and IPv6."""
    return max((row.memory for row in rows(ns, family.rows)), default=0)
