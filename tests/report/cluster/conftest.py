"""Schedulers, workers and runs in processes of their own."""

import json
import os
import subprocess
import sys
import textwrap

import pytest
import shard_work
from cluster_checks import PATHS, until, wanted
from processes import processes

from contrastlib.report.computing import shards

APART = "sh", "-c", '{first} && exec "$@"', "sh"
PROGRAM = """
    import json, os, sys
    from pathlib import Path
    import shard_work
    from contrastlib.report.computing import shards
    from contrastlib.report.machines import clusters

    if __name__ == "__main__":
        folder, wanted = Path(sys.argv[1]), json.loads(sys.argv[2])
        def run():
            table = shards.sharded("work", 1, shard_work.noted, wanted, {"images": "1"}, folder / "cache")
            print("places", table["place"].tolist(), flush=True)
        if os.environ.get(shards.SCHEDULER):
            run()
        else:
            with clusters.started("local", 2) as os.environ[shards.SCHEDULER]:
                run()
"""


@pytest.fixture(autouse=True)
def found(monkeypatch):
    """Processes that are started find contrastlib and the modules of this folder."""
    monkeypatch.setenv("PYTHONPATH", PATHS)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """``run(address, work, **parameters)``: the table, computed by the workers of a scheduler."""

    def call(address="", work=shard_work.noted, folder=tmp_path, cache=None, **parameters):
        monkeypatch.setenv(shards.SCHEDULER, address)
        return shards.sharded(
            "work", 1, work, wanted(folder, **parameters), {"images": "1"}, cache or folder / "cache"
        )

    return call


@pytest.fixture
def start():
    """``start(*words)``: a process of Python, with what it prints, until the end of the test.

    ``within`` are the words of a command that runs it, such as those of :func:`apart`.
    """
    with processes() as start:
        yield lambda *words, within=(), **variables: start(
            [*within, sys.executable, *words], env=os.environ | variables, start_new_session=True
        )


@pytest.fixture
def apart():
    """``apart(first, *kinds)``: words of a command in namespaces of its own, where ``first`` runs first."""

    def call(first, *kinds):
        words = ["unshare", *kinds, *(word.format(first=first) for word in APART)]
        if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
            pytest.skip("needs permission to make a namespace")
        return words

    return call


@pytest.fixture
def scheduler(start, tmp_path):
    """A Dask scheduler as users start it; ``scheduler.worker()`` adds a worker, which needs seconds."""
    file = tmp_path / "scheduler.json"
    process = start(
        "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", file
    )
    until(file.exists, process)
    process.address = json.loads(file.read_text())["address"]
    process.worker = lambda *words, **variables: start(
        "-m",
        "distributed.cli.dask_worker",
        process.address,
        "--nthreads",
        "1",
        "--no-dashboard",
        *words,
        **variables,
    )
    return process


@pytest.fixture
def program(start, tmp_path):
    """``program(seconds)``: a process that computes the shards, with two own workers or with a scheduler."""
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(PROGRAM))
    return lambda seconds, folder=tmp_path, **variables: start(
        file, folder, json.dumps(wanted(folder, seconds=seconds)), **variables
    )
