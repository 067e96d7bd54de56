"""`python -m asynq explain`: runs a program, and explains its rounds."""

import argparse
import os
import subprocess
import sys

from .explanation import explain

_USAGE = """python -m asynq explain [-o FILE] [--keys FORM] PROGRAM.py [ARGUMENT ...]
       python -m asynq explain [-o FILE] [--keys FORM] -m MODULE [ARGUMENT ...]
       python -m asynq explain [-o FILE] RECORDING.jsonl"""


def main(arguments):
    """Runs the command. Returns its exit status, if it returns."""
    options, parser = _parse(arguments)
    command = ["-m", *options.module] if options.module else options.program
    if not command:
        parser.error("which program? For example: python -m asynq explain page.py")
    if not options.module and command[0].endswith(".jsonl"):
        return _show(command[0], options.output, parser)
    variables = {"ASYNQ_EXPLAIN": options.output or "-", "ASYNQ_EXPLAIN_KEYS": options.keys}
    return _run([*subprocess._args_from_interpreter_flags(), *command], variables)


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m asynq explain",
        usage=_USAGE,
        description="Runs a program, and explains why it made each of its rounds.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="report.html, trace.json (for Perfetto), recording.jsonl, rounds.mmd, rounds.dot or"
        " rounds.txt; by default, the explanation is printed to stderr",
    )
    parser.add_argument(
        "--keys",
        choices=["count", "hash", "repr"],
        default="count",
        help="what the report shows of keys (default: count)",
    )
    parser.add_argument("-m", dest="module", nargs=argparse.REMAINDER, help="run a module")
    parser.add_argument("program", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.output is not None:
        from .._asynq import Recording

        try:
            Recording.check_path(options.output)
        except ValueError as error:
            parser.error(str(error))
    return options, parser


def _show(recording, output, parser):
    try:
        explanation = explain.load(recording)
        if output is None:
            explanation.print()
        else:
            explanation.save(output)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return 0


def _run(arguments, variables):
    """Runs an interpreter in place of this one, so that the program runs as without asynq."""
    environment = {**os.environ, **variables}
    environment.pop("ASYNQ_EXPLAIN_PROCESS", None)
    command = [sys.executable, *arguments]
    if os.name != "nt":
        sys.stdout.flush()
        sys.stderr.flush()
        os.execve(sys.executable, command, environment)
    # There, a program that replaces another one is a process in the background.
    with subprocess.Popen(command, env=environment) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                pass  # The program has got it, too.
