# SPDX-License-Identifier: GPL-2.0
"""The command line of scripts/docs."""

import argparse
import os
import pathlib

from . import blocks, execute, facts, generate, report, rst

MARKDOWN = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
FOLDER = "Documentation/networking/mynewtcp"
DEFAULTS = f"{FOLDER}/protocol.rst"
CONFIG = "net/mynewtcp/engine/config.rs"
COUNTERS = f"{FOLDER}/counters.rst"
SOURCES = ("net/mynewtcp/mib.rs", "net/mynewtcp/usage.rs")


def cache_directory():
    """Where the build root and the kernel source are."""
    own = os.environ.get("NEWTCP_CACHE")
    if own:
        return pathlib.Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "mynewtcp"


def _documents(repo):
    names = [repo / name for name in MARKDOWN]
    return names + sorted((repo / FOLDER).glob("*.rst"))


def _text_of(path):
    return path.read_text() if path.is_file() else ""


def _collect(repo, out):
    found = []
    for path in _documents(repo):
        name = str(path.relative_to(repo))
        parse = blocks.rst if path.suffix == ".rst" else blocks.markdown
        try:
            here = parse(name, path.read_text())
            for block in here:
                block.steps()
            found += here
            out.ok(f"{name}: marks")
        except blocks.MarkError as error:
            out.bad(f"{name}: marks", error)
    return found


def _check_text(repo, out):
    cache = cache_directory()
    trees = [repo] + sorted((cache / "src").glob("linux-source-*"))
    makefile = _text_of(repo / "Makefile")
    for path in _documents(repo):
        name = str(path.relative_to(repo))
        text = path.read_text()
        out.check(f"{name}: files named", facts.missing_paths(text, trees))
        out.check(f"{name}: make targets named",
                  facts.unknown_targets(text, makefile))
        if path.suffix == ".md":
            out.check(f"{name}: links", facts.dead_links(text, repo))
    defaults = facts.config_defaults(_text_of(repo / CONFIG))
    out.check(f"{DEFAULTS}: defaults", facts.wrong_defaults(
        _text_of(repo / DEFAULTS), defaults))
    out.check(f"{COUNTERS}: names", facts.wrong_counters(
        _text_of(repo / COUNTERS), "".join(_text_of(repo / name) for name in SOURCES)))


def _check_form(repo, out):
    folder = repo / FOLDER
    rst.load_docutils(cache_directory())
    for path in sorted(folder.glob("*.rst")):
        out.check(f"{path.relative_to(repo)}: form",
                  rst.check_file(path, repo))
    out.check(f"{FOLDER}/index.rst: complete", rst.unlisted(folder))
    for path in rst.manuals(repo):
        out.check(f"{path.relative_to(repo)}: form",
                  rst.check_manual(path, repo))


def _generate(repo, write):
    changed = generate.stale(repo)
    for name, text in changed.items():
        if write:
            (repo / name).write_text(text)
        print(name if write else f"{name}: not what the source says: make generate")
    return 1 if changed and not write else 0


def main(repo, argv=None):
    """Run the test; 0 if everything passed."""
    parser = argparse.ArgumentParser(
        prog="docs", description="Run the commands that the documents show "
        "and check the documents.")
    parser.add_argument("--list", action="store_true",
                        help="say which blocks there are and stop")
    parser.add_argument("--write", action="store_true",
                        help="write what is made of the source and stop")
    parser.add_argument("--stale", action="store_true",
                        help="say what --write would change and stop")
    parser.add_argument("--no-guest", action="store_true",
                        help="leave out what runs in a guest")
    parser.add_argument("--no-build", action="store_true",
                        help="boot the kernels as they are")
    parser.add_argument("--no-run", action="store_true",
                        help="check the text only, run nothing")
    parser.add_argument("--only", metavar="TEXT", default="",
                        help="only blocks of files whose name has this text")
    parser.add_argument("-v", "--verbose", action="store_true",
                        help="also name what passed")
    options = parser.parse_args(argv)
    if options.write or options.stale:
        return _generate(repo, options.write)
    out = report.Report(options.verbose)
    found = [b for b in _collect(repo, out) if options.only in b.name]
    if options.list:
        for block in found:
            print(f"{block.name}: {block.place} {block.program}"
                  f"{block.reason}".rstrip())
        return 0
    _check_form(repo, out)
    _check_text(repo, out)
    places = set() if options.no_run else {"host", "dry"}
    if not (options.no_run or options.no_guest):
        places |= {"host-vm", "guest-um", "guest-x86"}
    runner = execute.Runner(repo, out, build=not options.no_build)
    try:
        runner.run(found, places)
    finally:
        runner.close()
    return out.summary()
