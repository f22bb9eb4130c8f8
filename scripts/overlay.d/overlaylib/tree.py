# SPDX-License-Identifier: GPL-2.0
"""Recognise a kernel tree and read its version."""

import pathlib
import re

from .errors import OverlayError

SUPPORTED = ((7, 2), (7, 3))

# Files that every kernel tree has and hardly anything else has together.
LANDMARKS = ("Makefile", "Kbuild", "Kconfig", "MAINTAINERS", "net/Kconfig",
             "net/socket.c", "include/linux/socket.h")


class KernelTree:
    """A directory that is known to hold kernel sources we can work on."""

    def __init__(self, directory, repo):
        self.root = pathlib.Path(directory).resolve()
        if not self.root.is_dir():
            raise OverlayError(f"{directory}: no such directory")
        if self.root == pathlib.Path(repo).resolve():
            raise OverlayError(f"{directory}: this is the overlay's own "
                               "repository, not a kernel tree")
        absent = [name for name in LANDMARKS
                  if not (self.root / name).is_file()]
        if absent:
            raise OverlayError(f"{directory}: not a Linux kernel tree "
                               f"({absent[0]} is missing)")
        self.version = self._read_version()
        if self.version not in SUPPORTED:
            known = " and ".join(f"{a}.{b}.x" for a, b in SUPPORTED)
            have = ".".join(map(str, self.version))
            raise OverlayError(f"{directory}/Makefile: this is Linux {have}, "
                               f"the overlay fits {known}")

    def _read_version(self):
        head = (self.root / "Makefile").read_text(errors="replace")[:2000]
        numbers = []
        for key in ("VERSION", "PATCHLEVEL"):
            found = re.search(rf"^{key}\s*=\s*(\d+)\s*$", head, re.M)
            if not found:
                raise OverlayError(f"{self.root}/Makefile: no {key} line, "
                                   "not a Linux kernel tree")
            numbers.append(int(found.group(1)))
        return tuple(numbers)

    @property
    def version_name(self):
        """The version as the edit files write it, "7.3"."""
        return ".".join(map(str, self.version))

    def path(self, name):
        """The place of the kernel path `name` in this tree."""
        return self.root / name

    def read(self, name):
        """The bytes of a file, or None if there is none."""
        path = self.root / name
        if path.is_symlink() or not path.is_file():
            return None
        return path.read_bytes()

    def occupied(self, name):
        """True if anything at all is at this path."""
        path = self.root / name
        return path.exists() or path.is_symlink()
