# SPDX-License-Identifier: GPL-2.0
"""Ports and addresses."""

import errno
import os
import select
import socket
import threading

from harness.context import expect_error, sockname
from harness.family import raw_call
from harness.registry import case, check, check_equal

REUSE = (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


@case()
def bind_conflict(context):
    """A port that is taken is EADDRINUSE, also against the wildcard address."""
    one, two, three = (context.socket(context.link.a) for _ in range(3))
    one.bind(context.address(context.link.a, 7100))
    expect_error(errno.EADDRINUSE, "bind", two.bind, context.address(context.link.a, 7100))
    expect_error(errno.EADDRINUSE, "bind to the wildcard", three.bind, ("", 7100))
    one.close()
    two.bind(context.address(context.link.a, 7100))


@case()
def bind_same_port_other_address(context):
    """One port on two addresses is no conflict."""
    loopback = "127.0.0.1" if context.version == 4 else "::1"
    one, two = context.socket(context.link.a), context.socket(context.link.a)
    one.bind(context.address(context.link.a, 7101))
    two.bind((loopback, 7101))


@case()
def bind_foreign_address(context):
    """An address that is not ours is EADDRNOTAVAIL."""
    sock = context.socket(context.link.a)
    expect_error(errno.EADDRNOTAVAIL, "bind", sock.bind, context.address(context.link.b, 7102))


@case()
def bind_twice(context):
    """A socket is bound once."""
    sock = context.socket(context.link.a)
    sock.bind(context.address(context.link.a, 7103))
    expect_error(errno.EINVAL, "bind again", sock.bind, context.address(context.link.a, 7104))


@case()
def bind_wrong_family(context):
    """The other IP version's addresses do not fit, short ones neither."""
    sock = context.socket(context.link.a)
    other = socket.AF_INET6 if context.version == 4 else socket.AF_INET
    own = sock.family.to_bytes(2, "little") + bytes(26)
    expected = errno.EAFNOSUPPORT if context.version == 4 else errno.EINVAL
    expect_error(expected, "bind with the other family", raw_call, "bind", sock,
                 other.to_bytes(2, "little") + bytes(14 if other == socket.AF_INET else 26))
    expect_error(errno.EINVAL, "bind with 8 bytes", raw_call, "bind", sock, own, 8)
    raw_call("bind", sock, own, 16 if context.version == 4 else 28)


@case()
def bind_privileged_port_needs_capability(context):
    """Ports below ip_unprivileged_port_start need CAP_NET_BIND_SERVICE."""
    sock = context.socket(context.link.a)
    address = context.address(context.link.a, 80)
    def bind(_tell):
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        expect_error(errno.EACCES, "bind", sock.bind, address)
    pid, ready = context.fork(bind)
    status = context.reap(pid)
    os.close(ready)
    check_equal(status, 0, "the unprivileged child's status")
    sock.bind(address)


@case()
def bind_ephemeral(context):
    """Port 0 gives a free port of the range, each time another one."""
    ports = set()
    for _ in range(50):
        sock = context.socket(context.link.a)
        sock.bind(context.address(context.link.a, 0))
        ports.add(sockname(sock)[1])
    low, high = map(int, context.link.a.ns.read(
        "/proc/sys/net/ipv4/ip_local_port_range").split())
    check_equal(len(ports), 50, "different ports")
    check(all(low <= port <= high for port in ports), f"{ports} not in {low}..{high}")


@case()
def bind_ephemeral_runs_out(context):
    """A range of four ports serves four sockets."""
    context.link.a.ns.write_sysctl("net.ipv4.ip_local_port_range", "40000 40003")
    socks = [context.socket(context.link.a) for _ in range(5)]
    for sock in socks[:4]:
        sock.bind(context.address(context.link.a, 0))
    check_equal(sorted(sockname(sock)[1] for sock in socks[:4]),
                [40000, 40001, 40002, 40003], "the ports")
    expect_error(errno.EADDRINUSE, "the fifth bind", socks[4].bind,
                 context.address(context.link.a, 0))


@case()
def connect_ephemeral_runs_out(context):
    """connect has no port left for this destination, but has for another."""
    link = context.link
    link.a.ns.write_sysctl("net.ipv4.ip_local_port_range", "40000 40001")
    first, second = context.listener(link.b, 7110), context.listener(link.b, 7111)
    for _ in range(2):
        context.socket(link.a).connect(context.address(link.b, 7110))
        context.accept(first)
    expect_error(errno.EADDRNOTAVAIL, "the third connect",
                 context.socket(link.a).connect, context.address(link.b, 7110))
    context.socket(link.a).connect(context.address(link.b, 7111))
    context.accept(second)


@case()
def listen_conflict(context):
    """SO_REUSEADDR on both lets both bind; only one may listen."""
    one, two = context.socket(context.link.a), context.socket(context.link.a)
    for sock in (one, two):
        sock.setsockopt(*REUSE)
        sock.bind(context.address(context.link.a, 7120))
    one.listen(1)
    expect_error(errno.EADDRINUSE, "the second listen", two.listen, 1)


@case()
def reuseaddr_after_close(context):
    """A server that closed first has its port in TIME-WAIT; SO_REUSEADDR takes it again."""
    client, server = context.connected(7130)
    server.close()
    check_equal(client.recv(1), b"", "the end")
    client.close()
    plain = context.socket(context.link.b)
    expect_error(errno.EADDRINUSE, "bind without SO_REUSEADDR", plain.bind,
                 context.address(context.link.b, 7130))
    listener = context.listener(context.link.b, 7130)
    again = context.socket(context.link.a)
    again.connect(context.address(context.link.b, 7130))
    context.accept(listener)


@case()
def listen_without_bind(context):
    """listen on an unbound socket takes an ephemeral port."""
    listener = context.socket(context.link.b)
    listener.listen(1)
    port = sockname(listener)[1]
    check(port != 0, "no port")
    context.socket(context.link.a).connect(context.address(context.link.b, port))
    context.accept(listener)


@case()
def listen_on_a_connection(context):
    """A connected socket cannot listen."""
    client, _server = context.connected()
    expect_error(errno.EINVAL, "listen", client.listen, 1)


@case()
def accept_wants_a_listener(context):
    """accept on anything else is EINVAL."""
    expect_error(errno.EINVAL, "accept", context.socket(context.link.a).accept)


@case()
def accept_nonblocking(context):
    """EAGAIN on an empty queue; poll tells when there is something."""
    listener = context.listener(context.link.b)
    listener.setblocking(False)
    expect_error(errno.EAGAIN, "accept", listener.accept)
    context.socket(context.link.a).connect(context.address(context.link.b, 7000))
    check_equal(context.wait_for(listener, select.POLLIN | select.POLLOUT, "the connection"),
                select.POLLIN, "the listener's poll mask")
    context.accept(listener)
    expect_error(errno.EAGAIN, "accept again", listener.accept)


@case()
def accept_times_out(context):
    """SO_RCVTIMEO bounds accept(2)."""
    listener = context.listener(context.link.b)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                        (0).to_bytes(8, "little") + (50000).to_bytes(8, "little"))
    expect_error(errno.EAGAIN, "accept", listener.accept)


