"""`ASYNQ_EXPLAIN`: records a whole program, and reports when it ends.

The value is the name of a file, as for `explain().save()`, or `-` to print to stderr.
"""

import atexit
import os
import sys

from .._asynq import ExplainSession, Recording
from .explanation import Explanation, with_flows

__traceback_hide__ = True

# The number of the process that writes the file with the very name.
_FIRST = "ASYNQ_EXPLAIN_PROCESS"


def start():
    """Begins to record, if `ASYNQ_EXPLAIN` is set."""
    path = os.environ.get("ASYNQ_EXPLAIN")
    if not path:
        return
    if path != "-":
        try:
            Recording.check_path(path)
        except ValueError as error:
            raise ValueError(f"ASYNQ_EXPLAIN: {error}; or - for stderr") from None
        path = os.path.abspath(path)  # The program may go to another folder.
    os.environ.setdefault(_FIRST, str(os.getpid()))
    keys = os.environ.get("ASYNQ_EXPLAIN_KEYS") or "count"
    name = os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else ""
    session = ExplainSession(name, keys, 1_000_000, 1.0, all_threads=True, everything=True)
    atexit.register(_report, session, path)


def _report(session, path):
    explanation = Explanation(with_flows(session.end()))
    if path == "-":
        explanation.print(sys.stderr)
        return
    if os.environ.get(_FIRST) != str(os.getpid()):
        stem, extension = os.path.splitext(path)
        path = f"{stem}.{os.getpid()}{extension}"
    try:
        explanation.save(path)
    except OSError as error:
        print(f"asynq: cannot write {path}: {error.strerror}", file=sys.stderr)
    else:
        noun = "round" if explanation.rounds == 1 else "rounds"
        print(f"asynq: {explanation.rounds} {noun}, explained in {path}", file=sys.stderr)
