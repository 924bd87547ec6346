"""Checksum of a Parquet file inside of it, so that no changed bit is read as data.

A Parquet file ends with its footer, the length of the footer and four letters. Readers find columns by their
distance from the beginning. A seal is a mark and the SHA-256 of the rest of the file. It is between the
columns and the footer, where readers do not look: any of them can read a sealed file.
"""

from __future__ import annotations

import hashlib

MARK = b"contrastlib sha256 "
SIZE = len(MARK) + 64
"""Number of bytes of a seal."""
END = 8
"""Number of bytes after the footer: its length (4) and the letters PAR1."""


def seal(content: bytes) -> bytes:
    """Add a seal to a Parquet file.

    Args:
        content: The file.

    Returns:
        The file with its seal.

    >>> seal(b"PAR1 columns footer" + bytes([6, 0, 0, 0]) + b"PAR1")[:31]
    b'PAR1 columns contrastlib sha256'
    """
    end = len(content) - _tail(content)
    columns, footer = content[:end], content[end:]
    return columns + _seal(columns, footer) + footer


def check(content: bytes) -> None:
    """Check the seal of a file.

    Args:
        content: The file with its seal.

    Raises:
        ValueError: The file has no seal, or another content than the one that was sealed.

    >>> whole = seal(b"PAR1 columns footer" + bytes([6, 0, 0, 0]) + b"PAR1")
    >>> check(whole)
    >>> check(whole.replace(b"columns", b"column5"))
    Traceback (most recent call last):
        ...
    ValueError: its content is not that of its SHA-256
    """
    end = max(len(content) - _tail(content), 0)
    columns, found, footer = content[: end - SIZE], content[end - SIZE : end], content[end:]
    if end < SIZE or not found.startswith(MARK):
        raise ValueError("it does not have its SHA-256 before its footer")
    if found != _seal(columns, footer):
        raise ValueError("its content is not that of its SHA-256")


def _tail(content: bytes) -> int:
    """Number of bytes of the footer and of all that follows it."""
    return int.from_bytes(content[-END : -END + 4], "little") + END


def _seal(columns: bytes, footer: bytes) -> bytes:
    digest = hashlib.sha256(columns)
    digest.update(footer)
    return MARK + digest.hexdigest().encode()
