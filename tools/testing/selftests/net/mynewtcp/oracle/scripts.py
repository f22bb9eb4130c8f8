# SPDX-License-Identifier: GPL-2.0
"""The scripts: calls in states, options in states, options inherited, the bind matrix, flags,
and the orders in which a connection can end."""

import itertools
import socket
import struct
from dataclasses import dataclass

from harness.options import OPTIONS

SOL_SOCKET, SOL_TCP, SOL_IP = socket.SOL_SOCKET, socket.SOL_TCP, socket.SOL_IP
SOL_IPV6 = socket.IPPROTO_IPV6
RD, WR, RDWR = socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR


@dataclass(frozen=True)
class Script:
    """A name and the steps of machine.py."""

    name: str
    steps: tuple


def connected(version=4):
    """A connection from c to s, accepted from l."""
    return (
        ("socket", "l", version), ("bind", "l", f"{version}:lo:0"), ("listen", "l", 4),
        ("socket", "c", version), ("connect", "c", f"{version}:lo:0"), ("accept", "l", "s"),
    )


def states(version=4):
    """Name -> how to bring socket c into the state."""
    lo = f"{version}:lo"
    whole = connected(version)
    return {
        "closed": (("socket", "c", version),),
        "bound": (("socket", "c", version), ("bind", "c", f"{lo}:1")),
        "listening": (("socket", "c", version), ("bind", "c", f"{lo}:1"), ("listen", "c", 2)),
        "ready": (("socket", "c", version), ("bind", "c", f"{lo}:1"), ("listen", "c", 2),
                  ("socket", "p", version), ("connect", "p", f"{lo}:1")),
        "opening": (("socket", "l", version), ("bind", "l", f"{lo}:0"), ("listen", "l", 0),
                    ("socket", "p", version), ("connect", "p", f"{lo}:0"),
                    ("socket", "c", version, "nonblock"), ("connect", "c", f"{lo}:0")),
        "refused": (("socket", "c", version), ("connect", "c", f"{lo}:2")),
        "connected": whole,
        "unread": whole + (("send", "s", 5),),
        "peer-shut": whole + (("shutdown", "s", WR),),
        "unread-peer-shut": whole + (("send", "s", 5), ("shutdown", "s", WR)),
        "self-shut": whole + (("shutdown", "c", WR),),
        "deaf": whole + (("shutdown", "c", RD),),
        "both-shut": whole + (("shutdown", "c", WR), ("shutdown", "s", WR)),
        "peer-closed": whole + (("close", "s"),),
        "reset": whole + (("abort", "s"),),
        "unread-reset": whole + (("send", "s", 5), ("abort", "s")),
        "disconnected": whole + (("raw", "connect", "c", socket.AF_UNSPEC, 16),),
    }


LOOK = (("look", "c"), ("error", "c"), ("look", "c"))

CALLS = {
    "bind": (("bind", "c", "4:lo:3"), ("sockname", "c")),
    "bind-any": (("bind", "c", "4:any:eph"), ("sockname", "c")),
    "bind-unspec": (("raw", "bind", "c", socket.AF_UNSPEC, 16),),
    "bind-short": (("raw", "bind", "c", socket.AF_INET, 8),),
    "bind-alien": (("bind", "c", "4:alien:3"),),
    "listen": (("listen", "c", 1),),
    "listen-again": (("listen", "c", 1), ("listen", "c", 3), ("listen", "c", -1)),
    "connect": (("connect", "c", "4:lo:3"), ("connect", "c", "4:lo:3")),
    "connect-short": (("raw", "connect", "c", socket.AF_INET, 8),),
    "connect-family": (("raw", "connect", "c", socket.AF_UNIX, 16),),
    "disconnect": (("raw", "connect", "c", socket.AF_UNSPEC, 16),
                   ("raw", "connect", "c", socket.AF_UNSPEC, 2)),
    "accept": (("accept", "c", "a"), ("accept", "c", "b")),
    "shutdown-rd": (("shutdown", "c", RD), ("look", "c"), ("recv", "c", 10), ("send", "c", 1)),
    "shutdown-wr": (("shutdown", "c", WR), ("look", "c"), ("recv", "c", 10), ("send", "c", 1)),
    "shutdown-both": (("shutdown", "c", RDWR), ("look", "c"), ("recv", "c", 10),
                      ("shutdown", "c", RDWR)),
    "shutdown-bad": (("shutdown", "c", 3),),
    "outqnsd": (("ioctl", "c", "outqnsd"),),
    "atmark": (("ioctl", "c", "atmark"),),
    "sendfile": (("sendfile", "c", 10), ("look", "c")),
    "splice-in": (("splice_in", "c", 10), ("look", "c")),
    "splice-out": (("splice_out", "c", 10), ("look", "c")),
}


