# SPDX-License-Identifier: GPL-2.0
"""Opening, closing, and what arrives for nobody."""

import contextlib
import ctypes
import errno
import select
import socket
import struct

from harness import diag
from harness.context import expect_error, receive_exactly
from harness.forge import ACK, FIN, PSH, RST, SYN, Forge, timestamps_option
from harness.knobs import host_knob, set_knob
from harness.peer import ISS, Caller, Peer, Wire
from recipes import recipe

CLOSED = 7900
SOL_TCP, TCP_LINGER2, TCP_DEFER_ACCEPT, TCP_USER_TIMEOUT = 6, 8, 9, 18
SO_ATTACH_FILTER = 26
IP_MINTTL = 21
FIN_WAIT2 = 5
STAMPS = struct.pack(">BBBBII", 1, 1, 8, 10, 5000, 0)


def fence(context):
    """Side a has looked at all that b has put on the link. A ping keeps out of our counters."""
    context.link.b.ns.run(["ping", "-c", "1", "-W", "9", context.link.a.address(4)])


def tcp_state(sock):
    """tcpi_state."""
    return sock.getsockopt(SOL_TCP, socket.TCP_INFO, 8)[0]


@recipe(InSegs=8, NoPorts=3, StrayOutRsts=2, InErrs=5, InCsumErrors=3)
def strays(context):
    """Segments for a closed port, reset or not, and damaged ones."""
    forge = Forge(context, context.link.b)
    good = forge.build(7001, CLOSED, flags=SYN, payload=b"x" * 20)
    for words in (0, 4):
        forge.send(forge.seal(good[:12] + bytes([words << 4]) + good[13:]))
    for _ in range(3):
        forge.send(good[:-1] + b"D")
    forge.send(forge.build(7003, CLOSED, ack=9, flags=ACK))
    forge.send(good)
    forge.send(forge.build(7004, CLOSED, ack=9, flags=RST | ACK))
    fence(context)


@recipe(ActiveOpens=1, OutSegs=3, InConnSegs=2, InSegs=2, OrigDataSent=1, Delivered=1,
        PureAcks=1, HPAcks=1, HPHits=0, CurrEstab=1, EstabResets=0, RetransSegs=0, OutRsts=0)
def plain_client(context):
    """A handshake, one segment, its acknowledgment."""
    peer = Peer(context)
    peer.client.sendall(b"one")
    peer.hear_data(0)
    peer.send(ack=3)


@recipe(HPHits=1, HPAcks=0, OutOfOrder=1, InConnSegs=4)
def predicted_data(context):
    """Data in order; then data ahead of it, and what fills the gap, which nobody predicts."""
    peer = Peer(context)
    peer.send(flags=ACK | PSH, payload=b"first")
    peer.send(seq=11, flags=ACK | PSH, payload=b"third")
    peer.send(seq=5, flags=ACK | PSH, payload=b"second")
    receive_exactly(peer.client, 16)


@recipe(PassiveOpens=1, OutSegs=2, InConnSegs=1, CurrEstab=1, SynRetrans=0)
def plain_server(context):
    """A listener, a handshake with data in its last segment, acknowledged at once."""
    listener = context.listener(context.link.a, 7000)
    caller = Caller(context)
    caller.call(1024)
    answer = caller.answered(1024)
    caller.complete(1024, answer, flags=ACK | PSH, payload=b"x" * 10)
    server = context.accept(listener)
    receive_exactly(server, 10)


@recipe(ActiveOpens=1, AttemptFails=1, CurrEstab=0)
def refused(context):
    """A connect that is reset."""
    client = context.socket(context.link.a)
    expect_error(errno.ECONNREFUSED, "connect", client.connect,
                 context.address(context.link.b, CLOSED))


@recipe(EstabResets=1, OutRsts=1, AbortOnData=1, CurrEstab=0)
def closed_at_once(context):
    """SO_LINGER 0."""
    peer = Peer(context)
    context.abort(peer.client)
    peer.hear(lambda one: one.flags & RST, "the reset")


@recipe(EstabResets=1, OutRsts=1, AbortOnClose=1, AbortOnData=0)
def closed_unread(context):
    """A user who leaves data unread."""
    peer = Peer(context)
    peer.send(flags=ACK | PSH, payload=b"unread")
    context.wait_for(peer.client, select.POLLIN, "the data")
    peer.client.close()
    peer.hear(lambda one: one.flags & RST, "the reset")


