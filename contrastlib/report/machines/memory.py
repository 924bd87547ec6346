"""How much memory a process has taken."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_memory() -> int:
    """The largest resident memory of this process so far, in bytes.

    >>> peak_memory() > 2**20
    True
    """
    if STATUS.exists():  # on Linux, ru_maxrss includes the process that this one was forked from
        lines = STATUS.read_text(encoding="utf-8").splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
