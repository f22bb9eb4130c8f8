# SPDX-License-Identifier: GPL-2.0
"""What netlink and /proc/net tell of sockets, and ending one from outside."""

import errno
import os
import select
import socket
import struct

from harness import diag
from harness.context import expect_error, receive_exactly
from harness.registry import case, check, check_equal

TCP_INFO_STATE, TCP_INFO_MSS = 0, 16


def inet_of(context):
    """The address family of the case."""
    return socket.AF_INET if context.version == 4 else socket.AF_INET6


def dump(context, side, *states, **options):
    """What a dump finds on one side; no state is all of them."""
    bits = sum(1 << state for state in states) or diag.ALL_STATES
    return diag.dump(side.ns, context.family, inet_of(context), bits, **options)


def only(found, what):
    """The one answer that there has to be."""
    check_equal(len(found), 1, f"answers about {what}")
    return found[0]


@case()
def diag_listener(context):
    """A listener: its state, port, backlog, and how many connections wait."""
    listener = context.listener(context.link.b, 7000, backlog=5)
    answer = only(dump(context, context.link.b, diag.LISTEN), "listeners")
    check_equal(answer.ports, (7000, 0), "ports")
    check_equal((answer.rqueue, answer.wqueue), (0, 5), "connections waiting, backlog")
    check_equal(answer.inode, os.fstat(listener.fileno()).st_ino, "inode")
    client = context.socket(context.link.a)
    client.connect(context.address(context.link.b, 7000))
    context.until(lambda: only(dump(context, context.link.b, diag.LISTEN),
                               "listeners").rqueue == 1, "the connection waits")
    context.accept(listener)


@case()
def diag_connection(context):
    """A connection: both ports, queues, memory, TCP_INFO, congestion control, mark."""
    client, server = context.connected()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 77)
    client.sendall(b"x" * 5000)
    context.wait_for(server, select.POLLIN, "data")
    everything = (diag.MEMINFO, diag.INFO, diag.CONG, diag.SKMEMINFO, diag.TOS)
    answer = only(dump(context, context.link.a, diag.ESTABLISHED, extensions=everything),
                  "connections")
    check_equal(answer.ports, (client.getsockname()[1], 7000), "ports")
    check_equal(answer.uid, os.getuid(), "uid")
    check_equal(struct.unpack("=I", answer.attributes[diag.MARK])[0], 77, "mark")
    check_equal(answer.attributes[diag.INFO][TCP_INFO_STATE], diag.ESTABLISHED, "state in INFO")
    mss = struct.unpack_from("=I", answer.attributes[diag.INFO], TCP_INFO_MSS)[0]
    check(500 <= mss <= 65535, f"INFO says an MSS of {mss}")
    check(answer.congestion in ("reno", "cubic"), f"congestion control {answer.congestion!r}")
    peer = only(dump(context, context.link.b, diag.ESTABLISHED, extensions=everything), "peers")
    context.until(lambda: only(dump(context, context.link.b, diag.ESTABLISHED),
                               "peers").rqueue == 5000, "5000 octets wait to be read")
    charged = struct.unpack_from("=I", peer.attributes[diag.SKMEMINFO])[0]
    check(charged >= 5000 or peer.rqueue < 5000, f"SKMEMINFO says {charged} for 5000 octets")
    check_equal(len(peer.attributes[diag.MEMINFO]), 16, "length of MEMINFO")
    receive_exactly(server, 5000)


@case()
def diag_unacknowledged(context):
    """What is not acknowledged is in the send queue, and the timer says what it waits for."""
    client, _ = context.connected()
    context.link.cut()
    client.sendall(b"y" * 1000)
    context.until(lambda: only(dump(context, context.link.a, diag.ESTABLISHED),
                               "connections").retrans >= 1, "a retransmission")
    answer = only(dump(context, context.link.a, diag.ESTABLISHED), "connections")
    check_equal((answer.timer, answer.wqueue), (1, 1000), "timer, send queue")
    check(answer.expires > 0, "the timer runs")
    context.link.mend()


@case()
def diag_half_open(context):
    """Half-open connections are SYN-RECV, and an administrator can end one."""
    context.listener(context.link.b, 7000)
    context.link.cut(context.link.b)
    client = context.socket(context.link.a)
    client.setblocking(False)
    client.connect_ex(context.address(context.link.b, 7000))
    context.until(lambda: dump(context, context.link.b, diag.SYN_RECV), "a half-open connection")
    answer = only(dump(context, context.link.b, diag.SYN_RECV), "half-open connections")
    check_equal(answer.ports, (7000, client.getsockname()[1]), "ports")
    check_equal(answer.timer, 1, "timer")
    check_equal(only(dump(context, context.link.a, diag.SYN_SENT), "attempts").ports[1], 7000,
                "port of the attempt")
    diag.destroy(context.link.b.ns, context.family, inet_of(context), answer.ident)
    check_equal(dump(context, context.link.b, diag.SYN_RECV), [], "half-open connections then")


@case()
def diag_time_wait(context):
    """TIME-WAIT stays visible with its timer, and an administrator can end it."""
    client, server = context.connected()
    ports = (client.getsockname()[1], 7000)
    client.close()
    check_equal(server.recv(1), b"", "end of stream")
    server.close()
    context.until(lambda: dump(context, context.link.a, diag.TIME_WAIT), "TIME-WAIT")
    answer = only(dump(context, context.link.a, diag.TIME_WAIT), "connections in TIME-WAIT")
    check_equal((answer.ports, answer.timer), (ports, 3), "ports and timer")
    check(0 < answer.expires <= 60_000, f"{answer.expires} ms to go")
    again = only(dump(context, context.link.a, diag.TIME_WAIT), "the same again")
    check_equal(again.cookie, answer.cookie, "cookie the second time")
    wrong = answer.ident[:40] + b"\1" * 8
    expect_error(errno.ENOENT, "ending it with another cookie", diag.destroy,
                 context.link.a.ns, context.family, inet_of(context), wrong)
    diag.destroy(context.link.a.ns, context.family, inet_of(context), answer.ident)
    check_equal(dump(context, context.link.a, diag.TIME_WAIT), [], "TIME-WAIT then")


