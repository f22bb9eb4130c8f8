# SPDX-License-Identifier: GPL-2.0
"""Anchored edits: load them, find them in a file, apply them, undo them.

An edit is a run of whole lines (the anchor) and what becomes of it. Its two
forms, `pristine` and `applied`, are all the rest of the tool works with: a
file is either in the first form or in the second for every edit it has, and
going from one to the other and back gives the same bytes.

The fields of an [[edit]]:

file      the kernel path of the file
where     put the text "before" or "after" the anchor, or "replace" it
anchor    whole lines that stand in the file exactly once
text      whole lines
why       what for, or what breaks without it; check prints it
patch     the patch of series.toml that carries it ("test": none does)
versions  only for these kernels, such as ["7.2"]
requires  only if the repository delivers this file
unless    a pattern that must not be in the file: somebody took our number
"""

import dataclasses
import difflib
import re
import tomllib

from .errors import OverlayError

FIELDS = {"file", "where", "anchor", "text", "why", "patch",
          "versions", "requires", "unless"}
NEEDED = {"file", "where", "anchor", "text", "why", "patch"}

# A file that carries none of our edits must not speak of NEW_TCP either:
# then somebody else put it there, or changed our lines by hand.
FOREIGN = re.compile(r"new_?tcp", re.I)

PRISTINE, APPLIED = "pristine", "applied"


@dataclasses.dataclass(frozen=True)
class Edit:
    """One anchored edit of one upstream file."""

    file: str
    where: str
    anchor: str
    text: str
    why: str
    patch: str
    versions: tuple = ()
    requires: str = ""
    unless: str = ""

    @property
    def pristine(self):
        """The lines before the edit."""
        return self.anchor

    @property
    def applied(self):
        """The lines after the edit."""
        if self.where == "after":
            return self.anchor + self.text
        if self.where == "before":
            return self.text + self.anchor
        return self.text

    @property
    def name(self):
        """The anchor on one line, for messages."""
        return show(self.anchor)

    def record(self):
        """What the manifest keeps, enough to undo this edit later."""
        return {"file": self.file, "where": self.where,
                "anchor": self.anchor, "text": self.text}

    @classmethod
    def from_record(cls, record):
        """The edit as it was when it was applied."""
        return cls(why="", patch="", **record)


def show(lines):
    """The first line that says something, squeezed onto one line."""
    kept = [" ".join(line.split()) for line in lines.splitlines()
            if line.strip()]
    return f"`{kept[0]}`" + (" ..." if len(kept) > 1 else "")


def load(directory):
    """All edits of a directory of TOML files, in file-name order."""
    found = []
    for path in sorted(directory.glob("*.toml")):
        with path.open("rb") as stream:
            try:
                table = tomllib.load(stream)
            except tomllib.TOMLDecodeError as error:
                raise OverlayError(f"{path}: {error}") from error
        found += [_edit_from(path, entry) for entry in table.get("edit", [])]
    seen = {}
    for edit in found:
        key = (edit.file, edit.anchor)
        if key in seen:
            raise OverlayError(f"{edit.file}: two edits share the anchor "
                               f"{edit.name}")
        seen[key] = edit
    return found


def _edit_from(path, entry):
    where = f"{path.name}: edit of {entry.get('file', '?')}"
    unknown, absent = set(entry) - FIELDS, NEEDED - set(entry)
    if unknown or absent:
        raise OverlayError(f"{where}: unknown {sorted(unknown)}, "
                           f"missing {sorted(absent)}")
    if entry["where"] not in ("before", "after", "replace"):
        raise OverlayError(f"{where}: where = \"{entry['where']}\"")
    for key in ("anchor", "text"):
        if not entry[key].endswith("\n"):
            raise OverlayError(f"{where}: {key} must be whole lines")
    return Edit(**{**entry, "versions": tuple(entry.get("versions", ()))})


def select(edits, version, delivered):
    """The edits for this kernel version and this set of delivered files."""
    return [edit for edit in edits
            if (not edit.versions or version in edit.versions)
            and (not edit.requires or edit.requires in delivered)]


def by_file(edits):
    """Edits grouped by the file they change."""
    groups = {}
    for edit in edits:
        groups.setdefault(edit.file, []).append(edit)
    return groups


