"""Description of the machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def machine() -> str:
    cores = os.cpu_count() or 1
    return f"{processor()}, {cores} {'core' if cores == 1 else 'cores'}, {platform.system()}"


def processor() -> str:
    """Returns the model of the processor on Linux, otherwise the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
