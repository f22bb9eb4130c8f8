# SPDX-License-Identifier: GPL-2.0
"""The gateway itself: what it takes, what it leaves, and the way back."""

import errno
import socket

from cases.interop import Sender
from harness import family as families
from harness.context import expect_error, pattern, receive_exactly
from harness.gateway import PORT, gateway, segment_size
from harness.netns import Namespace
from harness.registry import case, check, check_equal

NARROW = 1300
FAR = {4: ("10.10.0.1", "10.10.0.2", 24), 6: ("fd10::1", "fd10::2", 64)}


def listener(context, side, open_socket, port=PORT):
    """A listening socket of the maker's protocol."""
    sock = open_socket(context, side)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(context.address(side, port))
    sock.listen(4)
    return sock


def tcp_socket(context, side):
    """A socket of TCP."""
    with side.ns.inside():
        return context.keep(families.tcp().open(context.version))


def ours(context, side):
    """A socket of NEW_TCP."""
    return context.socket(side)


def talk(context, client, server):
    """A word from each of the two, and the end."""
    peer = context.accept(server)
    server.close()
    client.sendall(b"hello")
    check_equal(receive_exactly(peer, 5), b"hello", "what arrived")
    peer.sendall(b"good day")
    check_equal(receive_exactly(client, 8), b"good day", "the answer")
    client.close()
    check_equal(peer.recv(1), b"", "the end")
    peer.close()


@case(timeout=30, families=("newtcp",))
def gateway_takes_what_fits(context):
    """With --port, TCP keeps the other ports of the same address."""
    link = context.link
    gateway(link.a, "add", link.a.device, "--port", f"{PORT}-{PORT + 5}")
    for port, open_socket in ((PORT, ours), (PORT + 5, ours), (PORT + 6, tcp_socket)):
        server = listener(context, link.a, open_socket, port)
        client = tcp_socket(context, link.b)
        client.connect(context.address(link.a, port))
        talk(context, client, server)
    # TCP's listener on a port that is NEW_TCP's is never reached.
    listener(context, link.a, tcp_socket, PORT + 1)
    client = tcp_socket(context, link.b)
    expect_error(errno.ECONNREFUSED, "connect", client.connect,
                 context.address(link.a, PORT + 1))


@case(timeout=30, families=("newtcp",))
def gateway_knows_its_peers(context):
    """With --peer of another host, both NEW_TCP and TCP pass as they are."""
    link = context.link
    gateway(link.a, "add", link.a.device, "--peer", "192.0.2.99", "--peer", "2001:db8::99")
    for open_socket in (ours, tcp_socket):
        server = listener(context, link.b, open_socket)
        client = open_socket(context, link.a)
        client.connect(context.address(link.b, PORT))
        talk(context, client, server)
    gateway(link.a, "remove", link.a.device)
    gateway(link.a, "add", link.a.device, "--peer", link.b.address(context.version))
    server = listener(context, link.b, tcp_socket, PORT + 1)
    client = ours(context, link.a)
    client.connect(context.address(link.b, PORT + 1))
    talk(context, client, server)


@case(versions=(4,), timeout=30, families=("newtcp",))
def gateway_comes_and_goes(context):
    """add, show and remove; a filter of somebody else stays."""
    side = context.link.a
    check("say which" in gateway(side, "add", side.device, check=False), "add without a choice")
    check("no gateway" in gateway(side, "show", side.device, check=False), "show before add")
    gateway(side, "add", side.device, "--local", side.address(4))
    check_equal(gateway(side, "show", side.device), f"{side.device}: gateway\n", "show")
    check("remove it first" in gateway(side, "add", side.device, "--local", side.address(4),
                                       check=False), "add twice")
    gateway(side, "remove", side.device)
    check("clsact" not in side.ns.run(["tc", "qdisc", "show"]), "clsact is still there")
    side.ns.run(["tc", "qdisc", "add", "dev", side.device, "clsact"])
    side.ns.run(["tc", "filter", "add", "dev", side.device, "ingress", "pref", "7", "matchall",
                 "action", "pass"])
    gateway(side, "add", side.device, "--local", side.address(4))
    gateway(side, "remove", side.device)
    left = side.ns.run(["tc", "filter", "show", "dev", side.device, "ingress"])
    check("pref 7 matchall" in left and "bpf" not in left, f"filters after remove: {left}")
    check("nt9" in gateway(side, "add", "nt9", "--port", "1", check=False), "no such device")


def narrow_path(context):
    """A host behind side b, over a link that is narrower than it says; gives its namespace."""
    link, version = context.link, context.version
    near, far, length = FAR[version]
    home = Namespace("c")
    link.b.ns.ip(f"link add r0 mtu {NARROW} type veth peer name c0 mtu {NARROW} "
                 f"netns {home.path}")
    for ns, device, address in ((link.b.ns, "r0", near), (home, "c0", far)):
        ns.write_sysctl(f"net.ipv6.conf.{device}.accept_dad", 0)
        ns.ip(f"addr add {address}/{length} dev {device}" + (" nodad" if version == 6 else ""),
              f"link set {device} up")
    for ns, device, address in ((link.b.ns, "r0", near), (home, "c0", far)):
        ns.net.await_ready(device, address)
    link.b.ns.write_sysctl("net.ipv4.ip_forward", 1)
    link.b.ns.write_sysctl("net.ipv6.conf.all.forwarding", 1)
    home.ip(f"route add {link.a.address(version)} via {near} dev c0 advmss 1440")
    link.a.ns.ip(f"route add {far} via {link.b.address(version)} dev {link.a.device}")
    return home, far


@case(timeout=60, families=("newtcp",))
def gateway_carries_path_mtu(context):
    """A router's *too big* quotes TCP; our segments become as small as it says."""
    link = context.link
    gateway(link.a, "add", link.a.device, "--peer", FAR[context.version][1])
    home, far = narrow_path(context)
    with home.inside():
        server = context.keep(families.tcp().open(context.version))
    server.bind((far, PORT))
    server.listen(1)
    client = ours(context, link.a)
    client.connect((far, PORT))
    peer = context.accept(server)
    check_equal(segment_size(client), 1428, "segment size at first")
    data = pattern(1 << 20, seed=3)
    sender = Sender(client, data)
    check(receive_exactly(peer, len(data)) == data, "wrong bytes")
    sender.ended()
    check_equal(segment_size(client), NARROW - {4: 52, 6: 72}[context.version],
                "segment size at last")
    for sock in (client, peer, server):
        sock.close()
    link.b.ns.ip("link del r0")
    home.close()
