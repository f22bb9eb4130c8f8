# SPDX-License-Identifier: GPL-2.0
"""How connections end."""

import errno
import os
import select
import signal
import socket

from harness import diag
from harness.context import LINGER_ABORT, expect_error, receive_exactly
from harness.memory import usage
from harness.registry import case, check, check_equal

ALL_EVENTS = select.POLLIN | select.POLLOUT | select.POLLRDHUP | select.POLLHUP | select.POLLERR


def quiet_send(sock, data):
    """send() without SIGPIPE; gives the errno or 0."""
    try:
        sock.send(data, socket.MSG_NOSIGNAL)
    except OSError as error:
        return error.errno
    return 0


@case()
def close_ends_stream(context):
    """The peer reads all data, then end of file, again and again."""
    client, server = context.connected()
    client.sendall(b"last words")
    client.close()
    check_equal(receive_exactly(server, 10), b"last words", "what arrived")
    check_equal(server.recv(1), b"", "the end")
    check_equal(server.recv(1), b"", "the end, again")


@case()
def half_close_client(context):
    """After the client's FIN the server still sends."""
    half_close(context, *context.connected())


@case()
def half_close_server(context):
    """After the server's FIN the client still sends."""
    client, server = context.connected()
    half_close(context, server, client)


def half_close(context, closer, other):
    """closer shuts its sending side; other answers over the open half."""
    closer.sendall(b"question")
    closer.shutdown(socket.SHUT_WR)
    check_equal(quiet_send(closer, b"x"), errno.EPIPE, "send after SHUT_WR")
    check_equal(receive_exactly(other, 8), b"question", "what arrived")
    check_equal(other.recv(1), b"", "the half's end")
    other.sendall(b"a" * 300000)
    other.shutdown(socket.SHUT_WR)
    check_equal(receive_exactly(closer, 300000), b"a" * 300000, "what came over the open half")
    check_equal(closer.recv(1), b"", "the other half's end")
    for sock in (closer, other):
        mask = context.wait_for(sock, ALL_EVENTS, "the hang-up")
        check(mask & select.POLLHUP, f"poll mask {mask:#x} after both halves closed")


@case()
def close_simultaneously(context):
    """Both FINs cross."""
    client, server = context.connected()
    context.link.cut()
    client.shutdown(socket.SHUT_WR)
    server.shutdown(socket.SHUT_WR)
    context.link.mend()
    check_equal(client.recv(1), b"", "client's end")
    check_equal(server.recv(1), b"", "server's end")


@case()
def shutdown_read(context):
    """SHUT_RD: reads give end of file at once, sending goes on."""
    client, server = context.connected()
    client.shutdown(socket.SHUT_RD)
    check_equal(client.recv(1), b"", "recv after SHUT_RD")
    client.sendall(b"still sending")
    check_equal(receive_exactly(server, 13), b"still sending", "what arrived")


@case()
def shutdown_wakes_reader(context):
    """A reader blocked in another thread of the program sees the end."""
    client, server = context.connected()
    def read(tell):
        tell(b"r")
        check_equal(client.recv(1), b"", "recv")
    pid, ready = context.fork(read)
    os.read(ready, 1)
    client.shutdown(socket.SHUT_RDWR)
    check_equal(context.reap(pid), 0, "the reader's status")
    os.close(ready)
    check_equal(server.recv(1), b"", "the peer's end")


@case()
def shutdown_twice(context):
    """Shutting down what is shut is no error while the connection lives."""
    client, _server = context.connected()
    client.shutdown(socket.SHUT_WR)
    client.shutdown(socket.SHUT_WR)
    expect_error(errno.EINVAL, "shutdown(3)", client.shutdown, 3)


@case()
def linger_zero_resets(context):
    """SO_LINGER with zero seconds: close is a reset and the peer learns it."""
    client, server = context.connected()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ABORT)
    client.close()
    mask = context.wait_for(server, select.POLLIN, "the reset")
    check(mask & select.POLLERR and mask & select.POLLHUP, f"poll mask {mask:#x}")
    expect_error(errno.ECONNRESET, "recv", server.recv, 1)
    check_equal(server.recv(1), b"", "recv after the error was taken")
    check_equal(quiet_send(server, b"x"), errno.EPIPE, "send after the error was taken")


@case()
def linger_waits(context):
    """SO_LINGER with seconds: close returns when the FIN is acknowledged."""
    client, server = context.connected()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                      (1).to_bytes(4, "little") + (20).to_bytes(4, "little"))
    client.sendall(b"z" * 100000)
    client.close()
    # Everything had to be acknowledged, so it is all here, with the FIN.
    server.setblocking(False)
    check_equal(len(receive_exactly(server, 100000)), 100000, "bytes")
    check_equal(server.recv(1), b"", "the end")


@case()
def unread_data_resets(context):
    """Closing with unread data throws it away, which the sender must be told."""
    client, server = context.connected()
    client.sendall(b"never read")
    context.wait_for(server, select.POLLIN, "the data")
    server.close()
    context.wait_for(client, select.POLLIN, "the reset")
    expect_error(errno.ECONNRESET, "recv", client.recv, 1)


