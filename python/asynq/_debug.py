"""The debug options; `asynq.debug.options` is the same object."""

from ._asynq import DebugOptions, options

__all__ = ["DebugOptions", "options"]
