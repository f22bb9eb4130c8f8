# SPDX-License-Identifier: GPL-2.0
"""Runs stages in two lanes: one builds, one tests what is built."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import typing

TROUBLE = re.compile(r"^\s*not ok |error(\[E\d+\])?:|\bFAIL|panicked|Traceback|^scripts/vm|^newtcp:")
SHOWN = 40


def cache_directory():
    """Where logs go."""
    own = os.environ.get("NEWTCP_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(own or pathlib.Path(base) / "mynewtcp")


def clock(seconds):
    """Seconds as m:ss."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


class Result(typing.NamedTuple):
    """What came of a stage; the times are in seconds."""

    passed: int
    failed: int
    time: float = 0
    processor: float = 0
    trouble: str = ""


class Run:
    """One test run."""

    def __init__(self, known, chosen):
        self.known = known
        self.left = list(chosen)
        self.results = {}
        self.change = threading.Condition()
        self.logs = cache_directory() / "log" / "test"
        self.children = set()
        self.started = time.monotonic()

    def run(self):
        """Run every chosen stage; the exit status for the shell."""
        self.logs.mkdir(parents=True, exist_ok=True)
        signal.signal(signal.SIGTERM, self.stop)
        lanes = [
            threading.Thread(target=self.lane, args=(build,), daemon=True)
            for build in (True, False)
        ]
        for lane in lanes:
            lane.start()
        try:
            for lane in lanes:
                lane.join()
        except KeyboardInterrupt:
            self.stop()
        results = self.results.values()
        passed = sum(result.passed for result in results)
        failed = sum(result.failed for result in results)
        took = clock(time.monotonic() - self.started)
        processor = clock(sum(result.processor for result in results))
        self.say(f"all of it took {took}, {processor} of processor time")
        self.say(f"{passed} passed, {failed} failed")
        return 1 if failed or not passed else 0

    def stop(self, *_):
        """End what was started, and this run with it."""
        for child in list(self.children):
            os.killpg(child.pid, signal.SIGTERM)
        sys.exit(130)

    def lane(self, build):
        """Take stages of one kind, in order, as they become possible."""
        while True:
            with self.change:
                stage = self.next_stage(build)
                if stage is None:
                    return
            self.finish(stage, self.execute(stage))

    def next_stage(self, build):
        """The first stage of this lane that can run, once there is one.

        When everything is built, the lane that built helps with the tests.
        """
        while True:
            mine = [stage for stage in self.left if stage.build == build]
            if build and not mine:
                mine = self.left
            if not mine:
                return None
            for stage in mine:
                if all(need in self.results for need in stage.needs):
                    self.left.remove(stage)
                    return stage
            self.change.wait()

    def execute(self, stage):
        """Run a stage; its result."""
        broken = [need for need in stage.needs if self.results[need].failed]
        if broken:
            return Result(0, 1, trouble=f"not run: {', '.join(broken)} failed")
        begin = time.monotonic()
        log = self.logs / f"{stage.name}.log"
        with open(log, "wb") as out:
            status, processor = self.spawn(stage, out)
        text = log.read_text(encoding="utf-8", errors="replace")
        passed, failed = stage.read(text, status)
        trouble = self.excerpt(text, log) if failed else ""
        return Result(passed, failed, time.monotonic() - begin, processor, trouble)

    def spawn(self, stage, out):
        """Start a stage's command and wait for it: status, processor seconds.

        Builds yield to tests.
        """
        command = ["nice", "-n", "10", *stage.command] if stage.build else stage.command
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                stdout=out,
                stderr=subprocess.PIPE if stage.build else subprocess.STDOUT,
            )
        except OSError as error:
            out.write(f"{command[0]}: {error.strerror}\n".encode())
            return 127, 0
        self.children.add(child)
        if stage.build:
            for line in child.stderr:
                out.write(line)
                if line.startswith(b"newtcp: "):
                    self.say(line.decode(errors="replace").rstrip())
        _, status, used = os.wait4(child.pid, 0)
        self.children.discard(child)
        child.returncode = os.waitstatus_to_exitcode(status)
        return child.returncode, used.ru_utime + used.ru_stime

    def excerpt(self, text, log):
        """The lines of a log that say what went wrong."""
        lines = [line for line in text.splitlines() if TROUBLE.search(line)]
        if not lines:
            lines = text.splitlines()[-15:]
        shown = [f"    {line}" for line in lines[:SHOWN]]
        if len(lines) > SHOWN:
            shown.append(f"    and {len(lines) - SHOWN} lines more")
        return "\n".join([*shown, f"    all of it: {log}"])

    def finish(self, stage, result):
        """Record a stage's result, print it, wake the other lane."""
        word = "FAILED" if result.failed else "ok"
        self.say(
            f"{stage.name:14} {word:6} {result.passed:6} passed {result.failed:4} failed"
            f" {clock(result.time):>7} {clock(result.processor):>7}  {stage.what}"
        )
        if result.trouble:
            self.say(result.trouble)
        with self.change:
            self.results[stage.name] = result
            self.change.notify_all()

    def say(self, text):
        """One message, whole."""
        print(text, flush=True)
