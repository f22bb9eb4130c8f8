# SPDX-License-Identifier: GPL-2.0
"""MSG_ERRQUEUE: time stamps of what was sent, and pages that are free again."""

import errno
import mmap
import select
import socket
import struct

from harness.context import expect_error, pattern, receive_exactly
from harness.registry import case, check, check_equal

SOL_SOCKET = socket.SOL_SOCKET
SO_TIMESTAMPING, SO_ZEROCOPY = 37, 60
MSG_ERRQUEUE, MSG_ZEROCOPY = socket.MSG_ERRQUEUE, 0x4000000
RECVERR = ((socket.IPPROTO_IP, 11), (socket.IPPROTO_IPV6, 25))
# Flags of SO_TIMESTAMPING.
TX_SOFTWARE, SOFTWARE, OPT_ID, TX_SCHED, TX_ACK = 1 << 1, 1 << 4, 1 << 7, 1 << 8, 1 << 9
OPT_TSONLY, OPT_STATS, OPT_ID_TCP = 1 << 11, 1 << 12, 1 << 16
TX_ALL = TX_SOFTWARE | TX_SCHED | TX_ACK
# What stamps are of, and where errors come from.
SND, SCHED, ACK = range(3)
ORIGIN_TIMESTAMPING, ORIGIN_ZEROCOPY = 4, 5
# SO_TIMESTAMPING gives three times, of which the first is the software's.
TIMES = struct.Struct("6q")


class Entry:
    """One message of the error queue."""

    def __init__(self, sock):
        self.data, control, flags, _ = sock.recvmsg(1 << 16, 512, MSG_ERRQUEUE)
        check(flags & MSG_ERRQUEUE, "the flags of an error say so")
        self.time = None
        for level, kind, body in control:
            if (level, kind) == (SOL_SOCKET, SO_TIMESTAMPING):
                seconds, nanos = TIMES.unpack(body)[:2]
                self.time = seconds * 10 ** 9 + nanos
            elif (level, kind) in RECVERR:
                (self.errno, self.origin, self.kind, self.code, _, self.info,
                 self.key) = struct.unpack("IBBBBII", body[:16])


def entries(context, sock, count):
    """So many entries of the error queue, as they come."""
    found = []
    while len(found) < count:
        mask = context.wait_for(sock, 0, "an entry of the error queue")
        check(mask & select.POLLERR, f"poll says {mask:#x}")
        found.append(Entry(sock))
    return found


def stamps(context, sock, count):
    """{(what, key): entry} of so many time stamps."""
    found = entries(context, sock, count)
    for entry in found:
        check_equal((entry.errno, entry.origin), (errno.ENOMSG, ORIGIN_TIMESTAMPING), "the error")
        check(entry.time, "there is a time")
    return {(entry.info, entry.key): entry for entry in found}


@case()
def stamps_of_sending(context):
    """Each write has a stamp when it is queued, when it leaves and when it is acknowledged; the
    key is the place of its last octet."""
    client, server = context.connected()
    client.setsockopt(SOL_SOCKET, SO_TIMESTAMPING,
                      TX_ALL | SOFTWARE | OPT_ID | OPT_TSONLY)
    ends = (99, 99 + 3000, 99 + 3000 + 1)
    for length, end in zip((100, 3000, 1), ends):
        client.send(b"x" * length)
        found = stamps(context, client, 3)
        check_equal(sorted(found), [(SND, end), (SCHED, end), (ACK, end)], "stamps")
        check(found[SCHED, end].time <= found[SND, end].time <= found[ACK, end].time,
              "stamps are in order")
        check_equal({entry.data for entry in found.values()}, {b""}, "data with a stamp")
    check_equal(len(receive_exactly(server, 3101)), 3101, "octets received")
    poller = select.poll()
    poller.register(client, select.POLLIN)
    check_equal(poller.poll(0), [], "events when all stamps are read")
    client.setsockopt(SOL_SOCKET, SO_TIMESTAMPING, 0)
    client.send(b"x")
    receive_exactly(server, 1)
    expect_error(errno.EAGAIN, "a stamp nobody asked for", client.recv, 1, MSG_ERRQUEUE)


