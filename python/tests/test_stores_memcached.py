"""The memcached store, with the real server."""

from __future__ import annotations

import threading

import pytest
from pymemcache import Client, HashClient, PooledClient
from servers.memcached import MemcachedServer

import asynq
from asynq.stores.memcached import Memcached


@pytest.fixture(scope="module")
def server():
    with MemcachedServer() as server:
        yield server


@pytest.fixture
def store(server):
    store = Memcached(server.address)
    store.client.flush_all(noreply=False)
    yield store
    store.close()


@asynq.asynq()
def all_of(*futures):
    return (yield list(futures))


def test_the_gets_of_a_round_are_one_request(server, store):
    before = len(server.commands("get"))
    all_of(*[store.get.asynq(key) for key in ("one", "two", "three", "one")])
    store.get("end")
    assert server.commands("get")[before:] == ["get one two three", "get end"]


@pytest.mark.parametrize(
    "key", ["", "a b", "a\r\nb", "\0", "\x7f", "x" * 251, "ü" * 126], ids=ascii
)
def test_a_key_that_breaks_the_protocol_is_refused_where_it_is_used(store, key):
    with pytest.raises(ValueError, match="memcached keys must have 1 to 250 bytes"):
        store.get(key)


def test_keys_may_be_any_text_without_spaces(store):
    store.set("Grüße", 1)
    assert store.get("Grüße".encode()) == b"1"


def test_values_with_times_to_live_of_their_own_are_set_in_one_round(store):
    all_of(store.set.asynq("a", 1), store.set.asynq("b", 2, ttl=100), store.set.asynq("c", 3))
    assert all_of(*map(store.get.asynq, "abc")) == [b"1", b"2", b"3"]
    assert store.operations.stats.batches == 2


@pytest.mark.parametrize(
    ("ttl", "seconds"), [(None, 0), (1e-9, 1), (0.4, 1), (1, 1), (1.6, 2), (2_592_000, 2_592_000)]
)
def test_a_time_to_live_is_sent_in_seconds_of_which_there_is_at_least_one(
    server, store, ttl, seconds
):
    before = len(server.commands("set"))
    store.set("key", "value", ttl=ttl)
    assert server.commands("set")[before:] == [f"set key 0 {seconds} 5"]


def test_a_time_to_live_of_more_than_a_month_is_kept(store):
    store.set("a", 1, ttl=60 * 24 * 60 * 60)
    assert store.get("a") == b"1"


def test_a_value_that_is_too_large_fails_alone(store):
    large, small = store.set.asynq("large", b"x" * (2 << 20)), store.set.asynq("small", b"x")
    assert small.error() is None
    assert "large" in str(large.error())


@pytest.mark.parametrize("kind", ["one connection", "pool", "servers", "addresses", "text"])
def test_any_client_will_do(server, kind):
    host, port = server.address
    store = Memcached(
        {
            "one connection": Client(server.address),
            "pool": PooledClient(server.address),
            "servers": HashClient([server.address]),
            "addresses": [server.address],
            "text": f"{host}:{port}",
        }[kind]
    )

    def work(number):
        keys = [f"{number}-{key}" for key in range(20)]
        all_of(*[store.set.asynq(key, key) for key in keys])
        assert all_of(*map(store.get.asynq, keys)) == [key.encode() for key in keys]
        done.append(number)

    done = []
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(done) == [0, 1, 2, 3]
    store.close()


@pytest.mark.parametrize("server", [(), "", ("127.0.0.1",), [()], [""], [7]], ids=repr)
def test_an_address_that_is_none_is_an_error(server):
    with pytest.raises(ValueError, match=r"must be 'host:port' or a tuple \(host, port\), got"):
        Memcached(server)
