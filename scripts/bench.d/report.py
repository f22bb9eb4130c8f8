# SPDX-License-Identifier: GPL-2.0
"""From the runs' lines of JSON to figures, a table and a file."""

import json
import statistics


def figures(lines):
    """One entry per benchmark: each family's median and spread, and their ratio.

    The first round is left out: the page allocator is in another state then.
    """
    runs = {}
    for line in lines:
        run = json.loads(line)
        runs.setdefault(run["bench"], {}).setdefault(run["family"], []).append(run)
    return [summary(bench, {family: found[1:] for family, found in families.items()})
            for bench, families in runs.items()]


def summary(bench, families):
    """The entry of one benchmark."""
    entry = {"bench": bench}
    for family, runs in families.items():
        values = [run["ns_per_unit"] for run in runs]
        median = statistics.median(values)
        entry["unit"] = runs[0]["unit"]
        entry[family] = {
            "median": median,
            "spread_percent": round(100 * (max(values) - min(values)) / median, 2),
            "runs": values,
        }
    if "tcp" in entry and "newtcp" in entry:
        # Neighbouring runs met the same disturbances, so their ratio is the
        # figure, not the ratio of the medians.
        pairs = zip(entry["newtcp"]["runs"], entry["tcp"]["runs"])
        entry["ratio"] = statistics.median(ours / theirs for ours, theirs in pairs)
    return entry


def number(value):
    """A figure with as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3f}"


def row(setting, entry):
    """One line of the table."""
    cells = [setting["name"], entry["bench"], f"{setting['quantity']} per {entry['unit']}"]
    for family in ("tcp", "newtcp"):
        found = entry.get(family)
        cells.append(f"{number(found['median'])} (±{found['spread_percent'] / 2:.1f} %)"
                     if found else "-")
    cells.append(f"{entry['ratio']:.3f}" if "ratio" in entry else "-")
    return "| " + " | ".join(cells) + " |"


def table(settings):
    """The Markdown table of all settings."""
    lines = ["| setting | benchmark | figure | TCP | NEW_TCP | NEW_TCP / TCP |",
             "|---|---|---|--:|--:|--:|"]
    for setting in settings:
        lines += [row(setting, entry) for entry in setting["results"]]
    return "\n".join(lines)
