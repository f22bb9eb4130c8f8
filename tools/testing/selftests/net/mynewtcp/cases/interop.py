# SPDX-License-Identifier: GPL-2.0
"""The family against Linux' own TCP, through the gateway of tools/mynewtcp."""

import errno
import fcntl
import hashlib
import os
import select
import socket
import struct
import termios
import threading

from harness import kernel
from harness.context import LINGER_ABORT, expect_error, pattern, receive_exactly
from harness.gateway import (
    ECN, PORT, SACK, TIMESTAMPS, WINDOW_SCALE, check_negotiated, interop, segment_size,
)
from harness.knobs import set_knob
from harness.registry import check, check_equal

ALL = TIMESTAMPS | SACK | WINDOW_SCALE
BULK = kernel.bulk(16 << 20)
BULK_IN_SEGMENTS = 2 << 20
OPTIONS = (("timestamps", TIMESTAMPS), ("sack", SACK), ("window_scaling", WINDOW_SCALE))


class Sender(threading.Thread):
    """Sends the bytes, then the end, and keeps what went wrong."""

    def __init__(self, sock, data):
        super().__init__(daemon=True)
        self.sock, self.data, self.error = sock, data, None
        self.start()

    def run(self):
        try:
            self.sock.sendall(self.data)
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = error

    def ended(self):
        """Wait for the end; it has to be a good one."""
        self.join()
        check(self.error is None, f"sending failed: {self.error}")


class Receiver(threading.Thread):
    """Reads to the end of the stream and keeps the hash."""

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock, self.hash, self.length, self.error = sock, hashlib.sha256(), 0, None
        self.start()

    def run(self):
        try:
            while part := self.sock.recv(1 << 18):
                self.hash.update(part)
                self.length += len(part)
        except OSError as error:
            self.error = error

    def got(self, data):
        """Wait for the end, then compare."""
        self.join()
        check(self.error is None, f"receiving failed after {self.length} bytes: {self.error}")
        check_equal(self.length, len(data), "bytes that arrived")
        check_equal(self.hash.hexdigest(), hashlib.sha256(data).hexdigest(), "sha256")


def both_ways(ends, length):
    """Random bytes each way at the same time, then both ends of file."""
    data = [os.urandom(length) for _ in ends]
    receivers = [Receiver(sock) for sock in ends]
    senders = [Sender(sock, its) for sock, its in zip(ends, data)]
    for sender in senders:
        sender.ended()
    for receiver, its in zip(receivers, reversed(data)):
        receiver.got(its)


@interop()
def handshake(context, meeting):
    """Timestamps, SACK and window scale are agreed on, and the segment size fits."""
    ends = meeting.connect()
    check_negotiated(meeting, ALL)
    for sock in ends:
        check_equal(segment_size(sock), {4: 1448, 6: 1428}[context.version], "segment size")
    both_ways(ends, 100000)


@interop()
def without_an_option(context, meeting):
    """One side has one of them switched off; the others are agreed on."""
    link = context.link
    ours = "ipv4.tcp_" if meeting.we_are_tcp else "mynewtcp."
    for side, whose, names in ((link.b, "TCP", "ipv4.tcp_"), (link.a, "we", ours)):
        for name, bit in OPTIONS:
            side.ns.write_sysctl(f"net.{names}{name}", 0)
            with meeting.part(f"{whose} without {name}") as ends:
                check_negotiated(meeting, ALL & ~bit)
                both_ways(ends, 256 << 10)
            side.ns.write_sysctl(f"net.{names}{name}", 1)


@interop()
def without_any_option(context, meeting):
    """TCP has all of them switched off; loss is repaired without SACK."""
    for name, _ in OPTIONS:
        context.link.b.ns.write_sysctl(f"net.ipv4.tcp_{name}", 0)
    for side in (context.link.a, context.link.b):
        context.link.netem(side, "limit", "20000", "delay", "2ms", "loss", "1%")
    ends = meeting.connect()
    check_negotiated(meeting, 0)
    both_ways(ends, 1 << 20)


