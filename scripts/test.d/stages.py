# SPDX-License-Identifier: GPL-2.0
"""The stages of the test run: what each runs and what it needs before."""

import dataclasses
import os

import count


@dataclasses.dataclass(frozen=True)
class Stage:
    """One command of the run."""

    name: str
    what: str
    command: tuple
    needs: tuple = ()
    build: bool = False
    long: bool = False
    read: object = count.any_form


SUITE = "/mnt/src/tools/testing/selftests/net/mynewtcp/run.py"


def _in_guest(repo, kernel, *words, timeout, version="", append=""):
    release = ("--version", version) if version else ()
    boot = ("--append", append) if append else ()
    return (f"{repo}/scripts/vm", "--kernel", kernel, *release, *boot,
            "--timeout", str(timeout), "--", *words)


# The cases that stand for all under emulation, which is ten times slower than
# the rest: whole programs, every way that a connection fails, and the row in /proc.
EMULATED = (
    "protocols_row*", "file_by_socat*", "file_through_netem*", "connections_at_once*",
    "connect_refused_v*", "cut_link*", "killed_peer*", "linger_zero*", "capture*",
)


def _selftest(repo, kernel, timeout, only=(), name="", version="", how=(), long=False):
    words = [SUITE, "--strict", "--programs", "/mnt/cache/target/release", *how]
    for pattern in only:
        words += ["--only", pattern]
    return Stage(
        name or f"selftest-{kernel}",
        f"real programs in a guest, kernel {kernel} {version}".rstrip(),
        _in_guest(repo, kernel, *words, timeout=timeout, version=version),
        ("-".join(filter(None, ("kernel", kernel, version))), "programs"),
        long=long,
    )


def _goodput(repo, name, rounds, long=False):
    """In virtual time: processors cost nothing, and every machine finds the same."""
    return Stage(
        name,
        f"NEW_TCP's goodput over bad links is no less than TCP's, {rounds} rounds",
        _in_guest(repo, "um", "env", f"NEWTCP_GOODPUT_ROUNDS={rounds}", SUITE, "--strict",
                  "--only", "goodput_*", timeout=3600, append="time-travel=inf-cpu"),
        ("kernel-um",),
        long=long,
    )


def _kunit(repo, kernel):
    return Stage(
        f"kunit-{kernel}",
        f"the tests inside the kernel, kernel {kernel}",
        (f"{repo}/scripts/test.d/kunit", kernel),
        (f"kernel-{kernel}",),
        read=count.ktap,
    )


def _kernel(repo, kind, what):
    return Stage(
        f"kernel-{kind}", what, (f"{repo}/scripts/kernel", kind), ("root",), build=True
    )


def _programs(scripts):
    """The root's cargo, and how it runs the simulator and the explorer."""
    cargo = (f"{scripts}/env", "cargo")
    run = (*cargo, "run", "--release", "--quiet", "-p")
    return cargo, (*run, "mynewtcp-sim", "--", "--seeds"), (*run, "mynewtcp-explore", "--")


def _build_stages(repo):
    scripts = f"{repo}/scripts"
    yield Stage("root", "the build root", (f"{scripts}/env", "setup"), build=True)
    # First what most stages need, then what the longest one needs.
    yield _kernel(repo, "um", "build User-mode Linux")
    yield _kernel(repo, "debug", "build the kernel with every checker")
    yield _kernel(repo, "x86", "build the kernel for QEMU")
    yield Stage(
        "linux-7.2",
        "NEW_TCP compiles on the release before",
        (f"{scripts}/kernel", "--version", "7.2", "--only", "net/mynewtcp/", "um"),
        ("root",),
        build=True,
    )


