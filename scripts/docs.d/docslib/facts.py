# SPDX-License-Identifier: GPL-2.0
"""Compare what the documents name with what is there."""

import re

TOPS = ("net", "include", "Documentation", "scripts", "tools", "security",
        "kernel", "rust", "arch", "usr", ".ci", "lib")
CODE = re.compile(r"``([^`\n]+)``|(?<!`)`([^`\n]+)`(?!`)")
PATH = re.compile(r"^(?:%s)/[\w./*-]*$" % "|".join(map(re.escape, TOPS)))
UNITS = {"nanos": 1, "micros": 10**3, "millis": 10**6, "secs": 10**9}
SPOKEN = {"us": 10**3, "ms": 10**6, "s": 10**9}


def paths_in(text):
    """The file names that stand in code quotes, with line numbers."""
    for number, line in enumerate(text.splitlines(), 1):
        for found in CODE.finditer(line):
            word = found.group(1) or found.group(2)
            if PATH.match(word):
                yield number, word


def missing_paths(text, trees):
    """The names that are in none of the trees."""
    return [f"line {number}: there is no {word}"
            for number, word in paths_in(text)
            if not any(_exists(tree, word) for tree in trees)]


def _exists(tree, word):
    if "*" in word:
        return any(True for _ in tree.glob(word))
    return (tree / word).exists()


def dead_links(text, repo):
    """Relative links of a Markdown file that lead nowhere."""
    return [f"the link to {target} leads nowhere"
            for target in re.findall(r"\]\(([^)#:]+)\)", text)
            if not (repo / target).exists()]


def config_defaults(source):
    """Name -> default of every tunable in engine/config.rs, spans in ns.

    None stands for one of several words.
    """
    body = source.partition("pub const DEFAULT: Self = Self {")[2]
    body = body.partition("};")[0]
    found = {}
    for name, value in re.findall(r"^\s+(\w+): (.+),$", body, re.M):
        span = re.fullmatch(r"Delta::from_(\w+)\(([\d_]+)\)", value)
        if span:
            value = int(span.group(2)) * UNITS[span.group(1)]
        elif value == "Delta::ZERO":
            value = 0
        elif value.replace("_", "").isdigit():
            value = int(value.replace("_", ""))
        elif value == "None":
            continue
        elif "::" in value:
            value = None
        found[name] = value
    return found


def _spoken(text):
    """The value of "200 ms", "6", "yes", as config_defaults has it."""
    words = text.split()
    if not words:
        return None
    if words[0] in ("on", "off"):
        return {"on": "true", "off": "false"}[words[0]]
    if not words[0].isdigit():
        return None
    unit = SPOKEN.get(words[1].rstrip(",;")) if len(words) > 1 else None
    return int(words[0]) * (unit or 1)


def wrong_defaults(text, defaults):
    """Rows of list tables, ``name`` then default, that say otherwise."""
    rows = re.findall(r"^\s+\* - ``(\w+)``\n\s+- (.+)$", text, re.M)
    told = {name: value for name, value in rows if name in defaults}
    problems = [] if defaults else ["the source has no defaults"]
    problems += [f"{name} is not in the table of defaults"
                for name in defaults if name not in told]
    for name, value in told.items():
        if defaults[name] is not None and _spoken(value) != defaults[name]:
            problems.append(f"{name}: the document says {value}, "
                            f"the source {defaults[name]}")
    return problems


def wrong_counters(text, source):
    """Counters that the table and the source disagree on."""
    there = re.findall(r'\((?:Self|Counter|Gauge)::\w+, "(\w+)"\)', source)
    there += re.findall(r'seq_print!\(out, "(\w+) \{\}', source)
    told = re.findall(r"^   \* - ``(\w+)``$", text, re.M)
    problems = [] if there == told or set(there) != set(told) \
        else ["the order is another one"]
    return problems + [
        f"{name} is in one of the two only"
        for name in sorted(set(there) ^ set(told))]


def unknown_targets(text, makefile):
    """Targets that the text names after make and that the Makefile lacks."""
    known = set(re.findall(r"^([a-z][\w-]*)\s*:(?!=)", makefile, re.M))
    for phony in re.findall(r"^\.PHONY:(.*)$", makefile, re.M):
        known |= set(phony.split())
    kernel = {"menuconfig", "rustavailable", "bindeb-pkg", "htmldocs",
              "olddefconfig", "kselftest"}
    problems = []
    for found in CODE.finditer(text):
        words = (found.group(1) or found.group(2)).split()
        if words[:1] != ["make"]:
            continue
        for word in words[1:]:
            if re.fullmatch(r"[a-z][a-z0-9-]*", word) \
                    and word not in known | kernel:
                problems.append(f"make {word}: no such target")
    return problems