@recipe(EstabResets=1, OutRsts=1, AbortOnData=1, AbortOnClose=0)
def data_after_close(context):
    """Data for a user who is gone."""
    peer = Peer(context)
    peer.client.close()
    peer.hear(lambda one: one.flags & FIN, "the FIN")
    peer.send(flags=ACK | PSH, payload=b"late")
    peer.hear(lambda one: one.flags & RST, "the reset")


@recipe(AbortOnLinger=1, EstabResets=1, OutRsts=1)
def no_fin_wait_2(context):
    """TCP_LINGER2 below zero: close in FIN-WAIT-2 resets."""
    peer = Peer(context)
    peer.client.setsockopt(SOL_TCP, TCP_LINGER2, -1)
    peer.client.shutdown(socket.SHUT_WR)
    peer.hear(lambda one: one.flags & FIN, "the FIN")
    peer.send(ack=1)
    context.until(lambda: tcp_state(peer.client) == FIN_WAIT2, "FIN-WAIT-2")
    peer.client.close()
    peer.hear(lambda one: one.flags & RST, "the reset")


@recipe(AbortOnMemory=1, OutRsts=1)
def orphan_too_many(context):
    """A connection without a user where there may be none."""
    peer = Peer(context)
    with host_knob(context, "max_orphans", 0):
        peer.client.sendall(b"never acknowledged")
        peer.client.close()
        peer.hear(lambda one: one.flags & RST, "the reset")


@recipe(AbortOnTimeout=1, EstabResets=1)
def user_timeout(context):
    """TCP_USER_TIMEOUT passes without an answer."""
    peer = Peer(context)
    peer.client.setsockopt(SOL_TCP, TCP_USER_TIMEOUT, 300)
    peer.client.sendall(b"never acknowledged")
    context.wait_for(peer.client, select.POLLERR, "the end")


@recipe(Filtered=2)
def filtered(context):
    """A socket filter that takes nothing."""
    peer = Peer(context)
    program = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0))
    peer.client.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                           struct.pack("@HP", 1, ctypes.addressof(program)))
    for _ in range(2):
        peer.send(flags=ACK | PSH, payload=b"drop me")
    fence(context)


@recipe(MinTTLDrop=2, Filtered=0)
def too_far(context):
    """IP_MINTTL, and segments that have come further."""
    peer = Peer(context)
    peer.client.setsockopt(socket.IPPROTO_IP, IP_MINTTL, 255)
    for _ in range(2):
        peer.send(flags=ACK | PSH, payload=b"too far")
    fence(context)


@recipe(PAWSActive=3, OutRsts=2, AttemptFails=0)
def wrong_echo(context):
    """Answers to a SYN that echo what it never had: two are reset, a reset is dropped."""
    wire = Wire(context)
    client = context.socket(context.link.a)
    client.setblocking(False)
    client.connect_ex((context.link.SILENT[4], 7001))
    _, syn = wire.ear.hear(lambda one: one.port == 7001, "the SYN")
    value = syn.timestamps[0]
    for flags, echo in ((SYN | ACK, value - 1), (SYN | ACK, value + 100_000),
                        (RST | ACK, value - 1)):
        wire.segment(7001, syn.source_port, seq=ISS, ack=syn.seq + 1, flags=flags,
                     options=timestamps_option(5000, echo & 0xffffffff))
    fence(context)


def half_closed(context):
    """A connection that side a has closed and that its peer has not, in FIN-WAIT-2."""
    peer = Peer(context)
    peer.client.close()
    peer.hear(lambda one: one.flags & FIN, "the FIN")
    peer.send(ack=1)
    return peer


@recipe(ACKSkippedFinWait2=2, OutSegs=4, TimeWaits=0)
def fin_wait_2(context):
    """Old segments that FIN-WAIT-2 without a user answers once: SYN, ACK, FIN and that answer."""
    peer = half_closed(context)
    for _ in range(3):
        peer.send(seq=-500, ack=1)
    fence(context)


@recipe(AbortOnData=1, EstabResets=1, OutRsts=1, TimeWaits=0)
def fin_wait_2_data(context):
    """Data in FIN-WAIT-2 without a user."""
    peer = half_closed(context)
    peer.send(ack=1, flags=ACK | PSH, payload=b"late")
    peer.hear(lambda one: one.flags & RST, "the reset")


@recipe(TimeWaits=1, EstabResets=0, TWKilled=0)
def fin_wait_2_ends(context):
    """The FIN comes at last."""
    peer = half_closed(context)
    peer.send(ack=1, flags=ACK | FIN)
    peer.hear(lambda one: one.ack == ISS + 1, "the last acknowledgment")


