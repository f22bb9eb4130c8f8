# SPDX-License-Identifier: GPL-2.0
"""recv(2), send(2), their flags, time-outs and signals."""

import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import termios
import threading
import time

from harness.context import expect_error, pattern, receive_exactly
from harness.registry import case, check, check_equal

SOL_SOCKET = socket.SOL_SOCKET
MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, MSG_WAITALL = (
    socket.MSG_DONTWAIT, socket.MSG_PEEK, socket.MSG_TRUNC, socket.MSG_WAITALL)


def timeval(seconds):
    """A struct timeval."""
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))


def fill(sock):
    """Send without blocking until the socket takes no more; gives the count."""
    block = bytes(65536)
    sent = 0
    while True:
        try:
            sent += sock.send(block, MSG_DONTWAIT)
        except BlockingIOError:
            return sent


@case()
def peek_leaves_data(context):
    """MSG_PEEK shows data without taking it."""
    client, server = context.connected()
    client.sendall(b"peek at me")
    check_equal(server.recv(4, MSG_PEEK), b"peek", "the first look")
    context.until(lambda: server.recv(100, MSG_PEEK) == b"peek at me", "all is there")
    check_equal(receive_exactly(server, 10), b"peek at me", "what recv took")
    expect_error(errno.EAGAIN, "peek at nothing", server.recv, 1, MSG_PEEK | MSG_DONTWAIT)


@case()
def peek_offset(context):
    """SO_PEEK_OFF moves a reader's eye along the stream."""
    so_peek_off = 42
    client, server = context.connected()
    client.sendall(b"abcdef")
    context.until(lambda: len(server.recv(6, MSG_PEEK)) == 6, "all is there")
    server.setsockopt(SOL_SOCKET, so_peek_off, 2)
    check_equal(server.recv(2, MSG_PEEK), b"cd", "peek at offset 2")
    check_equal(server.recv(2, MSG_PEEK), b"ef", "the next peek")
    check_equal(server.recv(2), b"ab", "recv")


@case()
def trunc_discards(context):
    """MSG_TRUNC takes data without copying it."""
    client, server = context.connected()
    client.sendall(b"0123456789")
    context.until(lambda: len(server.recv(10, MSG_PEEK)) == 10, "all is there")
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(b"untouched", 16)
    check_equal(libc.recv(server.fileno(), buffer, 6, MSG_TRUNC), 6, "recv with MSG_TRUNC")
    check_equal(buffer.value, b"untouched", "the buffer")
    check_equal(receive_exactly(server, 4), b"6789", "what is left")


@case()
def waitall_waits(context):
    """MSG_WAITALL gives the whole amount although it comes in pieces."""
    client, server = context.connected()
    def send():
        for piece in (b"one", b"two", b"three"):
            client.sendall(piece)
            context.until(lambda: drained(client), "the piece is acknowledged")
    thread = threading.Thread(target=send)
    thread.start()
    found = server.recv(11, MSG_WAITALL)
    thread.join()
    check_equal(found, b"onetwothree", "recv with MSG_WAITALL")


