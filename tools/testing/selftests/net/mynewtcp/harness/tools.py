# SPDX-License-Identifier: GPL-2.0
"""The programs that cases start: socat, probe, tcpdump and tshark."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from .registry import Failure, Skip, check, check_equal

PROBE = "mynewtcp-probe"
NOBODY = 65534
# More than a frame of the link, and small, or the buffer holds only a few.
SNAP_BYTES = "2048"
BUFFER_KIB = "16384"
HOME = Path(__file__).resolve().parents[1]
# Beside the tests where they are installed, in tools/ where they are not.
DISSECTORS = (HOME / "mynewtcp.lua",
              HOME.joinpath("../../../../mynewtcp/dissector/mynewtcp.lua").resolve())


def need(program):
    """The program's path, or the case is skipped."""
    path = shutil.which(program)
    if path is None:
        raise Skip(f"{program} is not installed")
    return path


def probe(settings, name=PROBE):
    """The probe of tools/mynewtcp, or another program of it."""
    if settings.programs is not None:
        path = Path(settings.programs) / name
        if not path.exists():
            raise Failure(f"no {name} in {settings.programs}")
        return str(path)
    path = shutil.which(PROBE)
    if path is None:
        raise Skip(f"{PROBE} is not in PATH; --programs names its directory")
    return path


def socat_address(context, address, port, version=None, door=None):
    """DOMAIN:PROTOCOL:ADDRESS as socat's SOCKET-CONNECT and SOCKET-LISTEN take it.

    The address is struct sockaddr_in or sockaddr_in6 in hexadecimal, without
    the family number, which socat fills in from the domain.
    """
    version = version or context.version
    domain, protocol = context.family.arguments(version, door or context.settings.door)
    if version == 4:
        raw = port.to_bytes(2, "big") + socket.inet_pton(socket.AF_INET, address) + bytes(8)
    else:
        raw = (port.to_bytes(2, "big") + bytes(4)
               + socket.inet_pton(socket.AF_INET6, address) + bytes(4))
    return f"{int(domain)}:{int(protocol)}:x{raw.hex()}"


class Heard:
    """A program's standard error, kept in a file so that it never blocks."""

    def __init__(self, directory, name):
        self.path = Path(directory) / f"{name}.err"
        self.file = self.path.open("wb")

    def __contains__(self, words):
        return words in self.text()

    def text(self):
        """Everything it said so far."""
        return self.path.read_text(encoding="utf-8", errors="replace")


def start(context, side, argv, directory, name, **options):
    """Start a program; gives (process, what it says)."""
    heard = Heard(directory, name)
    process = context.start(side, argv, stderr=heard.file, stdin=subprocess.DEVNULL, **options)
    heard.file.close()
    return process, heard


def ready(context, process, heard, words):
    """Wait until the program says these words."""
    def spoke():
        if process.poll() is not None and words not in heard:
            raise Failure(f"{process.args[0]} ended with {process.returncode} before it "
                          f"said {words!r}: {heard.text().strip()}")
        return words in heard
    context.until(spoke, f"{process.args[0]} says {words!r}", seconds=20)


def ended(process, heard):
    """Wait for a program's end; it has to be a good one."""
    process.wait()
    check_equal(process.returncode, 0, f"{process.args[0]} said {heard.text().strip()!r}; status")


class Capture:
    """tcpdump on one side's device, of the family's segments only."""

    def __init__(self, context, side, path):
        self.context = context
        self.path = path
        number = context.family.ip_protocol
        self.process, self.heard = start(
            context, side,
            [need("tcpdump"), "-i", side.device, "-w", str(path), "-U", "--immediate-mode",
             "-Z", "root", "-s", SNAP_BYTES, "-B", BUFFER_KIB,
             f"ip proto {number} or ip6 proto {number}"],
            path.parent, "tcpdump")
        ready(context, self.process, self.heard, "listening on")

    def stop(self, last):
        """End the capture once these bytes of the last packet are in the file.

        A signal makes tcpdump leave at once, whatever is in its buffer.
        """
        self.context.until(lambda: last in self.path.read_bytes(),
                           "the last segment is in the capture")
        self.process.send_signal(signal.SIGINT)
        ended(self.process, self.heard)
        check("\n0 packets dropped by kernel" in self.heard.text(),
              f"the capture has holes: {self.heard.text().strip()}")


def dissect(path, fields, family):
    """tshark's values of the fields, one dict per frame (an absent field is '')."""
    verify = str(family.name == "tcp").upper()
    script = next((path for path in DISSECTORS if path.exists()), DISSECTORS[-1])
    argv = [need("tshark"), "-n", "-r", str(path), "-X", f"lua_script:{script}",
            "-o", f"tcp.check_checksum:{verify}",
            "-o", f"mynewtcp.protocol:{family.ip_protocol}",
            "-T", "fields", "-E", "separator=;", "-E", "occurrence=f"]
    for name in fields:
        argv += ["-e", name]
    # Run by root, tshark would not load a Lua script at all.
    path.parent.chmod(0o755)
    path.chmod(0o644)
    done = subprocess.run(argv, capture_output=True, check=False, user=NOBODY, group=NOBODY,
                          extra_groups=[], env={**os.environ, "HOME": "/nonexistent"})
    if done.returncode != 0:
        raise Failure(f"tshark ended with {done.returncode}: {done.stderr.decode().strip()}")
    return [dict(zip(fields, line.split(";"))) for line in done.stdout.decode().splitlines()]
