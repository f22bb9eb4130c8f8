# SPDX-License-Identifier: GPL-2.0
"""Every row of the table of socket options: what it takes, what it gives back, who inherits."""

import ctypes
import errno
import os
import socket
import struct
import time

from harness.context import expect_error
from harness.forge import Ear
from harness.options import OPTIONS
from harness.registry import case, check, check_equal

SOL_TCP, SOL_NEWTCP = socket.SOL_TCP, 288
TCP_SAVE_SYN, TCP_SAVED_SYN = 27, 28
INTS = [row for row in OPTIONS if row[2] in ("flag", "exact")]
ABOVE, BELOW = (1 << 31) - 1, -(1 << 31)

_libc = ctypes.CDLL(None, use_errno=True)


def set_raw(sock, number, raw, length):
    """setsockopt(2) with a length of its own."""
    if _libc.setsockopt(sock.fileno(), SOL_TCP, number, raw, length) != 0:
        raise OSError(ctypes.get_errno(), "setsockopt")


def values_of(kind, least, most):
    """Value to set -> value to read."""
    if kind == "flag":
        return {1: 1, 0: 0, -1: 1, ABOVE: 1}
    return {most: most, least: least}


@case(versions=(4,), families=("newtcp",))
def option_values(context):
    """Each limit is read back at both levels; what is beyond is EINVAL and changes nothing."""
    sock = context.socket(context.link.a)
    for name, number, kind, least, most, _ in INTS:
        for value, told in values_of(kind, least, most).items():
            for level in (SOL_TCP, SOL_NEWTCP):
                sock.setsockopt(level, number, value)
                for other in (SOL_TCP, SOL_NEWTCP):
                    check_equal(sock.getsockopt(other, number), told, f"{name} after {value}")
        for value in ((least - 1, most + 1) if kind == "exact" else ()):
            if BELOW <= value <= ABOVE:
                before = sock.getsockopt(SOL_TCP, number)
                expect_error(errno.EINVAL, f"{name} of {value}", sock.setsockopt, SOL_TCP,
                             number, value)
                check_equal(sock.getsockopt(SOL_TCP, number), before, f"{name} afterwards")


@case(versions=(4,), families=("newtcp",))
def option_lengths(context):
    """Fewer bytes than an int has are EINVAL, more are not looked at; reading gives as many as
    there is room for."""
    sock = context.socket(context.link.a)
    for name, number, kind, least, _, _ in INTS:
        value = 1 if kind == "flag" else least
        raw = struct.pack("i", value) + bytes(4096)
        for length in (0, 1, 2, 3):
            expect_error(errno.EINVAL, f"{name} of {length} bytes", set_raw, sock, number, raw,
                         length)
        for length in (4, 5, 4096):
            set_raw(sock, number, raw, length)
            check_equal(sock.getsockopt(SOL_TCP, number), value, f"{name} of {length} bytes")
        for room in (1, 2, 3, 4, 64):
            check_equal(sock.getsockopt(SOL_TCP, number, room),
                        struct.pack("i", value)[:room], f"{name} in {room} bytes")


@case(families=("newtcp",))
def option_inheritance(context):
    """An accepted socket has the value of its listener where the table says so."""
    for place, (name, number, kind, least, most, inherited) in enumerate(INTS):
        listener = context.listener(context.link.b, 7000 + place)
        start = listener.getsockopt(SOL_TCP, number)
        wanted = int(not start) if kind == "flag" else (least if start != least else most)
        listener.setsockopt(SOL_TCP, number, wanted)
        client = context.socket(context.link.a)
        client.connect(context.address(context.link.b, 7000 + place))
        server = context.accept(listener)
        check_equal(server.getsockopt(SOL_TCP, number), wanted if inherited else start,
                    f"{name} of an accepted socket")


@case(versions=(4,), families=("newtcp",))
def option_refused(context):
    """What the table refuses is ENOPROTOOPT, and so is what nobody knows."""
    sock = context.socket(context.link.a)
    refused = [row[1] for row in OPTIONS if row[2] == "refused"]
    check(len(refused) > 20, "the table has lost its refusals")
    for number in (*refused, 0, 15, 47, 1000, -1):
        for level in (SOL_TCP, SOL_NEWTCP):
            expect_error(errno.ENOPROTOOPT, f"setting {number}", sock.setsockopt, level, number, 1)
            expect_error(errno.ENOPROTOOPT, f"reading {number}", sock.getsockopt, level, number, 4)


