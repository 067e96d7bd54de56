"""The worker processes, as seen by the driver."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from peers import Peer

WORKER = Path(__file__).with_name("worker.py")


class WorkerError(Exception):
    """A worker has ended or failed. The message contains its traceback."""


class Client:
    """A worker process. It uses the processor only while it handles a request."""

    def __init__(self, peer: Peer, interpreter: str) -> None:
        self.peer = peer
        self.process = subprocess.Popen(
            [interpreter, str(WORKER), peer.kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line:
            raise WorkerError(f"{self.peer.name}: its worker ended with {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.peer.name}: {do} {arguments}\n{answer['error']}")
        return answer

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
