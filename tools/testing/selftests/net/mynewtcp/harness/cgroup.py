# SPDX-License-Identifier: GPL-2.0
"""A control group of our own with BPF programs on it, by bpf(2) itself."""

import contextlib
import ctypes
import os
import struct
import subprocess
import tempfile
from pathlib import Path

from .registry import Skip

SYS_BPF = {"x86_64": 321}
PROG_LOAD, PROG_ATTACH, PROG_DETACH = 5, 8, 9
# Program types.
SKB, SOCK, SOCK_ADDR, SOCKOPT = 8, 9, 18, 25
# Attach types: name by (program type, number).
HOOKS = {
    "ingress": (SKB, 0), "egress": (SKB, 1), "create": (SOCK, 2),
    "bind4": (SOCK_ADDR, 8), "bind6": (SOCK_ADDR, 9),
    "connect4": (SOCK_ADDR, 10), "connect6": (SOCK_ADDR, 11),
    "post_bind4": (SOCK, 12), "post_bind6": (SOCK, 13),
    "getsockopt": (SOCKOPT, 21), "setsockopt": (SOCKOPT, 22),
    "getpeername4": (SOCK_ADDR, 29), "getpeername6": (SOCK_ADDR, 30),
    "getsockname4": (SOCK_ADDR, 31), "getsockname6": (SOCK_ADDR, 32),
}
# struct bpf_sock_addr.
USER_PORT = 24

_libc = ctypes.CDLL(None, use_errno=True)


def instruction(code, registers=0, offset=0, value=0):
    """One instruction."""
    return struct.pack("<BBhi", code, registers, offset, value)


def answer(value):
    """r0 = value; exit."""
    return instruction(0xb7, 0, 0, value) + instruction(0x95)


def rewrite_port(port):
    """Let the address have another port, and allow."""
    wire = struct.unpack("=H", struct.pack(">H", port))[0]
    return (instruction(0xb7, 2, 0, wire) + instruction(0x63, 0x21, USER_PORT) + answer(1))


def _bpf(command, attributes):
    number = SYS_BPF.get(os.uname().machine)
    if number is None:
        raise Skip("the number of bpf(2) is not known here")
    buffer = ctypes.create_string_buffer(attributes, 128)
    result = _libc.syscall(number, command, buffer, 128)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"bpf: {os.strerror(error)}")
    return result


def load(hook, program):
    """A descriptor of the program for that hook."""
    kind, attach = HOOKS[hook]
    code = ctypes.create_string_buffer(program, len(program))
    name = ctypes.create_string_buffer(b"GPL")
    return _bpf(PROG_LOAD, struct.pack(
        "=IIQQIIQII16sII", kind, len(program) // 8, ctypes.addressof(code),
        ctypes.addressof(name), 0, 0, 0, 0, 0, b"", 0, attach))


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
        fd = load(hook, code)
        attach = HOOKS[hook][1]
        try:
            _bpf(PROG_ATTACH, struct.pack("=IIII", self.fd, fd, attach, 0))
            try:
                yield
            finally:
                _bpf(PROG_DETACH, struct.pack("=IIII", self.fd, fd, attach, 0))
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
