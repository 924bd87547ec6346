"""Shards on the workers of a Dask cluster.

The process that wants the tables is the client. It sends a few shards to each worker. A worker computes one
shard at a time, keeps its table in the cache, and returns it. Dask gives the shard of a worker that ended to
another one. Networks and data remain in the memory of a worker
(:func:`contrastlib.report.computing.batches.load_network`).
"""

from __future__ import annotations

import faulthandler
import functools
import hashlib
import os
import platform
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pandas as pd
from distributed import Client, Future, KilledWorker, get_worker
from distributed import wait as wait_for
from distributed.comm import CommClosedError
from tqdm import tqdm

from contrastlib.assets.errors import is_for_memory, one_line
from contrastlib.assets.writing import CannotWrite, writable
from contrastlib.report.computing.code_digest import ACCEPTED
from contrastlib.report.machines.clusters import IN_FLIGHT, ClusterError
from contrastlib.report.results.provenance import deciding_releases

if TYPE_CHECKING:
    from contrastlib.report.computing.shards import Shard

TIME_LIMIT = "CONTRASTLIB_TIME_LIMIT"
"""Environment variable with the seconds after which a worker gives up a shard and ends."""
FOUR_HOURS = 4 * 60 * 60
CONNECTING = 30
"""Seconds in which a scheduler has to answer."""
ALONE = 60
"""Seconds without a finished shard after which a missing worker is mentioned."""

_one_at_a_time = threading.Lock()


def compute(shards: Sequence[Shard], address: str) -> Iterator[tuple[Shard, pd.DataFrame]]:
    """Compute shards on the workers of a cluster, and yield each when it is finished.

    A shard for which memory does not suffice is computed again with half the batch, with a message. So is a
    shard during which several workers ended: the system, or Dask, ends a process that takes too much memory.
    A shard that is not divisible is not.

    Args:
        shards: The shards.
        address: Address of the scheduler, such as "tcp://127.0.0.1:8786".

    Yields:
        A shard and its table, in the order in which they are finished.

    Raises:
        ClusterError: No scheduler answers, it ended, the versions of a worker differ, workers end during one
            shard, however small its batch, or memory does not suffice for a shard that is not divisible.
            Finished shards remain in the cache.
        Exception: Any exception of the function of a shard.
    """
    waiting = deque((shard, False) for shard in shards)
    with _connected(address) as client:
        pool = _Pool(client)
        while waiting or pool.running:
            for _ in range(min(len(waiting), pool.room())):
                pool.submit(*waiting.popleft())
            for shard, future in pool.finished():
                try:
                    table = future.result()
                except (KilledWorker, MemoryError, RuntimeError) as error:
                    waiting.appendleft((_halved(shard, error), False))
                    continue
                if table is None:  # another run computes it, which is waited for at the end
                    waiting.append((shard, True))
                else:
                    yield shard, table


def described(address: str) -> str:
    """Sentence about a cluster: its scheduler, its workers and its dashboard.

    Args:
        address: Address of the scheduler.

    Returns:
        The sentence.

    Raises:
        ClusterError: No scheduler answers.
    """
    with _connected(address) as client:
        count = len(client.nthreads())
        return f"scheduler {address}, with {count} workers now; its dashboard: {client.dashboard_link}"


def versions() -> dict[str, str]:
    """Versions that have to be the same in all processes that compute shards of one table.

    Returns:
        Name -> version: Python, the libraries that affect numbers, and contrastlib with a hash of the
        versions and the accepted code of its studies (:mod:`contrastlib.report.studies.versions`).

    >>> sorted(versions())[:3]
    ['Python', 'contrastlib', 'numpy']
    """
    code = hashlib.sha256(ACCEPTED.read_bytes()).hexdigest()[:8]
    python = ".".join(platform.python_version_tuple()[:2])
    return {"Python": python, "contrastlib": f"{version('contrastlib')} ({code})", **deciding_releases()}