def timed_wait(context, clock=None):
    """A connection that side a has closed first, and that is in TIME-WAIT."""
    peer = Peer(context, clock=clock)
    peer.client.close()
    peer.hear(lambda one: one.flags & FIN, "the FIN")
    peer.send(ack=1, flags=ACK | FIN)
    peer.hear(lambda one: one.flags & ACK and one.ack == ISS + 1, "the last acknowledgment")
    return peer


@recipe(TimeWaits=1, EstabResets=0, ACKSkippedTimeWait=2, OutSegs=5)
def time_wait(context):
    """Segments that TIME-WAIT answers once: SYN, ACK, FIN, ACK of the FIN, and that answer."""
    peer = timed_wait(context)
    for _ in range(3):
        peer.send(seq=-500, ack=1)
    fence(context)


@recipe(PAWSTimewait=2, TimeWaits=1)
def time_wait_paws(context):
    """Old timestamps in TIME-WAIT."""
    peer = timed_wait(context, clock=5000)
    for _ in range(2):
        peer.send(seq=1, ack=1, value=4000)
    fence(context)


@recipe(TimeWaitOverflow=1, TimeWaits=1)
def time_wait_full(context):
    """No room in TIME-WAIT."""
    set_knob(context, context.link.a, "max_tw_buckets", 0)
    timed_wait(context)


@recipe(TWKilled=1, TimeWaits=1, TWRecycled=0)
def time_wait_reset(context):
    """A reset ends TIME-WAIT if RFC 1337 is not heeded."""
    set_knob(context, context.link.a, "rfc1337", 0)
    timed_wait(context).send(seq=1, flags=RST)
    fence(context)


@recipe(TWKilled=1, TimeWaits=1)
def time_wait_destroyed(context):
    """SOCK_DESTROY ends TIME-WAIT."""
    timed_wait(context)
    link = context.link
    found, = diag.dump(link.a.ns, context.family, socket.AF_INET, 1 << diag.TIME_WAIT)
    diag.destroy(link.a.ns, context.family, socket.AF_INET, found.ident)


@recipe(TWKilled=1, TimeWaits=1, PassiveOpens=2, TWRecycled=0)
def time_wait_ends_by_syn(context):
    """A SYN in TIME-WAIT begins the next connection."""
    listener = context.listener(context.link.a, 7000)
    caller = Caller(context)
    caller.call(1024)
    answer = caller.answered(1024)
    caller.complete(1024, answer)
    context.accept(listener).close()
    first = answer.seq + 1
    caller.segment(1024, 7000, seq=ISS, ack=first + 1, flags=FIN | ACK)
    fence(context)
    caller.segment(1024, 7000, seq=ISS + 9, flags=SYN)
    caller.segment(1024, 7000, seq=ISS + 10, ack=caller.answered(1024).seq + 1, flags=ACK)
    context.accept(listener)


@recipe(TWRecycled=1, ActiveOpens=2, TWKilled=0)
def time_wait_recycled(context):
    """A port that was asked for, in TIME-WAIT."""
    link = context.link
    listener = context.listener(link.b, 7000)
    for _ in range(2):
        client = context.socket(link.a)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(context.address(link.a, 7111))
        client.connect(context.address(link.b, 7000))
        server = context.accept(listener)
        client.shutdown(socket.SHUT_RDWR)
        server.recv(1)
        server.close()
        client.close()


@recipe(EmbryonicRsts=1, PassiveOpens=0)
def embryonic_reset(context):
    """A half-open connection is reset."""
    context.listener(context.link.a, 7000)
    caller = Caller(context)
    caller.call(1024)
    caller.answered(1024)
    caller.segment(1024, 7000, seq=ISS, flags=RST)
    fence(context)


@recipe(ACKSkippedSynRecv=2)
def syn_again(context):
    """A SYN that comes four times is answered twice."""
    set_knob(context, context.link.a, "invalid_ratelimit", 60_000)
    context.listener(context.link.a, 7000)
    caller = Caller(context)
    for _ in range(4):
        caller.call(1024)
    fence(context)


@recipe(SynRetrans=1, RetransSegs=1, OutSegs=1)
def syn_ack_again(context):
    """Nobody completes the handshake."""
    context.listener(context.link.a, 7000)
    caller = Caller(context)
    caller.call(1024)
    caller.answered(1024)
    caller.answered(1024)
    caller.segment(1024, 7000, seq=ISS, flags=RST)


