# SPDX-License-Identifier: GPL-2.0
"""More scripts: what an option does to the calls after it, IPv6, and addresses of both kinds."""

import itertools
import socket
import struct

from harness.bpf import Classic

from .scripts import LOOK, RDWR, SOL_IP, SOL_IPV6, SOL_SOCKET, SOL_TCP, WR, Script, connected, states

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


PROGRAM = Classic((0x06, 0))
CLASSIC, EXTENDED, DETACH = 51, 52, 68


def programs():
    """Programs that choose among listeners: attached and detached in every state, and what a
    socket with one may share."""
    calls = tuple(step for way in (
        (DETACH, 0), (CLASSIC, PROGRAM.option), (CLASSIC, PROGRAM.option), (DETACH, 0), (DETACH, 1),
        (CLASSIC, 1), (CLASSIC, PROGRAM.option, 0), (CLASSIC, PROGRAM.option, 15),
        (CLASSIC, bytes(16)), (EXTENDED, 9999), (EXTENDED, 1, 3), (EXTENDED, b"12345678"),
        (DETACH, 0, 0), (DETACH, 0, 3), (DETACH, 0))
        for step in (("setsockopt", "c", SOL_SOCKET, *way),))
    share = ("setsockopt", "c", SOL_SOCKET, socket.SO_REUSEPORT, 1)
    stop = ("setsockopt", "c", SOL_SOCKET, socket.SO_REUSEPORT, 0)
    for version in (4, 6):
        for state, way in states(version).items():
            yield Script(f"program {state} {version}", way + calls)
            yield Script(f"program {state} late {version}", way + (share,) + calls)
            early = [[step, share] if step[:2] == ("socket", "c") else [step] for step in way]
            steps = tuple(itertools.chain(*early))
            yield Script(f"program {state} early {version}", steps + calls)
            yield Script(f"program {state} shy {version}", steps + (stop,) + calls)
            yield Script(f"program {state} again {version}", steps + (
                ("setsockopt", "c", SOL_SOCKET, CLASSIC, PROGRAM.option),
                ("shutdown", "c", RDWR)) + calls + (("listen", "c", 1),) + calls)
        yield from sharing(version)


def sharing(version):
    """Two sockets on one port, one of which has a program at some time."""
    places = (f"{version}:lo:0", f"{version}:any:0")
    for (one, other), moment, who in itertools.product(
            itertools.product(places, places), ("bind", "listen", "end"), "ab"):
        steps = [("socket", name, version) for name in "ab"]
        steps += [("setsockopt", name, SOL_SOCKET, socket.SO_REUSEPORT, 1) for name in "ab"]
        for name, call in ("a", ("bind", "a", one)), ("a", ("listen", "a", 1)), (
                "b", ("bind", "b", other)), ("b", ("listen", "b", 1)):
            if (name, call[0]) == (who, moment):
                steps.append(("setsockopt", name, SOL_SOCKET, CLASSIC, PROGRAM.option))
            steps.append(call)
        if moment == "end":
            steps.append(("setsockopt", who, SOL_SOCKET, CLASSIC, PROGRAM.option))
        steps += [("setsockopt", name, SOL_SOCKET, DETACH, 0) for name in "ba"]
        yield Script(f"program {moment} {who} {one} {other}", (*steps, ("close", "a"), (
            "setsockopt", "b", SOL_SOCKET, DETACH, 0)))


def more_scripts():
    """All of these."""
    return [*peek_offset(), *low_water(), *lingering(), *ports(), *error_queue(), *six(),
            *streams(), *control(), *stamps_of_sending(), *saved_syns(), *programs()]