def time_limit() -> float:
    """Seconds in which a worker has to compute a shard: those of ``CONTRASTLIB_TIME_LIMIT``, or four hours.

    Raises:
        ClusterError: The value is no positive number.
    """
    text = os.environ.get(TIME_LIMIT) or str(FOUR_HOURS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= threading.TIMEOUT_MAX:
        raise ClusterError(
            f"{TIME_LIMIT} is {text!r}: give a positive number of seconds, up to {threading.TIMEOUT_MAX:.0f}"
        )
    return seconds


class _Pool:
    """Shards on the workers of a cluster."""

    def __init__(self, client: Client) -> None:
        self.client, self.versions, self.limit = client, versions(), time_limit()
        self.running: dict[Future, Shard] = {}
        self.said = False

    def room(self) -> int:
        """Number of further shards that workers take. The scheduler is asked for the number of workers."""
        return IN_FLIGHT * max(1, len(self.client.nthreads())) - len(self.running)

    def submit(self, shard: Shard, wait: bool) -> None:
        """Send a shard to the cluster. Runs that share it, and the cache, share the shard."""
        key = (shard.path.stem, str(shard.cache), f"batch {shard.batch}, {wait}, limit {self.limit}")
        future = self.client.submit(_work, shard, wait, self.versions, self.limit, key=key)
        self.running[future] = shard

    def finished(self) -> Iterator[tuple[Shard, Future]]:
        """Wait until a shard is finished, and yield it and all others that are."""
        while True:
            try:
                with self.client.as_current():
                    done = wait_for(list(self.running), timeout=ALONE, return_when="FIRST_COMPLETED").done
                break
            except TimeoutError:
                self._mention_missing_workers()
        for future in done:
            yield self.running.pop(future), future

    def _mention_missing_workers(self) -> None:
        if not (self.said or self.client.nthreads()):
            self.said = True
            _say("no worker is connected to the scheduler: shards wait for one")


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    """Connect to a scheduler."""
    try:
        client = Client(address, timeout=CONNECTING, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {address} ({one_line(error)}): start it, or compute without it"
        ) from error
    try:
        yield client
    except (CancelledError, CommClosedError) as error:
        raise ClusterError(
            f"the Dask scheduler at {address} ended: finished shards are kept, start it and run this again"
        ) from error
    finally:
        client.close()


def _work(shard: Shard, wait: bool, expected: Mapping[str, str], limit: float) -> pd.DataFrame | None:
    """Compute a shard in a worker. See :meth:`contrastlib.report.computing.shards.Shard.table`.

    A worker that cannot write in the folder of the shard returns the table, and the client keeps it.
    """
    refuse_other_versions(expected, versions(), get_worker().address)
    limited = replace(shard, work=functools.partial(_limited, shard.work, limit))
    with _one_at_a_time:  # for the time limit, which is one of the process, and for memory
        try:
            writable(shard.cache)
        except CannotWrite:
            return limited.computed()
        return limited.table(wait)


def refuse_other_versions(client: Mapping[str, str], worker: Mapping[str, str], address: str) -> None:
    """Raise an error if a worker has other versions than the client.

    Args:
        client: :func:`versions` of the client.
        worker: Those of the worker.
        address: Address of the worker.

    Raises:
        ClusterError: They differ. The message has both.

    >>> refuse_other_versions({"torch": "2.6.0"}, {"torch": "2.5.1"}, "tcp://10.0.0.2:4000")
    Traceback (most recent call last):
    ...
    contrastlib.report.machines.clusters.ClusterError: the worker tcp://10.0.0.2:4000 has torch 2.5.1, and
    this process has torch 2.6.0: install the same versions, and start the worker again
    """
    names = [name for name in client if client[name] != worker.get(name)]
    if names:
        there, here = (", ".join(f"{name} {each.get(name)}" for name in names) for each in (worker, client))
        raise ClusterError(
            f"the worker {address} has {there}, and this process has {here}: install the same "
            "versions, and start the worker again"
        )


def _limited(work: Any, seconds: float, /, **parameters: Any) -> pd.DataFrame:
    """Call a function. If it takes too long, the process ends, with the stack of each thread in its log."""
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        return work(**parameters)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _halved(shard: Shard, error: Exception) -> Shard:
    """The shard with half the batch. Raises the error if a smaller batch does not help."""
    killed = isinstance(error, KilledWorker)
    if not (killed or is_for_memory(error)):
        raise error
    batch = shard.batch or shard.parameters.get("batch", 1)
    what = f"a shard of {shard.study} ({_shortened(dict(shard.parameters))})"
    ended = (
        f"several workers ended during {what}, and their logs say why. A worker ends when its memory is "
        f"short, and after {time_limit():g} seconds, which {TIME_LIMIT} changes"
    )
    if not shard.divisible:
        why, needed = (ended, "memory or time") if killed else (f"memory ran out during {what}", "memory")
        raise ClusterError(
            f"{why}. The rows of the shard depend on which images share a batch, so that it is not computed "
            f"with fewer than {batch} of them: give workers more {needed}"
        ) from error
    if batch > 1:
        why = "several workers ended during" if killed else "memory ran out during"
        _say(f"{why} {what}: it is computed again with batches of {batch // 2} instead of {batch}")
        return replace(shard, batch=batch // 2)
    if killed:
        raise ClusterError(ended) from error
    raise error


def _say(text: str) -> None:
    tqdm.write(text, file=sys.stderr)


def _shortened(value: object) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:120]}…"
