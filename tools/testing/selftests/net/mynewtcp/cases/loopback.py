# SPDX-License-Identifier: GPL-2.0
"""Two sockets of one host: the short way between them, and who makes packets take the long one."""

import contextlib
import os
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from harness import knobs, tools
from harness.cgroup import answer, group
from harness.context import pattern, receive_exactly
from harness.forge import ones_complement
from harness.registry import Skip, case, check, check_equal

HERE = {4: "127.0.0.1", 6: "::1"}
INET = {4: socket.AF_INET, 6: socket.AF_INET6}
ETH_P_ALL = 3
ROUNDS = 200
# What others on the machine may put into the queues meanwhile.
OTHERS = ROUNDS // 4
KNOB = "loopback_fast_path"


def pair(context, port=7800):
    """A connection over the loopback device of side a: (client, server)."""
    side = context.link.a
    listener = context.socket(side)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HERE[context.version], port))
    listener.listen(8)
    client = context.socket(side)
    client.connect((HERE[context.version], port))
    server = context.accept(listener)
    listener.close()
    for sock in (client, server):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client, server


def ask(client, server, rounds=ROUNDS):
    """Questions and answers of one byte."""
    for number in range(rounds):
        byte = bytes([number & 0xff])
        client.sendall(byte)
        check_equal(server.recv(2), byte, f"question {number}")
        server.sendall(byte)
        check_equal(client.recv(2), byte, f"answer {number}")


def queued():
    """Packets that the queues of all processors have seen."""
    lines = Path("/proc/net/softnet_stat").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[0], 16) for line in lines)


def through_queue(client, server, rounds=ROUNDS):
    """Packets that took the long way while questions were answered."""
    before = queued()
    ask(client, server, rounds)
    return queued() - before


def check_short(client, server):
    """Packets take the short way."""
    check(through_queue(client, server) < OTHERS, "packets went through the queue")


def counted(context):
    """What IP and the device count: received, delivered and sent packets, device in and out."""
    ns = context.link.a.ns
    if context.version == 4:
        names, values = (line.split() for line in ns.read("/proc/thread-self/net/snmp")
                         .splitlines() if line.startswith("Ip:"))
        found = dict(zip(names[1:], map(int, values[1:])))
        names = ("InReceives", "InDelivers", "OutRequests")
    else:
        found = {name: int(value) for name, value in
                 (line.split() for line in ns.read("/proc/thread-self/net/dev_snmp6/lo").splitlines())}
        names = ("Ip6InReceives", "Ip6InDelivers", "Ip6OutRequests")
    device = next(line.split(":")[1].split()
                  for line in ns.read("/proc/thread-self/net/dev").splitlines()
                  if line.strip().startswith("lo:"))
    return [found[name] for name in names] + [int(device[1]), int(device[9])]


def settled(context):
    """The same once nothing is under way."""
    found = []

    def same():
        found.append(counted(context))
        time.sleep(context.quiet)
        return found[-1] == counted(context)

    context.until(same, "the counters rest")
    return found[-1]


@case(families=("newtcp",))
def loopback_counts_the_same(context):
    """The short way and the long one: each packet is counted by IP and the device, once."""
    for value in (1, 0):
        knobs.set_knob(context, context.link.a, KNOB, value)
        client, server = pair(context, 7800 + value)
        before, queue = settled(context), queued()
        ask(client, server)
        deltas = [after - first for first, after in zip(before, settled(context))]
        queue = queued() - queue
        check(deltas[0] >= 2 * ROUNDS, f"{deltas[0]} packets for {ROUNDS} questions")
        check_equal(deltas, [deltas[0]] * 5,
                    f"{KNOB} {value}: received, delivered, sent; lo received, sent")
        check(queue < OTHERS if value else queue >= deltas[0],
              f"{KNOB} {value}: {queue} packets went through the queue")


class Tap:
    """A packet socket on lo."""

    def __init__(self, context, protocol, device=True):
        with context.link.a.ns.inside():
            self.sock = context.keep(socket.socket(
                socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(protocol)))
        if device:
            self.sock.bind(("lo", protocol))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.sock.setblocking(False)

    def seen(self):
        """Packets so far."""
        count = 0
        with contextlib.suppress(BlockingIOError):
            while self.sock.recv(64):
                count += 1
        return count

    def close(self):
        """No longer."""
        self.sock.close()


class Raw(Tap):
    """A raw socket."""

    def __init__(self, context):
        with context.link.a.ns.inside():
            self.sock = context.keep(socket.socket(
                INET[context.version], socket.SOCK_RAW, context.family.ip_protocol))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.sock.setblocking(False)


