"""The GraphQL example over HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from servers import STARTS_WITHIN
from servers.port import Port

EXAMPLES = Path(__file__).parents[1] / "examples"

EVERYTHING = """
    query ($ids: [Int!]!) { artists(ids: $ids) {
        name albums { title tracks { name genre { name } } }
    } }
"""


class GraphQLServer:
    def __init__(self) -> None:
        self._port = Port()
        self.port = self._port.number
        self.process = subprocess.Popen(
            [sys.executable, "-m", "graphql_server", f"127.0.0.1:{self.port}"],
            env={**os.environ, "PYTHONPATH": str(EXAMPLES)},
            stdout=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert self.process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def ask(self, query, **variables):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def end(self):
        """Sends Ctrl-C to the server. Returns the batches that it has printed."""
        self.process.send_signal(signal.SIGINT)
        out, _ = self.process.communicate(timeout=30)
        return out.splitlines()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self._port.release()


@pytest.fixture
def server():
    server = GraphQLServer()
    yield server
    server.close()


def test_one_query_makes_one_statement_for_each_level(server):
    answer = server.ask(EVERYTHING, ids=list(range(1, 51)))
    artists = answer["data"]["artists"]
    assert len(artists) == 50
    assert artists[0]["name"] == "AC/DC"
    assert artists[0]["albums"][0]["tracks"][0] == {
        "name": "For Those About To Rock (We Salute You)",
        "genre": {"name": "Rock"},
    }
    sent = [line.split(":")[0] for line in server.end()]
    assert sent == ["artists by id", "albums by artist", "tracks by album", "genres by id"]


def test_two_requests_at_once_get_their_own_answers(server):
    answers = {}

    def ask(id):
        answers[id] = server.ask("query ($id: Int!) { artist(id: $id) { name } }", id=id)

    threads = [threading.Thread(target=ask, args=(id,)) for id in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    names = {id: answer["data"]["artist"]["name"] for id, answer in answers.items()}
    assert names == {1: "AC/DC", 2: "Accept"}


def test_what_is_not_there_is_null(server):
    answer = server.ask("{ artist(id: 99999) { name } }")
    assert answer == {"data": {"artist": None}}


def test_an_error_is_told_and_the_next_request_works(server):
    wrong = server.ask("{ artist(id: 1) { albums { title(x: 1) } } }")
    assert "errors" in wrong
    assert server.ask("{ artist(id: 1) { name } }") == {"data": {"artist": {"name": "AC/DC"}}}


def test_ctrl_c_ends_it(server):
    server.end()
    assert server.process.returncode in (0, 130, -signal.SIGINT)