@case()
def diag_bound(context):
    """A socket that has a port and nothing else is found if one asks for it."""
    sock = context.socket(context.link.a)
    sock.bind(context.address(context.link.a, 7123))
    answer = only(dump(context, context.link.a, diag.BOUND_INACTIVE), "bound sockets")
    check_equal((answer.state, answer.ports), (diag.CLOSE, (7123, 0)), "state and ports")
    usual = sum(1 << state for state in range(1, 12))
    check_equal(diag.dump(context.link.a.ns, context.family, inet_of(context), usual), [],
                "answers when only states of connections are asked for")


@case()
def diag_one(context):
    """A question about one connection, by its ends and its cookie."""
    context.connected()
    found = only(dump(context, context.link.a, diag.ESTABLISHED), "connections")
    where = (context.link.a.ns, context.family, inet_of(context))
    answer = diag.one(*where, found.ident, (diag.INFO, diag.CONG, diag.SKMEMINFO))
    check_equal((answer.ident, answer.state), (found.ident, diag.ESTABLISHED), "answer")
    check(diag.INFO in answer.attributes, "INFO is in the answer")
    check_equal(diag.one(*where, found.ident[:40] + diag.ANY_COOKIE).ident, found.ident,
                "answer without a cookie")
    expect_error(errno.ENOENT, "another cookie", diag.one, *where, found.ident[:40] + b"\1" * 8)
    expect_error(errno.ENOENT, "another port", diag.one, *where,
                 b"\0\1" + found.ident[2:40] + diag.ANY_COOKIE)


@case()
def diag_destroy(context):
    """SOCK_DESTROY: the owner gets ECONNABORTED, the peer a reset; only for administrators."""
    client, server = context.connected()
    found = only(dump(context, context.link.a, diag.ESTABLISHED), "connections")
    where = (context.link.a.ns, context.family, inet_of(context), found.ident)

    def without_rights(send):
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        try:
            diag.destroy_here(context.family, inet_of(context), found.ident)
        except PermissionError:
            send(b"p")

    with context.link.a.ns.inside():
        pid, reader = context.fork(without_rights)
    check_equal(os.read(reader, 1), b"p", "what a user without rights was told")
    context.reap(pid)
    diag.destroy(*where)
    expect_error(errno.ECONNABORTED, "reading the ended connection", client.recv, 1)
    context.wait_for(server, select.POLLIN, "the reset")
    expect_error(errno.ECONNRESET, "reading its peer", server.recv, 1)


@case()
def diag_filters(context):
    """Bytecode, states, family and ports choose among many sockets; a dump in parts is whole."""
    listeners = [context.listener(context.link.b, 7000 + number) for number in range(120)]
    found = dump(context, context.link.b, diag.LISTEN)
    check_equal(sorted(answer.ports[0] for answer in found), list(range(7000, 7120)),
                "ports of all listeners")
    some = dump(context, context.link.b, diag.LISTEN, filter_by=diag.port_filter(7010, 7019))
    check_equal(sorted(answer.ports[0] for answer in some), list(range(7010, 7020)),
                "ports within the filter")
    other = socket.AF_INET6 if context.version == 4 else socket.AF_INET
    check_equal(diag.dump(context.link.b.ns, context.family, other, 1 << diag.LISTEN), [],
                "listeners of the other family")
    check_equal(dump(context, context.link.a), [], "sockets in the other namespace")
    for listener in listeners:
        listener.close()


@case()
def proc_table(context):
    """The table in /proc/net: every form of a connection, lines of one length, TCP's columns."""
    client, server = context.connected()
    context.listener(context.link.b, 7001)
    client.sendall(b"z" * 300)
    context.wait_for(server, select.POLLIN, "data")
    rows, lines = diag.table(context.link.b.ns, context.family, context.version)
    if (context.family.name, context.version) != ("tcp", 6):
        check_equal({len(line) for line in lines}, {len(lines[0])}, "lengths of the lines")
    check_equal(sorted(row[3] for row in rows), ["01", "0A"], "states")
    row = next(row for row in rows if row[3] == "01")
    local, remote = row[1].rsplit(":", 1), row[2].rsplit(":", 1)
    check_equal((int(local[1], 16), int(remote[1], 16)), (7000, client.getsockname()[1]), "ports")
    packed = socket.inet_pton(inet_of(context), context.link.b.address(context.version))
    words = "".join(f"{word:08X}" for word in struct.unpack(f"={len(packed) // 4}I", packed))
    check_equal(local[0], words, "address")
    check_equal(int(row[4].split(":")[1], 16), 300, "octets to read")
    check_equal((row[7], int(row[9])), (str(os.getuid()), os.fstat(server.fileno()).st_ino),
                "uid and inode")
    check_equal(len(row), 17, "columns")
    peer = diag.table(context.link.b.ns, context.family, 10 - context.version)[0]
    check_equal(peer, [], "rows in the other version's table")
    client.close()
    server.recv(300)
    server.close()
    context.until(lambda: "06" in [row[3] for row in diag.table(
        context.link.a.ns, context.family, context.version)[0]], "a row in TIME-WAIT")
    rows = diag.table(context.link.a.ns, context.family, context.version)[0]
    row = next(row for row in rows if row[3] == "06")
    check_equal((row[5].split(":")[0], len(row)), ("03", 12), "timer and columns")
