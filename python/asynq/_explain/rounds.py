"""Assertions about rounds, for tests."""

from collections.abc import Mapping

from .explanation import explain

__traceback_hide__ = True


class rounds(explain):
    """A block that fails if its code makes other rounds than allowed: with the explanation.

    - `exactly`, `at_most`: the number of rounds, or a mapping from names of sources to those of
      each;
    - `source`: the name of a source, of whose rounds `exactly` and `at_most` speak.
    """

    def __init__(self, exactly=None, *, at_most=None, source=None, keys="repr"):
        super().__init__(keys=keys)
        if exactly is None and at_most is None:
            raise TypeError("how many rounds? Give at_most= or exactly=")
        self._limits = [
            *_limits("exactly", exactly, source),
            *_limits("at_most", at_most, source),
        ]

    def __exit__(self, exc_type, exc_value, traceback):
        __tracebackhide__ = True
        super().__exit__(exc_type, exc_value, traceback)
        if exc_type is None:
            for limit in self._limits:
                self._check(*limit)

    async def __aexit__(self, exc_type, exc_value, traceback):
        __tracebackhide__ = True
        self.__exit__(exc_type, exc_value, traceback)

    def _check(self, how, count, source):
        __tracebackhide__ = True
        made = self.rounds if source is None else self.source_rounds.get(source, 0)
        if made == count or (how == "at_most" and made < count):
            return
        of_source = "" if source is None else f" of {source}"
        allowed = f"{how.replace('_', ' ')} {count}"
        noun = "round" if made == 1 else "rounds"
        raise AssertionError(
            f"{made} {noun}{of_source}, expected {allowed}\n\n{self.text(unicode=True)}"
        )


def _limits(how, counts, source):
    if counts is None:
        return
    if not isinstance(counts, Mapping):
        counts = {source: counts}
    elif source is not None:
        raise TypeError(f"{how}= names the sources already: leave out source=")
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise TypeError(f"{how}= must be a number of rounds, got {count!r}")
        yield how, count, name
