"""Measured runs of studies in one process and by workers, and seconds until a killed worker is replaced."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import torch
from distributed import Client

from benchmarks.networks import as_studies_have_it
from benchmarks.scaling.passes import operations, side_by_side
from contrastlib.report import studies
from contrastlib.report.computing import batches, shards
from contrastlib.report.machines import clusters
from contrastlib.report.results import storage

SHARD = 4
"""Images in a shard of these runs, so that short runs have several."""
TRIVIAL = 16
"""Number of shards without work whose time is that of a shard."""
KILLS = 10


@dataclass(frozen=True)
class Job:
    """A study that is measured.

    Attributes:
        study: Its name.
        network: A network that the repository has.
        images: Numbers of drawn birds, of which the smallest calibrates the model.
        options: Options of the evaluation.
    """

    study: str
    network: str
    images: tuple[int, ...]
    options: dict[str, Any]


JOBS = (
    Job("sign_perturbation", "birds_resnet", (16, 32, 64), {"iterations": (1, 2)}),
    Job("masking_table", "birds_resnet", (8, 16, 32), {"methods": ("gradcam",), "threshold": 0.0}),
)
"""Parts of Figure 3 and of Table 1 of wang2022, which take minutes."""


def table(rounds: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure each job in one process, with one and with two threads, and by one and by two workers.

    Args:
        rounds: How often each run is measured, in turn with the others.

    Returns:
        A row for each run, with study, network, images, workers (0 in one process), threads, shards, forwards
        and backwards (passes of an image), others (processors that other programs used meanwhile), and
        seconds: of the run by workers that have begun (seconds), of their start (start), of a shard without
        work (shard), and of bare passes of an image beside the run (forward, backward). The same with
        ``_cpu`` are seconds of processors. And a row for each shard of the runs with one thread, with study,
        workers and seconds.
    """
    rows, parts = [], []
    for turn in range(rounds):
        for job in JOBS:
            passes = passes_of(job)
            most = job.images[-1]
            settings = [(images, 0, 1) for images in job.images] + [(most, 1, 1), (most, 2, 1), (most, 0, 2)]
            for images, workers, threads in settings:
                row, spent = run(job, images, workers, threads)
                rows.append({"round": turn, **row, **passes})
                print(rows[-1], flush=True)
                parts.append(pd.DataFrame({"study": job.study, "workers": workers, "seconds": spent}))
    return pd.DataFrame(rows), pd.concat(parts, ignore_index=True)


def run(job: Job, images: int, workers: int, threads: int) -> tuple[dict[str, Any], list[float]]:
    """Measure a run, by workers that have begun."""
    torch.set_num_threads(threads)
    batches.SHARD = SHARD
    batches.load_network(job.network)
    bare = side_by_side(job.network, max(workers, 1), 16)
    study, kept = studies.STUDIES[job.study], []

    def measured(cache: Path) -> None:
        studies.run(study, {job.network: ["birds", images]}, cache=cache, **job.options)
        tables = map(storage.load, sorted(cache.glob("*.parquet")))
        kept.extend(each.attrs["provenance"]["seconds"] for each in tables)

    with _pool(workers) as clock:
        start = _time(clock, lambda cache: _without_work(warm, job, max(workers, 1), cache))
        shard = _time(clock, lambda cache: _without_work(idle, job, TRIVIAL, cache))
        spent = _time(clock, measured)
    count = max(workers, 1)
    return {
        "study": job.study,
        "network": job.network,
        "images": images,
        "workers": workers,
        "threads": threads,
        "shards": len(kept),
        "others": spent.others,
        "seconds": spent.wall,
        "seconds_cpu": spent.cpu,
        "start": start.wall,
        "start_cpu": start.cpu / count,
        "shard": shard.wall / TRIVIAL * count,
        "shard_cpu": shard.cpu / TRIVIAL,
        **bare,
    }, kept if threads == 1 else []


def passes_of(job: Job) -> dict[str, float]:
    """Forward and backward passes of an image in a study, the latter in operations of a forward pass."""
    model = batches.load_network(job.network).requires_grad_(False)
    images = torch.stack([batches.load_dataset("birds", model.input_size)[i].image for i in range(2)])
    return count_passes(model, images, studies.STUDIES[job.study], job.options)


