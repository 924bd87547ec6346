"""Sharded runs: resumed after a kill, recomputed when anything they depend on changes, with provenance."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from contrastlib.assets.writing import CannotWrite
from contrastlib.report.computing import shards as sharding
from contrastlib.report.results import provenance, storage

SHARDS = [{"start": start, "scale": 2.0} for start in (0, 10, 20, 30)]
DATA = {"images": "checksum-1"}
EXPECTED = [2.0 * (start + i) for start in (0, 10, 20, 30) for i in range(3)]


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    """A module whose function notes each call, and a cache: ``workshop.run()``, ``workshop.calls()``."""
    return Workshop(tmp_path, monkeypatch)


class Workshop:
    CODE = """
        '''A module.'''
        import time
        from pathlib import Path

        import pandas as pd

        def work(start, scale):
            with open(Path(__file__).with_name("calls"), "a") as calls:
                calls.write(f"{start}\\n")
            wait = Path(__file__).with_name("wait")
            while wait.exists() and start == int(wait.read_text()):
                time.sleep(0.01)
            values = [scale * (start + i) for i in range(3)]
            return pd.DataFrame({"place": range(start, start + 3), "value": values})
    """

    def __init__(self, folder, monkeypatch):
        self.folder, self.cache, self.monkeypatch = folder, folder / "cache", monkeypatch
        self.module = f"work_{folder.name}".replace("-", "_")
        monkeypatch.syspath_prepend(folder)
        self.write(self.CODE)

    def write(self, code):
        (self.folder / f"{self.module}.py").write_text(textwrap.dedent(code))
        sys.modules.pop(self.module, None)

    def run(self, shards=SHARDS, data=DATA, version=1, registry=""):
        module = __import__(self.module)
        return sharding.sharded("work", version, module.work, shards, data, self.cache, registry=registry)

    def calls(self):
        """The shards computed since the last time one asked."""
        path = self.folder / "calls"
        starts = [int(line) for line in path.read_text().split()] if path.exists() else []
        path.unlink(missing_ok=True)
        return starts

    def shards(self):
        return sorted(self.cache.glob("*.parquet"))


PROGRAM = """
    import json, sys
    from pathlib import Path
    sys.path.insert(0, {folder!r})
    import {module} as module
    from contrastlib.report.computing import shards as sharding
    table = sharding.sharded("work", 1, module.work, json.loads({shards!r}), {data!r}, Path({cache!r}))
    print(table["value"].tolist())
