# SPDX-License-Identifier: GPL-2.0
"""Listeners that share a port: who gets which connection, by hash, by processor, by program.

Each of these runs on TCP as it runs on NEW_TCP, but for programs of type SK_REUSEPORT.
"""

import errno
import os
import select
import socket

from harness import bpf
from harness.bpf import Classic
from harness.context import expect_error, receive_exactly
from harness.registry import case, check, check_equal

SO_INCOMING_CPU = 49
SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF, SO_DETACH_REUSEPORT_BPF = 51, 52, 68
PORT = 7000
# Not among the errors of C: what the core answers for a protocol that it does not know.
ENOTSUPP = 524

# Classic BPF: a = length, a = 16 bits, a & k, a % k, return a, return k.
LOAD_LENGTH, LOAD_HALF, MODULO, RETURN_A, RETURN_K = 0x80, 0x28, 0x94, 0x16, 0x06
# Places beyond the packet: its IP header, the number of the processor.
NET, CPU = -0x100000, -0x1000 + 36


def join(context, address, version=None):
    """One more listener there, on side b."""
    sock = context.socket(context.link.b, version)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(address)
    sock.listen(512)
    sock.setblocking(False)
    return sock


def sharing(context, count):
    """That many listeners on one port of side b."""
    return [join(context, context.address(context.link.b, PORT)) for _ in range(count)]


def drain(context, listener):
    """Accept and reset all that wait."""
    count = 0
    while True:
        try:
            context.abort(listener.accept()[0])
        except BlockingIOError:
            return count
        count += 1


@case(timeout=60)
def load_is_spread(context):
    """400 connections over four listeners: near a hundred each; a tuple keeps its listener."""
    listeners = sharing(context, 4)
    found = [0] * 4
    dial(context, 400)
    for number, listener in enumerate(listeners):
        found[number] = drain(context, listener)
    check_equal(sum(found), 400, "connections accepted")
    # Six standard deviations of a fair draw are 52.
    check(all(48 <= count <= 152 for count in found), f"the shares are {found}")
    meets = set()
    for _ in range(5):
        client = context.socket(context.link.a)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(context.address(context.link.a, 7111))
        client.connect(context.address(context.link.b, PORT))
        context.abort(client)
        meets |= {number for number, listener in enumerate(listeners)
                  if drain(context, listener)}
    check_equal(len(meets), 1, "listeners that one tuple meets")


@case()
def a_closed_listener_resets_its_queue(context):
    """What waited at one of two listeners is reset; the other serves whoever comes then."""
    listeners = sharing(context, 2)
    clients = []
    for _ in range(40):
        client = context.socket(context.link.a)
        client.connect(context.address(context.link.b, PORT))
        clients.append(client)
    listeners[0].close()
    kept = drain(context, listeners[1])
    check(0 < kept < 40, f"the other listener had {kept} of 40")
    for client in clients:
        context.wait_for(client, select.POLLERR | select.POLLHUP, "the reset")
    dial(context, 8)
    check_equal(drain(context, listeners[1]), 8, "connections of the listener that is left")


@case(versions=(4,))
def incoming_cpu_is_told(context):
    """SO_INCOMING_CPU names a processor once something has come."""
    client, server = context.connected()
    client.sendall(b"x")
    receive_exactly(server, 1)
    check(0 <= server.getsockopt(socket.SOL_SOCKET, SO_INCOMING_CPU) < os.cpu_count(),
          "SO_INCOMING_CPU is no processor")


def dial(context, count, version=None, port=0):
    """So many connections, reset at once; from that port, if it is not 0."""
    version = version or context.version
    for _ in range(count):
        client = context.socket(context.link.a, version)
        if port:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind((context.link.a.address(version), port))
        client.connect((context.link.b.address(version), PORT))
        context.abort(client)


def shares(context, listeners):
    """What waits at each."""
    return [drain(context, listener) for listener in listeners]


def attach(listener, *instructions):
    """A classic program for the listener's group."""
    program = Classic(*instructions)
    listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program.option)


def check_spread(context, listeners):
    """The hash chooses: of 60 connections nobody gets none, but once in 10^10."""
    dial(context, 60)
    found = shares(context, listeners)
    check_equal(sum(found), 60, "connections")
    check(min(found) > 0, f"the shares are {found}")


