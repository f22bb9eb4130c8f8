# SPDX-License-Identifier: GPL-2.0
"""Write the mailable series.

The commits are made in a throw-away repository that holds nothing but the
files we touch: committing a whole kernel tree takes minutes, and git am only
looks at the lines around a change.
"""

import os
import pathlib
import re
import subprocess
import tempfile

from . import edits as edit
from . import plan, series, state
from .errors import OverlayError

PATCH_NAME = re.compile(r"\d{4}-.*\.patch")


def run(tree, delivered, wanted, letters, output):
    """Write the series into `output`; `letters` is series.toml."""
    author = _author()
    whole = series.load(letters, delivered, wanted)
    # The series fits where apply fits: let apply look for what is in the way.
    plan.for_apply(tree, delivered, wanted, False)
    bases = _bases(tree, wanted)
    _prepare(output)
    with tempfile.TemporaryDirectory(prefix="overlay-patch-") as place:
        git = _Git(pathlib.Path(place), author)
        _build_history(git, tree, whole, bases, delivered)
        written = git.format(whole.cover, len(whole.patches), output)
    # git am stops at a cover letter unless it is told to drop it.
    print(f"{output}: {written} patches for Linux {tree.version_name}; "
          f"git am --empty=drop {output}/*.patch")
    return 0


def _author():
    values = []
    for key in ("user.name", "user.email"):
        done = subprocess.run(["git", "config", "--get", key], check=False,
                              capture_output=True, text=True)
        if done.returncode or not done.stdout.strip():
            raise OverlayError(f"git config {key} is not set; the patches "
                               "are signed off with it")
        values.append(done.stdout.strip())
    return values


def _bases(tree, wanted):
    """Each file the series edits, as upstream has it."""
    old, bases = state.load(tree), {}
    for name, group in edit.by_file(wanted).items():
        content = plan.text(tree, name)
        bases[name] = plan.without_edits(old, name, group, content)
    return bases


def _prepare(output):
    if output.exists() and not output.is_dir():
        raise OverlayError(f"{output}: not a directory")
    output.mkdir(parents=True, exist_ok=True)
    have = sorted(output.iterdir())
    for path in have:
        if not PATCH_NAME.fullmatch(path.name):
            raise OverlayError(f"{output}: has files that are no patches "
                               f"({path.name}); name an empty directory")
    for path in have:
        path.unlink()


def _build_history(git, tree, whole, bases, delivered):
    for name, content in bases.items():
        git.put(name, plan.encode(content), tree.path(name).stat().st_mode)
    git.commit(f"Linux {tree.version_name}\n")
    made = {name: [] for name in bases}
    for patch in whole.patches:
        for name, group in edit.by_file(patch.edits).items():
            made[name] += group
            git.put(name, plan.encode(
                edit.apply(name, made[name], bases[name])))
        for name in patch.files:
            data, executable = delivered[name]
            git.put(name, data, 0o755 if executable else 0o644)
        git.commit(f"{patch.subject}\n\n{patch.body.strip()}\n")


class _Git:
    """The throw-away repository, deaf to the user's git configuration."""

    def __init__(self, root, author):
        self.root = root
        self.settings = ["-c", f"user.name={author[0]}",
                         "-c", f"user.email={author[1]}",
                         "-c", "commit.gpgsign=false",
                         "-c", "core.autocrlf=false",
                         "-c", "core.excludesFile=/dev/null",
                         "-c", "init.defaultBranch=mynewtcp"]
        self._git("init", "--quiet", "--template=")

    def _git(self, *words, data=None):
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull,
                       "GIT_CONFIG_NOSYSTEM": "1"}
        for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
            environment.pop(name, None)
        done = subprocess.run(
            ["git", *self.settings, *words], cwd=self.root, input=data,
            env=environment, check=False, capture_output=True, text=True)
        if done.returncode:
            raise OverlayError(f"git {words[0]}: {done.stderr.strip()}")
        return done.stdout

    def put(self, name, data, mode=None):
        """Write one file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if mode is not None:
            path.chmod(mode & 0o777)

    def commit(self, message):
        """Commit everything, signed off."""
        self._git("add", "--force", "--all", ".")
        self._git("commit", "--quiet", "--signoff", "--file=-", data=message)

    def format(self, cover, count, output):
        """Write the last `count` commits and a cover letter as patches."""
        text = f"{cover['subject']}\n\n{cover['body'].strip()}\n"
        branch = self._git("symbolic-ref", "--short", "HEAD").strip()
        self._git("config", f"branch.{branch}.description", text)
        names = self._git(
            "format-patch", "--cover-letter",
            "--cover-from-description=subject", "--no-signature",
            "--zero-commit", "--output-directory", str(output.resolve()),
            f"-{count}")
        return len(names.splitlines()) - 1