def calls():
    """Every call in every state."""
    for call, steps in CALLS.items():
        for state, way in states().items():
            yield Script(f"call {call} {state}", way + steps + LOOK)


RECV_FLAGS = {
    "none": 0, "peek": socket.MSG_PEEK, "trunc": socket.MSG_TRUNC,
    "waitall": socket.MSG_WAITALL, "peek-trunc": socket.MSG_PEEK | socket.MSG_TRUNC,
    "oob": socket.MSG_OOB, "errqueue": socket.MSG_ERRQUEUE,
}
SEND_FLAGS = {
    "none": 0, "more": socket.MSG_MORE, "eor": socket.MSG_EOR, "oob": socket.MSG_OOB,
    "dontroute": socket.MSG_DONTROUTE, "confirm": socket.MSG_CONFIRM,
    "fastopen": socket.MSG_FASTOPEN,
}


def flags():
    """Every flag of send and recv in every state."""
    for state, way in states().items():
        for name, flag in RECV_FLAGS.items():
            yield Script(f"recv {name} {state}", way + (
                ("recv", "c", 3, flag), ("look", "c"), ("recv", "c", 0, flag),
                ("recvmsg", "c", 10, flag)) + LOOK)
        for name, flag in SEND_FLAGS.items():
            yield Script(f"send {name} {state}", way + (
                ("send", "c", 3, flag), ("look", "c"), ("send", "c", 0, flag)) + LOOK)


def values_of(kind, least, most):
    """What to set an option to."""
    if kind == "exact":
        beyond = (least - 1, most + 1)
        return [value for value in (least, most, *beyond, 0, 1, -1)
                if -(1 << 31) <= value < 1 << 31]
    return [0, 1, 2, -1, 100, 500, 32767, 32768, 1 << 30]


def options_of_tcp():
    """Every option of the table in some states, with every value that matters and lengths."""
    ways = states()
    for name, number, kind, least, most, _ in OPTIONS:
        if kind in ("refused", "data"):
            continue
        for state in ("closed", "listening", "connected", "both-shut", "reset"):
            steps = [("getsockopt", "c", SOL_TCP, number)]
            for value in values_of(kind, least, most):
                steps += [("setsockopt", "c", SOL_TCP, number, value),
                          ("getsockopt", "c", SOL_TCP, number)]
            yield Script(f"option {name} {state}", ways[state] + tuple(steps))
        one = struct.pack("i", max(least or 0, 1)) + bytes(60)
        yield Script(f"lengths {name}", ways["closed"] + tuple(
            ("setsockopt", "c", SOL_TCP, number, one, length)
            for length in (0, 1, 3, 4, 5, 64)) + tuple(
            ("getsockopt", "c", SOL_TCP, number, length)
            for length in (0, 1, 2, 3, 4, 5, 64, -1)))
        yield Script(f"inherit {name}", (
            ("socket", "l", 4), ("bind", "l", "4:lo:0"), ("listen", "l", 4),
            ("setsockopt", "l", SOL_TCP, number, INHERITED.get(name, least or 1)),
            ("socket", "c", 4), ("connect", "c", "4:lo:0"), ("send", "c", 1),
            ("accept", "l", "s"), ("getsockopt", "s", SOL_TCP, number)))
    for number in (0, 15, 47, 60, 255, -1):
        yield Script(f"option {number}", ways["closed"] + (
            ("setsockopt", "c", SOL_TCP, number, 1), ("getsockopt", "c", SOL_TCP, number),
            ("setsockopt", "c", SOL_TCP, number, 1, 0)))


# Values that differ from the default where the least does not.
INHERITED = {"TCP_MAXSEG": 600, "TCP_LINGER2": 7, "TCP_DEFER_ACCEPT": 7,
             "TCP_WINDOW_CLAMP": 5000, "TCP_NOTSENT_LOWAT": 4096, "TCP_USER_TIMEOUT": 777}

