"""The Redis store, with the real server."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from servers.redis import RedisCluster, RedisServer

import asynq
from asynq import LoadError
from asynq.stores.redis import Redis


@pytest.fixture(scope="module")
def server():
    with RedisServer() as server:
        yield server


@pytest.fixture
def store(server):
    store = Redis.from_url(server.url)
    store.client.flushall()
    yield store
    store.close()


def calls(client):
    """Returns the number of calls of each command."""
    return {
        name[len("cmdstat_") :]: row["calls"]
        for name, row in client.info("commandstats").items()
        if name not in ("cmdstat_info", "cmdstat_config|resetstat")
    }


@asynq.asynq()
def all_of(*futures):
    return (yield list(futures))


def test_the_gets_of_a_round_are_one_mget(store):
    store.client.config_resetstat()
    all_of(*[store.get.asynq(key) for key in "abcab"])
    assert calls(store.client) == {"mget": 1, "exists": 1}


def test_a_read_does_not_return_a_value_that_is_set_after_it(store):
    store.hset("hash", "field", "value")
    wrong, read = store.get.asynq("hash"), store.get.asynq("key")
    all_of(store.set.asynq("key", "text"), read)
    assert "WRONGTYPE" in str(wrong.error())
    assert read.value() is None
    assert store.get("key") == b"text"


@pytest.mark.parametrize("key", ["list", b"list"])
def test_a_read_before_a_write_finds_a_value_of_another_type(store, key):
    store.execute("RPUSH", "list", "a")
    wrong = store.get.asynq(key)
    _, read = all_of(store.set.asynq("list", "text"), store.get.asynq(key))
    assert "WRONGTYPE" in str(wrong.error())
    assert read == b"text"


@pytest.mark.parametrize("responses", [[], [[b"1", b"2"]], [[], 0]], ids=repr)
def test_a_number_of_responses_that_is_wrong_is_an_error(store, monkeypatch, responses):
    monkeypatch.setattr(
        redis.client.Pipeline, "execute", lambda self, raise_on_error: responses, raising=True
    )
    with pytest.raises(LoadError, match=r"(responses to 2 commands|returned 0 values for 1 keys)"):
        store.get("key")


def test_hashes_and_other_commands_go_in_the_same_pipeline(store):
    results = all_of(
        store.execute.asynq("INCR", "n"),
        store.hset.asynq("h", "field", "value"),
        store.hget.asynq("h", "field"),
        store.get.asynq("n"),
        store.execute.asynq("INCRBY", "n", 5),
        store.get.asynq("n"),
        store.execute.asynq("RPUSH", "list", "a", "b"),
    )
    assert results == [1, 1, b"value", b"1", 6, b"6", 2]
    assert store.operations.stats.batches == 1


def test_equal_commands_are_each_done(store):
    assert all_of(*[store.execute.asynq("INCR", "n") for _ in range(3)]) == [1, 2, 3]


def test_a_command_that_fails_fails_alone(store):
    store.set("text", "a")
    increase, read = store.execute.asynq("INCR", "text"), store.get.asynq("text")
    assert read.value() == b"a"
    error = increase.error()
    assert isinstance(error, LoadError)
    assert str(error).startswith("loader redis, key command ('INCR', 'text'): ResponseError: ")
    assert isinstance(error.__cause__, redis.ResponseError)


def next_command(monitor):
    """The next that is not about a new connection."""
    return next(
        command["command"]
        for command in monitor.listen()
        if not command["command"].startswith(("HELLO", "CLIENT", "SELECT"))
    )


@pytest.mark.parametrize(
    ("ttl", "milliseconds"),
    [(1e-9, 1), (0.0004, 1), (0.001, 1), (0.0016, 2), (0.5, 500), (1.25, 1250), (60, 60_000)],
)
def test_a_ttl_is_sent_in_milliseconds_of_which_there_is_at_least_one(store, ttl, milliseconds):
    with store.client.monitor() as monitor:
        store.set("key", "value", ttl=ttl)
        assert next_command(monitor) == f"SET key value PX {milliseconds}"


def test_without_a_ttl_a_value_is_kept(store):
    with store.client.monitor() as monitor:
        store.set("key", "value")
        assert next_command(monitor) == "SET key value"


def test_a_cached_value_has_the_ttl_of_its_cache(store):
    @store.cached("square", ttl=0.0001)
    @asynq.asynq()
    def square(number):
        return number * number

    with store.client.monitor() as monitor:
        assert square(3) == 9
        assert next_command(monitor) == "MGET square:[3]"
        assert next_command(monitor) == "EXISTS square:[3]"
        assert next_command(monitor) == "SET square:[3] 9 PX 1"


def test_a_command_begins_with_its_name(store):
    with pytest.raises(TypeError, match="must begin with its name"):
        store.execute()


def test_a_client_that_decodes_gives_text(server):
    store = Redis(redis.Redis.from_url(server.url, decode_responses=True))
    store.set("key", "value")
    assert store.get("key") == "value"
    store.close()


def test_only_clients_that_block_are_taken():
    with pytest.raises(TypeError, match=r"Redis\.from_url"):
        Redis("redis://localhost")


def test_a_cluster_is_asked_once_for_each_slot():
    with RedisCluster() as server:
        store = Redis(redis.RedisCluster(host="127.0.0.1", port=server.port))
        keys = ["{a}1", "{a}2", "{b}1", "{b}2", "c"]
        all_of(*[store.set.asynq(key, key) for key in keys])
        node = redis.Redis(port=server.port)
        node.config_resetstat()
        values = all_of(*[store.get.asynq(key) for key in keys])
        assert values == [key.encode() for key in keys]
        assert calls(node).get("mget") == 3
        assert store.operations.stats.batches == 2
        node.close()
        store.close()


class Silent:
    """A server that ends each connection at the first command after the greetings of a client."""

    def __init__(self, listener):
        self.commands = []
        self._listener = listener
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):  # The test has ended.
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    self._answer(connection)

    def _answer(self, connection):
        while data := connection.recv(1000):
            if b"CLIENT" not in data:
                self.commands.append(data)
                return
            connection.sendall(b"+OK\r\n" * data.count(b"CLIENT"))


def test_a_write_without_a_response_is_not_sent_again():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Silent(listener)
        retry = Retry(NoBackoff(), 3)
        client = redis.Redis(port=listener.getsockname()[1], protocol=2, retry=retry)
        store = Redis(client)
        with pytest.raises(LoadError):
            all_of(store.get.asynq("n"), store.execute.asynq("INCR", "n"))
        assert len(server.commands) == 1
        with pytest.raises(LoadError):
            store.get("n")  # As the client does it.
        assert len(server.commands) == 5
        store.close()