@case()
def data_after_close_resets(context):
    """Data for a socket that nobody can read any more is answered with a reset."""
    client, server = context.connected()
    server.close()
    check_equal(client.recv(1), b"", "the end")
    check_equal(quiet_send(client, b"too late"), 0, "the first send")
    context.wait_for(client, select.POLLERR, "the reset")
    check(quiet_send(client, b"x") in (errno.EPIPE, errno.ECONNRESET), "send after the reset")


def without_user(context, linger2=0):
    """A connection that side a has closed and side b has not: b's socket, and how to find what
    is left of it on a. `linger2` is for TCP_LINGER2."""
    inet = socket.AF_INET if context.version == 4 else socket.AF_INET6

    def find(state):
        return diag.dump(context.link.a.ns, context.family, inet, 1 << state)

    client, server = context.connected()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_LINGER2, linger2)
    client.close()
    check_equal(server.recv(1), b"", "the end")
    context.until(lambda: find(diag.FIN_WAIT2), "FIN-WAIT-2")
    return server, find


@case()
def closed_in_fin_wait_2(context):
    """Where only the peer's FIN is missing no socket stays, but it is waited for."""
    server, find = without_user(context)
    found, = find(diag.FIN_WAIT2)
    check_equal((found.timer, found.inode), (diag.TIMER_TIME_WAIT, 0), "timer and inode")
    lines, _ = diag.table(context.link.a.ns, context.family, context.version)
    check_equal([int(line[3], 16) for line in lines], [diag.FIN_WAIT2], "states in /proc/net")
    if context.family.name == "newtcp":
        context.until(lambda: usage(context.link.a.ns)["host_sockets"]["orphan"] == 0,
                      "there are no orphans")
    server.close()
    context.until(lambda: find(diag.TIME_WAIT), "TIME-WAIT")
    check_equal(find(diag.FIN_WAIT2), [], "what is in FIN-WAIT-2")


@case()
def closed_in_fin_wait_2_resets_data(context):
    """Who sends more to a user who is gone is told."""
    server, find = without_user(context)
    server.sendall(b"more")
    context.wait_for(server, select.POLLHUP, "the reset")
    check_equal(find(diag.FIN_WAIT2), [], "what is in FIN-WAIT-2")


@case()
def closed_in_fin_wait_2_for_a_while(context):
    """Nobody waits longer than TCP_LINGER2 says."""
    # Long enough to be seen, should the machine stand still.
    server, find = without_user(context, 3)
    context.until(lambda: not find(diag.FIN_WAIT2), "the end of FIN-WAIT-2")
    check_equal(find(diag.TIME_WAIT), [], "what is in TIME-WAIT")
    server.sendall(b"more")
    context.wait_for(server, select.POLLHUP, "the reset")


@case()
def sigpipe_is_raised(context):
    """Without MSG_NOSIGNAL a write to a dead connection raises SIGPIPE."""
    client, _server = context.connected()
    client.shutdown(socket.SHUT_WR)
    def write(_tell):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        client.send(b"x")
    pid, ready = context.fork(write)
    status = context.reap(pid)
    os.close(ready)
    check(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPIPE,
          f"the writer's wait status {status:#x}")


@case()
def killed_peer_ends_stream(context):
    """A peer that is killed with nothing unread: end of file."""
    listener = context.listener(context.link.b)
    def talk(tell):
        client = context.socket(context.link.a)
        client.connect(context.address(context.link.b, 7000))
        client.sendall(b"alive")
        tell(b"s")
        signal.pause()
    pid, ready = context.fork(talk)
    server = context.accept(listener)
    check_equal(os.read(ready, 1), b"s", "the child's word")
    os.close(ready)
    os.kill(pid, signal.SIGKILL)
    check_equal(os.WTERMSIG(context.reap(pid)), signal.SIGKILL, "the child's end")
    check_equal(receive_exactly(server, 5), b"alive", "what arrived")
    check_equal(server.recv(1), b"", "the end")


@case()
def killed_peer_resets(context):
    """A peer that is killed with unread data: reset."""
    listener = context.listener(context.link.b)
    def talk(tell):
        client = context.socket(context.link.a)
        client.connect(context.address(context.link.b, 7000))
        client.recv(1, socket.MSG_PEEK)
        tell(b"u")
        signal.pause()
    pid, ready = context.fork(talk)
    server = context.accept(listener)
    server.sendall(b"unread")
    check_equal(os.read(ready, 1), b"u", "the child's word")
    os.close(ready)
    os.kill(pid, signal.SIGKILL)
    context.reap(pid)
    context.wait_for(server, select.POLLIN, "the reset")
    expect_error(errno.ECONNRESET, "recv", server.recv, 1)


@case()
def listener_close_resets_queue(context):
    """Closing a listener resets the connections that nobody accepted."""
    listener = context.listener(context.link.b)
    client = context.socket(context.link.a)
    client.connect(context.address(context.link.b, 7000))
    context.wait_for(listener, select.POLLIN, "the connection")
    listener.close()
    context.wait_for(client, select.POLLIN, "the reset")
    expect_error(errno.ECONNRESET, "recv", client.recv, 1)


@case()
def listener_close_refuses(context):
    """Once the listener is closed its port refuses."""
    listener = context.listener(context.link.b)
    listener.close()
    client = context.socket(context.link.a)
    expect_error(errno.ECONNREFUSED, "connect", client.connect,
                 context.address(context.link.b, 7000))
