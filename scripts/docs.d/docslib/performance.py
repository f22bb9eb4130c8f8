# SPDX-License-Identifier: GPL-2.0
"""The page about performance, made of the stored figures."""

import importlib.util
import json
import textwrap

BENCH = "scripts/bench.d"
PAGE = "Documentation/networking/mynewtcp/performance.rst"
# Differences by symbol that the page explains, and lines of the whole table.
EXPLAINED = 10
SYMBOLS = 30

HEAD = """\
.. SPDX-License-Identifier: GPL-2.0
.. made of scripts/bench.d/baseline.json and explained.json by make generate

===========
Performance
===========

What NEW_TCP costs beside TCP, on the same kernel, in the same guest, in the same
run.  ``make bench`` measures all of it; testing.rst says how the gate of ``make test``
uses the figures.  Charts are among what ``make bench`` writes.

How it is measured
==================

``scripts/bench.d/rows.py`` has the table of all rows.  Each row names one of four kinds
of boot:

icount
    The x86 configuration under QEMU's instruction counter, with one processor and
    the model ``max,-erms,-fsrm``: with fast string moves each byte moved would count as
    an instruction.  A nanosecond of that guest is an executed instruction.  What
    counts are the nanoseconds that the scheduler booked on all processes, those of
    the kernel too, not the time that passed: that has jumps in it while all wait for
    a timer.

link
    Two such guests, each with a virtio network device, and a cable between them that
    does nothing for them: no segmentation and no checksums, for TCP neither.  Receive
    work is done by a kernel thread, so that it is booked on a process.  The figure is
    the sum of both guests.

um
    User-mode Linux, which copies at the machine's own speed.  Only the ratio means
    something.

smp
    The x86 configuration with two processors.  Again only the ratio does.

All commands run for TCP and NEW_TCP in turn.  The first round does not count.  A
figure is the median of the rounds, the ratio the median of the ratios of
neighbouring rounds.  Behind a figure stands half the distance between the smallest
and the largest round.  All bytes are compared with those sent; of the bytes that
bulk rows measure, both ends of each read, and 2 MiB before and after them entirely.

"Must" and "aim" are the ratios that the project has set itself.  A state of "not
reached" is meant to be read: it is work to be done.

Figures
=======

"""

MEMORY = """
Memory of an idle connection is what slab caches, vmalloc and per-processor memory
grew by, in whole pages, while so many connections were opened, divided by their
number: both sockets with their inodes and files, and whatever the protocols keep.
It is read when it has not become less for three seconds: a connection of NEW_TCP to
which nothing happens for a second takes less memory from then on (design.rst), and
idle ones are such.  Opening one is the work until accept() returns it.
The size of a socket is ``obj_size`` of its ``struct proto``, the column of
``/proc/net/protocols``.  Both address families of NEW_TCP use one kind of socket.

Among 1,000 connections each is used again after the time of 1,000 operations, tens
of milliseconds.  By then a part of NEW_TCP's delayed acknowledgments has gone out
alone: by the instructions spent on lookups, an operation has three segments for two.

Rows in nanoseconds are of a machine that did other things as well: their spread says
how much.
"""

PROFILE = """
Where the instructions go
=========================

Counted by a plugin of QEMU, ``scripts/bench.d/count.c``, with
``scripts/bench --profile``.  A function that the compiler has put into its caller counts there.
"""


class PageError(Exception):
    """The stored figures are not fit for the page."""


def _report(repo):
    """The module of the benchmark that forms cells."""
    spec = importlib.util.spec_from_file_location("report", repo / BENCH / "report.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def list_table(head, rows, widths):
    """A list-table."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for cells in [head, *rows]:
        for place, cell in enumerate(cells):
            lead = "     - " if place else "   * - "
            lines.append(textwrap.fill(
                cell, 90, initial_indent=lead, subsequent_indent="       ",
                break_long_words=False, break_on_hyphens=False) if cell else lead.rstrip())
    return "\n".join(lines) + "\n"


def _figures(report, rows):
    yield list_table(report.HEAD, [report.cells(one) for one in rows.values()],
                     "30 20 16 16 8 7 7 14")
    floors = [[one["title"], {"udp": "UDP", "unix": "AF_UNIX"}[family],
               report.number(found["median"]), f"{one['quantity']} per {one['unit']}"]
              for one in rows.values() for family, found in one.get("floors", {}).items()]
    if floors:
        yield "\nWhat others take for the same work:\n\n"
        yield list_table(("work", "with", "takes", "of"), floors, "40 12 12 30")
    yield MEMORY


def _literal(name):
    return name if name.startswith("(") else f"``{name}``"


def _profile(bench, stored, notes):
    """The section about one benchmark's symbols."""
    unit = {"rr": "round trip", "crr": "connection", "bulk": "64 KiB"}[bench]
    theirs, ours = stored["total"]
    title = f"{bench}, instructions per {unit}"
    symbols = stored["symbols"]
    by_difference = sorted(symbols, key=lambda name: -abs(symbols[name][1] - symbols[name][0]))
    rows = []
    for name in by_difference[:EXPLAINED]:
        if name not in notes:
            raise PageError(f"{BENCH}/explained.json says nothing about {name} ({bench})")
        tcp, mine = symbols[name]
        rows.append((_literal(name), f"{tcp:,}", f"{mine:,}", f"{mine - tcp:+,}", notes[name]))
    yield f"\n{title}\n{'-' * len(title)}\n\nIn all {theirs:,} with TCP, {ours:,} with NEW_TCP.  "
    yield "The ten largest differences:\n\n"
    yield list_table(("function", "TCP", "NEW_TCP", "difference", "why"), rows,
                     "30 10 10 10 40")
    largest = sorted(symbols, key=lambda name: -max(symbols[name]))[:SYMBOLS]
    yield f"\nThe {len(largest)} functions that take most:\n\n"
    yield list_table(("function", "TCP", "NEW_TCP"),
                     [(_literal(name), *(f"{count:,}" for count in symbols[name]))
                      for name in largest], "60 12 12")


def page(repo):
    """The page's text."""
    stored = json.loads((repo / BENCH / "baseline.json").read_text())
    notes = json.loads((repo / BENCH / "explained.json").read_text())
    parts = [HEAD, *_figures(_report(repo), stored["rows"])]
    if stored["symbols"]:
        parts.append(PROFILE)
        for bench, found in stored["symbols"].items():
            parts += _profile(bench, found, notes)
    return "".join(parts)
