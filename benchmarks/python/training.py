"""Runs the programs that a profile-guided build is optimised for.

It is the `pgo-command` of python/pyproject.toml.
"""

from __future__ import annotations

import asyncio

from workloads import WORKLOADS

RUNS = 3


def main() -> None:
    for load in WORKLOADS.values():
        workload = load()
        program = workload.with_asynq()
        for _ in range(RUNS):
            value = asyncio.run(program()) if workload.on_loop else program()
            if value != workload.expected():
                raise SystemExit(f"{workload.title}: a wrong result")


if __name__ == "__main__":
    main()
