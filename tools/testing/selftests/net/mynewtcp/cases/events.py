# SPDX-License-Identifier: GPL-2.0
"""Edge-triggered events, signals and restarts.

Each of these runs on TCP as it runs on NEW_TCP.
"""

import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import time

from harness.context import expect_error, receive_exactly
from harness.registry import case, check, check_equal

IN, OUT, RDHUP, ET, ONESHOT = (select.EPOLLIN, select.EPOLLOUT, select.EPOLLRDHUP,
                               select.EPOLLET, select.EPOLLONESHOT)


def watch(sock, events):
    """An epoll instance that watches the socket."""
    poller = select.epoll()
    poller.register(sock, events)
    return poller


def next_mask(context, poller):
    """The next event's mask."""
    found = poller.poll(10 * context.scale)
    check(found, "no event")
    return found[0][1]


@case()
def edge_per_arrival(context):
    """One event per arrival, whether or not what came before was read; none in between."""
    client, server = context.connected()
    poller = watch(server, IN | RDHUP | ET)
    check_equal(poller.poll(0), [], "events of an idle connection")
    for number in range(5):
        client.sendall(b"x")
        check_equal(next_mask(context, poller), IN, f"the event of arrival {number}")
        check_equal(poller.poll(0), [], f"events after that of arrival {number}")
    check_equal(server.recv(3), b"xxx", "a part of the data")
    check_equal(poller.poll(0), [], "events after a part was read")
    client.shutdown(socket.SHUT_WR)
    check_equal(next_mask(context, poller), IN | RDHUP, "the event of the FIN")
    check_equal(poller.poll(0), [], "events after that of the FIN")
    server.close()


@case()
def edge_of_room(context):
    """A full socket tells once that there is room again."""
    client, server = context.connected()
    client.setblocking(False)
    poller = watch(client, OUT | ET)
    check_equal(next_mask(context, poller), OUT, "the first event")
    try:
        while True:
            client.send(bytes(65536))
    except BlockingIOError:
        pass
    poller.poll(0)
    while True:
        try:
            server.recv(1 << 20, socket.MSG_DONTWAIT)
        except BlockingIOError:
            if poller.poll(0.01):
                break
    check_equal(client.send(b"x"), 1, "what there is room for")


@case()
def oneshot_is_armed_again(context):
    """EPOLLONESHOT: one event, and the next when it is armed again, though nothing new came."""
    client, server = context.connected()
    poller = watch(server, IN | ONESHOT)
    client.sendall(b"x")
    check_equal(next_mask(context, poller), IN, "the event")
    client.sendall(b"y")
    context.until(lambda: len(server.recv(10, socket.MSG_PEEK)) == 2, "both are there")
    check_equal(poller.poll(0), [], "events before it is armed")
    poller.modify(server, IN | ONESHOT)
    check_equal(next_mask(context, poller), IN, "the event after it was armed")


@case()
def exclusive_wakes_one(context):
    """EPOLLEXCLUSIVE: a connection wakes one of four that wait, and all connections are taken."""
    listener = context.listener(context.link.b, 7000)
    listener.setblocking(False)
    children = []
    for _ in range(4):
        def serve(tell):
            poller = watch(listener, IN | select.EPOLLEXCLUSIVE)
            tell(b"r")
            while True:
                poller.poll()
                tell(b"w")
                try:
                    listener.accept()
                except BlockingIOError:
                    continue
                tell(b"a")
        children.append(context.fork(serve))
    for _, words in children:
        check_equal(os.read(words, 1), b"r", "the child's word")
    told = b""
    for number in range(8):
        client = context.socket(context.link.a)
        client.connect(context.address(context.link.b, 7000))
        while told.count(b"a") <= number:
            for descriptor in select.select([words for _, words in children], [], [], 10)[0]:
                told += os.read(descriptor, 100)
    check(told.count(b"w") < 4 * 8, f"{told.count(b'w')} were woken for 8 connections")
    for _, words in children:
        os.close(words)


