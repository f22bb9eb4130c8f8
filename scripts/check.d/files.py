# SPDX-License-Identifier: GPL-2.0
"""The files of the checkout, by kind, and Rust without its comments."""

import os
import pathlib
import re

SKIP = {".git", "target", "__pycache__"}
TOKENS = re.compile(
    r"""//[^\n]*
      | /\*.*?\*/
      | r(?P<hashes>\#*)".*?"(?P=hashes)
      | "(?:\\.|[^"\\])*"
      | '(?:\\.|[^'\\\n])'
    """,
    re.VERBOSE | re.DOTALL,
)


class Tree:
    """What there is to look at. Paths are relative to the checkout."""

    def __init__(self, repo):
        self.repo = repo
        self.texts = {}
        for folder, folders, leaves in os.walk(repo):
            folders[:] = sorted(set(folders) - SKIP)
            for leaf in sorted(leaves):
                path = pathlib.Path(folder, leaf)
                if path.is_symlink():
                    continue
                try:
                    self.texts[path.relative_to(repo)] = path.read_text(encoding="utf-8")
                except UnicodeDecodeError:
                    continue
        self.kinds = {path: _kind(path, text) for path, text in self.texts.items()}

    def text(self, path):
        """The contents of a file."""
        return self.texts[path]

    def all(self):
        """Every text file."""
        return list(self.texts)

    def of_kind(self, kind):
        """The files written in one language."""
        return [path for path, its in self.kinds.items() if its == kind]


def _kind(path, text):
    by_suffix = {".rs": "rust", ".py": "python", ".c": "c", ".h": "c", ".sh": "shell"}
    if path.suffix in by_suffix:
        return by_suffix[path.suffix]
    first = text.split("\n", 3)
    if first[0].startswith("#!"):
        if "python" in first[0]:
            return "python"
        if first[0].endswith("sh"):
            return "shell"
    if any(line.startswith("# shellcheck shell=") for line in first[:3]):
        return "shell"
    return ""


def blank(match):
    """As many lines, and nothing on them."""
    text = match.group(0)
    keep = '""' if text[0] in "\"r" else ""
    return keep + "\n" * text.count("\n")


def code_of(text):
    """Rust or C without comments and string contents, lines kept in place."""
    return TOKENS.sub(blank, text)


def block_end(code, start):
    """The offset after the brace block that opens at or after an offset."""
    depth = 0
    for at in range(code.index("{", start), len(code)):
        depth += {"{": 1, "}": -1}.get(code[at], 0)
        if depth == 0:
            return at + 1
    return len(code)


TEST_ITEM = re.compile(r"#\[cfg\((?:test|any\(test[^\n]*|all\(test[^\n]*)\)\][^{;]*\{")


def without_tests(path, text):
    """The code of a Rust file that is no test, lines kept in place."""
    code = code_of(text)
    if "tests" in path.parts or path.name in ("tests.rs", "kunit.rs"):
        return ""
    found = TEST_ITEM.search(code)
    while found:
        end = block_end(code, found.start())
        gone = code[found.start() : end]
        code = code[: found.start()] + "\n" * gone.count("\n") + code[end:]
        found = TEST_ITEM.search(code)
    return code


def line_of(code, offset):
    """The line number of an offset."""
    return code.count("\n", 0, offset) + 1
