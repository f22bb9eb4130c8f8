# SPDX-License-Identifier: GPL-2.0
"""Which files of the repository belong into a kernel tree."""

import fnmatch
import os
import stat
import subprocess

from .errors import OverlayError

# Everything below these paths is kernel content. The repository's own
# Kconfig, Makefile, README.md, scripts/ and .ci/ are not: a kernel tree has
# files of those names already.
ROOTS = ("net", "include", "Documentation/networking/mynewtcp",
         "tools/mynewtcp", "tools/testing/selftests/net/mynewtcp")

BUILD_DIRS = ("target", "__pycache__", ".git", "corpus", "artifacts")
BUILD_FILES = ("*.o", "*.ko", "*.a", "*.so", "*.pyc", "*.cmd", "*.mod",
               "*.order", "*.orig", "*.rej", "*~", ".*.swp", "*_generated.rs",
               ".*.overlay-new")


def is_build_output(name):
    """True for what a compiler or an editor leaves behind."""
    *directories, leaf = name.split("/")
    return (any(part in BUILD_DIRS for part in directories)
            or any(fnmatch.fnmatch(leaf, glob) for glob in BUILD_FILES))


def names(repo):
    """The kernel paths of all files to deliver, sorted."""
    found = _from_git(repo) if (repo / ".git").exists() else _from_walk(repo)
    return sorted(name for name in found
                  if not is_build_output(name) and (repo / name).is_file())


def _from_git(repo):
    done = subprocess.run(
        ["git", "-C", str(repo), "ls-files", "-z", "--cached", "--others",
         "--exclude-standard", "--", *ROOTS],
        check=False, capture_output=True)
    if done.returncode:
        return _from_walk(repo)
    return {os.fsdecode(name) for name in done.stdout.split(b"\0") if name}


def _from_walk(repo):
    found = set()
    for root in ROOTS:
        for directory, _, leaves in os.walk(repo / root):
            for leaf in leaves:
                path = os.path.join(directory, leaf)
                found.add(os.path.relpath(path, repo))
    return found


def load(repo):
    """Path -> (bytes, is executable) of everything to deliver."""
    files = {}
    for name in names(repo):
        path = repo / name
        if path.is_symlink():
            raise OverlayError(f"{name}: symbolic links cannot be delivered")
        executable = bool(path.stat().st_mode & stat.S_IXUSR)
        files[name] = (path.read_bytes(), executable)
    return files
