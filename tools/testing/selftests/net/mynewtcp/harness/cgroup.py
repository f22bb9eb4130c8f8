# SPDX-License-Identifier: GPL-2.0
"""A control group of our own with BPF programs on it, by bpf(2) itself."""

import contextlib
import os
import struct
import subprocess
import tempfile
from pathlib import Path

from . import bpf
from .bpf import answer, instruction

# Attach types: name by (program type, number).
HOOKS = {
    "ingress": (bpf.CGROUP_SKB, 0), "egress": (bpf.CGROUP_SKB, 1), "create": (bpf.CGROUP_SOCK, 2),
    "bind4": (bpf.CGROUP_SOCK_ADDR, 8), "bind6": (bpf.CGROUP_SOCK_ADDR, 9),
    "connect4": (bpf.CGROUP_SOCK_ADDR, 10), "connect6": (bpf.CGROUP_SOCK_ADDR, 11),
    "post_bind4": (bpf.CGROUP_SOCK, 12), "post_bind6": (bpf.CGROUP_SOCK, 13),
    "getsockopt": (bpf.CGROUP_SOCKOPT, 21), "setsockopt": (bpf.CGROUP_SOCKOPT, 22),
    "getpeername4": (bpf.CGROUP_SOCK_ADDR, 29), "getpeername6": (bpf.CGROUP_SOCK_ADDR, 30),
    "getsockname4": (bpf.CGROUP_SOCK_ADDR, 31), "getsockname6": (bpf.CGROUP_SOCK_ADDR, 32),
}
# struct bpf_sock_addr.
USER_PORT = 24


def rewrite_port(port):
    """Let the address have another port, and allow."""
    wire = struct.unpack("=H", struct.pack(">H", port))[0]
    return (instruction(0xb7, 2, 0, wire) + instruction(0x63, 0x21, USER_PORT) + answer(1))


class Group:
    """The group; the caller is in it until it is closed."""

    def __init__(self):
        self.mount = Path(tempfile.mkdtemp(prefix="mynewtcp-cgroup"))
        subprocess.run(["mount", "-t", "cgroup2", "none", str(self.mount)], check=True)
        self.path = self.mount / "mynewtcp-test"
        self.path.mkdir()
        self.fd = os.open(self.path, os.O_RDONLY)
        self._move(self.path)

    @staticmethod
    def _move(place):
        (place / "cgroup.procs").write_text(f"{os.getpid()}\n", encoding="ascii")

    @contextlib.contextmanager
    def program(self, hook, code):
        """Have the program at the hook while the body runs."""
        kind, attach = HOOKS[hook]
        fd = bpf.load(kind, attach, code)
        try:
            bpf.call(bpf.PROG_ATTACH, struct.pack("=IIII", self.fd, fd, attach, 0))
            try:
                yield
            finally:
                bpf.call(bpf.PROG_DETACH, struct.pack("=IIII", self.fd, fd, attach, 0))
        finally:
            os.close(fd)

    def close(self):
        """Leave the group and remove it."""
        self._move(self.mount)
        os.close(self.fd)
        # Sockets may keep the group alive; its directory goes all the same.
        self.path.rmdir()
        subprocess.run(["umount", "-l", str(self.mount)], check=True)
        self.mount.rmdir()


@contextlib.contextmanager
def group():
    """A group for the body."""
    made = Group()
    try:
        yield made
    finally:
        made.close()
