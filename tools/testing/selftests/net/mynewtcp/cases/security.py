# SPDX-License-Identifier: GPL-2.0
"""When a security module is asked about connections, and what it is told: the same for NEW_TCP
as for TCP. The module is net/mynewtcp/test_lsm.c, on kernels with CONFIG_MY_NEWTCP_DEBUG."""

import os
import select
import socket
from dataclasses import dataclass

from harness import family as families
from harness.context import expect_error, receive_exactly
from harness.registry import case, check, check_equal

PORT = 7000
SO_MARK, SO_PEERSEC = 36, 31
# Marks that the module knows: the socket tells; the listener is refused everything.
TELLING, REFUSING = 0x5ec00000, 0x5ec00001
ENDS = {4: socket.AF_INET, 6: socket.AF_INET6}


@dataclass
class Seen:
    """What the module has seen of one socket."""

    requests: int
    refused: int
    clones: int
    established: int
    # Of the last call.
    secid: int
    ports: tuple
    family: int
    remote: tuple


def seen(sock):
    """Ask the module."""
    words = sock.getsockopt(socket.SOL_SOCKET, SO_PEERSEC, 200).decode("ascii").split()
    *counts, secid, source, target, family = (int(word) for word in words[:8])
    address = bytes.fromhex(words[8].replace(":", ""))
    return Seen(*counts, secid, (source, target), family, (address, int(words[9])))


def module_is_there():
    """The kernel has the module."""
    with families.tcp().open(4, "family") as sock:
        try:
            mark(sock)
            seen(sock)
        except OSError:
            return False
    return True


def mark(sock, value=TELLING):
    """Let the module tell of the socket."""
    sock.setsockopt(socket.SOL_SOCKET, SO_MARK, value)
    return sock


def remote_of(name, version):
    """An address of getsockname(2) in the module's form."""
    raw = socket.inet_pton(ENDS[version], name[0])
    return ((bytes(10) + b"\xff\xff" + raw if version == 4 else raw), name[1])


def check_connection(context, listener, version):
    """One connection: each hook once, with what the packets and the other hooks say."""
    before = seen(listener)
    client = mark(context.socket(context.link.a, version))
    client.connect((context.link.b.address(version), PORT))
    server = context.accept(listener)
    name = client.getsockname()
    asked, cloned, told = seen(listener), seen(server), seen(client)
    check(asked.requests > before.requests, "nobody asked about the request")
    check_equal((asked.family, asked.ports, asked.remote),
                (ENDS[version], (name[1], PORT), remote_of(name, version)),
                "the request's family, ports of its packet, and peer")
    check_equal((cloned.clones, cloned.family, cloned.remote),
                (1, ENDS[version], remote_of(name, version)), "calls for the child, family, peer")
    check_equal((cloned.secid, cloned.ports), (asked.secid, asked.ports), "the child's labels")
    check_equal((told.established, told.ports), (1, (PORT, name[1])),
                "calls for the client, and ports of the packet")
    check_equal((told.requests, told.clones, cloned.requests, cloned.established), (0, 0, 0, 0),
                "other calls")
    client.sendall(b"x")
    receive_exactly(server, 1)
    check_equal(seen(client).established, 1, "calls for the client after data")
    return asked.requests - before.requests


@case(needs=module_is_there)
def security_is_asked(context):
    """A connection: the request, then the child with the labels of the request, and the client."""
    listener = mark(context.listener(context.link.b, PORT))
    for number in range(3):
        check_equal(check_connection(context, listener, context.version), 1,
                    f"requests of connection {number}")


@case(versions=(6,), needs=module_is_there)
def security_hears_of_ipv4(context):
    """An IPv6 listener that is asked over IPv4: the request is one of IPv4."""
    listener = mark(context.socket(context.link.b, 6))
    listener.bind(("::", PORT))
    listener.listen(4)
    for version in (4, 6):
        check_connection(context, listener, version)


@case(needs=module_is_there)
def security_sees_cookies(context):
    """The same with SYN cookies, where the labels are those given for the last segment of the
    handshake: nothing is kept of the SYN."""
    knob = "net.mynewtcp.syncookies" if context.family.name == "newtcp" else (
        "net.ipv4.tcp_syncookies")
    context.link.b.ns.write_sysctl(knob, 2)
    listener = mark(context.listener(context.link.b, PORT))
    check_connection(context, listener, context.version)


@case(needs=module_is_there)
def security_refuses(context):
    """What the module does not want gets no answer."""
    listener = mark(context.listener(context.link.b, PORT), REFUSING)
    client = context.socket(context.link.a)
    client.setblocking(False)
    check(client.connect_ex(context.address(context.link.b, PORT)) != 0, "connected at once")
    # Twice: the SYN and its retransmission.
    context.until(lambda: seen(listener).refused >= 2, "two SYNs have been refused")
    poller = select.poll()
    poller.register(client, select.POLLOUT)
    check_equal(poller.poll(0), [], "events at the client")
    listener.setblocking(False)
    expect_error(11, "accept", listener.accept)
    mark(listener)
    context.wait_for(client, select.POLLOUT, "the connection, once it is allowed")
    check_equal(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0, "SO_ERROR")
    os.set_blocking(listener.fileno(), True)
    check_equal(seen(context.accept(listener)).clones, 1, "calls for the child")
