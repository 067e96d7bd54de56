"""The debug options, also known as `asynq.debug.options`."""

from ._asynq import DebugOptions, options

__all__ = ["DebugOptions", "options"]
