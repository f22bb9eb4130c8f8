# SPDX-License-Identifier: GPL-2.0
"""bpf(2) itself, and programs of a few instructions."""

import ctypes
import os
import struct

from .registry import Skip

SYS_BPF = {"x86_64": 321}
MAP_CREATE, MAP_UPDATE, PROG_LOAD, PROG_ATTACH, PROG_DETACH = 0, 2, 5, 8, 9
# Program types.
SOCKET_FILTER, CGROUP_SKB, CGROUP_SOCK, CGROUP_SOCK_ADDR, SK_REUSEPORT, CGROUP_SOCKOPT = (
    1, 8, 9, 18, 21, 25)
# Types of what a program is attached to.
SELECT, SELECT_OR_MIGRATE = 39, 40
# Types of maps.
REUSEPORT_SOCKARRAY = 20

_libc = ctypes.CDLL(None, use_errno=True)


def call(command, attributes):
    """bpf(2); gives its result."""
    number = SYS_BPF.get(os.uname().machine)
    if number is None:
        raise Skip("the number of bpf(2) is not known here")
    buffer = ctypes.create_string_buffer(attributes, 128)
    result = _libc.syscall(number, command, buffer, 128)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"bpf: {os.strerror(error)}")
    return result


def instruction(code, registers=0, offset=0, value=0):
    """One instruction."""
    return struct.pack("<BBhi", code, registers, offset, value)


def answer(value):
    """r0 = value; exit."""
    return instruction(0xb7, 0, 0, value) + instruction(0x95)


def load(kind, attach, program):
    """A descriptor of the program, of that type and for that kind of place."""
    code = ctypes.create_string_buffer(program, len(program))
    name = ctypes.create_string_buffer(b"GPL")
    return call(PROG_LOAD, struct.pack(
        "=IIQQIIQII16sII", kind, len(program) // 8, ctypes.addressof(code),
        ctypes.addressof(name), 0, 0, 0, 0, 0, b"", 0, attach))


def create_map(kind, key_size, value_size, entries):
    """A descriptor of a map."""
    return call(MAP_CREATE, struct.pack("=IIII", kind, key_size, value_size, entries))


def update_map(fd, key, value):
    """Put a value of eight bytes under a key of four."""
    buffer = ctypes.create_string_buffer(struct.pack("=IxxxxQ", key, value), 16)
    address = ctypes.addressof(buffer)
    call(MAP_UPDATE, struct.pack("=IxxxxQQQ", fd, address, address + 8, 0))


class Classic:
    """A classic program, a list of (code, k) without jumps: `option` is what setsockopt(2) wants,
    good as long as the object."""

    def __init__(self, *instructions):
        raw = b"".join(struct.pack("=HBBI", code, 0, 0, k & 0xffffffff)
                       for code, k in instructions)
        self._code = ctypes.create_string_buffer(raw, len(raw))
        # struct sock_fprog.
        self.option = struct.pack("@HP", len(instructions), ctypes.addressof(self._code))
