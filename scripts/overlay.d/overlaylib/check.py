# SPDX-License-Identifier: GPL-2.0
"""One line for every touch point of the family.

Three kinds: the edits, the delivered files, and the places that need no edit
because they follow from something else. The last kind says what it follows
from; if a later kernel changes that, the line turns red and somebody looks.
"""

import re
import tomllib

from . import edits as edit
from .errors import OverlayError

GOOD, MISSING, CHANGED = "ok", "MISSING", "CHANGED"

FILE_WHY = {GOOD: "as in the repository",
            MISSING: "in the repository, not in the tree",
            CHANGED: "not what the repository has"}


def run(tree, delivered, wanted, followers):
    """Print every touch point; 0 if all are in order, 1 otherwise."""
    points = [*_edits(tree, wanted), *_files(tree, delivered),
              *_followers(tree, followers)]
    width = max(len(point[1]) for point in points)
    for status, file, what, why in points:
        print(f"{status:8}{file:{width}}  {what}: {why}")
    bad = sum(status != GOOD for status, *_ in points)
    print(f"{tree.root}: Linux {tree.version_name}, {len(points)} touch "
          f"points, {bad} not in order")
    return 1 if bad else 0


def load_followers(path):
    """The places that need no edit, from their TOML file."""
    with path.open("rb") as stream:
        try:
            entries = tomllib.load(stream)["follow"]
        except (tomllib.TOMLDecodeError, KeyError) as error:
            raise OverlayError(f"{path}: {error}") from error
    for entry in entries:
        if set(entry) != {"file", "pattern", "what", "why"}:
            raise OverlayError(f"{path}: entry for {entry.get('file')}: "
                               "wants file, pattern, what and why")
    return entries


def _edits(tree, wanted):
    for one in wanted:
        data = tree.read(one.file)
        status = MISSING
        if data is not None:
            content = data.decode("utf-8", "surrogateescape")
            found, _ = edit.state(one, content)
            status = {edit.APPLIED: GOOD, edit.PRISTINE: MISSING,
                      None: CHANGED}[found]
        yield status, one.file, edit.show(edit.changed_line(one)), one.why


def _files(tree, delivered):
    groups = {}
    for name in sorted(delivered):
        groups.setdefault(_group(name), []).append(name)
    for group, names in groups.items():
        states = {name: _file_state(tree, name, delivered[name][0])
                  for name in names}
        if len(set(states.values())) == 1:
            status = states[names[0]]
            yield status, group, f"{len(names)} files", FILE_WHY[status]
            continue
        for name in names:
            if states[name] != GOOD:
                yield states[name], name, "file", FILE_WHY[states[name]]


def _file_state(tree, name, data):
    if tree.read(name) == data:
        return GOOD
    return CHANGED if tree.occupied(name) else MISSING


def _group(name):
    directories = name.split("/")[:-1]
    if "mynewtcp" in directories:
        return "/".join(directories[:directories.index("mynewtcp") + 1]) + "/"
    return name


def _followers(tree, followers):
    for entry in followers:
        data = tree.read(entry["file"])
        status = MISSING
        if data is not None:
            found = re.search(entry["pattern"],
                              data.decode("utf-8", "surrogateescape"), re.M)
            status = GOOD if found else CHANGED
        yield status, entry["file"], entry["what"], entry["why"]
