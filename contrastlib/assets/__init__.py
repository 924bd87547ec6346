"""The registry of networks, data sets and their files: what they are, where they lie, whether they are sound; downloads.

- :mod:`~contrastlib.assets.records`: what an entry of ``networks.yaml`` and ``datasets.yaml`` holds
- :mod:`~contrastlib.assets.registry`: all entries by name, and the files themselves
- :mod:`~contrastlib.assets.download`: downloads that go on where they broke off
- :mod:`~contrastlib.assets.errors`: what can be wrong with a file
"""

from contrastlib.assets.errors import CorruptFile, DataError, MissingFile, unknown
from contrastlib.assets.records import DataSet, File, Network, imported
from contrastlib.assets.registry import (
    WEIGHTS,
    available,
    card,
    datasets,
    fetch,
    file,
    files,
    networks,
    path,
    place,
    remedy,
    root,
    sha256,
    state,
    trained,
    trained_names,
)

__all__ = [
    "WEIGHTS", "CorruptFile", "DataError", "DataSet", "File", "MissingFile", "Network", "available", "card", "datasets",
    "fetch", "file", "files", "imported", "networks", "path", "place", "remedy", "root", "sha256", "state", "trained",
    "trained_names", "unknown",
]  # fmt: skip
