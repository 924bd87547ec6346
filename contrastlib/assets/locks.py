"""Locks between processes that share a folder. The system releases a lock when its process ends."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from contrastlib.assets.writing import DAY

try:
    import fcntl
except ModuleNotFoundError:  # Windows: every process gets every lock
    fcntl = None

UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""Errors of file systems without locks. There, every process gets every lock."""


@contextmanager
def locked(path: Path, wait: bool) -> Iterator[bool]:
    """Lock a file that exists only while it is locked.

    Args:
        path: The file.
        wait: Whether to wait while another process, or another thread, has the lock.

    Yields:
        Whether this process has the lock. Always True with ``wait``.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.lock")
    ...     with locked(path, wait=False) as first, locked(path, wait=False) as second:
    ...         first, second
    (True, False)
    """
    if fcntl is None:
        yield True
        return
    descriptor = _open(path, wait)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            path.unlink(missing_ok=True)  # before the lock is released: afterwards it may belong to another
            os.close(descriptor)


def sweep_locks(folder: Path, age: float = DAY) -> None:
    """Remove the files of locks that killed processes have left. A lock that a process has stays.

    Args:
        folder: Folder of the files, whose names end with ".lock". Nothing happens if it does not exist.
        age: Seconds since such a file was made after which it is looked at.
    """
    for path in folder.glob("*.lock"):
        with suppress(OSError):  # another process has removed it, or the folder is read-only
            if path.stat().st_mtime < time.time() - age:
                with locked(path, wait=False):
                    pass


def _open(path: Path, wait: bool) -> int | None:
    """Open and lock a file. None if another process has the lock."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException as error:
            if isinstance(error, OSError) and error.errno in UNSUPPORTED:
                return descriptor
            os.close(descriptor)
            raise
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # the process that had the lock has removed the file
