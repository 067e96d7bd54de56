"""The output of the demo."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from asynq import explain

from .listing import Listing
from .lookup import Flush

_NAME = 44  # width of the name of a track, in characters
_FLUSHES = 6  # maximum number of requests that --explain lists

_WAYS = """
unbatched: artist_of_track(id) of one track after the other; each key is a query
batched:   artist_of_track.asynq(id) of all tracks together; each round is a query\
"""


class Run(NamedTuple):
    """The artists that a run has found, its requests and its duration."""

    artists: list[str]
    flushes: list[Flush]
    seconds: float


def artists(listing: Listing, artists: list[str], limit: int) -> Iterator[str]:
    count = len(listing.tracks)
    yield f"{listing.title}: {count:,} {'track' if count == 1 else 'tracks'}\n"
    for track, artist in list(zip(listing.tracks, artists))[:limit]:
        yield f"{track.id:7}  {_cut(track.name):{_NAME}}  {printable(artist)}"
    yield from _more(count, limit)
    yield ""


def costs(unbatched: Run, batched: Run) -> Iterator[str]:
    runs = (unbatched, batched)
    yield "           unbatched     batched"
    yield _row("queries", *(f"{len(run.flushes):,}" for run in runs))
    yield _row("time", *(_duration(run.seconds) for run in runs))
    yield _WAYS


def flushes(way: str, run: Run) -> Iterator[str]:
    yield f"\nflushed, {way}:\n  round  source     keys  distinct"
    for number, (source, keys, distinct) in enumerate(run.flushes[:_FLUSHES], 1):
        yield f"{number:7}  {source:6}  {keys:7,}  {distinct:8,}"
    yield from _more(len(run.flushes), _FLUSHES)


def explanation(why: explain) -> Iterator[str]:
    yield f"\nexplained, batched:\n{why.text().rstrip()}"


def printable(text: object) -> str:
    """Returns `text` with spaces instead of control characters."""
    return "".join(char if char.isprintable() else " " for char in str(text))


def _row(label: str, unbatched: str, batched: str) -> str:
    return f"{label:7}  {unbatched:>11} {batched:>11}"


def _more(count: int, shown: int) -> Iterator[str]:
    """Yields a line with the number of entries beyond the first `shown`."""
    if count > shown:
        yield f"         … and {count - shown:,} more"


def _cut(name: str) -> str:
    name = printable(name)
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def _duration(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.1f}s"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.1f}ms"
    return f"{seconds * 1e6:.1f}µs"
