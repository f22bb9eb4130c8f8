# SPDX-License-Identifier: GPL-2.0
"""What the RFCs require, and where it is done and tested: reads rfc.toml, checks
it against the tree, and writes the table of the documentation."""

import pathlib
import re
import tomllib

HOME = pathlib.Path("Documentation/networking/mynewtcp")
DATA = HOME / "rfc.toml"
TABLE = HOME / "rfc.rst"
# What paths in the data are relative to, the first that has the file.
ROOTS = (
    "net/mynewtcp", "tools/mynewtcp", "tools/mynewtcp/engine",
    "tools/testing/selftests/net/mynewtcp", ".",
)
VECTORS = "net/mynewtcp/engine/selftest.rs"
LEVELS = {"MUST": "MUST", "SHLD": "SHOULD", "REC": "RECOMMENDED"}
STATUS = {"done": "", "not-applicable": "does not apply", "differs": "differs"}
FIELDS = {"id", "level", "section", "text", "status", "why", "code", "test"}
# Every number of RFC 9293, appendix B, but those of MAY.
COMPLETE = {
    9293: [f"MUST-{n}" for n in range(1, 70)]
    + [f"SHLD-{n}" for n in range(1, 32)] + ["REC-1"],
}
HEAD = f""".. SPDX-License-Identifier: GPL-2.0
.. Written by scripts/rfc from {DATA.name}. Change that one.

============================
What the RFCs ask for, where
============================

Each statement with MUST, MUST NOT, SHOULD or SHOULD NOT of the RFCs that NEW_TCP
follows, in words of our own, with the code that does it and a test that would fail
without.  Code is relative to ``net/mynewtcp``; a test is a vector of the engine
(``topic::name``), a test function, or a case of the selftests.  ``make check`` fails
if a name does not exist, if a MUST lacks either, or if this page is out of date.

"""


def _list(value):
    return [value] if isinstance(value, str) else list(value or ())


def load(tree):
    """The RFCs as the data has them, each with its requirements."""
    return tomllib.loads(tree.text(DATA))["rfc"]


def level_of(one):
    """MUST, SHOULD or RECOMMENDED."""
    return one.get("level") or LEVELS.get(one["id"].split("-")[0], "")


def problems(tree):
    """What is wrong with the data, and whether the table is another one."""
    if DATA not in tree.texts:
        return [f"{DATA} is missing"]
    try:
        rfcs = load(tree)
    except (tomllib.TOMLDecodeError, KeyError) as error:
        return [f"{DATA}: {error}"]
    found = []
    for rfc in rfcs:
        found += _problems_of(tree, rfc)
    if not found and tree.texts.get(TABLE) != table(rfcs):
        found.append(f"{TABLE} is out of date: scripts/rfc writes it")
    return found


def _problems_of(tree, rfc):
    name = f"RFC {rfc['number']}"
    ids = [one.get("id", "?") for one in rfc["requirements"]]
    found = [f"{name}: {one} twice" for one in sorted({i for i in ids if ids.count(i) > 1})]
    for one in COMPLETE.get(rfc["number"], ()):
        if one not in ids:
            found.append(f"{name}: {one} is missing")
    for one in rfc["requirements"]:
        found += [f"{name}, {one.get('id', '?')}: {why}" for why in _wrong(tree, one)]
    return found


def _wrong(tree, one):
    unknown = set(one) - FIELDS
    if unknown or not {"id", "text"} <= set(one):
        yield f"unknown or missing fields {sorted(unknown)}"
        return
    status = one.get("status", "done")
    if level_of(one) not in LEVELS.values():
        yield "no level"
    if status not in STATUS:
        yield f"no status {status}"
    elif status == "done" and not (one.get("code") and one.get("test")):
        yield "needs code and a test"
    elif status != "done" and not one.get("why"):
        yield f"{STATUS[status]}, and does not say why"
    for place in _list(one.get("code")):
        if not _defined(tree, place):
            yield f"there is no code {place}"
    for place in _list(one.get("test")):
        if not _tested(tree, place):
            yield f"there is no test {place}"


def _text(tree, path):
    for root in ROOTS:
        full = pathlib.Path(root, path)
        if full in tree.texts:
            return tree.texts[full]
    return ""


def _defined(tree, place):
    """`path:name`, a definition of this name in that file."""
    path, _, name = place.partition(":")
    name = re.escape(name.rsplit("::", 1)[-1])
    item = rf"\b(?:fn|struct|enum|const|static|type|trait|def)\s+{name}\b"
    member = rf"^\s+(?:pub(?:\([a-z]+\))?\s+)?{name}(?:\s*[:=({{]|,$)"
    return bool(name and re.search(f"{item}|{member}", _text(tree, path), re.MULTILINE))


def _tested(tree, place):
    """A vector, or `path:name` of a test function or a case."""
    if "/" not in place:
        return f"    {place}," in _text(tree, VECTORS)
    path, _, name = place.partition(":")
    text = _text(tree, path)
    if path.endswith(".py"):
        return bool(re.search(rf"^@.*\n(?:@.*\n)*def {re.escape(name)}\(", text, re.MULTILINE))
    attributes = r"#\[test\]\s*(?:#\[[^\]]*\]\s*|///?[^\n]*\n\s*)*"
    return bool(re.search(rf"{attributes}fn {re.escape(name)}\b", text))


def table(rfcs):
    """The page."""
    parts = [HEAD]
    for rfc in rfcs:
        title = f"RFC {rfc['number']}: {rfc['title']}"
        parts.append(f"{title}\n{'=' * len(title)}\n\n")
        if rfc.get("note"):
            parts.append(rfc["note"].strip() + "\n\n")
        parts.append(
            ".. list-table::\n   :header-rows: 1\n   :widths: 12 38 25 25\n\n"
            "   * - Number\n     - What\n     - Code\n     - Test\n"
        )
        parts += [_row(one) for one in rfc["requirements"]]
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


def _row(one):
    head = one["id"] if one["id"].startswith(tuple(LEVELS)) else f"{one['id']}, {level_of(one)}"
    text = one["text"]
    if one.get("section"):
        text += f" ({one['section']})"
    status = one.get("status", "done")
    if status != "done":
        text += f" **{STATUS[status].capitalize()}:** {one['why']}"
    code, test = (
        ", ".join(f"``{place}``" for place in _list(one.get(field))) for field in ("code", "test")
    )
    cells = (head, text, code, test)
    return "".join(
        f"   {'* -' if n == 0 else '  -'} {cell}".rstrip() + "\n" for n, cell in enumerate(cells)
    )
