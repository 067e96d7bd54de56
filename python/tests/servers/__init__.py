"""Real servers for tests: started on a free port of the loopback, and ended with their block."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

STARTS_WITHIN = 30.0  # seconds


class Server:
    """A program that listens on a port. Subclasses say by what `command` it is started."""

    program: str
    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        self.path = self.find()
        if self.path is None:
            pytest.skip(f"{self.program} is not installed")
        self.folder = Path(tempfile.mkdtemp(prefix="asynq-server-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def find(self) -> str | None:
        return shutil.which(self.program)

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        """Starts it, or starts it once more on the same port, and waits until it accepts."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        deadline = time.monotonic() + STARTS_WITHIN
        while not self.accepts():
            if self.process.poll() is not None or time.monotonic() > deadline:
                log_text = (self.folder / "log").read_text(errors="replace")
                pytest.fail(f"{self.program} does not start:\n{log_text}")
            time.sleep(0.01)

    def accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """Ends it at once, in the middle of whatever it does, paused or not."""
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def pause(self) -> None:
        """It answers nothing, and keeps its connections."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.resume()
        self.signal(self.stop_signal)
        if self.process is not None:
            try:
                self.process.wait(STARTS_WITHIN)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
