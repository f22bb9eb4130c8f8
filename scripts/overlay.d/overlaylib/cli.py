# SPDX-License-Identifier: GPL-2.0
"""The command line of scripts/overlay."""

import argparse
import pathlib
import sys

from . import check, edits, patch, plan, sources, state, write
from .errors import OverlayError
from .tree import KernelTree


class Overlay:
    """The repository's side: what is delivered and what is edited."""

    def __init__(self, repo):
        self.data = repo / "scripts/overlay.d"
        self.delivered = sources.load(repo)
        self.product = edits.load(self.data / "edits")
        self.test = edits.load(self.data / "edits-test")

    def edits_for(self, tree, with_test):
        """The edits that belong into this tree."""
        chosen = self.product + (self.test if with_test else [])
        return edits.select(chosen, tree.version_name, self.delivered)


def _apply(overlay, tree, options):
    wanted = overlay.edits_for(tree, options.with_test_edits)
    todo = plan.for_apply(tree, overlay.delivered, wanted,
                          options.with_test_edits)
    write.carry_out(tree, todo)
    print(f"{tree.root}: Linux {tree.version_name}, {len(wanted)} edits and "
          f"{len(overlay.delivered)} files in place; wrote "
          f"{len(todo.writes)}, removed {len(todo.deletes)}")
    return 0


def _revert(_overlay, tree, _options):
    todo = plan.for_revert(tree)
    if todo.old.is_empty:
        print(f"{tree.root}: nothing to revert")
        return 0
    write.carry_out(tree, todo)
    print(f"{tree.root}: restored {len(todo.writes)} files, removed "
          f"{len(todo.deletes)}")
    return 0


def _check(overlay, tree, _options):
    with_test = state.load(tree).test_edits
    return check.run(tree, overlay.delivered,
                     overlay.edits_for(tree, with_test),
                     check.load_followers(overlay.data / "followers.toml"))


def _patch(overlay, tree, options):
    wanted = overlay.edits_for(tree, False)
    return patch.run(tree, overlay.delivered, wanted,
                     overlay.data / "series.toml",
                     pathlib.Path(options.output))


def _parser():
    parser = argparse.ArgumentParser(
        prog="overlay", description="Put NEW_TCP onto a Linux kernel tree.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(function, name, text):
        sub = verbs.add_parser(name, help=text, description=text)
        sub.add_argument("--tree", required=True, metavar="DIR",
                         help="the kernel source tree")
        sub.set_defaults(function=function)
        return sub

    verb(_apply, "apply", "copy the files and make the edits; again after a "
         "change brings the tree up to date").add_argument(
             "--with-test-edits", action="store_true",
             help="also make the edits that only the test kernels need")
    verb(_check, "check", "list every touch point; fail if one is missing")
    verb(_revert, "revert", "take everything out again, byte for byte")
    verb(_patch, "patch", "write a series for git am").add_argument(
        "-o", "--output", required=True, metavar="OUTDIR",
        help="an empty or new directory for the patches")
    return parser


def main(repo, argv=None):
    """Run one command; 0 if all is well, 1 if not, 2 for a wrong call."""
    options = _parser().parse_args(argv)
    try:
        tree = KernelTree(options.tree, repo)
        return options.function(Overlay(repo), tree, options)
    except (OverlayError, OSError) as error:
        print(f"overlay: {error}", file=sys.stderr)
        return 1
