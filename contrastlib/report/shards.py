"""Long computations in shards that are resumable and cached, with their provenance.

A shard is one call of a function with plain parameters that returns a table. The name of its file contains a
hash of the study and its version, the parameters, the data, and the releases of the libraries that affect
numbers. Files are written atomically, so that an interrupted run continues with the first missing shard. The
version represents the code, and a test relates the two (:mod:`contrastlib.report.versions`). The provenance
of each shard is part of its file.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from contrastlib.report.provenance import REPOSITORY, Provenance, deciding_releases, provenance, summary

RESULTS = REPOSITORY / "data" / "results"


def sharded(
    study: str,
    version: int,
    work: Callable[..., pd.DataFrame],
    shards: Sequence[Mapping],
    data: Mapping[str, str],
    cache: Path | None = None,
    title: str = "shards",
    registry: str = "",
) -> pd.DataFrame:
    """Tables of all shards in one. Only the shards that are not in the cache are computed.

    Args:
        study: Name of the computation.
        version: Version of the code.
        work: Function that is called as ``work(**shard)``.
        shards: Parameters of each shard, as JSON values. They include "seed" if random numbers are drawn.
        data: Name -> checksum of all data that ``work`` reads.
        cache: Folder of the files. If None, it is data/results/cache.
        title: Title of the progress bar.
        registry: Hash of the registry entries that ``work`` loads by name, as far as they affect numbers.

    Returns:
        The tables in the order of ``shards``. ``table.attrs["provenance"]`` is the summary of their
        provenances (see :func:`~contrastlib.report.provenance.summary`).

    Raises:
        Exception: Any exception of ``work``. Finished shards remain in the cache.
    """
    cache = cache or RESULTS / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    tables = [
        _shard(study, version, work, shard, data, registry, cache)
        for shard in tqdm(shards, desc=title, unit="shard")
    ]
    together = joined([table for table, _ in tables])
    together.attrs["provenance"] = summary([provenance for _, provenance in tables])
    return together


def joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate tables with the same columns.

    Empty tables, whose columns have no types, are used only if all are empty.

    >>> joined([pd.DataFrame(columns=["a"]), pd.DataFrame({"a": [1]})]).dtypes.item()
    dtype('int64')
    """
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def save(table: pd.DataFrame, path: Path, compression: str = "zstd") -> None:
    """Write a table and its ``attrs["provenance"]`` to a Parquet file, atomically.

    >>> import tempfile
    >>> table = pd.DataFrame({"a": [1]}); table.attrs["provenance"] = {"commit": "abc"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(table, Path(folder) / "t.parquet")
    ...     load(Path(folder) / "t.parquet").attrs["provenance"]
    {'commit': 'abc'}
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    bare = table.copy(deep=False)
    bare.attrs = {}
    arrow = pa.Table.from_pandas(bare, preserve_index=False)
    provenance = json.dumps(table.attrs.get("provenance", {}), sort_keys=True)
    arrow = arrow.replace_schema_metadata(
        {**(arrow.schema.metadata or {}), b"provenance": provenance.encode()}
    )
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    pq.write_table(arrow, unfinished, compression=compression, write_page_checksum=True)
    os.replace(unfinished, path)


def load(path: Path) -> pd.DataFrame:
    """Load a table of :func:`save`, with its provenance in ``attrs``.

    Args:
        path: Path of the file.

    Returns:
        The table.

    Raises:
        FileNotFoundError: There is no such result. The message has the command that creates it.
        ValueError: The file is damaged.
    """
    sys.audit("contrastlib.file", path)  # because Arrow opens it, see contrastlib.report.staleness
    if not path.exists():
        raise FileNotFoundError(f"no result {path.name} in {path.parent}: make it with `make real`")
    try:
        arrow = pq.read_table(path, page_checksum_verification=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} is damaged ({error}): delete it and run again") from error
    table = arrow.to_pandas()
    table.attrs["provenance"] = Provenance(json.loads(arrow.schema.metadata.get(b"provenance", b"{}")))
    return table


def _shard(
    study: str, version: int, work: Callable, shard: Mapping, data: Mapping, registry: str, cache: Path
) -> tuple[pd.DataFrame, Provenance]:
    identity = {"study": study, "version": version, "parameters": shard, "data": data, "registry": registry,
                "libraries": deciding_releases()}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    path = cache / f"{study}-{digest[:20]}.parquet"
    if path.exists():
        try:
            table = load(path)
            return table, table.attrs["provenance"]
        except ValueError:
            path.unlink()  # damaged, for example by a full disk: compute it again
    began = time.perf_counter()
    table = work(**shard)
    seconds = time.perf_counter() - began
    table.attrs["provenance"] = provenance(
        seconds,
        study=study,
        version=version,
        parameters=dict(shard),
        seed=shard.get("seed"),
        data=dict(data),
        registry=registry,
    )
    save(table, path)
    _give_back()
    return table, table.attrs["provenance"]


def _give_back() -> None:
    """Return freed memory to the system. glibc keeps it in a fragmented heap, which grows with each shard."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        return
    trim(0)
