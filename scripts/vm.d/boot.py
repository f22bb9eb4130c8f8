#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Boot one test kernel inside the build root and watch it until it ends.

Started by scripts/vm. The guest has three channels to this program: output,
error output and the command's exit status; the kernel log is a file. What the
log says decides together with the status what this program returns.
"""

import argparse
import os
import pathlib
import selectors
import signal
import subprocess
import sys
import termios
import time

import emulator
import klog

STATUS_REPORT = 254
STATUS_DEAD = 255
KEEP_LOGS = 60


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--run", required=True, type=pathlib.Path)
    parser.add_argument("--smp", type=int)
    parser.add_argument("--mem")
    parser.add_argument("--timeout", type=float, default=600)
    parser.add_argument("--append", default="")
    parser.add_argument("--cpu", default="max,-erms,-fsrm")
    parser.add_argument("--plugin")
    parser.add_argument("--link")
    parser.add_argument("--icount", action="store_true")
    parser.add_argument("--shell", action="store_true")
    parser.add_argument("--share", action="store_true")
    args = parser.parse_args()
    if args.icount and args.kernel != "x86":
        parser.error("--icount counts instructions of QEMU: it needs --kernel x86")
    if args.plugin and not args.icount:
        parser.error("--plugin is for QEMU with --icount")
    if args.link and not args.icount:
        parser.error("--link is for QEMU with --icount")
    if args.icount and args.smp not in (None, 1):
        parser.error("--icount is exact with one processor only")
    if args.kernel == "um" and args.smp not in (None, 1):
        parser.error("kernel um has one processor; --kernel debug has more")
    return args


class Channel:
    """A pipe from the guest: what comes out is kept or copied to a descriptor.

    It has a name, since QEMU opens it itself, and we hold its writing end too:
    the end of the guest is the end of its process, not of a pipe.
    """

    def __init__(self, name, copy_to=None):
        self.path = f"/tmp/{name}"
        os.mkfifo(self.path)
        self.reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.writer = os.open(self.path, os.O_WRONLY)
        self.copy_to = copy_to
        self.kept = b""

    def drain(self):
        """Take what is there."""
        while True:
            try:
                self.take(os.read(self.reader, 65536))
            except BlockingIOError:
                return

    def take(self, data):
        if self.copy_to is None:
            self.kept += data
            return
        while data:
            data = data[os.write(self.copy_to, data) :]


class Guest:
    """The emulator process, its channels and its kernel log."""

    def __init__(self, args, log):
        names = emulator.CHANNEL_NAMES
        self.channels = [Channel(*spec) for spec in zip(names, (1, 2, None))]
        self.status = self.channels[-1]
        self.timed_out = False
        command = emulator.command(args, self.channels)
        with open(log, "wb") as log_file:
            own = args.shell
            self.process = subprocess.Popen(
                command,
                stdin=None if own else subprocess.DEVNULL,
                stdout=None if own else log_file,
                stderr=None if own else subprocess.STDOUT,
                pass_fds=[c.writer for c in self.channels],
                cwd="/",
            )

    def watch(self, timeout):
        """Copy until the guest is gone or out of time."""
        deadline = time.monotonic() + timeout
        end = os.pidfd_open(self.process.pid)
        with selectors.DefaultSelector() as wait:
            wait.register(end, selectors.EVENT_READ)
            for channel in self.channels:
                wait.register(channel.reader, selectors.EVENT_READ, channel)
            running = True
            while running:
                left = deadline - time.monotonic()
                if left <= 0:
                    self.timed_out = True
                    self.process.kill()
                    break
                for key, _ in wait.select(left):
                    if key.data is None:
                        running = False
                    else:
                        key.data.drain()
        self.process.wait()
        for channel in self.channels:
            channel.drain()

    def exit_status(self):
        """What the command returned, or None when the guest never said."""
        text = self.status.kept.strip()
        return int(text) if text.isdigit() else None


def verdict(args, guest, log, host_log):
    """Print what is to be said about the kernel log; return our own status."""
    name = f"scripts/vm --kernel {args.kernel}"
    reports = klog.reports(log, args.kernel)
    status = guest.exit_status()
    if guest.timed_out:
        complain(f"{name}: killed after {args.timeout:g} s; kernel log: {host_log}")
    elif status is None:
        complain(
            f"{name}: the kernel stopped before the command's end (the emulator's status"
            f" is {guest.process.returncode}); kernel log: {host_log}"
        )
        if not reports:
            complain(*klog.tail(log, 12))
    for report in reports[:3]:
        complain(f"{name}: the kernel log has a report:", *("  " + line for line in report))
    if reports:
        more = f" ({len(reports)} reports in all)" if len(reports) > 3 else ""
        complain(f"{name}: kernel log: {host_log}{more}")
    if guest.timed_out or status is None:
        return STATUS_DEAD
    if reports:
        return STATUS_REPORT
    if status:
        complain(f"{name}: kernel log: {host_log}")
    return status


def complain(*lines):
    for line in lines:
        print(line, file=sys.stderr, flush=True)


def new_log(args):
    directory = pathlib.Path("/mnt/cache/log/vm")
    klog.prune(directory, KEEP_LOGS)
    log = directory / f"{args.kernel}-{args.run.name}.log"
    return log, str(log).replace("/mnt/cache", os.environ["NEWTCP_HOST_CACHE"], 1)


def interactive(guest):
    """Leave the terminal to the guest, and put it right afterwards."""
    terminal = termios.tcgetattr(0) if os.isatty(0) else None
    guest.process.wait()
    if terminal:
        termios.tcsetattr(0, termios.TCSADRAIN, terminal)
    return guest.process.returncode


def main():
    args = parse()
    log, host_log = new_log(args)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(STATUS_DEAD))
    guest = Guest(args, log)
    if args.shell:
        return interactive(guest)
    guest.watch(args.timeout)
    return verdict(args, guest, log, host_log)


if __name__ == "__main__":
    sys.exit(main())