@case()
def stamps_with_data(context):
    """Without OPT_TSONLY the data comes with the stamp, without OPT_ID no key; one message can
    ask for itself."""
    client, server = context.connected()
    client.setsockopt(SOL_SOCKET, SO_TIMESTAMPING, SOFTWARE)
    client.send(b"quiet")
    client.sendmsg([b"stamp me"], [(SOL_SOCKET, SO_TIMESTAMPING, struct.pack("I", TX_ACK))])
    (what, _), entry = stamps(context, client, 1).popitem()
    check_equal(what, ACK, "the stamp")
    check(entry.data.endswith(b"stamp me"), f"data {entry.data!r}")
    receive_exactly(server, 13)
    expect_error(errno.EAGAIN, "a second stamp", client.recv, 1, MSG_ERRQUEUE)
    expect_error(errno.EINVAL, "a message that asks for no stamp", client.sendmsg, [b"x"],
                 [(SOL_SOCKET, SO_TIMESTAMPING, struct.pack("I", SOFTWARE))])


@case()
def stamps_of_a_large_write(context):
    """A write of many segments has one stamp of each kind, for its last octet, also where the
    stack cuts the segments."""
    client, server = context.connected()
    client.setsockopt(SOL_SOCKET, SO_TIMESTAMPING, TX_ALL | SOFTWARE | OPT_ID | OPT_TSONLY)
    size = 60_000
    for end in (size - 1, 2 * size - 1):
        pid, _ = context.fork(lambda _: receive_exactly(server, size))
        check_equal(client.send(pattern(size)), size, "octets taken at once")
        check_equal(context.reap(pid), 0, "status of the reader")
        found = {}
        # What is sent again has its stamps again.
        while (ACK, end) not in found:
            found |= stamps(context, client, 1)
        check_equal(sorted(found), [(SND, end), (SCHED, end), (ACK, end)], "stamps")
        discard(client)
        context.link.offload(context.link.a, "tso", "off")


def discard(sock):
    """Empty the error queue."""
    try:
        while True:
            Entry(sock)
    except BlockingIOError:
        pass


@case()
def stamp_keys(context):
    """OPT_ID needs a connection; with OPT_ID_TCP keys count from the next octet written."""
    sock = context.socket(context.link.a)
    for flags in (OPT_ID, OPT_ID_TCP, OPT_STATS, 1 << 30):
        expect_error(errno.EINVAL, f"{flags:#x} without a connection", sock.setsockopt,
                     SOL_SOCKET, SO_TIMESTAMPING, flags)
    client, server = context.connected()
    client.send(b"before")
    wanted = TX_ACK | SOFTWARE | OPT_ID | OPT_ID_TCP | OPT_TSONLY
    client.setsockopt(SOL_SOCKET, SO_TIMESTAMPING, wanted)
    check_equal(client.getsockopt(SOL_SOCKET, SO_TIMESTAMPING), wanted, "the flags")
    client.send(b"1234")
    receive_exactly(server, 10)
    check_equal(list(stamps(context, client, 1)), [(ACK, 3)], "the stamp")
    if context.family.name == "newtcp":
        expect_error(errno.EOPNOTSUPP, "statistics with a stamp", client.setsockopt, SOL_SOCKET,
                     SO_TIMESTAMPING, wanted | OPT_STATS)


def freed(context, sock, calls):
    """Wait until the socket has told that the pages of so many calls are free."""
    upto = 0
    while upto < calls:
        entry, = entries(context, sock, 1)
        check_equal((entry.errno, entry.origin), (0, ORIGIN_ZEROCOPY), "the error")
        check_equal(entry.info, upto, "the first call told of")
        upto = entry.key + 1
    check_equal(upto, calls, "calls told of")


