"""What machines do to long runs: processes that are killed, hang or take all memory."""

import os
import random
import re
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import psutil
import pytest
import shard_work
from cluster_checks import PATHS, PLACES, STARTS, calls, same, until, whole
from distributed import Client

from contrastlib.report import studies
from contrastlib.report.computing import batches, shards, workers
from contrastlib.report.machines import clusters
from contrastlib.report.machines.clusters import ClusterError
from contrastlib.report.results import storage

pytestmark = pytest.mark.cluster
RANDOM = random.Random(0)


# --- workers ---------------------------------------------------------------------------------


def test_a_worker_that_hangs_is_ended_and_its_shard_computed_elsewhere(run, tmp_path, monkeypatch):
    monkeypatch.setenv(workers.TIME_LIMIT, "20")  # the first shard of a worker imports torch
    with clusters.started("local", 2) as address:
        whole(run(address, shard_work.hanging_once), tmp_path)
    assert (tmp_path / "first").exists()


def test_a_worker_that_is_killed_for_its_memory(run, tmp_path, capsys):
    """Each time at the same shard: after some workers its batch is halved."""
    with clusters.started("local", 2) as address:
        table = run(address, shard_work.killed_for_memory)
    assert table["place"].tolist() == PLACES and table.attrs["provenance"]["batch"] == 4
    said = capsys.readouterr().err
    assert "several workers ended during a shard of work" in said and "batches of 4 instead of 8" in said
    assert ["10", "4"] in [call[:2] for call in calls(tmp_path)]


def test_a_worker_that_takes_too_much_memory(run, scheduler, capsys):
    """Dask ends it: 3.2 GB for a batch of 32, of 2 GB."""
    scheduler.worker("--memory-limit", "2GB", **clusters.SETTINGS)
    table = run(scheduler.address, shard_work.greedy, batch=32)
    assert table["place"].tolist() == PLACES
    assert "batches of 16 instead of 32" in capsys.readouterr().err


def test_a_shard_at_which_every_worker_ends(run):
    with (
        clusters.started("local", 2) as address,
        pytest.raises(
            ClusterError,
            match=(
                r"several workers ended during a shard of work \(.*'start': 10.*their logs say why\. "
                r"A worker ends when its memory"
            ),
        ),
    ):
        run(address, shard_work.killed_for_memory, batch=1, least=0)


def test_a_worker_with_other_versions_is_refused(run, scheduler, tmp_path):
    other = tmp_path / "other" / "zennit-0.0.1.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: zennit\nVersion: 0.0.1\n")
    scheduler.worker(PYTHONPATH=f"{other.parent}{os.pathsep}{PATHS}")
    here = workers.versions()["zennit"]
    with pytest.raises(
        ClusterError,
        match=rf"the worker tcp://.* has zennit 0\.0\.1, and this process has zennit {here}: install",
    ):
        run(scheduler.address)
    assert not calls(tmp_path) and not list(tmp_path.glob("cache/*.parquet"))


class killing:
    """Kill one of the workers at random moments, three times: after four times, a batch would be halved.

    Each time after another shard is kept, so that runs on slow machines go on too.
    """

    def __init__(self, address, cache, longest):
        self.address, self.cache, self.longest, self.killed = address, cache, longest, []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.kill)

    def kill(self):
        kept, before = 0, set()
        with Client(self.address, set_as_default=False) as client:
            while len(self.killed) < 3 and not self.ended.wait(RANDOM.uniform(0, self.longest)):
                now = set(client.run(os.getpid).values())
                found = len(list(self.cache.glob("*.parquet")))
                if found > kept and now & before:  # Dask may miss the end of a worker that has just begun
                    kept = found
                    self.killed.append(RANDOM.choice(sorted(now & before)))
                    os.kill(self.killed[-1], signal.SIGKILL)
                before = now

    def __enter__(self):
        self.thread.start()
        return self.killed

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def test_table_1_by_workers_that_are_killed_at_random(tmp_path, monkeypatch, one_thread):
    monkeypatch.setattr(batches, "SHARD", 4)
    table_1 = replace(studies.masking_table, batch=4)

    def table(cache):
        return studies.run(table_1, {"birds_alexnet": ["birds", 24]}, cache=tmp_path / cache, threshold=0.0)

    here = table("here")
    with clusters.started("local", 2) as address, killing(address, tmp_path / "workers", 3) as killed:
        monkeypatch.setenv(shards.SCHEDULER, address)
        same(table("workers"), here)
    assert killed


