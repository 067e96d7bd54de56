"""Tasks inside contexts that are paused while others run."""

from __future__ import annotations

from typing import Any, Callable

from .workload import Workload

TASKS = range(1_000)
TABLE = {task: 3 * task for task in TASKS}


class Context(Workload):
    """1,000 tasks, each of which enters an `AsyncContext` of its own and makes one load inside it:
    two calls of `resume()` and two of `pause()` per task. Event loops have nothing like it.
    """

    title = "task with a context"
    unit = "task"
    units = len(TASKS)
    goal = 5
    batches = 1

    def expected(self) -> Any:
        return list(TABLE.values())

    def with_asynq(self) -> Callable[[], Any]:
        from programs import context

        context.store.workload = self
        return lambda: context.load_all(TASKS)

    def with_loaders(self, loader: Callable[[Any], Any]) -> Callable[[], Any] | None:
        return None
