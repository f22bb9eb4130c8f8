# SPDX-License-Identifier: GPL-2.0
"""Carry a plan out: all files or none.

Every new content is first written beside its place, so that a full disk or a
missing permission shows before the first file changes. What remains are
renames, and the manifest names both sides while they run. A file whose bytes
do not change is never touched: its time stamp decides what make rebuilds.
"""

import os

from . import state as manifest
from .errors import OverlayError


def carry_out(tree, plan):
    """Bring the tree into the planned state."""
    _sweep(tree, plan.old)
    staged, made = {}, []
    final = plan.new.dump() if not plan.new.is_empty else None
    if plan.is_empty and tree.read(manifest.NAME) == final:
        return
    try:
        for name, (data, mode) in plan.writes.items():
            staged[name] = _stage(tree, name, data, mode, made)
        _write_manifest(tree, plan.old.merged(plan.new).dump())
    except BaseException as error:
        _discard(tree, plan.writes, made)
        if isinstance(error, OSError):
            raise OverlayError(f"{error.filename}: {error.strerror}; nothing "
                               "was changed") from error
        raise
    for name, temporary in staged.items():
        os.replace(temporary, tree.path(name))
    for name, mode in plan.modes.items():
        os.chmod(tree.path(name), mode)
    for name in plan.deletes:
        tree.path(name).unlink()
        _remove_empty_parents(tree, name)
    if final is None:
        tree.path(manifest.NAME).unlink()
    else:
        _write_manifest(tree, final)


def _temporary(tree, name):
    place = tree.path(name)
    return place.with_name(f".{place.name}.overlay-new")


def _sweep(tree, old):
    """Remove what a run that was killed may have left beside our files."""
    for name in {manifest.NAME, *old.files, *old.edited_files()}:
        _temporary(tree, name).unlink(missing_ok=True)


def _stage(tree, name, data, mode, made):
    place, temporary = tree.path(name), _temporary(tree, name)
    _make_parents(place.parent, made)
    with open(temporary, "wb") as stream:
        stream.write(data)
    os.chmod(temporary, place.stat().st_mode if mode is None else mode)
    return temporary


def _make_parents(directory, made):
    if not directory.is_dir():
        _make_parents(directory.parent, made)
        directory.mkdir()
        made.append(directory)


def _discard(tree, names, made):
    for name in names:
        temporary = _temporary(tree, name)
        if temporary.parent.is_dir():
            temporary.unlink(missing_ok=True)
    for directory in reversed(made):
        directory.rmdir()


def _write_manifest(tree, data):
    temporary = _temporary(tree, manifest.NAME)
    temporary.write_bytes(data)
    os.replace(temporary, tree.path(manifest.NAME))


def _remove_empty_parents(tree, name):
    directory = tree.path(name).parent
    while directory != tree.root and not any(directory.iterdir()):
        directory.rmdir()
        directory = directory.parent
