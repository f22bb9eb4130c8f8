# SPDX-License-Identifier: GPL-2.0
"""Boot guests and collect what the probe says in them."""

import json
import subprocess
import sys
import time
from pathlib import Path

import rows

SCRIPTS = Path(__file__).resolve().parent.parent
PROBE = "/mnt/share/mynewtcp-probe"
GUEST = "/mnt/src/scripts/bench.d/guest"
BOOTS = {
    "icount": ("--kernel", "x86", "--icount"),
    "um": ("--kernel", "um"),
    "smp": ("--kernel", "x86", "--smp", "2"),
    "link": ("--kernel", "x86", "--icount"),
}
# The cable between two guests, in the cache as guests' emulators see it.
CABLE = "/mnt/cache/bench/cable"
ADDRESS = "10.254.0.1:7000"


class GuestError(Exception):
    """A guest did not do what it was to do."""


def _vm(boot, programs, timeout, extra, words):
    return [SCRIPTS / "vm", *BOOTS[boot], *extra, "--timeout", str(timeout),
            "--share", programs, "--", *words]


def one_guest(boot, runs, programs, timeout):
    """Run it all in one guest: command -> family -> the probe's lines in order."""
    plan = [f"{run.rounds + 1} {','.join(run.families)} {run.command}" for run in runs]
    done = subprocess.run(_vm(boot, programs, timeout, (), (GUEST, PROBE, *plan)),
                          check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise GuestError(f"{boot}: the guest ended with {done.returncode}")
    found = {run.command: {} for run in runs}
    for line in done.stdout.splitlines():
        number, text = line.split(" ", 1)
        said = json.loads(text)
        found[runs[int(number)].command].setdefault(said["family"], []).append(said)
    return found


def two_guests(runs, programs, timeout):
    """The same for a run between two guests: each byte costs what it costs both."""
    found = {}
    for run in runs:
        found[run.command] = {}
        ends = []
        for side, other in (("server", "client"), ("client", "server")):
            where = ("--listen" if side == "server" else "--connect", ADDRESS)
            words = (GUEST, PROBE, "link", side, str(run.rounds + 1), ",".join(run.families),
                     *where, *run.command.split())
            cable = ("--link", f"{CABLE}-{side},{CABLE}-{other}")
            ends.append(subprocess.Popen(_vm("link", programs, timeout, cable, words),
                                         stdout=subprocess.PIPE, text=True))
        said = [end.communicate()[0].splitlines() for end in ends]
        if any(end.returncode for end in ends):
            raise GuestError(f"link: the guests ended with {[e.returncode for e in ends]}")
        for server, client in zip(*said, strict=True):
            pair = [json.loads(server), json.loads(client)]
            total = dict(pair[1], busy_per_unit=sum(one["busy_per_unit"] for one in pair))
            found[run.command].setdefault(total["family"], []).append(total)
    return found


def boots(chosen, programs, options):
    """Measure these rows: command -> family -> lines, and which boots failed."""
    found, failed = {}, []
    for boot in BOOTS:
        wanted = [row for row in chosen if row.boot == boot]
        if not wanted:
            continue
        runs = rows.runs(wanted, options.rounds, floors=not options.gate)
        print(f"bench: {boot}: {', '.join(row.name for row in wanted)} ...",
              file=sys.stderr, flush=True)
        started = time.monotonic()
        try:
            if boot == "link":
                found |= two_guests(runs, programs, options.timeout)
            else:
                found |= one_guest(boot, runs, programs, options.timeout)
        except GuestError as error:
            failed.append(str(error))
        print(f"bench: {boot}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return found, failed
