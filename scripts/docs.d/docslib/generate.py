# SPDX-License-Identifier: GPL-2.0
"""Write what is made of the tables in the source: parts of documents, and the
tables that the tests walk."""

import re
import textwrap

SYSCTLS = "net/mynewtcp/sysctl.rs"
SYSCTL_RST = "Documentation/networking/mynewtcp/sysctl.rst"
SYSCTL_PY = "tools/testing/selftests/net/mynewtcp/harness/sysctls.py"

ROW = re.compile(
    r"((?:^    /// .*\n)+)^    (\w+) (\w+)\((\w+)(?:, (.+?)\.\.=(.+?), (.+?))?\): (.+);$",
    re.M)
CONSTANT = re.compile(r"^const (\w+): i64 = (.+);$", re.M)
TYPES = {"u8::MAX as i64": 2**8 - 1, "u16::MAX as i64": 2**16 - 1,
         "i32::MAX as i64": 2**31 - 1,
         "u32::MAX as i64": 2**32 - 1}
# What starts with a value that depends on the machine.
MACHINE = ("machine", "host")


class TableError(Exception):
    """The table in the source does not look as it should."""


def _constants(source):
    known = {}
    for name, value in CONSTANT.findall(source):
        known[name] = TYPES[value] if value in TYPES else _number(value, known)
    return known


def _number(text, known):
    """The value of ``1``, ``120_000``, ``INT`` or ``INT / 1000``."""
    first, _, divisor = text.partition(" / ")
    value = known.get(first)
    if value is None:
        value = int(first.replace("_", ""))
    return value // int(divisor) if divisor else value


def sysctl_rows(source):
    """The rows of the table of sysctls, as dictionaries."""
    known = _constants(source)
    body = source.partition("\ntable! {\n")[2].partition("\n}\n")[0]
    rows = []
    for doc, scope, name, unit, least, most, start, _ in ROW.findall(body + "\n"):
        row = {
            "name": name, "scope": scope, "unit": unit,
            "doc": " ".join(line.strip()[4:] for line in doc.splitlines()),
            "host": scope in ("host", "pages"),
        }
        if least:
            row["least"] = _number(least, known)
            row["most"] = _number(most, known)
            row["start"] = None if scope in MACHINE else _number(start, known)
        rows.append(row)
    if len(rows) != len(re.findall(r"^    \w+ \w+\(", body, re.M)):
        raise TableError(f"{SYSCTLS}: a row of the table was not understood")
    return sorted(rows, key=lambda row: row["name"])


def _values(row):
    if "least" not in row:
        return "three numbers"
    if row["unit"] == "flag" and row["most"] == 255:
        return "0: off, else: on"
    return f"{row['least']} to {row['most']}"


def _start(row):
    if "least" not in row:
        return "see below"
    return "see below" if row["start"] is None else str(row["start"])


def _cell(text, first):
    """A cell of a list table, filled to 80 columns."""
    lead = "   * - " if first else "     - "
    if not text:
        return lead.rstrip()
    return textwrap.fill(text, 80, initial_indent=lead, subsequent_indent="       ",
                         break_long_words=False, break_on_hyphens=False)


def sysctl_table(rows):
    """The table of all files in reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 18 14 16 12 40", ""]
    head = ("Name", "Unit", "Values", "Default", "Meaning")
    for cells in [head] + [
            (f"``{row['name']}``", "" if row["unit"] == "flag" else row["unit"],
             _values(row), _start(row), row["doc"]) for row in rows]:
        lines += [_cell(cell, not place) for place, cell in enumerate(cells)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def sysctl_module(rows):
    """The table of all files for the tests."""
    lines = [
        "# SPDX-License-Identifier: GPL-2.0",
        f'"""Every file of net.mynewtcp. Made of {SYSCTLS} by `make generate`."""',
        "",
        "# Name, of the host, least, most (None: three numbers), default (None: by machine).",
        "SYSCTLS = (",
    ]
    for row in rows:
        lines.append(f'    ("{row["name"]}", {row["host"]}, {row.get("least")}, '
                     f'{row.get("most")}, {row.get("start")}),')
    return "\n".join(lines + [")"]) + "\n"


def _between(text, name, new):
    """The text with what stands between the marks of that name replaced."""
    begin, end = f".. {name}: made by make generate\n", f".. {name}: end\n"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise TableError(f"no marks {begin.strip()!r} and {end.strip()!r}")
    return f"{before}{begin}\n{new}\n{end}{after}"


def outputs(repo):
    """Path -> what should be in it."""
    rows = sysctl_rows((repo / SYSCTLS).read_text())
    return {
        SYSCTL_RST: _between((repo / SYSCTL_RST).read_text(), "sysctls",
                             sysctl_table(rows)),
        SYSCTL_PY: sysctl_module(rows),
    }


def stale(repo):
    """Path -> new text, of the files that do not say what the source says."""
    return {name: text for name, text in outputs(repo).items()
            if not (repo / name).is_file() or (repo / name).read_text() != text}
