# SPDX-License-Identifier: GPL-2.0
"""Who may say no: programs on control groups and IPsec policies, as with TCP."""

import contextlib
import errno
import select
import socket

from cases.reading import drained
from harness.cgroup import answer, group, rewrite_port
from harness.context import expect_error, peername, receive_exactly, sockname
from harness.registry import case, check, check_equal

DENY, ALLOW = answer(0), answer(1)
PORT = 7000


@case()
def programs_deny_calls(context):
    """create, bind, post_bind, connect, getsockopt and setsockopt: EPERM, and not after."""
    version = context.version
    context.listener(context.link.b, PORT)
    calls = {
        "create": lambda sock: context.socket(context.link.a),
        f"bind{version}": lambda sock: sock.bind(context.address(context.link.a, 7100)),
        f"post_bind{version}": lambda sock: sock.bind(context.address(context.link.a, 7101)),
        f"connect{version}": lambda sock: sock.connect(context.address(context.link.b, PORT)),
        "setsockopt": lambda sock: sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        "getsockopt": lambda sock: sock.getsockopt(socket.SOL_TCP, socket.TCP_NODELAY),
    }
    with group() as ours:
        for hook, call in calls.items():
            sock = context.socket(context.link.a)
            with ours.program(hook, DENY):
                expect_error(errno.EPERM, f"the call that {hook} denies", call, sock)
            call(sock)


@case()
def programs_rewrite_addresses(context):
    """connect goes elsewhere; getpeername and getsockname tell something else."""
    version = context.version
    listener = context.listener(context.link.b, PORT + 1)
    with group() as ours:
        client = context.socket(context.link.a)
        with ours.program(f"connect{version}", rewrite_port(PORT + 1)):
            client.connect(context.address(context.link.b, PORT))
        check_equal(peername(client)[1], PORT + 1, "the port connected to")
        context.accept(listener)
        for hook, call in (("getpeername", peername), ("getsockname", sockname)):
            before = call(client)
            with ours.program(f"{hook}{version}", rewrite_port(4711)):
                check_equal(call(client)[1], 4711, f"the port that {hook} tells")
            check_equal(call(client), before, f"what {hook} tells afterwards")
        bound = context.socket(context.link.a)
        with ours.program(f"bind{version}", rewrite_port(7222)):
            bound.bind(context.address(context.link.a, 7111))
        check_equal(sockname(bound)[1], 7222, "the port bound")


@case()
def programs_drop_packets(context):
    """Nothing leaves, or arrives, while the program says no; then it does."""
    with group() as ours:
        client, server = context.connected()
        for hook in ("egress", "ingress"):
            with ours.program(hook, DENY):
                with contextlib.suppress(PermissionError):
                    client.sendall(b"held")
                check(not select.select([server], [], [], context.quiet)[0],
                      f"data came in spite of {hook}")
                check(not drained(client), f"it was acknowledged in spite of {hook}")
            check_equal(receive_exactly(server, 4), b"held", "the data")
            context.until(lambda: drained(client), "it is acknowledged")


def block(context, direction):
    """ip xfrm's words for a policy of side a that blocks the protocol."""
    whole = {4: "0.0.0.0/0", 6: "::/0"}[context.version]
    return (f"src {whole} dst {whole} proto {context.family.ip_protocol} dir {direction}")


@case()
def ipsec_policy_blocks(context):
    """A blocking policy stops what comes in and what would go out."""
    link = context.link
    client, server = context.connected()
    policy = block(context, "in")
    link.a.ns.ip(f"xfrm policy add {policy} action block")
    server.sendall(b"held")
    check(not select.select([client], [], [], context.quiet)[0], "data came in")
    check(not drained(server), "it was acknowledged")
    link.a.ns.ip(f"xfrm policy del {policy}")
    check_equal(receive_exactly(client, 4), b"held", "the data")
    policy = block(context, "out")
    link.a.ns.ip(f"xfrm policy add {policy} action block")
    context.listener(link.b, PORT + 1)
    stranger = context.socket(link.a)
    expect_error(errno.EPERM, "connect", stranger.connect, context.address(link.b, PORT + 1))
    link.a.ns.ip(f"xfrm policy del {policy}")
    again = context.socket(link.a)
    again.connect(context.address(link.b, PORT + 1))