class Rule:
    """A rule of nftables that counts."""

    def __init__(self, context, hook):
        tools.need("nft")
        self.ns = context.link.a.ns
        where = {"ingress": "netdev", "egress": "netdev"}.get(hook, "inet")
        device = " device lo" if where == "netdev" else ""
        self.table = f"{where} watch"
        self.ns.run(["nft", f"add table {self.table}; add chain {self.table} c "
                     f"{{ type filter hook {hook}{device} priority 0; }}; "
                     f"add rule {self.table} c meta length > 0 counter"])

    def seen(self):
        """Packets so far."""
        words = self.ns.run(["nft", "list", "table", *self.table.split()]).split()
        return int(words[words.index("packets") + 1])

    def close(self):
        """No longer."""
        self.ns.run(["nft", f"delete table {self.table}"])


class Queue:
    """A queueing discipline."""

    def __init__(self, context):
        self.ns = context.link.a.ns
        self.ns.run(["tc", "qdisc", "add", "dev", "lo", "root", "pfifo"])

    def seen(self):
        """Packets so far."""
        words = self.ns.run(["tc", "-s", "qdisc", "show", "dev", "lo"]).split()
        return int(words[words.index("bytes") + 1])

    def close(self):
        """No longer."""
        self.ns.run(["tc", "qdisc", "del", "dev", "lo", "root"])


class Classifier:
    """A classifier."""

    def __init__(self, context, way):
        self.ns, self.way = context.link.a.ns, way
        self.ns.run(["tc", "qdisc", "add", "dev", "lo", "clsact"])
        self.ns.run(["tc", "filter", "add", "dev", "lo", way, "matchall", "action", "ok"])

    def seen(self):
        """Packets so far."""
        words = self.ns.run(["tc", "-s", "filter", "show", "dev", "lo", self.way]).split()
        return int(words[words.index("bytes") + 1])

    def close(self):
        """No longer."""
        self.ns.run(["tc", "qdisc", "del", "dev", "lo", "clsact"])


class TracePoint:
    """A trace point of the network core."""

    def __init__(self, name):
        self.mount = Path(tempfile.mkdtemp(prefix="mynewtcp-trace"))
        if subprocess.run(["mount", "-t", "tracefs", "none", str(self.mount)],
                          check=False, capture_output=True).returncode:
            self.mount.rmdir()
            raise Skip("the kernel has no tracefs")
        self.name = name
        self.switch = self.mount / "events" / "net" / name / "enable"
        (self.mount / "trace").write_text("", encoding="ascii")
        self.switch.write_text("1", encoding="ascii")

    def seen(self):
        """Packets so far."""
        return (self.mount / "trace").read_text(encoding="ascii").count(f" {self.name}:")

    def close(self):
        """No longer."""
        self.switch.write_text("0", encoding="ascii")
        subprocess.run(["umount", str(self.mount)], check=True)
        self.mount.rmdir()


def check_seen(context, watch):
    """A watcher that comes while a connection stands sees each packet from then on."""
    client, server = pair(context)
    check_short(client, server)
    watcher = watch(context)
    try:
        before = watcher.seen()
        went = through_queue(client, server, 50)
        check(watcher.seen() - before >= 100, f"only {watcher.seen() - before} packets were seen")
        check(went >= 100, f"only {went} packets went through the queue")
    finally:
        watcher.close()
    context.until(lambda: through_queue(client, server, 50) < 50, "packets take the short way")


@case(families=("newtcp",))
def loopback_shows_taps(context):
    """Packet sockets: for all protocols or IP's, on the device or on all."""
    ether = {4: 0x0800, 6: 0x86dd}[context.version]
    for protocol, device in ((ETH_P_ALL, True), (ETH_P_ALL, False), (ether, True), (ether, False)):
        check_seen(context, lambda context: Tap(context, protocol, device))


@case(families=("newtcp",))
def loopback_shows_raw_sockets(context):
    """Raw sockets of the protocol."""
    check_seen(context, Raw)


@case(families=("newtcp",))
def loopback_shows_filters(context):
    """Netfilter's hooks on the way out and in."""
    for hook in ("output", "postrouting", "prerouting", "input", "ingress"):
        check_seen(context, lambda context: Rule(context, hook))


@case(families=("newtcp",))
def loopback_shows_traffic_control(context):
    """Queueing disciplines and classifiers."""
    check_seen(context, Queue)
    for way in ("egress", "ingress"):
        check_seen(context, lambda context: Classifier(context, way))


@case(families=("newtcp",))
def loopback_shows_trace_points(context):
    """The trace points of the network core."""
    for name in ("net_dev_queue", "net_dev_start_xmit", "net_dev_xmit", "netif_rx",
                 "netif_rx_entry", "netif_receive_skb"):
        check_seen(context, lambda context: TracePoint(name))