@interop(timeout=60)
def bulk(_context, meeting):
    """BULK bytes each way at the same time."""
    both_ways(meeting.connect(), BULK)


@interop(timeout=60)
def bulk_cut_by_us(context, meeting):
    """The same when neither side may send more than a segment at once."""
    for side in (context.link.a, context.link.b):
        context.link.offload(side, "tso", "off", "gso", "off", "tx", "off")
    both_ways(meeting.connect(), BULK)


@interop(timeout=300)
def bulk_through_loss(context, meeting):
    """BULK bytes each way through loss, delay and reordering; both repair with SACK.

    In superpackets that is so little that chance may spare one side. Then segments go one by
    one, more than a thousand each way, and once more, until it has hit both.
    """
    sides = context.link.a, context.link.b
    for side in sides:
        context.link.netem(side, "limit", "20000", "delay", "3ms", "reorder", "2%", "loss", "1%")
    for length in (BULK, *[BULK_IN_SEGMENTS] * 20):
        with meeting.part(f"{length} bytes") as ends:
            check_negotiated(meeting, ALL)
            both_ways(ends, length)
        ours = meeting.our_counter("SackRecovery", "TCPSackRecovery")
        theirs = meeting.their_counter("TCPSackRecovery")
        if ours and theirs:
            return
        for side in sides:
            context.link.offload(side, "tso", "off", "gso", "off", "tx", "off")
    check(ours > 0, "we never repaired by SACK")
    check(theirs > 0, "TCP never repaired by SACK")


@interop()
def ecn(context, meeting):
    """ECN is agreed on if both sides want it, and marks make the window smaller, either way."""
    link = context.link
    set_knob(context, link.a, "ecn", 1)
    link.b.ns.write_sysctl("net.ipv4.tcp_ecn", 0)
    with meeting.part("TCP without ECN") as ends:
        check_negotiated(meeting, ALL)
        both_ways(ends, 100000)
    link.b.ns.write_sysctl("net.ipv4.tcp_ecn", 1)
    for name, way, side in (("ours", 1, link.a), ("TCP's", -1, link.b)):
        with meeting.part(f"{name} marked") as ends:
            check_negotiated(meeting, ALL | ECN)
            sender, receiver = ends[::way]
            be_marked(context, side, sender, receiver)
    check_equal(meeting.our_counter("SackRecovery", "TCPSackRecovery"), 0, "our recoveries")
    # What TCP probes with bears no ECT, and is lost in that queue.
    check(meeting.their_counter("TCPSackRecovery") <= 1, "TCP took marks for losses")


def be_marked(context, side, sender, receiver):
    """Send through a queue that marks where others lose, until a mark has come back."""
    def figure(offset):
        told = sender.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 236)
        return struct.unpack_from("I", told, offset)[0]
    delivered_ce, ssthresh = 196, 76
    check_equal(figure(delivered_ce), 0, "marks before there were any")
    never = figure(ssthresh)
    context.link.netem(side, "limit", "20000", "loss", "20%", "ecn")
    data = pattern(50000, seed=13)
    for _ in range(200):
        sender.sendall(data)
        check(receive_exactly(receiver, len(data)) == data, "wrong bytes")
        if figure(delivered_ce):
            break
    context.link.netem(side, "limit", "20000")
    check(figure(delivered_ce) > 0, "no mark was echoed")
    check(figure(ssthresh) < never, "marks did not make the window smaller")


@interop(versions=(4,), timeout=60)
def small_writes(_context, meeting):
    """Many small writes, both ways at once."""
    ends = meeting.connect()
    data = pattern(20000, seed=5)
    def write(sock):
        for offset in range(0, len(data), 13):
            sock.sendall(data[offset:offset + 13])
    threads = [threading.Thread(target=write, args=(sock,), daemon=True) for sock in ends]
    for thread in threads:
        thread.start()
    for sock in ends:
        check(receive_exactly(sock, len(data)) == data, "wrong bytes")
    for thread in threads:
        thread.join()


# How connections end.