@case()
def zerocopy_tells(context):
    """Every call with MSG_ZEROCOPY is told of once, in order, and its data arrives."""
    client, server = context.connected()
    client.setsockopt(SOL_SOCKET, SO_ZEROCOPY, 1)
    check_equal(client.getsockopt(SOL_SOCKET, SO_ZEROCOPY), 1, "SO_ZEROCOPY")
    size, calls = 200_000, 10
    wanted = pattern(size)
    # Pages of its own, so that what is sent can be changed when it is free.
    area = mmap.mmap(-1, size + 100)
    area[100:] = wanted

    def read(send):
        for _ in range(calls):
            if receive_exactly(server, size) != wanted:
                send(b"!")

    pid, reader = context.fork(read)
    sent_calls = 0
    with memoryview(area) as view:
        for _ in range(calls):
            at = 100
            while at < size + 100:
                at += client.send(view[at:], MSG_ZEROCOPY)
                sent_calls += 1
    check_equal(context.reap(pid), 0, "status of the reader")
    with open(reader, "rb") as told:
        check_equal(told.read(), b"", "complaints of the reader")
    freed(context, client, sent_calls)
    area.close()


@case()
def zerocopy_keeps_order(context):
    """Calls with and without MSG_ZEROCOPY mix, also in pieces of one octet."""
    client, server = context.connected()
    client.setsockopt(SOL_SOCKET, SO_ZEROCOPY, 1)
    client.setsockopt(SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    client.setsockopt(socket.SOL_TCP, socket.TCP_CORK, 1)
    # What is sent stays here until it is free.
    pieces = [pattern(1 + number * 37, number) for number in range(60)]
    calls = 0
    for number, piece in enumerate(pieces):
        view = memoryview(piece)
        if number % 3 == 0:
            client.sendall(view)
            continue
        calls += 1
        step = len(piece) if number % 3 == 1 else max(len(piece) // 25, 1)
        parts = [view[place:place + step] for place in range(0, len(piece), step)]
        check_equal(client.sendmsg(parts, [], MSG_ZEROCOPY), len(piece), "octets taken")
    client.setsockopt(socket.SOL_TCP, socket.TCP_CORK, 0)
    wanted = b"".join(pieces)
    check(receive_exactly(server, len(wanted)) == wanted, "what came is what was sent")
    freed(context, client, calls)


@case()
def zerocopy_needs_asking(context):
    """Without SO_ZEROCOPY the flag means nothing; accepted sockets have it from the listener; a
    call that fails is not told of."""
    client, server = context.connected()
    client.send(b"x", MSG_ZEROCOPY)
    receive_exactly(server, 1)
    expect_error(errno.EAGAIN, "told without asking", client.recv, 1, MSG_ERRQUEUE)
    for value in (-1, 2):
        expect_error(errno.EINVAL, f"SO_ZEROCOPY {value}", client.setsockopt, SOL_SOCKET,
                     SO_ZEROCOPY, value)
    listener = context.listener(context.link.b, 7001)
    listener.setsockopt(SOL_SOCKET, SO_ZEROCOPY, 1)
    other = context.socket(context.link.a)
    other.connect(context.address(context.link.b, 7001))
    child = context.accept(listener)
    check_equal(child.getsockopt(SOL_SOCKET, SO_ZEROCOPY), 1, "an accepted socket's SO_ZEROCOPY")
    child.shutdown(socket.SHUT_WR)
    expect_error(errno.EPIPE, "send after shutdown", child.send, b"x",
                 MSG_ZEROCOPY | socket.MSG_NOSIGNAL)
    child.setsockopt(SOL_SOCKET, SO_ZEROCOPY, 0)
    expect_error(errno.EAGAIN, "told of a call that failed", child.recv, 1, MSG_ERRQUEUE)


@case()
def zerocopy_survives_close(context):
    """Pages of a call are held until the peer has them, whatever becomes of the socket."""
    client, server = context.connected()
    client.setsockopt(SOL_SOCKET, SO_ZEROCOPY, 1)
    wanted = pattern(50_000)
    area = mmap.mmap(-1, len(wanted))
    area[:] = wanted
    with memoryview(area) as view:
        sent = client.send(view, MSG_ZEROCOPY)
    client.close()
    check(receive_exactly(server, sent) == wanted[:sent], "what came is what was sent")
    area.close()
