#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run the NEW_TCP selftests: ./run [--family tcp|newtcp] [--list] [--only NAME]."""

import importlib
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HOME))

from harness import runner  # noqa: E402

for module in sorted((HOME / "cases").glob("[a-z]*.py")):
    importlib.import_module(f"cases.{module.stem}")

if __name__ == "__main__":
    sys.exit(runner.main(sys.argv[1:]))
