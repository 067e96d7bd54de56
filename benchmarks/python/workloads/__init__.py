"""The workloads, in the order of the table."""

from __future__ import annotations

from .at_once import AtOnce, AtOnceWithoutYield
from .call import Call, CallWithoutYield
from .chain import Chain
from .fan_out import FanOut
from .loaders import FunctionsOverLoaders, Loaders
from .memory import Memory
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
        Chain,
        Call,
        CallWithoutYield,
        Staggered,
        Uneven,
        Overlap,
        Memory,
    )
}
