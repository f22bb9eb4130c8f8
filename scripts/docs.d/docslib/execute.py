# SPDX-License-Identifier: GPL-2.0
"""Run command blocks where their marks say."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from . import blocks

HOST_SECONDS = 300
GUEST_SECONDS = 240
BUILD_SECONDS = 3600
TREE_IN_TEXT = "/path/to/linux"
PLACES_IN_TEXT = "/path/to/"
AUTHOR = {"GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "user.name",
          "GIT_CONFIG_VALUE_0": "Test", "GIT_CONFIG_KEY_1": "user.email",
          "GIT_CONFIG_VALUE_1": "test@localhost"}
CC = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
      "-Iinclude/uapi", "-x", "c", "-"]


class Runner:
    """Runs blocks; knows the repository and its helpers."""

    def __init__(self, repo, report, build):
        self.repo = repo
        self.build = build
        self.report = report
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="newtcp-docs-"))
        self.scratch = None

    def close(self):
        """Remove everything that was made."""
        shutil.rmtree(self.work, ignore_errors=True)

    def run(self, found, places):
        """Run all blocks whose place is in `places`."""
        for kernel, wanted in (("um", {"host-vm", "guest-um"}),
                               ("x86", {"guest-x86"})):
            if self.build and any(b.place in wanted & places for b in found):
                self._build(kernel)
        for block in found:
            if block.place == "none":
                self.report.leave_out(block.name, block.reason)
            elif block.place in places and block.place == "dry":
                self._dry(block)
            elif block.place in places and block.place in ("host", "host-vm"):
                self._host(block)
        for kernel in ("um", "x86"):
            here = [b for b in found if b.place == f"guest-{kernel}"]
            if here and f"guest-{kernel}" in places:
                self._guest(kernel, here)

    def _execute(self, argv, text=None, seconds=HOST_SECONDS):
        try:
            done = subprocess.run(
                argv, cwd=self.repo, input=text, text=True, check=False,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=seconds, errors="replace",
                env={**os.environ, **AUTHOR},
                stdin=None if text is not None else subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return 124, f"no end after {seconds} s"
        except OSError as error:
            return 127, str(error)
        return done.returncode, done.stdout

    def _build(self, kernel):
        """Bring a kernel up to date; quick if it is."""
        status, out = self._execute(["scripts/kernel", kernel],
                                    seconds=BUILD_SECONDS)
        self._judge(f"the {kernel} kernel is built", status, out, None)

    def _dry(self, block):
        for step in block.steps():
            for line in step.command.splitlines():
                words = line.split("#")[0].split()
                if not words:
                    continue
                if words[0] != "make":
                    self.report.bad(f"{block.name}: {line}",
                                    "only make can be asked without running")
                    continue
                status, out = self._execute(["make", "-n", *words[1:]])
                self._judge(f"{block.name}: {line}", status, out, None)

    def _host(self, block):
        if block.program:
            argv = CC if block.program == "cc" else block.program.split()
            status, out = self._execute(argv, "\n".join(block.lines) + "\n")
            self._judge(f"{block.name}: {block.program}", status, out, None)
            return
        for step in block.steps():
            command = step.command
            if TREE_IN_TEXT in command:
                self._tree()
            command = command.replace(PLACES_IN_TEXT, f"{self.work}/")
            status, out = self._execute(["bash", "-euo", "pipefail", "-c",
                                         command])
            self._judge(f"{block.name}: {step.command}", status, out,
                        step.expected)

    def _judge(self, what, status, out, expected):
        if status:
            self.report.bad(what, f"{out}\nexit status {status}")
        elif expected is not None and not blocks.matches(
                expected, out.splitlines()):
            self.report.bad(what, f"expected:\n{os.linesep.join(expected)}\n"
                                  f"printed:\n{out}")
        else:
            self.report.ok(what)

    def _tree(self):
        """A scratch kernel tree with the files that the overlay looks at,
        under git."""
        if self.scratch is None:
            status, out = self._execute(["scripts/env", "source"])
            lines = out.strip().splitlines()
            if status or not lines:
                raise RuntimeError(f"no kernel source: {out}")
            self.scratch = self.work / "linux"
            copy_tree(pathlib.Path(lines[-1]), self.scratch, self.repo)
            for words in (["init", "-q"], ["add", "-A"],
                          ["commit", "-q", "-m", "Linux"]):
                self._execute(["git", "-C", str(self.scratch), *words])

    def _guest(self, kernel, here):
        share = self.work / f"share-{kernel}"
        share.mkdir()
        jobs = []
        for number, block in enumerate(here):
            jobs += write_job(share, f"{number:02}", block)
        (share / "all").write_text(GUEST_LOOP)
        status, out = self._execute(
            ["scripts/vm", "--kernel", kernel, "--timeout",
             str(GUEST_SECONDS), "--share", str(share), "--",
             "/bin/sh", "/mnt/share/all"], seconds=GUEST_SECONDS + 60)
        self._judge(f"guest {kernel}: boots, clean kernel log, ends",
                    status, out, None)
        for name, block, step in jobs:
            what = f"{block.name}: {step.command.splitlines()[0]}"
            ended = share / f"{name}.status"
            if not ended.exists():
                self.report.bad(what, "did not run to its end in the guest")
                continue
            self._judge(what, int(ended.read_text().strip() or 1),
                        (share / f"{name}.out").read_text(errors="replace"),
                        step.expected)


GUEST_LOOP = """\
cd /mnt/src
for job in /mnt/share/*.job; do
	timeout 60 sh "$job" </dev/null
done
"""


def write_job(share, number, block):
    """Write the script of a block; the steps with the names of their output.

    The steps of a transcript run in one shell, so that a later one can wait for
    what an earlier one has started.
    """
    if block.program:
        steps = [blocks.Step("\n".join(block.lines), None)]
        (share / f"{number}.in").write_text(steps[0].command + "\n")
        commands = [f"{block.program} </mnt/share/{number}.in"]
    else:
        steps = block.steps()
        commands = [step.command for step in steps]
        if not blocks.is_transcript(block.lines):
            commands = [f"(set -eu\n{commands[0]}\n)"]
    jobs, script = [], []
    for index, (step, command) in enumerate(zip(steps, commands)):
        name = f"{number}-{index:02}"
        jobs.append((name, block, step))
        script.append(f"{{\n{command}\n}} >/mnt/share/{name}.out 2>&1\n"
                      f"echo $? >/mnt/share/{name}.status\n")
    (share / f"{number}.job").write_text("".join(script))
    return jobs


def copy_tree(source, target, repo):
    """Copy what scripts/overlay reads of a kernel tree."""
    wanted = {"Makefile", "Kbuild", "Kconfig", "MAINTAINERS", "net/Kconfig",
              "net/Makefile", "net/socket.c", "include/linux/socket.h"}
    for path in (repo / "scripts/overlay.d").rglob("*.toml"):
        text = path.read_text()
        wanted |= set(re.findall(r'^file\s*=\s*"([^"]+)"', text, re.M))
    for name in sorted(wanted):
        if (source / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name)
