"""The command `python -m chinook`."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing

from . import listing, report
from .database import Database, DatabaseError
from .music import Music
from .options import Options, UsageError, parse
from .stores import STORES


def main() -> int:
    # Ctrl-C ends the demo as it ends any other command: at once, and without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        options = parse()
        text = list(demo(options))
        # In UTF-8 whatever the locale, for the names of the artists.
        with open(1, "w", encoding="utf-8", closefd=False) as out:
            out.writelines(f"{line}\n" for line in text)
    except BrokenPipeError:
        pass  # the reader has seen enough, as in `… | head -1`
    except (UsageError, DatabaseError, LookupError, OverflowError, OSError) as error:
        complain(error)
        return 2
    return 0


def demo(options: Options) -> Iterator[str]:
    with closing(Database(options.database)) as database:
        tracks = listing.read(database, options.playlist, options.tracks)
    ids = [track.id for track in tracks.tracks]

    unbatched = run(options, lambda music: [music.artist_of_track(id) for id in ids])
    batched = run(options, lambda music: music.artists_of_tracks(ids))

    if unbatched.artists != batched.artists:
        raise DatabaseError("the two runs disagree: the database has changed between them")
    yield from report.artists(tracks, batched.artists, options.limit)
    yield from report.costs(unbatched, batched)
    if options.explain:
        yield from report.rounds("unbatched", unbatched)
        yield from report.rounds("batched", batched)


def run(options: Options, ask: Callable[[Music], list[str]]) -> report.Run:
    """Each run has a connection of its own, so that none profits from what another has cached."""
    with closing(Database(options.database)) as database:
        music = Music(database, STORES[options.store])
        start = time.perf_counter()
        artists = ask(music)
        seconds = time.perf_counter() - start
    return report.Run(artists, music.rounds, seconds)


def complain(error: Exception) -> None:
    line = report.printable(error)
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    label = "\x1b[1;31merror:\x1b[0m" if coloured else "error:"
    print(label, line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
