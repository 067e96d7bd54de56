from collections.abc import Mapping

from ._explain.answers import NotRecordedError as NotRecordedError
from ._explain.answers import record_answers as record_answers
from ._explain.answers import replay_answers as replay_answers
from ._explain.rounds import rounds

__all__ = ["NotRecordedError", "RoundsMixin", "record_answers", "replay_answers"]

__traceback_hide__: bool

class RoundsMixin:
    def assertRounds(
        self,
        exactly: int | Mapping[str, int] | None = None,
        *,
        at_most: int | Mapping[str, int] | None = None,
        source: str | None = None,
    ) -> rounds: ...
