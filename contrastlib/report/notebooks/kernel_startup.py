"""First code of every kernel that ``contrastlib run`` starts. It imports the standard library only."""

import os
import resource
import sys
from collections.abc import Iterable

PEAK = ".peak"
"""Ending of the file beside the log that holds the largest memory of the kernel so far, in MiB."""


def prepare(log: str, folders: Iterable[str]) -> None:
    """Record the files and the memory that this process uses, and let progress bars write to the terminal.

    Args:
        log: Path of the log, see :func:`watch`. Beside it the memory is written after each cell.
        folders: Folders to observe, see :func:`watch`.
    """
    watch(log, folders)
    import tqdm
    import tqdm.auto
    from IPython import get_ipython

    get_ipython().events.register("post_run_cell", lambda result: _write_peak(log + PEAK))
    tqdm.auto.tqdm = tqdm.tqdm


def _write_peak(path: str) -> None:
    """Write the largest resident memory of this process so far, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes on macOS, KiB elsewhere
    with open(path, "w", encoding="utf-8") as file:
        file.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20))


def watch(log: str, folders: Iterable[str]) -> None:
    """Append a line ``KIND PATH`` to a log for every path under some folders that this process accesses.

    KIND is ``read``, ``write`` or ``list`` (the names in a folder). Each path is logged once for each kind.
    Forked processes are observed as well.

    The source of this information is audit events. Python raises them when it opens a file, even if the file
    does not exist, and when it lists a folder. It raises none when it checks whether a file exists, and none
    for files that compiled libraries open (safetensors, Arrow). Code of contrastlib that does so raises the
    event ``contrastlib.file`` with the path, which counts as reading the file.

    Args:
        log: Path of the log.
        folders: Folders to observe.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    folders = tuple(os.path.join(os.path.abspath(folder), "") for folder in folders)
    seen = set()

    def note(kind: str, path: object) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return  # an open file
        path = os.path.abspath(os.fsdecode(path))
        if (path + os.sep).startswith(folders) and (kind, path) not in seen:
            seen.add((kind, path))
            os.write(descriptor, os.fsencode(f"{kind} {path}\n"))

    def hook(event: str, arguments: tuple) -> None:
        if event == "open":
            note("write" if arguments[2] & (os.O_WRONLY | os.O_RDWR) else "read", arguments[0])
        elif event == "contrastlib.file":
            note("read", arguments[0])
        elif event in ("os.listdir", "os.scandir"):
            note("list", arguments[0])
        elif event == "os.rename":
            note("write", arguments[1])

    sys.addaudithook(hook)
