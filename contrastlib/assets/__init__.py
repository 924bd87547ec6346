"""The registry of networks, data sets and their files: descriptions, paths, checksums and downloads.

- :mod:`~contrastlib.assets.records`: the fields of an entry in ``networks.yaml`` or ``datasets.yaml``
- :mod:`~contrastlib.assets.registry`: all entries by name, and their files
- :mod:`~contrastlib.assets.download`: downloads that resume after an interruption
- :mod:`~contrastlib.assets.writing`: files that are never seen half written, and errors that name them
- :mod:`~contrastlib.assets.locks`: locks between processes that share a folder
- :mod:`~contrastlib.assets.errors`: errors for files that are missing or corrupt, and for unknown names
"""

from contrastlib.assets.errors import CorruptFile, DataError, MissingFile, unknown
from contrastlib.assets.records import DataSet, File, Network, imported
from contrastlib.assets.registry import (
    WEIGHTS,
    available,
    card,
    datasets,
    described,
    environment,
    expected_path,
    fetch,
    file,
    files,
    network,
    networks,
    own_registries,
    path,
    preferred_networks,
    read_card,
    remedy,
    root,
    sha256,
    state,
    trained,
    trained_names,
    training_seeds,
)

__all__ = [
    "WEIGHTS", "CorruptFile", "DataError", "DataSet", "File", "MissingFile", "Network", "available", "card",
    "datasets", "described", "environment", "expected_path", "fetch", "file", "files", "imported", "network",
    "networks", "own_registries", "path", "preferred_networks", "read_card", "remedy", "root", "sha256",
    "state", "trained", "trained_names", "training_seeds", "unknown",
]  # fmt: skip
