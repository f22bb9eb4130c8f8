# SPDX-License-Identifier: GPL-2.0
"""Devices, addresses and neighbours of a namespace, asked for by rtnetlink.

Nearly every case makes a link. With ip(8), a program to start for each step, that is
most of the time that a case takes on a kernel with every checker.
"""

import fcntl
import os
import socket
import struct
import time

from .registry import Failure

NLMSG = struct.Struct("=IHHII")
NLMSG_ERROR = 2
REQUEST, ACK, REPLACE, EXCL, CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
NEWLINK, DELLINK, GETLINK, NEWADDR, NEWROUTE, GETROUTE, NEWNEIGH = 16, 17, 18, 20, 24, 26, 28
# struct ifinfomsg, ifaddrmsg, ndmsg and rtmsg.
LINK, ADDRESS = struct.Struct("=BxHiII"), struct.Struct("=BBBBI")
NEIGHBOUR, ROUTE = struct.Struct("=BxxxiHBB"), struct.Struct("=BBBBBBBBI")
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_OPERSTATE = 1, 3, 4, 16
IFLA_LINKINFO, IFLA_NET_NS_FD = 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFA_ADDRESS, IFA_LOCAL, IFA_F_NODAD = 1, 2, 2
NDA_DST, NDA_LLADDR, NUD_PERMANENT = 1, 2, 0x80
RTA_DST, RTA_OIF, RTN_LOCAL, RTM_TYPE = 1, 4, 2, 7
IFF_UP = 1
IF_OPER_UP = 6
SIOCGIFINDEX = 0x8933
NUMBERS = 10, 11
# Seconds that a device may take to be ready.
PATIENCE = 60
IFREQ = struct.Struct("=16si20x")


def attribute(kind, data):
    """One attribute, padded."""
    if isinstance(data, str):
        data = data.encode() + b"\0"
    elif isinstance(data, int):
        data = struct.pack("=I", data)
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def packed(address):
    """(family, octets) of an address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.inet_pton(family, address)


def hardware(mac):
    """The octets of a hardware address."""
    return bytes.fromhex(mac.replace(":", ""))


class Rtnetlink:
    """A socket to the kernel; it belongs to the namespace that the caller is in."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)

    def _send(self, kind, flags, message):
        self.sock.send(NLMSG.pack(NLMSG.size + len(message), kind, REQUEST | flags, 0, 0)
                       + message)
        return self.sock.recv(1 << 16)

    def _ask(self, kind, flags, message):
        """Ask, and wait for the answer; raises OSError if it is a refusal."""
        answer = self._send(kind, ACK | flags, message)
        kind = NLMSG.unpack_from(answer)[1]
        error = -struct.unpack_from("=i", answer, NLMSG.size)[0]
        if kind != NLMSG_ERROR or error:
            raise OSError(error, os.strerror(error))

    def index(self, device):
        """The device's number."""
        found = fcntl.ioctl(self.sock, SIOCGIFINDEX, IFREQ.pack(device.encode(), 0))
        return IFREQ.unpack(found)[1]

    def veth(self, device, mac, mtu, peer, peer_mac, peer_namespace):
        """Make a pair; the peer goes to the namespace of that descriptor.

        Their numbers differ, or the kernel takes each for a device without a peer, and
        lets a second pass before it sends the first packet after a change.
        """
        def end(name, address):
            return (attribute(IFLA_IFNAME, name) + attribute(IFLA_ADDRESS, hardware(address))
                    + attribute(IFLA_MTU, mtu))

        other = (LINK.pack(0, 0, NUMBERS[1], 0, 0) + end(peer, peer_mac)
                 + attribute(IFLA_NET_NS_FD, peer_namespace))
        info = (attribute(IFLA_INFO_KIND, "veth")
                + attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, other)))
        self._ask(NEWLINK, CREATE | EXCL, LINK.pack(0, 0, NUMBERS[0], 0, 0) + end(device, mac)
                  + attribute(IFLA_LINKINFO, info))

    def up(self, device):
        """Take the device up."""
        self._ask(NEWLINK, 0, LINK.pack(0, 0, self.index(device), IFF_UP, IFF_UP))

    def down(self, device):
        """Take the device down."""
        self._ask(NEWLINK, 0, LINK.pack(0, 0, self.index(device), 0, IFF_UP))

    def is_ready(self, device):
        """Packets that leave by the device are not thrown away any more."""
        answer = self._send(GETLINK, 0, LINK.pack(0, 0, self.index(device), 0, 0))
        at = NLMSG.size + LINK.size
        while at < len(answer):
            size, kind = struct.unpack_from("=HH", answer, at)
            if kind == IFLA_OPERSTATE:
                return answer[at + 4] == IF_OPER_UP
            at += size + -size % 4
        raise Failure(f"{device} has no state")

    def is_local(self, device, address):
        """Packets for the device's address are the namespace's own.

        One of IPv6 is entered by a worker, some time after it was asked for.
        """
        family, octets = packed(address)
        scope = attribute(RTA_OIF, self.index(device)) if address.startswith("fe80") else b""
        answer = self._send(GETROUTE, 0, ROUTE.pack(family, 8 * len(octets), *[0] * 7)
                            + attribute(RTA_DST, octets) + scope)
        return (NLMSG.unpack_from(answer)[1] == NEWROUTE
                and answer[NLMSG.size + RTM_TYPE] == RTN_LOCAL)

    def await_local(self, device, *addresses):
        """Wait until the addresses can be used."""
        self._await(lambda: all(self.is_local(device, address) for address in addresses), device)

    def await_ready(self, device, *addresses):
        """Wait until device and addresses can be used. Not for those whose carrier never comes:
        tun's is there before there is a device."""
        self._await(lambda: self.is_ready(device), device)
        self.await_local(device, *addresses)

    @staticmethod
    def _await(condition, device):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise Failure(f"{device} does not become ready")
            time.sleep(0.001)

    def mtu(self, device, mtu):
        """Change the device's MTU."""
        self._ask(NEWLINK, 0,
                  LINK.pack(0, 0, self.index(device), 0, 0) + attribute(IFLA_MTU, mtu))

    def delete(self, device):
        """Remove the device."""
        self._ask(DELLINK, 0, LINK.pack(0, 0, self.index(device), 0, 0))

    def address(self, device, address, prefix):
        """Add an address, of which no duplicates are looked for."""
        family, octets = packed(address)
        flags = IFA_F_NODAD if family == socket.AF_INET6 else 0
        self._ask(NEWADDR, CREATE | EXCL,
                  ADDRESS.pack(family, prefix, flags, 0, self.index(device))
                  + attribute(IFA_LOCAL, octets) + attribute(IFA_ADDRESS, octets))

    def neighbour(self, device, address, mac):
        """Have a permanent entry."""
        family, octets = packed(address)
        self._ask(NEWNEIGH, CREATE | REPLACE,
                  NEIGHBOUR.pack(family, self.index(device), NUD_PERMANENT, 0, 0)
                  + attribute(NDA_DST, octets) + attribute(NDA_LLADDR, hardware(mac)))

    def close(self):
        """Let go of the namespace."""
        self.sock.close()