@case()
def accept_inherits(context):
    """Options of the listener are the accepted socket's."""
    listener = context.listener(context.link.b)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 30000)
    context.socket(context.link.a).connect(context.address(context.link.b, 7000))
    server = context.accept(listener)
    check_equal(server.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1, "SO_KEEPALIVE")
    check_equal(server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF), 60000, "SO_RCVBUF")
    check_equal(server.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), 0, "SO_ACCEPTCONN")
    check_equal(listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), 1,
                "the listener's SO_ACCEPTCONN")


@case()
def ports_are_the_familys_own(context):
    """NEW_TCP and TCP do not share their ports; a TCP socket may have the same one."""
    ours = context.listener(context.link.a, 7140)
    with context.link.a.ns.inside():
        kind = socket.AF_INET if context.version == 4 else socket.AF_INET6
        other = context.keep(socket.socket(kind, socket.SOCK_STREAM))
    if context.family.name == "tcp":
        expect_error(errno.EADDRINUSE, "bind", other.bind, sockname(ours))
    else:
        other.bind(sockname(ours))


@case(timeout=60)
def accept_queue_overflows(context):
    """More connects than the backlog: all of them get through once there is room."""
    listener = context.listener(context.link.b, backlog=1)
    greeted = []
    def talk(client):
        client.connect(context.address(context.link.b, 7000))
        # Who speaks retransmits, so nobody waits for the server's timer.
        client.sendall(b"?")
        greeted.append(client.recv(100))
    threads = [threading.Thread(target=talk, args=(context.socket(context.link.a),), daemon=True)
               for _ in range(6)]
    for thread in threads:
        thread.start()
    for number in range(len(threads)):
        context.wait_for(listener, select.POLLIN, f"connection {number}", seconds=30)
        context.accept(listener).sendall(b"welcome")
    for thread in threads:
        thread.join()
    check_equal(greeted, [b"welcome"] * len(threads), "what the clients read")


@case()
def reuseport_spreads(context):
    """SO_REUSEPORT: two listeners on one port share the connections."""
    listeners = []
    for _ in range(2):
        sock = context.socket(context.link.b)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(context.address(context.link.b, 7150))
        sock.listen(128)
        sock.setblocking(False)
        listeners.append(sock)
    stranger = context.socket(context.link.b)
    expect_error(errno.EADDRINUSE, "bind without SO_REUSEPORT", stranger.bind,
                 context.address(context.link.b, 7150))
    for _ in range(60):
        context.socket(context.link.a).connect(context.address(context.link.b, 7150))
    shares = [drain_queue(context, listener) for listener in listeners]
    check_equal(sum(shares), 60, "connections")
    # The chance that sixty fair coins fall this unevenly is below 1e-9.
    check(min(shares) > 5, f"the shares are {shares}")


def drain_queue(context, listener):
    """Accept everything; gives the count."""
    count = 0
    while True:
        try:
            context.accept(listener)
        except BlockingIOError:
            return count
        count += 1


@case()
def bind_to_device(context):
    """SO_BINDTODEVICE: a listener on lo does not hear the link."""
    listener = context.socket(context.link.b)
    with context.link.b.ns.inside():
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    listener.bind(("", 7160))
    listener.listen(1)
    expect_error(errno.ECONNREFUSED, "connect over the link",
                 context.socket(context.link.a).connect, context.address(context.link.b, 7160))
    client = context.socket(context.link.b)
    client.connect(("127.0.0.1" if context.version == 4 else "::1", 7160))
    context.accept(listener)
