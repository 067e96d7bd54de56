"""Real servers for examples and tests, each on a free local port for the time of a `with` block."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .port import Port

if TYPE_CHECKING:
    from typing_extensions import Self

STARTS_WITHIN = 30.0  # seconds


class NotInstalled(Exception):
    """The server is not installed on this machine."""


class Server:
    """A program that listens on a port. Subclasses define the `command` that starts it."""

    program: str
    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        """Raises `NotInstalled` if the program is not installed."""
        path = self.find()
        if path is None:
            raise NotInstalled(f"{self.program} is not installed: make services")
        self.path = path
        self.folder = Path(tempfile.mkdtemp(prefix="asynq-server-"))
        self._port = Port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return self._port.number

    def find(self) -> str | None:
        return shutil.which(self.program)

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return environment()

    def start(self) -> None:
        """Starts the server, always on the same port, and waits until it accepts connections.

        Raises `RuntimeError` with its log if it ends or takes too long.
        """
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=self.environment(),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        deadline = time.monotonic() + STARTS_WITHIN
        while not self.accepts():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.program} does not start:\n{self.log()}")
            time.sleep(0.01)

    def accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def log(self) -> str:
        """Returns the output of the server so far."""
        return (self.folder / "log").read_text(errors="replace")

    def kill(self) -> None:
        """Kills the server immediately, even if it is busy or paused, and waits for its end.

        All of its processes have ended then: one that still had shared memory would keep the server
        from starting again.
        """
        if self.process is not None and self.process.poll() is None:
            self.pause()  # A paused server starts no further processes.
            processes = self.processes()
            descriptors = [os.pidfd_open(process) for process in processes]
            for process in processes:
                os.kill(process, signal.SIGKILL)
            for descriptor in descriptors:
                select.select([descriptor], [], [])  # Readable when the process has ended.
                os.close(descriptor)
            self.process.wait()

    def pause(self) -> None:
        """Stops the server from answering, with its connections open. Needs `/proc` of Linux."""
        self.signal(signal.SIGSTOP)
        # The threads stop one after the other: a running one may still answer or start a process.
        while not all(state in "TZ" for state in self._states()):
            time.sleep(0.001)
            self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def signal(self, number: int) -> None:
        for process in self.processes():
            try:
                os.kill(process, number)
            except ProcessLookupError:
                pass  # It has ended meanwhile.

    def processes(self) -> list[int]:
        """Returns the ids of the processes of a running server."""
        if self.process is None or self.process.poll() is not None:
            return []
        return [self.process.pid]

    def _states(self) -> Iterator[str]:
        """Yields the state of each thread from /proc: T is stopped, Z is ended, see proc(5)."""
        for process in self.processes():
            for thread in Path(f"/proc/{process}/task").iterdir():
                try:
                    yield (thread / "stat").read_text().rpartition(") ")[2][0]
                except (FileNotFoundError, ProcessLookupError):
                    pass  # It has ended meanwhile.

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.resume()
        if self.process is not None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(STARTS_WITHIN)
            except subprocess.TimeoutExpired:
                self.kill()
        self._port.release()
        shutil.rmtree(self.folder, ignore_errors=True)


def environment() -> dict[str, str]:
    """Returns the environment of this process without LD_PRELOAD.

    `make sanitize` preloads the runtime of a sanitizer, with which PostgreSQL does not start.
    """
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
