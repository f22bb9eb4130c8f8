# SPDX-License-Identifier: GPL-2.0
"""More scripts: what an option does to the calls after it, IPv6, and addresses of both kinds."""

import socket
import struct

from .scripts import LOOK, SOL_IP, SOL_IPV6, SOL_SOCKET, SOL_TCP, WR, Script, connected, states

PEEK, WAITALL = socket.MSG_PEEK, socket.MSG_WAITALL
ERRQUEUE, ZEROCOPY = socket.MSG_ERRQUEUE, 0x4000000
PEEK_OFF, RCVLOWAT = 42, socket.SO_RCVLOWAT
NO_PORT, LOCAL_RANGE, RECVERR = 24, 51, 11


def peek_offset():
    """SO_PEEK_OFF moves with what is peeked, and back with what is read."""
    for start in (-1, 0, 2, 7, 20):
        yield Script(f"peek-off {start}", connected() + (
            ("setsockopt", "c", SOL_SOCKET, PEEK_OFF, start),
            ("send", "s", 10), ("recv", "c", 3, PEEK), ("getsockopt", "c", SOL_SOCKET, PEEK_OFF),
            ("recv", "c", 3, PEEK), ("getsockopt", "c", SOL_SOCKET, PEEK_OFF),
            ("recv", "c", 2), ("getsockopt", "c", SOL_SOCKET, PEEK_OFF),
            ("recv", "c", 30, PEEK), ("recv", "c", 30, PEEK), ("shutdown", "s", WR),
            ("recv", "c", 30, PEEK), ("recv", "c", 30), ("recv", "c", 30, PEEK)))


def low_water():
    """SO_RCVLOWAT decides when poll and recv have something."""
    for mark in (1, 2, 5, 100):
        yield Script(f"rcvlowat {mark}", connected() + (
            ("setsockopt", "c", SOL_SOCKET, RCVLOWAT, mark), ("poll", "c"),
            ("send", "s", 1), ("poll", "c"), ("recv", "c", 10, PEEK),
            ("send", "s", 4), ("poll", "c"), ("recv", "c", 1), ("poll", "c"),
            ("recv", "c", 10, WAITALL), ("send", "s", 2), ("shutdown", "s", WR), ("poll", "c"),
            ("recv", "c", 1), ("recv", "c", 10), ("recv", "c", 10)))


def lingering():
    """SO_LINGER, and close with data that nobody has read, as the peer sees them."""
    for on, seconds in ((0, 0), (1, 0), (1, 1)):
        for unread in (0, 3):
            steps = (("setsockopt", "c", SOL_SOCKET, socket.SO_LINGER,
                      struct.pack("ii", on, seconds)),)
            if unread:
                steps += (("send", "s", unread),)
            yield Script(f"linger {on} {seconds} unread {unread}", connected() + steps + (
                ("close", "c"), ("look", "s"), ("recv", "s", 10), ("send", "s", 1),
                ("look", "s"), ("error", "s"), ("send", "s", 1), ("look", "s")))


def ports():
    """Binding without a port, and ranges for those that are chosen."""
    for option, value in ((NO_PORT, 1), (LOCAL_RANGE, 40010 | 40011 << 16),
                          (LOCAL_RANGE, 5 | 3 << 16)):
        for bound in ("4:lo:eph", "4:any:eph", "4:lo2:eph"):
            yield Script(f"port {option} {value} {bound}", (
                ("socket", "l", 4), ("bind", "l", "4:any:0"), ("listen", "l", 4),
                ("socket", "c", 4), ("setsockopt", "c", SOL_IP, option, value),
                ("bind", "c", bound), ("sockname", "c"), ("connect", "c", "4:lo:0"),
                ("look", "c"), ("bind", "c", bound), ("getsockopt", "c", SOL_IP, option)))


def error_queue():
    """With IP_RECVERR, errors that the network told are kept."""
    for on in (0, 1):
        yield Script(f"recverr {on}", (
            ("socket", "c", 4), ("setsockopt", "c", SOL_IP, RECVERR, on),
            ("connect", "c", "4:lo:2"), ("recvmsg", "c", 10, socket.MSG_ERRQUEUE), *LOOK))


def six():
    """The states over IPv6, and an IPv6 socket that talks to an IPv4 one."""
    for state, way in states(6).items():
        yield Script(f"six {state}", way + LOOK + (
            ("send", "c", 3), ("recv", "c", 3), ("shutdown", "c", WR), ("look", "c"),
            ("raw", "connect", "c", socket.AF_UNSPEC, 24), ("look", "c")))
    for only in (0, 1):
        for address in ("6:any", "6:mapped", "6:mappedany", "6:lo"):
            yield Script(f"mapped {only} {address}", (
                ("socket", "l", 6), ("setsockopt", "l", SOL_IPV6, socket.IPV6_V6ONLY, only),
                ("bind", "l", address + ":0"), ("listen", "l", 4), ("sockname", "l"),
                ("socket", "c", 4), ("connect", "c", "4:lo:0"), ("accept", "l", "s"),
                ("look", "c"), ("look", "s"), ("send", "s", 3), ("recv", "c", 3),
                ("getsockopt", "s", SOL_IPV6, socket.IPV6_V6ONLY),
                ("getsockopt", "s", SOL_TCP, socket.TCP_NODELAY)))
    for address in ("6:mapped", "6:alien", "6:any", "6:mappedany", "4:lo"):
        yield Script(f"six connect {address}", (
            ("socket", "l", 4), ("bind", "l", "4:any:0"), ("listen", "l", 4),
            ("socket", "c", 6), ("connect", "c", address + ":0"), *LOOK))


