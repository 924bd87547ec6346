"""Table 1 by jobs of a real SLURM, some of which are killed."""

import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from contrastlib.report import studies
from contrastlib.report.computing import batches, shards
from contrastlib.report.machines import clusters

pytestmark = pytest.mark.cluster
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def slurm():
    """A SLURM that runs here, started if need be."""
    if shutil.which("sinfo") and subprocess.run(["sinfo"], capture_output=True, check=False).returncode == 0:
        yield
        return
    done = subprocess.run(["bash", HERE / "slurm.sh", "start"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs SLURM: {done.stderr.strip()[-200:]}")
    yield
    subprocess.run(["bash", HERE / "slurm.sh", "stop"], check=True)


def jobs():
    return subprocess.run(
        ["squeue", "-h", "-o", "%i"], capture_output=True, text=True, check=True
    ).stdout.split()


def test_table_1_by_jobs_of_which_some_are_cancelled(slurm, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "SHARD", 4)
    table_1 = replace(studies.masking_table, batch=4)
    for name, value in {
        "CORES": "1",
        "MEMORY": "2GB",
        "WALLTIME": "00:10:00",
        "INTERFACE": "lo",
        "LOG_DIRECTORY": str(tmp_path),
        "DEATH_TIMEOUT": "300",
    }.items():
        monkeypatch.setenv(f"DASK_JOBQUEUE__SLURM__{name}", value)

    def table(cache):
        return studies.run(table_1, {"birds_alexnet": ["birds", 24]}, cache=tmp_path / cache, threshold=0.0)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    here = table("here")
    torch.set_num_threads(threads)
    with clusters.started("slurm", 2) as address:
        deadline = time.monotonic() + 300
        while len(jobs()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        monkeypatch.setenv(shards.SCHEDULER, address)
        first = f"until compgen -G '{tmp_path}/slurm/*.parquet'; do sleep 0.1; done; scancel {jobs()[0]}"
        cancelling = subprocess.Popen(["bash", "-c", first], stdout=subprocess.DEVNULL)
        there = table("slurm")
        assert cancelling.wait(timeout=10) == 0
    pd.testing.assert_frame_equal(there, here, check_exact=True)
    deadline = time.monotonic() + 300
    while jobs():
        assert time.monotonic() < deadline, "jobs are left"
        time.sleep(0.5)