def drained(sock):
    """Nothing is unacknowledged."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0] == 0


@case()
def waitall_ends_at_fin(context):
    """MSG_WAITALL gives what there is when the stream ends."""
    client, server = context.connected()
    client.sendall(b"short")
    client.close()
    check_equal(server.recv(100, MSG_WAITALL), b"short", "recv with MSG_WAITALL")


@case()
def dontwait_read(context):
    """An empty socket gives EAGAIN for MSG_DONTWAIT and for O_NONBLOCK."""
    client, _server = context.connected()
    expect_error(errno.EAGAIN, "recv with MSG_DONTWAIT", client.recv, 1, MSG_DONTWAIT)
    client.setblocking(False)
    expect_error(errno.EAGAIN, "recv with O_NONBLOCK", client.recv, 1)


@case()
def zero_length_calls(context):
    """Sending and reading nothing does nothing."""
    client, server = context.connected()
    check_equal(client.send(b""), 0, "send of nothing")
    check_equal(server.recv(0), b"", "recv of nothing")
    client.sendall(b"x")
    check_equal(server.recv(1), b"x", "what came")


@case()
def vectors_of_buffers(context):
    """sendmsg gathers, recvmsg scatters."""
    client, server = context.connected()
    check_equal(client.sendmsg([b"scattered", b" and", b" gathered"]), 22, "sendmsg")
    context.until(lambda: len(server.recv(22, MSG_PEEK)) == 22, "all is there")
    parts = [bytearray(9), bytearray(13)]
    count, _, flags, _ = server.recvmsg_into(parts)
    check_equal((count, flags, b"".join(parts)), (22, 0, b"scattered and gathered"), "recvmsg")


@case()
def ioctl_queue_lengths(context):
    """SIOCINQ and SIOCOUTQ count what is unread and unacknowledged."""
    client, server = context.connected()
    context.link.cut(context.link.a)
    client.sendall(b"12345")
    check(not drained(client), "SIOCOUTQ is 0 although nothing can be acknowledged")
    context.link.mend()
    context.wait_for(server, select.POLLIN, "the data")
    context.until(lambda: drained(client), "SIOCOUTQ is 0")
    check_equal(struct.unpack("i", fcntl.ioctl(server, termios.FIONREAD, bytes(4)))[0], 5,
                "SIOCINQ")
    server.recv(2)
    check_equal(struct.unpack("i", fcntl.ioctl(server, termios.FIONREAD, bytes(4)))[0], 3,
                "SIOCINQ after reading two")


@case()
def rcvtimeo_ends_read(context):
    """SO_RCVTIMEO bounds recv(2)."""
    client, _server = context.connected()
    client.setsockopt(SOL_SOCKET, socket.SO_RCVTIMEO, timeval(0.05))
    started = time.monotonic()
    expect_error(errno.EAGAIN, "recv", client.recv, 1)
    check(time.monotonic() - started >= 0.04, "recv came back before the time")


@case()
def sndtimeo_ends_write(context):
    """SO_SNDTIMEO bounds send(2) on a full socket."""
    client, _server = context.connected()
    client.setsockopt(SOL_SOCKET, socket.SO_SNDTIMEO, timeval(0.05))
    fill(client)
    # What was buffered may still move to the peer, so it takes a few calls.
    for _ in range(1000):
        try:
            client.send(bytes(65536))
        except BlockingIOError:
            return
    check(False, "send went on for ever without a reader")


@case()
def rcvlowat_delays_poll(context):
    """SO_RCVLOWAT: neither poll nor recv tells before that much is there."""
    client, server = context.connected()
    server.setsockopt(SOL_SOCKET, socket.SO_RCVLOWAT, 100)
    client.sendall(b"x" * 99)
    context.until(lambda: drained(client), "the data is acknowledged")
    poller = select.poll()
    poller.register(server, select.POLLIN)
    check_equal(poller.poll(0), [], "poll with 99 bytes there")
    client.sendall(b"x")
    check_equal(context.wait_for(server, select.POLLIN, "the 100th byte"), select.POLLIN, "mask")
    check_equal(len(server.recv(1000)), 100, "bytes")


def interrupted_read(context, sock):
    """recv(2) in a child that is hit by SIGUSR1; gives the reader's pid and pipe."""
    def read(tell):
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.siginterrupt(signal.SIGUSR1, context.interrupting)
        libc = ctypes.CDLL(None, use_errno=True)
        buffer = ctypes.create_string_buffer(16)
        tell(b"r")
        count = libc.recv(sock.fileno(), buffer, 16, 0)
        tell(b"E" if count < 0 and ctypes.get_errno() == errno.EINTR
             else b"D" if buffer.value == b"data" else b"?")
    return context.fork(read)


def sleeping(pid):
    """The process waits for something that a signal interrupts."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "S"


@case()
def signal_interrupts(context):
    """A signal without SA_RESTART ends recv with EINTR."""
    client, _server = context.connected()
    context.interrupting = True
    pid, words = interrupted_read(context, client)
    os.read(words, 1)
    context.until(lambda: sleeping(pid), "the reader sleeps")
    os.kill(pid, signal.SIGUSR1)
    check_equal(os.read(words, 1), b"E", "the reader's word")
    os.close(words)
    context.reap(pid)


@case()
def signal_restarts(context):
    """With SA_RESTART recv goes on and gets its data."""
    client, server = context.connected()
    context.interrupting = False
    pid, words = interrupted_read(context, client)
    os.read(words, 1)
    context.until(lambda: sleeping(pid), "the reader sleeps")
    os.kill(pid, signal.SIGUSR1)
    context.until(lambda: not pending_signal(pid) and sleeping(pid), "the reader sleeps again")
    server.sendall(b"data")
    check_equal(os.read(words, 1), b"D", "the reader's word")
    os.close(words)
    context.reap(pid)


def pending_signal(pid):
    """SIGUSR1 was sent and not yet taken."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        masks = [int(line.split()[1], 16) for line in file
                 if line.startswith(("SigPnd:", "ShdPnd:"))]
    return any(mask >> (signal.SIGUSR1 - 1) & 1 for mask in masks)


