"""A Redis server and a Redis cluster."""

from __future__ import annotations

import subprocess

from . import Server, environment
from .port import Port


class RedisServer(Server):
    program = "redis-server"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [
            self.path,
            *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)),
            *("--save", "", "--appendonly", "no"),
        ]


class RedisCluster(RedisServer):
    """A cluster of one server that has all slots.

    As in any cluster, the keys of one command must have the same slot.
    """

    def __init__(self) -> None:
        super().__init__()
        self._bus = Port()

    def command(self) -> list[str]:
        # The default port of the cluster bus is 10,000 higher, which may exceed 65,535.
        bus = ("--cluster-port", str(self._bus.number))
        return [*super().command(), "--cluster-enabled", "yes", *bus]

    def start(self) -> None:
        super().start()
        self.cli("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        while "cluster_state:ok" not in self.cli("CLUSTER", "INFO"):
            pass

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self._bus.release()

    def cli(self, *command: str) -> str:
        done = subprocess.run(
            ["redis-cli", "-p", str(self.port), *command],
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout
