# SPDX-License-Identifier: GPL-2.0
"""Find the command blocks of a document and what their marks say.

A mark is a comment in front of a block, `<!-- run: WHERE -->` in Markdown and
`.. run: WHERE` in reStructuredText. WHERE is one of

    host [PROGRAM]        run it here, in the top directory
    host-vm               the same, for what boots a guest
    guest-um [PROGRAM]    run it as root in the user-mode Linux guest
    guest-x86 [PROGRAM]   the same in the x86-64 guest
    dry                   only look whether make knows the targets
    none: REASON          shown, not run

A block with a line that starts with "$ " or "# " is a transcript: commands,
each followed by what it prints, where "..." stands for anything. Any other
block is a script. With PROGRAM it is the standard input of that program; the
program cc checks C.
"""

import dataclasses
import re

PLACES = ("host", "host-vm", "guest-um", "guest-x86", "dry", "none")
SHELL_FENCES = ("sh", "bash", "shell", "console")
PROMPT = re.compile(r"^[$#] (.*)$")


class MarkError(Exception):
    """A mark that means nothing, or a command block without one."""


@dataclasses.dataclass
class Step:
    """One command, and the lines it must print (None: not said)."""

    command: str
    expected: list | None


@dataclasses.dataclass
class Block:
    """One marked block."""

    name: str
    place: str
    program: str
    reason: str
    lines: list

    def steps(self):
        """The block as commands with expected output."""
        if not is_transcript(self.lines):
            return [Step("\n".join(self.lines), None)]
        steps = []
        for line in self.lines:
            prompt = PROMPT.match(line)
            if prompt:
                steps.append(Step(prompt.group(1), None))
            elif steps and steps[-1].expected is None \
                    and steps[-1].command.endswith("\\"):
                steps[-1].command += "\n" + line
            elif steps:
                steps[-1].expected = (steps[-1].expected or []) + [line]
            else:
                raise MarkError(f"{self.name}: output before a command")
        return steps


def is_transcript(lines):
    """Commands with prompts, as opposed to a script."""
    return any(line.startswith("$ ") for line in lines) or \
        bool(lines) and lines[0].startswith("# ")


def parse_mark(text, where):
    """(place, program, reason) of the text of a mark."""
    place, _, rest = text.strip().partition(" ")
    if place.rstrip(":") == "none":
        if not rest.strip():
            raise MarkError(f"{where}: none without a reason")
        return "none", "", rest.strip()
    if place not in PLACES:
        raise MarkError(f"{where}: '{place}' is no place to run something")
    return place, rest.strip(), ""


def _strip_blank(lines):
    while lines and not lines[-1].strip():
        lines.pop()
    while lines and not lines[0].strip():
        lines.pop(0)
    return lines


def _make(name, number, mark, lines):
    where = f"{name}:{number}"
    place, program, reason = parse_mark(mark, where)
    return Block(where, place, program, reason, _strip_blank(lines))


def markdown(name, text):
    """The marked blocks of a Markdown file."""
    found, mark, fence, body, start = [], None, None, [], 0
    for number, line in enumerate(text.splitlines(), 1):
        if fence is not None:
            if line.strip() != "```":
                body.append(line)
                continue
            if mark is not None:
                found.append(_make(name, start, mark, body))
            elif fence in SHELL_FENCES:
                raise MarkError(f"{name}:{start}: a command block with no "
                                "`<!-- run: ... -->` in front of it")
            fence, mark = None, None
            continue
        comment = re.match(r"\s*<!-- run: (.*?) -->\s*$", line)
        if comment:
            mark = comment.group(1)
        elif line.lstrip().startswith("```"):
            fence, body, start = line.strip()[3:].strip(), [], number
        elif line.strip() and mark is not None:
            raise MarkError(f"{name}:{number}: text between mark and block")
    return found


def _indent(line):
    return len(line) - len(line.lstrip())


def _literal_body(lines, index):
    """The indented block that follows line `index`, and where it ends."""
    outer = _indent(lines[index])
    body, cursor = [], index + 1
    while cursor < len(lines):
        line = lines[cursor]
        if line.strip() and _indent(line) <= outer:
            break
        body.append(line)
        cursor += 1
    depth = min((_indent(line) for line in body if line.strip()), default=0)
    body = _strip_blank([line[depth:] for line in body])
    while body and re.match(r":[a-z-]+:", body[0]):
        body.pop(0)
    return _strip_blank(body), cursor


def _opens_literal(line):
    text = line.strip()
    if text.startswith(".. code-block::") or text == "::":
        return True
    return text.endswith("::") and not text.startswith("..")


def rst(name, text):
    """The marked blocks of a reStructuredText file."""
    found, mark = [], None
    lines = text.splitlines()
    index = 0
    while index < len(lines):
        line = lines[index]
        comment = re.match(r"\s*\.\. run: (.*)$", line)
        if comment:
            mark = comment.group(1)
        elif _opens_literal(line):
            body, after = _literal_body(lines, index)
            if mark is not None:
                found.append(_make(name, index + 1, mark, body))
            elif any(row.startswith("$ ") for row in body):
                raise MarkError(f"{name}:{index + 1}: a command block with "
                                "no `.. run: ...` in front of it")
            mark, index = None, after
            continue
        index += 1
    if mark is not None:
        raise MarkError(f"{name}: a mark with no block behind it")
    return found


def matches(expected, printed):
    """Whether the printed lines are the expected ones ('...' is anything)."""
    parts = []
    for line in expected:
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            escaped = re.escape(" ".join(line.split()))
            parts.append(escaped.replace(r"\.\.\.", ".*") + r"\n")
    text = "".join(" ".join(row.split()) + "\n" for row in printed)
    return re.fullmatch("".join(parts), text) is not None
