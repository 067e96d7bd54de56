"""Tasks that load a key, each in a context of its own."""

from __future__ import annotations

from workloads.context import TABLE

from asynq import AsyncContext, asynq

from .store import Store, StoreItem

store = Store(TABLE)


class Switched(AsyncContext):
    is_active = False

    def resume(self):
        self.is_active = True

    def pause(self):
        self.is_active = False


@asynq()
def load(key):
    with Switched():
        return (yield StoreItem(store, key))


@asynq()
def load_all(keys):
    return (yield [load.asynq(key) for key in keys])
