# SPDX-License-Identifier: GPL-2.0
"""Connections to which nothing happens sleep in little memory, and nobody can tell."""

import select
import socket
import threading

from harness import diag, faults, kernel
from harness.context import pattern, receive_exactly
from harness.memory import usage
from harness.registry import case, check, check_equal

# All of struct tcp_info that NEW_TCP fills, and what in it tells the time since something.
INFO_LEN = 236
AGES = slice(44, 60)


def asleep(context):
    """Connections that sleep, on the whole host."""
    return usage(context.link.a.ns)["host_sockets"]["dormant"]


def woken(context):
    """How often one was woken, on the whole host."""
    return usage(context.link.a.ns)["host_sockets"]["woken"]


def until_asleep(context, count):
    """Wait until so many sleep."""
    context.until(lambda: asleep(context) == count, f"{count} connections sleep")


def ageless(found):
    """A struct tcp_info, ages left out."""
    found = bytearray(found[:INFO_LEN])
    found[AGES] = bytes(AGES.stop - AGES.start)
    return bytes(found)


def info(sock):
    """What TCP_INFO says, ages left out."""
    return ageless(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO_LEN))


def table(context):
    """The table of a's sockets, references left out: a timer that is set has one."""
    rows, _ = diag.table(context.link.a.ns, context.family, context.version)
    return [row[:10] + row[11:] for row in rows]


def pair(context):
    """Two ends that have both sent and received, and none that sleeps."""
    until_asleep(context, 0)
    client, server = context.connected()
    data = pattern(50_000, seed=3)
    for one, other in ((client, server), (server, client)):
        one.sendall(data)
        check_equal(receive_exactly(other, len(data)), data, "the first bytes")
    return client, server


@case(families=("newtcp",))
def dormant_looks_the_same(context):
    """What TCP_INFO says is the same before, after, and after a second sleep."""
    ends = pair(context)
    # The last acknowledgment may still be on its way.
    context.until(lambda: asleep(context) == 2, "both sleep")
    before = [info(end) for end in ends]
    check_equal(asleep(context), 0, "connections that sleep while they are looked at")
    until_asleep(context, 2)
    check_equal([info(end) for end in ends], before, "TCP_INFO after another sleep")


@case(families=("newtcp",))
def dormant_looked_at(context):
    """A table, a dump and a question about one tell of those that sleep, and wake none."""
    client, _ = pair(context)
    until_asleep(context, 2)
    before = woken(context)
    ns, family = context.link.a.ns, context.family
    inet = socket.AF_INET if context.version == 4 else socket.AF_INET6
    everything = (diag.INFO, diag.CONG)
    rows = table(context)
    found = diag.dump(ns, family, inet, extensions=everything)
    check_equal((len(rows), len(found)), (1, 1), "rows of the table, answers to a dump")
    found += [diag.one(ns, family, inet, found[0].ident, extensions=everything)]
    check_equal(asleep(context), 2, "connections that sleep after they were looked at")
    check_equal(woken(context), before, "how often one was woken until then")
    told = info(client)
    check_equal(asleep(context), 1, "connections that sleep after TCP_INFO")
    check_equal(table(context), rows, "the table when it is awake")
    for answer in found:
        check_equal(ageless(answer.attributes[diag.INFO]), told, "what diagnosis told")
        check_equal(answer.congestion, "cubic", "congestion control")


@case(families=("newtcp",))
def dormant_goes_on(context):
    """Data wakes both ends; a reader, poll and the end of the stream too."""
    client, server = pair(context)
    until_asleep(context, 2)
    client.sendall(b"question")
    context.wait_for(server, select.POLLIN, "data for one that sleeps")
    check_equal(receive_exactly(server, 8), b"question", "the data")
    until_asleep(context, 2)
    found = []
    reader = threading.Thread(target=lambda: found.append(client.recv(100)))
    reader.start()
    # The reader has woken its end, and sleeps longer than that.
    until_asleep(context, 2)
    server.sendall(b"answer")
    reader.join(20 * context.scale)
    check_equal(found, [b"answer"], "what a waiting reader gets")
    until_asleep(context, 2)
    client.shutdown(socket.SHUT_WR)
    context.wait_for(server, select.POLLIN, "the FIN")
    check_equal(server.recv(1), b"", "the end of the stream")
    server.close()
    check_equal(client.recv(1), b"", "the other end of the stream")
    check_equal(asleep(context), 0, "connections that sleep after the end")


@case(families=("newtcp",))
def dormant_unread(context):
    """What was not read before the sleep is there after it, in order."""
    client, server = pair(context)
    first, second = pattern(20_000, seed=5), pattern(20_000, seed=6)
    client.sendall(first)
    until_asleep(context, 2)
    client.sendall(second)
    check_equal(receive_exactly(server, 40_000), first + second, "the bytes")


@case(families=("newtcp",))
def dormant_probed(context):
    """Keepalive probes go on, and the peer's death is found out."""
    client, server = pair(context)
    for option, value in ((socket.TCP_KEEPIDLE, 4), (socket.TCP_KEEPINTVL, 1),
                          (socket.TCP_KEEPCNT, 3)):
        client.setsockopt(socket.IPPROTO_TCP, option, value)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    until_asleep(context, 2)
    context.until(lambda: asleep(context) == 0, "a probe wakes both")
    until_asleep(context, 2)
    client.sendall(b"x")
    check_equal(receive_exactly(server, 1), b"x", "a byte after a probe")


@case(versions=(4,), families=("newtcp",))
def dormant_between_probes(context):
    """A timer that finds nothing to do but to be set again lets the connection sleep on."""
    client, _ = pair(context)
    for option, value in ((socket.TCP_KEEPIDLE, 8), (socket.TCP_KEEPINTVL, 2)):
        client.setsockopt(socket.IPPROTO_TCP, option, value)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    until_asleep(context, 2)
    before = woken(context)
    for _ in range(2):
        context.until(lambda: asleep(context) == 0, "a probe wakes both")
        until_asleep(context, 2)
    # Three for each probe, which goes out, comes in, and is answered; and one when the timer goes
    # off that waited for the first answer. Timers may be early.
    times = woken(context) - before
    check(times <= 9, f"connections were woken {times} times for two probes")


@case(families=("newtcp",))
def dormant_closed(context):
    """The end of one that sleeps: closed by its user, and reset by its peer."""
    client, server = pair(context)
    until_asleep(context, 2)
    client.close()
    context.wait_for(server, select.POLLIN, "the FIN")
    check_equal(server.recv(1), b"", "the end of the stream")
    server.close()
    client, server = pair(context)
    until_asleep(context, 2)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    context.wait_for(server, select.POLLHUP, "the reset")
    try:
        server.recv(1)
    except ConnectionResetError:
        return
    check(False, "the reset was not told")


@case(families=("newtcp",), needs=kernel.fails_on_demand)
def dormant_without_memory(context):
    """A segment that finds no memory to wake its connection up is lost, the next is not."""
    client, server = pair(context)
    until_asleep(context, 2)
    with faults.atomic("NEW_TCP_connection") as fault:
        fault.arm(1)
        client.sendall(b"again")
        check_equal(receive_exactly(server, 5), b"again", "the bytes")
        check(fault.disarm(), "no allocation has failed")
    # Who may wait does not fail.
    until_asleep(context, 2)
    with faults.nth() as fault:
        fault.arm(1)
        client.close()
        fault.disarm()
    context.wait_for(server, select.POLLIN, "the FIN")
    check_equal(server.recv(1), b"", "the end of the stream")