@recipe(TSEcrRejected=1, PAWSEstab=1, PassiveOpens=0)
def half_open_clock(context):
    """The last segment of a handshake echoes a timestamp never sent, or has an old one."""
    context.listener(context.link.a, 7000)
    caller = Caller(context)
    caller.call(1024, options=STAMPS)
    answer = caller.answered(1024)
    value = answer.timestamps[0]
    for stamp, echo in ((5001, value + 100_000), (4000, value)):
        caller.complete(1024, answer, options=struct.pack(
            ">BBBBII", 1, 1, 8, 10, stamp, echo & 0xffffffff))
    fence(context)


@recipe(DeferAcceptDrop=1, PassiveOpens=0)
def deferred(context):
    """TCP_DEFER_ACCEPT and a handshake without data."""
    listener = context.listener(context.link.a, 7000)
    listener.setsockopt(SOL_TCP, TCP_DEFER_ACCEPT, 60)
    caller = Caller(context)
    caller.call(1024)
    caller.complete(1024, caller.answered(1024))
    fence(context)


@recipe(ListenOverflows=2, ListenDrops=2, PassiveOpens=1)
def accept_queue_full(context):
    """A handshake that is completed too late, and a SYN that comes too late."""
    listener = context.listener(context.link.a, 7000, backlog=0)
    caller = Caller(context)
    for port in (1024, 1025):
        caller.call(port)
    answers = [caller.answered(port) for port in (1024, 1025)]
    caller.complete(1024, answers[0])
    context.wait_for(listener, select.POLLIN, "the first connection")
    caller.complete(1025, answers[1])
    caller.call(1026)
    fence(context)


@recipe(SyncookiesSent=1, SyncookiesRecv=1, SyncookiesFailed=1, PassiveOpens=1, OutSegs=1)
def cookies(context):
    """Cookies for everybody: one comes back, one is made up."""
    set_knob(context, context.link.a, "syncookies", 2)
    listener = context.listener(context.link.a, 7000)
    caller = Caller(context)
    caller.call(1024)
    answer = caller.answered(1024)
    caller.complete(1025, answer, shift=77)
    caller.complete(1024, answer)
    context.accept(listener)


def flooded(context, syncookies):
    """Five SYNs at a listener that remembers two."""
    set_knob(context, context.link.a, "syncookies", syncookies)
    context.listener(context.link.a, 7000, backlog=1)
    caller = Caller(context)
    for port in range(1024, 1029):
        caller.call(port)
    fence(context)


@recipe(ReqQFullDoCookies=3, SyncookiesSent=3, ListenDrops=0)
def flood_with_cookies(context):
    """Those that are too many get a cookie."""
    flooded(context, 1)


@recipe(ReqQFullDrop=3, ListenDrops=3, SyncookiesSent=0)
def flood_without_cookies(context):
    """Those that are too many get nothing."""
    flooded(context, 0)


@recipe(OutOfWindowIcmps=2, StrayIcmps=0)
def icmp_out_of_window(context):
    """ICMP errors that quote what is not under way."""
    peer = Peer(context)
    peer.client.sendall(b"under way")
    sent = peer.hear_data(0)
    for shift in (-1, 1000):
        peer.complain(sent, shift)
    fence(context)


@recipe(StrayIcmps=1, OutOfWindowIcmps=0)
def icmp_stray(context):
    """An ICMP error about a connection that never was."""
    peer = Peer(context)
    segment = peer.syn
    segment.source_port = 4
    peer.complain(segment, 0)
    fence(context)


@recipe(LockDroppedIcmps=1)
def icmp_while_sending(context):
    """A router's answer comes before send has let go of the socket."""
    link = context.link
    link.b.ns.write_sysctl("net.ipv4.ip_forward", 1)
    link.b.ns.ip(f"route add unreachable {link.SILENT[4]}/32")
    client = context.socket(link.a)
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        client.connect((link.SILENT[4], 7001))


@recipe(ActiveOpens=1, SynRetrans=1, RetransSegs=1, Timeouts=1, AttemptFails=1)
def syn_again_and_refused(context):
    """A SYN that is lost, and then refused."""
    wire = Wire(context)
    client = context.socket(context.link.a)
    client.setblocking(False)
    client.connect_ex((context.link.SILENT[4], 7001))
    for _ in range(2):
        _, syn = wire.ear.hear(lambda one: one.port == 7001, "the SYN")
    wire.segment(7001, syn.source_port, ack=syn.seq + 1, flags=RST | ACK)
    context.wait_for(client, select.POLLERR, "the refusal")
