# SPDX-License-Identifier: GPL-2.0
"""Where the instructions of one operation go: a table by kernel symbol.

QEMU runs with a plugin (count.c) that counts the instructions of every block
of guest code. The guest runs a benchmark with N operations and once more with
2N; the difference is N operations, free of the cost of starting and ending.
"""

import bisect
import re
import subprocess
from pathlib import Path

from rows import VETH

SCRIPTS = Path(__file__).resolve().parent.parent
USER = "(user space)"

# Operations of one run: the probe's words, its option that says how many, N, and the unit of N.
# Of some the probe does a tenth more than it is asked for, to warm up.
WARM_UP = 10 / 11
OPERATIONS = {
    "rr": ("rr", "--count", 2000, WARM_UP),
    "crr": ("crr", "--count", 500, WARM_UP),
    "bulk": ("bulk", "--bytes", 64 << 20, 64 << 10),
    "veth": (f"bulk {VETH}", "--bytes", 128 << 20, 64 << 10),
    "active": ("active --connections 1000", "--count", 3000, 1),
}


def in_root(*words):
    """The output of a command that runs in the build root."""
    return subprocess.run([SCRIPTS / "env", "run", "--", *words], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def build_plugin():
    """Compile the plugin, next to the probe."""
    in_root("gcc", "-Wall", "-Wextra", "-Werror", "-O2", "-fPIC", "-shared",
            "-fvisibility=hidden", "-o", "/mnt/cache/target/release/count.so",
            "/mnt/src/scripts/bench.d/count.c")


class Symbols:
    """The kernel's functions by address."""

    def __init__(self):
        found = []
        for line in in_root("nm", "-C", "-n", "/mnt/cache/build/x86/vmlinux").splitlines():
            address, kind, name = line.split(" ", 2)
            if kind in "tTwW":
                found.append((int(address, 16), tidy(name)))
        self.addresses = [address for address, _ in found]
        self.names = [name for _, name in found]

    def at(self, address):
        """The function that `address` is in."""
        if not address:
            return USER
        return self.names[bisect.bisect_right(self.addresses, address) - 1]

    def address(self, name):
        """Where a function begins."""
        return self.addresses[self.names.index(name)]


def tidy(name):
    """A demangled name without what a reader does not need."""
    name = re.sub(r"\[[0-9a-f]{16}\]", "", name)
    name = re.sub(r"\.llvm\.\d+$", "", name)
    return name.replace("mynewtcp_main::", "newtcp::")


def sections(path, symbols):
    """Instructions by symbol between each two marks of a file."""
    found = []
    with open(path, encoding="ascii") as lines:
        for line in lines:
            if line == "mark\n":
                found.append({})
                continue
            address, count = line.split()
            name = symbols.at(int(address, 16))
            found[-1][name] = found[-1].get(name, 0) + int(count)
    return found


def difference(once, twice, operations):
    """Instructions per operation by symbol."""
    return {name: (twice.get(name, 0) - once.get(name, 0)) / operations
            for name in once.keys() | twice.keys()}


def profile(bench, programs, families, extra=()):
    """Boot, run, and give each family's instructions per operation by symbol."""
    command, option, number, unit = OPERATIONS[bench]
    words = [command, *extra]
    build_plugin()
    symbols = Symbols()
    counted = Path(programs) / "count.txt"
    marker = symbols.address("__x64_sys_personality")
    runs = [" ".join([*words, option, str(times * number)]) for times in (1, 2)]
    subprocess.run(
        [SCRIPTS / "vm", "--kernel", "x86", "--icount", "--timeout", "3600",
         "--plugin", f"/mnt/cache/target/release/count.so,marker={marker},"
                     "out=/mnt/share/count.txt",
         "--share", programs, "--", "/mnt/src/scripts/bench.d/guest-profile",
         "/mnt/share/mynewtcp-probe", " ".join(families), *runs],
        check=True, stdout=subprocess.PIPE)
    parts = sections(counted, symbols)
    # Of each family: what was before, N operations, 2N operations.
    if len(parts) != 3 * len(families):
        raise SystemExit(f"bench: {len(parts)} marks instead of {3 * len(families)}")
    return {family: difference(parts[3 * at + 1], parts[3 * at + 2], number / unit)
            for at, family in enumerate(families)}


def table(bench, profiles, rows):
    """A Markdown table, the largest differences first."""
    tcp, ours = profiles["tcp"], profiles["newtcp"]
    names = sorted(tcp.keys() | ours.keys(),
                   key=lambda name: -abs(ours.get(name, 0) - tcp.get(name, 0)))
    totals = [sum(found.values()) for found in (tcp, ours)]
    lines = [f"| {bench}: symbol | TCP | NEW_TCP | difference |", "|---|--:|--:|--:|",
             f"| (all) | {totals[0]:,.0f} | {totals[1]:,.0f} | {totals[1] - totals[0]:+,.0f} |"]
    for name in names[:rows]:
        theirs, mine = tcp.get(name, 0), ours.get(name, 0)
        lines.append(f"| {name} | {theirs:,.0f} | {mine:,.0f} | {mine - theirs:+,.0f} |")
    return "\n".join(lines)


def short(name):
    """A Rust function as a reader says it: Type::function or module::function."""
    name = re.sub(r"^<(.+) as .+>::", r"\1::", name)
    name = re.sub(r"^<(.+)>::", r"\1::", name)
    while (plain := re.sub(r"(::)?<[^<>]*>", "", name)) != name:
        name = plain
    parts = name.split("::")
    typed = [place for place, part in enumerate(parts) if part[:1].isupper()]
    return "::".join(parts[typed[-1]:] if typed else parts[-2:])


def largest(profiles, count):
    """Each stack's total and its functions, those that cost either of them most."""
    merged = {}
    for place, family in enumerate(("tcp", "newtcp")):
        for name, instructions in profiles[family].items():
            merged.setdefault(short(name), [0, 0])[place] += instructions
    names = sorted(merged, key=lambda name: -max(merged[name]))[:count]
    return {
        "total": [round(sum(profiles[family].values())) for family in ("tcp", "newtcp")],
        "symbols": {name: [max(0, round(one)) for one in merged[name]] for name in names},
    }
