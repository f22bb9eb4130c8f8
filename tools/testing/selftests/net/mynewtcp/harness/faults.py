# SPDX-License-Identifier: GPL-2.0
"""Allocations that fail on demand (CONFIG_FAULT_INJECTION)."""

import contextlib
import os
from pathlib import Path

DEBUG = Path("/sys/kernel/debug")
SLAB = Path("/sys/kernel/slab")
# What a failure is decided by, per kind; each kind also has "verbose", which would print
# a backtrace that looks like a defect.
KINDS = ("failslab", "fail_page_alloc", "fail_usercopy")
NEVER = {"probability": "0", "times": "0", "task-filter": "N", "verbose": "0"}


def _write(path, text):
    path.write_text(text, encoding="ascii")


@contextlib.contextmanager
def _set(values):
    """Set files while the body runs; what cannot be read back stays."""
    before = {path: path.read_text(encoding="ascii").strip() for path in values}
    try:
        for path, value in values.items():
            _write(path, value)
        yield
    finally:
        for path, value in before.items():
            _write(path, value)


class Nth:
    """The Nth allocation, or copy from or to user memory, that the calling thread asks for."""

    def __init__(self):
        self.file = os.open("/proc/thread-self/fail-nth", os.O_RDWR | os.O_CLOEXEC)

    def arm(self, nth):
        """Let the nth from now on fail."""
        os.pwrite(self.file, str(nth).encode(), 0)

    def disarm(self):
        """Nothing fails any more; gives whether something has."""
        try:
            left = int(os.pread(self.file, 32, 0))
        except OSError:
            # The one to fail was this very read's.
            return False
        with contextlib.suppress(OSError):
            os.pwrite(self.file, b"0", 0)
        return left == 0

    def close(self):
        """Give the descriptor back."""
        os.close(self.file)


@contextlib.contextmanager
def nth():
    """Make allocations of every kind and size ones that can fail; gives an Nth."""
    values = {DEBUG / kind / name: value for kind in KINDS for name, value in NEVER.items()}
    values[DEBUG / "failslab" / "ignore-gfp-wait"] = "N"
    values[DEBUG / "failslab" / "cache-filter"] = "N"
    values[DEBUG / "fail_page_alloc" / "ignore-gfp-wait"] = "N"
    values[DEBUG / "fail_page_alloc" / "ignore-gfp-highmem"] = "N"
    values[DEBUG / "fail_page_alloc" / "min-order"] = "0"
    with _set(values), contextlib.closing(Nth()) as found:
        yield found


class Atomic:
    """The Nth object that anybody who cannot sleep asks of one slab cache."""

    def __init__(self, cache):
        self.size = int((SLAB / cache / "object_size").read_text(encoding="ascii"))

    def arm(self, nth):
        """Let the nth from now on fail."""
        home = DEBUG / "failslab"
        # The space is how many octets are handed out before.
        _write(home / "space", str((nth - 1) * self.size + 1 if nth > 1 else 0))
        _write(home / "probability", "100")
        _write(home / "times", "1")

    def disarm(self):
        """Nothing fails any more; gives whether something has."""
        home = DEBUG / "failslab"
        left = int((home / "times").read_text(encoding="ascii"))
        _write(home / "probability", "0")
        return left == 0


@contextlib.contextmanager
def atomic(cache):
    """Make what cannot sleep and comes from this cache fail; gives an Atomic."""
    home = DEBUG / "failslab"
    values = {home / name: value for name, value in NEVER.items()}
    values |= {home / "ignore-gfp-wait": "Y", home / "cache-filter": "Y",
               home / "interval": "1", home / "space": "0", SLAB / cache / "failslab": "1"}
    with _set(values):
        yield Atomic(cache)
