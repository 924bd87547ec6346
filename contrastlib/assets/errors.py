"""Errors for files of data or weights that are missing or corrupt, and for unknown names; what errors say."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DataError(RuntimeError):
    """A data or weight file cannot be used; the message says which, why, and what to do."""


class MissingFile(DataError):
    """The file does not exist where it is expected."""


class CorruptFile(DataError):
    """The file exists, but its content is not the expected one."""


def unknown(what: str, name: str, known: Iterable[str]) -> ValueError:
    """The error for an unknown name; its message suggests the nearest known ones.

    Args:
        what: The kind of thing that was named, such as "network".
        name: The unknown name.
        known: All names that exist.

    >>> print(unknown("data set", "cifar-test", ["cifar10-test", "zebra-elephant"]))
    unknown data set 'cifar-test': did you mean 'cifar10-test'?
    """
    known = sorted(known)
    command = "explain --help" if what == "network" else "data"
    too_many = f"{len(known)} to choose from: `python -m contrastlib {command}`"
    listed = ", ".join(known) if len(known) <= 20 else too_many
    same_end = [entry for entry in known if entry.rpartition("/")[2] == name]  # such as torchvision/resnet50
    same_start = [entry for entry in known if entry.startswith(name)][:3]
    near = same_end or difflib.get_close_matches(name, known, n=3, cutoff=0.5) or same_start
    if near:
        return ValueError(f"unknown {what} {name!r}: did you mean {' or '.join(map(repr, near))}?")
    return ValueError(f"unknown {what} {name!r}: there are {listed}")


def one_line(error: BaseException) -> str:
    r"""The message of an error in one line.

    >>> one_line(ValueError("a\n  b"))
    'a b'
    """
    return " ".join(str(error).split())


def is_for_memory(error: BaseException) -> bool:
    """Whether memory ran out, of the processor or of a GPU.

    >>> is_for_memory(MemoryError()), is_for_memory(RuntimeError("CUDA out of memory"))
    (True, True)
    """
    if not isinstance(error, RuntimeError):
        return isinstance(error, MemoryError)
    from contrastlib.autograd.running import NO_MEMORY  # imports torch, which is slow

    return any(part in str(error) for part in NO_MEMORY)
