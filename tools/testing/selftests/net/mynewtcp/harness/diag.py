# SPDX-License-Identifier: GPL-2.0
"""Socket diagnosis: questions over netlink (sock_diag(7)), and the table in /proc/net."""

import os
import socket
import struct
from dataclasses import dataclass, field

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY, SOCK_DESTROY = 20, 21
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3

(ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE, CLOSE_WAIT,
 LAST_ACK, LISTEN, CLOSING) = range(1, 12)
BOUND_INACTIVE = 13
TIMER_TIME_WAIT = 3
ALL_STATES = 0xffffffff

MEMINFO, INFO, CONG, TOS, SKMEMINFO, SHUTDOWN, MARK = 1, 2, 4, 5, 7, 8, 15
REQ_BYTECODE = 1
BC_S_GE, BC_S_LE = 2, 3
ANY_COOKIE = b"\xff" * 8

HEADER = struct.Struct("=IHHII")
QUESTION = struct.Struct("=BBBxI")
BODY = struct.Struct("=BBBB48sIIIII")


@dataclass
class Found:
    """One answer."""

    family: int
    state: int
    timer: int
    retrans: int
    ports: tuple
    ident: bytes
    expires: int
    rqueue: int
    wqueue: int
    uid: int
    inode: int
    attributes: dict = field(default_factory=dict)

    @property
    def cookie(self):
        """By which the kernel knows the socket."""
        return self.ident[40:]

    @property
    def congestion(self):
        """The name of the congestion control algorithm."""
        return self.attributes[CONG].rstrip(b"\0").decode()


def _attributes(data):
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found


def _parse(data):
    family, state, timer, retrans, ident, expires, rqueue, wqueue, uid, inode = \
        BODY.unpack_from(data)
    return Found(family, state, timer, retrans, struct.unpack_from(">HH", ident), ident,
                 expires, rqueue, wqueue, uid, inode, _attributes(data[BODY.size:]))


def _messages(sock):
    """The messages of one answer, which may come in several reads."""
    while True:
        data = sock.recv(1 << 18)
        while len(data) >= HEADER.size:
            length, kind, flags, _, _ = HEADER.unpack_from(data)
            body, data = data[HEADER.size:length], data[(length + 3) & ~3:]
            if kind in (NLMSG_ERROR, NLMSG_DONE):
                number = -struct.unpack_from("=i", body)[0]
                if number > 0:
                    raise OSError(number, os.strerror(number))
                return
            yield body
            if not flags & 2:
                return


def ask(ns, body, flags, kind=SOCK_DIAG_BY_FAMILY):
    """Put one question in a namespace; gives all answers."""
    with ns.inside():
        return ask_here(body, flags, kind)


def ask_here(body, flags, kind=SOCK_DIAG_BY_FAMILY):
    """Put one question in the namespace that the caller is in."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as sock:
        sock.settimeout(10)
        head = HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | flags, 1, 0)
        sock.sendto(head + body, (0, 0))
        return [_parse(message) for message in _messages(sock)]


def port_filter(low, high):
    """Bytecode: a local port from low to high."""
    size = 8
    code = b""
    for number, (operation, port) in enumerate(((BC_S_GE, low), (BC_S_LE, high))):
        rest = size * (2 - number)
        code += struct.pack("=BBH", operation, size, rest + 4)
        code += struct.pack("=BBH", 0, 0, port)
    return struct.pack("=HH", 4 + len(code), REQ_BYTECODE) + code


def dump(ns, family, inet, states=ALL_STATES, extensions=(), filter_by=b""):
    """All sockets of the protocol in these states."""
    bits = sum(1 << (extension - 1) for extension in extensions)
    body = QUESTION.pack(inet, family.ip_protocol, bits, states) + bytes(48) + filter_by
    return ask(ns, body, NLM_F_DUMP)


def one(ns, family, inet, ident, extensions=()):
    """The socket that `ident` names."""
    bits = sum(1 << (extension - 1) for extension in extensions)
    found = ask(ns, QUESTION.pack(inet, family.ip_protocol, bits, 0) + ident, 0)
    return found[0]


def destroy(ns, family, inet, ident):
    """Ends it, as an administrator may."""
    ask(ns, QUESTION.pack(inet, family.ip_protocol, 0, 0) + ident, NLM_F_ACK, SOCK_DESTROY)


def destroy_here(family, inet, ident):
    """The same in the namespace that the caller is in."""
    ask_here(QUESTION.pack(inet, family.ip_protocol, 0, 0) + ident, NLM_F_ACK, SOCK_DESTROY)


def table(ns, family, version):
    """The lines of the protocol's table in /proc/net, as lists of words."""
    name = {"tcp": "tcp", "newtcp": "mynewtcp"}[family.name] + ("6" if version == 6 else "")
    lines = ns.read(f"/proc/thread-self/net/{name}").splitlines()
    return [line.split() for line in lines[1:]], lines