@case(timeout=90)
def zero_window_resumes(context):
    """A reader that stops fills both buffers; when it goes on, nothing is lost."""
    client, server = context.connected()
    data = pattern(16 << 20, seed=7)
    client.setblocking(False)
    sent = push_until_stuck(context, client, data)
    check(sent < len(data), "16 MiB went in without a reader")
    def send_rest():
        client.setblocking(True)
        client.sendall(memoryview(data)[sent:])
        client.shutdown(socket.SHUT_WR)
    thread = threading.Thread(target=send_rest)
    thread.start()
    found = receive_exactly(server, len(data))
    thread.join()
    check(found == data, "the bytes are not the ones that were sent")
    check_equal(server.recv(1), b"", "the end")


def push_until_stuck(context, sock, data):
    """Send until the socket has not been writable for a while; gives the count."""
    sent = 0
    view = memoryview(data)
    poller = select.poll()
    poller.register(sock, select.POLLOUT)
    while sent < len(data) and poller.poll(context.quiet * 1000):
        try:
            sent += sock.send(view[sent:sent + 65536])
        except BlockingIOError:
            continue
    return sent


@case(timeout=60)
def small_buffers(context):
    """The smallest buffers still move everything, in order."""
    listener = context.listener(context.link.b)
    listener.setsockopt(SOL_SOCKET, socket.SO_RCVBUF, 1)
    client = context.socket(context.link.a)
    client.setsockopt(SOL_SOCKET, socket.SO_SNDBUF, 1)
    client.connect(context.address(context.link.b, 7000))
    server = context.accept(listener)
    data = pattern(200000, seed=11)
    thread = threading.Thread(target=client.sendall, args=(data,))
    thread.start()
    found = receive_exactly(server, len(data))
    thread.join()
    check(found == data, "the bytes are not the ones that were sent")


@case()
def small_writes_in_order(context):
    """Many small writes, both directions at once, arrive as one stream each."""
    client, server = context.connected()
    data = pattern(40000, seed=3)
    def send(sock):
        for offset in range(0, len(data), 17):
            sock.sendall(data[offset:offset + 17])
    threads = [threading.Thread(target=send, args=(sock,)) for sock in (client, server)]
    for thread in threads:
        thread.start()
    found = [receive_exactly(sock, len(data)) for sock in (server, client)]
    for thread in threads:
        thread.join()
    check(found == [data, data], "the bytes are not the ones that were sent")


@case()
def splice_and_sendfile(context):
    """sendfile into the socket, splice out of it."""
    client, server = context.connected()
    data = pattern(100000, seed=5)
    with open(os.memfd_create("data"), "r+b") as file:
        file.write(data)
        file.flush()
        offset = 0
        while offset < len(data):
            offset += os.sendfile(client.fileno(), file.fileno(), offset, len(data) - offset)
    client.shutdown(socket.SHUT_WR)
    reader, writer = os.pipe()
    parts = []
    while count := os.splice(server.fileno(), writer, 4096):
        parts.append(os.read(reader, count))
    os.close(reader)
    os.close(writer)
    check(b"".join(parts) == data, "the bytes are not the ones that were sent")


@case()
def oob_is_refused_or_works(context):
    """MSG_OOB is either RFC 9293's urgent byte or a documented refusal."""
    client, server = context.connected()
    try:
        client.send(b"!", socket.MSG_OOB)
    except OSError as error:
        check_equal(error.errno, errno.EOPNOTSUPP, "send with MSG_OOB fails; errno")
        return
    context.wait_for(server, select.POLLPRI, "urgent data")
    check_equal(server.recv(1, socket.MSG_OOB), b"!", "the urgent byte")
