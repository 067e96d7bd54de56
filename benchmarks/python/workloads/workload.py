"""What every workload is made of."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Any, Callable, ClassVar


class Workload(ABC):
    """One row of the table: one program, written for asynq and for a DataLoader.

    The class documentation is printed below the table, so it says precisely what is run. The asynq
    program is the same file for both packages of that name.
    """

    #: What it is called in the table, and on the command line (with "-" for spaces).
    title: ClassVar[str]
    #: What its cost is given for: one of these.
    unit: ClassVar[str]
    #: How many of these one run is worth.
    units: ClassVar[int]
    #: How many times faster than the reference ours is to be (memory: at most this share of it).
    goal: ClassVar[float | None] = None
    #: The fewest batches in which a run can be done, or None if it depends on the order of work.
    #: With asynq it has to be exactly these; how many a DataLoader makes is part of the result.
    batches: ClassVar[int | None]
    #: What time is taken of: the processor, where neighbours count less than on the wall.
    clock: ClassVar[Callable[[], float]] = staticmethod(time.process_time)
    #: Whether the cost is bytes, taken once in each of many fresh processes, and not nanoseconds.
    is_memory: ClassVar[bool] = False

    #: How many batches have been flushed; the stores of a program count here.
    flushes = 0

    @abstractmethod
    def expected(self) -> Any:
        """What a run has to return, whatever it is run on."""

    @abstractmethod
    def with_asynq(self) -> Callable[[], Any]:
        """The program on asynq: a call of it is a run."""

    def with_loaders(self, loader: Callable[[Any], Any]) -> Callable[[], Any] | None:
        """The program on a DataLoader: awaiting a call of it is a run. None where it has no such
        thing.

        ``loader(batch_function)`` makes a DataLoader; every run makes its own, as every request of
        a server does.
        """
        return None
