# SPDX-License-Identifier: GPL-2.0
"""connect(2) in all the ways it ends."""

import errno
import select
import socket

from harness.context import expect_error, peername, receive_exactly, sockname
from harness.family import raw_call
from harness.registry import Skip, case, check, check_equal

IPPROTO_TCP = socket.IPPROTO_TCP


def pending_error(sock):
    """SO_ERROR, which reading clears."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def start_connect(sock, address):
    """A non-blocking connect that has to be under way afterwards."""
    sock.setblocking(False)
    check_equal(sock.connect_ex(address), errno.EINPROGRESS, "non-blocking connect")


def give_up_early(context, sock):
    """Make an unanswered connect end soon, by whatever knob there is."""
    try:
        sock.setsockopt(IPPROTO_TCP, socket.TCP_SYNCNT, 1)
        return
    except OSError:
        pass
    for name in ("net.mynewtcp.syn_retries", "net.mynewtcp.tcp_syn_retries"):
        try:
            context.link.a.ns.write_sysctl(name, 1)
            return
        except FileNotFoundError:
            continue


@case()
def connect_and_echo(context):
    """A byte goes there and another comes back."""
    client, server = context.connected()
    client.sendall(b"q")
    check_equal(server.recv(10), b"q", "what the server read")
    server.sendall(b"a")
    check_equal(client.recv(10), b"a", "what the client read")


@case()
def connect_over_loopback(context):
    """Both ends in one namespace, on the loopback device."""
    listener = context.socket(context.link.a)
    host = "127.0.0.1" if context.version == 4 else "::1"
    listener.bind((host, 7000))
    listener.listen(1)
    client = context.socket(context.link.a)
    client.connect((host, 7000))
    server = context.accept(listener)
    client.sendall(b"over loopback")
    check_equal(receive_exactly(server, 13), b"over loopback", "what arrived")


@case()
def connect_refused(context):
    """A port without a listener answers with a reset."""
    client = context.socket(context.link.a)
    expect_error(errno.ECONNREFUSED, "connect", client.connect,
                 context.address(context.link.b, 7999))
    check_equal(pending_error(client), 0, "SO_ERROR after connect reported the error")


@case()
def connect_refused_nonblocking(context):
    """The same without blocking: poll tells, SO_ERROR says what."""
    client = context.socket(context.link.a)
    client.setblocking(False)
    result = client.connect_ex(context.address(context.link.b, 7999))
    check(result in (errno.EINPROGRESS, errno.ECONNREFUSED), f"connect gave errno {result}")
    if result == errno.EINPROGRESS:
        mask = context.wait_for(client, select.POLLOUT, "the refusal")
        check(mask & select.POLLERR and mask & select.POLLHUP, f"poll mask {mask:#x}")
        check_equal(pending_error(client), errno.ECONNREFUSED, "SO_ERROR")
    check_equal(pending_error(client), 0, "SO_ERROR when read again")


@case(timeout=200)
def connect_times_out(context):
    """Nobody answers at all."""
    client = context.socket(context.link.a)
    give_up_early(context, client)
    silent = (context.link.SILENT[context.version], 7000)
    expect_error(errno.ETIMEDOUT, "connect", client.connect, silent)


@case()
def connect_sndtimeo(context):
    """SO_SNDTIMEO bounds connect(2), which goes on behind it."""
    client = context.socket(context.link.a)
    context.link.cut(context.link.b)
    listener = context.listener(context.link.b)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, (0).to_bytes(8, "little")
                      + (50000).to_bytes(8, "little"))
    address = context.address(context.link.b, 7000)
    expect_error(errno.EINPROGRESS, "connect", client.connect, address)
    expect_error(errno.EALREADY, "connect again", client.connect, address)
    context.link.mend()
    context.wait_for(client, select.POLLOUT, "the connection")
    check_equal(pending_error(client), 0, "SO_ERROR")
    context.accept(listener)


@case()
def connect_nonblocking(context):
    """EINPROGRESS, then EALREADY, then writable, then EISCONN."""
    context.link.cut(context.link.b)
    listener = context.listener(context.link.b)
    client = context.socket(context.link.a)
    address = context.address(context.link.b, 7000)
    start_connect(client, address)
    poller = select.poll()
    poller.register(client, select.POLLOUT | select.POLLIN)
    check_equal(poller.poll(0), [], "poll while the handshake is under way")
    check_equal(client.connect_ex(address), errno.EALREADY, "connect again")
    context.link.mend()
    check_equal(context.wait_for(client, select.POLLOUT | select.POLLIN, "the connection"),
                select.POLLOUT, "poll mask")
    check_equal(pending_error(client), 0, "SO_ERROR")
    check_equal(client.connect_ex(address) in (0, errno.EISCONN), True, "connect once more")
    check_equal(client.connect_ex(address), errno.EISCONN, "connect on a connection")
    context.accept(listener)


@case()
def connect_on_a_listener(context):
    """A listening socket cannot connect."""
    listener = context.listener(context.link.a, 7001)
    expect_error(errno.EISCONN, "connect", listener.connect,
                 context.address(context.link.b, 7000))


@case()
def connect_simultaneously(context):
    """Two connects that meet on the way make one connection."""
    link = context.link
    one, two = context.socket(link.a), context.socket(link.b)
    one.bind(context.address(link.a, 7001))
    two.bind(context.address(link.b, 7002))
    link.cut()
    start_connect(one, context.address(link.b, 7002))
    start_connect(two, context.address(link.a, 7001))
    link.mend()
    for sock in (one, two):
        context.wait_for(sock, select.POLLOUT, "the connection")
        check_equal(pending_error(sock), 0, "SO_ERROR")
        sock.setblocking(True)
    one.sendall(b"from one")
    two.sendall(b"from two")
    check_equal(receive_exactly(two, 8), b"from one", "what two read")
    check_equal(receive_exactly(one, 8), b"from two", "what one read")


@case()
def connect_to_itself(context):
    """A socket that connects to its own port talks to itself (simultaneous open)."""
    sock = context.socket(context.link.a)
    own = context.address(context.link.a, 7003)
    sock.bind(own)
    sock.connect(own)
    sock.sendall(b"echo")
    check_equal(receive_exactly(sock, 4), b"echo", "what came back")


@case()
def connect_without_route(context):
    """The routing table's refusals are connect's errors."""
    net = {4: "10.77.{}.0/24", 6: "fd77:{}::/64"}[context.version]
    host = {4: "10.77.{}.1", 6: "fd77:{}::1"}[context.version]
    for number, (kind, expected) in enumerate((("unreachable", errno.EHOSTUNREACH),
                                               ("prohibit", errno.EACCES),
                                               ("blackhole", errno.EINVAL)), 1):
        context.link.a.ns.ip(f"route add {kind} {net.format(number)}")
        expect_error(expected, f"connect through a route that says {kind}",
                     context.socket(context.link.a).connect, (host.format(number), 7000))
    expect_error(errno.ENETUNREACH, "connect without a route",
                 context.socket(context.link.a).connect, (host.format(9), 7000))


@case()
def connect_names(context):
    """getsockname and getpeername agree on both ends; the port is an ephemeral one."""
    client, server = context.connected()
    check_equal(peername(client), context.address(context.link.b, 7000), "client's peer")
    check_equal(sockname(server), context.address(context.link.b, 7000), "server's name")
    check_equal(sockname(client), peername(server), "the client's own name")
    low, high = map(int, context.link.a.ns.read(
        "/proc/sys/net/ipv4/ip_local_port_range").split())
    check(low <= sockname(client)[1] <= high,
          f"port {sockname(client)[1]} is not between {low} and {high}")


@case()
def connect_unbound_names(context):
    """A fresh socket has the unspecified address, port 0 and no peer."""
    sock = context.socket(context.link.a)
    unspecified = "0.0.0.0" if context.version == 4 else "::"
    check_equal(sockname(sock), (unspecified, 0), "getsockname")
    expect_error(errno.ENOTCONN, "getpeername", sock.getpeername)
    expect_error(errno.ENOTCONN, "recv", sock.recv, 1)
    expect_error(errno.ENOTCONN, "shutdown", sock.shutdown, socket.SHUT_RDWR)
    expect_error(errno.EPIPE, "send", sock.send, b"x")


@case()
def connect_reconnects_after_refusal(context):
    """A socket whose connect was refused can try again."""
    client = context.socket(context.link.a)
    address = context.address(context.link.b, 7000)
    expect_error(errno.ECONNREFUSED, "connect", client.connect, address)
    listener = context.listener(context.link.b)
    client.connect(address)
    server = context.accept(listener)
    client.sendall(b"x")
    check_equal(server.recv(1), b"x", "what the server read")


@case(versions=(4,))
def connect_unspec_disconnects(context):
    """connect() to AF_UNSPEC dissolves the connection; the socket can be used again."""
    client, server = context.connected()
    raw_call("connect", client, bytes(16))
    expect_error(errno.ENOTCONN, "getpeername", client.getpeername)
    expect_error(errno.ECONNRESET, "the peer's recv", server.recv, 1)
    listener = context.listener(context.link.b, 7005)
    client.connect(context.address(context.link.b, 7005))
    context.accept(listener)


@case(timeout=120)
def cut_link_times_out(context):
    """Data that is never acknowledged ends the connection with ETIMEDOUT."""
    client, server = context.connected()
    limit_unanswered(context, client)
    context.link.cut()
    client.sendall(b"lost")
    context.wait_for(client, select.POLLERR, "the time-out", seconds=100)
    check_equal(pending_error(client), errno.ETIMEDOUT, "SO_ERROR")
    check_equal(client.recv(1), b"", "recv after the error was taken")
    expect_error(errno.EPIPE, "send after the error", client.send, b"x")
    context.abort(server)


@case(timeout=120)
def cut_link_wakes_reader(context):
    """A blocked read gets ETIMEDOUT too."""
    client, server = context.connected()
    limit_unanswered(context, client)
    context.link.cut()
    client.sendall(b"lost")
    expect_error(errno.ETIMEDOUT, "recv", client.recv, 1)
    context.abort(server)


def limit_unanswered(context, sock):
    """Make the connection give up early, by whatever knob there is."""
    try:
        sock.setsockopt(IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1500)
        return
    except OSError:
        pass
    for name in ("net.mynewtcp.retries2", "net.mynewtcp.tcp_retries2"):
        try:
            context.link.a.ns.write_sysctl(name, 3)
            return
        except FileNotFoundError:
            continue
    raise Skip("neither TCP_USER_TIMEOUT nor a sysctl bounds the retransmissions")
