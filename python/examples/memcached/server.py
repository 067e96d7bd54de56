"""A memcached of one's own, for the demo and the tests."""

from __future__ import annotations

import getpass
import os
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_STARTS_WITHIN = 30.0  # seconds


class Server:
    def __init__(self, port: int, log: Path) -> None:
        self.address = ("127.0.0.1", port)
        self._log = log

    def commands(self) -> list[str]:
        """What it has been asked for, in the order in which it came in."""
        lines = (line.partition(" ")[2] for line in self._log.read_text().splitlines())
        return [line for line in lines if line.startswith(("get ", "set ", "delete "))]


@contextmanager
def running() -> Generator[Server, None, None]:
    """Starts memcached on a free port of the loopback, and ends it with the block.

    Raises a `FileNotFoundError` if it is not installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        port_file, log = Path(folder, "port"), Path(folder, "log")
        # Port -1 is any free one; memcached writes which one it is to the file in the variable.
        command = ["memcached", "-vv", "-l", "127.0.0.1", "-p", "-1", "-U", "0"]
        command += ["-u", getpass.getuser()]
        environment = {**os.environ, "MEMCACHED_PORT_FILENAME": str(port_file)}
        with log.open("w") as output:
            process = subprocess.Popen(command, stderr=output, env=environment)
        try:
            yield Server(_port(port_file, process), log)
        finally:
            process.terminate()
            process.wait()


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + _STARTS_WITHIN
    while not file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("memcached does not start")
        time.sleep(0.01)
    return int(file.read_text().split(": ")[1])  # “TCP INET: 12345”
