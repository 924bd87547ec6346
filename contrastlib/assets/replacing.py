"""Files that are never seen half written: each is written under another name, and gets its own at the end."""

from __future__ import annotations

import os
import platform
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contrastlib.assets.errors import DataError

PART = re.compile(r".+\.[\w-]*-[0-9a-f]{16}\.part")
"""Name of a file that is being written."""
DAY = 24 * 60 * 60


class NotWritten(DataError):
    """A file cannot be written; the message names it, why, and what to do."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file so that it is never seen half written: a file beside it takes its name at the end.

    The name of that file has the name of the machine and a random number. So two processes, also in two
    containers or on two machines, can write the same file: the last one wins, and each version is complete.

    Args:
        path: The file to create or to replace; its folder is created if needed.

    Yields:
        The path to write to. It is removed if the block raises an error.

    Raises:
        NotWritten: The file cannot be written, for example because the disk is full.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "a.txt") as unfinished:
    ...         _ = unfinished.write_text("whole")
    ...     (Path(folder) / "a.txt").read_text()
    'whole'
    """
    machine = re.sub(r"[^\w-]", "-", platform.node())[:20]
    unfinished = path.with_name(f"{path.name}.{machine}-{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        os.replace(unfinished, path)
    except OSError as error:
        why = error.strerror or error
        raise NotWritten(
            f"{path} cannot be written: {why}: free some space or choose another folder, and run again"
        ) from error
    finally:
        if unfinished.exists():
            unfinished.unlink()


def sweep(folder: Path, age: float = DAY) -> None:
    """Remove what processes that were killed have left of files that they were writing.

    Args:
        folder: Folder of the files of :func:`replacing`. Nothing happens if it does not exist.
        age: Seconds since the last change after which such a file counts as left. Younger files may belong
            to a process that is running.
    """
    if not folder.is_dir():
        return
    for entry in os.scandir(folder):
        if PART.fullmatch(entry.name):
            try:
                if entry.stat().st_mtime < time.time() - age:
                    os.unlink(entry.path)
            except FileNotFoundError:  # another process has finished or swept it
                pass