def count_passes(
    model: torch.nn.Module, images: torch.Tensor, study: studies.Study, options: dict[str, Any], **given: Any
) -> dict[str, float]:
    """Count the passes of a study.

    Args:
        model: A network.
        images: Images (B, 3, H, W).
        study: The study.
        options: Options of its evaluation.
        **given: Further arguments, such as objects.

    Returns:
        forwards: images in forward passes; backwards: operations of all else in units of those of a forward
        pass. Both are for one of the images.
    """
    model, images = as_studies_have_it(model, images)
    with torch.no_grad():
        unit = operations(lambda: model(images)) / len(images)
    counted: list[int] = []
    handle = model.register_forward_pre_hook(lambda _, inputs: counted.append(len(inputs[0])))
    labels = torch.zeros(len(images), dtype=torch.long)
    arguments = {**study.options, **options, **given}
    try:
        spent = operations(lambda: study.evaluation(model, images, labels, **arguments))
    finally:
        handle.remove()
    forwards = sum(counted) / len(images)
    return {"forwards": forwards, "backwards": max(0.0, spent / unit / len(images) - forwards)}


def restarts(kills: int = KILLS) -> pd.DataFrame:
    """Kill one of two workers again and again.

    Args:
        kills: How often.

    Returns:
        A row for each kill, with seconds until the new worker has loaded the network.
    """
    network, found = JOBS[0].network, []
    with clusters.started("local", 2) as address, Client(address, set_as_default=False) as client:
        client.run(warm, network)
        for _ in range(kills):
            pids = client.run(os.getpid)
            worker, pid = min(pids.items())
            os.kill(pid, signal.SIGKILL)
            began = time.perf_counter()
            while True:
                with contextlib.suppress(Exception):  # the worker that ends answers in several ways
                    now = client.run(os.getpid, on_error="ignore")
                    if len(now) == 2 and pid not in now.values():
                        break
                time.sleep(0.02)
            client.run(warm, network)
            found.append({"seconds": time.perf_counter() - began})
            print(worker, found[-1], flush=True)
    return pd.DataFrame(found)


def client_seconds(count: int = 200) -> float:
    """Processor time of the client of two workers for a shard: to send it, and to read its table."""
    with _pool(2) as clock:
        began = time.process_time()
        _time(clock, lambda cache: _without_work(idle, JOBS[0], count, cache))
        return (time.process_time() - began) / count


def warm(network: str, number: int = 0) -> pd.DataFrame:
    """Load what a worker needs."""
    batches.load_dataset("birds", batches.load_network(network).input_size)
    return pd.DataFrame({"number": [number]})


def idle(network: str, number: int) -> pd.DataFrame:
    """Compute nothing."""
    return pd.DataFrame({"number": [number]})


def _without_work(work: Callable[..., pd.DataFrame], job: Job, count: int, cache: Path) -> None:
    parameters = [{"network": job.network, "number": number} for number in range(count)]
    shards.sharded(work.__name__, 1, work, parameters, {}, cache)


@dataclass(frozen=True)
class Spent:
    """Seconds of a call: elapsed, of processors, and the number of processors that other programs used."""

    wall: float
    cpu: float
    others: float


Clock = Callable[[], tuple[float, float, float]]
"""Function that returns elapsed seconds, and those of processors: of this measurement and of all programs."""


def _time(clock: Clock, work: Callable[[Path], object]) -> Spent:
    """Seconds of a call with a new cache."""
    with tempfile.TemporaryDirectory() as folder:
        began = clock()
        work(Path(folder))
        wall, cpu, every = (after - before for after, before in zip(clock(), began))
    return Spent(wall, cpu, (every - cpu) / wall)


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[Clock]:
    """Let studies use new workers, or this process."""
    with contextlib.ExitStack() as stack:
        client = None
        if workers:
            address = stack.enter_context(clusters.started("local", workers))
            client = stack.enter_context(Client(address, set_as_default=False))
        os.environ[shards.SCHEDULER] = address if workers else ""
        stack.callback(os.environ.pop, shards.SCHEDULER)

        def clock() -> tuple[float, float, float]:
            theirs = sum(client.run(time.process_time).values()) if client else 0
            times = psutil.cpu_times()
            return time.perf_counter(), time.process_time() + theirs, sum(times) - times.idle - times.iowait

        yield clock
