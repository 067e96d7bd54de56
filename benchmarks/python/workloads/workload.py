"""`Workload`, the base class of the workloads."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Any, Callable, ClassVar


class Workload(ABC):
    """One row of the table: one program, written for asynq and for a DataLoader.

    The report contains the docstring of the class, so it must describe the program exactly. Both
    packages named asynq run the same file.
    """

    #: Name in the table, and on the command line (with "-" for spaces).
    title: ClassVar[str]
    #: Unit of the cost.
    unit: ClassVar[str]
    #: Number of units in one run.
    units: ClassVar[int]
    #: Minimum ratio of the time of the reference to ours (memory: maximum ratio of ours to the
    #: reference).
    goal: ClassVar[float | None] = None
    #: Name of the peer that is the reference of the goal.
    goal_peer: ClassVar[str] = "asynq"
    #: Minimum number of batches of a run, or None if it depends on the order of work. A run on
    #: asynq must have exactly this number; for a DataLoader, the number is part of the result.
    batches: ClassVar[int | None]
    #: Clock of the measurement. Processor time depends less on other programs than wall-clock time.
    clock: ClassVar[Callable[[], float]] = staticmethod(time.process_time)
    #: True if the cost is in bytes, measured once per new process, instead of in nanoseconds.
    is_memory: ClassVar[bool] = False

    #: True if the program on asynq is a coroutine function, too.
    on_loop: ClassVar[bool] = False
    #: The quantile of `latencies` (seconds) that is the cost of a run; by default that is its time.
    quantile: ClassVar[float | None] = None
    latencies: ClassVar[list[float]] = []

    #: Number of flushed batches, counted by the stores of the program.
    flushes = 0

    @abstractmethod
    def expected(self) -> Any:
        """Returns the expected result of a run, the same for all implementations."""

    @abstractmethod
    def with_asynq(self) -> Callable[[], Any] | None:
        """Returns the program on asynq, as a function that makes one run, or `on_loop` as a
        coroutine function. Returns None if this package cannot run the program.
        """

    def with_loaders(self, loader: Callable[[Any], Any]) -> Callable[[], Any] | None:
        """Returns the program on a DataLoader, as a coroutine function that makes one run.

        Returns None if a DataLoader cannot run the program. `loader(batch_function)` returns a new
        DataLoader. Every run creates new ones, as every request to a server does.
        """
        return None