def orderly(_context, closer, other):
    """closer sends and closes; other reads it all, answers nothing and closes."""
    closer.sendall(b"last words")
    closer.close()
    check_equal(receive_exactly(other, 10), b"last words", "what arrived")
    check_equal(other.recv(1), b"", "the end")
    other.close()


def half_close(_context, closer, other):
    """closer shuts its sending side; other sends a lot over the open half."""
    closer.sendall(b"question")
    closer.shutdown(socket.SHUT_WR)
    check_equal(receive_exactly(other, 8), b"question", "what arrived")
    check_equal(other.recv(1), b"", "the half's end")
    answer = pattern(1 << 20, seed=9)
    receiver = Receiver(closer)
    Sender(other, answer).ended()
    receiver.got(answer)


def reset(context, closer, other):
    """closer aborts; other reads what came before, then learns it."""
    closer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ABORT)
    closer.close()
    mask = context.wait_for(other, select.POLLIN, "the reset")
    check(mask & select.POLLERR and mask & select.POLLHUP, f"poll mask {mask:#x}")
    expect_error(errno.ECONNRESET, "recv", other.recv, 1)
    check_equal(other.recv(1), b"", "recv after the error was taken")


def unread(context, closer, other):
    """closer closes with data unread, which other must be told."""
    other.sendall(b"never read")
    context.wait_for(closer, select.POLLIN, "the data")
    closer.close()
    context.wait_for(other, select.POLLIN, "the reset")
    expect_error(errno.ECONNRESET, "recv", other.recv, 1)


def late(context, closer, other):
    """closer has closed; what other sends then is answered with a reset."""
    closer.close()
    check_equal(other.recv(1), b"", "the end")
    other.sendall(b"too late")
    context.wait_for(other, select.POLLERR, "the reset")
    expect_error(errno.EPIPE, "send after the reset", other.send, b"x", socket.MSG_NOSIGNAL)


def crossing(context, closer, other):
    """Data and FIN of both ends cross."""
    context.link.cut()
    for sock in (closer, other):
        sock.sendall(b"crossing")
        sock.shutdown(socket.SHUT_WR)
    context.link.mend()
    for sock in (closer, other):
        check_equal(receive_exactly(sock, 8), b"crossing", "what arrived")
        check_equal(sock.recv(1), b"", "the end")


def fins_cross(context, closer, other):
    """Both FINs cross, with nothing else under way."""
    context.link.cut()
    for sock in (closer, other):
        sock.shutdown(socket.SHUT_WR)
    context.link.mend()
    for sock in (closer, other):
        check_equal(sock.recv(1), b"", "the end")


@interop(timeout=60)
def closing_orders(context, meeting):
    """Every way to end, first with us as the one that begins, then with TCP."""
    for order in (orderly, half_close, fins_cross, crossing, reset, unread, late):
        with meeting.part(f"{order.__name__} by us") as (ours, theirs):
            order(context, ours, theirs)
        with meeting.part(f"{order.__name__} by TCP") as (ours, theirs):
            order(context, theirs, ours)


# Windows, urgent data, keepalive.

def zero_window(context, sender, receiver, cut):
    """The receiver reads nothing until the window is shut; the opening is lost if cut."""
    sender.setblocking(False)
    data = pattern(8 << 20, seed=11)
    sent = 0
    still = 0
    while still < 20:
        try:
            sent += sender.send(data[sent:sent + 65536])
            still = 0
        except BlockingIOError:
            still += 1
            select.select([], [sender], [], context.quiet / 20)
    check(0 < sent < len(data), f"{sent} bytes went out, the window never shut")
    sender.setblocking(True)
    if cut:
        context.link.cut()
    # All that has arrived: what the sender still holds needs the window.
    part = receiver.recv(struct.unpack("i", fcntl.ioctl(receiver, termios.FIONREAD, bytes(4)))[0])
    if cut:
        context.link.mend()
    rest = Sender(sender, data[sent:])
    part += receive_exactly(receiver, len(data) - len(part))
    check(part == data, "wrong bytes")
    rest.ended()