"""


@pytest.fixture
def start(workshop):
    """``start()``: another process that computes the shards of the workshop, until the end of the test."""
    started = []

    def call(shards=SHARDS):
        program = PROGRAM.format(
            folder=str(workshop.folder),
            module=workshop.module,
            shards=json.dumps(shards),
            data=DATA,
            cache=str(workshop.cache),
        )
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(program)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=provenance.REPOSITORY,
                env={**os.environ, "PYTHONHASHSEED": "7"},
            )
        )
        return started[-1]

    yield call
    for process in started:
        process.kill()
        process.communicate()


def until(condition, *processes):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline and all(process.poll() is None for process in processes)
        time.sleep(0.02)


# --- resuming ---------------------------------------------------------------------------------


def test_all_shards_in_order_and_none_twice(workshop):
    first = workshop.run()
    assert first["value"].tolist() == EXPECTED and workshop.calls() == [0, 10, 20, 30]
    again = workshop.run()
    pd.testing.assert_frame_equal(again, first)
    assert workshop.calls() == [] and again.attrs["provenance"] == first.attrs["provenance"]


def test_shards_are_shared_by_runs_that_ask_in_another_order(workshop):
    workshop.run(SHARDS[:2])
    assert workshop.run(SHARDS[::-1])["place"].tolist()[:3] == [30, 31, 32]
    assert workshop.calls() == [0, 10, 30, 20]


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(workshop, start):
    wait = workshop.folder / "wait"
    wait.write_text("20")  # the third shard does not end
    process, calls = start(), workshop.folder / "calls"
    until(lambda: calls.exists() and "20" in calls.read_text(), process)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    wait.unlink()

    assert workshop.calls() == [0, 10, 20] and len(workshop.shards()) == 2
    kept = {path: path.stat().st_mtime_ns for path in workshop.shards()}
    resumed = workshop.run()
    assert workshop.calls() == [20, 30]
    assert kept.items() <= {path: path.stat().st_mtime_ns for path in workshop.shards()}.items()
    uninterrupted = sharding.sharded(
        "work", 1, __import__(workshop.module).work, SHARDS, DATA, workshop.folder / "other"
    )
    pd.testing.assert_frame_equal(resumed, uninterrupted, check_flags=False)
    assert resumed["value"].tolist() == EXPECTED


def test_an_error_keeps_the_shards_before_it(workshop):
    workshop.write(
        workshop.CODE.replace("return pd", "if start == 20: raise OSError('disk')\n            return pd")
    )
    with pytest.raises(OSError, match="disk"):
        workshop.run()
    assert len(workshop.shards()) == 2 and workshop.calls() == [0, 10, 20]
    with pytest.raises(OSError, match="disk"):
        workshop.run()
    assert workshop.calls() == [20]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: b"not a table",
        lambda content: bytes(len(content)),
        lambda content: content[:8] + bytes([content[8] ^ 255]) + content[9:],
        lambda content: content[:40] + bytes(byte ^ 255 for byte in content[40:60]) + content[60:],
    ],
    ids=["cut in half", "empty", "text", "zeros", "a byte changed", "some bytes changed"],
)
def test_a_damaged_shard_is_computed_again(workshop, damage):
    first = workshop.run()
    workshop.calls()
    broken = workshop.shards()[1]
    broken.write_bytes(damage(broken.read_bytes()))
    with pytest.raises(ValueError, match="(?s)is damaged.*delete it and run again"):
        storage.load(broken)
    pd.testing.assert_frame_equal(workshop.run(), first, check_flags=False)
    assert len(workshop.calls()) == 1
    workshop.run()
    assert workshop.calls() == []


def test_a_damaged_shard_is_named(workshop, capsys):
    workshop.run()
    broken = workshop.shards()[1]
    broken.write_bytes(broken.read_bytes()[:-1])
    workshop.run()
    assert f"{broken} is damaged, computed again" in capsys.readouterr().err
    workshop.run()
    assert "damaged" not in capsys.readouterr().err


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_nothing_half_written_is_ever_seen(workshop, monkeypatch, error):
    """The file gets its name last: a write that breaks off leaves no shard, and no part of one."""

    def broken(path, content):
        path.open("wb").write(content[:100])
        raise error

    with monkeypatch.context() as patch, pytest.raises((CannotWrite, KeyboardInterrupt)) as raised:
        patch.setattr(Path, "write_bytes", broken)
        workshop.run()
    assert list(workshop.cache.iterdir()) == []
    if isinstance(error, OSError):
        says = r".*/cache/work-.*parquet cannot be written: No space left on device: free some space"
        assert re.match(says, str(raised.value))
    assert workshop.run()["value"].tolist() == EXPECTED


def test_what_killed_processes_left_is_swept(workshop):
    """Old files of shards that were not written to their end, and old locks that no process has."""
    workshop.cache.mkdir()
    parts = [
        f"{name}.part"
        for name in (
            "work-0.parquet.host-0123456789abcdef",
            "work-1.parquet.host-0123456789abcdef",
            "download",
        )
    ]
    locks = ["work-0.lock", "work-1.lock", "work-2.lock"]
    for name in parts + locks:
        (workshop.cache / name).touch()
    with sharding.locked(workshop.cache / "work-2.lock", wait=False):
        for name in (
            "work-0.parquet.host-0123456789abcdef.part",
            "download.part",
            "work-0.lock",
            "work-2.lock",
        ):
            os.utime(workshop.cache / name, (0, 0))
        workshop.run()
        left = {path.name for path in workshop.cache.iterdir() if path.suffix != ".parquet"}
    assert left == {parts[1], "download.part", "work-1.lock", "work-2.lock"}


# --- two runs on one cache --------------------------------------------------------------------


@pytest.mark.slow
def test_two_runs_share_the_work(workshop, start):
    """Each shard is computed once, by one of the two; both have all, and neither fails."""
    (workshop.folder / "wait").write_text("0")  # whoever has the first shard waits until both have begun
    first, second = start(), start()
    until(lambda: len(workshop.shards()) == 3, first, second)  # the other one does what is left
    (workshop.folder / "wait").unlink()
    for process in (first, second):
        said, errors = process.communicate(timeout=120)
        assert process.returncode == 0 and said == f"{EXPECTED}\n", errors
    assert sorted(workshop.calls()) == [0, 10, 20, 30]
    assert sorted(path.suffix for path in workshop.cache.iterdir()) == [".parquet"] * 4


@pytest.mark.slow
def test_a_run_takes_over_what_a_killed_one_was_computing(workshop, start):
    wait, calls = workshop.folder / "wait", workshop.folder / "calls"
    wait.write_text("0")
    first = start()
    until(lambda: calls.exists(), first)
    second = start()
    until(lambda: len(workshop.shards()) == 3, first, second)
    wait.unlink()
    wait.write_text("-1")
    os.kill(first.pid, signal.SIGSTOP)  # it holds its shard, and does not go on
    time.sleep(0.5)
    assert second.poll() is None
    first.kill()
    said, errors = second.communicate(timeout=120)
    assert second.returncode == 0 and said == f"{EXPECTED}\n", errors
    assert workshop.calls() == [0, 10, 20, 30, 0]


def test_a_damaged_shard_that_another_run_has_replaced_stays(workshop, monkeypatch):
    """Between the look at a damaged shard and the lock, another run computes it."""
    workshop.run()
    workshop.calls()
    shard = workshop.shards()[1]
    whole = shard.read_bytes()
    shard.write_bytes(whole[:50])
    locked = sharding.locked

    def other_run_first(path, wait):
        path.with_suffix(".parquet").write_bytes(whole)
        return locked(path, wait)

    monkeypatch.setattr(sharding, "locked", other_run_first)
    assert workshop.run()["value"].tolist() == EXPECTED
    assert workshop.calls() == [] and shard.read_bytes() == whole


# --- what a shard depends on ---------------------------------------------------------------------


def test_other_parameters(workshop):
    workshop.run()
    workshop.calls()
    workshop.run([{**shard, "scale": 3.0} for shard in SHARDS[:2]])
    assert workshop.calls() == [0, 10]


def test_other_data(workshop):
    workshop.run()
    workshop.calls()
    workshop.run(data={"images": "checksum-2"})
    assert workshop.calls() == [0, 10, 20, 30]
    workshop.run()
    assert workshop.calls() == []


def test_other_entries_in_the_registry(workshop):
    def computed(registry):
        workshop.run(registry=registry)
        return len(workshop.calls())

    assert [computed(""), computed("a"), computed("b"), computed("a")] == [4, 4, 4, 0]


def test_another_version(workshop):
    """It stands for the code: what is changed without it leaves the shards as they are."""
    workshop.run()
    workshop.calls()
    workshop.write(workshop.CODE.replace("scale * (", "1 + scale * ("))
    assert workshop.run()["value"].tolist() == EXPECTED and workshop.calls() == []
    assert workshop.run(version=2)["value"].tolist() == [value + 1 for value in EXPECTED]
    assert workshop.calls() == [0, 10, 20, 30]


@pytest.mark.parametrize(
    "library, again", [("torch", True), ("zennit", True), ("pillow", True), ("pandas", False)]
)
def test_other_libraries(workshop, monkeypatch, library, again):
    """Those that decide numbers, in another release; another build of the same one counts as the same."""
    workshop.run()
    workshop.calls()
    installed = provenance.version
    monkeypatch.setattr(provenance, "version", lambda name: installed(name) + "+cu128" * (name == library))
    workshop.run()
    assert workshop.calls() == []
    monkeypatch.setattr(provenance, "version", lambda name: "999.0" if name == library else installed(name))
    workshop.run()
    assert workshop.calls() == ([0, 10, 20, 30] if again else [])


def test_parameters_must_be_plain(workshop):
    with pytest.raises(TypeError, match="JSON"):
        workshop.run([{"start": 0, "scale": pd.Timestamp("2020-01-01")}])


# --- files -----------------------------------------------------------------------------------------


def test_round_trip(tmp_path):
    table = pd.DataFrame(
        {
            "image": pd.array([0, 1], dtype="int64"),
            "p": [0.1, float("nan")],
            "ok": [True, False],
            "name": ["a", "é"],
            "single": pd.array([0.5, 0.25], dtype="float32"),
        }
    )
    table.attrs["provenance"] = {"commit": "abc", "parameters": {"n": [1, 2]}, "unicode": "−"}
    storage.save(table, tmp_path / "deep" / "table.parquet")
    loaded = storage.load(tmp_path / "deep" / "table.parquet")
    pd.testing.assert_frame_equal(loaded, table)
    assert loaded.attrs == table.attrs
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["table.parquet"]


def test_saving_leaves_the_table_alone_and_replaces_the_file(tmp_path):
    table = pd.DataFrame({"a": [1]})
    table.attrs["provenance"] = {"commit": "abc"}
    storage.save(table, tmp_path / "t.parquet")
    assert table.attrs == {"provenance": {"commit": "abc"}}
    storage.save(table.assign(a=2), tmp_path / "t.parquet")
    assert storage.load(tmp_path / "t.parquet")["a"].item() == 2


def test_a_missing_result(tmp_path):
    with pytest.raises(FileNotFoundError, match="no result t.parquet in .*make real"):
        storage.load(tmp_path / "t.parquet")


# --- provenance ---------------------------------------------------------------------------------------


def test_each_shard_says_where_it_comes_from(workshop, monkeypatch):
    clock = iter(range(0, 100, 7))  # which is read before and after a shard
    monkeypatch.setattr(sharding, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    workshop.run()
    record = storage.load(workshop.shards()[0]).attrs["provenance"]
    assert {"commit", "dirty", "python", "libraries", "device", "machine", "threads", "seconds", "memory",
            "date", "parameters", "seed", "study", "version", "data"} <= record.keys()  # fmt: skip
    assert record["parameters"] in SHARDS and record["data"] == DATA
    assert record["libraries"].keys() == set(provenance.LIBRARIES)
    assert record["seconds"] == 7 and pd.Timestamp(record["date"]).tzinfo is not None


def test_memory_is_given_back_after_each_shard_where_the_c_library_can(workshop, monkeypatch):
    calls = []
    monkeypatch.setattr(sharding.ctypes, "CDLL", lambda name: SimpleNamespace(malloc_trim=calls.append))
    workshop.run()
    workshop.run()
    assert calls == [0] * len(SHARDS), "once after each shard that was computed"


@pytest.mark.parametrize("error", [TypeError, OSError, None])
def test_memory_stays_where_the_c_library_cannot(monkeypatch, error):
    asked = []

    def library(name):
        asked.append(name)
        if error:
            raise error
        return SimpleNamespace()

    sharding._give_back()  # whatever this system has
    monkeypatch.setattr(sharding.ctypes, "CDLL", library)
    sharding._give_back()
    assert asked == [None]


def test_a_run_sums_up_its_shards(workshop):
    record = workshop.run().attrs["provenance"]
    assert record["shards"] == 4 and record["data"] == DATA
    assert record["parameters"] == SHARDS  # those that differ are listed
    assert record["commit"] == storage.load(workshop.shards()[0]).attrs["provenance"]["commit"] != ""
