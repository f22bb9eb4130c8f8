# SPDX-License-Identifier: GPL-2.0
"""The manifest that apply leaves in the tree and revert deletes.

It says which files are ours (with the digests they may have) and which edits
were made, in the words used then: the repository may have moved on. While a
plan is being carried out it names the old and the new digests and edits, so
that a tool that was killed half way can be run again.
"""

import hashlib
import json

from .edits import Edit
from .errors import OverlayError

NAME = ".mynewtcp-overlay.json"
FORMAT = 1


def digest(data):
    """The digest files are compared by."""
    return hashlib.sha256(data).hexdigest()


class State:
    """What the overlay has put into a tree so far."""

    def __init__(self):
        self.files = {}      # path -> digests the file may have
        self.edits = []      # alternatives, each a list of Edit
        self.bases = {}      # path -> digest before our edits
        self.test_edits = False

    @property
    def is_empty(self):
        """True if the tree carries nothing of ours as far as we know."""
        return not self.files and not any(self.edits)

    def alternatives(self, name):
        """The sets of edits this file may carry."""
        sets = [[edit for edit in edits if edit.file == name]
                for edits in self.edits]
        return [edits for edits in sets if edits]

    def edited_files(self):
        """Every file any recorded edit touches."""
        return {edit.file for edits in self.edits for edit in edits}

    def merged(self, other):
        """Both states at once, for the time between the two."""
        both = State()
        for name in self.files.keys() | other.files.keys():
            both.files[name] = sorted({*self.files.get(name, ()),
                                       *other.files.get(name, ())})
        both.edits = self.edits + [edits for edits in other.edits
                                   if edits not in self.edits]
        both.bases = {**self.bases, **other.bases}
        both.test_edits = other.test_edits
        return both

    def dump(self):
        """The manifest's bytes."""
        table = {"format": FORMAT, "files": self.files, "bases": self.bases,
                 "test_edits": self.test_edits,
                 "edits": [[edit.record() for edit in edits]
                           for edits in self.edits]}
        return (json.dumps(table, indent=1, sort_keys=True) + "\n").encode()


def load(tree):
    """The state of a tree; an empty one if it has no manifest."""
    state = State()
    data = tree.read(NAME)
    if data is None:
        return state
    try:
        table = json.loads(data)
        if table["format"] != FORMAT:
            raise OverlayError(f"{NAME}: written by another version of "
                               "scripts/overlay; revert with that one")
        state.files = table["files"]
        state.bases = table["bases"]
        state.test_edits = table["test_edits"]
        state.edits = [[Edit.from_record(record) for record in records]
                       for records in table["edits"]]
    except (ValueError, KeyError, TypeError) as error:
        raise OverlayError(f"{NAME}: damaged manifest ({error})") from error
    return state