@case(families=("newtcp",))
def loopback_heeds_programs(context):
    """Programs on control groups that deny packets."""
    with group() as ours:
        client, server = pair(context)
        check_short(client, server)
        for hook in ("egress", "ingress"):
            with ours.program(hook, answer(0)):
                with contextlib.suppress(PermissionError):
                    client.sendall(b"held")
                server.settimeout(context.quiet)
                with contextlib.suppress(TimeoutError):
                    check(not server.recv(4), f"data came in spite of {hook}")
                server.settimeout(None)
            check_equal(receive_exactly(server, 4), b"held", "the data")
        check_short(client, server)


@case(families=("newtcp",))
def loopback_that_is_down(context):
    """Nothing crosses a device that is down; what was sent crosses later."""
    client, server = pair(context)
    check_short(client, server)
    ns = context.link.a.ns
    ns.net.down("lo")
    with contextlib.suppress(OSError):
        client.sendall(b"held")
    server.settimeout(context.quiet)
    with contextlib.suppress(TimeoutError):
        check(not server.recv(4), "data came through a device that is down")
    server.settimeout(None)
    ns.ip("link set lo up", "address replace ::1/128 dev lo")
    check_equal(receive_exactly(server, 4), b"held", "the data")


@case(families=("newtcp",))
def loopback_headers_are_whole(context):
    """The headers of a SYN that is kept are those that the long way shows."""
    tcp_save_syn, tcp_saved_syn = 27, 28
    kept = []
    for value in (1, 0):
        knobs.set_knob(context, context.link.a, KNOB, value)
        listener = context.socket(context.link.a)
        listener.setsockopt(socket.IPPROTO_TCP, tcp_save_syn, 2)
        listener.bind((HERE[context.version], 7820 + value))
        listener.listen(1)
        client = context.socket(context.link.a)
        client.setsockopt(socket.IPPROTO_IP if context.version == 4 else socket.IPPROTO_IPV6,
                          socket.IP_TOS if context.version == 4 else socket.IPV6_TCLASS, 0x28)
        client.connect((HERE[context.version], 7820 + value))
        server = context.accept(listener)
        syn = bytearray(server.getsockopt(socket.IPPROTO_TCP, tcp_saved_syn, 256))
        # Identification with the sum over it, or the flow label, are different each time.
        if context.version == 4:
            check_equal(ones_complement(syn[14:34]), 0xffff, "the sum of the IP header")
            syn[18:20] = syn[24:26] = bytes(2)
            kept.append(bytes(syn[:34]))
        else:
            syn[15:18] = bytes(3)
            kept.append(bytes(syn[:54]))
    check_equal(kept[0].hex(), kept[1].hex(), "link and IP header of the SYN")


@case(timeout=120)
def loopback_bulk_both_ways(context):
    """Four connections full in both directions, with small buffers and with large ones."""
    length = 1 << 18
    for octets in (0, 8192):
        pairs = [pair(context, 7830 + number) for number in range(4)]
        failures = []
        threads = []
        for ends in pairs:
            if octets:
                for sock in ends:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, octets)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)
            data = pattern(length)
            for source, sink in (ends, ends[::-1]):
                threads.append(threading.Thread(target=source.sendall, args=(data,)))
                threads.append(threading.Thread(target=drain, args=(sink, data, failures)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(not failures, f"{len(failures)} streams arrived damaged")
        for ends in pairs:
            for sock in ends:
                sock.close()


def drain(sink, data, failures):
    """Receive as much as there is to come, and compare."""
    if receive_exactly(sink, len(data)) != data:
        failures.append(sink)


@case(timeout=90)
def loopback_closes_in_all_orders(context):
    """Who closes first, with data under way, with a reset, by a process that dies."""
    for who in (0, 1):
        ends = pair(context, 7840)
        first, second = ends[who], ends[1 - who]
        first.sendall(b"last words")
        first.shutdown(socket.SHUT_WR)
        check_equal(receive_exactly(second, 10), b"last words", "the data before the FIN")
        check_equal(second.recv(1), b"", "the end")
        second.sendall(b"answer")
        second.close()
        check_equal(receive_exactly(first, 6), b"answer", "data the other way")
        check_equal(first.recv(1), b"", "the other end")
        first.close()
    ends = pair(context, 7842)
    context.abort(ends[0])
    try:
        ends[1].recv(1)
        raise AssertionError("no reset came")
    except ConnectionResetError:
        pass
    client, server = pair(context, 7843)

    def die(_):
        client.sendall(b"x" * 1000)
        os.kill(os.getpid(), 9)

    pid, reader = context.fork(die)
    client.close()
    check_equal(receive_exactly(server, 1000), b"x" * 1000, "what the dead have sent")
    context.reap(pid)
    os.close(reader)
    check_equal(server.recv(1), b"", "the end of the dead")
