# SPDX-License-Identifier: GPL-2.0
"""Runs a script, a list of calls, on one protocol and notes what each call answers.

A step is a tuple: a verb, then its arguments; sockets are named by a letter. Addresses are
written "4:name:port" or "6:name:port" with the names below; ports are numbers from 0, which
each script has for itself, "eph" for any, or "@c" for the port of socket c.
"""

import ctypes
import errno
import os
import select
import socket
import struct
import time

from harness import family as families

ADDRESSES = {
    "any": {4: "0.0.0.0", 6: "::"},
    "lo": {4: "127.0.0.1", 6: "::1"},
    "lo2": {4: "127.0.0.2", 6: "::1"},
    "alien": {4: "192.0.2.1", 6: "2001:db8::1"},
    "mapped": {4: "127.0.0.1", 6: "::ffff:127.0.0.1"},
    "mappedany": {4: "0.0.0.0", 6: "::ffff:0.0.0.0"},
}
EPHEMERAL = range(32768, 61000)
PORTS_PER_SCRIPT = 4
FIRST_PORT = 2000

_libc = ctypes.CDLL(None, use_errno=True)
SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK = 0x541B, 0x5411, 0x894B, 0x8905
IOCTLS = {"inq": SIOCINQ, "outq": SIOCOUTQ, "outqnsd": SIOCOUTQNSD, "atmark": SIOCATMARK}
# Values of tcpi_state.
FIN_WAIT1, CLOSE, LAST_ACK, CLOSING = 4, 7, 9, 11
UNSETTLED = (FIN_WAIT1, LAST_ACK, CLOSING)
# Longer than anything on the loopback device takes, and than anybody wants to wait.
PATIENCE = struct.pack("ll", 1, 0)


