# SPDX-License-Identifier: GPL-2.0
"""Compute what apply and revert would write, without writing anything."""

import dataclasses

from . import edits as edit
from . import state as manifest
from .errors import OverlayError


@dataclasses.dataclass
class Plan:
    """The difference between the tree as it is and as it should be."""

    old: manifest.State
    new: manifest.State
    writes: dict = dataclasses.field(default_factory=dict)
    modes: dict = dataclasses.field(default_factory=dict)
    deletes: list = dataclasses.field(default_factory=list)

    @property
    def is_empty(self):
        """True if every file is already as it should be."""
        return not (self.writes or self.modes or self.deletes)


def for_apply(tree, delivered, wanted, test_edits):
    """The plan that puts `delivered` and the `wanted` edits into the tree."""
    old, new = manifest.load(tree), manifest.State()
    plan = Plan(old, new)
    new.test_edits = test_edits
    new.edits = [wanted]
    groups = edit.by_file(wanted)
    for name in sorted(old.edited_files() | groups.keys()):
        _plan_edited(plan, tree, name, groups.get(name, []))
    for name, (data, executable) in delivered.items():
        _plan_delivered(plan, tree, name, data, executable)
    _plan_removals(plan, tree, delivered)
    return plan


def for_revert(tree):
    """The plan that takes everything of ours out of the tree."""
    plan = Plan(manifest.load(tree), manifest.State())
    for name in sorted(plan.old.edited_files()):
        _plan_edited(plan, tree, name, [])
    _plan_removals(plan, tree, {})
    return plan


def text(tree, name):
    """The text of a file that the overlay edits."""
    data = tree.read(name)
    if data is None:
        raise OverlayError(f"{name}: missing in the tree, and the overlay "
                           "has to edit it")
    return data.decode("utf-8", "surrogateescape")


def encode(content):
    """The bytes of a text read by text()."""
    return content.encode("utf-8", "surrogateescape")


def _plan_edited(plan, tree, name, wanted):
    content = text(tree, name)
    base = without_edits(plan.old, name, wanted, content)
    after = edit.apply(name, wanted, base) if wanted else base
    if wanted:
        plan.new.bases[name] = manifest.digest(encode(base))
    if after != content:
        plan.writes[name] = (encode(after), None)


def without_edits(old, name, wanted, content):
    """The file as upstream has it, wherever it stands now."""
    known = old.alternatives(name)
    # Without a manifest (a tree made with git am, or cleaned with git clean)
    # our edits of today may still be there word for word.
    sets = known or ([wanted] if wanted else [])
    # A text that begins like another one would be found inside it: the
    # longest set of lines is the one that really stands there.
    sets = sorted(sets, key=lambda group: -sum(len(e.applied) for e in group))
    for group in sets:
        if edit.file_state(group, content) == edit.APPLIED:
            base = edit.undo(name, group, content)
            if not known:
                edit.refuse_foreign(name, base)
            return base
    if old.bases.get(name) == manifest.digest(encode(content)):
        return content
    if any(edit.file_state(group, content) == edit.PRISTINE
           for group in sets):
        edit.refuse_foreign(name, content)
        return content
    raise OverlayError(edit.explain(sets[0], content, known))


def _plan_delivered(plan, tree, name, data, executable):
    mode = 0o755 if executable else 0o644
    plan.new.files[name] = [manifest.digest(data)]
    have = tree.read(name)
    if have is None:
        if tree.occupied(name):
            raise OverlayError(f"{name}: in the way: the overlay has a file "
                               "of that name, the tree something else")
        plan.writes[name] = (data, mode)
    elif have != data:
        _refuse_changed(plan.old, name, have)
        plan.writes[name] = (data, mode)
    elif bool(tree.path(name).stat().st_mode & 0o100) != executable:
        plan.modes[name] = mode


def _plan_removals(plan, tree, delivered):
    for name in sorted(plan.old.files.keys() - delivered.keys()):
        have = tree.read(name)
        if have is not None:
            _refuse_changed(plan.old, name, have)
            plan.deletes.append(name)


def _refuse_changed(old, name, have):
    if name not in old.files:
        raise OverlayError(f"{name}: in the way: the tree has a file of its "
                           "own where the overlay would put one")
    if manifest.digest(have) not in old.files[name]:
        raise OverlayError(f"{name}: changed in the tree since the overlay "
                           "put it there; take the change into the "
                           "repository, or delete the file")
