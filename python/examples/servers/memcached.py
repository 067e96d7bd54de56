"""memcached."""

from __future__ import annotations

import getpass
import signal

from . import Server


class MemcachedServer(Server):
    program = "memcached"
    # By itself it takes a second to end, and it has nothing to give back.
    stop_signal = signal.SIGKILL

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    def command(self) -> list[str]:
        listens = ["-l", "127.0.0.1", "-p", str(self.port), "-U", "0"]
        return [self.path, *listens, "-u", getpass.getuser(), "-vv"]

    def commands(self, name: str) -> list[str]:
        """What it was asked for by commands of that name, in the order in which they came in."""
        lines = self.log().splitlines()
        commands = [line.partition(" ")[2] for line in lines if line.startswith("<")]
        return [command for command in commands if command.startswith(f"{name} ")]
