"""`explain`: records the rounds of the code in a block, and explains why each was needed."""

import functools
import os
import sys
from typing import NamedTuple, Optional

from .._asynq import ExplainSession, Recording

__traceback_hide__ = True


class Finding(NamedTuple):
    """A fault that costs rounds, at a line of the code.

    - `kind`: `"one key a round"`, `"synchronous call"`, `"early await"`, `"split batch"` or
      `"duplicate key"`;
    - `file`, `line`, `function`: the place to change;
    - `text`: what costs rounds, why, and what to change, a line each;
    - `source`: name of the source whose rounds would be saved;
    - `source_rounds`, `source_rounds_after`: rounds of that source now, and after the change;
    - `rounds`, `rounds_after`: all rounds now, and after the change.
    """

    kind: str
    file: str
    line: int
    function: str
    text: str
    source: str
    source_rounds: int
    source_rounds_after: int
    rounds: int
    rounds_after: int

    def __str__(self):
        return f"{self.file}:{self.line}: {self.text}"


class SentRequest(NamedTuple):
    """A request that was sent to a source.

    - `round`: its round, from 1;
    - `source`: name of the source;
    - `keys`: number of its keys;
    - `texts`: text of each key, None where the recording does not show it;
    - `seconds`: its duration; None if the recording has ended before;
    - `reason`: `"idle"`, `"call"`, `"full"`, `"delay"` or `"asked"`;
    - `error`: the error that failed the whole request, or None.
    """

    round: int
    source: str
    keys: int
    texts: list
    seconds: Optional[float]
    reason: str
    error: Optional[str]


class Explanation:
    """Explanation of a recording: its rounds and requests, and what to change."""

    def __init__(self, recording):
        self._ended = recording

    @property
    def _recording(self):
        return self._ended

    @property
    def rounds(self):
        """Number of rounds: steps of waiting for sources, each of which needed the one before."""
        return self._recording.rounds

    @property
    def source_rounds(self):
        """Number of rounds in which each source got a request, by its name."""
        return self._recording.source_rounds

    @property
    def requests(self):
        """The requests that were sent, in order."""
        return [SentRequest(*request) for request in self._recording.requests]

    @property
    def findings(self):
        """The faults that cost rounds, the one that costs most first."""
        return [
            Finding(*finding, *source_rounds, *rounds)
            for *finding, source_rounds, rounds in self._recording.findings
        ]

    def text(self, width=100, *, colour=False, unicode=True):
        """Returns the explanation as text: a table of rounds, a waterfall, and the findings."""
        return self._recording.text(width, colour, unicode)

    def print(self, file=None):
        """Prints the explanation to `file` (default: stdout), as wide as the terminal."""
        file = sys.stdout if file is None else file
        from shutil import get_terminal_size

        is_terminal = file.isatty()
        width = get_terminal_size().columns if is_terminal else 100
        colour = is_terminal and not os.environ.get("NO_COLOR")
        print(self.text(width, colour=colour, unicode=_shows_unicode(file)), end="", file=file)

    def save(self, path):
        """Saves it, in the form of the extension of `path`.

        `.html`: a report for a browser; `.jsonl`: the recording; `.json`: a trace for Perfetto;
        `.mmd`, `.dot`: the rounds as a graph; `.txt`: the text. Raises `ValueError` for others.
        """
        self._recording.save(os.fspath(path))

    def __repr__(self):
        return f"<{type(self).__name__}: {self.rounds} rounds, {len(self.findings)} findings>"


class explain(Explanation):
    """Records the rounds of the code in a block, and explains why each was needed.

    >>> import asynq
    >>> @asynq.loader
    ... def double(numbers):
    ...     return [2 * number for number in numbers]
    >>> with asynq.explain() as why:
    ...     double(1) + double(2)
    6
    >>> why.rounds
    2

    `why.print()` shows them, and `why.save("report.html")` writes a report for a browser.

    The recording has what runs in the block, and in the threads and tasks of asyncio that are
    started there. Calls in another block of `explain` are also in that one, and calls in other
    threads that are in no block are in the innermost one of the process.

    - `keys`: what the recording shows of keys: `"count"` (only which of them are the same),
      `"hash"` or `"repr"`. Default: `"count"`, and `"repr"` in a test of pytest.
    - `capacity`: maximum number of events; each one more drops the oldest.
    - `sampling`: share of the outermost calls that are recorded, from 0 to 1.
    - `all_threads`: False to leave out other threads that are in no block.
    """

    def __init__(self, *, keys=None, capacity=1_000_000, sampling=1.0, all_threads=True):
        super().__init__(None)
        if keys is None:
            keys = "repr" if "PYTEST_CURRENT_TEST" in os.environ else "count"
        self._settings = keys, capacity, sampling, all_threads
        self._session = None

    @staticmethod
    def load(path):
        """Returns the explanation of a recording that was saved as `.jsonl`."""
        return Explanation(Recording.read(os.fspath(path)))

    def __enter__(self):
        if self._session is not None or self._ended is not None:
            raise RuntimeError("explain() records one block: make another one for the next block")
        keys, capacity, sampling, all_threads = self._settings
        self._session = ExplainSession(
            program(), keys, capacity, sampling, all_threads=all_threads, everything=False
        )
        return self

    def __exit__(self, exc_type, exc_value, traceback):
        session, self._session = self._session, None
        if session is not None:
            self._ended = _Ended(session.end())

    async def __aenter__(self):
        return self.__enter__()

    async def __aexit__(self, exc_type, exc_value, traceback):
        self.__exit__(exc_type, exc_value, traceback)

    @property
    def _recording(self):
        if self._session is not None:
            return with_flows(self._session.recording())
        if self._ended is None:
            raise RuntimeError("nothing was recorded yet: write `with asynq.explain() as why:`")
        return self._ended.recording


class _Ended:
    """A recording that has ended, whose code is read when somebody asks for an explanation."""

    def __init__(self, recording):
        self._plain = recording

    @functools.cached_property
    def recording(self):
        return with_flows(self._plain)


def with_flows(recording):
    """Returns a recording with what the statements of its code need."""
    from .flow import flows  # Importing `ast` takes long.

    lines = {}
    for file, line, is_call in recording.places():
        lines.setdefault(file, {}).setdefault(line, False)
        lines[file][line] |= is_call
    return recording.with_flows(list(flows(lines)))


def program():
    """Returns the name of the program or test that runs."""
    test = os.environ.get("PYTEST_CURRENT_TEST")
    if test:
        return test.rpartition(" (")[0]
    return os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else ""


def _shows_unicode(file):
    try:
        "█─…".encode(getattr(file, "encoding", None) or "utf-8")
    except (LookupError, UnicodeError):
        return False
    return True
