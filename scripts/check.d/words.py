# SPDX-License-Identifier: GPL-2.0
"""Words that no file may have: stand-ins for work, foreign addresses."""

import re

# Put together here, so that this file passes its own check.
STAND_INS = re.compile(
    r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX")) + r")\b"
    r"|\b(?:to" + r"do|unimplement" + r"ed)!\s*[({\[]"
)
ADDRESS = re.compile(r"\b(?:https?|git|ftp)://([^/\s\"'`)>]+)")
ALLOWED = re.compile(
    r"(^|\.)(rfc-editor\.org|ietf\.org|kernel\.org|spdx\.org|gnu\.org|fsf\.org)$"
)
MACHINE = re.compile(r"(?<![\w.])/(?:root|home|work)/\w")
NAMED = re.compile(r"\bSPDX-License-Identifier: ")


def problems(tree):
    """Lines with such words."""
    found = []
    for path in tree.all():
        if path.name in ("COPYING", "Cargo.lock"):
            continue
        for number, line in enumerate(tree.text(path).split("\n"), 1):
            if STAND_INS.search(line):
                found.append(f"{path}:{number}: a stand-in: {line.strip()[:80]}")
            if MACHINE.search(line):
                found.append(f"{path}:{number}: a path of one machine: {line.strip()[:80]}")
            for host in ADDRESS.findall(line):
                if not ALLOWED.search(host):
                    found.append(f"{path}:{number}: an address: {host}")
    return found


def licences(tree):
    """Every file names its licence in its first lines, except data that cannot."""
    # kselftest's own two files and codespell's list have no comments.
    exempt = {"COPYING", "Cargo.lock", "config", "settings", "spelling"}
    found = []
    for path in tree.all():
        head = "\n".join(tree.text(path).split("\n")[:4])
        if path.name in exempt or path.suffix in (".json", ".txt") or not head:
            continue
        if not NAMED.search(head):
            found.append(f"{path}: no SPDX line on top")
    return found
