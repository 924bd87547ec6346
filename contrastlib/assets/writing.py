"""Writing of files: checks beforehand, never half a file, and errors that name the file and the remedy."""

from __future__ import annotations

import errno
import io
import os
import platform
import re
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contrastlib.assets.errors import DataError

REMEDIES = {
    errno.ENOSPC: "free some space on its disk",
    errno.EDQUOT: "free some space, or ask for a larger quota",
    errno.EROFS: "its disk is read-only, choose a folder on another one",
    errno.EACCES: "ask for permission, or choose another place",
    errno.EPERM: "ask for permission, or choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "it is a link to itself, remove it",
    errno.EMFILE: "allow more open files with `ulimit -n`",
}
"""Number of an error of the operating system -> what to do."""
PART = re.compile(r".+\.[\w-]*-[0-9a-f]{16}\.part")
"""Name of a file that is being written."""
DAY = 24 * 60 * 60
ENOUGH = 1 << 20
"""Bytes that have to fit on a disk before something is computed for it: more than most notebooks."""


class CannotWrite(DataError):
    """A file or a folder cannot be written; the message names it, why, and what to do."""


def reason(error: OSError) -> str:
    """Why the operating system refused, and what to do, without the name of the file.

    >>> reason(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    'No space left on device: free some space on its disk'
    """
    remedy = REMEDIES.get(error.errno)
    return (error.strerror or str(error)) + (f": {remedy}" if remedy else "")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file if writing it fails. The operating system does not: a full disk has no file's name.

    Args:
        path: The file that is written in the context.

    Raises:
        CannotWrite: An error of the operating system occurred.

    >>> with writing(Path("a.png")):
    ...     raise OSError(errno.EROFS, "Read-only file system")
    Traceback (most recent call last):
    contrastlib.assets.writing.CannotWrite: a.png cannot be written: Read-only file system: its disk is
        read-only, choose a folder on another one
    """
    try:
        yield
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {reason(error)}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file so that it is never seen half written: a file beside it takes its name at the end.

    The name of that file has the name of the machine and a random number. So two processes, also in two
    containers or on two machines, can write the same file: the last one wins, and each version is complete.

    Args:
        path: The file to create or to replace; its folder is created if needed. A link stays a link.

    Yields:
        The path to write to. It is removed if the block raises an error.

    Raises:
        CannotWrite: The file cannot be written, for example because the disk is full. An older file stays as
            it was.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder, "a.txt")) as unfinished:
    ...         _ = unfinished.write_text("whole")
    ...     Path(folder, "a.txt").read_text(), len(os.listdir(folder))
    ('whole', 1)
    """
    with writing(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        target = Path(os.path.realpath(path))
        machine = re.sub(r"[^\w-]", "-", platform.node())[:20]
        unfinished = target.with_name(f"{target.name[:100]}.{machine}-{secrets.token_hex(8)}.part")
        try:
            yield unfinished
            os.replace(unfinished, target)
        finally:
            unfinished.unlink(missing_ok=True)


def write(path: Path, content: bytes) -> None:
    """Write a file as a whole; see :func:`replacing`.

    Args:
        path: The file.
        content: All of it.

    Raises:
        CannotWrite: It cannot be written.
    """
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)


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


def check_writable(path: Path, size: int = ENOUGH) -> None:
    """Check that a file can be written, before something is computed for it. Its folder is created.

    Args:
        path: The file, which is not touched.
        size: Bytes that have to fit on the disk.

    Raises:
        CannotWrite: It cannot be written; the message says why.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.TemporaryFile(dir=path.parent, buffering=0) as trial:
            left = size
            while left:  # raw files may write less than they are given, and fail only at the next time
                left -= trial.write(bytes(min(left, io.DEFAULT_BUFFER_SIZE * 16)))


def writable(folder: Path) -> Path:
    """The folder, created if needed; to be called before hours of work, and not after them.

    Args:
        folder: The folder.

    Raises:
        CannotWrite: It cannot be created, or no file can be written in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, buffering=0) as trial:
            trial.write(b"\0")
    except OSError as error:
        raise CannotWrite(f"nothing can be written in {folder}: {reason(error)}") from error
    return folder
