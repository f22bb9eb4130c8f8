#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run in the guest by init-unwind.sh: what is left of a start-up that failed at a step.

Status 0: the step failed, was named, and nothing is left. Status 100: nothing
failed and the family is there. Anything else is a finding, which is printed.
"""

import ctypes
import errno
import os
import re
import socket
import subprocess
import sys

FAMILY, IP_PROTOCOL = 46, 253
ALL_IS_WELL, NOTHING_FAILED, FOUND_TRACES = 0, 100, 1


def socket_error(domain, protocol):
    """The errno of socket(2), 0 if it works."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.socket(domain, socket.SOCK_STREAM, protocol)
    if fd < 0:
        return ctypes.get_errno()
    os.close(fd)
    return 0


def slabs():
    """Names of slab caches of ours; the file lists merged ones too."""
    try:
        return [name for name in os.listdir("/sys/kernel/slab") if "NEW_TCP" in name]
    except FileNotFoundError:
        return []


def traces():
    """Everything of the family that can be seen."""
    found = []
    if socket_error(FAMILY, 0) != errno.EAFNOSUPPORT:
        found.append(f"socket(46) gives errno {socket_error(FAMILY, 0)}")
    for domain in (socket.AF_INET, socket.AF_INET6):
        if socket_error(domain, IP_PROTOCOL) != errno.EPROTONOSUPPORT:
            found.append(f"socket({domain:d}, SOCK_STREAM, 253) gives errno "
                         f"{socket_error(domain, IP_PROTOCOL)}")
    with open("/proc/net/protocols", encoding="ascii") as file:
        found += [f"/proc/net/protocols: {line.strip()}" for line in file if "NEW_TCP" in line]
    found += [f"{path} exists" for path in ("/proc/sys/net/mynewtcp", "/proc/net/mynewtcp")
              if os.path.exists(path)]
    found += [f"slab cache {name}" for name in slabs()]
    # A namespace that is made now must not meet what was taken back.
    subprocess.run(["unshare", "-n", "true"], check=True)
    return found


def main(step):
    """Look, print, and give the status."""
    log = subprocess.run(["dmesg"], capture_output=True, check=True, text=True).stdout
    said = [line for line in log.splitlines()
            if re.search(r"mynewtcp|NEW_TCP", line) and re.search(r"fail|step", line, re.I)
            and "Kernel command line" not in line and "Command line" not in line]
    if socket_error(FAMILY, 0) == 0 and not said:
        return NOTHING_FAILED
    found = traces()
    if not any(re.search(rf"\bstep {step}\b", line) for line in said):
        found.append(f"the log does not name step {step}: {said}")
    print("\n".join(found or said))
    return FOUND_TRACES if found else ALL_IS_WELL


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
