# SPDX-License-Identifier: GPL-2.0
"""A kernel tree and a repository of one's own for every test.

The tree is the real kernel source, cut down to the files that the overlay
looks at. The repository is a snapshot of this one, so that a test may change
what is delivered and what is edited.
"""

import contextlib
import io
import os
import pathlib
import shutil
import sys
import tempfile
import tomllib
import unittest

REPO = pathlib.Path(__file__).resolve().parents[3]
DATA = REPO / "scripts/overlay.d"
sys.path.insert(0, str(DATA))

from overlaylib import cli, edits, sources, tree  # noqa: E402

# The kernel source the tests run against; the runner sets it.
KERNEL = pathlib.Path()
IS_FIRST_KERNEL = True

MANIFEST = ".mynewtcp-overlay.json"


def all_edits(directory=DATA):
    """Product and test edits, as the repository has them."""
    return edits.load(directory / "edits") + edits.load(
        directory / "edits-test")


def kernel_files():
    """The kernel files that the overlay reads or edits."""
    with (DATA / "followers.toml").open("rb") as stream:
        followers = tomllib.load(stream)["follow"]
    return sorted({*tree.LANDMARKS, *(edit.file for edit in all_edits()),
                   *(entry["file"] for entry in followers)})


def snapshot(root, with_manifest=True):
    """Path -> (bytes, permission bits) of everything below a directory."""
    found = {}
    for directory, _, leaves in os.walk(root):
        for leaf in leaves:
            path = pathlib.Path(directory, leaf)
            name = str(path.relative_to(root))
            if with_manifest or name != MANIFEST:
                found[name] = (path.read_bytes(),
                               path.stat().st_mode & 0o777)
    return found


def directories(root):
    """Every directory below a directory."""
    return {str(pathlib.Path(directory).relative_to(root))
            for directory, _, _ in os.walk(root)}


def stamps(root):
    """Path -> time stamp of every file below a directory."""
    return {name: (root / name).stat().st_mtime_ns for name in snapshot(root)}


def _copy(source, target, names):
    for name in names:
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, place)


def _sample(names):
    """The headers, which other programs read, and one file of each directory."""
    one_each = {name.rpartition("/")[0]: name for name in names}.values()
    return {*one_each, *(name for name in names if name.startswith("include/"))}


class OverlayTest(unittest.TestCase):
    """A test with a pristine kernel tree and a snapshot of the repository.

    Of the files to deliver the snapshot has a sample, unless a test is about
    what the repository really delivers.
    """

    WHOLE = False

    def setUp(self):
        keeper = tempfile.TemporaryDirectory(prefix="overlay-test-")
        self.addCleanup(keeper.cleanup)
        self.home = pathlib.Path(keeper.name).resolve()
        self.tree = self.home / "linux"
        self.repo = self.home / "repo"
        _copy(KERNEL, self.tree, kernel_files())
        names = sources.names(REPO)
        _copy(REPO, self.repo, names if self.WHOLE else _sample(names))
        shutil.copytree(DATA, self.repo / "scripts/overlay.d",
                        ignore=shutil.ignore_patterns("__pycache__", "tests"))
        self.complete_repo()
        self.pristine = snapshot(self.tree)

    def complete_repo(self):
        """Make every edit with a `requires` count, and one file of ours."""
        wanted = {edit.requires for edit in all_edits() if edit.requires}
        for name in {*wanted, "net/mynewtcp/engine/sample.rs"}:
            if not (self.repo / name).exists():
                self.deliver(name, "# SPDX-License-Identifier: GPL-2.0\n")

    def deliver(self, name, text):
        """Put a file into the repository."""
        place = self.repo / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def run_overlay(self, verb, *words, where=None):
        """Run one command; its status and everything it said."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said), \
                contextlib.redirect_stderr(said):
            status = cli.main(self.repo, [verb, "--tree",
                                          str(where or self.tree), *words])
        return status, said.getvalue()

    def succeed(self, verb, *words):
        """Run one command that must work; what it said."""
        status, said = self.run_overlay(verb, *words)
        self.assertEqual(status, 0, said)
        return said

    def refuse(self, verb, *expected, where=None):
        """Run one command that must stop, say why and change nothing."""
        before = snapshot(self.tree), directories(self.tree)
        status, said = self.run_overlay(verb, where=where)
        self.assertEqual(status, 1, said)
        for text in expected:
            self.assertIn(text, said)
        self.assertEqual(len(said.splitlines()), 1, said)
        self.assert_equal_trees(snapshot(self.tree), before[0])
        self.assertEqual(directories(self.tree), before[1])
        return said

    def change(self, name, old, new):
        """Replace the one occurrence of a text in a file of the tree."""
        path = self.tree / name
        text = path.read_text()
        self.assertEqual(text.count(old), 1, f"{name}: {old!r}")
        path.write_text(text.replace(old, new))

    def has(self, name, text):
        """Does a file of the tree contain this text?"""
        return text in (self.tree / name).read_text()

    def assert_pristine(self):
        """The tree is byte for byte what it was at the start."""
        self.assert_equal_trees(snapshot(self.tree), self.pristine)

    def assert_equal_trees(self, have, want):
        """Two snapshots are equal; names what is not, not its contents."""
        different = sorted(name for name in have.keys() | want.keys()
                           if have.get(name) != want.get(name))
        self.assertEqual(different, [])
