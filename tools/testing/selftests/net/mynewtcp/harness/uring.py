# SPDX-License-Identifier: GPL-2.0
"""io_uring by its system calls: one ring, requests by name, completions by number."""

import collections
import ctypes
import errno
import mmap
import os
import struct

from .registry import Skip, check

# The numbers are the same on all architectures.
SETUP, ENTER = 425, 426
GETEVENTS = 1
ENTRIES = 32
OFF_SQ, OFF_SQES = 0, 0x10000000
SQE, CQE = struct.Struct("=BBHiQQIIQHHiQQ"), struct.Struct("=QiI")
OPCODES = {"poll": 6, "sendmsg": 9, "recvmsg": 10, "accept": 13, "connect": 16, "close": 19,
           "send": 26, "recv": 27, "provide": 31, "shutdown": 34, "send_zc": 47}
BUFFER_SELECT = 1 << 5
ACCEPT_MULTISHOT, RECV_MULTISHOT = 1, 1 << 1
F_BUFFER, F_MORE, F_NOTIF = 1, 2, 8

_libc = ctypes.CDLL(None, use_errno=True)

Completion = collections.namedtuple("Completion", "number result flags")


class Ring:
    """A ring of the caller's."""

    def __init__(self):
        params = ctypes.create_string_buffer(120)
        self.fd = _libc.syscall(SETUP, ENTRIES, params)
        if self.fd < 0:
            raise Skip(f"no io_uring: {os.strerror(ctypes.get_errno())}")
        words = struct.unpack("=30I", params.raw)
        self.sq, self.cq = words[10:17], words[20:26]
        size = max(self.sq[6] + 4 * words[0], self.cq[5] + CQE.size * words[1])
        self.ring = mmap.mmap(self.fd, size, offset=OFF_SQ)
        self.sqes = mmap.mmap(self.fd, SQE.size * words[0], offset=OFF_SQES)
        self.number = 0
        self.kept = []

    def _word(self, offset):
        return struct.unpack_from("=I", self.ring, offset)[0]

    def _set(self, offset, value):
        struct.pack_into("=I", self.ring, offset, value & 0xffffffff)

    def put(self, name, fd, address=0, length=0, offset=0, flags=0, ioprio=0, select=None):
        """Submit a request; gives its number. Buffers are ctypes objects, kept alive here."""
        self.kept.append(address)
        pointer = ctypes.addressof(address) if not isinstance(address, int) else address
        self.number += 1
        tail = self._word(self.sq[1])
        index = tail & self._word(self.sq[2])
        SQE.pack_into(self.sqes, index * SQE.size, OPCODES[name],
                      BUFFER_SELECT if select is not None and name != "provide" else 0, ioprio,
                      fd, offset, pointer, length, flags, self.number, select or 0, 0, 0, 0, 0)
        self._set(self.sq[6] + 4 * index, index)
        self._set(self.sq[1], tail + 1)
        self._enter(1, 0)
        return self.number

    def _enter(self, submit, wait):
        while _libc.syscall(ENTER, self.fd, submit, wait, GETEVENTS if wait else 0, None, 0) < 0:
            number = ctypes.get_errno()
            if number != errno.EINTR:
                raise OSError(number, os.strerror(number))

    def next(self):
        """The next completion, waited for."""
        head = self._word(self.cq[0])
        if head == self._word(self.cq[1]):
            self._enter(0, 1)
        at = self.cq[5] + CQE.size * (head & self._word(self.cq[2]))
        found = Completion(*CQE.unpack_from(self.ring, at))
        self._set(self.cq[0], head + 1)
        return found

    def result(self, name, *arguments, **fields):
        """Submit and wait: the result, an OSError if it is one."""
        number = self.put(name, *arguments, **fields)
        found = self.next()
        check(found.number == number, f"a completion of request {found.number}, not {number}")
        if found.result < 0:
            raise OSError(-found.result, f"{name}: {os.strerror(-found.result)}")
        return found.result

    def close(self):
        """Give the ring back."""
        self.ring.close()
        self.sqes.close()
        os.close(self.fd)
