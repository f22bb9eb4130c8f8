# SPDX-License-Identifier: GPL-2.0
"""From the probe's lines to figures and a table."""

import statistics


def figure(values):
    """Median, lower quartile and spread of some values."""
    median = statistics.median(values)
    quartile = sorted(values)[(len(values) - 1) // 4]
    spread = 100 * (max(values) - min(values)) / median if median else 0.0
    return {"median": _short(median), "quartile": _short(quartile),
            "spread_percent": round(spread, 2), "runs": len(values)}


def _short(value):
    """Five digits mean something; more only make differences between files."""
    return float(f"{value:.5g}")


def _values(row, said, family):
    """One value per round; the first round finds caches cold and does not count."""
    def of(command):
        lines = said.get(command, {}).get(family, [])
        if any(row.key not in line for line in lines):
            return []
        return [line[row.key] for line in lines[1:]]

    if not row.over:
        return of(row.command)
    return [many / one for many, one in zip(of(row.command), of(row.over))]


def entry(row, said):
    """A row's figures; None if a family has none."""
    ours, theirs = (_values(row, said, family) for family in ("newtcp", "tcp"))
    if not ours or not theirs:
        return None
    found = {
        "title": row.title, "quantity": row.quantity, "unit": row.unit, "boot": row.boot,
        "must": row.must, "aim": row.aim, "gated": row.gated,
        "tcp": figure(theirs), "newtcp": figure(ours),
    }
    # Neighbouring runs met the same disturbances, so the ratio is that of pairs.
    pairs = [a / b for a, b in zip(ours, theirs) if b]
    found["ratio"] = round(statistics.median(pairs), 3) if pairs else None
    for family in row.floors:
        if values := _values(row, said, family):
            found.setdefault("floors", {})[family] = figure(values)
    return found


def entries(chosen, said):
    """Name -> figures."""
    found = ((row.name, entry(row, said)) for row in chosen)
    return {name: one for name, one in found if one is not None}


def number(value):
    """A figure with as many digits as mean something."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def state(one):
    """What has been reached of what was promised."""
    if one["must"] is None or one["ratio"] is None:
        return "-"
    if one["aim"] is not None and one["ratio"] <= one["aim"]:
        return "aim reached"
    return "reached" if one["ratio"] <= one["must"] else "not reached"


def cells(one):
    """A row's cells."""
    shown = []
    for family in ("tcp", "newtcp"):
        found = one[family]
        shown.append(f"{number(found['median'])} (±{found['spread_percent'] / 2:.1f} %)")
    limits = ["-" if one[name] is None else f"{one[name]:.2f}" for name in ("must", "aim")]
    ratio = "-" if one["ratio"] is None else f"{one['ratio']:.3f}"
    return [one["title"], f"{one['quantity']} per {one['unit']}", *shown, ratio, *limits,
            state(one)]


HEAD = ("work", "figure", "TCP", "NEW_TCP", "ratio", "must", "aim", "state")


def table(figures):
    """The Markdown table of all rows."""
    lines = ["| " + " | ".join(HEAD) + " |", "|---|---|--:|--:|--:|--:|--:|---|"]
    for one in figures.values():
        lines.append("| " + " | ".join(cells(one)) + " |")
    for one in figures.values():
        for family, found in one.get("floors", {}).items():
            name = {"udp": "UDP", "unix": "AF_UNIX"}[family]
            lines.append(f"| {one['title']}: {name} | {one['quantity']} per {one['unit']} | "
                         f"{number(found['median'])} | | | | | floor |")
    return "\n".join(lines)
