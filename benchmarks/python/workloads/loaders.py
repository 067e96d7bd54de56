"""The fan-out with loaders instead of batches written by hand."""

from __future__ import annotations

from typing import Callable

from .fan_out import ANSWERS, FanOut


class Loaders(FanOut):
    """The two-level fan-out: 20,000 loads in two batches. Ours has two loaders instead of the
    functions, batches and items. The others run the same program as in the row above.
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
    """The two-level fan-out with each load in a separate call of an async function (a generator).
    Ours has loaders instead of the batches and items only.
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
