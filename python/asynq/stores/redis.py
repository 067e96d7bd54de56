"""Redis, with redis-py: one pipeline for the operations of concurrent tasks.

store = Redis.from_url("redis://localhost:6379/0", timeout=1)

@asynq()
def page(user):
    name, views = yield store.hget.asynq(user, "name"), store.execute.asynq("INCR", user)
"""

import itertools

from ..decorators import async_proxy
from ..loaders.errors import failed
from .key_value import Delete, Get, KeyValueStore, Operation, Set

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError as error:
    raise ImportError("redis-py is not installed: pip install 'asynq-rs[redis]'") from error

__all__ = ["Redis"]

__traceback_hide__ = True


class Command(Operation):
    """Any command. Its key is the tuple of its name and arguments."""

    __slots__ = ()
    name = "command"


class Redis(KeyValueStore):
    """A key-value store on a Redis server or cluster.

    - `client`: a `redis.Redis` or `redis.RedisCluster`. `Redis.from_url` creates one.
    - `settings`: `name`, `timeout`, `priority`, `max_in_flight`, `before_flush` and `after_flush`
      of a `Loader`.

    A request with a write is sent once, even if the client retries, except that the client of a
    cluster may send a write again. Values are bytes, unless the client decodes responses.

    Raises `TypeError` for other clients, for example those of `redis.asyncio`.
    """

    def __init__(self, client, **settings):
        if not isinstance(client, (redis.Redis, redis.RedisCluster)):
            raise TypeError(
                "Redis() needs a redis.Redis or redis.RedisCluster (for a URL, use Redis.from_url;"
                f" clients of redis.asyncio do not work), got {client!r}"
            )
        super().__init__(client, **{"name": "redis", **settings})
        self._encoder = client.get_encoder()

    @classmethod
    def from_url(cls, url, **settings):
        """Connects to the server at `redis://[[user]:[password]@]host[:port][/database]`.

        The `timeout`, in seconds, is also the timeout of the connections.
        """
        if not isinstance(url, str):
            raise TypeError(f"url must be a str, got {url!r}")
        timeout = settings.get("timeout")
        client = redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout)
        return cls(client, **settings)

    @async_proxy()
    def hget(self, key, field):
        """Returns the value of a field of a hash, or None if there is none."""
        return self._command("HGET", self._key(key), self._value(field))

    @async_proxy()
    def hset(self, key, field, value):
        """Sets a field of a hash."""
        return self._command("HSET", self._key(key), self._value(field), self._value(value))

    @async_proxy()
    def execute(self, *command):
        """Runs any command, for example `store.execute("INCR", key)`, and returns its response.

        Commands that change the state of the shared connection (`SELECT`, `MULTI`, `SUBSCRIBE`)
        must not be used. Raises `TypeError` if the first argument is not a str.
        """
        if not command or not isinstance(command[0], str):
            raise TypeError(f"a command must begin with its name, such as 'INCR', got {command!r}")
        return self._command(command[0], *map(self._value, command[1:]))

    def _key(self, key):
        return self._encodable(super()._key(key))

    def _value(self, value):
        return self._encodable(super()._value(value))

    def _encodable(self, value):
        self._encoder.encode(value)  # Raises here, since an error later fails the whole pipeline.
        return value

    def _command(self, *command):
        return self.operations.asynq(Command(command))

    def _run(self, operations):
        wrong = []  # Reads whose key may have a value of another type.
        commands = []
        written = {self._encoder.encode(word) for one in operations for word in _written(one)}
        for is_get, group in itertools.groupby(operations, lambda one: isinstance(one, Get)):
            if not is_get:
                commands += map(_command, group)
                continue
            shared = []
            for get in group:
                if self._encoder.encode(get.key) in written:
                    # It cannot be read again to find out whether its value had another type.
                    commands.append(_command(get))
                else:
                    shared.append(get)
            for keys, gets in self._together(shared):
                read = _Reads(keys, gets, wrong)
                commands.append((("MGET", *keys), gets, read.values))
                commands.append((("EXISTS", *keys), [], read.count))
        results = self._send(commands)
        if wrong:
            # A value that somebody has set meanwhile is not the answer: it would be read too late.
            gets = [(("GET", get.key), [get], lambda value, get=get: {get: None}) for get in wrong]
            results.update(self._send(gets))
        return results

    def _send(self, commands):
        """Sends `(command, its operations, read)` in a pipeline. Returns a dict of results.

        `read(response)` returns the results of the operations.
        """
        pipeline = self.client.pipeline(transaction=False)
        if not all(command[0] in _READS for command, _, _ in commands):
            _send_once(pipeline)
        for command, _, _ in commands:
            # Not by its methods, some of which the pipeline of a cluster forbids.
            pipeline.execute_command(*command)
        responses = pipeline.execute(raise_on_error=False)
        if len(responses) != len(commands):
            raise redis.ResponseError(
                f"the server returned {len(responses)} responses to {len(commands)} commands"
            )
        results = {}
        for (_, operations, read), response in zip(commands, responses):
            if isinstance(response, Exception):
                name = self.operations.name
                results.update((one, failed(name, one, response)) for one in operations)
            else:
                results.update(read(response))
        return results

    def _together(self, gets):
        """Groups consecutive reads into one command per slot. Returns pairs (keys, reads)."""
        slot = getattr(self.client, "keyslot", lambda key: 0)  # Only clusters have slots.
        commands = {}
        for get in gets:
            commands.setdefault(slot(get.key), []).append(get)
        return [(list(dict.fromkeys(get.key for get in gets)), gets) for gets in commands.values()]


