# SPDX-License-Identifier: GPL-2.0
"""Early demultiplexing: packets find their socket before their route, which the socket knows."""

import select
import socket

from harness import tools
from harness.context import receive_exactly
from harness.family import raw_call
from harness.knobs import Count, set_knob
from harness.registry import case, check, check_equal

PIECES = 20


class Watch:
    """A rule of nftables in the input of side b: packets that come with a socket of root's."""

    def __init__(self, context):
        tools.need("nft")
        self.ns = context.link.b.ns
        self.ns.run(["nft", "add table inet early; add chain inet early c "
                     "{ type filter hook input priority 0; }; add rule inet early c "
                     f"meta l4proto {context.family.ip_protocol} meta skuid 0 counter"])

    def seen(self):
        """Packets so far."""
        words = self.ns.run(["nft", "list", "table", "inet", "early"]).split()
        return int(words[words.index("packets") + 1])


def one_by_one(client, server, pieces=PIECES):
    """Octets that travel alone, each there before the next is sent."""
    for number in range(pieces):
        client.sendall(bytes([number]))
        check_equal(server.recv(2), bytes([number]), f"octet {number}")


@case()
def early_packets_bring_their_socket(context):
    """Netfilter sees whose packet it is, unless the administrator has turned that off."""
    watch = Watch(context)
    client, server = context.connected()
    before = watch.seen()
    one_by_one(client, server)
    check(watch.seen() - before >= PIECES, f"{watch.seen() - before} of {PIECES} with a socket")

    set_knob(context, context.link.b, "early_demux", 0)
    before = watch.seen()
    one_by_one(client, server)
    check_equal(watch.seen() - before, 0, "packets with a socket, early_demux being 0")

    set_knob(context, context.link.b, "early_demux", 1)
    context.link.b.ns.write_sysctl("net.ipv4.ip_early_demux", 0)
    one_by_one(client, server)
    check_equal(watch.seen() - before, 0, "packets with a socket, ip_early_demux being 0")

    context.link.b.ns.write_sysctl("net.ipv4.ip_early_demux", 1)
    one_by_one(client, server)
    check(watch.seen() - before >= PIECES, "packets come with their socket again")


@case()
def early_route_ends_with_the_address(context):
    """A route that a connection remembers is not used when it leads here no more."""
    client, server = context.connected()
    one_by_one(client, server)
    side = context.link.b
    width = {4: 24, 6: 64}[context.version]
    address = f"{side.address(context.version)}/{width} dev {side.device}"
    again = Count(context, context.link.a, "RetransSegs")
    side.ns.ip(f"address del {address}")
    client.sendall(b"late")
    context.until(lambda: again.grown() >= 2, "the segment is sent again and again")
    server.setblocking(False)
    try:
        check(False, f"{server.recv(8)!r} came to an address that the host has no more")
    except BlockingIOError:
        pass
    server.settimeout(10)
    side.ns.ip(f"address add {address}")
    check_equal(receive_exactly(server, 4), b"late", "what waited")
    one_by_one(client, server)


@case(versions=(6,), families=("newtcp",))
def early_route_of_the_last_connection(context):
    """A socket that goes from IPv6 to IPv4 does not take the route along."""
    listeners = [context.listener(context.link.b), context.listener(context.link.b, version=4)]
    client = context.socket(context.link.a)
    for turn in range(4):
        version = 6 if turn % 2 == 0 else 4
        where = context.link.b.address(version)
        client.connect((where if version == 6 else f"::ffff:{where}", 7000))
        server = context.accept(listeners[turn % 2])
        # Both ends have packets coming.
        one_by_one(client, server)
        one_by_one(server, client)
        raw_call("connect", client, bytes(16))
        client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        server.close()


@case(families=("newtcp",))
def early_packets_find_a_new_connection(context):
    """A connection that takes the place of another gets its packets, and the old one none."""
    for _ in range(10):
        listener = context.listener(context.link.b)
        client = context.socket(context.link.a)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind((context.link.a.address(context.version), 7100))
        client.connect(context.address(context.link.b, 7000))
        server = context.accept(listener)
        one_by_one(client, server)
        context.abort(client)
        context.wait_for(server, select.POLLHUP, "the reset")
        server.close()
        listener.close()


@case()
def early_route_lets_go_of_its_device(context):
    """A device that connections have their packets from can be removed."""
    a, b = context.link.a, context.link.b
    first, second, width = {4: ("10.77.0.1", "10.77.0.2", 24), 6: ("fd77::1", "fd77::2", 64)}[
        context.version]
    a.ns.ip(f"link add spare0 type veth peer name spare1 netns {b.ns.path}")
    for ns, device, address in ((a.ns, "spare0", first), (b.ns, "spare1", second)):
        ns.ip(f"address add {address}/{width} dev {device}" + " nodad" * (width == 64),
              f"link set {device} up")
    listener = context.socket(b)
    listener.bind((second, 7000))
    listener.listen(1)
    client = context.socket(a)
    client.connect((second, 7000))
    server = context.accept(listener)
    one_by_one(client, server)
    one_by_one(server, client)
    # Comes back when nobody refers to either device any more.
    a.ns.ip("link delete spare0")
    for sock in (client, server):
        context.abort(sock)
