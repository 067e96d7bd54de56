"""The workloads, in the order of the table."""

from __future__ import annotations

from .at_once import AtOnce, AtOnceImported, AtOnceMethod, AtOnceWithoutYield
from .call import Call, CallInTask, CallOfMethod, CallWithoutYield
from .chain import Chain
from .context import Context
from .fan_out import FanOut
from .loaders import FunctionsOverLoaders, Loaders
from .memory import Memory
from .on_loop import (
    HundredFunctions,
    HundredLoads,
    LateLatency,
    ManyFunctions,
    ManyLoads,
    MedianLatency,
    SixFunctions,
    SixLoads,
)
from .overlap import Overlap
from .staggered import Staggered
from .uneven import Uneven
from .workload import Workload

__all__ = ["WORKLOADS", "Workload"]

WORKLOADS: dict[str, type[Workload]] = {
    workload.title.replace(",", "").replace(" ", "-"): workload
    for workload in (
        FanOut,
        Loaders,
        FunctionsOverLoaders,
        AtOnce,
        AtOnceWithoutYield,
        AtOnceImported,
        AtOnceMethod,
        Chain,
        Call,
        CallWithoutYield,
        CallOfMethod,
        CallInTask,
        Context,
        Staggered,
        Uneven,
        Overlap,
        SixLoads,
        HundredLoads,
        ManyLoads,
        SixFunctions,
        HundredFunctions,
        ManyFunctions,
        MedianLatency,
        LateLatency,
        Memory,
    )
}
