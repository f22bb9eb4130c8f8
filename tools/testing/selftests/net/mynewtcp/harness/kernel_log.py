# SPDX-License-Identifier: GPL-2.0
"""What the kernel says while a case runs."""

import os
import re

# What may never be in the log of a healthy kernel.
SPLAT = re.compile(
    r"WARNING:|BUG:|BUG at|Oops|Call Trace|Kernel panic|general protection"
    r"|KASAN:|UBSAN:|kmemleak:.*new suspected|unreferenced object"
    r"|INFO: (?:task|rcu|possible|inconsistent|trying)|rcu:.*stall"
    r"|possible (?:circular|recursive|irq)|inconsistent lock state"
    r"|suspicious RCU|sleeping function called|scheduling while atomic"
    r"|refcount_t:|Attempt to release|unregister_netdevice: waiting"
    r"|ODEBUG|list_(?:add|del) corruption"
)


class KernelLog:
    """A reader of /dev/kmsg that starts at the log's present end."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.lseek(self.fd, 0, os.SEEK_END)

    def new_lines(self):
        """Every message since the last call."""
        lines = []
        while True:
            try:
                record = os.read(self.fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return lines
            except BrokenPipeError:
                # Messages were overwritten before they could be read.
                continue
            lines.append(record.split(";", 1)[-1].split("\n", 1)[0])

    def close(self):
        """Close the log."""
        os.close(self.fd)


def splats(lines):
    """The messages, from the first one that is a defect on, at most 40."""
    for number, line in enumerate(lines):
        if SPLAT.search(line):
            return lines[number:number + 40]
    return []
