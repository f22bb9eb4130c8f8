# SPDX-License-Identifier: GPL-2.0
"""What a kernel log says about the kernel's health, and how many of them are kept."""

import re

# One line that begins a report. Each checker has words of its own.
REPORT = re.compile(
    r"""
      WARNING:
    | \bBUG[: ]
    | \bOops\b
    | Kernel\ panic
    | general\ protection\ fault
    | -{4,}\[\ cut\ here\ \]
    | \bKASAN:
    | \bUBSAN:
    | \bKFENCE:
    | \bODEBUG:
    | kmemleak:\ \d+\ new\ suspected
    | unreferenced\ object\ 0x
    | possible\ (?:recursive|circular)\ locking
    | inconsistent\ lock\ state
    | bad\ unlock\ balance
    | suspicious\ RCU\ usage
    | rcu:\ INFO:
    | \bINFO:\ (?:task|rcu|trying\ to\ register|possible)
    | sleeping\ function\ called
    | scheduling\ while\ atomic
    | DEBUG_LOCKS_WARN_ON
    | refcount_t:
    | list_(?:add|del)\ corruption
    | Attempt\ to\ release\ alive
    | watchdog:\ BUG
    | Bad\ page\ state
    | stack-protector:
    | rust_kernel:\ panicked
    """,
    re.VERBOSE,
)

STAMP = re.compile(r"^(?:<\d+>)?\[\s*(\d+\.\d+)\](?:\[[^]]*\])?\s?")

# User-mode Linux with SMP enqueues one RCU callback while the second CPU is
# still off. That is its own affair; it happens during boot, once, and says so.
UML_BOOT_RCU = "Callback enqueued on offline CPU"
UML_BOOT_RCU_BEFORE = 5.0
REPORT_LINES = 14
LONGEST_REPORT = 200


def prune(directory, keep):
    """Leave the newest logs. Guests that start at the same time do this to each other's."""

    def age(path):
        try:
            return path.stat().st_mtime
        except FileNotFoundError:
            return 0.0

    for path in sorted(directory.glob("*.log"), key=age)[:-keep]:
        path.unlink(missing_ok=True)


def read_lines(path):
    with open(path, encoding="utf-8", errors="replace") as log:
        return [line.rstrip("\r\n") for line in log]


def tail(path, count):
    return read_lines(path)[-count:]


def stamp(line):
    found = STAMP.match(line)
    return float(found.group(1)) if found else None


def is_known(lines, at):
    """Whether the report at this line is the one that UML SMP makes itself."""
    when = stamp(lines[at])
    return (
        "suspicious RCU usage" in lines[at]
        and when is not None
        and when < UML_BOOT_RCU_BEFORE
        and any(UML_BOOT_RCU in line for line in lines[at : at + 6])
    )


def end_of_report(lines, at):
    """The line after the report that begins at this one."""
    end = at + 1
    while end < len(lines) and end - at < LONGEST_REPORT:
        text = STAMP.sub("", lines[end])
        if REPORT.search(text):
            return end
        if "---[ end trace" in text or text.startswith("</TASK>"):
            return end + 1
        end += 1
    return end


def reports(path, kind):
    """The reports in a log, each as its first lines."""
    lines = read_lines(path)
    found = []
    forgive = kind == "debug"
    at = 0
    while at < len(lines):
        if not REPORT.search(STAMP.sub("", lines[at])):
            at += 1
            continue
        end = end_of_report(lines, at)
        if forgive and is_known(lines, at):
            forgive = False
        else:
            found.append(lines[at : min(end, at + REPORT_LINES)])
        at = end
    return merged(found)


def merged(found):
    """Reports whose frame ("cut here") or second line is one of its own count once."""
    whole = []
    for report in found:
        if whole and len(whole[-1]) == 1:
            whole[-1] += report
        else:
            whole.append(report)
    return whole
