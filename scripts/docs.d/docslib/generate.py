# SPDX-License-Identifier: GPL-2.0
"""Write what is made of the tables in the source: parts of documents, and the
tables that the tests walk."""

import re
import textwrap

from . import performance

SYSCTLS = "net/mynewtcp/sysctl.rs"
SYSCTL_RST = "Documentation/networking/mynewtcp/sysctl.rst"
OPTIONS = "net/mynewtcp/socket/options/table.rs"
OPTION_RST = "Documentation/networking/mynewtcp/sockets-api.rst"
MANUAL = "Documentation/networking/mynewtcp/newtcp.7"
OPTION_PY = "tools/testing/selftests/net/mynewtcp/harness/options.py"
SYSCTL_PY = "tools/testing/selftests/net/mynewtcp/harness/sysctls.py"

ROW = re.compile(
    r"((?:^    /// .*\n)+)^    (\w+) (\w+)\((\w+)(?:, (.+?)\.\.=(.+?), (.+?))?\): (.+);$",
    re.M)
OPTION = re.compile(
    r"((?:^    /// .*\n)+)^    (\w+) (TCP_\w+|NEWTCP_\w+)\((\d+)(?:, (.+))?\): .+;$", re.M)
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
            "host": scope == "host",
        }
        if scope == "words":
            row["unit"] = ""
        if least:
            row["least"] = _number(least, known)
            row["most"] = _number(most, known)
            row["start"] = None if scope in MACHINE else _number(start, known)
        rows.append(row)
    if len(rows) != len(re.findall(r"^    \w+ \w+\(", body, re.M)):
        raise TableError(f"{SYSCTLS}: a row of the table was not understood")
    return sorted(rows, key=lambda row: row["name"])


def _values(row):
    if row["scope"] == "words":
        return "names"
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


def option_rows(source):
    """The rows of the table of socket options, as dictionaries."""
    body = source.partition("\ntable! {\n")[2].partition("\n}\n")[0]
    rows = []
    for doc, kind, name, number, how in OPTION.findall(body + "\n"):
        row = {
            "name": name, "kind": kind, "number": int(number),
            "doc": " ".join(line.strip()[4:] for line in doc.splitlines()),
            "inherited": how.endswith("inherited"), "least": None, "most": None, "values": "",
        }
        words = how.rpartition(", ")[0]
        if kind == "flag":
            row["values"] = "0 or 1"
        elif kind == "exact":
            limits, _, unit = words.rpartition(", ")
            least, _, most = limits.partition("..=")
            row["least"], row["most"] = _limits(least, most)
            shown = "" if limits == "ANY" else f"{row['least']} to {row['most']} "
            row["values"] = "0 or 1" if unit == "flag" else shown + unit
        elif words:
            row["values"] = re.search(r'"(.*)"', words).group(1)
        rows.append(row)
    if len(rows) != len(re.findall(r"^    \w+ \w+\(", body, re.M)):
        raise TableError(f"{OPTIONS}: a row of the table was not understood")
    return sorted(rows, key=lambda row: row["number"])


def _limits(least, most):
    if least == "ANY":
        return -2**31, 2**31 - 1
    known = {"INT": 2**31 - 1}
    return _number(least, known), _number(most, known)


def option_table(rows):
    """The options that there are, and those that there are not."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 26 8 22 10 34", ""]
    head = ("Option", "Number", "Value", "Accepted", "Meaning")
    for cells in [head] + [
            (f"``{row['name']}``", str(row["number"]), row["values"],
             "inherits" if row["inherited"] else "own", row["doc"])
            for row in rows if row["kind"] != "refused"]:
        lines += [_cell(cell, not place) for place, cell in enumerate(cells)]
    lines += ["", "TCP has these as well; here they are ``ENOPROTOOPT``:", "",
              ".. list-table::", "   :header-rows: 1", "   :widths: 34 10 56", ""]
    for cells in [("Option", "Number", "Why not")] + [
            (row["name"], str(row["number"]), row["doc"])
            for row in rows if row["kind"] == "refused"]:
        lines += [_cell(cell, not place) for place, cell in enumerate(cells)]
    return "\n".join(lines) + "\n"


def option_manual(rows):
    """The options that there are, in roff."""
    lines = []
    for row in rows:
        if row["kind"] != "refused":
            values = row["values"].replace("``", "")
            lines += [".TP", f".BR {row['name']} \" ({values})\"",
                      *textwrap.wrap(row["doc"].replace("``", ""), 80,
                                     break_on_hyphens=False)]
    return "\n".join(lines) + "\n"


def option_module(rows):
    """The table of socket options for the tests."""
    lines = [
        "# SPDX-License-Identifier: GPL-2.0",
        f'"""Every option of the protocol. Made of {OPTIONS} by `make generate`."""',
        "",
        "# Name, number, kind, least, most (None: not an exact number), inherited.",
        "OPTIONS = (",
    ]
    for row in rows:
        lines.append(f'    ("{row["name"]}", {row["number"]}, "{row["kind"]}", '
                     f'{row["least"]}, {row["most"]}, {row["inherited"]}),')
    return "\n".join(lines + [")"]) + "\n"


def _between(text, name, new):
    """The text with what stands between the marks of that name replaced."""
    mark = '.\\"' if new.startswith(".TP") else ".."
    gap = "" if new.startswith(".TP") else "\n"
    begin, end = f"{mark} {name}: made by make generate\n", f"{mark} {name}: end\n"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise TableError(f"no marks {begin.strip()!r} and {end.strip()!r}")
    return f"{before}{begin}{gap}{new}{gap}{end}{after}"


def outputs(repo):
    """Path -> what should be in it."""
    rows = sysctl_rows((repo / SYSCTLS).read_text())
    options = option_rows((repo / OPTIONS).read_text())
    return {
        performance.PAGE: performance.page(repo),
        OPTION_RST: _between((repo / OPTION_RST).read_text(), "options",
                             option_table(options)),
        OPTION_PY: option_module(options),
        MANUAL: _between((repo / MANUAL).read_text(), "options", option_manual(options)),
        SYSCTL_RST: _between((repo / SYSCTL_RST).read_text(), "sysctls",
                             sysctl_table(rows)),
        SYSCTL_PY: sysctl_module(rows),
    }


def stale(repo):
    """Path -> new text, of the files that do not say what the source says."""
    return {name: text for name, text in outputs(repo).items()
            if not (repo / name).is_file() or (repo / name).read_text() != text}
