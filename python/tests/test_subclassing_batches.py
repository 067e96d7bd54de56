"""Subclasses of batches, items and contexts."""

import pytest

from asynq import AsyncContext, BatchBase, BatchItemBase, asynq

# Batches and items.


class Rows(BatchBase):
    current = None

    def __init__(self, table, limit=None):
        super().__init__()
        self.table = table
        self.limit = limit

    def _try_switch_active_batch(self):
        if Rows.current is self:
            Rows.current = Rows(self.table)

    def _flush(self):
        for item in self.items:
            item.set_value((self.table, item.key))


class Row(BatchItemBase):
    def __init__(self, key, *, batch=None):
        super().__init__(Rows.current if batch is None else batch)
        self.key = key


@pytest.fixture
def rows():
    Rows.current = Rows("albums")
    yield Rows
    Rows.current = None


def test_a_batch_takes_arguments_of_its_own(rows):
    batch = rows("artists", limit=10)
    assert (batch.table, batch.limit) == ("artists", 10)


def test_an_item_takes_arguments_of_its_own(rows):
    assert Row(1).value() == ("albums", 1)


def test_an_item_may_be_given_its_batch(rows):
    assert Row(1, batch=rows("artists")).value() == ("artists", 1)


def test_items_may_be_subclassed_further(rows):
    class LongRow(Row):
        def __init__(self, key, width):
            super().__init__(key)
            self.width = width

    item = LongRow(1, 80)
    assert (item.width, item.value()) == (80, ("albums", 1))


def test_a_batch_may_override_flush(rows, log):
    class Timed(Rows):
        def flush(self):
            log.append("begin")
            super().flush()
            log.append("end")

    batch = Timed("albums")

    @asynq()
    def main():
        return (yield Row(1, batch=batch))

    assert main() == ("albums", 1)
    assert log == ["begin", "end"]


class Loading(Rows):
    """A batch whose `flush` loads from its own source first."""

    loaded = None

    def flush(self):
        if Loading.loaded is None:
            Loading.loaded = Row(2)
            self.load(Loading.loaded)
        if not self.is_flushed():
            super().flush()

    def load(self, item):
        pass


class Waiting(Loading):
    def load(self, item):
        assert item.value() == ("albums", 2)


@pytest.mark.parametrize("batch", [Loading, Waiting])
def test_a_flush_may_load_from_the_source_that_it_flushes(rows, batch):
    @asynq()
    def page():
        return (yield Row(1))

    Loading.loaded = None
    Rows.current = batch("albums")
    assert page() == ("albums", 1)
    assert Loading.loaded.value() == ("albums", 2)


def test_an_item_may_override_set_value(rows, log):
    class Doubled(Row):
        def set_value(self, value):
            super().set_value(2 * value)

    @asynq()
    def main():
        return (yield Doubled(1))

    assert main() == ("albums", 1, "albums", 1)


def test_an_item_may_override_compute(rows):
    class Cached(Row):
        def _compute(self):
            self.set_value("cached")

    assert Cached(1).value() == "cached"


def test_an_item_may_override_computed(rows, log):
    class Told(Row):
        def _computed(self):
            super()._computed()
            log.append(self.value())

    @asynq()
    def main():
        return (yield Told(1))

    assert main() == ("albums", 1)
    assert log == [("albums", 1)]


def test_a_batch_may_have_a_mixin(rows):
    class Counted:
        flushes = 0

        def _flush(self):
            type(self).flushes += 1
            super()._flush()

    class CountedRows(Counted, Rows):
        pass

    assert Row(1, batch=CountedRows("albums")).value() == ("albums", 1)
    assert CountedRows.flushes == 1


def test_batches_of_one_class_in_a_hierarchy_do_not_mix(rows):
    class Artists(Rows):
        pass

    albums, artists = rows("albums"), Artists("artists")

    @asynq()
    def main():
        return (yield Row(1, batch=albums), Row(2, batch=artists))

    assert main() == (("albums", 1), ("artists", 2))


# Contexts.


def test_a_context_may_override_enter_and_exit(log, source):
    class Scope(AsyncContext):
        def __enter__(self):
            log.append("enter")
            super().__enter__()
            return "entered"

        def __exit__(self, ty, value, tb):
            super().__exit__(ty, value, tb)
            log.append("exit")

        def resume(self):
            log.append("+")

        def pause(self):
            log.append("-")

    @asynq()
    def main():
        with Scope() as scope:
            assert scope == "entered"
            yield source.item(1)

    main()
    assert log == ["enter", "+", "-", ("source", [1]), "+", "-", "exit"]


def test_a_context_need_not_call_the_init_of_its_base(log):
    class Scope(AsyncContext):
        def __init__(self, name):
            self.name = name

        def resume(self):
            log.append(f"+{self.name}")

        def pause(self):
            log.append(f"-{self.name}")

    @asynq()
    def main():
        with Scope("a"):
            yield None

    main()
    assert log == ["+a", "-a"]


def test_a_context_may_have_another_base(log):
    class Named:
        def __init__(self, name):
            super().__init__()
            self.name = name

    class Scope(Named, AsyncContext):
        def resume(self):
            log.append(self.name)

        def pause(self):
            pass

    with Scope("a"):
        pass
    assert log == ["a"]
