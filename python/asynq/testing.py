"""Tools for tests: assertions about rounds, and answers that are recorded and replayed.

With pytest, the package has a plugin: see the fixture `asynq_rounds`.
"""

from ._explain.answers import NotRecordedError, record_answers, replay_answers
from ._explain.rounds import rounds

__all__ = ["NotRecordedError", "RoundsMixin", "record_answers", "replay_answers"]

__traceback_hide__ = True


class RoundsMixin:
    """Adds `assertRounds` to a class of tests of `unittest`.

    >>> import asynq, unittest
    >>> class Tests(RoundsMixin, unittest.TestCase):
    ...     def test_page(self):
    ...         with self.assertRounds(at_most=3):
    ...             page(1)

    It works beside `assertNumQueries` of Django: `with self.assertNumQueries(2),
    self.assertRounds(2): ...`.
    """

    def assertRounds(self, exactly=None, *, at_most=None, source=None):
        """Returns a block that fails if its code makes other rounds than allowed.

        `exactly` and `at_most` are numbers, or mappings from names of sources to those of each;
        `source` is the name of a source whose rounds they are. The failure explains the rounds.
        """
        return rounds(exactly, at_most=at_most, source=source)
