"""Dask clusters that last as long as a command: processes of this machine, of its GPUs, or jobs of SLURM.

The scheduler is in a process of its own, which waits at a pipe. The system closes the pipe when the command
ends, however it ends. Then the scheduler, its workers and its jobs end too.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import takewhile
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from contrastlib.assets.errors import one_line
from contrastlib.report.machines.allocation import ALLOCATION

if TYPE_CHECKING:
    from distributed.deploy import Cluster

IN_FLIGHT = 2
"""Number of shards that a worker has or will have next."""
LOCALHOST = "127.0.0.1"
PATIENCE = 20
"""Seconds in which a cluster ends by itself."""
SETTINGS = {
    "DASK_LOGGING__DISTRIBUTED": "warning",
    "DASK_DISTRIBUTED__WORKER__MEMORY__TARGET": "False",  # results are small: there is nothing to spill
    "DASK_DISTRIBUTED__WORKER__MEMORY__SPILL": "False",
    "DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE": "False",  # networks stay: a worker would pause for good
    "OMP_NUM_THREADS": "1",
    **ALLOCATION,
}
"""Environment variables of clusters, unless they are set: settings of Dask, of threads and of memory."""


class ClusterError(RuntimeError):
    """A cluster cannot be used, or no longer. The message says why, and what to do."""

    exit_status = 1


@contextmanager
def started(kind: str, workers: int | None = None) -> Iterator[str]:
    """Start a cluster. It ends with the context, or with this process.

    Args:
        kind: "local" for processes of this machine, "gpus" for one process for each GPU, or "slurm" for jobs,
            each of which is a worker.
        workers: Number of workers. None for one for each GPU.

    Yields:
        Address of its scheduler.

    Raises:
        ClusterError: It cannot be started. The message says why.
    """
    spawned = multiprocessing.get_context("spawn")
    own, other = spawned.Pipe()
    process = spawned.Process(target=_serve, args=(kind, workers, other), name="cluster")
    process.start()
    other.close()
    try:
        yield _answer(own)
    finally:
        own.close()
        process.join(PATIENCE)
        process.kill()


def _answer(pipe: Connection) -> str:
    """Receive the address of a cluster that starts.

    Raises:
        ClusterError: It did not start.
    """
    try:
        address, problem = pipe.recv()
    except EOFError:
        address, problem = None, "its process ended"
    if problem:
        raise ClusterError(f"the workers cannot be started: {problem}")
    return address


def _serve(kind: str, workers: int | None, pipe: Connection) -> None:
    """Start a cluster, and end it when the pipe is closed or this process is terminated."""
    os.setsid()  # Ctrl-C is for the command alone
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    for name, value in SETTINGS.items():  # Dask reads its own when it is imported
        os.environ.setdefault(name, value)
    try:
        with KINDS[kind](workers) as cluster:
            pipe.send((cluster.scheduler_address, None))
            with suppress(EOFError):
                pipe.recv()
    except Exception as error:  # noqa: BLE001 (the command raises it)
        with suppress(OSError):
            pipe.send((None, one_line(error) or type(error).__name__))


def _local(workers: int | None) -> Cluster:
    """Processes of this machine."""
    return _processes([{}] * (workers or 1))


def _gpus(workers: int | None) -> Cluster:
    """A process for each GPU of this machine, or for the first of them. A process sees its own GPU only."""
    devices = _devices()
    if len(devices) < (workers or 1):
        raise ClusterError(f"there are {len(devices)} GPUs here: start as many workers, or local ones")
    return _processes([{"CUDA_VISIBLE_DEVICES": device} for device in devices[:workers]])


def _devices() -> list[str]:
    """The GPUs of this machine that this process may use."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not visible:
        return [str(number) for number in range(torch.cuda.device_count())]
    return list(takewhile(lambda device: device.strip() != "-1", visible.split(",")))  # as CUDA reads it


def _processes(environments: Sequence[Mapping[str, str]]) -> Cluster:
    """A process of this machine for each set of environment variables. Each has an equal share of memory."""
    from distributed import Nanny, Scheduler, SpecCluster
    from distributed.system import MEMORY_LIMIT

    share = MEMORY_LIMIT // len(environments)
    options = {"nthreads": 1, "memory_limit": share, "host": LOCALHOST}
    workers = {
        number: {"cls": Nanny, "options": {**options, "env": dict(environment)}}
        for number, environment in enumerate(environments)
    }
    scheduler = {"host": LOCALHOST, "port": 0, "dashboard_address": f"{LOCALHOST}:0"}
    return SpecCluster(workers, scheduler={"cls": Scheduler, "options": scheduler})


def _slurm(workers: int | None) -> Cluster:
    """Jobs of SLURM, as the configuration of dask-jobqueue describes them. A job that ends is replaced."""
    if not shutil.which("sbatch"):
        raise ClusterError("there is no SLURM here, since no command sbatch is found")
    from dask_jobqueue import SLURMCluster

    cluster = SLURMCluster(processes=1, scheduler_options={"dashboard_address": ":0"})
    cluster.adapt(minimum=workers, maximum=workers)
    return cluster


KINDS = {"local": _local, "gpus": _gpus, "slurm": _slurm}
"""Kind of cluster -> function that starts one."""
