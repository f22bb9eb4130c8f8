# SPDX-License-Identifier: GPL-2.0
"""net.mynewtcp.*: the table of all files, and what a change reaches."""

import errno
import os
import socket

from harness.context import expect_error
from harness.netns import Namespace
from harness.registry import case, check, check_equal
from harness.sysctls import SYSCTLS

FOLDER = "/proc/sys/net/mynewtcp/"
NUMBERS = [row for row in SYSCTLS if row[2] is not None]
SOL_TCP = socket.SOL_TCP
TIMESTAMPS, SACK, WSCALE = 1, 2, 4


def read(name):
    """What a file says."""
    with open(FOLDER + name, encoding="ascii") as file:
        return file.read().strip()


def write(name, text):
    """Write to a file as echo(1) does, but in one call."""
    fd = os.open(FOLDER + name, os.O_WRONLY)
    try:
        os.write(fd, str(text).encode())
    finally:
        os.close(fd)


def walk_limits(name, least, most):
    """Both limits can be written; what is beyond, or no number, changes nothing."""
    for value in (least, most):
        write(name, f"{value}\n")
        check_equal(read(name), str(value), f"{name} after {value} was written")
    for bad in (least - 1, most + 1, 1 << 40, "x", "0x", "-"):
        expect_error(errno.EINVAL, f"writing {bad!r} to {name}", write, name, f"{bad}\n")
        check_equal(read(name), str(most), f"{name} after {bad!r} was refused")


@case(versions=(4,), families=("newtcp",))
def sysctl_files_are_those_of_the_table(context):
    """A fresh namespace has every file of the table but the host's, with the defaults."""
    expected = {name for name, of_host, *_ in SYSCTLS if not of_host}
    check_equal(set(os.listdir(FOLDER)), {row[0] for row in SYSCTLS}, "files of the host")
    for name in os.listdir(FOLDER):
        mode = 0o444 if name.startswith("available") else 0o644
        check_equal(os.stat(FOLDER + name).st_mode & 0o777, mode, f"mode of {name}")
    ns = context.link.a.ns
    with ns.inside():
        check_equal(set(os.listdir(FOLDER)), expected, "files of a namespace")
        for name, of_host, _, _, start in NUMBERS:
            if start is not None and not of_host:
                check_equal(read(name), str(start), f"default of {name}")


@case(versions=(4,), families=("newtcp",))
def sysctl_limits_of_a_namespace(context):
    """Every number takes its least and its most, and nothing beyond."""
    with context.link.a.ns.inside():
        for name, of_host, least, most, _ in NUMBERS:
            if not of_host:
                walk_limits(name, least, most)


@case(versions=(4,), families=("newtcp",))
def sysctl_limits_of_the_host(_context):
    """The same for the numbers of the host."""
    for name, of_host, least, most, _ in NUMBERS:
        if of_host:
            before = read(name)
            try:
                walk_limits(name, least, most)
            finally:
                write(name, before)


@case(versions=(4,), families=("newtcp",))
def sysctl_changes_one_namespace(context):
    """A write changes neither the other namespace nor those that are made later."""
    a, b = context.link.a.ns, context.link.b.ns
    with b.inside():
        before = {row[0]: read(row[0]) for row in SYSCTLS if not row[1]}
    with a.inside():
        for name, of_host, least, most, _ in NUMBERS:
            if not of_host:
                write(name, most if before[name] == str(least) else least)
    later = Namespace("later")
    try:
        for ns in (b, later):
            with ns.inside():
                for name, value in before.items():
                    check_equal(read(name), value, f"{name} in {ns.name}")
    finally:
        later.close()