@interop(versions=(4,), timeout=120)
def zero_window_of_ours(context, meeting):
    """TCP waits for our window, which opens again; TCP probes it if that was lost."""
    with meeting.part("the opening arrives") as (ours, theirs):
        zero_window(context, theirs, ours, cut=False)
    with meeting.part("the opening is lost") as (ours, theirs):
        zero_window(context, theirs, ours, cut=True)
    check(meeting.their_counter("TCPWinProbe") > 0, "TCP never probed")


@interop(versions=(4,), timeout=120)
def zero_window_of_tcp(context, meeting):
    """We wait for TCP's window, which opens again; we probe it if that was lost."""
    with meeting.part("the opening arrives") as (ours, theirs):
        zero_window(context, ours, theirs, cut=False)
    with meeting.part("the opening is lost") as (ours, theirs):
        zero_window(context, ours, theirs, cut=True)
    check(meeting.our_counter("WindowProbes", "TCPWinProbe") > 0, "we never probed")


@interop(versions=(4,))
def urgent_byte_is_data(_context, meeting):
    """What TCP sends with MSG_OOB arrives in its place in the stream."""
    ours, theirs = meeting.connect()
    # With TCP it takes an option to have it so.
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    theirs.sendall(b"before")
    theirs.send(b"!", socket.MSG_OOB)
    theirs.sendall(b"after")
    check_equal(receive_exactly(ours, 12), b"before!after", "the stream")


def keep_alive(sock):
    """A probe after one idle second, and every second; two may go unanswered."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1),
                          (socket.TCP_KEEPCNT, 2)):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


@interop(versions=(4,))
def keepalive(context, meeting):
    """TCP answers our probes, and we answer TCP's."""
    with meeting.part("ours") as (ours, theirs):
        keep_alive(ours)
        context.until(lambda: meeting.our_counter("Keepalives", "TCPKeepAlive") >= 3,
                      "three probes were sent", seconds=15)
        theirs.sendall(b"alive")
        check_equal(receive_exactly(ours, 5), b"alive", "what arrived")
    before = meeting.their_counter("TCPKeepAlive")
    with meeting.part("TCP's") as (ours, theirs):
        keep_alive(theirs)
        context.until(lambda: meeting.their_counter("TCPKeepAlive") >= before + 3,
                      "three probes were sent", seconds=15)
        ours.sendall(b"alive")
        check_equal(receive_exactly(theirs, 5), b"alive", "what arrived")


# Connections that do not come about as usual.

@interop(roles=("connects",))
def open_simultaneously(context, meeting):
    """Both connect to each other's port, and the SYNs cross."""
    link = context.link
    ends = [meeting.our_socket(), meeting.their_socket()]
    link.cut()
    for sock, home, peer in zip(ends, (link.a, link.b), (link.b, link.a)):
        sock.bind(context.address(home, PORT))
        sock.setblocking(False)
        expect_error(errno.EINPROGRESS, "connect", sock.connect, context.address(peer, PORT))
    link.mend()
    for sock in ends:
        context.wait_for(sock, select.POLLOUT, "the connection", seconds=20)
        check_equal(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0, "SO_ERROR")
        sock.setblocking(True)
    meeting.ours, meeting.theirs = ends
    both_ways(ends, 100000)


@interop()
def refused(context, meeting):
    """Nobody listens: the reset is understood."""
    if meeting.role == "connects":
        client, home = meeting.our_socket(), context.link.b
    else:
        client, home = meeting.their_socket(), context.link.a
    expect_error(errno.ECONNREFUSED, "connect", client.connect, context.address(home, 7999))


@interop()
def icmp_error(context, meeting):
    """An ICMP error that quotes the SYN reaches the one that sent it."""
    link = context.link
    number = context.family.ip_protocol
    if meeting.role == "connects":
        client, home, number = meeting.our_socket(), link.b, 6
    else:
        client, home = meeting.their_socket(), link.a
    home.ns.run(["nft", "add table inet gate; "
                 "add chain inet gate in { type filter hook input priority 0; }; "
                 f"add rule inet gate in meta l4proto {number} "
                 "reject with icmpx type host-unreachable"])
    expect_error(errno.EHOSTUNREACH, "connect", client.connect, context.address(home, PORT))
