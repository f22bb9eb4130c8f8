# SPDX-License-Identifier: GPL-2.0
"""What counts as a report in a kernel log, and what does not; which logs are kept."""

import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import klog  # noqa: E402

QUIET = """\
[    0.000000] Linux version 7.3.4
[    0.100000] NET: Registered PF_INET_NEW_TCP protocol family
[    0.200000] mynewtcp: WARN is a word too, and so is debug: nothing wrong
[    0.300000] kmemleak: Kernel memory leak detector initialized (mem pool available: 15)
[    1.000000] FAULT_INJECTION: forcing a failure.
"""

BOOT_RCU = """\
[    0.510000] =============================
[    0.510000] WARNING: suspicious RCU usage
[    0.510000] 7.3.4-newtcp #1 Not tainted
[    0.510000] -----------------------------
[    0.510000] kernel/rcu/tree.c:3000 Callback enqueued on offline CPU!
[    0.510000]
[    0.510000] other info that might help us debug this:
[    0.520000] Call Trace:
"""

REPORTS = {
    "warning": "[    9.0] WARNING: CPU: 0 PID: 1 at net/core/sock.c:1",
    "bug": "[    9.0] BUG: kernel NULL pointer dereference",
    "kasan": "[    9.0] BUG: KASAN: slab-use-after-free in f+0x1",
    "lockdep": "[    9.0] WARNING: possible circular locking dependency detected",
    "atomic": "[    9.0] BUG: sleeping function called from invalid context at mm/slab.h:1",
    "ubsan": "[    9.0] UBSAN: shift-out-of-bounds in net/ipv4/tcp.c:1:1",
    "leak": "[    9.0] kmemleak: 1 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
    "stall": "[    9.0] rcu: INFO: rcu_sched self-detected stall on CPU",
    "hung": "[    9.0] INFO: task socat:12 blocked for more than 120 seconds.",
    "panic": "Kernel panic - not syncing: no stamp on this line",
    "alive": "[    9.0] Attempt to release alive inet socket 000000001",
    "rust": "[    9.0] rust_kernel: panicked at net/mynewtcp/mynewtcp_main.rs:1",
}


def judge(text, kind="um"):
    """The reports in a log of this text."""
    with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
        log.write(text)
        log.flush()
        return klog.reports(log.name, kind)


class Reports(unittest.TestCase):
    """Each kind of report is one, and a clean boot has none."""

    def test_quiet(self):
        self.assertEqual(judge(QUIET), [])

    def test_each_kind(self):
        for name, line in REPORTS.items():
            with self.subTest(name):
                found = judge(QUIET + line + "\n" + "[    9.1] more\n")
                self.assertEqual(len(found), 1)
                self.assertEqual(found[0][0], line)


class Known(unittest.TestCase):
    """User-mode Linux's own report is forgiven, once, early, and nothing else."""

    def test_forgiven_on_debug(self):
        self.assertEqual(judge(QUIET + BOOT_RCU, "debug"), [])

    def test_only_there(self):
        self.assertEqual(len(judge(QUIET + BOOT_RCU, "x86")), 1)

    def test_not_later(self):
        self.assertTrue(judge(QUIET + BOOT_RCU.replace("    0.5", "   60.5"), "debug"))

    def test_not_twice(self):
        self.assertTrue(judge(QUIET + BOOT_RCU + BOOT_RCU, "debug"))

    def test_not_another_suspicion(self):
        other = BOOT_RCU.replace("Callback enqueued on offline CPU!", "unsafe list walk")
        self.assertTrue(judge(QUIET + other, "debug"))

    def test_does_not_hide_the_next(self):
        text = QUIET + BOOT_RCU + REPORTS["kasan"] + "\n"
        found = judge(text, "debug")
        self.assertEqual([report[0] for report in found], [REPORTS["kasan"]])


class Prune(unittest.TestCase):
    """Old logs go, also while another guest takes them away."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        for age in range(5):
            log = self.directory / f"{age}.log"
            log.touch()
            os.utime(log, (1000 - age, 1000 - age))

    def left(self):
        return sorted(os.listdir(self.directory))

    def test_newest_stay(self):
        klog.prune(self.directory, 2)
        self.assertEqual(self.left(), ["0.log", "1.log"])

    def test_one_is_gone_meanwhile(self):
        # It is found in the directory, and there is nothing behind the name.
        (self.directory / "gone.log").symlink_to(self.directory / "nothing")
        klog.prune(self.directory, 3)
        self.assertEqual(self.left(), ["0.log", "1.log", "2.log"])


if __name__ == "__main__":
    unittest.main()
