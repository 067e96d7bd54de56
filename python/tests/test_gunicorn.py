"""A server of gunicorn with its gevent worker, which answers many requests at the same time."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from urllib.request import urlopen

import pytest
from servers import Server

APPLICATION = """
import time
import asynq

class Batch(asynq.BatchBase):
    def _flush(self):
        time.sleep(0.01)
        for item in self.items:
            item.set_value(10 * item.key)

    def _try_switch_active_batch(self):
        if Batch.open is self:
            Batch.open = Batch()

Batch.open = Batch()

class Item(asynq.BatchItemBase):
    def __init__(self, key):
        super().__init__(Batch.open)
        self.key = key

@asynq.loader(blocking=True)
def one(keys):
    time.sleep(0.01)
    return [1 for key in keys]

@asynq.asynq()
def row(key):
    ten, unit = yield Item(key), one.asynq(key)
    return ten + unit

@asynq.asynq()
def page(size):
    return (yield [row.asynq(key) for key in range(size)])

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(page(int(environ["PATH_INFO"][1:]))).encode()]
"""


def get(port, size):
    with urlopen(f"http://127.0.0.1:{port}/{size}", timeout=30) as answer:
        return answer.read().decode()


class Gunicorn(Server):
    program = sys.executable

    def command(self):
        (self.folder / "application.py").write_text(APPLICATION)
        return [
            *(self.path, "-m", "gunicorn", "application:application"),
            *("--worker-class", "gevent", "--workers", "1"),
            *("--bind", f"127.0.0.1:{self.port}", "--chdir", str(self.folder)),
        ]

    def environment(self):
        return dict(os.environ)  # With a preloaded sanitizer, because it runs this package.

    def accepts(self):
        """Returns whether the worker answers. The port is open before the worker has started."""
        try:
            get(self.port, 1)
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def server():
    with Gunicorn() as server:
        yield server


def test_forty_requests_at_the_same_time_get_their_pages(server):
    sizes = [index % 7 + 1 for index in range(40)]
    with ThreadPoolExecutor(40) as pool:
        pages = list(pool.map(get, repeat(server.port), sizes))
    assert pages == [str([10 * key + 1 for key in range(size)]) for size in sizes]