@case()
def a_program_chooses_by_number(context):
    """SO_ATTACH_REUSEPORT_CBPF: the result is the listener's number, whoever attached it, and a
    number that nobody has leaves it to the hash, as does the program's end."""
    listeners = sharing(context, 3)
    check_spread(context, listeners)
    for by, number in ((0, 2), (1, 0), (2, 1)):
        attach(listeners[by], (RETURN_K, number))
        dial(context, 8)
        check_equal(shares(context, listeners), [8 * (i == number) for i in range(3)],
                    f"what each got when the program said {number}")
    for number in (3, 0xffffffff):
        attach(listeners[0], (RETURN_K, number))
        check_spread(context, listeners)
    attach(listeners[0], (RETURN_K, 1))
    listeners[2].setsockopt(socket.SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0)
    check_spread(context, listeners)
    for listener in listeners:
        expect_error(errno.ENOENT, "nothing to detach", listener.setsockopt, socket.SOL_SOCKET,
                     SO_DETACH_REUSEPORT_BPF, 0)


@case()
def a_program_sees_the_packet(context):
    """Its data is the payload, of which a SYN has none; the headers are where they are for every
    program."""
    listeners = sharing(context, 4)
    attach(listeners[0], (LOAD_LENGTH, 0), (RETURN_A, 0))
    dial(context, 8)
    check_equal(shares(context, listeners), [8, 0, 0, 0], "connections by length of the payload")
    header = 20 if context.version == 4 else 40
    attach(listeners[0], (LOAD_HALF, NET + header), (MODULO, 4), (RETURN_A, 0))
    for port in (7100, 7103, 7101, 7102):
        dial(context, 1, port=port)
        check_equal(shares(context, listeners), [port % 4 == i for i in range(4)],
                    f"who got the connection from port {port}")


@case()
def a_program_knows_the_processor(context):
    """A listener for each processor."""
    processors = sorted(os.sched_getaffinity(0))
    listeners = sharing(context, processors[-1] + 1)
    attach(listeners[0], (0x20, CPU), (RETURN_A, 0))
    try:
        for processor in processors:
            os.sched_setaffinity(0, {processor})
            dial(context, 8)
            check_equal(shares(context, listeners),
                        [8 * (i == processor) for i in range(len(listeners))],
                        f"what each got from processor {processor}")
    finally:
        os.sched_setaffinity(0, processors)


@case()
def incoming_cpu_is_preferred(context):
    """SO_INCOMING_CPU at listeners: those of the processor come first, and traffic does not
    change it."""
    listeners = sharing(context, 3)
    check_spread(context, listeners)
    check_equal([listener.getsockopt(socket.SOL_SOCKET, SO_INCOMING_CPU)
                 for listener in listeners], [-1] * 3, "SO_INCOMING_CPU of busy listeners")
    processors = sorted(os.sched_getaffinity(0))
    try:
        os.sched_setaffinity(0, processors[:1])
        for chosen in (1, 2, 0):
            for number, listener in enumerate(listeners):
                listener.setsockopt(socket.SOL_SOCKET, SO_INCOMING_CPU,
                                    processors[0] if number == chosen else -1)
            dial(context, 12)
            check_equal(shares(context, listeners), [12 * (i == chosen) for i in range(3)],
                        f"what each got with processor {processors[0]} at {chosen}")
        listeners[0].setsockopt(socket.SOL_SOCKET, SO_INCOMING_CPU, -1)
        check_spread(context, listeners)
    finally:
        os.sched_setaffinity(0, processors)


@case()
def a_program_comes_before_the_port(context):
    """Attached before bind or before listen it is the group's; who has one of his own does not
    join a group that is there."""
    address = context.address(context.link.b, PORT)
    first = context.socket(context.link.b)
    first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    attach(first, (RETURN_K, 1))
    first.bind(address)
    first.listen(512)
    first.setblocking(False)
    listeners = [first, join(context, address)]
    dial(context, 8)
    check_equal(shares(context, listeners), [0, 8], "what each got")
    late = context.socket(context.link.b)
    late.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    attach(late, (RETURN_K, 0))
    expect_error(errno.EADDRINUSE, "bind with a program", late.bind, address)
    later = context.socket(context.link.b)
    later.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    later.bind(address)
    attach(later, (RETURN_K, 0))
    expect_error(errno.EADDRINUSE, "listen with a program", later.listen, 1)
    late.close()
    later.close()
    dial(context, 8)
    check_equal(shares(context, listeners), [0, 8], "what each got afterwards")


