"""Tables in Markdown, and the format of their cells."""

from __future__ import annotations

#: The content of an empty cell.
NOTHING = "–"


def table(head: list[str], rows: list[list[str]]) -> str:
    rule = ["---", *("---:" for _ in head[1:])]
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, rule, *rows])


def verdict(reached: bool | None) -> str:
    """Returns the cell that says if a goal is reached."""
    return {None: NOTHING, True: "yes", False: "**no**"}[reached]


def duration(nanoseconds: float) -> str:
    if nanoseconds < 10_000:
        return f"{nanoseconds:,.0f} ns"
    return f"{nanoseconds / 1_000:,.1f} µs"
