# SPDX-License-Identifier: GPL-2.0
"""The list of cases. A case is a function of a Context; it passes by returning."""

from dataclasses import dataclass
from typing import Callable


class Failure(AssertionError):
    """A check of a case did not hold."""


class Stalled(Failure):
    """The same, and the machine stood still meanwhile: the case deserves another attempt."""


class Skip(Exception):
    """The case cannot say anything here, and why."""


@dataclass(frozen=True)
class Case:
    """One line of TAP."""

    name: str
    function: Callable
    version: int
    timeout: float
    families: tuple
    apart: bool
    needs: Callable


CASES: list[Case] = []


def always():
    """What most cases need of the kernel: nothing."""
    return True


def case(versions=(4, 6), timeout=30.0, families=("tcp", "newtcp"), apart=False,
         needs=None):
    """Register a function once per IP version.

    With one version the function's name is the case's name, with two the
    version is appended. The time-out is for a fast machine; the runner
    multiplies it by how much slower this one is. A case that stands apart
    runs only when --only names it. `needs` says whether the kernel is one that
    the case is for; where it is not, there is no such case.
    """

    def register(function):
        for version in versions:
            suffix = f"_v{version}" if len(versions) > 1 else ""
            name = function.__name__ + suffix
            if any(known.name == name for known in CASES):
                raise ValueError(f"two cases are called {name}")
            CASES.append(Case(name, function, version, timeout, tuple(families),
                              apart, needs or always))
        return function

    return register


def check(condition, message):
    """Fail the case unless the condition holds."""
    if not condition:
        raise Failure(message)


def check_equal(found, expected, what):
    """Fail the case unless both are equal; says both."""
    if found != expected:
        raise Failure(f"{what}: found {found!r}, expected {expected!r}")
