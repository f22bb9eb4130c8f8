# SPDX-License-Identifier: GPL-2.0
"""poll and epoll masks in every phase of a connection."""

import select
import socket

from harness.registry import case, check, check_equal

ALL = (select.POLLIN | select.POLLOUT | select.POLLPRI | select.POLLRDHUP)
IN, OUT, RDHUP, HUP, ERR = (select.EPOLLIN, select.EPOLLOUT, select.EPOLLRDHUP,
                            select.EPOLLHUP, select.EPOLLERR)


def mask_now(sock):
    """What poll says at once."""
    poller = select.poll()
    poller.register(sock, ALL)
    found = poller.poll(0)
    return found[0][1] if found else 0


@case()
def poll_fresh_socket(context):
    """A socket that was never connected is writable and hung up."""
    mask = mask_now(context.socket(context.link.a))
    check_equal(mask, select.POLLOUT | select.POLLHUP, "the mask")


@case()
def poll_masks_through_life(context):
    """Writable; readable; peer half closed; both closed."""
    client, server = context.connected()
    check_equal(mask_now(server), select.POLLOUT, "an idle connection's mask")
    client.sendall(b"x")
    context.wait_for(server, select.POLLIN, "data")
    check_equal(mask_now(server), select.POLLIN | select.POLLOUT, "the mask with data")
    client.shutdown(socket.SHUT_WR)
    context.wait_for(server, select.POLLRDHUP, "the FIN")
    half = select.POLLIN | select.POLLOUT | select.POLLRDHUP
    check_equal(mask_now(server), half, "the mask after the peer's FIN")
    server.recv(10)
    check_equal(mask_now(server), half, "the mask at the end of the stream")
    server.shutdown(socket.SHUT_WR)
    context.wait_for(client, select.POLLHUP, "the hang-up")
    check_equal(mask_now(client), half | select.POLLHUP, "the mask after both FINs")


@case()
def poll_not_writable_when_full(context):
    """A full socket is not writable until a good part of it is free again."""
    client, server = context.connected()
    client.setblocking(False)
    block = bytes(65536)
    total = 0
    poller = select.poll()
    poller.register(client, select.POLLOUT)
    while poller.poll(context.quiet * 1000):
        try:
            total += client.send(block)
        except BlockingIOError:
            continue
    check_equal(mask_now(client), 0, "a full socket's mask")
    while total:
        total -= len(server.recv(1 << 20))
    check_equal(context.wait_for(client, select.POLLOUT, "room"), select.POLLOUT, "the mask")


@case()
def epoll_level(context):
    """Level triggered: the event stays until the data is read."""
    client, server = context.connected()
    with select.epoll() as poller:
        poller.register(server, IN)
        check_equal(poller.poll(0), [], "events without data")
        client.sendall(b"abc")
        for _ in range(3):
            check_equal(poller.poll(10 * context.scale), [(server.fileno(), IN)], "events")
        server.recv(3)
        check_equal(poller.poll(0), [], "events after reading")


@case()
def epoll_edge(context):
    """Edge triggered: one event per arrival."""
    client, server = context.connected()
    with select.epoll() as poller:
        poller.register(server, IN | OUT | RDHUP | select.EPOLLET)
        check_equal(poller.poll(10 * context.scale), [(server.fileno(), OUT)], "the first event")
        check_equal(poller.poll(0), [], "nothing new")
        for byte in (b"a", b"b"):
            client.sendall(byte)
            check_equal(poller.poll(10 * context.scale), [(server.fileno(), IN | OUT)],
                        "the event of an arrival")
            check_equal(poller.poll(0), [], "nothing new")
        client.shutdown(socket.SHUT_WR)
        check_equal(poller.poll(10 * context.scale), [(server.fileno(), IN | OUT | RDHUP)],
                    "the event of the FIN")


@case()
def epoll_edge_writable(context):
    """Edge triggered: one event when a full socket has room again."""
    client, server = context.connected()
    client.setblocking(False)
    total = 0
    with select.epoll() as poller:
        poller.register(client, OUT | select.EPOLLET)
        block = bytes(65536)
        while poller.poll(context.quiet):
            try:
                while True:
                    total += client.send(block)
            except BlockingIOError:
                continue
        while total:
            total -= len(server.recv(1 << 20))
        check_equal(poller.poll(10 * context.scale), [(client.fileno(), OUT)], "the event")


@case()
def epoll_many(context):
    """Fifty connections in one epoll set; exactly the ones that speak are told."""
    pairs = [context.connected(7200 + number) for number in range(50)]
    with select.epoll() as poller:
        for _, server in pairs:
            poller.register(server, IN)
        speakers = pairs[::7]
        for client, _ in speakers:
            client.sendall(b"x")
        expected = {server.fileno() for _, server in speakers}
        context.until(lambda: {fd for fd, _ in poller.poll(0, 100)} >= expected,
                      "all speakers are told")
        check_equal({fd for fd, _ in poller.poll(0, 100)}, expected, "who is told")


@case()
def select_agrees(context):
    """select(2) says the same as poll(2)."""
    client, server = context.connected()
    readable, writable, _ = select.select([server], [server], [server], 0)
    check_equal((readable, writable), ([], [server]), "select on an idle connection")
    client.sendall(b"x")
    readable, _, _ = select.select([server], [], [], 10 * context.scale)
    check_equal(readable, [server], "select with data")


@case()
def poll_listener_never_writable(context):
    """A listener is readable when a connection waits and never writable."""
    listener = context.listener(context.link.b)
    check_equal(mask_now(listener), 0, "an idle listener's mask")
    context.socket(context.link.a).connect(context.address(context.link.b, 7000))
    context.wait_for(listener, select.POLLIN, "the connection")
    check_equal(mask_now(listener), select.POLLIN, "the mask with a connection")
    listener.close()
    check(listener.fileno() == -1, "the listener is closed")
