"""Long computations in shards that are resumable and cached, with their provenance.

A shard is one call of a function with plain parameters that returns a table. The name of its file contains a
hash of the study and its version, the parameters, the data, and the releases of the libraries that affect
numbers. Files are written atomically, so that an interrupted run continues with the first missing shard. Runs
that share a cache share the work: none computes what another one is computing. The version represents the
code, and a test relates the two (:mod:`contrastlib.report.versions`). The provenance of each shard is part of
its file, and so is the SHA-256 of the file (:mod:`contrastlib.report.sealing`).

Shards are computed in this process, or by the workers of a Dask cluster if the environment variable
``CONTRASTLIB_SCHEDULER`` has the address of its scheduler (:mod:`contrastlib.report.workers`).
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from contrastlib.assets.locks import locked, sweep_locks
from contrastlib.assets.writing import replacing, sweep, writable
from contrastlib.report import sealing
from contrastlib.report.provenance import (
    REPOSITORY,
    Provenance,
    as_list,
    deciding_releases,
    provenance,
    summary,
)

SCHEDULER = "CONTRASTLIB_SCHEDULER"
"""Environment variable with the address of the Dask scheduler whose workers compute the shards."""
RESULTS = REPOSITORY / "data" / "results"
TOLERANCE = {"rtol": 1e-4, "atol": 1e-6}
"""Largest difference, relative and absolute, between tables of one machine that other batches, or another
number of threads, may make."""


class DamagedResult(ValueError):
    """A file of a result has another content than the one that was written. The message names the file."""


@dataclass(frozen=True, eq=False)
class Shard:
    """One call of a function with plain parameters. Its table is kept in a file.

    Attributes:
        study: Name of the computation.
        version: Version of the code.
        work: Function that is called as ``work(**parameters)``.
        parameters: Parameters, as JSON values.
        data: Name -> checksum of all data that ``work`` reads.
        registry: Hash of the registry entries that ``work`` loads by name.
        cache: Folder of the file.
        batch: Value of the parameter "batch" with which it is computed if memory does not suffice for that of
            the parameters. The name of the file remains, and the provenance has this value.
    """

    study: str
    version: int
    work: Callable[..., pd.DataFrame]
    parameters: Mapping
    data: Mapping[str, str]
    registry: str
    cache: Path
    batch: int | None = None

    @cached_property
    def path(self) -> Path:
        """Path of the file. Its name identifies all that the table depends on."""
        identity = {"study": self.study, "version": self.version, "parameters": self.parameters,
                    "data": self.data, "registry": self.registry, "libraries": deciding_releases()}
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        return self.cache / f"{self.study}-{digest[:20]}.parquet"

    def kept(self) -> pd.DataFrame | None:
        """Load the table. None if there is no file, or a damaged one."""
        try:
            return load(self.path)
        except (FileNotFoundError, DamagedResult):
            return None

    def table(self, wait: bool) -> pd.DataFrame | None:
        """Load the table, or compute and keep it.

        Args:
            wait: Whether to wait while another process computes it.

        Returns:
            The table. None if another process computes it, and this one does not wait.

        Raises:
            CannotWrite: Nothing can be written in the folder.
            Exception: Any exception of ``work``.
        """
        writable(self.cache)
        with locked(self.path.with_suffix(".lock"), wait) as mine:
            if not mine:
                return None
            table = self.kept()  # the process that had the lock may have finished it
            if table is None:
                table = self.computed()
                save(table, self.path)
                _give_back()
        return table

    def computed(self) -> pd.DataFrame:
        """Compute the table, with its provenance in ``attrs``, and do not keep it."""
        halved = {} if self.batch is None else {"batch": self.batch}
        began = time.perf_counter()
        table = self.work(**{**self.parameters, **halved})
        seconds = time.perf_counter() - began
        skipped = table.attrs.pop("skipped", [])
        table.attrs["provenance"] = provenance(
            seconds, parameters=dict(self.parameters), seed=self.parameters.get("seed"), study=self.study,
            version=self.version, data=dict(self.data), registry=self.registry, **halved,
            **({"skipped": skipped} if skipped else {}))
        return table


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
    this run waits for them, and computes those that the other one does not finish.

    Args:
        study: Name of the computation.
        version: Version of the code.
        work: Function that is called as ``work(**shard)``. It may name images that it skipped in
            ``table.attrs["skipped"]``.
        shards: Parameters of each shard, as JSON values. They include "seed" if random numbers are drawn.
        data: Name -> checksum of all data that ``work`` reads.
        cache: Folder of the files. If None, it is data/results/cache.
        title: Title of the progress bar.
        registry: Hash of the registry entries that ``work`` loads by name, as far as they affect numbers.

    Returns:
        The tables in the order of ``shards``. ``table.attrs["provenance"]`` is the summary of their
        provenances (see :func:`~contrastlib.report.provenance.summary`).

    Raises:
        CannotWrite: Nothing can be written in the folder, or its disk is full.
        Exception: Any exception of ``work``. Finished shards remain in the cache.
    """
    cache = cache or RESULTS / "cache"
    sweep(cache)
    sweep_locks(cache)
    wanted = [Shard(study, version, work, shard, data, registry, cache) for shard in shards]
    found = {shard.path: _found(shard) for shard in wanted}
    missing = {shard.path: shard for shard in wanted if found[shard.path] is None}
    if missing:
        writable(cache)
    with tqdm(total=len(found), initial=len(found) - len(missing), desc=title, unit="shard") as bar:
        for shard, table in _computed(list(missing.values())):
            if shard.kept() is None:  # the worker shares no disk with this process
                save(table, shard.path)
            found[shard.path] = table
            bar.update()
    tables = [found[shard.path] for shard in wanted]
    together = joined(tables)
    together.attrs["provenance"] = summary(table.attrs["provenance"] for table in tables)
    if skipped := as_list(together.attrs["provenance"].get("skipped", [])):
        _say(f"{study}: {len(skipped)} images are skipped:", *skipped)
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


def _found(shard: Shard) -> pd.DataFrame | None:
    """Load a shard. None if there is none, or a damaged one, which is said."""
    there = shard.path.exists()
    table = shard.kept()
    if there and table is None:
        _say(f"{shard.path} is damaged, computed again")
    return table


def _computed(shards: Sequence[Shard]) -> Iterator[tuple[Shard, pd.DataFrame]]:
    """Compute shards, by workers if there are any, and yield each when it is finished."""
    address = os.environ.get(SCHEDULER)
    if not (address and shards):
        return _computed_here(shards)
    from contrastlib.report import workers  # imports Dask, which runs in one process do without

    return workers.compute(shards, address)


def _computed_here(shards: Sequence[Shard]) -> Iterator[tuple[Shard, pd.DataFrame]]:
    """Compute shards in this process. Those that another one is computing come last."""
    busy = []
    for shard in shards:
        table = shard.table(wait=False)
        if table is None:
            busy.append(shard)
        else:
            yield shard, table
    for shard in busy:
        yield shard, shard.table(wait=True)


def _say(*lines: str) -> None:
    """Write lines beside the progress bar."""
    tqdm.write("\n  ".join(lines), file=sys.stderr)


def _give_back() -> None:
    """Return freed memory to the system. glibc keeps it in a fragmented heap, which grows with each shard."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        return
    trim(0)
