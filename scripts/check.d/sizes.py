# SPDX-License-Identifier: GPL-2.0
"""Small rooms: lines of files and of functions."""

import ast
import re

from files import block_end, code_of, line_of

FILE_LINES = 600
FUNCTION_LINES = 60
RUST_FUNCTION = re.compile(r"\bfn\s+(\w+)[^;{]*\{")
C_FUNCTION = re.compile(r"^[a-z][^\n;=#]*\([^;{]*\)\n\{", re.MULTILINE)
SHELL_FUNCTION = re.compile(r"^(\w+)\(\) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)


def files(tree):
    """Files that grew too large. The licence is as long as it is, what is generated too."""
    return [
        f"{path}: {count} lines, more than {FILE_LINES}"
        for path in tree.all()
        if (count := tree.text(path).count("\n")) > FILE_LINES
        and path.name not in ("COPYING", "Cargo.lock", "rfc.rst", "performance.rst", "baseline.json")
    ]


def functions(tree):
    """Functions that grew too large."""
    found = []
    for kind, measure in (("rust", _braces), ("c", _braces), ("python", _python), ("shell", _shell)):
        for path in tree.of_kind(kind):
            for name, line, count in measure(tree.text(path), kind):
                if count > FUNCTION_LINES:
                    found.append(f"{path}:{line}: {name}: {count} lines, more than {FUNCTION_LINES}")
    return found


def _braces(text, kind):
    code = code_of(text)
    for match in (RUST_FUNCTION if kind == "rust" else C_FUNCTION).finditer(code):
        end = block_end(code, match.end() - 1)
        first = line_of(code, match.start())
        yield match[0].split("(")[0].split()[-1], first, line_of(code, end - 1) - first + 1


def _python(text, _kind):
    try:
        parsed = ast.parse(text)
    except SyntaxError:
        return
    for node in ast.walk(parsed):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


def _shell(text, _kind):
    for match in SHELL_FUNCTION.finditer(text):
        yield match[1], line_of(text, match.start()), match[2].count("\n") + 2


def unused_imports(path, parsed, text):
    """Names that a Python file imports and never says again."""
    found = []
    for node in ast.walk(parsed):
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        for alias in node.names:
            name = (alias.asname or alias.name).split(".")[0]
            again = len(re.findall(rf"\b{re.escape(name)}\b", text))
            line = text.split("\n")[node.lineno - 1]
            if again < 2 and name != "*" and "noqa" not in line:
                found.append(f"{path}:{node.lineno}: {name} is imported and not used")
    return found
