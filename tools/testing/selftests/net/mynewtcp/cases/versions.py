# SPDX-License-Identifier: GPL-2.0
"""IPv4 and IPv6 on one socket, and the two doors to the family."""

import errno
import itertools
import socket

from harness.context import expect_error, peername, receive_exactly, sockname
from harness.family import AF_INET_NEW_TCP, NEWTCP_PROTO_INET6, raw_call, raw_socket, wrap
from harness.registry import Failure, case, check_equal

V6ONLY = (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


@case(versions=(6,))
def mapped_listener_takes_ipv4(context):
    """A wildcard IPv6 listener takes IPv4 connections, with mapped addresses."""
    listener = context.socket(context.link.b)
    listener.setsockopt(*V6ONLY, 0)
    listener.bind(("::", 7000))
    listener.listen(4)
    client = context.socket(context.link.a, version=4)
    client.connect((context.link.b.address(4), 7000))
    server = context.accept(listener)
    check_equal(peername(server), ("::ffff:" + context.link.a.address(4), sockname(client)[1]),
                "the server's peer")
    check_equal(sockname(server), ("::ffff:" + context.link.b.address(4), 7000),
                "the server's name")
    client.sendall(b"mapped")
    check_equal(receive_exactly(server, 6), b"mapped", "what arrived")
    server.sendall(b"back")
    check_equal(receive_exactly(client, 4), b"back", "what came back")


@case(versions=(6,))
def mapped_connect_reaches_ipv4(context):
    """An IPv6 socket connects to a mapped address, and that is IPv4 on the wire."""
    listener = context.listener(context.link.b, version=4)
    client = context.socket(context.link.a, version=6)
    client.connect(("::ffff:" + context.link.b.address(4), 7000))
    server = context.accept(listener)
    check_equal(peername(server)[0], context.link.a.address(4), "the server's peer")
    client.sendall(b"x")
    check_equal(server.recv(1), b"x", "what arrived")


@case(versions=(6,))
def v6only_is_kept(context):
    """IPV6_V6ONLY: IPv4 is refused, and an IPv4 listener may have the port too."""
    listener = context.socket(context.link.b)
    listener.setsockopt(*V6ONLY, 1)
    check_equal(listener.getsockopt(*V6ONLY), 1, "IPV6_V6ONLY")
    listener.bind(("::", 7000))
    listener.listen(4)
    client = context.socket(context.link.a, version=4)
    expect_error(errno.ECONNREFUSED, "connect over IPv4", client.connect,
                 (context.link.b.address(4), 7000))
    mapped = context.socket(context.link.a)
    mapped.setsockopt(*V6ONLY, 1)
    expect_error(errno.ENETUNREACH, "connect to a mapped address", mapped.connect,
                 ("::ffff:" + context.link.b.address(4), 7000))
    other = context.socket(context.link.b, version=4)
    other.bind(("0.0.0.0", 7000))
    other.listen(1)
    context.socket(context.link.a, version=4).connect((context.link.b.address(4), 7000))
    context.accept(other)


@case(versions=(6,))
def dual_stack_conflicts_with_ipv4(context):
    """A dual-stack wildcard and an IPv4 wildcard cannot have one port."""
    dual = context.socket(context.link.b)
    dual.setsockopt(*V6ONLY, 0)
    dual.bind(("::", 7000))
    other = context.socket(context.link.b, version=4)
    expect_error(errno.EADDRINUSE, "bind", other.bind, ("0.0.0.0", 7000))


@case(versions=(6,))
def link_local_needs_scope(context):
    """A link-local address wants the device."""
    link = context.link
    for side in (link.a, link.b):
        address = f"fe80::{side.address(6)[-1]}"
        side.ns.ip(f"addr replace {address}/64 dev {side.device} nodad")
        side.ns.net.await_ready(side.device, address)
    with link.b.ns.inside():
        index = socket.if_nametoindex("b0")
    listener = context.socket(link.b)
    expect_error(errno.EINVAL, "bind without a scope", listener.bind, ("fe80::2", 7000))
    listener.bind(("fe80::2", 7000, 0, index))
    listener.listen(1)
    with link.a.ns.inside():
        index = socket.if_nametoindex("a0")
    link.a.ns.ip(f"neigh replace fe80::2 lladdr {link.b.mac} dev a0 nud permanent")
    link.b.ns.ip(f"neigh replace fe80::1 lladdr {link.a.mac} dev b0 nud permanent")
    client = context.socket(link.a)
    client.connect(("fe80::2", 7000, 0, index))
    server = context.accept(listener)
    check_equal(server.getpeername()[0].split("%")[0], "fe80::1", "the server's peer")


@case(families=("newtcp",))
def doors_lead_to_one_room(context):
    """Sockets of both doors talk to each other, in every combination."""
    for port, (first, second) in enumerate(itertools.product(("family", "inet"), repeat=2), 7300):
        listener = context.listener(context.link.b, port, door=first)
        client = context.socket(context.link.a, door=second)
        client.connect(context.address(context.link.b, port))
        server = context.accept(listener)
        client.sendall(b"knock")
        check_equal(receive_exactly(server, 5), b"knock", f"from door {second} to {first}")


@case(families=("newtcp",))
def doors_share_ports(context):
    """A port taken through one door is taken for the other."""
    one = context.socket(context.link.a, door="family")
    two = context.socket(context.link.a, door="inet")
    one.bind(context.address(context.link.a, 7310))
    expect_error(errno.EADDRINUSE, "bind", two.bind, context.address(context.link.a, 7310))


@case(families=("newtcp",))
def doors_say_what_they_are(context):
    """SO_DOMAIN is the IP version's family, SO_PROTOCOL ours, SO_TYPE a stream."""
    for door in ("family", "inet"):
        sock = context.socket(context.link.a, door=door)
        found = tuple(sock.getsockopt(socket.SOL_SOCKET, option) for option in
                      (socket.SO_DOMAIN, socket.SO_TYPE, socket.SO_PROTOCOL))
        domain = socket.AF_INET if context.version == 4 else socket.AF_INET6
        check_equal(found, (domain, socket.SOCK_STREAM, context.family.ip_protocol),
                    f"domain, type and protocol through door {door}")


@case(families=("newtcp",))
def family_number_in_addresses(context):
    """sin_family may be 46 on input; addresses that come out have the IP family."""
    def call(name, sock, side, port):
        inet = socket.AF_INET if context.version == 4 else socket.AF_INET6
        packed = socket.inet_pton(inet, side.address(context.version))
        body = port.to_bytes(2, "big") + (packed + bytes(8) if context.version == 4
                                          else bytes(4) + packed + bytes(4))
        raw_call(name, sock, AF_INET_NEW_TCP.to_bytes(2, "little") + body)
    listener = context.socket(context.link.b)
    call("bind", listener, context.link.b, 7320)
    listener.listen(1)
    client = context.socket(context.link.a)
    call("connect", client, context.link.b, 7320)
    server = context.accept(listener)
    check_equal(peername(client), context.address(context.link.b, 7320), "the client's peer")
    check_equal(peername(server), sockname(client), "the server's peer")


@case(versions=(4,), families=("newtcp",))
def socket_arguments(context):
    """Which arguments of socket(2) are taken, and with which error the others fail."""
    family, proto = AF_INET_NEW_TCP, context.family.ip_protocol
    stream, datagram, raw = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW
    table = [
        ((family, stream, 0), 0),
        ((family, stream, proto), 0),
        ((family, stream, NEWTCP_PROTO_INET6), 0),
        ((socket.AF_INET, stream, proto), 0),
        ((socket.AF_INET6, stream, proto), 0),
        ((family, datagram, 0), errno.ESOCKTNOSUPPORT),
        ((family, raw, 0), errno.ESOCKTNOSUPPORT),
        ((family, socket.SOCK_SEQPACKET, 0), errno.ESOCKTNOSUPPORT),
        ((family, stream, socket.IPPROTO_TCP), errno.EPROTONOSUPPORT),
        ((family, stream, socket.IPPROTO_UDP), errno.EPROTONOSUPPORT),
        ((family, stream, 2), errno.EPROTONOSUPPORT),
        ((socket.AF_INET, datagram, proto), errno.EPROTONOSUPPORT),
    ]
    with context.link.a.ns.inside():
        for arguments, expected in table:
            try:
                wrap(raw_socket(*arguments), 4).close()
                found = 0
            except OSError as error:
                found = error.errno
            check_equal(found, expected, f"socket{arguments}; errno")


@case(families=("newtcp",))
def tcp_does_not_hear_us(context):
    """A TCP listener on the same port neither gets nor disturbs our connection."""
    kind = socket.AF_INET if context.version == 4 else socket.AF_INET6
    with context.link.b.ns.inside():
        other = context.keep(socket.socket(kind, socket.SOCK_STREAM))
    other.bind(context.address(context.link.b, 7330))
    other.listen(1)
    other.setblocking(False)
    client = context.socket(context.link.a)
    expect_error(errno.ECONNREFUSED, "connect to a port that only TCP has", client.connect,
                 context.address(context.link.b, 7330))
    try:
        other.accept()
    except BlockingIOError:
        return
    raise Failure("TCP took a NEW_TCP connection")
