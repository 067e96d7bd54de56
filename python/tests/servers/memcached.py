"""memcached."""

from __future__ import annotations

import getpass

from . import Server


class MemcachedServer(Server):
    program = "memcached"

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    def command(self) -> list[str]:
        listens = ["-l", "127.0.0.1", "-p", str(self.port), "-U", "0"]
        return [self.path, *listens, "-u", getpass.getuser(), "-vv"]

    def commands(self, name: str) -> list[str]:
        """What it was asked for by commands of that name, in the order in which they came in."""
        lines = (self.folder / "log").read_text(errors="replace").splitlines()
        commands = [line.partition(" ")[2] for line in lines if line.startswith("<")]
        return [command for command in commands if command.startswith(f"{name} ")]
