from typing import final, overload

__all__ = ["DebugOptions", "options"]

@final
class DebugOptions:
    DUMP_PRE_ERROR_STATE: bool
    DUMP_EXCEPTIONS: bool
    DUMP_SCHEDULE_TASK: bool
    DUMP_CONTINUE_TASK: bool
    DUMP_SCHEDULE_BATCH: bool
    DUMP_FLUSH_BATCH: bool
    DUMP_DEPENDENCIES: bool
    DUMP_COMPUTED: bool
    DUMP_NEW_TASKS: bool
    DUMP_YIELD_RESULTS: bool
    DUMP_QUEUED_RESULTS: bool
    DUMP_CONTEXTS: bool
    DUMP_SYNC: bool
    DUMP_STACK: bool
    DUMP_SCHEDULER_STATE: bool
    DUMP_SYNC_CALLS: bool
    COLLECT_PERF_STATS: bool
    ENABLE_COMPLEX_ASSERTIONS: bool
    KEEP_DEPENDENCIES: bool
    # In seconds.
    SCHEDULER_STATE_DUMP_INTERVAL: float
    # In characters; 0 means no limit.
    DEBUG_STR_REPR_MAX_LENGTH: int
    # In frames; 0 or None means no limit.
    STACK_DUMP_LIMIT: int | None
    MAX_TASK_STACK_SIZE: int
    def __init__(self) -> None: ...
    @overload
    def DUMP_ALL(self, value: None = None) -> bool: ...
    @overload
    def DUMP_ALL(self, value: bool) -> None: ...

options: DebugOptions
