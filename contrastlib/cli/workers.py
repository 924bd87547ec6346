"""Options of ``python -m contrastlib run`` for the workers that compute the shards of its studies."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager

from contrastlib.cli import arguments as types

KINDS = ("local", "gpus", "slurm")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser."""
    group = parser.add_argument_group("workers", "Without these options, each notebook computes by itself.")
    one = group.add_mutually_exclusive_group()
    one.add_argument(
        "--workers", type=types.workers, metavar="N", help="start N workers, which end with the command"
    )
    one.add_argument(
        "--scheduler",
        type=types.name,
        metavar="ADDRESS",
        help="use the workers of a Dask scheduler, such as tcp://10.0.0.2:8786",
    )
    group.add_argument(
        "--on",
        choices=KINDS,
        default="local",
        help=(
            "where workers start: processes of this machine (default), one process for each of its GPUs, or "
            "jobs of SLURM"
        ),
    )
    group.add_argument(
        "--time-limit",
        type=types.positive,
        metavar="SECONDS",
        help=("a worker ends, and another one computes its shard, after this time; four hours by default"),
    )
    group.add_argument(
        "--skip-unreadable",
        action="store_true",
        help=("skip images that cannot be read, and name them in the provenance of the results"),
    )


@contextmanager
def cluster(arguments: argparse.Namespace) -> Iterator[None]:
    """Let the studies of the context use the workers that the options ask for, and start these if need be.

    Args:
        arguments: The options.

    Raises:
        ValueError: The number of jobs is missing.
        ClusterError: The workers cannot be started, or no scheduler answers.
    """
    from contrastlib.report.notebooks import execution

    if arguments.on == "slurm" and not arguments.workers:
        raise ValueError("--on slurm needs the number of jobs: add --workers N")
    with execution.kernel_environment(_settings(arguments)), _address(arguments) as address:
        if address:
            from contrastlib.report.computing import shards, workers

            print(workers.described(address), flush=True)
            os.environ[shards.SCHEDULER] = address
        yield


def _settings(arguments: argparse.Namespace) -> dict[str, str]:
    """Environment variables of the options that kernels read."""
    values = {
        "CONTRASTLIB_TIME_LIMIT": arguments.time_limit,
        "CONTRASTLIB_SKIP_UNREADABLE": int(arguments.skip_unreadable),
    }
    return {name: str(value) for name, value in values.items() if value}


@contextmanager
def _address(arguments: argparse.Namespace) -> Iterator[str | None]:
    """Address of a scheduler, which is started if need be. None if each notebook computes by itself."""
    if arguments.scheduler or not (arguments.workers or arguments.on == "gpus"):
        yield arguments.scheduler
    else:
        from contrastlib.report.machines import clusters  # imports Dask

        with clusters.started(arguments.on, arguments.workers or None) as address:
            yield address
