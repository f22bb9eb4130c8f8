# SPDX-License-Identifier: GPL-2.0
"""Other ways from namespace a to namespace b than one veth pair.

They have the sides a and b as a Link has, so a context can use them as its link.
"""

import fcntl
import os
import select
import socket
import struct
import threading

from .netns import Namespace, Side

IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x1, 0x1000, 0x4000
TUNSETIFF, TUNSETVNETHDRSZ, TUNSETOFFLOAD = 0x400454ca, 0x400454d8, 0x400454d0
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6 = 1, 2, 4
VNET_HDR = struct.Struct("<BBHHHHH")
VNET_HDR_BYTES = 12
NEEDS_CSUM = 1


class Path:
    """Namespaces a and b with something between them."""

    def __init__(self):
        self.a = Side("a", 1)
        self.b = Side("b", 2)

    def peer(self, side):
        """The other side."""
        return self.b if side is self.a else self.a

    def namespaces(self):
        """All that a socket may live in."""
        return (self.a.ns, self.b.ns)

    @staticmethod
    def quiet(ns, device):
        """No duplicate address detection, which takes a second."""
        ns.write_sysctl(f"net.ipv6.conf.{device}.accept_dad", 0)

    def offload(self, side, *settings):
        """Change offloads as ethtool -K takes them."""
        side.ns.offload(side.device, *settings)

    def close(self):
        """Let go of the namespaces; their devices go with them."""
        for ns in self.namespaces():
            ns.close()


class Between(Path):
    """A third namespace, with one veth pair to a (device to_a) and one to b (to_b)."""

    def __init__(self, mtu_a=1500, mtu_b=1500):
        super().__init__()
        self.middle = Namespace("middle")
        for side, mtu in ((self.a, mtu_a), (self.b, mtu_b)):
            self.middle.ip(
                f"link add to_{side.name} mtu {mtu} type veth peer name {side.device} "
                f"address {side.mac} mtu {mtu} netns {side.ns.path}")
            self.quiet(side.ns, side.device)
            self.quiet(self.middle, f"to_{side.name}")
            side.ns.net.up("lo")

    def set_middle(self, *settings):
        """Change offloads of both devices in the middle."""
        for side in (self.a, self.b):
            self.middle.offload(f"to_{side.name}", *settings)

    def await_ready(self):
        """Wait until nothing is thrown away any more."""
        for side in (self.a, self.b):
            side.await_ready()
            self.middle.net.await_ready(f"to_{side.name}")

    def close(self):
        """The middle last: nobody's sockets live there."""
        super().close()
        self.middle.close()


class Bridged(Between):
    """A bridge in the middle."""

    def __init__(self, **mtus):
        super().__init__(**mtus)
        self.middle.ip("link add bridge type bridge",
                       *(f"link set {port} master bridge up" for port in ("to_a", "to_b")),
                       "link set bridge up")
        for side in (self.a, self.b):
            side.ns.ip(f"addr add {side.address(4)}/24 dev {side.device}",
                       f"addr add {side.address(6)}/64 dev {side.device} nodad",
                       f"link set {side.device} up")
        self.await_ready()


class Routed(Between):
    """A router in the middle: a network of its own for each side."""

    def __init__(self, **mtus):
        super().__init__(**mtus)
        for name in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
            self.middle.write_sysctl(f"net.{name}", 1)
        for number, side in enumerate((self.a, self.b), 1):
            side.addresses = {4: f"10.9.{number}.2", 6: f"fd09:{number}::2"}
            router = {4: f"10.9.{number}.1", 6: f"fd09:{number}::1"}
            self.middle.ip(f"addr add {router[4]}/24 dev to_{side.name}",
                           f"addr add {router[6]}/64 dev to_{side.name} nodad",
                           f"link set to_{side.name} up")
            side.ns.ip(f"addr add {side.address(4)}/24 dev {side.device}",
                       f"addr add {side.address(6)}/64 dev {side.device} nodad",
                       f"link set {side.device} up",
                       f"route add default via {router[4]}",
                       f"route add default via {router[6]}")
        self.await_ready()


class Tunnelled(Path):
    """A tun device on each side; a thread carries packets from one to the other.

    With `offloads` the thread tells the kernel that it takes packets whose checksum is
    still to be made, and TCP's superpackets. All that it carried is in `seen`, as
    (needs a checksum, kind of superpacket, packet).
    """

    def __init__(self, mtu=1500, offloads=False):
        super().__init__()
        self.seen = []
        self.files = []
        self.offloads = offloads
        for side in (self.a, self.b):
            with side.ns.inside():
                self.files.append(self.open_device(side.device))
            self.quiet(side.ns, side.device)
            side.ns.ip("link set lo up",
                       f"link set {side.device} mtu {mtu} up",
                       f"addr add {side.address(4)}/24 dev {side.device}",
                       f"addr add {side.address(6)}/64 dev {side.device} nodad")
            side.ns.net.await_local(side.device, *side.addresses.values())
        self.stop, self.stopped = socket.socketpair()
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()

    def open_device(self, name):
        """A new tun device."""
        file = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR
        fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        fcntl.ioctl(file, TUNSETVNETHDRSZ, struct.pack("i", VNET_HDR_BYTES))
        takes = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 if self.offloads else 0
        fcntl.ioctl(file, TUNSETOFFLOAD, takes)
        return file

    def carry(self):
        """Move packets both ways until close()."""
        other = dict(zip(self.files, reversed(self.files)))
        while True:
            ready = select.select([*self.files, self.stopped], [], [])[0]
            if self.stopped in ready:
                return
            for file in ready:
                frame = os.read(file, 1 << 17)
                flags, kind = VNET_HDR.unpack(frame[:VNET_HDR.size])[:2]
                self.seen.append((bool(flags & NEEDS_CSUM), kind, frame[VNET_HDR_BYTES:]))
                os.write(other[file], frame)

    def close(self):
        """End the thread, then as elsewhere."""
        self.stop.send(b"x")
        self.thread.join()
        for file in self.files:
            os.close(file)
        self.stop.close()
        self.stopped.close()
        super().close()
