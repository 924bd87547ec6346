"""What can be wrong with a file of data or weights, and the error for a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DataError(RuntimeError):
    """A data or weight file cannot be used; the message says which, why, and what to do."""


class MissingFile(DataError):
    """The file is not where it should be."""


class CorruptFile(DataError):
    """The file is there, but its content is not what it should be."""


def unknown(what: str, name: str, known: Iterable[str]) -> ValueError:
    """The error for a name that does not exist, with the nearest names that do.

    >>> print(unknown("data set", "cifar-test", ["cifar10-test", "zebra-elephant"]))
    unknown data set 'cifar-test': did you mean 'cifar10-test'?
    """
    known = sorted(known)
    command = "explain --help" if what == "network" else "data"
    listed = ", ".join(known) if len(known) <= 20 else f"{len(known)} to choose from: `python -m contrastlib {command}`"
    ends = [entry for entry in known if entry.rpartition("/")[2] == name]  # torchvision/resnet50 for resnet50
    near = ends or difflib.get_close_matches(name, known, n=3, cutoff=0.5) or [k for k in known if k.startswith(name)][:3]
    if near:
        return ValueError(f"unknown {what} {name!r}: did you mean {' or '.join(map(repr, near))}?")
    return ValueError(f"unknown {what} {name!r}: there are {listed}")
