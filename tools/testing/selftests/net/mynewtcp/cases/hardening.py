# SPDX-License-Identifier: GPL-2.0
"""Floods, old incarnations and too many of everything: what a host stands."""

import errno
import select
import socket
import struct

from harness.context import receive_exactly, sockname
from harness.forge import ACK, FIN, MSS_OPTION, PSH, RST, SYN, Ear, Forge, Stranger
from harness.knobs import Count, host_knob, set_knob
from harness.registry import case, check, check_equal

FLOOD = 10_000
# Milliseconds that no machine needs for what is over in a blink on others.
HOUR = 3_600_000
SOL_TCP, TCP_INFO = 6, 11
# Of tcpi_options.
OPT_TIMESTAMPS, OPT_SACK, OPT_WSCALE = 1, 2, 4


def fence(context, forge):
    """Return when side a has looked at all that was sent so far."""
    forge.send(forge.build(6999, 7999, ack=0x1234567, flags=ACK))
    forge.hear(lambda one: one.flags & RST and one.port == 6999, "the fence's reset")


def tcp_info(sock):
    """The bytes of TCP_INFO."""
    return sock.getsockopt(SOL_TCP, TCP_INFO, 104)


@case(timeout=90)
def syn_flood_does_not_stop_a_client(context):
    """RFC 4987: behind 10,000 half-open connections a real client is served, by cookies."""
    link = context.link
    listener = context.listener(link.a, 7000, backlog=64)
    sent = Count(context, link.a, "SyncookiesSent")
    received = Count(context, link.a, "SyncookiesRecv")
    stranger = Stranger(context)
    forge = Forge(context, link.b)
    for part in range(10):
        stranger.flood(7000, FLOOD // 10)
        fence(context, forge)
    check(sent.grown() > FLOOD // 2, f"{sent.grown()} cookies were sent to {FLOOD} SYNs")
    client = context.socket(link.b)
    client.connect(context.address(link.a, 7000))
    server = context.accept(listener)
    client.sendall(b"hello")
    check_equal(receive_exactly(server, 5), b"hello", "what the server read")
    check(received.grown() >= 1, "the client came without a cookie")
    server.sendall(b"x" * 200_000)
    check_equal(len(receive_exactly(client, 200_000)), 200_000, "what the client read")


@case(families=("newtcp",))
def half_open_connections_are_limited(context):
    """A listener remembers max_syn_backlog of them, and as many as its backlog, not more."""
    link = context.link
    set_knob(context, link.a, "max_syn_backlog", 20)
    for port, backlog, most in ((7000, 64, 20), (7001, 8, 9)):
        context.listener(link.a, port, backlog=backlog)
        sent = Count(context, link.a, "SyncookiesSent")
        Stranger(context).flood(port, 60)
        fence(context, Forge(context, link.b))
        check_equal(sent.grown(), 60 - most, f"cookies for 60 SYNs to a backlog of {backlog}")


@case(timeout=60)
def cookies_keep_the_options(context):
    """Window scale, SACK and timestamps outlive a SYN that nobody remembers."""
    link = context.link
    listener = context.listener(link.a, 7000, backlog=4)
    Stranger(context).flood(7000, 200)
    received = Count(context, link.a, "SyncookiesRecv")
    client = context.socket(link.b)
    client.connect(context.address(link.a, 7000))
    server = context.accept(listener)
    check_equal(received.grown(), 1, "cookies that came back")
    wanted = OPT_TIMESTAMPS | OPT_SACK | OPT_WSCALE
    for name, sock in (("client", client), ("server", server)):
        check_equal(tcp_info(sock)[5] & wanted, wanted, f"options of the {name}")
    scales = [tcp_info(sock)[6] for sock in (client, server)]
    swapped = (scales[0] >> 4) | ((scales[0] & 15) << 4)
    check_equal(swapped, scales[1], "the window scales, seen from the other side")
    server.sendall(b"y" * 300_000)
    check_equal(len(receive_exactly(client, 300_000)), 300_000, "what the client read")


@case(timeout=60)
def guessed_cookies_open_nothing(context):
    """An acknowledgment that brings no cookie of ours is reset, flood or not."""
    link = context.link
    listener = context.listener(link.a, 7000, backlog=4)
    Stranger(context).flood(7000, 200)
    forge = Forge(context, link.b)
    failed = Count(context, link.a, "SyncookiesFailed")
    forge.hear_nothing()
    for number in range(100):
        forge.send(forge.build(20000 + number, 7000, seq=number * 99991, ack=number * 7919,
                               flags=ACK | PSH, payload=b"guess"))
    fence(context, forge)
    check(failed.grown() >= 99, f"{failed.grown()} of 100 guesses were counted")
    listener.setblocking(False)
    try:
        listener.accept()
        check(False, "a guess was accepted")
    except BlockingIOError:
        pass


@case()
def repeated_syns_are_not_amplified(context):
    """A SYN that comes 50 times at once is not answered 50 times."""
    link = context.link
    context.listener(link.a, 7000)
    set_knob(context, link.a, "invalid_ratelimit", HOUR)
    stranger = Stranger(context)
    skipped = Count(context, link.a, "ACKSkippedSynRecv")
    for _ in range(50):
        stranger.send(1024, 7000, seq=4711, flags=SYN, options=MSS_OPTION)
    fence(context, Forge(context, link.b))
    check(skipped.grown() >= 45, f"{skipped.grown()} of 49 repeated SYNs got no answer")


def late_comer(context, listener, port):
    """A handshake whose last segment finds the accept queue full.

    Gives the stranger, who has sent that segment, and a function to send it again.
    """
    link = context.link
    stranger = Stranger(context)
    stranger.send(port, 7000, seq=100, flags=SYN, options=MSS_OPTION)
    _, answer = stranger.ear.hear(
        lambda one: one.port == port and one.flags & (SYN | ACK) == SYN | ACK, "the SYN-ACK")
    # One connection fills a backlog of 0.
    context.socket(link.b).connect(context.address(link.a, 7000))
    context.wait_for(listener, select.POLLIN, "the first connection")

    def complete():
        stranger.send(port, 7000, seq=101, ack=answer.seq + 1, flags=ACK)

    overflows = Count(context, link.a, "ListenOverflows")
    complete()
    context.until(lambda: overflows.grown() == 1, "the accept queue overflows")
    return stranger, complete


@case()
def full_accept_queue_waits(context):
    """A handshake that finds no room is not forgotten: its last segment may come again."""
    listener = context.listener(context.link.a, 7000, backlog=0)
    _, complete = late_comer(context, listener, 1024)
    context.accept(listener)
    complete()
    context.wait_for(listener, select.POLLIN, "the second connection")
    context.abort(context.accept(listener))


@case()
def full_accept_queue_resets_on_demand(context):
    """With abort_on_overflow the peer is told at once that there is no room."""
    set_knob(context, context.link.a, "abort_on_overflow", 1)
    listener = context.listener(context.link.a, 7000, backlog=0)
    stranger, _ = late_comer(context, listener, 1024)
    stranger.ear.hear(lambda one: one.port == 1024 and one.flags & RST, "the reset")


@case()
def challenges_are_rate_limited(context):
    """Fifty resets that guess at the window earn an answer or two."""
    set_knob(context, context.link.a, "invalid_ratelimit", HOUR)
    client, server = context.connected()
    forge = Forge(context, context.link.b)
    ear = Ear(context, context.link.b)
    port = sockname(client)[1]
    client.sendall(b"sync")
    receive_exactly(server, 4)
    _, sent = ear.hear(lambda one: one.payload == b"sync", "the client's data")
    _, last = ear.hear(lambda one: one.source_port == 7000 and one.ack == sent.seq + 4,
                       "its acknowledgment")
    skipped = Count(context, context.link.a, "ACKSkippedChallenge")
    forge.hear_nothing()
    for number in range(50):
        forge.send(forge.build(7000, port, seq=last.seq + 10 + number, flags=RST))
    fence(context, forge)
    check(skipped.grown() >= 40, f"{skipped.grown()} of 50 guesses were not answered")
    client.sendall(b"alive")
    check_equal(receive_exactly(server, 5), b"alive", "what the server read")


def close_first(first, second):
    """Close both, in this order: the first keeps TIME-WAIT."""
    first.shutdown(socket.SHUT_RDWR)
    second.recv(1)
    second.close()
    first.close()


@case()
def time_wait_gives_way_to_a_syn(context):
    """RFC 6191: a new SYN from the same port, with a newer timestamp, is taken at once."""
    link = context.link
    listener = context.listener(link.a, 7000)
    for number in range(4):
        client = context.socket(link.b)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(context.address(link.b, 7111))
        client.connect(context.address(link.a, 7000))
        server = context.accept(listener)
        client.sendall(bytes([number]))
        check_equal(receive_exactly(server, 1), bytes([number]), "what the server read")
        close_first(server, client)


def one_port(side, port):
    """Let connect pick this port and no other."""
    side.ns.write_sysctl("net.ipv4.ip_local_port_range", f"{port} {port}")


def try_connect(context, side, address):
    """Connect from a port of the kernel's choice; None if there is none."""
    sock = context.socket(side)
    try:
        sock.connect(address)
    except OSError as error:
        check_equal(error.errno, errno.EADDRNOTAVAIL, "errno of connect")
        sock.close()
        return None
    return sock


def connect_at_last(context, side, address, what):
    """Connect as soon as TIME-WAIT lets it."""
    found = []

    def attempt():
        found.append(try_connect(context, side, address))
        return found[-1] is not None

    context.until(attempt, what)
    return found[-1]


@case()
def time_wait_gives_way_to_connect_on_loopback(context):
    """RFC 6191 3: connect takes TIME-WAIT over once its last timestamp is old enough."""
    side = context.link.a
    home = ("127.0.0.1" if context.version == 4 else "::1", 7000)
    one_port(side, 7111)
    listener = context.socket(side)
    listener.bind(home)
    listener.listen(4)
    set_knob(context, side, "tw_reuse_delay", 60_000)
    client = try_connect(context, side, home)
    close_first(client, context.accept(listener))
    check(try_connect(context, side, home) is None, "TIME-WAIT was taken over at once")
    set_knob(context, side, "tw_reuse_delay", 1000)
    again = connect_at_last(context, side, home, "connect may take TIME-WAIT over")
    server = context.accept(listener)
    again.sendall(b"new")
    check_equal(receive_exactly(server, 3), b"new", "what the server read")


@case()
def time_wait_gives_way_to_a_port_that_was_asked_for(context):
    """Who binds the very port with SO_REUSEADDR takes TIME-WAIT over at once."""
    link = context.link
    listener = context.listener(link.b, 7000)
    for number in range(4):
        client = context.socket(link.a)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(context.address(link.a, 7111))
        client.connect(context.address(link.b, 7000))
        server = context.accept(listener)
        client.sendall(bytes([number]))
        check_equal(receive_exactly(server, 1), bytes([number]), "what the server read")
        close_first(client, server)


@case()
def time_wait_stays_in_front_of_a_link(context):
    """tw_reuse is for loopback only, unless it is set to 1."""
    link = context.link
    listener = context.listener(link.b, 7000)
    target = context.address(link.b, 7000)
    one_port(link.a, 7111)
    client = try_connect(context, link.a, target)
    close_first(client, context.accept(listener))
    check(try_connect(context, link.a, target) is None, "TIME-WAIT was taken over")
    set_knob(context, link.a, "tw_reuse", 1)
    again = connect_at_last(context, link.a, target, "tw_reuse lets connect take it over")
    context.abort(context.accept(listener))
    context.abort(again)


@case()
def time_wait_has_a_limit(context):
    """Beyond max_tw_buckets connections close without TIME-WAIT, and that is counted."""
    link = context.link
    set_knob(context, link.a, "max_tw_buckets", 2)
    overflow = Count(context, link.a, "TimeWaitOverflow")
    listener = context.listener(link.b, 7000)
    for _ in range(5):
        client = context.socket(link.a)
        client.connect(context.address(link.b, 7000))
        close_first(client, context.accept(listener))
    check_equal(overflow.grown(), 3, "connections without TIME-WAIT")


@case()
def resets_end_time_wait_without_rfc_1337(context):
    """RFC 1337: with the knob off an exact reset ends TIME-WAIT, with it on it does not."""
    link = context.link
    ear = Ear(context, link.b)
    forge = Forge(context, link.b)
    listener = context.listener(link.b, 7000)
    target = context.address(link.b, 7000)
    for port, knob in ((7111, 1), (7112, 0)):
        set_knob(context, link.a, "rfc1337", knob)
        one_port(link.a, port)
        client = try_connect(context, link.a, target)
        close_first(client, context.accept(listener))
        _, fin = ear.hear(lambda one, port=port: one.port == port and one.flags & FIN,
                          "the server's FIN")
        fence(context, forge)
        forge.send(forge.build(7000, port, seq=fin.seq + 1, flags=RST))
        fence(context, forge)
        again = try_connect(context, link.a, target)
        check_equal(again is None, bool(knob), f"TIME-WAIT is there with rfc1337={knob}")
    context.abort(context.accept(listener))
    context.abort(again)


@case(timeout=60)
def black_hole_is_found_out(context):
    """RFC 4821: full segments vanish without ICMP, so smaller ones are tried."""
    link = context.link
    set_knob(context, link.a, "mtu_probing", 1)
    client, server = context.connected()
    for side in (link.a, link.b):
        link.offload(side, "tx", "off")
    # A device drops what is longer than its own MTU, and says nothing.
    link.set_mtu(link.b, 1280)
    client.sendall(b"z" * 20_000)
    check_equal(len(receive_exactly(server, 20_000)), 20_000, "what came through")
    mss = struct.unpack_from("I", tcp_info(client), 16)[0]
    check(mss <= 1280 - 40, f"the segment size is {mss} still")


@case(timeout=60)
def path_mtu_search_leaves_good_paths_alone(context):
    """RFC 4821: the search from a small size ends at what the link takes."""
    link = context.link
    set_knob(context, link.a, "mtu_probing", 2)
    client, server = context.connected()
    probes = Count(context, link.a, "MTUPSuccess")
    mss = struct.unpack_from("I", tcp_info(client), 16)[0]
    check(mss <= 1024, f"the search begins with {mss}")
    for _ in range(10):
        client.sendall(b"z" * 200_000)
        receive_exactly(server, 200_000)
    found = struct.unpack_from("I", tcp_info(client), 16)[0]
    check(probes.grown() >= 1, "nothing was found")
    check(found > mss, f"the search stays at {found}")


@case(versions=(4,))
def orphans_have_a_limit(context):
    """Connections without a user beyond max_orphans are reset, and that is counted."""
    link = context.link
    aborted = Count(context, link.a, "AbortOnMemory")
    pairs = [context.connected(7000 + number) for number in range(6)]
    with host_knob(context, "max_orphans", 2):
        link.cut()
        for client, _ in pairs:
            client.sendall(b"never arrives")
            client.close()
        context.until(lambda: aborted.grown() >= 3, "orphans beyond the limit are reset")
    link.mend()
    for _, server in pairs:
        context.abort(server)
