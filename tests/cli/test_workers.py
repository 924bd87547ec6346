"""Options of the command run for workers, without workers."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from contrastlib.__main__ import main
from contrastlib.cli import failures
from contrastlib.cli import run as command
from contrastlib.cli import workers as options
from contrastlib.report.computing import batches, shards, workers
from contrastlib.report.machines import clusters
from contrastlib.report.notebooks import execution


@pytest.fixture
def used(monkeypatch):
    """The variables of workers that a notebook would see, and the cluster that the command started."""
    seen = {"started": None}

    @contextmanager
    def started(*arguments):
        seen["started"] = arguments
        yield "tcp://127.0.0.1:1"

    def update(plan, arguments):
        names = (shards.SCHEDULER, workers.TIME_LIMIT, batches.SKIP_UNREADABLE)
        seen.update({name: os.environ[name] for name in names if name in os.environ})

    monkeypatch.delenv(shards.SCHEDULER, raising=False)
    monkeypatch.setattr(clusters, "started", started)
    monkeypatch.setattr(workers, "described", lambda address: f"scheduler {address}")
    monkeypatch.setattr(execution, "parameters", lambda source, values: {})
    monkeypatch.setattr(command, "_update", update)
    return seen


@pytest.mark.parametrize(
    "words, started, address",
    [
        ([], None, None),
        (["--workers", "0"], None, None),
        (["--workers", "2"], ("local", 2), "tcp://127.0.0.1:1"),
        (["--on", "gpus"], ("gpus", None), "tcp://127.0.0.1:1"),
        (["--on", "slurm", "--workers", "8"], ("slurm", 8), "tcp://127.0.0.1:1"),
        (["--scheduler", "tcp://10.0.0.2:8786"], None, "tcp://10.0.0.2:8786"),
    ],
)
def test_what_is_started_and_what_notebooks_use(used, capsys, words, started, address):
    assert main(["run", "01_theory", *words]) == 0
    assert used["started"] == started and used.get(shards.SCHEDULER) == address
    assert (f"scheduler {address}" in capsys.readouterr().out) == bool(address)
    assert shards.SCHEDULER not in os.environ


def test_what_else_notebooks_are_told(used):
    assert main(["run", "01_theory", "--time-limit", "90", "--skip-unreadable"]) == 0
    assert used[workers.TIME_LIMIT] == "90" and used[batches.SKIP_UNREADABLE] == "1"


def test_kinds():
    assert options.KINDS == tuple(clusters.KINDS)


def test_jobs_need_a_number(used, capsys):
    assert main(["run", "01_theory", "--on", "slurm"]) == 2
    assert (
        capsys.readouterr().err == "contrastlib run: --on slurm needs the number of jobs: add --workers N\n"
    )


def test_a_scheduler_that_does_not_answer(monkeypatch, capsys):
    monkeypatch.setattr(workers, "CONNECTING", 1)
    assert main(["run", "01_theory", "--scheduler", "tcp://127.0.0.1:9"]) == 1
    error = capsys.readouterr().err
    assert (
        error.startswith("contrastlib run: no Dask scheduler answers at tcp://127.0.0.1:9 (")
        and error.count("\n") == 1
    )


@pytest.mark.slow
def test_one_process_does_without_dask():
    """A run imports Dask where there are workers only: it may not be installed."""
    program = """
import sys, tempfile
from pathlib import Path
import pandas as pd
from contrastlib.report.computing import shards
with tempfile.TemporaryDirectory() as folder:
    shards.sharded("one", 1, lambda: pd.DataFrame({"a": [1]}), [{}], {}, Path(folder))
sys.exit(any(name in sys.modules for name in ("dask", "distributed")))
"""
    environment = {name: value for name, value in os.environ.items() if name != shards.SCHEDULER}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0


@pytest.mark.parametrize("text", ["soon", "0", "-1", "inf", "nan", "1e10"])
def test_a_time_limit_that_is_none(monkeypatch, text):
    monkeypatch.setenv(workers.TIME_LIMIT, text)
    with pytest.raises(
        clusters.ClusterError, match=f"CONTRASTLIB_TIME_LIMIT is '{text}': give a positive number of seconds"
    ):
        workers.time_limit()


@pytest.mark.parametrize(
    "module, extra", [("distributed", "cluster"), ("dask_jobqueue", "cluster"), ("papermill", "report")]
)
def test_what_to_install(module, extra):
    error = ModuleNotFoundError(f"No module named {module!r}", name=module)
    assert failures.described(error) == (
        2,
        f"{module} is not installed: run `pip install -e .[{extra}]` in a clone of the repository",
    )


def test_a_cluster_that_cannot_be_started(monkeypatch, tmp_path):
    """Here SLURM, whose commands are not found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(clusters.ClusterError, match="the workers cannot be started: there is no SLURM here"),
        clusters.started("slurm", 2),
    ):
        pass