class Machine:
    """The sockets of one run of one script."""

    def __init__(self, family, door, number):
        self.family = family
        self.door = door
        self.base = FIRST_PORT + number * PORTS_PER_SCRIPT
        self.sockets = {}
        self.versions = {}

    # Names.

    def port_of(self, word):
        """The port that a word of a script stands for."""
        if word.startswith("@"):
            return self.sockets[word[1:]].getsockname()[1]
        return 0 if word == "eph" else self.base + int(word)

    def address(self, text):
        """The address that a word of a script stands for, in Python's form."""
        version, name, port = text.split(":")
        return (ADDRESSES[name][int(version)], self.port_of(port))

    def told(self, name):
        """An address as the trace has it: own ports by number, ephemeral ones without."""
        host, port = name[:2]
        if self.base <= port < self.base + PORTS_PER_SCRIPT:
            return f"{host}:{port - self.base}"
        return f"{host}:{'eph' if port in EPHEMERAL else port}"

    # Running.

    def run(self, steps):
        """The answers of all steps."""
        try:
            return [self.step(step) for step in steps]
        finally:
            for sock in self.sockets.values():
                sock.close()

    def step(self, step):
        """The answer of one step: what the call gave, or the name of its error."""
        verb, *arguments = step
        try:
            return getattr(self, "do_" + verb)(*arguments)
        except KeyError:
            return "EBADF"
        except OSError as error:
            return errno.errorcode.get(error.errno, str(error.errno))

    # Calls.

    def do_socket(self, name, version, *flags):
        """A socket; blocking calls give up after a second."""
        sock = self.family.open(version, self.door)
        self.sockets[name] = sock
        self.versions[name] = version
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, option, PATIENCE)
        if "nonblock" in flags:
            os.set_blocking(sock.fileno(), False)
        return "ok"

    def do_bind(self, name, address):
        """bind(2)."""
        self.sockets[name].bind(self.address(address))
        return "ok"

    def do_listen(self, name, backlog):
        """listen(2)."""
        self.sockets[name].listen(backlog)
        return "ok"

    def do_connect(self, name, address):
        """connect(2)."""
        sock = self.sockets[name]
        version, host, port = address.split(":")
        inet = socket.AF_INET if version == "4" else socket.AF_INET6
        raw = _sockaddr(inet, ADDRESSES[host][int(version)], self.port_of(port))
        families.raw_call("connect", sock, raw)
        return "ok"

    def do_raw(self, call, name, family, length):
        """bind(2) or connect(2) with any family number and length of the address."""
        raw = struct.pack("=H", family) + bytes(30)
        families.raw_call(call, self.sockets[name], raw, length)
        return "ok"

    def do_accept(self, name, child):
        """accept(2), without waiting."""
        sock = self.sockets[name]
        os.set_blocking(sock.fileno(), False)
        fd, peer = sock._accept()
        self.sockets[child] = families.wrap(fd, self.versions[name])
        self.versions[child] = self.versions[name]
        return self.told(peer)

    def do_send(self, name, length, flags=0):
        """send(2) of so many bytes, without waiting or SIGPIPE."""
        flags |= socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
        return self.sockets[name].send(b"x" * length, flags)

    def do_recv(self, name, length, flags=0):
        """recv(2), without waiting; how much there was and whether it is what was sent."""
        buffer = bytearray(length)
        got = self.sockets[name].recv_into(buffer, length, flags | socket.MSG_DONTWAIT)
        touched = sum(byte != 0 for byte in buffer)
        return f"{got} bytes, {touched} written"

    def do_recvmsg(self, name, length, flags=0):
        """recvmsg(2), without waiting; with the control messages and flags."""
        data, control, seen, _ = self.sockets[name].recvmsg(
            length, 256, flags | socket.MSG_DONTWAIT)
        told = [f"{level}/{kind}:{len(body)}" for level, kind, body in control]
        return f"{len(data)} bytes, flags {seen:#x}, control {told}"

    def do_sendmsg(self, name, length, level, kind, body):
        """sendmsg(2) with a control message, without waiting."""
        return self.sockets[name].sendmsg([b"x" * length], [(level, kind, body)],
                                          socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def do_shutdown(self, name, how):
        """shutdown(2)."""
        self.sockets[name].shutdown(how)
        return "ok"

    def do_close(self, name):
        """close(2)."""
        self.sockets.pop(name).close()
        return "ok"

    def do_abort(self, name):
        """close(2) with a reset."""
        self.do_setsockopt(name, socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return self.do_close(name)

    def do_poll(self, name):
        """poll(2), without waiting."""
        poller = select.poll()
        poller.register(self.sockets[name], 0x7fff)
        found = poller.poll(0)
        return f"{found[0][1]:#x}" if found else "0"

    def do_setsockopt(self, name, level, option, value, length=None):
        """setsockopt(2) with an int or bytes, or a length of its own."""
        raw = (struct.pack("I", value & 0xffffffff) if isinstance(value, int)
               else value)
        if _libc.setsockopt(self.sockets[name].fileno(), level, option, raw,
                            len(raw) if length is None else length) != 0:
            raise OSError(ctypes.get_errno(), "setsockopt")
        return "ok"

    def do_getsockopt(self, name, level, option, length=4):
        """getsockopt(2); the length that it gives and the bytes."""
        buffer = ctypes.create_string_buffer(max(length, 0) + 8)
        size = ctypes.c_int(length)
        if _libc.getsockopt(self.sockets[name].fileno(), level, option, buffer,
                            ctypes.byref(size)) != 0:
            raise OSError(ctypes.get_errno(), "getsockopt")
        if length == 4 and size.value == 4:
            return str(struct.unpack("i", buffer.raw[:4])[0])
        return f"{size.value}:{buffer.raw[:max(size.value, 0)].hex()}"

    def do_syn(self, name, length):
        """TCP_SAVED_SYN: errors tell how much room is needed."""
        size = ctypes.c_int(length)
        buffer = ctypes.create_string_buffer(max(length, 0) + 1)
        failed = _libc.getsockopt(self.sockets[name].fileno(), socket.SOL_TCP, 28, buffer,
                                  ctypes.byref(size))
        told = errno.errorcode[ctypes.get_errno()] if failed else "ok"
        return f"{told}, {size.value} bytes"

    def do_ioctl(self, name, what):
        """ioctl(2)."""
        value = ctypes.c_int(-1)
        if _libc.ioctl(self.sockets[name].fileno(), IOCTLS[what], ctypes.byref(value)) != 0:
            raise OSError(ctypes.get_errno(), "ioctl")
        return value.value

    def do_sockname(self, name):
        """getsockname(2)."""
        return self.told(self.sockets[name].getsockname())

    def do_peername(self, name):
        """getpeername(2)."""
        return self.told(self.sockets[name].getpeername())

    def do_state(self, name):
        """tcpi_state."""
        return self.sockets[name].getsockopt(socket.SOL_TCP, socket.TCP_INFO, 8)[0]

    def do_sendfile(self, name, length):
        """sendfile(2) of a file with so many bytes."""
        fd = os.memfd_create("oracle")
        try:
            os.write(fd, b"x" * length)
            return os.sendfile(self.sockets[name].fileno(), fd, 0, length)
        finally:
            os.close(fd)

    def do_splice_in(self, name, length):
        """splice(2) from a pipe into the socket."""
        reader, writer = os.pipe()
        try:
            os.write(writer, b"x" * length)
            return os.splice(reader, self.sockets[name].fileno(), length)
        finally:
            os.close(reader)
            os.close(writer)

    def do_splice_out(self, name, length):
        """splice(2) from the socket into a pipe, without waiting."""
        reader, writer = os.pipe()
        try:
            return os.splice(self.sockets[name].fileno(), writer, length,
                             flags=os.SPLICE_F_NONBLOCK)
        finally:
            os.close(reader)
            os.close(writer)

    def do_look(self, name):
        """All that can be seen of a socket without changing it."""
        self.settle(name)
        looks = [("poll", name), ("state", name), ("ioctl", name, "inq"),
                 ("sockname", name), ("peername", name)]
        if self.step(("state", name)) != CLOSE:
            looks.append(("ioctl", name, "outq"))
        return " ".join(str(self.step(look)) for look in looks)

    def settle(self, name):
        """Wait until the peer has acknowledged a FIN, which it may delay."""
        end = time.monotonic() + 0.5
        while self.step(("state", name)) in UNSETTLED and time.monotonic() < end:
            time.sleep(0.002)

    def do_error(self, name):
        """SO_ERROR, which is 0 afterwards."""
        return self.sockets[name].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def _sockaddr(inet, host, port):
    if inet == socket.AF_INET:
        return struct.pack("=H", inet) + struct.pack(">H", port) + \
            socket.inet_pton(inet, host) + bytes(8)
    return struct.pack("=H", inet) + struct.pack(">HI", port, 0) + \
        socket.inet_pton(inet, host) + bytes(4)
