"""Shards on the workers of a real Dask cluster: the same tables, none lost, none computed twice."""

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import shard_work
from distributed import Client, KilledWorker

from contrastlib.report import studies
from contrastlib.report.computing import batches, shards, workers
from contrastlib.report.machines import clusters
from contrastlib.report.machines.allocation import ALLOCATION
from contrastlib.report.results.provenance import REPOSITORY

pytestmark = pytest.mark.slow
STARTS = (0, 10, 20, 30)
MODULES = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def address():
    """Address of a cluster with two processes, which find shard_work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), str(MODULES)]))
        with clusters.started("local", 2) as address:
            yield address


@pytest.fixture
def run(address, tmp_path, monkeypatch):
    """``run(work, cache, starts, **parameters)``: the table, computed by the workers.

    With ``here=True`` this process computes it.
    """

    def call(work=shard_work.noted, cache="cache", starts=STARTS, here=False, divisible=True, **parameters):
        monkeypatch.setenv(shards.SCHEDULER, "" if here else address)
        wanted = [{"folder": str(tmp_path), "start": start, "batch": 8, **parameters} for start in starts]
        return shards.sharded("work", 1, work, wanted, {"images": "1"}, tmp_path / cache, divisible=divisible)

    return call


def same(first, second):
    pd.testing.assert_frame_equal(first, second, check_exact=True)


# --- the same table -------------------------------------------------------------------------------


def test_the_same_table_in_any_order_and_no_shard_twice(run, tmp_path):
    here = run(cache="here", here=True)
    assert shard_work.calls(tmp_path) == [(start, 8) for start in STARTS]
    same(run(), here)
    assert sorted(shard_work.calls(tmp_path)) == [(start, 8) for start in STARTS]
    same(run(), here)
    same(run(here=True), here)
    assert run(starts=STARTS[::-1])["place"].tolist()[:3] == [30, 31, 32]
    assert shard_work.calls(tmp_path) == []
    same(run(cache="reversed", starts=STARTS[::-1]).sort_values("place", ignore_index=True), here)


def test_workers_keep_the_memory_of_large_tensors(address):
    """Dask's own setting would map each of them anew, page by page."""
    with Client(address, set_as_default=False) as client:
        for name, value in ALLOCATION.items():
            assert set(client.run(os.environ.get, name).values()) == {value}


def test_shards_of_workers_say_where_they_come_from(run):
    record = run().attrs["provenance"]
    assert record["shards"] == 4 and record["threads"] == 1 and record["study"] == "work"
    assert "batch" not in record and "skipped" not in record


@pytest.mark.parametrize("name", shard_work.STUDIES)
def test_the_same_table_of_a_study(address, tmp_path, monkeypatch, one_thread, name):
    """By one process in one shard, and by two workers in two shards: bit for bit."""
    study = replace(studies.STUDIES[name], batch=4)

    def table(cache):
        return studies.run(
            study, {"birds_alexnet": ["birds", 6]}, cache=tmp_path / cache, **shard_work.STUDIES[name]
        )

    monkeypatch.setenv(shards.SCHEDULER, "")
    here = table("here")
    monkeypatch.setenv(shards.SCHEDULER, address)
    monkeypatch.setattr(batches, "SHARD", 4)
    there = table("workers")
    same(there, here)
    assert [each.attrs["provenance"]["shards"] for each in (here, there)] == [1, 2]


# --- what workers have at one time ----------------------------------------------------------------


def test_few_shards_are_in_flight(run, monkeypatch):
    """Two for each worker, of 20. The scheduler is not asked about its workers for each of them."""
    starts, in_flight, asked = range(0, 200, 10), [], []
    submit, nthreads = workers._Pool.submit, Client.nthreads

    def submitted(self, *arguments):
        submit(self, *arguments)
        in_flight.append(len(self.running))

    def counted(self):
        asked.append(1)
        return nthreads(self)

    monkeypatch.setattr(workers._Pool, "submit", submitted)
    monkeypatch.setattr(Client, "nthreads", counted)
    run(starts=starts)
    assert len(in_flight) == len(starts) and max(in_flight) == 2 * clusters.IN_FLIGHT
    assert len(asked) <= len(starts)


