"""The objects that a program begins with, in all the states that objects of asynq can be in."""

import sqlite3
import threading

import asynq
from asynq import _asynq, loaders, tools
from asynq.stores.sqlite import Sqlite

from .surface import CLASSES


class Cast:
    """Makes the objects of a program. Whatever they call of the user's is `act(place)`."""

    def __init__(self, act, odd):
        self.act = act  # Runs a few operations of the program.
        self.odd = odd  # Any value at all.
        self.open = None

    def members(self):
        """Pairs of a name and an object. What can't be made is left out."""
        makers = [name for name in dir(self) if name.startswith("make_")]
        for name in makers:
            for object in self._made(getattr(self, name)):
                yield name[5:], object
        for cls in CLASSES:
            for object in self._made(lambda cls=cls: [cls.__new__(cls)]):
                yield f"half_{cls.__name__}", object

    def _made(self, maker):
        try:
            return list(maker())
        except Exception:
            return []

    def hook(self, place):
        def hook(*args, **kwargs):
            self.act(place)
            return self.odd()

        return hook

    # Futures.

    def make_future(self):
        act, odd = self.act, self.odd

        class Computing(asynq.FutureBase):
            def _compute(self):
                act("_compute")
                self.set_value(odd())

            def _computed(self):
                super()._computed()
                act("_computed")

        yield asynq.FutureBase()
        yield asynq.ConstFuture(1)
        yield asynq.ErrorFuture(ValueError("an error"))
        yield asynq.Future(self.hook("value_provider"))
        yield Computing()
        listened = asynq.FutureBase()
        listened.on_computed.subscribe(self.hook("on_computed"))
        yield listened

    # Tasks, and what makes them.

    def play(self, steps, fails=False):
        """The body of a task."""
        try:
            for _ in range(steps):
                self.act("step")
                yield self.odd()
            if fails:
                raise KeyError("a task has failed")
            return self.odd()
        finally:
            self.act("finally")

    def functions(self):
        cast = self

        class Task(asynq.AsyncTask):
            def _computed(self):
                cast.act("_computed of a task")
                super()._computed()

        @asynq.asynq()
        def generator(steps=2, fails=False):
            return (yield from cast.play(2 if not isinstance(steps, int) else steps % 4, fails))

        @asynq.asynq()
        def plain(*args, **kwargs):
            cast.act("plain")
            return cast.odd()

        @asynq.asynq(pure=True)
        def pure():
            return (yield from cast.play(1))

        @asynq.asynq(cls=Task)
        def special():
            return (yield from cast.play(1))

        @asynq.async_proxy()
        def proxy(*args):
            cast.act("proxy")
            return cast.odd()

        @asynq.asynq(sync_fn=self.hook("sync_fn"))
        def pair(*args):
            return (yield from cast.play(1))

        return generator, plain, pure, special, proxy, pair

    def make_function(self):
        functions = self.functions()
        generator, plain = functions[:2]
        yield from functions
        yield tools.deduplicate()(generator)
        yield tools.alru_cache(2)(generator)
        yield tools.alazy_constant(ttl=1)(plain)
        yield tools.aretry(Exception, max_tries=2, sleep=0)(generator)
        yield asynq.make_async_decorator(plain, self.hook("decorator"), "decorated")

    def make_method(self):
        cast = self

        class Owner:
            @asynq.asynq()
            def method(self, *args):
                return (yield from cast.play(1))

            @asynq.asynq()
            @classmethod
            def of_class(cls):
                cast.act("method")
                return cast.odd()

            @tools.acached_per_instance()
            @asynq.asynq()
            def cached(self, x=1):
                return (yield from cast.play(1))

            @asynq.loader(cache=True)
            def loader(self, keys):
                cast.act("flush of a method")
                return {key: key for key in keys}

        owner = Owner()
        yield owner.method
        yield Owner.method
        yield owner.of_class
        yield owner.cached
        yield owner.loader

    def make_task(self):
        generator, plain, _, special, *_ = self.functions()
        yield generator.asynq(2)
        yield generator.asynq(1, fails=True)
        yield plain.asynq(1, a=2)
        yield special.asynq()
        yield asynq.AsyncTask(self.play(2), generator, (), {})
        ended = plain.asynq()
        ended.error()
        yield ended
        failed = generator.asynq(0, True)
        failed.error()
        yield failed

    def make_blocked(self):
        """Tasks that were left behind by a call that has failed."""
        generator = self.functions()[0]
        left = [generator.asynq(1), asynq.AsyncTask(self.play(1), generator, (), {})]

        @asynq.asynq()
        def failing():
            raise KeyError("the call fails")

        @asynq.asynq()
        def waits(futures):
            yield futures

        promise = asynq.FutureBase()
        blocked = waits.asynq([promise, self.item()])
        try:
            waits([blocked, *left, failing.asynq()])
        except Exception:
            pass
        yield from [promise, blocked, *left]

    def make_foreign(self):
        """Objects of a thread that has ended, or that is running a task."""
        generator = self.functions()[0]
        made = []

        def run():
            made.extend([generator.asynq(1), self.item(), asynq.get_scheduler()])
            made.append(asynq.get_scheduler())
            made[0].error()
            made.append(generator.asynq(1))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        yield from made

    # Batches.

    def item(self):
        cast = self

        class Batch(asynq.BatchBase):
            def _try_switch_active_batch(self):
                cast.open = None
                cast.act("switch")

            def _flush(self):
                cast.act("flush")
                for item in self.items:
                    if not item.is_computed():
                        item.set_value(cast.odd())

            def _cancel(self):
                cast.act("cancel")

            def get_priority(self):
                cast.act("priority")
                return super().get_priority()

        if self.open is None:
            self.open = Batch()
        return asynq.BatchItemBase(self.open)

    def make_batch(self):
        item = self.item()
        yield from [item, item.batch, self.item()]
        flushed = self.item()
        batch = flushed.batch
        self.open = None
        batch.flush()
        yield from [flushed, batch]
        yield asynq.batching.DebugBatchItem("debug", 1)

    def make_loader(self):
        cast = self

        def fetch(keys):
            cast.act("fetch")
            return {key: key for key in keys}

        async def fetch_async(keys):
            return {key: key for key in keys}

        @asynq.asynq()
        def fetch_asynq(keys):
            yield from cast.play(1)
            return {key: key for key in keys}

        yield asynq.Loader(fetch, cache=True)
        yield asynq.Loader(fetch, blocking=True, max_in_flight=1, timeout=0.2)
        yield asynq.Loader(fetch_async, cache=loaders.Lru(2), max_batch_size=1)
        yield asynq.Loader(fetch_asynq, priority=3, after_flush=self.hook("after_flush"))

    def make_load(self):
        for loader in self.make_loader():
            yield loader.asynq(1)
            yield loader.asynq("a key")
            yield loader._rounds()
            yield loader._rounds().open

    # Contexts.

    def make_context(self):
        act = self.act

        class Context(asynq.AsyncContext):
            def pause(self):
                act("pause")

            def resume(self):
                act("resume")

        value = asynq.AsyncScopedValue(1)
        yield Context()
        yield asynq.NonAsyncContext()
        yield tools.AsyncTimer()
        yield value
        yield value.override(2)
        yield asynq.async_override(self, "attribute", 3)
        yield next(self.make_loader()).scope()

    # The rest.

    def make_rest(self):
        yield asynq.get_scheduler()
        yield asynq.TaskScheduler()
        yield _asynq.DebugOptions()
        yield asynq.debug.options
        yield tools.AsyncEventHook([self.hook("event"), self.functions()[1]])
        yield asynq.async_generator()(lambda: iter([asynq.Value(1), asynq.ConstFuture(2)]))()
        yield loaders.Lru(2, ttl=1)
        yield asynq.mock.patch.object(self, "attribute")
        yield Sqlite(sqlite3.connect(":memory:", check_same_thread=False), blocking=False)

    def make_container(self):
        future = asynq.ConstFuture(1)
        promise = asynq.FutureBase()
        circle = [future]
        circle.append(circle)
        yield [future, promise, self.item()]
        yield {"a": future, "b": promise}
        yield circle

    attribute = 0
