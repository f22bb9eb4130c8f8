# SPDX-License-Identifier: GPL-2.0
"""Runs a script on TCP and on NEW_TCP and says where the answers differ."""

import fnmatch
from dataclasses import dataclass

from .machine import Machine

# A difference counts when it shows each time: a timer may go off between two calls.
TRIES = 3


@dataclass(frozen=True)
class Difference:
    """One call that the two answer differently."""

    script: str
    step: tuple
    tcp: str
    newtcp: str

    def __str__(self):
        words = " ".join(str(word) for word in self.step)
        return f"{self.script}: {words}: TCP {self.tcp}, NEW_TCP {self.newtcp}"


def differences(script, number, tcp, newtcp, door):
    """The differences of one script that show each time."""
    lasting = None
    for attempt in range(TRIES):
        place = number * TRIES + attempt
        expected = Machine(tcp, None, place).run(script.steps)
        found = Machine(newtcp, door, place).run(script.steps)
        now = {place: Difference(script.name, step, str(one), str(other))
               for place, (step, one, other) in enumerate(zip(script.steps, expected, found))
               if str(one) != str(other)}
        lasting = {place: difference for place, difference in now.items()
                   if lasting is None or place in lasting}
        if not lasting:
            return []
    return list(lasting.values())


class Explanations:
    """The differences that are meant, and which of them have shown."""

    def __init__(self, entries):
        self.entries = entries
        self.used = set()

    def explain(self, difference):
        """The reason for a difference, or None."""
        step = " ".join(str(word) for word in difference.step)
        for number, (script, call, tcp, newtcp, reason) in enumerate(self.entries):
            if (fnmatch.fnmatchcase(difference.script, script)
                    and fnmatch.fnmatchcase(step, call)
                    and fnmatch.fnmatchcase(difference.tcp, tcp)
                    and fnmatch.fnmatchcase(difference.newtcp, newtcp)):
                self.used.add(number)
                return reason
        return None

    def unused(self):
        """Explanations of what did not happen."""
        return [entry for number, entry in enumerate(self.entries) if number not in self.used]
