# SPDX-License-Identifier: GPL-2.0
"""Files and many connections, moved by programs that know nothing of the family."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import threading
from pathlib import Path

from harness import kernel, tools
from harness.context import pattern, receive_exactly
from harness.registry import case, check, check_equal

FILE_BYTES = kernel.bulk(32 << 20)
PORT = 7400


@contextlib.contextmanager
def scratch(needed=0):
    """A directory that goes away, in memory if there is room."""
    home = "/dev/shm" if os.path.isdir("/dev/shm") else None
    if home and shutil.disk_usage(home).free < needed:
        home = None
    with tempfile.TemporaryDirectory(prefix="mynewtcp-", dir=home) as name:
        yield Path(name)


def digest(path):
    """The file's sha256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def random_file(path):
    """A new file of FILE_BYTES random bytes."""
    with path.open("wb") as file:
        for _ in range(FILE_BYTES >> 20):
            file.write(os.urandom(1 << 20))
    return path


def socat(context, left, right, directory, door=None):
    """Join left on side b, which listens, with right on side a, which connects."""
    host = context.link.b.address(context.version)
    where = tools.socat_address(context, host, PORT, door=door)
    common = [tools.need("socat"), "-b", "65536", "-t", "3600", "-d", "-d"]
    server, server_said = tools.start(
        context, context.link.b, [*common, *left(f"SOCKET-LISTEN:{where},reuseaddr")],
        directory, "server")
    tools.ready(context, server, server_said, "listening on")
    client, client_said = tools.start(
        context, context.link.a, [*common, *right(f"SOCKET-CONNECT:{where}")],
        directory, "client")
    tools.ended(client, client_said)
    tools.ended(server, server_said)


def writing(path):
    """socat's words for a new file."""
    return f"OPEN:{path},creat,wronly"


def one_way(context, directory, sender, door=None):
    """A file from one side to the other."""
    source = random_file(directory / "source")
    target = directory / "target"
    target.unlink(missing_ok=True)
    def send(network):
        return ["-u", f"OPEN:{source},rdonly", network]
    def receive(network):
        return ["-u", network, writing(target)]
    if sender == "a":
        socat(context, receive, send, directory, door)
    else:
        socat(context, send, receive, directory, door)
    check_equal(target.stat().st_size, FILE_BYTES, "bytes that arrived")
    check_equal(digest(target), digest(source), "sha256 of what arrived")


def both_ways(context, directory):
    """A file each way, on one connection, at the same time."""
    source = [random_file(directory / f"source-{number}") for number in range(2)]
    target = [directory / f"target-{number}" for number in range(2)]
    def end(number):
        def words(network):
            return [f"OPEN:{source[number]},rdonly!!{writing(target[1 - number])}", network]
        return words
    socat(context, end(1), end(0), directory)
    for number in range(2):
        check_equal(digest(target[number]), digest(source[number]),
                    f"sha256 of the file from end {number}")


@case(timeout=60)
def file_by_socat(context):
    """FILE_BYTES each way, one after the other."""
    with scratch(3 * FILE_BYTES) as directory:
        one_way(context, directory, "a")
        one_way(context, directory, "b")


@case(timeout=60, families=("newtcp",))
def file_by_socat_other_door(context):
    """The same through socket(AF_INET or AF_INET6, SOCK_STREAM, 253)."""
    with scratch(3 * FILE_BYTES) as directory:
        one_way(context, directory, "a", door="inet")


@case(timeout=60)
def file_by_socat_duplex(context):
    """FILE_BYTES each way at the same time, on one connection."""
    with scratch(5 * FILE_BYTES) as directory:
        both_ways(context, directory)


@case(timeout=600)
def file_through_netem(context):
    """FILE_BYTES each way through loss, delay and reordering in both directions."""
    for side in (context.link.a, context.link.b):
        context.link.netem(side, "limit", "20000", "delay", "20ms", "reorder", "5%",
                           "loss", "2%")
    with scratch(5 * FILE_BYTES) as directory:
        both_ways(context, directory)


@case(timeout=120)
def file_through_duplication_and_corruption(context):
    """Duplicated packets are one, and damaged ones are none."""
    link = context.link
    for side in (link.a, link.b):
        link.offload(side, "tx", "off")
        link.netem(side, "limit", "20000", "delay", "2ms", "duplicate", "5%", "corrupt", "1%")
    exchange(context, kernel.bulk(2 << 20))


@case(timeout=120)
def connections_at_once(context):
    """200 connections, all open at the same time, each echoing 64 KiB."""
    count = "200"
    program = [tools.probe(context.settings), "--family", context.family.name]
    host = context.link.b.address(context.version)
    where = f"{host}:{PORT}" if context.version == 4 else f"[{host}]:{PORT}"
    with scratch() as directory:
        words = (directory / "server.out").open("w+b")
        server, server_said = tools.start(
            context, context.link.b,
            [*program, "echo-server", "--listen", where, "--connections", count],
            directory, "server", stdout=words)
        context.until(lambda: "listening" in (directory / "server.out").read_text(),
                      "the server listens")
        client, client_said = tools.start(
            context, context.link.a,
            [*program, "echo-client", "--connect", where, "--connections", count],
            directory, "client", stdout=words)
        tools.ended(client, client_said)
        tools.ended(server, server_said)
        words.close()


@case(timeout=60)
def benchmarks_verify_their_bytes(context):
    """Each of the probe's benchmarks, small; it compares what it moves."""
    program = [tools.probe(context.settings), "--family", context.family.name]
    program += ["--ipv6"] if context.version == 6 else []
    for words in (("rr", "--count", "200", "--size", "100"), ("crr", "--count", "100"),
                  ("bulk", "--bytes", "10000000")):
        found = json.loads(context.link.a.ns.run([*program, *words]))
        check_equal((found["bench"], found["family"]), (words[0], context.family.name),
                    "what was measured")
        check(found["ns_per_unit"] > 0, f"{found}")


def exchange(context, length, port=7000):
    """Move different bytes both ways at once on one connection and compare them."""
    client, server = context.connected(port)
    data = [pattern(length, seed=21), pattern(length, seed=22)]
    found = [b"", b""]
    def receive(number, sock):
        found[number] = receive_exactly(sock, length)
    threads = [threading.Thread(target=client.sendall, args=(data[0],)),
               threading.Thread(target=server.sendall, args=(data[1],)),
               threading.Thread(target=receive, args=(0, server)),
               threading.Thread(target=receive, args=(1, client))]
    for thread in threads:
        thread.daemon = True
        thread.start()
    for thread in threads:
        thread.join()
    check(found == data, "the bytes are not the ones that were sent")


@case(timeout=60)
def offloads_off(context):
    """Without segmentation and checksum offload, on one side and on both."""
    link = context.link
    for number, sides in enumerate(((link.a,), (link.b,), (link.a, link.b))):
        for side in (link.a, link.b):
            state = "off" if side in sides else "on"
            link.offload(side, "tx", state, "tso", state, "gso", state, "gro", state, "sg", state)
        exchange(context, kernel.bulk(2 << 20), 7000 + number)


@case(timeout=60)
def mixed_mtus(context):
    """Devices of different and of odd sizes; what is sent fits both."""
    link = context.link
    for number, (first, second) in enumerate(((1500, 9000), (9000, 1500), (1280, 1281),
                                              (1501, 65535), (1280, 9000))):
        link.set_mtu(link.a, max(first, second))
        link.set_mtu(link.b, max(first, second))
        link.set_mtu(link.a, first)
        link.set_mtu(link.b, second)
        exchange(context, kernel.bulk(1 << 20), 7010 + number)
