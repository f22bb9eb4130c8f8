# SPDX-License-Identifier: GPL-2.0
"""The order and the messages of the patches."""

import dataclasses
import fnmatch
import tomllib

from .errors import OverlayError


@dataclasses.dataclass
class Patch:
    """One patch of the series and what it carries."""

    name: str
    subject: str
    body: str
    globs: list
    edits: list = dataclasses.field(default_factory=list)
    files: list = dataclasses.field(default_factory=list)

    @property
    def is_empty(self):
        """True if there is nothing to commit."""
        return not self.edits and not self.files


@dataclasses.dataclass
class Series:
    """The cover letter and the patches, in order."""

    cover: dict
    patches: list


def load(path, delivered, wanted):
    """The series with every file and every edit in its patch."""
    with path.open("rb") as stream:
        try:
            table = tomllib.load(stream)
        except tomllib.TOMLDecodeError as error:
            raise OverlayError(f"{path}: {error}") from error
    patches = [Patch(entry["name"], entry["subject"], entry["body"],
                     entry.get("files", [])) for entry in table["patch"]]
    named = {patch.name: patch for patch in patches}
    for edit in wanted:
        if edit.patch not in named:
            raise OverlayError(f"{path.name}: no patch \"{edit.patch}\" for "
                               f"the edit of {edit.file} at {edit.name}")
        named[edit.patch].edits.append(edit)
    for name in delivered:
        _home(path, patches, name).files.append(name)
    return Series(table["cover"],
                  [patch for patch in patches if not patch.is_empty])


def _home(path, patches, name):
    for patch in patches:
        if any(fnmatch.fnmatch(name, glob) for glob in patch.globs):
            return patch
    raise OverlayError(f"{path.name}: no patch takes the file {name}")
