"""Model of the time of a run with workers, and its records, for page 21.

The model has five costs: a forward pass and a backward pass of an image, the rest of an image, a shard, and
the start of a worker. ``python -m benchmarks.scaling`` measures them. :func:`simulate` schedules shards as
:mod:`contrastlib.report.computing.workers` does, with workers that end at random moments.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from contrastlib.report.computing.batches import SHARD
from contrastlib.report.machines.clusters import IN_FLIGHT
from contrastlib.report.results.benchmark_records import FOLDER
from contrastlib.report.results.storage import load

RECORDS = FOLDER / "scaling"
TABLES = ("passes", "runs", "shards", "restarts", "paper")
LIMIT = 0.15
"""Relative error that the model promises for a measured run. It was set before the first measurement."""


def records(folder: str | Path | None = None) -> dict[str, pd.DataFrame]:
    """Load the records of ``python -m benchmarks.scaling``.

    Args:
        folder: Their folder. If None, it is data/results/benchmarks/scaling of this repository.

    Returns:
        Name -> table: "passes" (cost of a pass by network and size), "runs" (measured runs), "shards"
        (seconds of each shard), "restarts" (seconds until a worker that was killed is replaced), and "paper"
        (what the profile paper computes).

    Raises:
        FileNotFoundError: A record is missing.
        DamagedResult: A record is damaged. The message names its file.
    """
    folder = RECORDS if folder is None else Path(folder)
    return {name: load(folder / f"{name}.parquet") for name in TABLES}


def predicted(runs: pd.DataFrame, clock: str = "", with_start: bool = False) -> pd.DataFrame:
    """Predict the seconds of measured runs.

    The costs of passes come from bare passes that were measured beside each run, by as many processes as the
    run has workers. The rest of an image comes from the smallest run of each study in one process. The start
    of workers is part of a run only if that is asked for. It is predicted by the mean start of the workers of
    the other runs.

    Args:
        runs: Record of runs, see :func:`records`. Rows with 0 workers were computed in one process.
        clock: "" for elapsed seconds, or "_cpu" for those of all processors together. Other programs of the
            machine change the latter little.
        with_start: Whether elapsed seconds include the start of workers.

    Returns:
        The rows with measured, predicted, error (predicted / measured - 1) and calibrated, which is True for
        the runs from which the rest of an image is taken.
    """
    forward, backward, shard, measured = (
        runs[name + clock] for name in ("forward", "backward", "shard", "seconds")
    )
    bare = runs["forwards"] * forward + runs["backwards"] * backward
    own = (measured - runs["shards"] * shard) / runs["images"] / bare
    calibrated = (runs["workers"] == 0) & (runs["images"] == runs.groupby("study")["images"].transform("min"))
    image = bare * runs["study"].map(own[calibrated].groupby(runs["study"]).mean())
    at_once = runs["workers"].clip(lower=1)
    if clock:
        seconds = runs["shards"] * shard + runs["images"] * image
    else:
        tasks = zip(map(_sizes, runs["images"], runs["shards"]), image, shard, at_once)
        seconds = [
            simulate([size * cost + extra for size in sizes], count).seconds
            for sizes, cost, extra, count in tasks
        ]
    table = runs.assign(measured=measured, predicted=seconds, calibrated=calibrated)
    if with_start:
        starts = runs["start"].where(runs["workers"] > 0, 0)
        table["measured"] += starts
        table["predicted"] += ((starts.sum() - starts) / ((starts > 0).sum() - 1)).where(starts > 0, 0)
    return table.assign(error=table["predicted"] / table["measured"] - 1)


def _sizes(images: int, shards: int) -> list[int]:
    """Numbers of images in shards, of which the last one may be smaller."""
    size = math.ceil(images / shards)
    return [min(size, images - start) for start in range(0, images, size)]


def paper_scale(paper: pd.DataFrame, teraflops: float, shard: int = SHARD) -> pd.DataFrame:
    """Passes, shards, bytes and GPU time of the profile paper.

    Args:
        paper: Record of that name, see :func:`records`.
        teraflops: Operations a second of a GPU in these networks, in units of 10^12. It is not measured.
        shard: Images of a shard.

    Returns:
        The rows whose passes are counted, with passes, shards, read (bytes of image files) and hours (of a
        GPU).
    """
    counted = paper.dropna(subset="forwards")
    images = counted["images"] * counted["ways"]
    passes = images * (counted["forwards"] + counted["backwards"])
    return counted.assign(
        passes=passes,
        shards=np.ceil(counted["images"] / shard) * counted["ways"],
        read=images * counted["bytes"],
        hours=passes * counted["operations"] / (teraflops * 1e12) / 3600,
    )


def by_workers(
    jobs: pd.DataFrame,
    factors: Sequence[float],
    workers: Sequence[int],
    start: float = 0.0,
    load: float = 0.0,
    **options: Any,
) -> pd.DataFrame:
    """Simulate jobs one after the other, as a notebook computes them, for several numbers of workers.

    The workers start once. For each job the client loads the network, and then each worker does.

    Args:
        jobs: A row for each table, with hours (of one worker) and shards.
        factors: Seconds of measured shards over their mean. Each shard draws one of them.
        workers: Numbers of workers.
        start: Seconds until the workers have started.
        load: Seconds in which a process loads the network of a job.
        **options: Options of :func:`simulate`.

    Returns:
        A row for each number of workers, with workers, hours, begin (hours of them in which workers start and
        networks are loaded), lost (hours of computation) and ends.
    """
    generator, rows = np.random.default_rng(options.get("seed", 0)), []
    drawn = [
        3600 * row.hours / row.shards * generator.choice(factors, size=int(row.shards))
        for row in jobs.itertuples()
    ]
    for number in workers:
        runs = [simulate(each, number, load, **options) for each in drawn]
        rows.append(
            {
                "workers": number,
                "hours": (start + sum(load + run.seconds for run in runs)) / 3600,
                "begin": (start + 2 * load * len(runs)) / 3600,
                "lost": sum(run.lost for run in runs) / 3600,
                "ends": sum(run.ends for run in runs),
            }
        )
    return pd.DataFrame(rows)


def relative(shards: pd.DataFrame) -> np.ndarray:
    """Seconds of measured shards over the mean of their study and number of workers."""
    return (shards["seconds"] / shards.groupby(["study", "workers"])["seconds"].transform("mean")).to_numpy()


@dataclass
class Run:
    """A simulated run.

    Attributes:
        seconds: Time until the last table is kept.
        lost: Seconds of computation that ended with a worker.
        ends: Number of workers that ended.
    """

    seconds: float = 0.0
    lost: float = 0.0
    ends: int = 0


def simulate(
    shards: Sequence[float],
    workers: int,
    start: float = 0.0,
    lifetime: float = math.inf,
    restarts: Sequence[float] = (0.0,),
    client: float = 0.0,
    seed: int = 0,
) -> Run:
    """Schedule the shards of one table on workers.

    The client sends at most ``IN_FLIGHT`` shards for each worker. It keeps one table after the other. A
    worker that ends loses the shard that it computes, which goes to another one. It is replaced.

    Args:
        shards: Seconds of each shard, in the order in which they are sent.
        workers: Number of workers.
        start: Seconds until a worker computes for the first time.
        lifetime: Mean time until a worker ends. Lifetimes have an exponential distribution.
        restarts: Measured seconds until a worker is replaced. One of them is drawn at each end.
        client: Seconds in which the client keeps a table.
        seed: Seed of lifetimes and restarts.

    Returns:
        The run.

    Raises:
        ValueError: The number of workers or their lifetime is not positive.

    >>> simulate([2.0, 2.0, 2.0], workers=2).seconds
    4.0
    >>> simulate([2.0] * 4, workers=4, start=1.0, client=0.5).seconds
    5.0
    """
    if not len(shards):
        return Run()
    if workers < 1 or lifetime <= 0:
        raise ValueError(f"{workers} workers with a lifetime of {lifetime}: both must be positive")
    return _Schedule(shards, workers, start, lifetime, restarts, client, seed).run


@dataclass
class _Schedule:
    """State of a simulation. Events are (time, order, what, shard), and run in the order of their times."""

    shards: Sequence[float]
    workers: int
    start: float
    lifetime: float
    restarts: Sequence[float]
    client: float
    seed: int
    run: Run = field(default_factory=Run)

    def __post_init__(self) -> None:
        self.generator = np.random.default_rng(self.seed)
        self.unsent = deque(range(len(self.shards)))
        self.sent: deque[int] = deque()
        self.idle, self.order, self.keeping = 0, 0, 0.0
        self.events: list[tuple[float, int, str, int]] = []
        for _ in range(min(IN_FLIGHT * self.workers, len(self.shards))):
            self.sent.append(self.unsent.popleft())
        for _ in range(self.workers):
            self._later(self.start, "idle")
        kept = 0
        while kept < len(self.shards):
            now, _, what, shard = heapq.heappop(self.events)
            if what == "kept":
                kept += 1
                if self.unsent:
                    self.sent.append(self.unsent.popleft())
            elif what == "lost":
                self.sent.appendleft(shard)
            else:
                self.idle += 1
            if what == "finished":
                self.keeping = max(self.keeping, now) + self.client
                self._later(self.keeping, "kept")
            while self.idle and self.sent:
                self._begin(now, self.sent.popleft())
        self.run.seconds = float(self.keeping)

    def _begin(self, now: float, shard: int) -> None:
        """Give a shard to an idle worker, which finishes it or ends before that."""
        self.idle -= 1
        left = math.inf if math.isinf(self.lifetime) else self.generator.exponential(self.lifetime)
        if left >= self.shards[shard]:
            self._later(now + self.shards[shard], "finished")
            return
        self.run.lost += left
        self.run.ends += 1
        self._later(now + left, "lost", shard)
        self._later(now + left + self.generator.choice(self.restarts), "idle")

    def _later(self, when: float, what: str, shard: int = -1) -> None:
        self.order += 1
        heapq.heappush(self.events, (when, self.order, what, shard))
