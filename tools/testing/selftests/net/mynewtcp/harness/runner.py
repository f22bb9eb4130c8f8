# SPDX-License-Identifier: GPL-2.0
"""Runs the cases, prints TAP (KTAP version 1) and a closing line."""

import argparse
import errno
import fnmatch
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from . import family as families
from .context import Context
from .kernel_log import KernelLog, splats
from .registry import CASES, Failure, Skip, Stalled

# What calibrate() takes on the machine that the time-outs were written on.
REFERENCE_SECONDS = 0.030
# The status by which kselftest knows that nothing could be tested.
KSFT_SKIP = 4
# Of a case while the machine stalls.
ATTEMPTS = 3


class TimedOut(Exception):
    """The case's alarm went off."""


@dataclass
class Settings:
    """What the command line says, worked out."""

    family: families.Family
    door: str
    scale: float
    check_memory: bool
    programs: Path
    keep: Path


def calibrate():
    """How many times slower than the reference small system calls are here."""
    reader, writer = os.pipe()
    started = time.monotonic()
    for _ in range(10000):
        os.write(writer, b"x")
        os.read(reader, 1)
    spent = time.monotonic() - started
    os.close(reader)
    os.close(writer)
    return max(1.0, spent / REFERENCE_SECONDS)


def parse_arguments(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(prog="run.py", description="NEW_TCP selftests")
    parser.add_argument("--family", choices=("tcp", "newtcp"), default="newtcp",
                        help="protocol under test; tcp proves the tests themselves")
    parser.add_argument("--door", choices=("family", "inet"), default="family",
                        help="socket(46, ..., 0) or socket(AF_INET, ..., 253)")
    parser.add_argument("--list", action="store_true", help="print the cases and leave")
    parser.add_argument("--only", metavar="NAME", action="append",
                        help="run the cases of this name (a shell pattern; may be repeated)")
    parser.add_argument("--alternate", action="store_true",
                        help="run each case over one IP version only, in turn: "
                             "half the work, nearly all the code")
    parser.add_argument("--scale", type=float,
                        help="multiply every time-out by this (found by a measurement)")
    parser.add_argument("--strict", action="store_true",
                        help="a skipped case is a failed one")
    parser.add_argument("--shared-machine", action="store_true",
                        help="others use the family here too: do not look at its memory")
    parser.add_argument("--ip-protocol", type=int, default=253,
                        help="NEW_TCP's IP protocol number (CONFIG_MY_NEWTCP_PROTO)")
    parser.add_argument("--programs", type=Path, default=os.environ.get("NEWTCP_BIN"),
                        help="directory of the built programs of tools/mynewtcp "
                             "(environment: NEWTCP_BIN)")
    parser.add_argument("--keep", type=Path,
                        help="keep the captures that are made in this directory")
    return parser.parse_args(arguments)


def select(options):
    """The cases that were asked for."""
    def wanted(one):
        if not options.only:
            return not one.apart
        return any(fnmatch.fnmatch(one.name, name) for name in options.only)
    chosen = [one for one in CASES if options.family in one.families and wanted(one)
              and one.needs()]
    return alternate(chosen) if options.alternate else chosen


def alternate(cases):
    """Of the cases that are there for both IP versions, the first's 4, the second's 6, ..."""
    by_function = {}
    for one in cases:
        by_function.setdefault(one.function, []).append(one)
    pairs = 0
    for one in by_function.values():
        if len(one) > 1:
            del one[1 - pairs % 2]
            pairs += 1
    return [one for found in by_function.values() for one in found]


def _alarm(_signal, _frame):
    raise TimedOut


def attempt(one, settings):
    """Run one case and its checks of cleanliness; raises unless it passed."""
    context = Context(settings, one.version)
    try:
        signal.setitimer(signal.ITIMER_REAL, one.timeout * settings.scale)
        try:
            one.function(context)
        finally:
            # What the case left open must go away in a time of its own.
            signal.setitimer(signal.ITIMER_REAL, 60 * settings.scale)
            context.close()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def explain(error, one, settings):
    """The diagnostic lines for an error."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [frame for frame in frames if "/cases/" in frame.filename]
    place = ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in where)
    if isinstance(error, TimedOut):
        line = where[-1].line if where else frames[-1].line
        return [f"no end after {one.timeout * settings.scale:.0f} s in {line} ({place})"]
    if isinstance(error, Failure):
        return [f"{error} ({place})"]
    return traceback.format_exception(error)


def judge(one, settings, log):
    """("ok", "skip" or "fail", diagnostic lines) of one case."""
    log.new_lines()
    for left in reversed(range(ATTEMPTS)):
        verdict, lines = "ok", []
        try:
            attempt(one, settings)
        except Skip as skip:
            verdict, lines = "skip", [str(skip)]
        except Exception as error:
            verdict, lines = "fail", explain(error, one, settings)
            if isinstance(error, Stalled) and left:
                print(f"# once more: {error}", flush=True)
                continue
        break
    found = splats(log.new_lines())
    if found:
        verdict = "fail"
        lines = lines + ["the kernel log is not clean:"] + found
    return verdict, lines


def report(number, one, verdict, lines, seconds):
    """Print one TAP result."""
    if verdict == "skip":
        print(f"ok {number} {one.name} # SKIP {' '.join(lines)}", flush=True)
        return
    for line in lines:
        for part in line.splitlines():
            print(f"# {part}")
    word = "ok" if verdict == "ok" else "not ok"
    print(f"{word} {number} {one.name} # {seconds:.1f} s", flush=True)


def obstacle(family):
    """Why nothing can be tested here, or None."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    try:
        family.open(4).close()
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            return f"the kernel has no sockets of family {family.name}"
        raise
    return None


def run_all(chosen, settings, strict):
    """Run the cases; gives how many passed, failed and were skipped."""
    signal.signal(signal.SIGALRM, _alarm)
    log = KernelLog()
    counts = {"ok": 0, "fail": 0, "skip": 0}
    print(f"1..{len(chosen)}")
    print(f"# family {settings.family.name}, door {settings.door}, "
          f"time scale {settings.scale:.1f}", flush=True)
    for number, one in enumerate(chosen, 1):
        started = time.monotonic()
        verdict, lines = judge(one, settings, log)
        if strict and verdict == "skip":
            verdict = "fail"
        counts[verdict] += 1
        report(number, one, verdict, lines, time.monotonic() - started)
    return counts


def main(arguments):
    """Run; gives the exit status."""
    options = parse_arguments(arguments)
    chosen = select(options)
    if options.list:
        print("\n".join(one.name for one in chosen))
        return 0
    if not chosen:
        print(f"no case of family {options.family} is called {options.only}", file=sys.stderr)
        return 2
    family = (families.tcp() if options.family == "tcp"
              else families.newtcp(options.ip_protocol))
    print("KTAP version 1")
    reason = obstacle(family)
    if reason:
        print(f"1..0 # SKIP {reason}")
        return 1 if options.strict else KSFT_SKIP
    settings = Settings(family, options.door, options.scale or calibrate(),
                        not options.shared_machine, options.programs, options.keep)
    counts = run_all(chosen, settings, options.strict)
    print(f"# Totals: pass:{counts['ok']} fail:{counts['fail']} xfail:0 xpass:0 "
          f"skip:{counts['skip']} error:0")
    print(f"{counts['ok']} passed, {counts['fail']} failed"
          + (f", {counts['skip']} skipped" if counts["skip"] else ""), flush=True)
    return 1 if counts["fail"] else 0