SOCKET_OPTIONS = {
    "DEBUG": 1, "REUSEADDR": 2, "TYPE": 3, "ERROR": 4, "DONTROUTE": 5, "BROADCAST": 6,
    "SNDBUF": 7, "RCVBUF": 8, "KEEPALIVE": 9, "OOBINLINE": 10, "PRIORITY": 12, "LINGER": 13,
    "REUSEPORT": 15, "PASSCRED": 16, "RCVLOWAT": 18, "SNDLOWAT": 19, "TIMESTAMP": 29,
    "ACCEPTCONN": 30, "PEERSEC": 31, "SNDBUFFORCE": 32, "RCVBUFFORCE": 33, "TIMESTAMPNS": 35,
    "MARK": 36, "TIMESTAMPING": 37, "PEEK_OFF": 42, "SELECT_ERR_QUEUE": 45, "BUSY_POLL": 46,
    "INCOMING_CPU": 49, "ZEROCOPY": 60, "BUF_LOCK": 72, "RESERVE_MEM": 73, "TXREHASH": 74,
    "DOMAIN": 39,
}
IP_OPTIONS = {
    "TOS": 1, "TTL": 2, "OPTIONS": 4, "RECVOPTS": 6, "PKTINFO": 8, "MTU_DISCOVER": 10,
    "RECVERR": 11, "RECVTTL": 12, "RECVTOS": 13, "MTU": 14, "FREEBIND": 15, "TRANSPARENT": 19,
    "MINTTL": 21, "BIND_ADDRESS_NO_PORT": 24, "LOCAL_PORT_RANGE": 51,
}
IPV6_OPTIONS = {
    "ADDRFORM": 1, "UNICAST_HOPS": 16, "MTU_DISCOVER": 23, "RECVERR": 25, "V6ONLY": 26,
    "RECVPKTINFO": 49, "TCLASS": 67, "AUTOFLOWLABEL": 70, "MINHOPCOUNT": 73, "FREEBIND": 78,
}


def other_options():
    """Options of the levels below, in three states."""
    for level, table, version, label in (
            (SOL_SOCKET, SOCKET_OPTIONS, 4, "SO"), (SOL_IP, IP_OPTIONS, 4, "IP"),
            (SOL_IPV6, IPV6_OPTIONS, 6, "IPV6")):
        ways = states(version)
        for name, number in table.items():
            for state in ("closed", "listening", "connected"):
                steps = [("getsockopt", "c", level, number)]
                for value in (1, 0, 2, -1, 300):
                    steps += [("setsockopt", "c", level, number, value),
                              ("getsockopt", "c", level, number)]
                yield Script(f"{label}_{name} {state}", ways[state] + tuple(steps))


SHARES = {"none": (0, 0), "addr": (1, 0), "port": (0, 1), "both": (1, 1)}
BINDINGS = ("4:any", "4:lo", "4:lo2", "6:any", "6:lo", "6:mapped", "6:mappedany")


def binding():
    """Two sockets on one port: addresses, what each shares, and whether the first listens."""
    for (one, other), first in itertools.product(
            itertools.product(BINDINGS, BINDINGS), SHARES):
        steps = []
        for listening, second in itertools.product((False, True), SHARES):
            steps += _bind_pair(one, other, SHARES[first], SHARES[second], listening)
        yield Script(f"bind {one} {first} then {other}", tuple(steps))


def _bind_pair(one, other, first, second, listening):
    steps = []
    for name, address, (reuse, port) in (("a", one, first), ("b", other, second)):
        steps += [
            ("socket", name, int(address[0])),
            ("setsockopt", name, SOL_SOCKET, socket.SO_REUSEADDR, reuse),
            ("setsockopt", name, SOL_SOCKET, socket.SO_REUSEPORT, port),
            ("bind", name, address + ":0"),
        ]
        if listening:
            steps.append(("listen", name, 1))
    return steps + [("sockname", "b"), ("close", "a"), ("close", "b")]


ENDS = {
    "c-shut": ("shutdown", "c", WR), "s-shut": ("shutdown", "s", WR),
    "c-deaf": ("shutdown", "c", RD), "c-send": ("send", "c", 4), "s-send": ("send", "s", 4),
    "c-recv": ("recv", "c", 10), "s-close": ("close", "s"), "s-abort": ("abort", "s"),
}


def closing():
    """Orders of the calls that end a connection, looked at after each."""
    for order in itertools.permutations(ENDS, 3):
        steps = []
        for name in order:
            steps += [ENDS[name], ("look", "c")]
        yield Script("close " + " ".join(order), connected() + tuple(steps) + LOOK)


def all_scripts():
    """Every script, in a fixed order."""
    return [*calls(), *flags(), *options_of_tcp(), *other_options(), *binding(), *closing()]
