"""The scenarios of `crates/asynq/scenarios/key_value.json`, by which Rust is tested, too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from faults import each
from servers.memcached import MemcachedServer
from servers.redis import RedisServer

from asynq import LoadError
from asynq.stores.memcached import Memcached
from asynq.stores.redis import Redis

FILE = Path(__file__).parents[2] / "crates/asynq/scenarios/key_value.json"
CASES = [
    pytest.param(store, scenario, id=f"{store}: {scenario['name']}")
    for scenario in json.loads(FILE.read_text())
    for store in scenario["stores"]
]


@pytest.fixture(scope="module")
def redis_store():
    with RedisServer() as server:
        store = Redis.from_url(server.url)
        yield store
        store.close()


@pytest.fixture(scope="module")
def memcached_store():
    with MemcachedServer() as server:
        store = Memcached(server.address)
        yield store
        store.close()


@pytest.fixture
def store(request):
    store = request.getfixturevalue(f"{request.param}_store")
    store.client.flush_all() if request.param == "memcached" else store.client.flushall()
    return store


def run(store, kind, *arguments):
    method = {"command": "execute"}.get(kind, kind)
    return getattr(store, method).asynq(*arguments)


@pytest.mark.parametrize(("store", "scenario"), CASES, indirect=["store"])
def test_key_value(store, scenario):
    before = store.operations.stats.batches
    for operations, expected in zip(scenario["rounds"], scenario["results"]):
        results = each(*(run(store, *operation) for operation in operations))
        for result, value in zip(results, expected):
            if isinstance(value, dict):
                assert isinstance(result, LoadError)
                assert value["error"] in str(result)
            else:
                assert result == (value.encode() if isinstance(value, str) else value)
    assert store.operations.stats.batches - before == len(scenario["rounds"])
