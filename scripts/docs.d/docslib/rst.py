# SPDX-License-Identifier: GPL-2.0
"""Parse the reStructuredText files and the manual page, warnings are errors."""

import io
import os
import pathlib
import re
import shutil
import subprocess
import sys

TOC_OPTIONS = ("maxdepth", "caption", "hidden", "numbered", "glob",
               "titlesonly")


def load_docutils(cache):
    """docutils of this machine, or the one of the build root."""
    try:
        import docutils  # noqa: F401
    except ImportError:
        sys.path.append(str(cache / "root/usr/lib/python3/dist-packages"))
    import docutils.core  # noqa: F401


def _teach(toc, links):
    """What Sphinx knows and docutils does not."""
    from docutils import nodes
    from docutils.parsers.rst import Directive, directives, roles

    class TocTree(Directive):
        """Remember the entries of a table of contents."""

        has_content = True
        option_spec = dict.fromkeys(TOC_OPTIONS, directives.unchanged)

        def run(self):
            toc.extend(line.strip() for line in self.content if line.strip())
            return []

    class KernelDoc(Directive):
        """Remember which file documentation is taken from."""

        has_content = True
        required_arguments = 1
        option_spec = dict.fromkeys(
            ("internal", "export", "identifiers", "functions", "doc",
             "no-identifiers"), directives.unchanged)

        def run(self):
            links.append(("file", self.arguments[0]))
            return []

    def remember(name, rawtext, text, _line, _inliner, options=None,
                 content=None):
        del options, content
        links.append((name, text))
        return [nodes.literal(rawtext, text)], []

    directives.register_directive("toctree", TocTree)
    directives.register_directive("kernel-doc", KernelDoc)
    for role in ("doc", "ref", "c:func", "c:type", "c:macro"):
        roles.register_local_role(role, remember)


def check_file(path, root):
    """The problems of one file, as lines of text."""
    from docutils.core import publish_doctree
    toc, links = [], []
    _teach(toc, links)
    text = path.read_text()
    said = io.StringIO()
    publish_doctree(text, source_path=str(path), settings_overrides={
        "report_level": 1, "halt_level": 5, "warning_stream": said,
        "file_insertion_enabled": False, "raw_enabled": False,
        "syntax_highlight": "none"})
    problems = said.getvalue().splitlines()
    if not text.startswith(".. SPDX-License-Identifier: "):
        problems.append("no SPDX line on top")
    for entry in toc:
        if not (path.parent / f"{entry}.rst").is_file():
            problems.append(f"toctree names {entry}, there is no such file")
    for kind, target in links:
        problems += _dead_link(kind, target, path, root)
    return problems


def _dead_link(kind, target, path, root):
    inner = re.search(r"<([^>]+)>$", target)
    name = inner.group(1) if inner else target
    if kind == "file" and not (root / name).is_file():
        return [f"kernel-doc of {name}, there is no such file"]
    if kind == "doc":
        base = root / "Documentation" if name.startswith("/") else path.parent
        if not (base / f"{name.lstrip('/')}.rst").is_file():
            return [f":doc:`{name}` leads nowhere"]
    if kind == "ref":
        label = f".. _{name}:"
        if not any(label in other.read_text()
                   for other in path.parent.glob("*.rst")):
            return [f":ref:`{name}` leads nowhere"]
    return []


def unlisted(folder):
    """The files of a folder that no table of contents names."""
    index = (folder / "index.rst").read_text().split()
    return [f"{path.name} is not in index.rst"
            for path in sorted(folder.glob("*.rst"))
            if path.stem != "index" and path.stem not in index]


def check_manual(path, repo):
    """What the formatter has to say about a manual page."""
    name = str(path.relative_to(repo))
    argv = ["groff", "-man", "-Tutf8", "-ww", "-z", name]
    if shutil.which("groff") is None:
        argv = ["scripts/env", "run", "--"] + argv
    done = subprocess.run(argv, cwd=repo, text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})
    problems = done.stdout.splitlines()
    if done.returncode and not problems:
        problems = [f"{argv[0]}: exit status {done.returncode}"]
    return problems


def manuals(repo):
    """Every manual page of the repository."""
    places = ("Documentation/networking/mynewtcp", "tools/mynewtcp")
    return sorted(path for place in places
                  for path in pathlib.Path(repo, place).rglob("*.[1-8]")
                  if "target" not in path.parts)