@case()
def a_listener_leaves_its_group(context):
    """The last one takes the number of one that closes; who listens again comes last; the
    program goes with the last member."""
    listeners = sharing(context, 3)
    attach(listeners[1], (RETURN_K, 0))
    dial(context, 6)
    check_equal(shares(context, listeners), [6, 0, 0], "what each of three got")
    listeners[0].shutdown(socket.SHUT_RDWR)
    dial(context, 6)
    check_equal(shares(context, listeners[1:]), [0, 6], "what each of two got")
    listeners[0].listen(512)
    attach(listeners[0], (RETURN_K, 2))
    dial(context, 6)
    check_equal(shares(context, listeners), [6, 0, 0], "what each of three again got")
    for listener in listeners[1:]:
        listener.close()
    dial(context, 6)
    check_equal(shares(context, listeners[:1]), [6], "what the only one got")
    listeners[0].shutdown(socket.SHUT_RDWR)
    listeners[0].listen(512)
    expect_error(errno.ENOENT, "the program is gone", listeners[0].setsockopt, socket.SOL_SOCKET,
                 SO_DETACH_REUSEPORT_BPF, 0)


@case()
def groups_do_not_mix(context):
    """An exact address is a group beside the wildcard's; IPv4's wildcard is one beside that of
    both versions, and serves IPv4 while it is there."""
    exact = sharing(context, 2)
    both = [join(context, ("::", PORT), 6) for _ in range(2)]
    attach(both[0], (RETURN_K, 1))
    four = [join(context, ("0.0.0.0", PORT), 4) for _ in range(2)]
    attach(four[0], (RETURN_K, 0))
    everyone = exact + both + four
    attach(exact[0], (RETURN_K, 0))
    dial(context, 4)
    check_equal(shares(context, everyone), [4, 0, 0, 0, 0, 0], "connections to the exact address")
    for listener in exact:
        listener.close()
    wanted = [0, 0, 4, 0] if context.version == 4 else [0, 4, 0, 0]
    dial(context, 4)
    check_equal(shares(context, both + four), wanted, "connections to the wildcard")
    for listener in four:
        listener.close()
    dial(context, 4)
    check_equal(shares(context, both), [0, 4], "connections when there is one wildcard")


def load_filter(number):
    """An extended program that adds a number to the length of the payload."""
    return bpf.load(bpf.SOCKET_FILTER, 0,
                    bpf.instruction(0x61, 0x10) + bpf.instruction(0x07, 0, 0, number)
                    + bpf.instruction(0x95))


@case()
def an_extended_program_chooses(context):
    """SO_ATTACH_REUSEPORT_EBPF with a program of type SOCKET_FILTER."""
    listeners = sharing(context, 2)
    for number in (0, 1):
        fd = load_filter(number)
        listeners[0].setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, fd)
        os.close(fd)
        dial(context, 8)
        check_equal(shares(context, listeners), [8 * (i == number) for i in range(2)],
                    f"what each got when the program said {number}")
    listeners[0].setsockopt(socket.SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0)
    check_spread(context, listeners)


@case(versions=(4,), families=("newtcp",))
def programs_of_their_own_type_are_refused(context):
    """Documentation/networking/mynewtcp/sockets-api.rst: the core has SK_REUSEPORT programs and
    maps of sockets for them for TCP and UDP only."""
    listeners = sharing(context, 2)
    for kind in (bpf.SELECT, bpf.SELECT_OR_MIGRATE):
        fd = bpf.load(bpf.SK_REUSEPORT, kind, bpf.answer(1))
        expect_error(ENOTSUPP, "a program of type SK_REUSEPORT", listeners[0].setsockopt,
                     socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, fd)
        os.close(fd)
    fd = bpf.create_map(bpf.REUSEPORT_SOCKARRAY, 4, 8, 2)
    expect_error(ENOTSUPP, "a map of listeners", bpf.update_map, fd, 0, listeners[0].fileno())
    os.close(fd)
    check_spread(context, listeners)


@case(timeout=60)
def groups_change_under_load(context):
    """Members come and go, programs too, while connections arrive; everybody is served."""
    listeners = sharing(context, 2)
    for turn in range(60):
        if turn % 3 == 0:
            attach(listeners[turn % 2], (LOAD_LENGTH, 0), (RETURN_A, 0))
        guest = join(context, context.address(context.link.b, PORT))
        dial(context, 3)
        found = sum(shares(context, [*listeners, guest]))
        check_equal(found, 3, "connections")
        if turn % 3 == 1:
            guest.setsockopt(socket.SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0)
        listeners[turn % 2].close()
        listeners[turn % 2] = guest
