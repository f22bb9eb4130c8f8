# SPDX-License-Identifier: GPL-2.0
"""What passed, what failed and why."""

import sys


class Report:
    """Counts results; a failure is shown at once."""

    def __init__(self, verbose):
        self.verbose = verbose
        self.passed = 0
        self.failed = 0
        self.left_out = []

    def ok(self, what):
        """One check held."""
        self.passed += 1
        if self.verbose:
            print(f"ok      {what}", file=sys.stderr)

    def bad(self, what, detail=""):
        """One check did not hold."""
        self.failed += 1
        print(f"FAILED  {what}", file=sys.stderr)
        for line in str(detail).splitlines()[-25:]:
            print(f"        {line}", file=sys.stderr)

    def check(self, what, problems):
        """Pass if the list of problems is empty."""
        if problems:
            self.bad(what, "\n".join(problems))
        else:
            self.ok(what)

    def leave_out(self, what, reason):
        """Something that is shown but cannot be run here."""
        self.left_out.append((what, reason))
        if self.verbose:
            print(f"shown   {what}: {reason}", file=sys.stderr)

    def summary(self):
        """The last line; the exit status."""
        print(f"{self.passed} passed, {self.failed} failed, "
              f"{len(self.left_out)} shown only")
        return 1 if self.failed else 0
