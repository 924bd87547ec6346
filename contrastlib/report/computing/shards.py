"""Long computations in shards that are resumable and cached, with their provenance.

A shard is one call of a function with plain parameters that returns a table. The name of its file contains a
hash of the study and its version, the parameters, the data, and the releases of the libraries that affect
numbers. Files are written atomically, so that an interrupted run continues with the first missing shard. Runs
that share a cache share the work: none computes what another one is computing. The version represents the
code, and a test relates the two (:mod:`contrastlib.report.studies.versions`). Each file is a sealed table
with its provenance (:mod:`contrastlib.report.results.storage`).

Shards are computed in this process, or by the workers of a Dask cluster if the environment variable
``CONTRASTLIB_SCHEDULER`` has the address of its scheduler (:mod:`contrastlib.report.computing.workers`).
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
from tqdm import tqdm

from contrastlib.assets.locks import locked, sweep_locks
from contrastlib.assets.writing import sweep, writable
from contrastlib.report.results.provenance import as_list, deciding_releases, provenance, summary
from contrastlib.report.results.storage import RESULTS, DamagedResult, joined, load, save

SCHEDULER = "CONTRASTLIB_SCHEDULER"
"""Environment variable with the address of the Dask scheduler whose workers compute the shards."""
TOLERANCE = {"rtol": 1e-4, "atol": 1e-6}
"""Largest difference, relative and absolute, between tables of one machine that other batches, or another
number of threads, may make."""


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
        divisible: Whether a smaller batch gives the same table.
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
    divisible: bool = True
    batch: int | None = None

    @cached_property
    def path(self) -> Path:
        """Path of the file. Its name identifies all that the table depends on."""
        identity = {
            "study": self.study,
            "version": self.version,
            "parameters": self.parameters,
            "data": self.data,
            "registry": self.registry,
            "libraries": deciding_releases(),
        }
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
            seconds,
            parameters=dict(self.parameters),
            seed=self.parameters.get("seed"),
            study=self.study,
            version=self.version,
            data=dict(self.data),
            registry=self.registry,
            **halved,
            **({"skipped": skipped} if skipped else {}),
        )
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
    divisible: bool = True,
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
        divisible: Whether a smaller value of the parameter "batch" gives the same table, so that workers
            whose memory is short may take one.

    Returns:
        The tables in the order of ``shards``. ``table.attrs["provenance"]`` is the summary of their
        provenances (see :func:`~contrastlib.report.results.provenance.summary`).

    Raises:
        CannotWrite: Nothing can be written in the folder, or its disk is full.
        Exception: Any exception of ``work``. Finished shards remain in the cache.
    """
    cache = cache or RESULTS / "cache"
    sweep(cache)
    sweep_locks(cache)
    wanted = [Shard(study, version, work, shard, data, registry, cache, divisible) for shard in shards]
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
    from contrastlib.report.computing import workers  # imports Dask, which runs in one process do without

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
