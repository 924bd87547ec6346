"""Files of data and weights: one registry of what they are, where they lie and whether they are sound, and downloads.

- :mod:`~contrastlib.assets.registry`: what ``files.yaml`` and ``sets.yaml`` say, and the files themselves
- :mod:`~contrastlib.assets.download`: downloads that go on where they broke off
- :mod:`~contrastlib.assets.errors`: what can be wrong with a file
"""

from contrastlib.assets.errors import CorruptFile, DataError, MissingFile, unknown
from contrastlib.assets.registry import (
    WEIGHTS,
    available,
    card,
    entries,
    entry,
    fetch,
    path,
    place,
    remedy,
    root,
    sets,
    sha256,
    state,
    trained,
    trained_names,
)

__all__ = [
    "WEIGHTS", "CorruptFile", "DataError", "MissingFile", "available", "card", "entries", "entry", "fetch", "path", "place",
    "remedy", "root", "sets", "sha256", "state", "trained", "trained_names", "unknown",
]  # fmt: skip