def _stages(repo):
    scripts = f"{repo}/scripts"
    cargo, simulate, explore = _programs(scripts)
    seeds = os.environ.get("SEEDS", "1000")
    yield Stage("check", "formatting, lints, floors, sizes", (f"{scripts}/check",), ("root",))
    yield Stage(
        "programs", "build the programs that guests run",
        (f"{scripts}/test.d/programs",), ("root",),
    )
    # The longest first, so that both lanes end together.
    yield _selftest(repo, "debug", 3000, how=("--alternate",))
    yield Stage(
        "overlay", "putting it on a tree and taking it off",
        (f"{scripts}/test.d/overlay",), ("root",),
    )
    yield Stage(
        "cargo", "the engine's and the simulator's own tests",
        # The profile of the programs: what both depend on is compiled once.
        (*cargo, "test", "--release", "--workspace"), ("root",),
    )
    yield Stage(
        "sim", f"{seeds} simulated runs over a bad link", (*simulate, seeds), ("cargo",)
    )
    yield Stage(
        "explore", "everything that can happen in small worlds, cut off early",
        (*explore, "--states", "60000"), ("cargo",),
    )
    yield Stage(
        "vm", "what scripts/vm promises", (f"{scripts}/vm.d/tests/run", "um"), ("kernel-um",)
    )
    yield _kunit(repo, "um")
    yield _selftest(repo, "um", 1200)
    yield _goodput(repo, "goodput", 7)
    yield Stage(
        "no-ipv6", "a kernel that was booted without IPv6",
        _in_guest(repo, "um", SUITE, "--strict", "--only", "without_ipv6",
                  timeout=600, append="ipv6.disable=1"),
        ("kernel-um",),
    )
    yield Stage("docs", "the documents and their commands", (f"{scripts}/docs",), ("kernel-um",))
    yield _kunit(repo, "x86")
    yield _selftest(repo, "x86", 1800, EMULATED)
    yield Stage("run", "`make run`", (f"{scripts}/run-demo",), ("kernel-x86",))
    yield Stage(
        "bench-gate", "rr, crr and bulk cost no more than the stored figures",
        (f"{scripts}/bench", "--gate"), ("kernel-x86", "programs"),
    )
    yield _kunit(repo, "debug")
    yield Stage(
        "unwind", "a start-up that fails at any step leaves no trace",
        (f"{repo}/tools/testing/selftests/net/mynewtcp/host/init-unwind.sh", "debug"),
        ("kernel-debug",),
    )


def _long_stages(repo):
    scripts = f"{repo}/scripts"
    _, simulate, explore = _programs(scripts)
    yield _selftest(repo, "x86", 7200, name="selftest-x86-all", long=True)
    yield _selftest(repo, "debug", 6000, name="selftest-debug-all", long=True)
    yield _selftest(repo, "debug", 1800, ("every_allocation_*",), name="faults-long", long=True)
    yield _goodput(repo, "goodput-long", 41, long=True)
    yield Stage(
        "sim-long", "100,000 simulated runs", (*simulate, "100000"), ("sim",), long=True
    )
    yield Stage(
        "fuzz", "libFuzzer on parser, segments and connections, five minutes each",
        (f"{scripts}/fuzz", "--seconds", "300"), ("cargo",), long=True,
    )
    yield Stage(
        "explore-long", "everything that can happen in small worlds",
        (*explore, "--states", "3000000"), ("explore",), long=True,
    )
    yield Stage(
        "kernel-um-7.2", "a whole kernel of the release before",
        (f"{scripts}/kernel", "--version", "7.2", "um"), ("linux-7.2",), build=True, long=True,
    )
    yield _selftest(repo, "um", 1800, name="selftest-um-7.2", version="7.2", long=True)
    yield Stage(
        "bench", "the whole benchmark", (f"{scripts}/bench",),
        ("kernel-um", "kernel-x86", "programs"), long=True,
    )


def table(repo):
    """Every stage by name, in the order to try them."""
    stages = (*_build_stages(repo), *_stages(repo), *_long_stages(repo))
    return {stage.name: stage for stage in stages}


def with_needs(known, wanted):
    """The wanted stages and all that they need, in the table's order."""
    chosen = set()
    todo = list(wanted)
    while todo:
        name = todo.pop()
        if name not in chosen:
            chosen.add(name)
            todo += known[name].needs
    return [stage for stage in known.values() if stage.name in chosen]