def caught(context, number, call, flags=True, after=None):
    """What a blocking call in a child gives when that signal comes: E for EINTR, else R."""
    def body(tell):
        signal.signal(number, lambda *_: None)
        signal.siginterrupt(number, flags)
        libc = ctypes.CDLL(None, use_errno=True)
        tell(b"r")
        result = call(libc)
        tell(b"E" if result < 0 and ctypes.get_errno() == errno.EINTR
             else b"A" if result < 0 and ctypes.get_errno() == errno.EAGAIN else b"R")
    pid, words = context.fork(body)
    os.read(words, 1)
    context.until(lambda: asleep(pid), "the child sleeps")
    os.kill(pid, number)
    if after:
        time.sleep(0.05)
        after()
    word = os.read(words, 1)
    os.close(words)
    context.reap(pid)
    return word


def asleep(pid):
    """The process waits for something that a signal interrupts."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "S"


@case()
def signals_and_restarts(context):
    """EINTR without SA_RESTART; with it the call goes on, except with SO_RCVTIMEO."""
    client, _server = context.connected()
    listener = context.listener(context.link.b, 7001)
    buffer = ctypes.create_string_buffer(16)

    def read(libc):
        return libc.recv(client.fileno(), buffer, 16, 0)

    def accept(libc):
        return libc.accept(listener.fileno(), None, None)

    check_equal(caught(context, signal.SIGUSR1, read), b"E", "recv")
    check_equal(caught(context, signal.SIGUSR1, accept), b"E", "accept")

    def come():
        context.socket(context.link.a).connect(context.address(context.link.b, 7001))

    check_equal(caught(context, signal.SIGUSR1, accept, flags=False, after=come), b"R",
                "accept with SA_RESTART")
    for sock in (client, listener):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 60, 0))
    check_equal(caught(context, signal.SIGUSR1, read, flags=False), b"E",
                "recv with SA_RESTART and SO_RCVTIMEO")
    check_equal(caught(context, signal.SIGUSR1, accept, flags=False), b"E",
                "accept with SA_RESTART and SO_RCVTIMEO")


@case()
def sigpipe_unless_asked_not_to(context):
    """send after a reset: SIGPIPE and EPIPE; with MSG_NOSIGNAL only EPIPE."""
    client, server = context.connected()
    context.abort(server)
    context.wait_for(client, select.POLLERR, "the reset")
    expect_error(errno.ECONNRESET, "recv", client.recv, 1)
    got = []
    before = signal.signal(signal.SIGPIPE, lambda *_: got.append(1))
    try:
        expect_error(errno.EPIPE, "send", client.send, b"x", socket.MSG_NOSIGNAL)
        check_equal(got, [], "SIGPIPE with MSG_NOSIGNAL")
        expect_error(errno.EPIPE, "send", client.send, b"x")
        check_equal(got, [1], "SIGPIPE without it")
    finally:
        signal.signal(signal.SIGPIPE, before)


@case()
def sigio_to_the_owner(context):
    """F_SETOWN and O_ASYNC: SIGIO when data comes, and no SIGURG."""
    client, server = context.connected()
    got = []
    before = [signal.signal(number, lambda number, _: got.append(number))
              for number in (signal.SIGIO, signal.SIGURG)]
    try:
        fcntl.fcntl(server, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(server, fcntl.F_SETFL, fcntl.fcntl(server, fcntl.F_GETFL) | os.O_ASYNC)
        got.clear()
        client.sendall(b"x")
        context.until(lambda: got, "SIGIO")
        check_equal(set(got), {signal.SIGIO}, "the signals")
        receive_exactly(server, 1)
        got.clear()
        client.shutdown(socket.SHUT_WR)
        context.until(lambda: got, "SIGIO for the FIN")
        check_equal(set(got), {signal.SIGIO}, "the signals")
        fcntl.fcntl(server, fcntl.F_SETFL, fcntl.fcntl(server, fcntl.F_GETFL) & ~os.O_ASYNC)
    finally:
        for number, handler in zip((signal.SIGIO, signal.SIGURG), before):
            signal.signal(number, handler)
