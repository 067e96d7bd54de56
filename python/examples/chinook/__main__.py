"""The command `python -m chinook`."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing

from servers import NotInstalled

from asynq import LoadError

from . import listing, report
from .database import Database, DatabaseError
from .lookup import Store
from .music import Music
from .options import Options, UsageError, parse
from .stores import served


def main() -> int:
    try:
        options = parse()
        text = list(demo(options))
        # In UTF-8 whatever the locale, for the names of the artists.
        with open(1, "w", encoding="utf-8", closefd=False) as out:
            out.writelines(f"{line}\n" for line in text)
    except BrokenPipeError:
        pass  # the reader has seen enough, as in `… | head -1`
    except KeyboardInterrupt:
        # Servers have ended; so does the demo, as any other command does.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
    except (
        *(UsageError, DatabaseError, NotInstalled),
        *(LoadError, LookupError, ImportError, OSError, RuntimeError),
    ) as error:
        complain(error)
        return 2
    return 0


def demo(options: Options) -> Iterator[str]:
    with closing(Database(options.database)) as database:
        tracks = listing.read(database, options.playlist, options.tracks)
        ids = [track.id for track in tracks.tracks]
        with served(options.store, database) as open_store:
            unbatched = run(open_store, lambda music: [music.artist_of_track(id) for id in ids])
            batched = run(open_store, lambda music: music.artists_of_tracks(ids))

    if unbatched.artists != batched.artists:
        raise DatabaseError("the two runs disagree: the database has changed between them")
    yield from report.artists(tracks, batched.artists, options.limit)
    yield from report.costs(unbatched, batched)
    if options.explain:
        yield from report.rounds("unbatched", unbatched)
        yield from report.rounds("batched", batched)


def run(open_store: Callable[[], Store], ask: Callable[[Music], list[str]]) -> report.Run:
    """Each run has connections of its own, so that none profits from what another has cached."""
    with closing(open_store()) as store:
        music = Music(store)
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