@case(versions=(4,))
def sysctl_reaches_sockets_that_exist(context):
    """An option that was not set follows the namespace; one that was set does not, and an
    accepted socket has it from its listener."""
    folder = "net.ipv4.tcp_" if context.family.name == "tcp" else "net.mynewtcp."
    ns = context.link.b.ns
    listener = context.listener(context.link.b)
    listener.setsockopt(SOL_TCP, socket.TCP_KEEPINTVL, 11)
    client = context.socket(context.link.a)
    client.connect(context.address(context.link.b, 7000))
    server = context.accept(listener)
    for sock in (listener, server):
        check_equal(sock.getsockopt(SOL_TCP, socket.TCP_KEEPIDLE), 7200, "idle time at first")
    ns.write_sysctl(folder + "keepalive_time", 99)
    ns.write_sysctl(folder + "keepalive_intvl", 98)
    for sock in (listener, server):
        check_equal(sock.getsockopt(SOL_TCP, socket.TCP_KEEPIDLE), 99, "idle time")
        check_equal(sock.getsockopt(SOL_TCP, socket.TCP_KEEPINTVL), 11, "interval")
    check_equal(client.getsockopt(SOL_TCP, socket.TCP_KEEPIDLE), 7200, "the other's idle time")


def options_in_use(context, port):
    """tcpi_options of a new connection from a to b, as both ends see them."""
    client, server = context.connected(port)
    found = [sock.getsockopt(SOL_TCP, socket.TCP_INFO, 8)[5] & 7 for sock in (client, server)]
    check_equal(found[0], found[1], "what both ends agreed on")
    return found[0]


@case()
def sysctl_switches_options_off(context):
    """sack, timestamps and window_scaling are what a new connection offers."""
    folder = "net.ipv4.tcp_" if context.family.name == "tcp" else "net.mynewtcp."
    ns = context.link.a.ns
    check_equal(options_in_use(context, 7000), SACK | TIMESTAMPS | WSCALE, "options at first")
    left = SACK | TIMESTAMPS | WSCALE
    for port, (name, bit) in enumerate((("sack", SACK), ("timestamps", TIMESTAMPS),
                                        ("window_scaling", WSCALE)), 7001):
        ns.write_sysctl(folder + name, 0)
        left &= ~bit
        check_equal(options_in_use(context, port), left, f"options without {name}")


@case(timeout=60)
def sysctl_syn_retries(context):
    """connect gives up after syn_retries retransmissions: the only one comes after a second,
    and two later there is no hope left."""
    folder = "net.ipv4.tcp_" if context.family.name == "tcp" else "net.mynewtcp."
    context.link.a.ns.write_sysctl(folder + "syn_retries", 1)
    context.link.cut()
    client = context.socket(context.link.a)
    expect_error(errno.ETIMEDOUT, "connect", client.connect,
                 context.address(context.link.b, 7000))


@case(timeout=60)
def sysctl_abort_on_overflow(context):
    """Of two handshakes for which there is one place, one ends in a reset."""
    folder = "net.ipv4.tcp_" if context.family.name == "tcp" else "net.mynewtcp."
    context.link.b.ns.write_sysctl(folder + "abort_on_overflow", 1)
    context.listener(context.link.b, backlog=1)
    context.socket(context.link.a).connect(context.address(context.link.b, 7000))
    context.link.cut(context.link.b)
    late = []
    for _ in range(2):
        sock = context.socket(context.link.a)
        sock.setblocking(False)
        sock.connect_ex(context.address(context.link.b, 7000))
        late.append(sock)
    context.link.mend()

    def errors():
        return {sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for sock in late}

    context.until(lambda: errno.ECONNRESET in errors(),
                  "a connection for which there is no room is reset")


@case(families=("newtcp",))
def sysctl_max_syn_backlog(context):
    """A listener that sends no cookies keeps no more half-open connections than that."""
    ns = context.link.b.ns
    ns.write_sysctl("net.mynewtcp.syncookies", 0)
    ns.write_sysctl("net.mynewtcp.max_syn_backlog", 2)
    listener = context.listener(context.link.b, backlog=64)
    context.link.cut(context.link.b)
    clients = []
    for _ in range(5):
        sock = context.socket(context.link.a)
        sock.setblocking(False)
        sock.connect_ex(context.address(context.link.b, 7000))
        clients.append(sock)

    def drops():
        lines = ns.read("/proc/net/mynewtcp_snmp").splitlines()
        return int(dict(line.split() for line in lines)["ListenDrops"])

    context.until(lambda: drops() >= 3, "SYNs beyond the limit are dropped")
    check(listener.fileno() >= 0, "the listener is there")
