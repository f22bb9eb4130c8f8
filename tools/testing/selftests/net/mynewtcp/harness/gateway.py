# SPDX-License-Identifier: GPL-2.0
"""A connection between the family on side a and Linux' TCP on side b."""

import contextlib
import functools
import importlib.util
import shutil
import socket
import struct
import tempfile
from pathlib import Path

from . import family as families
from . import proto_row
from .registry import Failure, case, check_equal

HOME = Path(__file__).resolve().parents[1]
# Beside the tests where they are installed, in tools/ where they are not.
PROGRAMS = (HOME / "gateway.py",
            HOME.joinpath("../../../../mynewtcp/gateway/gateway.py").resolve())
ROLES = ("connects", "accepts")
PORT = 7800
TIMESTAMPS, SACK, WINDOW_SCALE, ECN = 1, 2, 4, 8


@functools.cache
def program():
    """The gateway's program."""
    found = next((path for path in PROGRAMS if path.exists()), None)
    if found is None:
        raise Failure(f"there is no {PROGRAMS[0]}")
    if shutil.which("clang") is None:
        raise Failure("the gateway needs clang")
    return found


def gateway(side, *words, check=True):
    """Run tools/mynewtcp/gateway/gateway.py on one side; gives what it prints."""
    return side.ns.run([str(program()), *words], check=check)


class Compiled:
    """What the gateway compiles, once for all cases that want the same."""

    def __init__(self):
        spec = importlib.util.spec_from_file_location("gateway", program())
        self.code = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.code)
        self.home = tempfile.TemporaryDirectory(prefix="mynewtcp-gateway-")
        self.objects = {}

    def add(self, side, *words):
        """`gateway add` on that side's device."""
        options = self.code.parse(["add", side.device, *words])
        with side.ns.inside():
            if words not in self.objects:
                place = Path(self.home.name) / f"{len(self.objects)}.o"
                self.code.translate(options, place)
                self.objects[words] = place
            self.code.attach(options, self.objects[words])


@functools.cache
def compiled():
    """The one of this run."""
    return Compiled()


def netstat(ns, name):
    """A counter of TCP's in the namespace."""
    for path in ("/proc/thread-self/net/netstat", "/proc/thread-self/net/snmp"):
        lines = ns.read(path).splitlines()
        for names, values in zip(lines[::2], lines[1::2]):
            found = dict(zip(names.split()[1:], values.split()[1:]))
            if names.startswith("Tcp") and name in found:
                return int(found[name])
    raise Failure(f"TCP has no counter {name}")


def counter(ns, name):
    """A counter of NEW_TCP's in the namespace."""
    rows = dict(line.split() for line in ns.read("/proc/thread-self/net/mynewtcp_snmp").splitlines())
    if name not in rows:
        raise Failure(f"NEW_TCP has no counter {name}")
    return int(rows[name])


def negotiated(sock):
    """The bits of tcpi_options: what this end agreed to."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[5]


def segment_size(sock):
    """tcpi_snd_mss."""
    return struct.unpack_from("I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 16)[0]


class Meeting:
    """Our end on side a, TCP's on side b; `role` is what our end does.

    With TCP as the family under test there is TCP on both sides and no
    gateway, which proves the cases.
    """

    def __init__(self, context, role):
        self.context = context
        self.role = role
        self.tcp = families.tcp()
        self.we_are_tcp = context.family.name == "tcp"
        self.ours = self.theirs = None
        self.port = PORT
        if not self.we_are_tcp:
            link = context.link
            compiled().add(link.a, "--ip-protocol", str(context.family.ip_protocol),
                           *(word for version in (4, 6)
                             for word in ("--local", link.a.address(version))))

    def our_socket(self):
        """A socket on side a."""
        return self.context.socket(self.context.link.a)

    def their_socket(self):
        """A socket of TCP on side b."""
        with self.context.link.b.ns.inside():
            return self.context.keep(self.tcp.open(self.context.version))

    def connect(self, port=PORT, prepare=lambda sock: None):
        """Connect; gives (our end, TCP's end). prepare() sees both before that."""
        link = self.context.link
        client, listener = self.our_socket(), self.their_socket()
        home = link.b
        if self.role == "accepts":
            client, listener, home = listener, client, link.a
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for sock in (client, listener):
            prepare(sock)
        listener.bind(self.context.address(home, port))
        listener.listen(8)
        client.connect(self.context.address(home, port))
        server = self.context.accept(listener)
        listener.close()
        ends = (client, server) if self.role == "connects" else (server, client)
        self.ours, self.theirs = ends
        return ends

    @contextlib.contextmanager
    def part(self, name, prepare=lambda sock: None):
        """A connection of its own within a case; a failure says which it was."""
        self.port += 1
        try:
            yield self.connect(self.port, prepare)
            self.end()
        except Failure as failure:
            raise Failure(f"{name}: {failure}") from failure

    def our_counter(self, ours, theirs):
        """A counter of side a: NEW_TCP's name for it, or TCP's."""
        ns = self.context.link.a.ns
        return netstat(ns, theirs) if self.we_are_tcp else counter(ns, ours)

    def their_counter(self, name):
        """A counter of TCP's on side b."""
        return netstat(self.context.link.b.ns, name)

    def end(self):
        """Close both ends; TCP has nothing left but TIME-WAIT, as we have not."""
        for sock in (self.ours, self.theirs):
            if sock is not None:
                sock.close()
        self.ours = self.theirs = None
        ns = self.context.link.b.ns
        self.context.until(lambda: proto_row.sockets(ns, self.tcp) == 0,
                           "TCP has no socket left on its side", seconds=20)


def interop(roles=ROLES, versions=(4, 6), timeout=30.0):
    """Register a function of (context, meeting) once per role and IP version."""
    def register(function):
        for role in roles:
            def body(context, role=role):
                meeting = Meeting(context, role)
                function(context, meeting)
                meeting.end()
            suffix = f"_{role}" if len(roles) > 1 else ""
            body.__name__ = f"interop_{function.__name__}{suffix}"
            body.__doc__ = function.__doc__
            case(versions=versions, timeout=timeout)(body)
        return function
    return register


def check_negotiated(meeting, expected):
    """Both ends agreed to exactly these of timestamps, SACK and window scale."""
    every = TIMESTAMPS | SACK | WINDOW_SCALE | ECN
    for sock, whose in ((meeting.ours, "our"), (meeting.theirs, "TCP's")):
        check_equal(negotiated(sock) & every, expected, f"{whose} end's tcpi_options")
