"""The batch behind the client: all that tasks ask for until none of them can go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from asynq import BatchBase, BatchItemBase


class Item(BatchItemBase[Any]):
    """One key in a request, and the value that goes with it."""

    def __init__(self, batch: Batch, key: str, value: Any = None) -> None:
        super().__init__(batch)
        self.key = key
        self.to_store = value


Send = Callable[[list[Item]], None]
"""Sends a request, and sets the values of its items."""


class Batch(BatchBase[Item]):
    def __init__(self, requests: Requests) -> None:
        super().__init__()
        self.requests = requests

    def _try_switch_active_batch(self) -> None:
        if self.requests.open is self:
            self.requests.open = Batch(self.requests)

    def _flush(self) -> None:
        self.requests.send(self.items)


class Requests(threading.local):
    """Requests of one kind. Each thread has a scheduler, and so an open batch, of its own."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.open = Batch(self)

    def item(self, key: str, value: Any = None) -> Item:
        return Item(self.open, key, value)
