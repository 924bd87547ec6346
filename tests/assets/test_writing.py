"""Files that are written as a whole: unique names of their parts, full disks, and locks."""

import subprocess
import sys
import threading
import time

import pytest

from contrastlib.assets.locks import locked
from contrastlib.assets.writing import PART, CannotWrite, replacing


def test_two_writers_of_one_file_do_not_meet(tmp_path, monkeypatch):
    """Also with the same process id on machines of the same name, as in two containers."""
    monkeypatch.setattr("os.getpid", lambda: 1)
    monkeypatch.setattr("platform.node", lambda: "a.name/with:signs")
    path = tmp_path / "new" / "a.txt"
    with replacing(path) as first, replacing(path) as second:
        assert first != second and first.parent == second.parent == path.parent
        assert all(PART.fullmatch(each.name) for each in (first, second))
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_names_the_file_and_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with (
        pytest.raises(CannotWrite) as raised,
        replacing(path) as unfinished,
        replacing(tmp_path / "b.txt") as other,
    ):
        unfinished.write_text("half")
        other.write_text("half")
        with open("/dev/full", "w") as full:
            full.write("x" * 100_000)
    assert str(raised.value) == (
        f"{tmp_path / 'b.txt'} cannot be written: No space left on device: free some space on its disk"
    )
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(CannotWrite, match=r"file/a.txt cannot be written: (Not a directory|File exists)"),
        replacing(tmp_path / "file" / "a.txt"),
    ):
        pytest.fail("there is nothing to write to")


FULL = """
import resource, sys
from pathlib import Path
import pandas as pd, torch
from contrastlib.assets import DataError
from contrastlib.report.results.storage import save
from contrastlib.training.checkpoint import Checkpoint, replacing_weights

folder, network = Path(sys.argv[1]), torch.nn.Linear(100, 100)

def weights():
    with replacing_weights(folder / "weights.safetensors", network.state_dict()):
        raise AssertionError("they were written")

writers = {
    "table.parquet": lambda path: save(pd.DataFrame({"a": range(100_000)}), path, compression="none"),
    "it.checkpoint": lambda path: Checkpoint(path, {}).save({"network": network}, []),
    "weights.safetensors": lambda path: weights(),
}
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
for name, write in writers.items():
    try:
        write(folder / name)
    except DataError as error:
        print(error)
"""


@pytest.mark.slow
def test_a_full_disk(tmp_path):
    """Results, checkpoints and weights: the error has the name of the file, and nothing is left of it."""
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, check=False)
    said = done.stdout.splitlines()
    assert done.returncode == 0 and len(said) == 3, done.stderr
    for line, name in zip(said, ("table.parquet", "it.checkpoint", "weights.safetensors")):
        assert line.startswith(f"{tmp_path / name} cannot be written: ") and "File too large" in line
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_waited_for(tmp_path):
    order, path = [], tmp_path / "a.lock"

    def second():
        with locked(path, wait=True):
            order.append("second")

    with locked(path, wait=True):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.2)
        with locked(path, wait=False) as got:
            assert got is False
        order.append("first")
    waiting.join(timeout=20)
    assert order == ["first", "second"] and not path.exists()


def test_where_there_are_no_locks_all_get_them(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with locked(tmp_path / "a", wait=False) as first, locked(tmp_path / "a", wait=True) as second:
        assert first and second
