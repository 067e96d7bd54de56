"""The command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from .stores import STORES

_DATABASE = Path(__file__).resolve().parents[3] / "examples" / "data" / "chinook.sqlite"

_EXAMPLES = """\
examples:
  python -m chinook --playlist Grunge --explain
  python -m chinook --playlist 5 --store redis
  python -m chinook --tracks 1,2,3502 --explain
"""


class UsageError(Exception):
    """The command line has invalid arguments."""


class Options(argparse.Namespace):
    playlist: str | None
    tracks: list[int] | None
    store: str
    database: Path
    limit: int
    explain: bool


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def parse(arguments: list[str] | None = None) -> Options:
    """Parses the command line. Raises `UsageError`, or prints the help and exits."""
    parser = _Parser(
        prog="chinook",
        description="Prints the artist of every track of a playlist, unbatched and batched.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--playlist",
        metavar="ID|NAME",
        help="playlist (default: the longest; of several with one name, the longest of them)",
    )
    which.add_argument(
        "--tracks", metavar="ID,...", type=_numbers, help="tracks to use instead of a playlist"
    )
    parser.add_argument(
        "--store",
        choices=STORES,
        default="sqlite",
        help="source of the values: the database (sqlite, the default), tables in memory, or a "
        "server that the demo starts and fills",
    )
    parser.add_argument(
        "--database",
        metavar="PATH",
        type=Path,
        default=_DATABASE,
        help="path of the Chinook database (default: the one of the checkout)",
    )
    parser.add_argument(
        "--limit",
        metavar="N",
        type=_count,
        default=10,
        help="maximum number of artists (default: 10)",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="list the requests of both runs, and explain the batched one",
    )
    return parser.parse_args(arguments, namespace=Options())


def _numbers(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of numbers") from None


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a number")
    return int(text)
