"""Results in data/results: a table for each study and network, and the conditions for their reuse.

Shards remain on the machine that computed them. Tables are committed. A table is used again on any machine if
the same computation would reproduce it, so that a run of many studies resumes where another one stopped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from contrastlib.report.results.provenance import as_list, deciding_releases
from contrastlib.report.results.storage import DamagedResult, load


def path_of(study: str, network: str, folder: Path) -> Path:
    """Path of the kept table of a study and a network.

    Args:
        study: Name of the study.
        network: Name of the network, or ``*`` for a pattern.
        folder: Folder of the results of a profile.

    Returns:
        The path.

    >>> path_of("masking_table", "vgg16_bn/cub200", Path("real")).name
    'masking_table-vgg16_bn-cub200.parquet'
    """
    return folder / f"{study}-{network.replace('/', '-')}.parquet"


def reusable(
    path: Path,
    version: int,
    shards: Iterable[Mapping],
    data: Mapping[str, str],
    registry: str,
    choices: Mapping[str, Mapping] | None = None,
    whole_batches: bool = False,
) -> pd.DataFrame | None:
    """Load a kept table if the same computation would reproduce it.

    Args:
        path: Path of the table, see :func:`path_of`.
        version: Version of the study. A table without a version has version 1.
        shards: Parameters of the shards that would be computed. The sizes of shards and batches may differ.
        data: Name -> checksum of all data that would be read.
        registry: Hash of :func:`contrastlib.report.computing.batches.registered` for network and data set. A
            table without such a hash passes.
        choices: Choice -> options, of a study with choices. A table that does not have them passes.
        whole_batches: Whether rows depend on which images share a batch, so that the size of batches must be
            the same.

    Returns:
        The table. None if it does not exist, if it is damaged, which is said, or if the computation differs.
    """
    try:
        table = load(path)
    except FileNotFoundError:
        return None
    except DamagedResult:
        print(f"{path} is damaged, computed again")
        return None
    record = table.attrs["provenance"]
    same = (
        as_list(record.get("version", 1)) == [version]
        and as_list(record.get("data")) == [dict(data)]
        and as_list(record.get("registry", registry)) == [registry]
        and record.get("choices", choices) == choices
        and _settings(as_list(record.get("parameters", [])), whole_batches)
        == _settings(shards, whole_batches)
        and all(
            deciding_releases(libraries) == deciding_releases()
            for libraries in as_list(record.get("libraries", {}))
        )
    )
    return table if same else None


def _settings(shards: Iterable[Mapping], with_batch: bool) -> dict[str, list[int]]:
    """Settings -> images, independent of their division into shards."""
    images: dict[str, list[int]] = {}
    keys = ("network", "dataset", "options", "seed", "loading", "skip_unreadable")
    keys += ("batch",) if with_batch else ()
    for shard in shards:
        setting = {key: shard.get(key) for key in keys}
        images.setdefault(json.dumps(setting, sort_keys=True), []).extend(shard["images"])
    return {setting: sorted(of) for setting, of in images.items()}
