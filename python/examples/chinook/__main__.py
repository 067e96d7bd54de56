"""The command `python -m chinook`."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing

from servers import NotInstalled

from asynq import LoadError, explain

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
        # UTF-8 in any locale, for the names of the artists.
        with open(1, "w", encoding="utf-8", closefd=False) as out:
            out.writelines(f"{line}\n" for line in text)
    except BrokenPipeError:
        pass  # The reader has closed the pipe, as in `… | head -1`.
    except KeyboardInterrupt:
        # The servers have stopped. The demo ends by the signal, like any other command.
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
            why = None
            if options.explain:
                # Apart from the run whose time is shown, since recording takes time.
                with explain() as why:
                    run(open_store, lambda music: music.artists_of_tracks(ids))

    if unbatched.artists != batched.artists:
        raise DatabaseError("the two runs have different results: the database has changed")
    yield from report.artists(tracks, batched.artists, options.limit)
    yield from report.costs(unbatched, batched)
    if why is not None:
        yield from report.flushes("unbatched", unbatched)
        yield from report.flushes("batched", batched)
        yield from report.explanation(why)


def run(open_store: Callable[[], Store], ask: Callable[[Music], list[str]]) -> report.Run:
    """Runs `ask` with new connections, so that it cannot use values cached by an earlier run."""
    with closing(open_store()) as store:
        music = Music(store)
        start = time.perf_counter()
        artists = ask(music)
        seconds = time.perf_counter() - start
    return report.Run(artists, music.flushes, seconds)


def complain(error: Exception) -> None:
    line = report.printable(error)
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    label = "\x1b[1;31merror:\x1b[0m" if coloured else "error:"
    print(label, line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
