"""A PostgreSQL server."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import subprocess
from pathlib import Path

from . import Server, environment


class PostgresServer(Server):
    program = "postgres"
    stop_signal = signal.SIGINT  # The server then closes its sessions first.

    def find(self) -> str | None:
        """Returns the path of the server. Debian does not put it on the PATH."""
        installed = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=_version)
        return shutil.which("postgres") or (installed[-1] if installed else None)

    @property
    def conninfo(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=asynq dbname=postgres connect_timeout=10"

    def start(self) -> None:
        data = self.folder / "data"
        if not data.exists():
            # PostgreSQL refuses to run as root.
            if os.getuid() == 0:
                shutil.chown(self.folder, "nobody")
            initdb = str(Path(self.path).resolve().with_name("initdb"))
            subprocess.run(
                [
                    *(*self.as_nobody(), initdb, "-D", str(data), "-U", "asynq"),
                    *("-A", "trust", "--no-sync", "--no-locale", "-E", "UTF8"),
                ],
                cwd=self.folder,
                env=environment(),
                stdout=subprocess.DEVNULL,
                check=True,
            )
        # A killed server leaves its pid file behind.
        (data / "postmaster.pid").unlink(missing_ok=True)
        super().start()

    def command(self) -> list[str]:
        return [
            *self.as_nobody(),
            str(Path(self.path).resolve()),
            *("-D", str(self.folder / "data"), "-h", "127.0.0.1", "-p", str(self.port)),
            *("-k", "", "-F", "-c", "dynamic_shared_memory_type=mmap"),
        ]

    def as_nobody(self) -> list[str]:
        if os.getuid() != 0:
            return []
        return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]

    def accepts(self) -> bool:
        # The server refuses sessions until it has recovered.
        import psycopg

        try:
            psycopg.connect(self.conninfo).close()
        except psycopg.OperationalError:
            return False
        return True

    def processes(self) -> list[int]:
        """Returns the ids of the server and its sessions, each of which has its own process."""
        return [
            process for parent in super().processes() for process in (parent, *_children(parent))
        ]


def _children(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in children.split()]


def _version(path: str) -> list[int]:
    return [int(part) for part in path.split("/")[4].split(".")]
