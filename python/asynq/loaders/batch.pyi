from typing import Any

from .._asynq import LoaderBatch
from ..async_task import AsyncTask

__traceback_hide__: bool

class PrioritizedBatch(LoaderBatch): ...

def wait_for_parts(batch: LoaderBatch) -> AsyncTask[Any]: ...
