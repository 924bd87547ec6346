"""The commands of ``python -m contrastlib``: one module each, with a function ``add_parser(subparsers)``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path


def positive(text: str) -> int:
    """A positive whole number, as the type of an option.

    Raises:
        ArgumentTypeError: The text is something else.

    >>> positive("12")
    12
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive whole number")
    return int(text)


def writable(folder: Path) -> Path:
    """The folder, created if needed; to be called before hours of work, and not after them.

    Raises:
        ValueError: It cannot be created, or no file can be written in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(f"nothing can be written in {folder}: {error.strerror or error}") from error
    return folder