@pytest.mark.data(
    "imagenet_sample_1000.zip", "mobilenet_v2_inat_birds_fp16.safetensors", "inat_birds_labels.txt"
)
def test_the_committed_table_1_by_workers_that_are_killed_at_random(tmp_path, monkeypatch):
    """Another machine may have computed it, with another number of threads: to the last digits, but for ties.

    Of two pixels of a map that are equal up to rounding, the other machine may have masked the other one. So
    a few values in a thousand may differ, and no mean of a cell by a twentieth of the smallest effect.
    """
    monkeypatch.setattr(batches, "SHARD", 16)
    monkeypatch.setenv(
        workers.TIME_LIMIT, "600"
    )  # of a shard, which takes seconds: nothing hangs without end
    name = "mobilenet_v2_birds"
    committed = storage.load(storage.RESULTS / "real" / f"masking_table-{name}.parquet")
    with clusters.started("local", 2) as address, killing(address, tmp_path, 10) as killed:
        monkeypatch.setenv(shards.SCHEDULER, address)
        table = studies.run(studies.masking_table, {name: ["imagenet-birds", None]}, cache=tmp_path)
    assert killed
    value = "relative_probability"
    same_but = {"check_exact": False, **shards.TOLERANCE}
    pd.testing.assert_frame_equal(table.drop(columns=value), committed.drop(columns=value), **same_but)
    assert np.isclose(table[value], committed[value], **shards.TOLERANCE).mean() > 0.997
    cell = ["method", "contrast", "rank", "mask_rule", "kept_sign", "baseline"]
    moved = table.groupby(cell)[value].mean() - committed.groupby(cell)[value].mean()
    assert moved.abs().max() < 0.02 / 20


# --- clients and schedulers ----------------------------------------------------------------------


def test_a_client_that_is_killed(run, program, tmp_path):
    with clusters.started("local", 2) as address:
        client = program(0.5, **{shards.SCHEDULER: address})
        until(lambda: len(list(tmp_path.glob("cache/*.parquet"))) >= 3, client)
        client.kill()
        whole(run(address, seconds=0.5), tmp_path)


def test_a_scheduler_that_is_killed(run, scheduler, tmp_path):
    scheduler.worker()

    def kill():
        until(lambda: len(list(tmp_path.glob("cache/*.parquet"))) >= 3)
        scheduler.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(
        ClusterError,
        match=rf"the Dask scheduler at {re.escape(scheduler.address)} ended: finished shards are kept",
    ):
        run(scheduler.address, seconds=0.5)
    killer.join()
    assert len(list(tmp_path.glob("cache/*.parquet"))) >= 3
    whole(run(seconds=0.5), tmp_path, doubled=1)


def within_a_shard(process, folder, seconds):
    """Wait until a process has kept some shards, at most half, and for a part of the seconds of one."""
    kept = RANDOM.randint(1, len(STARTS) // 2)
    until(lambda: len(list(folder.glob("cache/*.parquet"))) >= kept, process)
    time.sleep(RANDOM.uniform(0, seconds))


def test_a_run_that_is_killed_at_20_random_moments(run, program, tmp_path):
    """With its scheduler and its workers, of which none is left.

    Each run has a cache of its own, and most have a part of the shards.
    """
    kept, seconds = [], 0.5
    for turn in range(20):
        folder = tmp_path / str(turn)
        folder.mkdir()
        process = program(seconds, folder)
        if turn % 5:
            within_a_shard(process, folder, seconds)
        else:
            time.sleep(RANDOM.uniform(0.5, 7))  # while it starts
        started = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        assert psutil.wait_procs(started, timeout=30)[1] == []
        kept.append(len(list(folder.glob("cache/*.parquet"))))
        whole(run(folder=folder, seconds=seconds), folder, doubled=2)
    assert sum(0 < count < len(STARTS) for count in kept) >= 12, kept


def test_two_runs_with_workers_of_their_own_on_one_cache(program, tmp_path):
    first, second = program(0.5), program(0.5)
    for process in (first, second):
        said = process.communicate(timeout=600)[0]
        assert process.returncode == 0 and f"places {PLACES}" in said, said
    assert sorted(int(start) for start, *_ in calls(tmp_path)) == list(STARTS)


def test_workers_that_come_late_are_waited_for(run, scheduler, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(workers, "ALONE", 1)
    late = threading.Timer(4, scheduler.worker)
    late.start()
    whole(run(scheduler.address), tmp_path)
    assert capsys.readouterr().err.count("no worker is connected to the scheduler: shards wait for one") == 1


# --- GPUs ------------------------------------------------------------------------------


def test_each_gpu_has_a_worker(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    with clusters.started("gpus") as address, Client(address, set_as_default=False) as client:
        assert sorted(client.run(os.getenv, "CUDA_VISIBLE_DEVICES").values()) == ["4", "7"]


@pytest.mark.parametrize("visible, count", [("4,7", 2), ("4,-1,7", 1), ("-1", 0)])
def test_more_workers_than_gpus(monkeypatch, visible, count):
    """What follows a device -1 is not seen."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(ClusterError, match=f"there are {count} GPUs here"), clusters.started("gpus", 3):
        pass
