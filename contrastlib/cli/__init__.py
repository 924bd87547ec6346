"""The commands of ``python -m contrastlib``, one module each, with ``add_parser(subparsers)``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path


def positive(text: str) -> int:
    """A number that an option counts with.

    >>> positive("12")
    12
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive whole number")
    return int(text)


def writable(folder: Path) -> Path:
    """The folder, made if need be; told before hours of work, not after them, when nothing can be written there.

    Raises:
        ValueError: it cannot be made, or takes no files.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(f"nothing can be written in {folder}: {error.strerror or error}") from error
    return folder