@case(versions=(4,))
def option_congestion(context):
    """Congestion control by name: unknown ones are ENOENT, restricted ones are for the
    administrator, and an accepted socket has the listener's."""
    def told(sock):
        return sock.getsockopt(SOL_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0")

    listener = context.listener(context.link.b)
    check_equal(told(listener), b"cubic", "the default")
    expect_error(errno.ENOENT, "no such name", listener.setsockopt, SOL_TCP,
                 socket.TCP_CONGESTION, b"nonesuch")
    listener.setsockopt(SOL_TCP, socket.TCP_CONGESTION, b"reno")
    client = context.socket(context.link.a)
    client.connect(context.address(context.link.b, 7000))
    server = context.accept(listener)
    check_equal((told(listener), told(client), told(server)), (b"reno", b"cubic", b"reno"),
                "names")
    client.setsockopt(SOL_TCP, socket.TCP_CONGESTION, b"reno")
    check_equal(told(client), b"reno", "the name after a change")
    if context.family.name == "tcp":
        return
    client.setsockopt(SOL_TCP, socket.TCP_CONGESTION, b"dctcp")

    def unprivileged(send):
        os.setuid(65534)
        try:
            server.setsockopt(SOL_TCP, socket.TCP_CONGESTION, b"dctcp")
        except PermissionError as error:
            send(bytes([error.errno]))

    pid, reader = context.fork(unprivileged)
    check_equal(context.reap(pid), 0, "status of the child")
    check_equal(os.read(reader, 1), bytes([errno.EPERM]), "errno without privilege")
    ns = context.link.b.ns
    check_equal(ns.read("/proc/sys/net/mynewtcp/allowed_congestion_control").split(),
                ["cubic", "reno"], "what anybody may choose")
    check_equal(ns.read("/proc/sys/net/mynewtcp/available_congestion_control").split(),
                ["cubic", "reno", "dctcp"], "what there is")
    ns.write_sysctl("net.mynewtcp.congestion_control", "reno")
    check_equal(told(context.socket(context.link.b)), b"reno", "the namespace's default")
    expect_error(errno.ENOENT, "no such default", ns.write_sysctl,
                 "net.mynewtcp.congestion_control", "nonesuch")
    expect_error(errno.EPERM, "a restricted default", ns.write_sysctl,
                 "net.mynewtcp.congestion_control", "dctcp")


@case()
def option_inq(context):
    """With TCP_INQ each read says how much is left, and 1 at the end of the stream."""
    client, server = context.connected()
    server.setsockopt(SOL_TCP, 36, 1)
    client.sendall(b"x" * 100)

    def left(count):
        _, control, _, _ = server.recvmsg(count, 64)
        check_equal([(level, kind) for level, kind, _ in control], [(SOL_TCP, 36)],
                    "control messages")
        return struct.unpack("i", control[0][2])[0]

    check_equal(left(40), 60, "octets left")
    check_equal(left(60), 0, "octets left")
    client.shutdown(socket.SHUT_WR)
    check_equal(left(10), 1, "octets left at the end")


@case()
def option_window_clamp(context):
    """A clamped listener's connections are offered no larger window."""
    listener = context.listener(context.link.b)
    listener.setsockopt(SOL_TCP, socket.TCP_WINDOW_CLAMP, 5000)
    client = context.socket(context.link.a)
    client.connect(context.address(context.link.b, 7000))
    context.accept(listener)
    client.setblocking(False)
    client.send(b"x" * 100000)
    window = struct.unpack("I", client.getsockopt(SOL_TCP, socket.TCP_INFO, 232)[228:232])[0]
    check(0 < window <= 5000, f"a window of {window} octets is offered")


def saved_syn(sock, room):
    """TCP_SAVED_SYN with so much room: errno, the length that it gives, the bytes."""
    buffer = ctypes.create_string_buffer(room + 1)
    length = ctypes.c_int(room)
    failed = _libc.getsockopt(sock.fileno(), SOL_TCP, TCP_SAVED_SYN, buffer, ctypes.byref(length))
    return (ctypes.get_errno() if failed else 0), length.value, buffer.raw[:length.value]


@case()
def option_saved_syn(context):
    """With TCP_SAVE_SYN an accepted socket has the headers of its SYN, once."""
    listener = context.listener(context.link.b)
    ip_header = {4: 20, 6: 40}[context.version]
    for wish, link_header in ((1, 0), (2, 14)):
        listener.setsockopt(SOL_TCP, TCP_SAVE_SYN, wish)
        client = context.socket(context.link.a)
        client.connect(context.address(context.link.b, 7000))
        server = context.accept(listener)
        error, length, _ = saved_syn(server, 30)
        check_equal(error, errno.EINVAL, "errno without room")
        error, got, headers = saved_syn(server, length)
        check_equal((error, got), (0, length), "errno and length with room")
        check_equal(length, link_header + ip_header + headers[link_header + ip_header + 12] // 16 * 4,
                    "octets of all headers")
        check_equal(headers[link_header] >> 4, context.version, "IP version")
        ports = struct.unpack_from(">HH", headers, link_header + ip_header)
        check_equal(ports, (client.getsockname()[1], 7000), "ports")
        check_equal(headers[link_header + ip_header + 13] & 0x3f, 0x02, "flags of the SYN")
        check_equal(saved_syn(server, 200)[:2], (0, 0), "errno and length the second time")
    listener.setsockopt(SOL_TCP, TCP_SAVE_SYN, 0)
    client = context.socket(context.link.a)
    client.connect(context.address(context.link.b, 7000))
    server = context.accept(listener)
    check_equal(saved_syn(server, 200)[:2], (0, 0), "errno and length without TCP_SAVE_SYN")
    expect_error(errno.ENOPROTOOPT, "setting TCP_SAVED_SYN", server.setsockopt, SOL_TCP,
                 TCP_SAVED_SYN, 1)


@case(versions=(4,))
def option_info_of_timeouts(context):
    """TCP_INFO has all of struct tcp_info: time-outs, how many rows of them, and how long they
    took, also before they are over."""
    client, server = context.connected()
    check_equal(len(client.getsockopt(SOL_TCP, socket.TCP_INFO, 1024)), 280,
                "octets of struct tcp_info")
    for room in (1, 235, 241, 280):
        check_equal(len(client.getsockopt(SOL_TCP, socket.TCP_INFO, room)), room, "octets told")

    def timeouts():
        return struct.unpack_from("HHI", client.getsockopt(SOL_TCP, socket.TCP_INFO, 248), 240)

    check_equal(timeouts(), (0, 0, 0), "time-outs, rows, milliseconds at first")
    client.sendall(b"x")
    server.recv(1)
    context.link.b.ns.net.down("b0")
    client.sendall(b"x")
    context.until(lambda: timeouts()[0] >= 2 and timeouts()[2] > 0, "there are time-outs")
    check_equal(timeouts()[1], 1, "rows of them")
    early = timeouts()[2]
    context.until(lambda: timeouts()[2] > early, "the time goes on")
    context.link.b.ns.net.up("b0")
    check_equal(server.recv(1), b"x", "what comes at last")
    context.until(lambda: struct.unpack_from(
        "I", client.getsockopt(SOL_TCP, socket.TCP_INFO, 248), 24)[0] == 0, "all is acknowledged")
    late = timeouts()
    client.sendall(b"x")
    server.recv(1)
    check_equal(timeouts()[2], late[2], "milliseconds afterwards")


@case(versions=(4,))
def option_tx_delay(context):
    """TCP_TX_DELAY makes the path longer where fq is at the device."""
    context.link.a.ns.run(["tc", "qdisc", "add", "dev", context.link.a.device, "root", "fq"])
    client, server = context.connected()

    def round_trip():
        start = time.monotonic()
        client.sendall(b"x")
        server.recv(1)
        server.sendall(b"y")
        client.recv(1)
        return time.monotonic() - start

    client.setsockopt(SOL_TCP, 37, 150_000)
    check_equal(client.getsockopt(SOL_TCP, 37), 150_000, "TCP_TX_DELAY")
    check(round_trip() >= 0.15, "a round trip takes as long as that")
    client.setsockopt(SOL_TCP, 37, 0)
    context.until(lambda: round_trip() < 0.15, "a round trip is quick again")


@case(versions=(4,))
def option_filter_needs_privilege(context):
    """A classic filter at a stream's socket is for the administrator."""
    sock = context.socket(context.link.a)
    accept_all = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0x40000))
    program = struct.pack("HxxxxxxP", 1, ctypes.addressof(accept_all))
    sock.setsockopt(socket.SOL_SOCKET, 26, program)

    def unprivileged(send):
        os.setuid(65534)
        try:
            sock.setsockopt(socket.SOL_SOCKET, 26, program)
        except PermissionError:
            send(b"!")

    pid, reader = context.fork(unprivileged)
    check_equal(context.reap(pid), 0, "status of the child")
    check_equal(os.read(reader, 1), b"!", "EPERM without privilege")


@case()
def option_of_ip_in_syn_acks(context):
    """What a listener is asked for at the level of IP is in its SYN-ACKs and in what accepted
    sockets send."""
    listener = context.listener(context.link.b)
    if context.version == 4:
        asked = ((socket.IPPROTO_IP, socket.IP_TTL, 7), (socket.IPPROTO_IP, socket.IP_TOS, 0x28))
    else:
        asked = ((socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 7),
                 (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x28))
    for level, option, value in asked:
        listener.setsockopt(level, option, value)
    ear = Ear(context, context.link.b)
    client = context.socket(context.link.a)
    client.connect(context.address(context.link.b, 7000))
    server = context.accept(listener)
    for level, option, value in asked:
        check_equal(server.getsockopt(level, option), value, "what an accepted socket has")
    server.sendall(b"x")
    for wanted, what in ((lambda segment: segment.flags & 2 and segment.source_port == 7000, "SYN-ACK"),
                         (lambda segment: segment.payload == b"x", "data")):
        packet, _ = ear.hear(wanted, what)
        if context.version == 4:
            found = packet[8], packet[1]
        else:
            found = packet[7], (packet[0] & 15) << 4 | packet[1] >> 4
        check_equal(found, (7, 0x28), f"hop limit and class of the {what}")
