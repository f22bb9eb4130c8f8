# SPDX-License-Identifier: GPL-2.0
"""How many tests passed and failed, read from what a stage printed."""

import re

CARGO = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed", re.MULTILINE)
CLOSING = re.compile(r"\b(\d+) passed, (\d+) failed")
POINT = re.compile(r"^(\s*)(ok|not ok) \d+\b(.*)$", re.MULTILINE)
STAMP = re.compile(r"^(?:<\d+>)?\[\s*\d+\.\d+\](?:\[[^]]*\])? ?", re.MULTILINE)


def any_form(text, status):
    """Cargo's results, a closing line, TAP, or else the exit status alone."""
    cargo = CARGO.findall(text)
    closing = CLOSING.findall(text)
    points = POINT.findall(text)
    if cargo:
        passed = sum(int(good) for good, _ in cargo)
        failed = sum(int(bad) for _, bad in cargo)
    elif closing:
        passed, failed = map(int, closing[-1])
    elif points:
        passed, failed = _points(points)
    else:
        passed, failed = (1, 0) if status == 0 else (0, 1)
    return passed, max(failed, 1 if status else 0)


def ktap(text, status):
    """The single tests of the kernel's KTAP: the deepest points, no suites."""
    text = STAMP.sub("", text)
    points = [point for point in POINT.findall(text) if point[0]]
    passed, failed = _points(points)
    nothing = not points
    return passed, max(failed, 1 if status or nothing else 0)


def _points(points):
    passed = failed = 0
    for _, verdict, rest in points:
        if "# SKIP" in rest or "# skip" in rest:
            continue
        passed += verdict == "ok"
        failed += verdict == "not ok"
    return passed, failed
