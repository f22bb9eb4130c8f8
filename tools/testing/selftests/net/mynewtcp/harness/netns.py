# SPDX-License-Identifier: GPL-2.0
"""Two network namespaces, joined by a veth pair that a case may cut and mend."""

import contextlib
import ctypes
import os
import subprocess

from . import offloads
from .registry import Failure, Skip, check_equal
from .rtnetlink import Rtnetlink

CLONE_NEWNET = 0x40000000
HERE = "/proc/thread-self/ns/net"

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class Namespace:
    """A network namespace that lives as long as this object is open."""

    def __init__(self, name):
        self.name = name
        home = os.open(HERE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _checked(_libc.unshare(CLONE_NEWNET))
            self.fd = os.open(HERE, os.O_RDONLY | os.O_CLOEXEC)
            self.net = Rtnetlink()
        finally:
            _checked(_libc.setns(home, CLONE_NEWNET))
            os.close(home)
        self.path = f"/proc/{os.getpid()}/fd/{self.fd}"

    def enter(self):
        """Move the calling thread into the namespace."""
        _checked(_libc.setns(self.fd, CLONE_NEWNET))

    @contextlib.contextmanager
    def inside(self):
        """Run the body in the namespace."""
        home = os.open(HERE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.enter()
            yield
        finally:
            _checked(_libc.setns(home, CLONE_NEWNET))
            os.close(home)

    def ip(self, *lines):
        """Run ip(8) commands, one per line, stopping at the first that fails."""
        script = "".join(line + "\n" for line in lines)
        self.run(["ip", "-batch", "-"], input=script.encode())

    def run(self, argv, input=None, check=True):
        """Run a program in the namespace to its end; gives its output."""
        with self.inside():
            done = subprocess.run(argv, input=input, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, check=False)
        output = done.stdout.decode(errors="replace")
        if check and done.returncode != 0:
            raise Failure(f"{' '.join(argv)} in {self.name} ended with "
                          f"{done.returncode}: {output.strip()}")
        return output

    def start(self, argv, **options):
        """Start a program in the namespace."""
        with self.inside():
            return subprocess.Popen(argv, **options)

    def read(self, path):
        """Read a file below /proc as the namespace shows it."""
        with self.inside(), open(path, encoding="ascii") as file:
            return file.read()

    def write_sysctl(self, name, value):
        """Set a sysctl, given with dots or slashes."""
        with self.inside():
            with open("/proc/sys/" + name.replace(".", "/"), "w", encoding="ascii") as file:
                file.write(str(value))

    def offload(self, device, *settings):
        """Change offloads, named and put as ethtool -K takes them."""
        offloads.switch(self.net.sock, device, *settings)

    def close(self):
        """Let go of the namespace."""
        self.net.close()
        os.close(self.fd)


class Side:
    """One end of the link."""

    def __init__(self, name, number):
        self.ns = Namespace(name)
        self.name = name
        self.device = f"{name}0"
        self.mac = f"02:00:00:00:00:0{number}"
        self.addresses = {4: f"10.9.0.{number}", 6: f"fd09::{number}"}

    def address(self, version):
        """The side's address."""
        return self.addresses[version]

    def settle(self):
        """Give the device, which has come, the side's addresses, and take it up."""
        self.ns.net.up("lo")
        self.ns.net.address(self.device, self.addresses[4], 24)
        self.ns.net.address(self.device, self.addresses[6], 64)
        self.ns.net.up(self.device)

    def await_ready(self):
        """Wait until nothing is thrown away that leaves or arrives."""
        self.ns.net.await_ready(self.device, *self.addresses.values())


class Link:
    """Namespaces a and b, device a0 in one, b0 in the other.

    The neighbour entries are permanent, so a packet for an address that
    nobody has vanishes without an ICMP error, and a link can be cut by
    pointing an entry at a hardware address that does not exist.
    """

    NOWHERE = "02:00:00:00:00:ff"
    # Addresses that have a neighbour entry and no owner.
    SILENT = {4: "10.9.0.99", 6: "fd09::99"}

    def __init__(self, mtu=1500):
        self.a = Side("a", 1)
        self.b = Side("b", 2)
        self.a.ns.net.veth("a0", self.a.mac, mtu, "b0", self.b.mac, self.b.ns.fd)
        for side in (self.a, self.b):
            side.ns.write_sysctl(f"net.ipv6.conf.{side.device}.accept_dad", 0)
            side.settle()
            for silent in self.SILENT.values():
                side.ns.net.neighbour(side.device, silent, self.peer(side).mac)
        self.mend()
        for side in (self.a, self.b):
            side.await_ready()

    def peer(self, side):
        """The other side."""
        return self.b if side is self.a else self.a

    def _point(self, side, mac):
        for version in (4, 6):
            side.ns.net.neighbour(side.device, self.peer(side).address(version), mac)

    def cut(self, *sides):
        """Nothing that these sides (both, if none is named) send arrives."""
        for side in sides or (self.a, self.b):
            self._point(side, self.NOWHERE)

    def mend(self, *sides):
        """Undo cut()."""
        for side in sides or (self.a, self.b):
            self._point(side, self.peer(side).mac)

    def set_mtu(self, side, mtu):
        """Change one side's MTU."""
        side.ns.net.mtu(side.device, mtu)

    def offload(self, side, *settings):
        """Change offloads as ethtool -K takes them."""
        side.ns.offload(side.device, *settings)

    def netem(self, side, *parameters):
        """Put a netem qdisc in front of one side."""
        output = side.ns.run(["tc", "qdisc", "replace", "dev", side.device, "root", "netem",
                              *parameters], check=False)
        if "qdisc kind is unknown" in output:
            raise Skip("the kernel has no netem")
        check_equal(output, "", "what tc said")

    def namespaces(self):
        """Both namespaces."""
        return (self.a.ns, self.b.ns)

    def close(self):
        """Take the link down and let go of both namespaces."""
        self.a.ns.net.delete("a0")
        for ns in self.namespaces():
            ns.close()
