# SPDX-License-Identifier: GPL-2.0
"""The floors of net/mynewtcp: who may name whom, and where `unsafe` lives."""

import re

from files import code_of, line_of, without_tests

HOME = "net/mynewtcp/"
ENGINE = re.compile(r"^net/mynewtcp/engine(\.rs$|/)")
LINUX = re.compile(r"^net/mynewtcp/linux(\.rs$|/)")
KUNIT_ATTRIBUTE = re.compile(r"#\[cfg_attr\(CONFIG_KUNIT[^\]]*\]")

# Each: what may not appear, and what to say.
IN_ENGINE = (
    (re.compile(r"\bunsafe\b"), "`unsafe` in the engine"),
    (re.compile(r"\b(kernel|bindings|pin_init|alloc|std)::"), "the engine knows only core"),
    (re.compile(r"\bcrate::(?!engine\b)\w+"), "the engine knows nothing above it"),
    (re.compile(r"\b(f32|f64|u128|i128)\b"), "no such numbers in the kernel"),
    (re.compile(r"\bcore::time\b"), "time is engine::time"),
)
IN_LINUX = ((re.compile(r"\bengine::"), "the wrappers do not know the engine"),)
IN_ROOT = (
    (re.compile(r"\bunsafe\b"), "`unsafe` outside net/mynewtcp/linux"),
    (re.compile(r"\bbindings::"), "C is named in net/mynewtcp/linux only"),
)
PANICS = re.compile(
    r"\.unwrap\(\)|\.expect\(|\b(?:panic|unreachable|todo|unimplemented)!\s*[({\[]"
)


def _ours(tree):
    for path in tree.of_kind("rust"):
        if str(path).startswith(HOME):
            yield path, tree.text(path)


def _rules(name):
    if ENGINE.match(name):
        return IN_ENGINE
    if LINUX.match(name):
        return IN_LINUX
    return IN_ROOT


def problems(tree):
    """Names and words that belong on another floor."""
    found = []
    for path, text in _ours(tree):
        if path.name == "mod.rs":
            found.append(f"{path}: foo.rs and foo/, never mod.rs")
        code = KUNIT_ATTRIBUTE.sub("", without_tests(path, text))
        for pattern, why in _rules(str(path)):
            for match in pattern.finditer(code):
                found.append(f"{path}:{line_of(code, match.start())}: {match[0]}: {why}")
    return found


def panics(tree):
    """What stops the machine has no place outside tests."""
    found = []
    for path, text in _ours(tree):
        code = without_tests(path, text)
        for match in PANICS.finditer(code):
            found.append(f"{path}:{line_of(code, match.start())}: {match[0].strip()}")
    return found


UNSAFE = re.compile(r"\bunsafe\s*(\{|impl\b|fn\b|extern\b)")


def unexplained(tree):
    """Every unsafe block and impl says why, every unsafe fn what it asks for."""
    found = []
    for path, text in _ours(tree):
        lines = text.split("\n")
        code = code_of(text)
        for match in UNSAFE.finditer(code):
            at = line_of(code, match.start()) - 1
            if match[1] == "extern" or _is_type(code, match):
                continue
            if match[1] == "fn" and _implements(lines, at):
                continue
            if not _explained(lines, at, match[1]):
                found.append(f"{path}:{at + 1}: {lines[at].strip()}")
    return found


def _is_type(code, match):
    """`unsafe fn` as a type or in an extern block, not as an item."""
    after = code[match.end() : match.end() + 2].lstrip()
    return match[1] == "fn" and after.startswith("(")


def _implements(lines, at):
    """A method of a trait's impl: the trait says what it asks for."""
    if not lines[at].startswith(" "):
        return False
    outer = next((line for line in reversed(lines[:at]) if re.match(r"\w", line)), "")
    return bool(re.match(r"(unsafe )?impl\b.* for ", outer))


def _explained(lines, at, what):
    word = "# Safety" if what == "fn" else "SAFETY:"
    if word in lines[at] or (what == "fn" and "SAFETY:" in lines[at]):
        return True
    statement = True
    for line in reversed(lines[max(0, at - 40) : at]):
        line = line.strip()
        if word in line or (what == "fn" and "SAFETY:" in line):
            return True
        if line.startswith(("//", "#[", "#!", "///")):
            continue
        if line.endswith((";", "}")) or not line:
            statement = False
        if not statement:
            return False
    return False
