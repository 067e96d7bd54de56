"""Draws results: `picture.py RESULTS.json PICTURE.svg`. Needs matplotlib.

RESULTS contains the rows of the table: {"ours": name, "peers": {name: label}, "rows": [{"title",
"goal", "is_memory", "ratios": {peer: [median, low, high]}}]}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
# Equal results produce equal files, and text stays text.
matplotlib.rcParams.update({"svg.hashsalt": "asynq", "svg.fonttype": "none", "font.size": 10})

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
from matplotlib.patches import Patch  # noqa: E402
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: E402

COLOURS = ("#1b6ca8", "#e08a1e", "#b5446e", "#5a9e6f", "#8a6fb0")
GOAL: dict[str, Any] = {
    "linestyle": "none",
    "marker": "|",
    "markersize": 17,
    "markeredgewidth": 2,
    "color": "#111",
}
#: Heights as parts of a row: of all bars together, and the maximum of one bar.
BARS, BAR = 0.8, 0.26
INCHES_A_BAR = 0.155
INCHES_A_ROW = 0.62


def draw(results: dict[str, Any], path: Path) -> None:
    timed = [row for row in results["rows"] if not row["is_memory"]]
    memory = [row for row in results["rows"] if row["is_memory"]]
    panels = [rows for rows in (timed, memory) if rows]
    row = max(INCHES_A_ROW, INCHES_A_BAR * len(results["peers"]))
    figure, axes = plt.subplots(
        len(panels),
        1,
        figsize=(9, 0.5 + row * len(results["rows"]) + 0.9 * len(panels)),
        height_ratios=[len(rows) + 0.5 for rows in panels],
        layout="constrained",
        squeeze=False,
    )
    ours = results["ours"]
    for axis, rows in zip(axes[:, 0], panels):
        # The bar of a ratio starts at 1 (equal times), the bar of a share at 0.
        bars(axis, rows, results["peers"], 0 if rows is memory else 1)
        if rows is memory:
            axis.set_xlabel(f"share of their memory that {ours} takes (less is better)")
            axis.set_xlim(0, max(1.0, axis.get_xlim()[1]))
        else:
            axis.set_xlabel(f"{ours} is so many times faster (logarithmic)")
            axis.set_xscale("log")
            axis.margins(x=0.1)
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.xaxis.set_minor_formatter(NullFormatter())
        axis.axvline(1, color="#444", linewidth=1)
    handles = [
        Patch(color=colour, label=f"against {label}")
        for colour, label in zip(COLOURS, results["peers"].values())
    ]
    handles.append(Line2D([], [], label="goal, against the first of the row", **GOAL))
    figure.legend(handles=handles, loc="outside upper center", ncols=2, frameon=False)
    figure.savefig(path, metadata={"Date": None, "Creator": None})


def bars(axis: Any, rows: list[dict[str, Any]], peers: dict[str, str], start: float) -> None:
    thickness = min(BAR, BARS / len(peers))
    for number, row in enumerate(rows):
        height = number - thickness * (len(row["ratios"]) - 1) / 2
        goal = row["goal"]  # for the first peer of the row only
        if goal is not None:
            axis.plot(goal, height, **GOAL)
        for colour, peer in zip(COLOURS, peers):
            if peer not in row["ratios"]:
                continue
            median, low, high = row["ratios"][peer]
            spread = [[median - low], [high - median]]
            axis.barh(
                height,
                median - start,
                thickness,
                start,
                xerr=spread,
                color=colour,
                ecolor="#333",
                capsize=2,
            )
            right = median >= start
            axis.annotate(
                f"{median:.1f}" if median >= 2 else f"{median:.2f}",
                (max(high, goal or high) if right else low, height),
                (6 if right else -6, 0),
                textcoords="offset points",
                ha="left" if right else "right",
                va="center",
                fontsize=8,
            )
            height += thickness
            goal = None
    axis.set_yticks(range(len(rows)), [row["title"] for row in rows])
    axis.set_ylim(len(rows) - 0.45, -0.55)
    axis.grid(axis="x", color="#ddd", linewidth=0.6)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
