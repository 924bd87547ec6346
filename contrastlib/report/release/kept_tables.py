"""Tables of ``data/results`` with the provenance that each carries."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from contrastlib import assets
from contrastlib.report.results.provenance import REPOSITORY, as_list

FOLDER = REPOSITORY / "data" / "results" / "real"


@dataclass(frozen=True)
class KeptTable:
    """The table of a study and a network.

    Attributes:
        path: Path of the file.
        study: Name of the study.
        network: Name of the network, with hyphens for slashes.
    """

    path: Path
    study: str
    network: str

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Provenance of the table: see :func:`contrastlib.report.results.provenance.summary`."""
        return json.loads(pq.read_schema(self.path).metadata[b"provenance"])

    @property
    def inputs(self) -> dict[str, str]:
        """Name -> checksum, or version and seed, of the networks and data sets that the study read."""
        parts = as_list(self.provenance.get("data", {}))
        return {name: checksum for part in parts for name, checksum in part.items()}

    @property
    def libraries(self) -> list[str]:
        """Libraries with their versions, such as "torch 2.6.0"."""
        parts = as_list(self.provenance.get("libraries", {}))
        return sorted({f"{name} {number}" for part in parts for name, number in part.items()})


def kept_tables(folder: Path = FOLDER) -> list[KeptTable]:
    """The tables of a folder, by their names.

    Raises:
        FileNotFoundError: There is none.

    >>> len(kept_tables()) > 100, kept_tables()[0].study
    (True, 'ablation_table')
    """
    paths = sorted(folder.glob("*.parquet"))
    if not paths:
        raise FileNotFoundError(f"there are no results in {folder}: make them with `make real`")
    return [KeptTable(path, *path.stem.split("-", 1)) for path in paths]


def asset(name: str) -> assets.Network | assets.DataSet | None:
    """Record of a network or data set, None of another name.

    >>> asset("birds_vgg").title, asset("birds").title, asset("none")
    ('small VGG', 'drawn birds', None)
    """
    return assets.network(name) or assets.datasets().get(name)


def inputs(tables: Iterable[KeptTable]) -> list[tuple[str, str]]:
    """Name and checksum of each network and data set that these tables were computed from, in order."""
    return sorted({each for table in tables for each in table.inputs.items()})
