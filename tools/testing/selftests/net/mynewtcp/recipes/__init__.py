# SPDX-License-Identifier: GPL-2.0
"""Recipes: what makes a counter move, and by exactly how much.

A recipe is a function of a Context, declared with the growth of the counters of side a. It
becomes a case of its own.
"""

import time

from harness.knobs import counters
from harness.registry import Failure, Stalled, case, check

RECIPES = {}
# Seconds on a fast machine that a counter may take to follow what was seen on the wire.
SETTLE = 3


def differences(before, after, expected):
    """The declared counters that did not grow by what was declared."""
    return {name: after[name] - before[name] for name, growth in expected.items()
            if after[name] - before[name] != growth}


def recipe(timeout=8.0, **expected):
    """Register the recipe, as a case that is called counted_ and its name."""

    def register(function):
        def run(context):
            side = context.link.a
            before = counters(side.ns, context.family)
            unknown = set(expected) - set(before)
            check(not unknown, f"there are no counters {sorted(unknown)}")
            grown = {}

            def settled():
                grown.update(counters(side.ns, context.family))
                return not differences(before, grown, expected)

            try:
                function(context)
                deadline = time.monotonic() + SETTLE * context.scale
                while not settled():
                    check(time.monotonic() < deadline, "wrong")
                    time.sleep(0.005)
            except Failure as failure:
                settled()
                wrong = differences(before, grown, expected)
                moved = {name: value - before[name] for name, value in grown.items()
                         if value != before[name]}
                # More time-outs than belong: who plays the peer did not get to run.
                stalled = moved.get("Timeouts", 0) > expected.get("Timeouts", 0)
                kind = Stalled if stalled else Failure
                raise kind("; ".join(f"{name} grew by {found}, expected {expected[name]}"
                                     for name, found in wrong.items())
                           + f" ({failure}; all that moved: {moved})") from failure
            finally:
                context.abort_all()

        run.__name__ = f"counted_{function.__name__}"
        run.__doc__ = function.__doc__
        case(versions=(4,), families=("newtcp",), timeout=timeout)(run)
        RECIPES[function.__name__] = frozenset(expected)
        return function

    return register


__all__ = ["RECIPES", "recipe"]
