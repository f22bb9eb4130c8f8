# SPDX-License-Identifier: GPL-2.0
"""Sockets that are handed to other languages' standard libraries as descriptors."""

import os
import socket
import subprocess

from harness.context import pattern, receive_exactly
from harness.registry import case, check_equal
from harness.tools import probe

GO = "mynewtcp-adopt"
DOORS = ("family", "inet")


def start(context, argv, sock, what):
    """Start a program whose standard input is the socket."""
    process = context.start(context.link.b, [*argv, what], stdin=sock.fileno(),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    sock.close()
    heard(process, b"adopted\n")
    return process


def heard(process, word):
    """The program says this word next."""
    line = process.stdout.readline()
    check_equal(line or process.stderr.read(), word, "what the program says")


def exchange(context, process, client):
    """The program's deadline passes; what it is sent comes back; it sees the end and closes."""
    heard(process, b"timed out\n")
    data = pattern(100_000, seed=9)
    for offset in range(0, len(data), 10_000):
        client.sendall(data[offset:offset + 10_000])
        check_equal(receive_exactly(client, 10_000), data[offset:offset + 10_000], "the echo")
    client.shutdown(socket.SHUT_WR)
    check_equal(client.recv(1), b"", "the end")
    context.finish(process, "the program")


def adopt(context, argv):
    """A connection and a listener, of both doors."""
    for number, door in enumerate(DOORS):
        listener = context.listener(context.link.b, 7000 + number, door=door)
        client = context.socket(context.link.a, door=door)
        client.connect(context.address(context.link.b, 7000 + number))
        server = context.accept(listener)
        exchange(context, start(context, argv, server, "stream"), client)
        process = start(context, argv, listener, "listener")
        client = context.socket(context.link.a, door=door)
        client.connect(context.address(context.link.b, 7000 + number))
        exchange(context, process, client)


@case()
def adopted_by_go(context):
    """net.FileConn and net.FileListener."""
    adopt(context, [probe(context.settings, GO)])


@case()
def adopted_by_rust(context):
    """TcpStream::from_raw_fd and TcpListener::from_raw_fd."""
    adopt(context, [probe(context.settings), "adopt"])


@case()
def adopted_by_python(context):
    """socket(fileno=...) finds out all by itself but the protocol's name."""
    inet = socket.AF_INET if context.version == 4 else socket.AF_INET6
    for number, door in enumerate(DOORS):
        context.listener(context.link.b, 7000 + number, door=door)
        made = context.socket(context.link.a, door=door)
        adopted = context.keep(socket.socket(fileno=os.dup(made.fileno())))
        # SO_DOMAIN is AF_INET or AF_INET6 whatever the door.
        check_equal((adopted.type, adopted.proto),
                    (socket.SOCK_STREAM, context.family.ip_protocol), "type and protocol")
        check_equal(adopted.family, inet, "the family")
        adopted.settimeout(5 * context.scale)
        adopted.connect(context.address(context.link.b, 7000 + number))
        check_equal(adopted.getpeername()[:2], context.address(context.link.b, 7000 + number),
                    "the peer")
