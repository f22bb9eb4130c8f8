# SPDX-License-Identifier: GPL-2.0
"""Runs every check of the gate and counts. Started by scripts/check.

usage: check [NAME...]: only the checks of these names
       check --format: format the Rust files
"""

import ast
import pathlib
import subprocess
import sys

import floors
import requirements
import sizes
import words
from files import Tree

RUSTFMT = ("rustfmt", "--edition", "2021", "--color", "never")
REPO = pathlib.Path(__file__).resolve().parents[2]


def _command(words_of_command, cwd=REPO):
    """Run a tool; its output is the problems."""
    result = subprocess.run(
        words_of_command, cwd=cwd, stdin=subprocess.DEVNULL, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    if result.returncode == 0:
        return []
    return result.stdout.splitlines() or [f"exit status {result.returncode}"]


def rustfmt(tree):
    """Default rustfmt, as the kernel has it; `make format` makes it so."""
    names = [str(path) for path in tree.of_kind("rust")]
    found = _command([*RUSTFMT, "--check", "-l", *names])
    return sorted({str(pathlib.Path(name).resolve().relative_to(REPO)) for name in found})


def shellcheck(tree):
    """No finding of shellcheck in any shell script."""
    return _command(["shellcheck", "-x", *map(str, tree.of_kind("shell"))])


def python(tree):
    """Every Python file is one, and names what it imports and uses."""
    problems = []
    for path in tree.of_kind("python"):
        try:
            parsed = ast.parse(tree.text(path), str(path))
        except SyntaxError as error:
            problems.append(f"{path}:{error.lineno}: {error.msg}")
            continue
        problems += sizes.unused_imports(path, parsed, tree.text(path))
    return problems


def spelling(tree):
    """No misspelt word that codespell knows."""
    return _command(
        ["codespell", "--ignore-words=scripts/check.d/spelling", *map(str, tree.all())]
    )


def clippy(_tree):
    """Clippy has nothing to say about the programs and the engine."""
    if not (REPO / "tools/mynewtcp/Cargo.toml").exists():
        return ["tools/mynewtcp/Cargo.toml is missing"]
    return _command(
        ["cargo", "clippy", "--release", "--quiet", "--workspace", "--all-targets",
         "--", "-D", "warnings"],
        cwd=REPO / "tools/mynewtcp",
    )


def generated(_tree):
    """Documents and test tables say what the source says; `make generate` makes it so."""
    return _command([sys.executable, "scripts/docs", "--stale"])


def format_all(tree):
    """Format every Rust file."""
    return _command([*RUSTFMT, *map(str, tree.of_kind("rust"))])


CHECKS = {
    "rustfmt": rustfmt,
    "shellcheck": shellcheck,
    "python": python,
    "floors": floors.problems,
    "safety": floors.unexplained,
    "panics": floors.panics,
    "files": sizes.files,
    "functions": sizes.functions,
    "words": words.problems,
    "licence": words.licences,
    "requirements": requirements.problems,
    "spelling": spelling,
    "generated": generated,
    "clippy": clippy,
}


def main():
    """Run the checks, print what is wrong, then the count."""
    wanted = sys.argv[1:] or list(CHECKS)
    tree = Tree(REPO)
    if wanted == ["--format"]:
        print("\n".join(format_all(tree)))
        return 0
    passed = failed = 0
    for name in wanted:
        found = CHECKS[name](tree)
        print(f"{'not ok' if found else 'ok'} {passed + failed + 1} {name}", flush=True)
        for line in found[:60]:
            print(f"  {line}")
        if len(found) > 60:
            print(f"  and {len(found) - 60} lines more")
        failed += bool(found)
        passed += not found
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
