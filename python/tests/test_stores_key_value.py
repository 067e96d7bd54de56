"""Behaviour that all key-value stores share, with the real servers."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest
from forks import child, needs_fork
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers.memcached import MemcachedServer
from servers.redis import RedisServer

import asynq
from asynq.stores.key_value import KeyValueStore
from asynq.stores.memcached import Memcached
from asynq.stores.redis import Redis


@pytest.fixture(scope="module", params=["redis", "memcached"])
def open_store(request):
    """Returns a function that opens stores on the server of the test."""
    server = RedisServer() if request.param == "redis" else MemcachedServer()
    with server:
        if request.param == "redis":
            yield lambda **settings: Redis.from_url(server.url, **settings)
        else:
            yield lambda **settings: Memcached(server.address, **settings)


@pytest.fixture
def store(open_store):
    store = open_store()
    if isinstance(store, Redis):
        store.client.flushall()
    else:
        store.client.flush_all(noreply=False)
    yield store
    store.close()


@asynq.asynq()
def all_of(*futures):
    return (yield list(futures))


class Recorded(KeyValueStore):
    """A store in memory, whose requests last until `goes_on`."""

    def __init__(self):
        super().__init__(None, name="recorded", priority=1)  # Each write is a request.
        self.goes_on, self.overlaps = threading.Event(), threading.Event()
        self.lock = threading.Lock()
        self.values = []

    def _run(self, operations):
        if not self.lock.acquire(blocking=False):
            self.overlaps.set()
            self.lock.acquire()
        try:
            assert self.goes_on.wait(30)
            self.values += [operation.value for operation in operations]
            return dict.fromkeys(operations)
        finally:
            self.lock.release()


def test_the_requests_of_consecutive_rounds_take_turns():
    store = Recorded()
    later = asynq.Loader(lambda keys: keys)

    @asynq.asynq()
    def write(rounds):
        for round in range(rounds):
            yield later.asynq((rounds, round))
        if rounds == 4:
            store.overlaps.wait(0.1)  # The time in which a second request would begin.
            store.goes_on.set()
        yield store.set.asynq("key", rounds)

    @asynq.asynq()
    def main():
        yield [write.asynq(rounds) for rounds in range(5)]

    main()
    assert store.values == [0, 1, 2, 3, 4]
    assert not store.overlaps.is_set()


def test_what_was_set_is_there(store):
    store.set("key", "value")
    assert store.get("key") == b"value"
    assert store.get("other") is None


@pytest.mark.parametrize("value", [b"", b"\0\r\n\xff", "Grüße", 42, 1.5], ids=repr)
def test_values_are_bytes(store, value):
    store.set("key", value)
    assert store.get("key") == (value if isinstance(value, bytes) else str(value).encode())


def test_a_deleted_key_is_gone(store):
    store.set("key", "value")
    assert store.delete("key") is True
    assert store.delete("key") is False
    assert store.get("key") is None


def test_what_is_asked_for_in_a_round_leaves_together(store):
    @asynq.asynq()
    def main():
        return (
            yield [
                store.set.asynq("a", 1),
                store.get.asynq("b"),
                store.set.asynq("b", 2),
                store.delete.asynq("c"),
            ]
        )

    assert main() == [None, None, None, False]
    assert store.operations.stats.batches == 1


def test_operations_on_one_key_keep_their_order(store):
    @asynq.asynq()
    def main():
        return (
            yield [
                store.get.asynq("key"),
                store.set.asynq("key", 1),
                store.get.asynq("key"),
                store.set.asynq("key", 2),
                store.set.asynq("key", 3),
                store.get.asynq("key"),
                store.delete.asynq("key"),
                store.get.asynq("key"),
                store.delete.asynq("key"),
            ]
        )

    assert main() == [None, None, b"1", None, None, b"3", True, None, False]


OPERATIONS = st.lists(
    st.tuples(st.sampled_from("gsd"), st.sampled_from("abc"), st.integers(0, 9)), max_size=12
)


@settings(
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(rounds=st.lists(OPERATIONS, max_size=3))
def test_a_round_does_what_a_dictionary_does_in_program_order(store, rounds):
    store.delete("a"), store.delete("b"), store.delete("c")
    values = {}

    def in_model(name, key, value):
        if name == "g":
            return values.get(key)
        if name == "s":
            values[key] = str(value).encode()
            return None
        return values.pop(key, None) is not None

    @asynq.asynq()
    def run(operations):
        futures = []
        for name, key, value in operations:
            if name == "g":
                futures.append(store.get.asynq(key))
            elif name == "s":
                futures.append(store.set.asynq(key, value))
            else:
                futures.append(store.delete.asynq(key))
        return (yield futures)

    for operations in rounds:
        assert run(operations) == [in_model(*operation) for operation in operations]


def test_coroutines_share_a_request(store):
    async def main():
        return await asyncio.gather(
            store.set.asyncio("a", 1), store.get.asyncio("a"), store.get.asyncio("b")
        )

    assert asyncio.run(main()) == [None, b"1", None]
    assert store.operations.stats.batches == 1


def test_async_functions_in_asyncio_mode_use_it_too(store):
    @asynq.asynq()
    def main():
        yield store.set.asynq("a", 1)
        return (yield store.get.asynq("a"))

    assert asyncio.run(main.asyncio()) == b"1"


@pytest.mark.parametrize("key", [None, 7, ["a"]], ids=repr)
def test_a_key_of_another_type_is_refused_where_it_is_used(store, key):
    with pytest.raises(TypeError, match="a key must be a str or bytes"):
        store.get(key)


@pytest.mark.parametrize("value", [None, True, ["a"], {"a": 1}], ids=repr)
def test_a_value_of_another_type_is_refused_where_it_is_used(store, value):
    with pytest.raises(TypeError, match=r"cached\(\) stores other"):
        store.set("key", value)


@pytest.mark.parametrize("ttl", ["5", True], ids=repr)
def test_a_ttl_is_a_number(store, ttl):
    with pytest.raises(TypeError, match="ttl must be a number of seconds"):
        store.set("key", "value", ttl=ttl)
    with pytest.raises(TypeError, match="ttl must be a number of seconds"):
        store.cached("prefix", ttl=ttl)


@pytest.mark.parametrize("ttl", [0, -1, float("inf"), float("nan")])
def test_a_ttl_is_positive(store, ttl):
    with pytest.raises(ValueError, match="ttl must be a positive number"):
        store.set("key", "value", ttl=ttl)
    with pytest.raises(ValueError, match="ttl must be a positive number"):
        store.cached("prefix", ttl=ttl)


def test_a_ttl_that_the_server_refuses_fails_alone(store):
    long, other = store.set.asynq("long", 1, ttl=1e30), store.set.asynq("other", 2)
    assert other.error() is None
    assert "set 'long'" in str(long.error())


def test_a_text_that_cannot_be_encoded_is_refused_where_it_is_used(store):
    for use in (store.get, lambda text: store.set("key", text)):
        with pytest.raises(UnicodeEncodeError):
            use("\ud800")


@pytest.mark.parametrize("name", ["max_batch_size", "cache", "default", "blocking"])
def test_a_setting_that_a_store_has_not_is_refused(store, name):
    with pytest.raises(TypeError, match=f"unknown setting {name}: a store accepts only name, "):
        type(store)(store.client, **{name: 1})


@needs_fork
def test_a_forked_process_has_connections_of_its_own(store):
    for key in "ab":
        store.set(key, key)

    def check(key):
        assert {store.get(key) for _ in range(300)} == {key.encode()}

    with child(lambda: check("a")):
        check("b")
    check("b")


# A cache


class Squares:
    """A cached async function that counts its calls."""

    def __init__(self, store, **settings):
        self.calls = []

        @store.cached("square", **settings)
        @asynq.asynq()
        def square(number, *, as_text=False):
            self.calls.append(number)
            yield None
            return str(number**2) if as_text else {"square": [number**2, None, True]}

        self.square = square


def test_a_cached_function_is_called_once(store):
    squares = Squares(store, ttl=100)
    assert [squares.square(3), squares.square(3)] == [{"square": [9, None, True]}] * 2
    assert squares.calls == [3]


def test_the_keys_of_a_round_are_read_in_one_request_and_written_in_one(store):
    squares = Squares(store)
    all_of(*[squares.square.asynq(number) for number in range(50)])
    assert store.operations.stats.batches == 2
    all_of(*[squares.square.asynq(number) for number in range(50)])
    assert store.operations.stats.batches == 3
    assert squares.calls == list(range(50))


def test_calls_with_equal_arguments_compute_once(store):
    squares = Squares(store)
    all_of(squares.square.asynq(3), squares.square.asynq(number=3), squares.square.asynq(3))
    assert squares.calls == [3]


def test_other_arguments_are_another_key(store):
    squares = Squares(store)
    values = [squares.square(3), squares.square(3, as_text=True), squares.square(3.0)]
    assert values[1] == "9"
    assert len(squares.calls) == 3


@pytest.mark.parametrize(
    "argument",
    ["a b\r\nset x 0 0 1", "\0\x7f", "Grüße 🎉", "x" * 1000, "%20", ["a", {"b": None}], ""],
    ids=ascii,
)
def test_no_argument_can_break_the_protocol(store, argument):
    calls = []

    @store.cached("echo with spaces\r\n")
    @asynq.asynq()
    def echo(argument):
        calls.append(argument)
        return argument

    assert [echo(argument), echo(argument)] == [argument] * 2
    assert calls == [argument]


def test_arguments_that_look_alike_have_keys_of_their_own(store):
    @store.cached("type")
    @asynq.asynq()
    def type_of(argument):
        return type(argument).__name__

    assert [type_of(one) for one in (1, "1", True, None, "None", [1])] == [
        *("int", "str", "bool", "NoneType", "str", "list")
    ]


def test_a_keyword_named_like_a_positional_only_parameter_has_a_key_of_its_own(store):
    @store.cached("find")
    @asynq.asynq()
    def find(user="me", /, **filters):
        return [user, filters]

    assert find("ann") == ["ann", {}]
    assert find(user="ann") == ["me", {"user": "ann"}]
    assert find() == ["me", {}]


def test_values_that_it_varies_on_are_part_of_the_key(store):
    user = asynq.AsyncScopedValue("nobody")

    @store.cached("document", vary_on=user)
    @asynq.asynq()
    def document(id):
        return f"{id} for {user.get()}"

    @asynq.asynq()
    def read_as(name):
        with user.override(name):
            return (yield document.asynq(1))

    for _ in range(2):
        documents = all_of(read_as.asynq("ann"), document.asynq(1), read_as.asynq("bob"))
        assert documents == ["1 for ann", "1 for nobody", "1 for bob"]


def test_an_argument_that_is_no_json_is_refused_where_the_function_is_called(store):
    squares = Squares(store)
    with pytest.raises(TypeError, match="arguments that JSON can represent"):
        squares.square(object())


@pytest.mark.parametrize("key", [1, None, True], ids=repr)
def test_a_dict_among_the_arguments_has_texts_as_keys(store, key):
    squares = Squares(store)
    with pytest.raises(TypeError, match=f"must have str keys, got {key}"):
        squares.square([{"a": {key: 1, "b": 2}}])


def test_arguments_that_contain_themselves_are_refused(store):
    endless = []
    endless.append(endless)
    with pytest.raises(TypeError, match="arguments that JSON can represent"):
        Squares(store).square(endless)


def test_a_value_that_cannot_be_read_is_a_miss(store, caplog):
    squares = Squares(store)
    squares.square(3)
    (key,) = [record for record in ["square:[3,false]"] if store.get(record) is not None]
    store.set(key, "{broken")
    assert squares.square(3) == {"square": [9, None, True]}
    assert squares.square(3) == {"square": [9, None, True]}
    assert squares.calls == [3, 3]
    assert "cannot read square:[3,false] from the cache" in caplog.text


def test_a_value_that_is_no_json_is_returned_and_logged(store, caplog):
    @store.cached("raw")
    @asynq.asynq()
    def raw():
        return b"bytes"

    assert [raw(), raw()] == [b"bytes", b"bytes"]
    assert "cannot write raw:[] to the cache" in caplog.text


def test_another_codec_keeps_what_json_does_not(store):
    import pickle

    @store.cached("raw", codec=pickle)
    @asynq.asynq()
    def pair():
        return ("a", b"b")

    assert [pair(), pair()] == [("a", b"b")] * 2


def test_a_value_is_kept_for_its_ttl(store):
    if isinstance(store, Redis):
        Squares(store, ttl=1.5).square(3)
        (key,) = store.client.keys()
        assert 0 < store.client.pttl(key) <= 1500
    else:
        asked = []
        real = store.client.set_many
        store.client.set_many = lambda *args, **kwargs: (
            asked.append(args[1]) or real(*args, **kwargs)
        )
        Squares(store, ttl=1.5).square(3)
        assert asked == [2]


def test_only_an_async_function_is_cached(store):
    with pytest.raises(TypeError, match=r"put @asynq\(\) below it"):
        store.cached("len")(len)


def test_a_prefix_is_a_text(store):
    with pytest.raises(TypeError, match="prefix of a cache must be a str, got 7"):
        store.cached(7)


def test_a_prefix_that_is_too_long_is_refused(store):
    with pytest.raises(ValueError, match="prefix of a cache must have at most"):
        store.cached("x" * 200)


def test_logging_is_quiet_where_nothing_fails(store, caplog):
    caplog.set_level(logging.DEBUG, "asynq")
    Squares(store).square(3)
    assert caplog.text == ""
