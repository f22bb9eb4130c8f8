# SPDX-License-Identifier: GPL-2.0
"""Each counter moves by exactly what happened; none is left without a recipe."""

from pathlib import Path

import recipes.edges
import recipes.held
import recipes.receiver
import recipes.repair  # noqa: F401
from harness.knobs import counters
from harness.registry import case, check, check_equal
from recipes import RECIPES

TREE = Path(__file__).resolve().parents[6]
SIM = "tools/mynewtcp/sim/tests"
# Not made to move on a live kernel, but to the last one where memory and links are simulated:
# file and test by counter.
SIMULATED = {
    "HystartDelayDetect": (f"{SIM}/congestion.rs", "the_end_of_slow_start_is_counted"),
    "HystartDelayCwnd": (f"{SIM}/congestion.rs", "the_end_of_slow_start_is_counted"),
    "PruneCalled": (f"{SIM}/receiver/counts.rs", "a_buffer_without_room"),
    "OfoPruned": (f"{SIM}/receiver/counts.rs", "a_buffer_without_room"),
    "RcvPruned": (f"{SIM}/receiver/counts.rs", "a_pool_without_room"),
    "OFODrop": (f"{SIM}/receiver/counts.rs", "a_pool_without_room"),
    "ReceiveRefused": (f"{SIM}/receiver/counts.rs", "a_pool_without_room"),
    "RcvCollapsed": (f"{SIM}/receiver/counts.rs", "a_reader_who_never_reads"),
    "WantZeroWindowAdv": (f"{SIM}/receiver/counts.rs", "windows_that_are_not_taken_back"),
    "TransmitFailed": (f"{SIM}/receiver/counts.rs", "no_memory_for_a_segment_and_for_a_reset"),
    "AbortFailed": (f"{SIM}/receiver/counts.rs", "no_memory_for_a_segment_and_for_a_reset"),
}
CASES = "tools/testing/selftests/net/mynewtcp/cases"
# Moved by cases of their own: file and test by counter.
ELSEWHERE = {
    "DelayedACKLocked": (f"{CASES}/held.py", "delayed_ack_is_late"),
    "MemoryPressures": (f"{CASES}/memory_rows.py", "above_pressure"),
}
# Counters that nothing moves exactly, and why.
UNMOVED = {
    "MemoryPressuresChrono": "counts milliseconds; above_pressure sees it grow",
    "MemoryRefused": "every retry of a writer counts; above_pressure sees it grow",
}
# What the file tells of the host besides counters.
LEVELS = {"MemPages", "Sockets"}


@case(versions=(4,), families=("newtcp",))
def counters_have_recipes(context):
    """Whoever adds a counter shows what moves it."""
    shown = set(counters(context.link.a.ns, context.family)) - LEVELS
    told = set().union(*RECIPES.values(), SIMULATED, ELSEWHERE, UNMOVED)
    check_equal(sorted(shown - told), [], "counters without a recipe")
    check_equal(sorted(told - shown), [], "recipes for what is no counter")
    for name, (file, test) in {**SIMULATED, **ELSEWHERE}.items():
        if (TREE / "tools/mynewtcp").exists():
            check(f" {test}(" in (TREE / file).read_text(encoding="utf-8"),
                  f"{file} has no test {test} for {name}")
