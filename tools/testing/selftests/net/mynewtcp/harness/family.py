# SPDX-License-Identifier: GPL-2.0
"""The protocol under test. TCP is there to prove the cases themselves."""

import ctypes
import os
import socket
from dataclasses import dataclass

AF_INET_NEW_TCP = 46
NEWTCP_PROTO_INET6 = 1

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Family:
    """How sockets of one protocol are made and what the kernel calls them."""

    name: str
    ip_protocol: int
    rows: tuple
    doors: dict

    def arguments(self, version, door=None):
        """(domain, protocol) for socket(2)."""
        return self.doors[door or "family"][version]

    def open(self, version, door=None):
        """A new stream socket; raises OSError as socket(2) does."""
        domain, protocol = self.arguments(version, door)
        return wrap(raw_socket(domain, socket.SOCK_STREAM, protocol), version)


def raw_socket(domain, kind, protocol):
    """socket(2) without Python's opinion on the family number."""
    fd = _libc.socket(domain, kind | socket.SOCK_CLOEXEC, protocol)
    if fd < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return fd


def raw_call(name, sock, address, length=None):
    """bind(2) or connect(2) with these very bytes as the address; raises OSError."""
    function = getattr(_libc, name)
    if function(sock.fileno(), address, len(address) if length is None else length) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def wrap(fd, version):
    """A Python socket on the descriptor, with addresses of that IP version."""
    inet = socket.AF_INET if version == 4 else socket.AF_INET6
    return socket.socket(inet, socket.SOCK_STREAM, 0, fileno=fd)


def tcp():
    """TCP itself."""
    inet = {4: (socket.AF_INET, 0), 6: (socket.AF_INET6, 0)}
    return Family("tcp", socket.IPPROTO_TCP, ("TCP", "TCPv6"), {"family": inet, "inet": inet})


def newtcp(ip_protocol):
    """NEW_TCP, by its own family number and by AF_INET and AF_INET6."""
    doors = {
        "family": {4: (AF_INET_NEW_TCP, 0), 6: (AF_INET_NEW_TCP, NEWTCP_PROTO_INET6)},
        "inet": {4: (socket.AF_INET, ip_protocol), 6: (socket.AF_INET6, ip_protocol)},
    }
    return Family("newtcp", ip_protocol, ("NEW_TCP", "NEW_TCPv6"), doors)
