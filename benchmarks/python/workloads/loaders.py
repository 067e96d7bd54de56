"""The same program as the fan-out, where loaders take the place of batches by hand."""

from __future__ import annotations

from typing import Callable

from .fan_out import ANSWERS, FanOut


class Loaders(FanOut):
    """The two-level fan-out, where ours has two loaders in place of the functions, batches and
    items: 20,000 loads, in two batches. The others run what they run there.
    """

    title = "fan-out by loaders"
    goal = 12

    def with_asynq(self) -> Callable[[], object]:
        import asynq

        if not hasattr(asynq, "loader"):
            return super().with_asynq()
        from programs import loaders

        loaders.workload = self
        return lambda: loaders.all_author_names(ANSWERS)


class FunctionsOverLoaders(FanOut):
    """Likewise, but each load stands in an async function of its own (a generator), as with the
    others: the loaders take the place of the batches and items alone.
    """

    title = "fan-out, functions over loaders"
    goal = None

    def with_asynq(self) -> Callable[[], object]:
        import asynq

        if not hasattr(asynq, "loader"):
            return super().with_asynq()
        from programs import loaders

        loaders.workload = self
        return lambda: loaders.all_author_names_by_functions(ANSWERS)
