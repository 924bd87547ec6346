"""Long computations in shards that are resumable and cached, with their provenance.

A shard is one call of a function with plain parameters that returns a table. The name of its file contains a
hash of the study and its version, the parameters, the data, and the releases of the libraries that affect
numbers. Files are written atomically, so that an interrupted run continues with the first missing shard. Runs
that share a cache share the work: none computes what another one is computing. The version represents the
code, and a test relates the two (:mod:`contrastlib.report.versions`). The provenance of each shard is part of
its file, and so is the SHA-256 of the file (:mod:`contrastlib.report.sealing`).
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from contrastlib.assets.locks import locked
from contrastlib.assets.writing import replacing, sweep
from contrastlib.report import sealing
from contrastlib.report.provenance import REPOSITORY, Provenance, deciding_releases, provenance, summary

RESULTS = REPOSITORY / "data" / "results"


class DamagedResult(ValueError):
    """A file of a result has another content than the one that was written. The message names the file."""


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

    A damaged shard is computed again, with a message. Shards that another process is computing come last:
    this process waits for them, and computes those that the other one does not finish.

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
    sweep(cache)
    found: dict[int, pd.DataFrame] = {}
    with tqdm(total=len(shards), desc=title, unit="shard") as bar:
        for wait in (False, True):
            for number, shard in enumerate(shards):
                if number not in found:
                    table = _shard(study, version, work, shard, data, registry, cache, wait)
                    if table is not None:
                        found[number] = table
                        bar.update()
    tables = [found[number] for number in range(len(shards))]
    together = joined(tables)
    together.attrs["provenance"] = summary(table.attrs["provenance"] for table in tables)
    return together


def joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate tables with the same columns.

    Empty tables, whose columns have no types, are used only if all are empty.

    >>> joined([pd.DataFrame(columns=["a"]), pd.DataFrame({"a": [1]})]).dtypes.item()
    dtype('int64')
    """
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def save(table: pd.DataFrame, path: Path, compression: str = "zstd") -> None:
    """Write a table and its ``attrs["provenance"]`` to a sealed Parquet file, atomically.

    Args:
        table: The table.
        path: Path of the file. Its folder is created if needed.
        compression: Compression of the columns.

    Raises:
        CannotWrite: The file cannot be written. An earlier file remains.

    >>> import tempfile
    >>> table = pd.DataFrame({"a": [1]}); table.attrs["provenance"] = {"commit": "abc"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(table, Path(folder) / "t.parquet")
    ...     load(Path(folder) / "t.parquet").attrs["provenance"]
    {'commit': 'abc'}
    """
    bare = table.copy(deep=False)
    bare.attrs = {}
    arrow = pa.Table.from_pandas(bare, preserve_index=False)
    provenance = json.dumps(table.attrs.get("provenance", {}), sort_keys=True)
    arrow = arrow.replace_schema_metadata(
        {**(arrow.schema.metadata or {}), b"provenance": provenance.encode()}
    )
    sink = pa.BufferOutputStream()
    pq.write_table(arrow, sink, compression=compression)
    with replacing(path) as unfinished:
        unfinished.write_bytes(sealing.seal(sink.getvalue().to_pybytes()))


def load(path: Path) -> pd.DataFrame:
    """Load a table of :func:`save`, with its provenance in ``attrs``.

    Args:
        path: Path of the file.

    Returns:
        The table.

    Raises:
        FileNotFoundError: There is no such result. The message has the command that creates it.
        DamagedResult: The file has another content than the one that was written.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"no result {path.name} in {path.parent}: make it with `make real`") from None
    try:
        sealing.check(content)
        arrow = pq.read_table(pa.BufferReader(content))
        table = arrow.to_pandas()
        table.attrs["provenance"] = Provenance(json.loads(arrow.schema.metadata.get(b"provenance", b"{}")))
    except Exception as error:  # Arrow and pandas raise errors of many kinds
        raise DamagedResult(
            f"{path} is damaged, since {error}: if it is part of the repository, restore it with "
            f"`git checkout -- {path}`; otherwise delete it and run again what made it"
        ) from error
    return table


def _shard(
    study: str,
    version: int,
    work: Callable,
    shard: Mapping,
    data: Mapping,
    registry: str,
    cache: Path,
    wait: bool,
) -> pd.DataFrame | None:
    """Load or compute a shard. None if another process is computing it, and this one shall not wait."""
    identity = {"study": study, "version": version, "parameters": shard, "data": data, "registry": registry,
                "libraries": deciding_releases()}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    path = cache / f"{study}-{digest[:20]}.parquet"
    table = _whole(path)
    if table is not None:
        return table
    with locked(path.with_suffix(".lock"), wait) as mine:
        if not mine:
            return None
        table = _whole(path)  # the process that had the lock may have finished it
        if table is None:
            if path.exists():
                tqdm.write(f"{path} is damaged, computed again", file=sys.stderr)
            details = {"study": study, "version": version, "data": dict(data), "registry": registry}
            table = _computed(work, shard, details)
            save(table, path)
            _give_back()
    return table


def _whole(path: Path) -> pd.DataFrame | None:
    """Load a shard. None if there is none, or a damaged one."""
    try:
        return load(path)
    except (FileNotFoundError, DamagedResult):
        return None


def _computed(work: Callable, shard: Mapping, details: Mapping) -> pd.DataFrame:
    """Compute a shard, with its provenance in ``attrs``."""
    began = time.perf_counter()
    table = work(**shard)
    seconds = time.perf_counter() - began
    table.attrs["provenance"] = provenance(
        seconds, parameters=dict(shard), seed=shard.get("seed"), **details
    )
    return table


def _give_back() -> None:
    """Return freed memory to the system. glibc keeps it in a fragmented heap, which grows with each shard."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        return
    trim(0)
