"""Tables in Markdown, and what stands in their cells."""

from __future__ import annotations

#: In a cell that has nothing to say.
NOTHING = "–"


def table(head: list[str], rows: list[list[str]]) -> str:
    rule = ["---", *("---:" for _ in head[1:])]
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, rule, *rows])


def verdict(reached: bool | None) -> str:
    """Of a goal, if there is one."""
    return {None: NOTHING, True: "yes", False: "**no**"}[reached]


def duration(nanoseconds: float) -> str:
    if nanoseconds < 10_000:
        return f"{nanoseconds:,.0f} ns"
    return f"{nanoseconds / 1_000:,.1f} µs"
