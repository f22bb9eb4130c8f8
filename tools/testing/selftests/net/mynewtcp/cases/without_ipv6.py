# SPDX-License-Identifier: GPL-2.0
"""A kernel that was booted with ipv6.disable=1. Only --only runs this."""

import errno
import socket

from harness import family as families
from harness.context import expect_error, receive_exactly
from harness.netns import Namespace
from harness.registry import case, check_equal


@case(versions=(4,), apart=True)
def without_ipv6(context):
    """IPv4 works by both doors; IPv6 is an unknown family."""
    expect_error(errno.EAFNOSUPPORT, "socket(AF_INET6)", families.raw_socket, socket.AF_INET6,
                 socket.SOCK_STREAM, 0)
    ns = Namespace("v4")
    try:
        ns.net.up("lo")
        for number, door in enumerate(("family", "inet")):
            with ns.inside():
                expect_error(errno.EAFNOSUPPORT, f"IPv6 by door {door}", context.family.open, 6,
                             door)
                listener = context.keep(context.family.open(4, door))
                client = context.keep(context.family.open(4, door))
            listener.bind(("127.0.0.1", 7000 + number))
            listener.listen(1)
            client.connect(("127.0.0.1", 7000 + number))
            server = context.accept(listener)
            client.sendall(b"alone")
            check_equal(receive_exactly(server, 5), b"alone", "what arrived")
    finally:
        ns.close()
