"""Results that are kept in data/results, a table for each study and network: where they lie, and which may be used again.

Shards stay on the machine that computed them; kept tables are committed. One that the same computation would give is
therefore used again on any machine, so that a run of many studies resumes where another one stopped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from contrastlib.report.provenance import as_list, deciding_releases
from contrastlib.report.shards import load


def path_of(study: str, network: str, folder: Path) -> Path:
    """The file of a kept table.

    >>> path_of("masking_table", "vgg16_bn/cub200", Path("real")).name
    'masking_table-vgg16_bn-cub200.parquet'
    """
    return folder / f"{study}-{network.replace('/', '-')}.parquet"


def reusable(
    path: Path, version: int, shards: Iterable[Mapping], data: Mapping[str, str], registry: str
) -> pd.DataFrame | None:
    """A kept table, if the same computation would give it again; None when it would not, or when none is kept.

    Args:
        path: see :func:`path_of`; it stands for the study.
        version: of the study; a table that names none is of version 1.
        shards: parameters that would be computed now. Shards and batches may be of other sizes.
        data: name -> checksum of all that would be read now.
        registry: :func:`contrastlib.report.batches.registered` of network and data set; tables from before this was kept
            name none, and fit.
    """
    try:
        table = load(path)
    except (FileNotFoundError, ValueError):  # none, or a damaged one
        return None
    record = table.attrs["provenance"]
    same = (
        as_list(record.get("version", 1)) == [version]
        and as_list(record.get("data")) == [dict(data)]
        and as_list(record.get("registry", registry)) == [registry]
        and _settings(as_list(record.get("parameters", []))) == _settings(shards)
        and all(deciding_releases(libraries) == deciding_releases() for libraries in as_list(record.get("libraries", {})))
    )
    return table if same else None


def _settings(shards: Iterable[Mapping]) -> dict[str, list[int]]:
    """What was asked -> the images that it was asked of, however they were divided."""
    images: dict[str, list[int]] = {}
    for shard in shards:
        asked = {key: shard.get(key) for key in ("network", "dataset", "options", "seed", "loading")}
        images.setdefault(json.dumps(asked, sort_keys=True), []).extend(shard["images"])
    return {asked: sorted(of) for asked, of in images.items()}