class _Reads:
    """The reads of one MGET, which returns no value for a key of another type instead of an error.

    The number of keys that exist shows whether there is one. It is sent in the same pipeline, since
    a GET for each key would take several times as long.
    """

    def __init__(self, keys, gets, wrong):
        self._keys = keys
        self._gets = gets
        self._wrong = wrong
        self._values = {}

    def values(self, response):
        """Returns the value of each read from the response to the MGET."""
        if len(response) != len(self._keys):
            raise redis.ResponseError(
                f"MGET returned {len(response)} values for {len(self._keys)} keys"
            )
        self._values = dict(zip(self._keys, response))
        return {get: self._values[get.key] for get in self._gets}

    def count(self, response):
        """Adds the reads without a value to `wrong` if more keys exist than have one."""
        if self._values and response > sum(value is not None for value in self._values.values()):
            self._wrong += (get for get in self._gets if self._values[get.key] is None)
        return {}


_READS = ("MGET", "EXISTS", "GET", "HGET")


def _send_once(pipeline):
    """Makes a pipeline fail instead of sending its commands again.

    redis-py repeats a pipeline if the connection was lost, although the server may have executed
    it. The pipeline of a cluster has no pool, and repeats only some of its commands.
    """
    if hasattr(pipeline, "connection_pool"):
        pipeline.connection_pool = _PoolWithoutRetries(pipeline.connection_pool)


class _PoolWithoutRetries:
    """A connection pool whose connections do not retry as long as they are in use."""

    def __init__(self, pool):
        self._pool = pool
        self._retries = {}

    def get_connection(self, *args, **kwargs):
        connection = self._pool.get_connection(*args, **kwargs)
        self._retries[connection] = connection.retry
        connection.retry = Retry(NoBackoff(), 0)
        return connection

    def release(self, connection):
        connection.retry = self._retries.pop(connection)
        self._pool.release(connection)

    def __getattr__(self, name):
        return getattr(self._pool, name)


def _written(operation):
    """Returns the words of an operation that are the keys of writes, and perhaps others."""
    if isinstance(operation, Get):
        return ()
    return operation.key[1:] if isinstance(operation, Command) else (operation.key,)


def _milliseconds(ttl):
    return max(1, round(ttl * 1000))


def _command(operation):
    """Returns the command of an operation, and the function that reads its response."""
    if isinstance(operation, Set):
        ttl = [] if operation.ttl is None else ["PX", _milliseconds(operation.ttl)]
        command = ("SET", operation.key, operation.value, *ttl)
        return command, [operation], lambda response: {operation: None}
    if isinstance(operation, Get):
        return ("GET", operation.key), [operation], lambda response: {operation: response}
    if isinstance(operation, Delete):
        return ("DEL", operation.key), [operation], lambda response: {operation: bool(response)}
    return operation.key, [operation], lambda response: {operation: response}