def streams():
    """Corking, many small writes, and waiting for all of it."""
    for option in (socket.TCP_NODELAY, socket.TCP_CORK):
        for sizes in ((1, 1, 1), (100, 1), (3000, 1, 3000)):
            steps = tuple(("send", "c", size) for size in sizes)
            yield Script(f"write {option} {sizes}", connected() + (
                ("setsockopt", "c", SOL_TCP, option, 1), *steps, ("ioctl", "s", "inq"),
                ("setsockopt", "c", SOL_TCP, option, 0), ("ioctl", "s", "inq"),
                ("recv", "s", 10000), ("ioctl", "c", "outqnsd")))
    for length in (1, 5, 10, 11):
        yield Script(f"waitall {length}", connected() + (
            ("send", "s", 5), ("send", "s", 5), ("shutdown", "s", WR),
            ("recv", "c", length, WAITALL), ("recv", "c", length, WAITALL | PEEK), *LOOK))


def control():
    """Control messages: time stamps received, and what may be sent with data."""
    for option, value in ((29, 1), (35, 1), (37, 16 | 8), (37, 16), (37, 8), (63, 1), (64, 1)):
        yield Script(f"stamps {option} {value}", connected() + (
            ("setsockopt", "c", SOL_SOCKET, option, value), ("send", "s", 5), ("send", "s", 5),
            ("recvmsg", "c", 3, PEEK), ("recvmsg", "c", 3), ("recvmsg", "c", 7),
            ("recvmsg", "c", 1), ("setsockopt", "c", SOL_SOCKET, option, 0), ("send", "s", 5),
            ("recvmsg", "c", 5)))
    for level, kind, body in ((SOL_SOCKET, 36, struct.pack("I", 7)), (SOL_SOCKET, 1, bytes(4)),
                              (SOL_SOCKET, 37, struct.pack("I", 1 << 30)),
                              (SOL_SOCKET, 36, b"x"), (SOL_IP, 1, bytes(4))):
        for state in ("closed", "connected", "both-shut"):
            yield Script(f"control {level} {kind} {len(body)} {state}", states()[state] + (
                ("sendmsg", "c", 3, level, kind, body), *LOOK))


def stamps_of_sending():
    """Time stamps of what is sent, and of what an option or a message may ask for."""
    sched_snd, ack, software, key, key_tcp, only = 0x102, 0x200, 0x10, 0x80, 0x10000, 0x800
    for flags in (sched_snd, sched_snd | software, sched_snd | software | key,
                  sched_snd | software | only, ack | software | key | key_tcp | only,
                  sched_snd | ack | software | key | only):
        reads = (("poll", "c"),) + (("recvmsg", "c", 200, ERRQUEUE),) * 4
        yield Script(f"tx-stamps {flags:#x}", connected() + (
            ("setsockopt", "c", SOL_SOCKET, 37, flags), ("send", "c", 5), ("recv", "s", 5),
            ("send", "s", 1), ("recv", "c", 1), *reads, ("poll", "c"), ("error", "c")))
    for state, way in states().items():
        for flags in (key, key_tcp, 0x1000, sched_snd, sched_snd | key, 1 << 30, software):
            yield Script(f"stamp-flags {flags:#x} {state}", way + (
                ("setsockopt", "c", SOL_SOCKET, 37, flags), ("getsockopt", "c", SOL_SOCKET, 37)))
    for value in (0, 1, 2, -1):
        yield Script(f"zerocopy {value}", connected() + (
            ("setsockopt", "c", SOL_SOCKET, 60, value), ("getsockopt", "c", SOL_SOCKET, 60),
            ("send", "c", 5, ZEROCOPY), ("send", "c", 5, ZEROCOPY), ("recv", "s", 10),
            ("send", "s", 1), ("recv", "c", 1), ("poll", "c"),
            ("recvmsg", "c", 10, ERRQUEUE), ("shutdown", "c", WR), ("send", "c", 1, ZEROCOPY)))


def saved_syns():
    """TCP_SAVE_SYN on a listener, and what accepted sockets have then."""
    save, saved = 27, 28
    for wish in (-1, 0, 1, 2, 3):
        for version in (4, 6):
            yield Script(f"save-syn {wish} {version}", (
                ("socket", "l", version), ("bind", "l", f"{version}:lo:0"),
                ("setsockopt", "l", SOL_TCP, save, wish), ("listen", "l", 4),
                ("socket", "c", version), ("connect", "c", f"{version}:lo:0"),
                ("accept", "l", "s"), ("getsockopt", "s", SOL_TCP, save),
                ("syn", "s", 10), ("syn", "s", 200), ("syn", "s", 200), ("syn", "c", 200),
                ("syn", "l", 200), ("syn", "s", -1),
                ("setsockopt", "s", SOL_TCP, saved, 1)))


def more_scripts():
    """All of these."""
    return [*peek_offset(), *low_water(), *lingering(), *ports(), *error_queue(), *six(),
            *streams(), *control(), *stamps_of_sending(), *saved_syns()]