def _find(lines, content):
    """Every place where these whole lines stand in the content."""
    places, at = [], content.find(lines)
    while at >= 0:
        if at == 0 or content[at - 1] == "\n":
            places.append(at)
        at = content.find(lines, at + 1)
    return places


def state(edit, content):
    """PRISTINE, APPLIED or None, and how often the anchor was found."""
    hits = len(_find(edit.applied, content))
    if hits == 1:
        return APPLIED, 1
    if hits > 1:
        return None, hits
    hits = len(_find(edit.pristine, content))
    return (PRISTINE if hits == 1 else None), hits


def file_state(edits, content):
    """The common state of all edits of one file, None if they disagree."""
    states = {state(edit, content)[0] for edit in edits}
    return states.pop() if len(states) == 1 else None


def _splice(name, content, pairs):
    """Replace each `old` by its `new`; every place is found beforehand."""
    places = []
    for edit, old, new in pairs:
        hits = _find(old, content)
        if len(hits) != 1:
            raise OverlayError(_no_match(edit, content, len(hits)))
        places.append((hits[0], hits[0] + len(old), new))
    places.sort()
    out, position = [], 0
    for start, end, new in places:
        if start < position:
            raise OverlayError(f"{name}: two edits overlap")
        out += [content[position:start], new]
        position = end
    return "".join(out) + content[position:]


def apply(name, edits, content):
    """The content with all edits made; the content must carry none."""
    for edit in edits:
        taken = edit.unless and re.search(edit.unless, content, re.M)
        if taken:
            line = " ".join(taken.group(0).split())
            raise OverlayError(f"{name}: `{line}` is in the way of the edit "
                               f"at {edit.name}: somebody else uses it")
    after = _splice(name, content,
                    [(edit, edit.pristine, edit.applied) for edit in edits])
    for edit in edits:
        hits = len(_find(edit.applied, after))
        if hits != 1:
            raise OverlayError(f"{name}: what the edit at {edit.name} leaves "
                               f"behind stands there {hits} times, so it "
                               "could not be undone")
    return after


def undo(name, edits, content):
    """The content with all edits taken out again."""
    base = _splice(name, content,
                   [(edit, edit.applied, edit.pristine) for edit in edits])
    if apply(name, edits, base) != content:
        raise OverlayError(f"{name}: the edits cannot be undone without "
                           "touching other lines")
    return base


def refuse_foreign(name, content):
    """Stop if a file without our edits speaks of NEW_TCP."""
    found = FOREIGN.search(content)
    if found:
        number = content.count("\n", 0, found.start()) + 1
        line = content.splitlines()[number - 1]
        raise OverlayError(
            f"{name}:{number}: {show(line)} was not put there by the "
            "overlay, or was changed since; restore the file")


def explain(edits, content, ours):
    """Which edit keeps a file from being whole; `ours`: it once was."""
    states = [(edit, *state(edit, content)) for edit in edits]
    for edit, found, hits in states:
        if found is None:
            return _no_match(edit, content, hits)
    if ours:
        odd = next(edit for edit, found, _ in states if found == PRISTINE)
        return (f"{odd.file}: the edit at {odd.name} is missing or was "
                "changed, while others of this file are in place; restore "
                "the file")
    odd = next(edit for edit, found, _ in states if found == APPLIED)
    return (f"{odd.file}: already has {show(changed_line(odd))}, which the "
            f"overlay would put at {odd.name}: somebody else did")


def changed_line(edit):
    """The first line of code that an edit adds or changes."""
    kept = set(edit.pristine.splitlines())
    new = [line for line in edit.applied.splitlines()
           if line not in kept and line.strip()]
    code = [line for line in new if not line.lstrip().startswith("/*")]
    return (code or new)[0]


def _no_match(edit, content, hits):
    text = (f"{edit.file}: anchor {edit.name} found {hits} times, "
            "expected once")
    first = next(line for line in edit.anchor.splitlines() if line.strip())
    near = difflib.get_close_matches(first, content.splitlines(), 1, 0.7)
    if hits == 0 and near:
        number = content.splitlines().index(near[0]) + 1
        text += f" (nearest: line {number}, {show(near[0])})"
    return text
