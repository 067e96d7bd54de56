"""A memcached server."""

from __future__ import annotations

import getpass
import signal

from . import Server


class MemcachedServer(Server):
    program = "memcached"
    # SIGTERM takes a second, and there is no state to save.
    stop_signal = signal.SIGKILL

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    def command(self) -> list[str]:
        listens = ["-l", "127.0.0.1", "-p", str(self.port), "-U", "0"]
        return [self.path, *listens, "-u", getpass.getuser(), "-vv"]

    def commands(self, name: str) -> list[str]:
        """Returns the commands with this name that the server has received, in order."""
        lines = self.log().splitlines()
        commands = [line.partition(" ")[2] for line in lines if line.startswith("<")]
        return [command for command in commands if command.startswith(f"{name} ")]
