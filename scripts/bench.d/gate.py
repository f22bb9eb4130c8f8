# SPDX-License-Identifier: GPL-2.0
"""Compare measured figures with the stored ones.

A figure is judged twice. By itself it may not rise by more than the limit. A
new compiler or another kernel moves TCP's figure as well, though, and is no
fault of NEW_TCP: where TCP's figure of the same run rose too, NEW_TCP's may
rise by as much, but by no more.

Judged is the lower quartile of the rounds. Round trips repeat to a thousandth,
but bulk has two or three rhythms of writer and reader, which differ by a tenth
and of which a connection finds one: their median jumps, the lower quartile
stays with the best.
"""

import copy

LIMIT = 1.02


def rise(now, before):
    """By what factor NEW_TCP got dearer, without what TCP got dearer by as well."""
    ours = now["newtcp"]["quartile"] / before["newtcp"]["quartile"]
    theirs = now["tcp"]["quartile"] / before["tcp"]["quartile"]
    return ours / max(theirs, 1.0)


def judge(measured, baseline):
    """Lines about every gated row, and how many failed."""
    lines, failed = [], 0
    for name, now in measured.items():
        before = baseline.get(name)
        if before is None:
            lines.append(f"not ok - {name}: the stored figures have no such row")
            failed += 1
            continue
        by = rise(now, before)
        good = by <= LIMIT
        failed += not good
        lines.append(
            f"{'ok' if good else 'not ok'} - {name}: {now['newtcp']['median']:.5g}, stored "
            f"{before['newtcp']['median']:.5g}; TCP {now['tcp']['median']:.5g}, stored "
            f"{before['tcp']['median']:.5g}: {100 * (by - 1):+.2f} % "
            f"(limit {100 * (LIMIT - 1):+.0f} %)")
    return lines, failed


def _scaled(baseline, family, factor):
    doctored = copy.deepcopy(baseline)
    for row in doctored.values():
        row[family]["quartile"] *= factor
    return doctored


def self_test(figures):
    """Doctored figures have to be judged as they deserve; what is wrong, in words."""
    cases = (
        ("the same figures", figures, 0),
        ("a baseline 3 % lower", _scaled(figures, "newtcp", 1 / 1.03), len(figures)),
        ("a baseline 1 % lower", _scaled(figures, "newtcp", 1 / 1.01), 0),
        ("a baseline 10 % higher", _scaled(figures, "newtcp", 1.1), 0),
        ("a baseline with both 3 % lower",
         _scaled(_scaled(figures, "newtcp", 1 / 1.03), "tcp", 1 / 1.03), 0),
        ("a baseline with TCP dearer than now, and us cheaper",
         _scaled(_scaled(figures, "newtcp", 1 / 1.03), "tcp", 1.1), len(figures)),
        ("an empty baseline", {}, len(figures)),
    )
    wrong = []
    for what, baseline, expected in cases:
        failed = judge(figures, baseline)[1]
        if failed != expected:
            wrong.append(f"{what}: {failed} of {len(figures)} rows fail, not {expected}")
    return wrong, len(cases)