def test_a_worker_loads_a_network_and_a_data_set_once(address, tmp_path, monkeypatch):
    monkeypatch.setenv(shards.SCHEDULER, address)
    monkeypatch.setattr(batches, "SHARD", 2)
    with Client(address, set_as_default=False) as client:
        before = client.run(shard_work.loads)
        study = replace(studies.masking_table, batch=2)
        studies.run(
            study, {"birds_resnet": ["birds", 12]}, cache=tmp_path, **shard_work.STUDIES["masking_table"]
        )
        after = client.run(shard_work.loads)
    loaded, found = 0, 0
    for worker, kinds in after.items():
        for (misses, hits), (misses_before, hits_before) in zip(kinds, before[worker]):
            assert misses - misses_before <= 1
            loaded, found = loaded + misses - misses_before, found + hits - hits_before
    assert loaded >= 1 and loaded + found == 2 * 6, "a network and a data set for each of six shards"


# --- faults that take seconds -----------------------------------------------------------------


def test_an_error_keeps_the_other_shards(run, tmp_path):
    with pytest.raises(ValueError, match=r"the image cat\.jpg is no image"):
        run(shard_work.failing)
    run(here=True)
    assert (10, 8) in shard_work.calls(tmp_path)


def test_a_batch_that_does_not_fit_memory_is_halved(run, tmp_path, capsys):
    table = run(shard_work.refusing_memory)
    assert table["place"].tolist() == [start + i for start in STARTS for i in range(3)]
    assert sorted(shard_work.calls(tmp_path)) == [(0, 8), (10, 2), (20, 8), (30, 8)]
    said = capsys.readouterr().err
    assert "memory ran out during a shard of work" in said and "batches of 2 instead of 4" in said
    assert table.attrs["provenance"]["batch"] == 2
    same(run(shard_work.refusing_memory), table)


def test_a_batch_whose_images_belong_together_is_not_halved(run, tmp_path):
    said = "memory ran out during a shard of work .* not computed with fewer than 8 of them"
    with pytest.raises(clusters.ClusterError, match=said):
        run(shard_work.refusing_memory, divisible=False)
    assert (10, 4) not in shard_work.calls(tmp_path)


def test_workers_that_end_at_images_that_belong_together(tmp_path, monkeypatch):
    """The time limit may have ended them, as well as a lack of memory."""
    monkeypatch.setenv(workers.TIME_LIMIT, "90")
    shard = shards.Shard("work", 1, shard_work.noted, {"batch": 8}, {}, "", tmp_path, divisible=False)
    with pytest.raises(clusters.ClusterError) as raised:
        workers._halved(shard, KilledWorker("work", "a worker", 3))
    said = str(raised.value)
    assert "A worker ends when its memory is short, and after 90 seconds, which" in said
    assert "not computed with fewer than 8 of them: give workers more memory or time" in said


def test_a_shard_that_never_fits_memory(run):
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        run(shard_work.refusing_memory, starts=[10, 10], least=0)


def test_the_shard_of_a_killed_worker_is_computed_by_another(run, address, tmp_path):
    def kill_one():
        calls = tmp_path / "calls"
        deadline = time.monotonic() + 60
        while not calls.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(int(calls.read_text().split()[2]), signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    table = run(seconds=0.5)
    killer.join()
    assert table["place"].tolist() == [start + i for start in STARTS for i in range(3)]
    done = [start for start, _ in shard_work.calls(tmp_path)]
    assert sorted(set(done)) == list(STARTS) and len(done) == 5
    assert len(list((tmp_path / "cache").iterdir())) == 4
