# SPDX-License-Identifier: GPL-2.0
"""io_uring on sockets of the family, as on TCP's."""

import contextlib
import ctypes
import errno
import os
import select
import socket
import struct

from harness import family as families
from harness.context import expect_error, receive_exactly
from harness.registry import case, check, check_equal
from harness.uring import (ACCEPT_MULTISHOT, F_BUFFER, F_MORE, F_NOTIF, RECV_MULTISHOT, Ring)

GROUP, BUFFERS, SIZE = 7, 4, 100


@contextlib.contextmanager
def ring():
    """A ring for the body."""
    made = Ring()
    try:
        yield made
    finally:
        made.close()


def sockaddr(version, host, port):
    """struct sockaddr_in or sockaddr_in6."""
    inet = socket.AF_INET if version == 4 else socket.AF_INET6
    name = socket.inet_pton(inet, host)
    return struct.pack("=H", inet) + struct.pack(">H", port) + (
        name + bytes(8) if version == 4 else bytes(4) + name + bytes(4))


def connect(context, made, port=7000):
    """A socket that the ring has connected."""
    client = context.socket(context.link.a)
    raw = sockaddr(context.version, *context.address(context.link.b, port))
    made.result("connect", client.fileno(), ctypes.create_string_buffer(raw, len(raw)),
                offset=len(raw))
    return client


def message(buffer, length):
    """struct msghdr of one buffer, and what must stay alive with it."""
    vector = ctypes.create_string_buffer(struct.pack("@PN", ctypes.addressof(buffer), length), 16)
    head = ctypes.create_string_buffer(
        struct.pack("@PIxxxxPNPNi", 0, 0, ctypes.addressof(vector), 1, 0, 0, 0), 56)
    return head, vector


@case()
def uring_client(context):
    """connect, send, recv, sendmsg, recvmsg, poll, shutdown, close."""
    listener = context.listener(context.link.b, 7000)
    with ring() as made:
        client = connect(context, made)
        server = context.accept(listener)
        fd = client.fileno()
        check_equal(made.result("send", fd, ctypes.create_string_buffer(b"hello", 5), 5), 5, "send")
        check_equal(receive_exactly(server, 5), b"hello", "what was sent")
        room = ctypes.create_string_buffer(16)
        waiting = made.put("recv", fd, room, 16)
        server.sendall(b"good day")
        found = made.next()
        check_equal((found.number, found.result, room.raw[:8]), (waiting, 8, b"good day"), "recv")
        buffer = ctypes.create_string_buffer(b"vector", 6)
        head, vector = message(buffer, 6)
        made.kept += [buffer, vector]
        check_equal(made.result("sendmsg", fd, head, 1), 6, "sendmsg")
        check_equal(receive_exactly(server, 6), b"vector", "what was sent by sendmsg")
        waiting = made.put("poll", fd, flags=select.POLLIN)
        server.sendall(b"back")
        found = made.next()
        check_equal((found.number, found.result & select.POLLIN), (waiting, select.POLLIN), "poll")
        head, vector = message(room, 16)
        made.kept += [vector]
        check_equal(made.result("recvmsg", fd, head, 1), 4, "recvmsg")
        check_equal(room.raw[:4], b"back", "what recvmsg read")
        made.result("shutdown", fd, length=socket.SHUT_WR)
        check_equal(server.recv(1), b"", "the end")
        made.result("close", os.dup(fd))
        expect_error(errno.ECONNREFUSED, "connect", connect, context, made, 7999)


@case()
def uring_server(context):
    """Multishot accept and multishot recv into provided buffers."""
    listener = context.listener(context.link.b, 7000)
    with ring() as made:
        accepting = made.put("accept", listener.fileno(), ioprio=ACCEPT_MULTISHOT)
        servers, clients = [], []
        for _ in range(3):
            client = context.socket(context.link.a)
            client.connect(context.address(context.link.b, 7000))
            clients.append(client)
            found = made.next()
            check_equal((found.number, bool(found.flags & F_MORE)), (accepting, True), "accept")
            check(found.result >= 0, f"accept gave {found.result}")
            servers.append(context.keep(families.wrap(found.result, context.version)))
        memory = ctypes.create_string_buffer(BUFFERS * SIZE)
        made.result("provide", BUFFERS, memory, SIZE, select=GROUP)
        reading = made.put("recv", servers[0].fileno(), ioprio=RECV_MULTISHOT, select=GROUP)
        for number in range(3):
            word = b"word %d" % number
            clients[0].sendall(word)
            found = made.next()
            check_equal((found.number, found.result, found.flags & (F_MORE | F_BUFFER)),
                        (reading, len(word), F_MORE | F_BUFFER), "recv")
            at = (found.flags >> 16) * SIZE
            check_equal(memory.raw[at:at + len(word)], word, "the buffer")
        clients[0].shutdown(socket.SHUT_WR)
        found = made.next()
        check_equal((found.number, found.result, found.flags & F_MORE), (reading, 0, 0), "the end")


@case()
def uring_sends_without_copying(context):
    """SEND_ZC: the result, and then word that the buffer is free."""
    listener = context.listener(context.link.b, 7000)
    with ring() as made:
        client = connect(context, made)
        server = context.accept(listener)
        data = bytes(range(256)) * 64
        buffer = ctypes.create_string_buffer(data, len(data))
        number = made.put("send_zc", client.fileno(), buffer, len(data))
        sent = made.next()
        check_equal((sent.number, sent.result, sent.flags & F_MORE), (number, len(data), F_MORE),
                    "the result")
        check_equal(receive_exactly(server, len(data)), data, "what was sent")
        free = made.next()
        check_equal((free.number, free.flags & F_NOTIF), (number, F_NOTIF), "the second word")
